//! RenderNoticeEvidence: which evidence, and its answer.

use super::{Api, as_of, take};
use crate::{
    error::{Error, Reason, Result, clip},
    proto::v1::{RenderNoticeEvidenceRequest, RenderNoticeEvidenceResponse, render_notice_evidence_request::Format},
    resource::{
        name::{Kind, Name},
        shape::Violations,
    },
    store::evidence::Wanted,
};

/// Customers of one request.
const MOST_CUSTOMERS: usize = 1_000;

impl Api {
    pub(super) async fn notice_evidence(
        &self,
        request: &RenderNoticeEvidenceRequest,
    ) -> Result<RenderNoticeEvidenceResponse> {
        self.store.render_notice_evidence(&wanted(request)?).await
    }
}

/// Which evidence a request asks for.
///
/// # Errors
/// FIELD_INVALID with every field that breaks a rule.
fn wanted(request: &RenderNoticeEvidenceRequest) -> Result<Wanted> {
    let mut wrong = Violations::new();
    let notice = take(Name::of(Kind::Notice, "name", &request.name), &mut wrong);
    let format = take(format(request.format), &mut wrong);
    let as_of = take(as_of(request.as_of.as_ref()), &mut wrong);
    let organization = notice.as_ref().and_then(Name::organization);
    let mut customers = Vec::new();
    if request.customers.len() > MOST_CUSTOMERS {
        wrong.push(("customers".to_owned(), format!("has more than {MOST_CUSTOMERS} customers")));
    } else {
        for (i, text) in request.customers.iter().enumerate() {
            let field = format!("customers[{i}]");
            let Some(name) = take(Name::of(Kind::Customer, &field, text), &mut wrong) else { continue };
            match &organization {
                Some(parent) if name.organization().as_ref() != Some(parent) => {
                    wrong.push((field, format!("must be a customer of {parent}, not {}", clip(text))));
                }
                _ => customers.push(name),
            }
        }
    }
    match (notice, format, as_of) {
        (Some(notice), Some(format), Some(as_of)) if wrong.is_empty() => {
            Ok(Wanted { notice, format, as_of, customers })
        }
        _ => Err(Error::fields(Reason::FieldInvalid, wrong)),
    }
}

fn format(number: i32) -> Result<Format> {
    match Format::try_from(number) {
        Ok(Format::Unspecified) => Err(Error::field("format", "is required: JSON or HTML")),
        Ok(format) => Ok(format),
        Err(_) => Err(Error::field("format", format!("there is no format {number}"))),
    }
}

//! RenderPaper: which paper, and its answer.

use super::{Api, as_of, take};
use crate::{
    error::{Error, Reason, Result, clip},
    proto::v1::{
        RenderPaperRequest, RenderPaperResponse,
        render_paper_request::{Format, Kind as PaperKind},
    },
    resource::{
        name::{Kind, Name},
        shape::Violations,
    },
    store::papers::Wanted,
};

impl Api {
    pub(super) async fn paper(&self, request: &RenderPaperRequest) -> Result<RenderPaperResponse> {
        self.store.render_paper(&self.wanted_paper(request)?).await
    }

    /// Which paper a request asks for.
    ///
    /// # Errors
    /// FIELD_INVALID with every field that breaks a rule.
    fn wanted_paper(&self, request: &RenderPaperRequest) -> Result<Wanted> {
        let mut wrong = Violations::new();
        let parent = take(Name::of(Kind::Organization, "parent", &request.parent), &mut wrong);
        let kind = take(kind(request.kind), &mut wrong);
        let format = take(format(request.format), &mut wrong);
        let customer = (!request.customer.is_empty())
            .then(|| take(Name::of(Kind::Customer, "customer", &request.customer), &mut wrong))
            .flatten();
        if let (Some(parent), Some(customer)) = (&parent, &customer)
            && customer.parent().as_ref() != Some(parent)
        {
            let rule = format!("must be a customer of {parent}, not {}", clip(&request.customer));
            wrong.push(("customer".to_owned(), rule));
        }
        let date = take(self.day_of("effective_at", &request.effective_at), &mut wrong);
        let as_of = take(as_of(request.as_of.as_ref()), &mut wrong);
        match (parent, kind, format, date, as_of) {
            (Some(parent), Some(kind), Some(format), Some(date), Some(as_of)) if wrong.is_empty() => {
                Ok(Wanted { kind, format, parent, customer, date, as_of })
            }
            _ => Err(Error::fields(Reason::FieldInvalid, wrong)),
        }
    }
}

fn kind(number: i32) -> Result<PaperKind> {
    match PaperKind::try_from(number) {
        Ok(PaperKind::Unspecified) => Err(Error::field("kind", "is required")),
        Ok(kind) => Ok(kind),
        Err(_) => Err(Error::field("kind", format!("there is no kind {number}"))),
    }
}

fn format(number: i32) -> Result<Format> {
    Format::try_from(number).map_err(|_| Error::field("format", format!("there is no format {number}")))
}

//! SubprocessorService: the list, its lifecycle and its chain.

use tonic::{Request, Response};

use super::{Answer, Api, Listed, as_of, day, mutation, point, take};
use crate::proto::v1::{
    ActivateRequest, AsOf, CreateSubprocessorRequest, DeleteSubprocessorRequest, DiffSubprocessorsRequest,
    DiffSubprocessorsResponse, GetSubprocessorRequest, ListSubprocessorsRequest, ListSubprocessorsResponse,
    RetireRequest, Subprocessor, SuspendRequest, TraceSubprocessorRequest, TraceSubprocessorResponse,
    UndeleteSubprocessorRequest, UpdateSubprocessorRequest, subprocessor_service_server::SubprocessorService,
};
use crate::{
    call::Call,
    error::{Error, Reason, Result, clip},
    resource::{
        name::{Kind, Name},
        shape::{self, Violations},
        text,
    },
    store::{
        list_diff::{Comparison, Side},
        notice::gate::Passes,
        standard,
        subprocessor::lifecycle::Taken,
    },
};

impl Api {
    async fn step(&self, call: Call, name: &str, etag: String, taken: Taken) -> Answer<Subprocessor> {
        let name = Name::of(Kind::Subprocessor, "name", name)?;
        let stepped = self
            .store
            .write(call, |writer| Box::pin(async move { Box::pin(writer.step(&name, &etag, taken)).await }))
            .await?;
        Ok(Response::new(stepped))
    }
}

#[tonic::async_trait]
impl SubprocessorService for Api {
    async fn get_subprocessor(&self, request: Request<GetSubprocessorRequest>) -> Answer<Subprocessor> {
        let request = request.into_inner();
        if request.customer.is_empty() {
            return self.get(&request.name, request.as_of.as_ref()).await;
        }
        let name = Name::of(Kind::Subprocessor, "name", &request.name)?;
        let customer = customer_of(name.parent().as_ref(), &request.customer)?;
        Ok(Response::new(self.store.subprocessor_for(&name, &customer, as_of(request.as_of.as_ref())?).await?))
    }

    async fn list_subprocessors(
        &self,
        request: Request<ListSubprocessorsRequest>,
    ) -> Answer<ListSubprocessorsResponse> {
        let request = request.get_ref();
        let parent = Name::parse(&request.parent).filter(|name| name.kind() == Kind::Organization);
        let customer =
            (!request.customer.is_empty()).then(|| customer_of(parent.as_ref(), &request.customer)).transpose()?;
        let Listed { mut items, next_page_token, revision } = self.list(request).await?;
        if let Some(customer) = customer {
            let day = Some(request.effective_at.as_str()).filter(|day| !day.is_empty());
            let at = as_of(request.as_of.as_ref())?;
            items = self.store.list_for(&customer, revision, at, items, day).await?;
        }
        Ok(Response::new(ListSubprocessorsResponse { subprocessors: items, next_page_token, revision }))
    }

    async fn create_subprocessor(&self, request: Request<CreateSubprocessorRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/CreateSubprocessor");
        self.create(call, Some(&request.parent), &request.subprocessor_id, request.subprocessor.as_ref()).await
    }

    async fn update_subprocessor(&self, request: Request<UpdateSubprocessorRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/UpdateSubprocessor");
        let correction = request.correction.map(|one| shape::accept(&one, "correction")).transpose()?;
        let over = request.r#override.map(|over| shape::accept(&over, "override")).transpose()?;
        let passes = Passes { correction, over };
        let change = standard::change(request.subprocessor, request.update_mask)?;
        let updated = self.store.write(call, |writer| Box::pin(writer.update_subprocessor(change, passes))).await?;
        Ok(Response::new(updated))
    }

    async fn delete_subprocessor(&self, request: Request<DeleteSubprocessorRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/DeleteSubprocessor");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_subprocessor(&self, request: Request<UndeleteSubprocessorRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/UndeleteSubprocessor");
        self.undelete(call, &request.name, request.etag).await
    }

    async fn activate(&self, request: Request<ActivateRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/Activate");
        let over = request.r#override.map(|over| shape::accept(&over, "override")).transpose()?;
        self.step(call, &request.name, request.etag, Taken::Activate { over }).await
    }

    async fn suspend(&self, request: Request<SuspendRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/Suspend");
        self.step(call, &request.name, request.etag, Taken::Suspend).await
    }

    async fn retire(&self, request: Request<RetireRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/Retire");
        if !request.end_date.is_empty() {
            text::date(&request.end_date).map_err(|rule| Error::field("end_date", rule))?;
        }
        self.step(call, &request.name, request.etag, Taken::Retire { end_date: request.end_date }).await
    }

    async fn trace_subprocessor(
        &self,
        request: Request<TraceSubprocessorRequest>,
    ) -> Answer<TraceSubprocessorResponse> {
        let request = request.into_inner();
        let name = Name::of(Kind::Subprocessor, "name", &request.name)?;
        let trace = self.store.trace_subprocessor(&name, as_of(request.as_of.as_ref())?).await?;
        Ok(Response::new(trace))
    }

    async fn diff_subprocessors(
        &self,
        request: Request<DiffSubprocessorsRequest>,
    ) -> Answer<DiffSubprocessorsResponse> {
        let comparison = comparison(request.get_ref())?;
        Ok(Response::new(self.store.diff_subprocessors(&comparison).await?))
    }
}

/// The customer of an organization that a request names.
///
/// # Errors
/// FIELD_INVALID if it is none of this organization's.
fn customer_of(parent: Option<&Name>, text: &str) -> Result<Name> {
    let customer = Name::of(Kind::Customer, "customer", text)?;
    match parent {
        Some(parent) if customer.parent().as_ref() == Some(parent) => Ok(customer),
        Some(parent) => Err(Error::field("customer", format!("must be a customer of {parent}, not {}", clip(text)))),
        None => Err(Error::field("customer", "needs a parent that is one organization, whose customer it is")),
    }
}

/// Which lists a request compares.
///
/// # Errors
/// FIELD_INVALID with every field that breaks a rule.
fn comparison(request: &DiffSubprocessorsRequest) -> Result<Comparison> {
    let mut wrong = Violations::new();
    let mut side = |field: &str, as_of: Option<&AsOf>, text: &str| {
        let as_of = take(point(field, as_of), &mut wrong).flatten();
        let day = take(day(&format!("{field}_effective_at"), text), &mut wrong).flatten().map(str::to_owned);
        Side { as_of, day }
    };
    let base = side("base", request.base.as_ref(), &request.base_effective_at);
    let target = side("target", request.target.as_ref(), &request.target_effective_at);
    if request.base.is_none() && request.base_effective_at.is_empty() {
        let rule = "is required, unless base_effective_at is given: there would be nothing to compare with";
        wrong.push(("base".to_owned(), rule.to_owned()));
    }
    let parent = take(Name::of(Kind::Organization, "parent", &request.parent), &mut wrong);
    let customer = (!request.customer.is_empty())
        .then(|| take(Name::of(Kind::Customer, "customer", &request.customer), &mut wrong))
        .flatten();
    if let (Some(parent), Some(customer)) = (&parent, &customer)
        && customer.parent().as_ref() != Some(parent)
    {
        wrong.push(("customer".to_owned(), format!("must be a customer of {parent}, not {}", clip(&request.customer))));
    }
    match parent {
        Some(parent) if wrong.is_empty() => Ok(Comparison { parent, base, target, customer }),
        _ => Err(Error::fields(Reason::FieldInvalid, wrong)),
    }
}

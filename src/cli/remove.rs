//! `delete` and `undelete`: any resource of any collection.

use clap::Args;
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};

use super::{
    Writing,
    client::{Registry, request_id},
    contract::{self, Collection},
    failure::{Failure, Outcome},
    output::{Format, Out},
    resource::resource_to,
};

/// What both take.
#[derive(Debug, Args)]
struct Target {
    /// The name, e.g. `vendors/acme-mail` or `organizations/acme/subprocessors/aws`.
    name: String,
    /// Fail if it changed since this etag was read.
    #[arg(long, default_value = "", hide_default_value = true)]
    etag: String,
    #[command(flatten)]
    writing: Writing,
}

impl Target {
    async fn run(self, done: &str, method: fn(Collection) -> Option<MethodDescriptor>, out: &mut Out) -> Outcome {
        let Some(collection) = contract::of_name(&self.name) else {
            return Err(Failure::Usage(contract::no_name(&self.name)));
        };
        let Some(method) = method(collection) else {
            return Err(Failure::Usage(format!("{}: such a resource cannot be {done}", self.name)));
        };
        let mut request = DynamicMessage::new(method.input());
        let values = [
            ("name", Value::String(self.name)),
            ("etag", Value::String(self.etag)),
            ("request_id", Value::String(request_id())),
            ("validate_only", Value::Bool(self.writing.dry_run)),
        ];
        for (field, value) in values {
            request
                .try_set_field_by_name(field, value)
                .map_err(|error| Failure::Failed(format!("{}: {error}", method.name())))?;
        }
        let resource = Registry::connect(&self.writing.common).await?.call_dynamic(&method, request).await?;
        if self.writing.print.output != Format::Table {
            return resource_to(out, self.writing.print.output, &resource);
        }
        let field = |name: &str| resource.get_field_by_name(name).map(std::borrow::Cow::into_owned);
        let name = field("name").and_then(|name| name.as_str().map(ToOwned::to_owned)).unwrap_or_default();
        if self.writing.dry_run {
            return out.line(format!("{name}: would be {done}"));
        }
        let revision = field("revision").and_then(|revision| revision.as_i64()).unwrap_or_default();
        out.line(format!("{name}: {done}, revision {revision}"))
    }
}

/// Arguments of `delete`.
#[derive(Debug, Args)]
pub(super) struct Delete {
    #[command(flatten)]
    target: Target,
}

impl Delete {
    /// Deletes it, so that `undelete` can bring it back.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        self.target.run("deleted", |collection| collection.delete, out).await
    }
}

/// Arguments of `undelete`.
#[derive(Debug, Args)]
pub(super) struct Undelete {
    #[command(flatten)]
    target: Target,
}

impl Undelete {
    /// Brings it back as it was.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        self.target.run("undeleted", |collection| collection.undelete, out).await
    }
}

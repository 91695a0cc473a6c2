//! `serve`, `migrate` and `health`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_client::HealthClient},
};

use super::{
    DEFAULT_ENDPOINT, client,
    failure::{Failure, Outcome, printable},
    output::Out,
};
use crate::{
    config::{Flags, Settings},
    error::{self, Error, Reason, code_name},
    proto, run, telemetry,
};

/// Shorter than what health checks of containers are given.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address and port to listen on [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where the embedded database is kept [default: data]
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// `sqlite:path` or `postgres://…`, instead of the embedded database.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Settings, as `config` prints them.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Load the example organizations on the first start.
    #[arg(long)]
    with_examples: bool,
    /// Listen where others can reach it, although whoever does may do everything.
    #[arg(long)]
    insecure_no_auth: bool,
}

impl Serve {
    /// Serves until the process is told to stop.
    pub(super) fn run(self) -> Outcome {
        let Self { listen, data_dir, database_url, config, with_examples, insecure_no_auth } = self;
        let flags = Flags { config, listen, insecure_no_auth, database_url, data_dir, with_examples };
        let settings = settings(&flags)?;
        server_runtime()?.block_on(run::serve(settings, &flags)).map_err(|error| failed(&error))
    }
}

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// `sqlite:path` or `postgres://…`, instead of the embedded database.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Where the embedded database is kept [default: data]
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// Settings, as `config` prints them.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Migrate {
    /// Migrates, and prints what was done.
    pub(super) fn run(self, out: &mut Out) -> Outcome {
        let Self { database_url, data_dir, config } = self;
        let settings = settings(&Flags { config, database_url, data_dir, ..Flags::default() })?;
        let migrate = async {
            let _telemetry = telemetry::init(&settings.telemetry)?;
            run::migrate(&settings).await
        };
        let done = server_runtime()?.block_on(migrate).map_err(|error| failed(&error))?;
        out.line(done)
    }
}

fn settings(flags: &Flags) -> Outcome<Settings> {
    Settings::from_process(flags).map_err(|problems| Failure::Usage(problems.join("\n")))
}

fn server_runtime() -> Outcome<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::Failed(format!("cannot start: {error}")))
}

/// An error that the operator can act on. The cause, which is the driver's text, goes to the log.
fn failed(error: &Error) -> Failure {
    let cause = error::causes(error);
    if cause.is_empty() {
        return Failure::Failed(error.to_string());
    }
    tracing::debug!(cause, "failed");
    match error.reason() {
        // The message speaks to callers of a server, of a log that only says this if it is told to.
        Reason::Internal if error.is_unexplained() => {
            let hint = "internal error; to see the cause set SUBPROCESSOR_REGISTRY__TELEMETRY__LOG_FILTER=debug";
            Failure::Failed(hint.to_owned())
        }
        _ => Failure::Failed(error.to_string()),
    }
}

/// Arguments of `health`.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// `liveness`, `readiness`, or one service, e.g. `subprocessor.registry.v1.VendorService`. Absent: readiness.
    #[arg(long, value_name = "S", default_value = "", hide_default_value = true)]
    service: String,
    /// The server.
    #[arg(long, value_name = "URL", default_value = DEFAULT_ENDPOINT, help_heading = "Connection")]
    endpoint: String,
}

impl Health {
    /// Prints the status. Whatever is not SERVING, in time, is not healthy.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let check = async {
            let channel = client::channel(&self.endpoint).await?;
            let request = HealthCheckRequest { service: self.service.clone() };
            let answer = HealthClient::new(channel).check(request).await;
            answer.map_err(|status| match Failure::from(status) {
                Failure::Refused(status) if code_name(status.code()) == "NOT_FOUND" => Failure::Failed(format!(
                    "there is no service {}: name readiness, liveness, or one in full, such as {}.VendorService",
                    self.service,
                    proto::PACKAGE
                )),
                Failure::Refused(status) => {
                    Failure::Failed(format!("{}: {}", code_name(status.code()), printable(status.message())))
                }
                failure => failure,
            })
        };
        let status = match tokio::time::timeout(HEALTH_TIMEOUT, check).await {
            Ok(Ok(answer)) => answer.into_inner().status,
            Ok(Err(failure)) => return Err(failure),
            Err(_) => return Err(Failure::Failed(format!("no answer in {} s", HEALTH_TIMEOUT.as_secs()))),
        };
        match [ServingStatus::Unknown, ServingStatus::Serving, ServingStatus::NotServing].get(status as usize) {
            Some(ServingStatus::Serving) => out.line("SERVING"),
            Some(ServingStatus::NotServing) => Err(Failure::Failed("NOT_SERVING".to_owned())),
            _ => Err(Failure::Failed("the status is not known".to_owned())),
        }
    }
}

//! The command line: the server's commands, and a client of it.
//!
//! The client knows resources by their descriptors only: a new collection is listed and shown without a line here,
//! though it deserves one in [`columns`].

mod apply;
mod client;
mod columns;
mod contract;
mod customers;
mod deliveries;
mod diff;
mod failure;
mod file;
mod findings;
mod history;
mod import;
mod law;
mod lifecycle;
mod log;
mod notice;
mod objections;
mod output;
mod page;
mod paper;
mod progress;
mod remove;
mod resolve;
mod resource;
mod service;
mod simulate;
mod subscriptions;
mod timeline;
mod trace;
mod value;

use std::{ffi::OsString, future::Future, io::ErrorKind, path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory, Parser, Subcommand};

use failure::{Failure, Outcome};
use output::{Format, Out};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused, or failed, or not healthy (health); standard error says why
  2  the command line or the settings cannot be used
  3  not verified (verify)";

/// The register of a company's sub-processors, what makes each transfer lawful, and who was told when.
#[derive(Debug, Parser)]
#[command(name = "subprocessor-registry", version, after_help = EXIT_CODES, max_term_width = 110)]
struct Cli {
    // Before the command as well as behind it; the command's own has it then.
    #[command(flatten)]
    _common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the registry.
    Serve(service::Serve),
    /// Bring the schema of the database up to date.
    Migrate(service::Migrate),
    /// Print the settings with their defaults and what each means, as a configuration file.
    Config,
    /// Make the registry hold what manifests say: shows the plan, asks, and applies it in one revision each.
    Apply(apply::Apply),
    /// Print an organization with all that belongs to it as a manifest.
    Export(apply::Export),
    /// Make a manifest of a published list (Markdown, HTML, CSV, YAML, JSON), to be reviewed and applied.
    Import(import::Import),
    /// Print the JSON Schema of manifests.
    Schema(apply::Schema),
    /// Show one resource.
    Get(resource::Get),
    /// List a collection, e.g. `vendors`, `organizations/acme/subprocessors`, `organizations/-/documents`, `revisions`.
    List(resource::List),
    /// Delete one resource. Its history stays, and `undelete` brings it back.
    Delete(remove::Delete),
    /// Bring a deleted resource back.
    Undelete(remove::Undelete),
    /// Put a subprocessor into use.
    Activate(lifecycle::Activate),
    /// Stop using a subprocessor for now.
    Suspend(lifecycle::Suspend),
    /// End the engagement of a subprocessor.
    Retire(lifecycle::Retire),
    /// Show who engages a subprocessor and whom it engages, or who reaches a vendor.
    Trace(trace::Trace),
    /// Show how an organization's list differs from what it was, as a table or as Markdown for a changelog.
    Diff(diff::Diff),
    /// Show what happened to one resource, version by version, or to an organization's list, step by step.
    History(history::History),
    /// Say what the law says of transfers on a day, or over a range of days.
    Assess(law::Assess),
    /// Say what the claims of documents are worth on a day: by the law alone, and by what they prove.
    Claims(law::Claims),
    /// Say what breaks if an instrument falls: what loses its cover, what a fallback saves, and whom it hits.
    Simulate(simulate::Simulate),
    /// Make a paper that the law asks for: an annex of the clauses, the processor's record, or what a privacy notice says.
    Paper(paper::Paper),
    /// Look at the public page of an organization's list.
    Page(page::Page),
    /// Draw the timeline of each transfer's cover as SVG: mechanisms as bars, gaps in red, today's line.
    Timeline(timeline::Timeline),
    /// Preview, write, approve, publish and withdraw notices, follow what becomes of them, and record what customers say.
    Notice(notice::Notice),
    /// List objections, or lodge or resolve one.
    Objections(objections::Objections),
    /// List who wants to be told of changes by webhook or e-mail, or subscribe, verify, test, pause or end one.
    Subscriptions(subscriptions::Subscriptions),
    /// List what was sent and what became of it, or show, retry or replay it, or record that a mail came back.
    Deliveries(deliveries::Deliveries),
    /// List customers with what was agreed with them, or show one and the list as it applies to it.
    Customers(customers::Customers),
    /// Show what is wrong, or falls due, in one organization or all; or acknowledge it for a while.
    Findings(findings::Findings),
    /// Find the vendors that names mean, as published lists write them.
    Resolve(resolve::Resolve),
    /// Follow what is changed, as it is committed. Resumes by itself when the server restarts.
    Watch(log::Watch),
    /// Recompute the hashes of the change log and report whatever does not match.
    Verify(log::Verify),
    /// Erase the content of past versions of a resource (GDPR Art. 17). This cannot be undone.
    Erase(log::Erase),
    /// Ask whether the server is healthy, e.g. as the health check of a container.
    Health(service::Health),
    /// Print the version.
    Version,
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write man pages, one for each command.
    Man {
        /// Where to; made if it does not exist.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// What all client commands take.
#[derive(Debug, Args)]
struct Common {
    /// The server [default: http://127.0.0.1:50051]
    #[arg(long, global = true, value_name = "URL", env = ENDPOINT_VARIABLE, hide_env_values = true)]
    #[arg(help_heading = "Connection")]
    endpoint: Option<String>,
    /// Who you are, for the change log.
    #[arg(long, global = true, value_name = "ID", env = PRINCIPAL_VARIABLE, hide_env_values = true)]
    #[arg(help_heading = "Connection")]
    principal: Option<String>,
}

/// Where a server of one's own listens.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:50051";

// No settings of the server: those have two underscores.
const ENDPOINT_VARIABLE: &str = "SUBPROCESSOR_REGISTRY_ENDPOINT";
const PRINCIPAL_VARIABLE: &str = "SUBPROCESSOR_REGISTRY_PRINCIPAL";

impl Common {
    /// The server to ask.
    fn endpoint(&self) -> &str {
        self.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT)
    }
}

/// How a command prints.
#[derive(Debug, Args)]
struct Print {
    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// How a command writes, and says what it wrote.
#[derive(Debug, Args)]
struct Writing {
    /// Check everything and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

/// Runs the command line and returns the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // TLS needs to be told its cryptography once; a second time is no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ExitCode::from(execute(arguments, &mut Out::stdout()))
}

/// The exit code as a number, for tests.
fn execute(arguments: impl IntoIterator<Item = OsString>, out: &mut Out) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // To a closed pipe it cannot be said; the code remains.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    match dispatch(cli.command, out).and_then(|()| out.flush()) {
        Ok(()) => 0,
        Err(failure) => failure.report(),
    }
}

fn dispatch(command: Command, out: &mut Out) -> Outcome {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Migrate(migrate) => migrate.run(out),
        Command::Config => out.text(crate::config::DEFAULTS),
        Command::Apply(apply) => client(apply.run(out)),
        Command::Export(export) => client(export.run(out)),
        Command::Import(import) => client(import.run(out)),
        Command::Schema(schema) => client(schema.run(out)),
        Command::Get(get) => client(get.run(out)),
        Command::List(list) => client(list.run(out)),
        Command::Delete(delete) => client(delete.run(out)),
        Command::Undelete(undelete) => client(undelete.run(out)),
        Command::Activate(activate) => client(activate.run(out)),
        Command::Suspend(suspend) => client(suspend.run(out)),
        Command::Retire(retire) => client(retire.run(out)),
        Command::Trace(trace) => client(trace.run(out)),
        Command::Diff(diff) => client(diff.run(out)),
        Command::History(history) => client(history.run(out)),
        Command::Assess(assess) => client(assess.run(out)),
        Command::Claims(claims) => client(claims.run(out)),
        Command::Simulate(simulate) => client(simulate.run(out)),
        Command::Paper(paper) => client(paper.run(out)),
        Command::Page(page) => client(page.run(out)),
        Command::Timeline(timeline) => client(timeline.run(out)),
        Command::Notice(notice) => client(notice.run(out)),
        Command::Objections(objections) => client(objections.run(out)),
        Command::Subscriptions(subscriptions) => client(subscriptions.run(out)),
        Command::Deliveries(deliveries) => client(deliveries.run(out)),
        Command::Customers(customers) => client(customers.run(out)),
        Command::Findings(findings) => client(findings.run(out)),
        Command::Resolve(resolve) => client(resolve.run(out)),
        Command::Watch(watch) => client(watch.run(out)),
        Command::Verify(verify) => client(verify.run(out)),
        Command::Erase(erase) => client(erase.run(out)),
        Command::Health(health) => client(health.run(out)),
        Command::Version => out.line(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"))),
        Command::Completions { shell } => {
            // The generator panics where it cannot write, so it writes to memory.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut script);
            out.bytes(&script)
        }
        Command::Man { directory } => std::fs::create_dir_all(&directory)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &directory))
            .map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                    Failure::Failed(format!("{} is no directory", directory.display()))
                }
                _ => Failure::Failed(format!("{}: {error}", directory.display())),
            }),
    }
}

/// Runs a client command: one thread is enough for it.
fn client(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Failed(format!("cannot start: {error}")))?.block_on(command)
}

#[cfg(test)]
mod tests;

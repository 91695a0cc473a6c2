//! The load bench: a server in a process of its own, on SQLite and on PostgreSQL, at several sizes; clients over several
//! HTTP/2 connections that ask for keys all over the registry and check every answer. `benches/README.md` says how to
//! run it and how to read what it prints.
//!
//! It is a bench only for who runs it as one: `cargo test` and the like get nothing.

#![allow(missing_docs, unreachable_pub, clippy::print_stdout, clippy::print_stderr)] // Nobody imports it, and it prints.
#![allow(clippy::indexing_slicing, clippy::cast_precision_loss, clippy::cast_possible_truncation)]

mod bulk;
mod counters;
mod data;
mod drive;
mod operations;
mod place;
mod seed;
mod server;
mod table;
mod watch;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Parser, ValueEnum};

use counters::{Counter, Instructions};
use data::Space;
use drive::{Meter, Plan};
use operations::{Operation, Scene};
use place::{Database, Place, Shelf};
use server::Server;
use table::Line;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Requests of which instructions are counted.
const COUNTED: u32 = 100;
/// What counting them may take for one line of the table.
const COUNTING: Duration = Duration::from_secs(15);

/// The load bench.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Arguments {
    /// Subprocessors in the registry, each a run of its own; 100 at least.
    #[arg(long, value_delimiter = ',', default_value = "100,100000")]
    rows: Vec<usize>,
    /// Which databases.
    #[arg(long, value_delimiter = ',', default_value = "sqlite")]
    database: Vec<Database>,
    /// How long each line of the table is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// HTTP/2 connections.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Requests in progress on each connection.
    #[arg(long, default_value_t = 4)]
    streams: usize,
    /// Only these.
    #[arg(long, value_delimiter = ',')]
    operations: Vec<Operation>,
    /// By what instructions are counted.
    #[arg(long, default_value = "auto")]
    instructions: Instructions,
    /// Where filled databases are kept.
    #[arg(long, default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/load"))]
    folder: PathBuf,
    /// Any database of the PostgreSQL cluster in which databases are made.
    #[arg(long, env = "REGISTRY_BENCH_POSTGRES_URL")]
    postgres: Option<String>,
    /// Print the table as Markdown.
    #[arg(long)]
    markdown: bool,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("load: not run as a bench (cargo bench --bench load)");
        return ExitCode::SUCCESS;
    }
    match bench(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(arguments: Arguments) -> Result<()> {
    let (instructions, why) = arguments.instructions.settle()?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let build = if cfg!(debug_assertions) { "debug: figures mean nothing" } else { "release" };
    println!(
        "build: {build}; {cores} cores for server, database and clients; load average before: {}",
        load.split(' ').take(3).collect::<Vec<_>>().join(" ")
    );
    println!("instructions: {why}");
    let mut lines = Vec::new();
    for rows in &arguments.rows {
        let space = Arc::new(Space::new(*rows)?);
        for database in &arguments.database {
            lines.extend(run(&arguments, instructions, *database, &space).await?);
        }
    }
    println!("{}", table::render(&mut lines, arguments.markdown));
    Ok(())
}

/// What is measured, in this order: what changes the registry comes last.
fn operations(arguments: &Arguments) -> Vec<(Operation, usize, usize)> {
    let (connections, streams) = (arguments.connections.max(1), arguments.streams.max(1));
    let wanted = |operation: &Operation| arguments.operations.is_empty() || arguments.operations.contains(operation);
    let mut reads = vec![];
    let mut writes = vec![];
    for operation in Operation::value_variants().iter().copied().filter(wanted) {
        match operation {
            Operation::Create => {
                // Alone, as many as otherwise, and so many that they share commits.
                writes.extend([
                    (operation, 1, 1),
                    (operation, connections, streams),
                    (operation, connections, streams * 4),
                ]);
            }
            Operation::WatchLive => writes.push((operation, connections, 1)),
            Operation::Get | Operation::List => {
                reads.extend([(operation, 1, 1), (operation, connections, streams)]);
            }
            _ => reads.push((operation, connections, streams)),
        }
    }
    reads.extend(writes);
    reads.dedup();
    reads
}

/// All lines of one database at one size.
async fn run(
    arguments: &Arguments,
    instructions: Instructions,
    database: Database,
    space: &Arc<Space>,
) -> Result<Vec<Line>> {
    let shelf = Shelf { folder: arguments.folder.clone(), postgres: arguments.postgres.clone() };
    let place = Place::ready(&shelf, database, space).await?;
    eprintln!("{}, {} rows", database.name(), space.rows);
    let folder = arguments.folder.join(format!("server-{}-{}", database.name().to_lowercase(), space.rows));
    let scene = Arc::new(Scene::new(Arc::clone(space)));
    let mut lines = measure(arguments, database, &scene, &place, &folder).await?;
    if !matches!(instructions, Instructions::Off | Instructions::Auto) {
        count(instructions, &scene, &place, &folder, &mut lines).await?;
    }
    place.leave().await?;
    Ok(lines)
}

async fn measure(
    arguments: &Arguments,
    database: Database,
    scene: &Arc<Scene>,
    place: &Place,
    folder: &Path,
) -> Result<Vec<Line>> {
    let postmaster = match database {
        Database::Sqlite => None,
        Database::Postgres => place::postmaster(&place.url).await?,
    };
    let server = Server::start(&place.url, folder, None).await?;
    let meter = Meter { server: server.pid(), postmaster };
    let mut lines = Vec::new();
    for (operation, connections, streams) in operations(arguments) {
        let channels = server.connect(connections).await?;
        let measure = Duration::from_secs(arguments.seconds.max(1));
        let plan = Plan { streams, warm: Duration::from_secs(1), measure };
        let measured = match operation {
            Operation::WatchLive => watch::live(scene, &channels, &plan, &meter).await?,
            _ => drive::run(scene, operation, &channels, &plan, &meter).await?,
        };
        let (rows, resident) = (scene.space.rows, counters::resident(server.pid())?);
        let line = Line { database, rows, operation, connections, streams, measured, instructions: None, resident };
        eprintln!("{}", line.brief());
        lines.push(line);
    }
    server.stop().await?;
    Ok(lines)
}

/// Counts instructions for each line, on a server of its own: what counts them slows it down.
async fn count(by: Instructions, scene: &Arc<Scene>, place: &Place, folder: &Path, lines: &mut [Line]) -> Result<()> {
    let server = Server::start(&place.url, folder, Some(by)).await?;
    for line in lines.iter_mut().filter(|line| line.operation != Operation::WatchLive) {
        let channels = server.connect(line.connections).await?;
        let warm = u32::try_from(line.connections * line.streams)?.max(10);
        drive::repeat(scene, line.operation, &channels, line.streams, warm, COUNTING).await?;
        let times = COUNTED.max(warm * 2);
        let Some(counter) = Counter::start(by, server.pid(), folder)? else { break };
        let asked = drive::repeat(scene, line.operation, &channels, line.streams, times, COUNTING).await?;
        let counted = counter.stop()?;
        line.instructions = counted.checked_div(asked);
        eprintln!("  {}: {:?} instructions", line.operation.title(), line.instructions);
    }
    server.stop().await
}

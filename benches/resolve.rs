//! How fast names are resolved: `cargo bench --bench resolve`. Prints one table. The target (200 vendors, 10,000 names,
//! two seconds) is asserted.

#![allow(clippy::expect_used, clippy::panic, missing_docs)] // A bench fails by panicking.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use subprocessor_registry::{
    catalog::Catalog,
    config::{Flags, Settings},
    proto::v1::{Entity, ResolveVendorsRequest, Vendor, vendor_service_client::VendorServiceClient},
    rules::vendor_name::{Index, MATCH},
    run,
};

/// Names in one request at most.
const NAMES: usize = 10_000;
/// What 10,000 names against the built-in vendors may take.
const TARGET: Duration = Duration::from_secs(2);

/// Names of vendors as lists write them, and of strangers.
fn names(vendors: &[Vendor]) -> Vec<String> {
    let texts: Vec<&str> = vendors
        .iter()
        .flat_map(|v| {
            let legal = v.entities.iter().map(|e| e.legal_name.as_str());
            legal.chain(v.aliases.iter().map(String::as_str)).chain([v.display_name.as_str()])
        })
        .collect();
    let text = |i: usize| texts.get(i % texts.len()).copied().unwrap_or_default();
    let name = |i: usize| match i % 8 {
        0 => text(i).to_owned(),
        1 => format!("{} GmbH", text(i)),
        2 => format!("{} (formerly {})", text(i), text(i + 1)),
        3 => {
            let (head, tail) = text(i).split_at(text(i).len() / 2);
            format!("{head}{}", tail.get(1..).unwrap_or(tail))
        }
        4 => format!("{}, {} and {}", text(i), text(i + 7), text(i + 13)),
        5 => format!("Unheard of {i} Ltd d/b/a Nobody {i}"),
        6 => format!("{} Germany ** [{}]", text(i), i % 10),
        _ => format!("Stranger{i} Holdings"),
    };
    (0..NAMES).map(name).collect()
}

/// Operators' own vendors.
fn own(count: usize) -> Vec<Vendor> {
    const SYLLABLES: [&str; 16] =
        ["ba", "cor", "del", "fin", "gra", "hol", "ix", "jan", "kel", "lum", "mer", "nor", "pol", "quo", "ras", "tev"];
    let word = |mut n: usize| {
        let mut word = String::new();
        for _ in 0..4 {
            word.push_str(SYLLABLES.get(n % SYLLABLES.len()).copied().unwrap_or_default());
            n /= SYLLABLES.len();
        }
        word
    };
    let vendor = |n: usize| Vendor {
        name: format!("vendors/own-{n}"),
        display_name: format!("{} {}", word(n), word(n * 31 + 7)),
        entities: vec![Entity {
            entity_id: "inc".into(),
            legal_name: format!("{} {}, Inc.", word(n), word(n * 31 + 7)),
            ..Default::default()
        }],
        aliases: vec![word(n * 17 + 3)],
        website_uri: format!("https://{}{n}.example", word(n)),
        ..Default::default()
    };
    (0..count).map(vendor).collect()
}

fn row(what: &str, vendors: usize, built: Duration, names: usize, took: Duration, matched: usize) {
    let per_second = names as f64 / took.as_secs_f64();
    println!(
        "{what:<28} {vendors:>8} {:>10.3} {names:>8} {:>10.3} {per_second:>12.0} {matched:>8}",
        built.as_secs_f64(),
        took.as_secs_f64()
    );
}

/// The best of three runs: others use the machine too.
const RUNS: usize = 3;

fn build(vendors: &[Vendor]) -> (Index, Duration) {
    let start = Instant::now();
    let index = Index::of(vendors);
    (index, start.elapsed())
}

fn measure(what: &str, vendors: usize, (index, built): &(Index, Duration), names: &[String]) -> Duration {
    let mut best = Duration::MAX;
    let mut matched = 0;
    for _ in 0..RUNS {
        let start = Instant::now();
        let found: Vec<_> = names.iter().map(|name| index.resolve(black_box(name), 5)).collect();
        best = best.min(start.elapsed());
        matched = found.iter().filter(|matches| matches.first().is_some_and(|best| best.score >= MATCH)).count();
    }
    row(what, vendors, *built, names.len(), best, matched);
    best
}

/// The same through the server, embedded database included: the first call builds the index.
async fn end_to_end(names: Vec<String>) -> Duration {
    let folder = tempfile::TempDir::new().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("registry.db").display());
    let environment =
        [("SUBPROCESSOR_REGISTRY__SERVER__LISTEN", "127.0.0.1:0"), ("SUBPROCESSOR_REGISTRY__DATABASE__URL", &url)];
    let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let settings = Settings::load(&Flags::default(), &environment).expect("settings");
    let server = run::bind(&settings).await.expect("a server");
    let address = format!("http://{}", server.local_addr());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    let mut client = VendorServiceClient::connect(address).await.expect("a client");
    let mut best = Duration::MAX;
    for what in ["end to end, first call", "end to end", "end to end", "end to end"] {
        let request = ResolveVendorsRequest { names: names.clone(), ..Default::default() };
        let start = Instant::now();
        let answer = client.resolve_vendors(request).await.expect("resolved").into_inner();
        let took = start.elapsed();
        let found = answer.results.iter().filter_map(|result| result.matches.first());
        row(what, 200, Duration::ZERO, answer.results.len(), took, found.filter(|best| best.score >= MATCH).count());
        best = best.min(took);
    }
    let _ = stop.send(());
    running.await.expect("joined").expect("served");
    best
}

fn main() {
    let catalog = Catalog::builtin().expect("a catalog").vendors;
    let names = names(&catalog);
    println!(
        "{:<28} {:>8} {:>10} {:>8} {:>10} {:>12} {:>8}",
        "", "vendors", "built, s", "names", "took, s", "names/s", "matched"
    );
    let mut slowest = measure("the built-in catalog", catalog.len(), &build(&catalog), &names);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    slowest = slowest.max(runtime.block_on(end_to_end(names.clone())));
    let many: Vec<Vendor> = catalog.iter().cloned().chain(own(100_000)).collect();
    let large = build(&many);
    measure("and 100,000 of operators", many.len(), &large, &names);
    for (what, text) in [
        ("1,024 letters", "x".repeat(1_024)),
        ("512 names in a cell", "a,".repeat(512)),
        ("340 joined names", "a& ".repeat(340)),
        ("1,024 brackets", "([".repeat(512)),
        ("512 pairs of brackets", "()".repeat(512)),
        ("204 vendors in a cell", "Wiz, ".repeat(204)),
        ("146 marks", "a by b ".repeat(146)),
    ] {
        let names = vec![text; 1_000];
        measure(what, many.len(), &large, &names);
    }
    assert!(slowest < TARGET, "10,000 names against 200 vendors took {slowest:?}");
}

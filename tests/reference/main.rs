//! The pages of `docs/reference`, made from the code they describe, so that they cannot say anything else than it does.
//!
//! `cargo test --test reference` fails when a page is not what the code gives now; `make reference` writes the pages.
//! A new page is a function that returns its text, and a line in [`PAGES`].

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)] // A test fails by panicking.
#![allow(missing_docs)] // A test binary has no public items.

mod commands;
mod configuration;
mod contract;
mod errors;
mod events;
mod instruments;
mod markdown;
mod methods;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The name of a page's file, and what makes its text.
type Page = (&'static str, fn() -> String);

const PAGES: [Page; 6] = [
    ("commands", commands::page),
    ("configuration", configuration::page),
    ("errors", errors::page),
    ("events", events::page),
    ("instruments", instruments::page),
    ("methods", methods::page),
];

const MADE: &str = "<!-- Made from the code by `make reference`. What is changed here by hand is lost. -->";

#[test]
fn the_reference_is_what_the_code_says() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/reference");
    let write = env::var_os("REGISTRY_WRITE_REFERENCE").is_some();
    // A page that nothing makes any more would go on saying what was.
    let mut stale: Vec<String> = pages_in(&directory)
        .into_iter()
        .filter(|found| PAGES.iter().all(|(name, _)| name != found))
        .map(|orphan| format!("docs/reference/{orphan}.md: nothing makes it, remove it"))
        .collect();
    for (name, make) in PAGES {
        let path = directory.join(name).with_extension("md");
        let text = format!("{MADE}\n\n{}\n", make().trim_end());
        if write {
            fs::write(&path, &text).unwrap();
        } else if let Some(line) = first_difference(&fs::read_to_string(&path).unwrap_or_default(), &text) {
            stale.push(format!("docs/reference/{name}.md:{line}"));
        }
    }
    assert!(stale.is_empty(), "not what the code says, run `make reference`:\n{}", stale.join("\n"));
}

/// The names of the pages that are there.
fn pages_in(directory: &Path) -> Vec<String> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// The number of the first line that differs.
fn first_difference(left: &str, right: &str) -> Option<usize> {
    if left == right {
        return None;
    }
    let same = left.split('\n').zip(right.split('\n')).take_while(|(left, right)| left == right).count();
    Some(same + 1)
}

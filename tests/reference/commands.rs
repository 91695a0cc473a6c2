//! `commands.md`: what `-h` says of every command, asked of the binary.

use std::process::Command;

use crate::markdown::anchor;

const BINARY: &str = env!("CARGO_BIN_EXE_subprocessor-registry");
const NAME: &str = "subprocessor-registry";

pub(crate) fn page() -> String {
    let help = help(&[]);
    let commands: Vec<String> = below(&help);
    let links: Vec<String> = commands.iter().map(|one| format!("[{one}](#{})", anchor(one))).collect();
    let mut page = format!(
        "# Commands\n\n`{NAME} COMMAND --help` says more than these summaries. {}\n\n```text\n{help}```\n",
        links.join(" · ")
    );
    for one in &commands {
        describe(&[one], &mut page);
    }
    page
}

fn describe(path: &[&str], page: &mut String) {
    let help = help(path);
    *page += &format!("\n{} {}\n\n```text\n{help}```\n", "#".repeat(path.len() + 1), path.join(" "));
    for one in below(&help) {
        describe(&[path, &[one.as_str()]].concat(), page);
    }
}

/// The commands that a help lists, but for `help` itself.
fn below(help: &str) -> Vec<String> {
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = listed.lines().take_while(|line| line.starts_with("  "));
    // A summary that goes on in the next line is indented further.
    let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn help(path: &[&str]) -> String {
    let output = Command::new(BINARY).args(path).arg("-h").env("COLUMNS", "100").output().unwrap();
    assert!(output.status.success(), "{path:?} -h: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

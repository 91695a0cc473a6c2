//! `configuration.md`: every setting, from the file of defaults that `subprocessor-registry config` prints.

use subprocessor_registry::config::DEFAULTS;

use crate::markdown::{code, table};

const HEAD: &str = "\
# Configuration

A setting is taken from the last of these that has it: the defaults below, the file named by `--config`, the environment,
flags. In the environment `listen` of `[server]` is `SUBPROCESSOR_REGISTRY__SERVER__LISTEN`. A setting that does not exist
and a value that cannot be used stop the start. `subprocessor-registry config` prints the same as a file to begin with.
";

/// Keys that stand under one comment, with their defaults.
#[derive(Default)]
struct Group {
    comment: Vec<&'static str>,
    keys: Vec<(&'static str, &'static str)>,
}

pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    let (_, sections) = DEFAULTS.split_once("\n[").expect("there are sections");
    for section in sections.split("\n[") {
        let (name, body) = section.split_once("]\n").expect("a section's name stands in brackets");
        let rows = groups(body).into_iter().map(|group| {
            let each = |side: fn(&(&'static str, &'static str)) -> &'static str| {
                group.keys.iter().map(|key| code(side(key))).collect::<Vec<_>>().join("<br>")
            };
            [each(|(key, _)| key), each(|(_, default)| default), group.comment.join(" ")]
        });
        page += &format!("\n## `[{name}]`\n\n{}", table(["Setting", "Default", "Meaning"], rows));
    }
    page
}

fn groups(body: &'static str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for line in body.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            if groups.last().is_none_or(|group| !group.keys.is_empty()) {
                groups.push(Group::default());
            }
            groups.last_mut().expect("just made").comment.push(comment);
        } else {
            let key = line.split_once(" = ").unwrap_or_else(|| panic!("neither a comment nor a setting: {line}"));
            groups.last_mut().unwrap_or_else(|| panic!("nothing is said of {}", key.0)).keys.push(key);
        }
    }
    groups
}

//! `notice` and `objections`, against the fake.

use super::*;
use crate::proto::v1::{notice_change::Kind, objection::Outcome as Ended};

const NOTICE: &str = "organizations/a/notices/n";

#[test]
fn what_cannot_be_understood_of_notices_is_usage() {
    for line in [
        "notice",
        "notice nothing",
        "notice preview",
        "notice preview n --file f --organization a",
        "notice preview --file f",
        "notice preview n --at then",
        "notice create f",
        "notice withdraw n",
        "notice deliver n c --kind LOST --evidence x",
        "notice evidence n --format pdf",
        "notice status n --as-of then",
        "objections lodge n c",
        "objections resolve o --outcome BORED",
        "list vendors --customer c",
        "get vendors/v --customer c",
    ] {
        assert_eq!(run(line).0, 2, "{line}");
    }
}

#[test]
fn a_notice_is_read_from_a_file_and_what_is_wrong_is_said_by_its_line() {
    let server = fake::Running::start();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notice.yaml");
    let file = path.display().to_string();
    let write = |text: &str| std::fs::write(&path, text).expect("a file");
    write(
        "id: n\ntitle: A new host\nrequested_effective_time: 2026-05-01T00:00:00Z\nchanges:\n  - kind: CHANGE_PURPOSE\n    \
         subprocessor: organizations/a/subprocessors/s\n    proposed: {purposes: [Hosting]}\n    \
         update_mask: purposes, service_description\n",
    );
    let (code, text) = against(&server, &format!("notice create {file} --organization a"));
    assert_eq!((code, text.as_str()), (0, "organizations/a/notices/n: DRAFT, revision 7\n"));
    let (_, text) = against(&server, &format!("notice create {file} --organization organizations/a --id m --dry-run"));
    assert_eq!(text, "organizations/a/notices/n: would be DRAFT\n");
    let created = server.seen().told.created;
    let [first, second] = created.as_slice() else { panic!("{created:?}") };
    assert_eq!((first.parent.as_str(), first.notice_id.as_str(), first.validate_only), ("organizations/a", "n", false));
    assert!(!first.request_id.is_empty());
    assert_eq!(
        (second.parent.as_str(), second.notice_id.as_str(), second.validate_only),
        ("organizations/a", "m", true)
    );
    let read = first.notice.as_ref().expect("a notice");
    assert!(read.requested_effective_time.is_some() && read.name.is_empty());
    let change = read.changes.first().expect("a change");
    assert_eq!(change.kind(), Kind::ChangePurpose);
    assert_eq!(change.proposed.as_ref().map(|one| one.purposes.clone()), Some(vec!["Hosting".to_owned()]));
    assert_eq!(change.update_mask.as_ref().map(|mask| mask.paths.len()), Some(2));

    let lines = |text: &str| {
        write(text);
        let line =
            format!("subprocessor-registry notice create {file} --organization a --endpoint {}", server.endpoint);
        let cli = Cli::try_parse_from(line.split_whitespace()).expect("a command");
        match dispatch(cli.command, &mut Out::to(Kept::default())) {
            Err(Failure::Located(lines)) => lines.iter().map(|line| line.replace(&file, "F")).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    // By the reader, and by the server.
    let wrong = lines("titles: x\nstate: DRAFT\nchanges:\n  - kind: NOTHING\n    subprocessor: s\n");
    assert_eq!(wrong.len(), 4, "{wrong:?}");
    assert!(
        wrong.iter().any(|line| line == "F:1: notice.titles: there is no \"titles\" here; did you mean \"title\"?"),
        "{wrong:?}"
    );
    assert!(
        wrong.iter().any(|line| line.starts_with("F:4: notice.changes[0].kind: expects one of ADD, REPLACE")),
        "{wrong:?}"
    );
    let wrong = lines("title: bad\nchanges:\n  - kind: REMOVE\n    subprocessor: s\n");
    assert_eq!(wrong, ["F:4: notice.changes[0].subprocessor: does not exist"]);
    assert_eq!(lines("[]").len(), 1);
    assert_eq!(against(&server, "notice create /nowhere/at/all --organization a").0, 1);
}

#[test]
fn a_notice_is_previewed_page_by_page_and_goes_its_way() {
    let server = fake::Running::start();
    let (code, text) = against(&server, &format!("notice preview {NOTICE} --at 2026-04-01"));
    assert_eq!(code, 0);
    for said in ["customers/y", "customers/z", "c1", "2026-03-23T10:00:00Z", "reaches 2 customers, held back from 1 if"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    let previewed = server.seen().told.previewed;
    assert!(previewed.iter().all(|one| one.publish_time.is_some() && one.name == NOTICE));
    assert_eq!(previewed.last().map(|one| one.page_token.as_str()), Some("more"));
    for (line, said) in [
        ("approve", "APPROVED, revision 7"),
        ("publish", "PUBLISHED, revision 7\n  reaches 700 customers\n"),
        ("publish --dry-run", "would be PUBLISHED"),
        ("withdraw --reason no --change c1 --change c2", "WITHDRAWN, revision 7"),
    ] {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (code, text) = against(&server, &format!("notice {command} {NOTICE} {rest}"));
        assert!(code == 0 && text.contains(said), "{line}: {text}");
    }
    let withdrawn = server.seen().told.withdrawn;
    assert_eq!((withdrawn[0].change_ids.len(), withdrawn[0].reason.as_str()), (2, "no"));
}

#[test]
fn where_a_notice_stands_is_shown_with_all_its_recipients() {
    let server = fake::Running::start();
    let (code, text) = against(&server, &format!("notice status {NOTICE}"));
    assert_eq!(code, 0);
    assert!(
        text.contains("A new host") && text.contains("r699") && text.contains("700 recipients, revision 7"),
        "{text}"
    );
    assert_eq!(text.matches("PENDING").count(), fake::RECIPIENTS);
    assert_eq!(server.seen().told.lists.len(), 2);
    let (_, text) = against(&server, &format!("notice status {NOTICE} -o json --as-of 3"));
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (value["notice"]["state"].as_str(), value["recipients"].as_array().map(Vec::len)),
        (Some("PUBLISHED"), Some(700))
    );
    assert!(server.seen().told.lists.last().is_some_and(|list| list.as_of.is_some()));

    assert_eq!(against(&server, &format!("notice evidence {NOTICE}")), (0, "evidence in format 1\n".to_owned()));
    let (_, text) = against(
        &server,
        &format!("notice evidence {NOTICE} --format html --customer r1 --customer organizations/a/customers/r2"),
    );
    assert_eq!(text, "evidence in format 2\n");
    let asked = server.seen().told.evidence.pop().expect("asked");
    assert_eq!(asked.customers, ["organizations/a/customers/r1", "organizations/a/customers/r2"]);
}

#[test]
fn what_customers_say_is_recorded() {
    let server = fake::Running::start();
    for line in [
        "ack N r1 --at 2026-03-23",
        "authorize N r1 --change c1",
        "deny N r1 --note no",
        "deliver N r1 --kind bounced --evidence m-1 --at 2026-03-23T10:00:00Z",
        "ask N r1 why --id q",
        "answer N r1 q because --mitigation none",
    ] {
        let (code, text) = against(&server, &format!("notice {}", line.replace('N', NOTICE)));
        assert!(code == 0 && text.contains("c1: PENDING, clear from 2026-03-23T10:00:00Z"), "{line}: {text}");
    }
    let seen = server.seen().told;
    assert_eq!((seen.delivered[0].kind, seen.delivered[0].customer.as_str()), (3, "organizations/a/customers/r1"));
    assert_eq!(seen.asked[0].question_id, "q");

    let (code, text) =
        against(&server, &format!("objections lodge {NOTICE} r1 --grounds reasons --change c1 --at 2026-03-23"));
    assert_eq!(
        (code, text.contains("OPEN, revision 8\n  against c1; blocks until it is resolved")),
        (0, true),
        "{text}"
    );
    let (_, text) =
        against(&server, &format!("objections resolve {NOTICE}/objections/o --outcome no_grounds --resolution none"));
    assert!(text.contains("o: CLOSED, NO_GROUNDS, revision 8"), "{text}");
    let (code, text) = against(&server, "objections a --open --customer r1");
    assert!(code == 0 && text.contains("OPEN") && text.contains("customers/r1"), "{text}");
    assert_eq!(against(&server, &format!("objections {NOTICE} -o yaml")).0, 0);
    assert_eq!(against(&server, "objections").0, 0);
    let seen = server.seen().told;
    assert_eq!((seen.lodged[0].parent.as_str(), seen.resolved[0].outcome()), (NOTICE, Ended::NoGrounds));
    let asked: Vec<(&str, &str)> =
        seen.objections.iter().map(|one| (one.parent.as_str(), one.filter.as_str())).collect();
    assert_eq!(
        asked,
        [
            ("organizations/a/notices/-", "state = OPEN AND customer = \"organizations/a/customers/r1\""),
            (NOTICE, ""),
            ("organizations/-/notices/-", "")
        ]
    );
}

use super::*;
use crate::notify::email::contents::{Change, Confirmation, Notice};

fn with(files: &[(&str, &str)]) -> Result<Templates> {
    let place = tempfile::tempdir().expect("a directory");
    for (name, source) in files {
        fs::write(place.path().join(name), source).expect("written");
    }
    Templates::new(Some(place.path()))
}

fn refused(files: &[(&str, &str)]) -> String {
    with(files).err().expect("these templates are refused").to_string()
}

fn about(contractual: bool) -> About {
    About {
        organization: "Acme".to_owned(),
        list_uri: "https://acme.example/subprocessors".to_owned(),
        contact: "privacy@acme.example".to_owned(),
        address: "dpo@customer.example".to_owned(),
        contractual,
        unsubscribe_uri: if contractual { String::new() } else { "https://registry.example/u?t=1&o=2".to_owned() },
    }
}

fn notice() -> Notice {
    Notice {
        title: "A new provider".to_owned(),
        changes: vec![Change {
            kind: "ADD".to_owned(),
            subprocessor: "Example Cloud".to_owned(),
            entity: "Example Cloud Inc.".to_owned(),
            purposes: vec!["Hosting".to_owned(), "Backups".to_owned()],
            locations: vec!["Ireland".to_owned()],
            takes_effect: "24 April 2026".to_owned(),
            object_by: "23 April 2026".to_owned(),
            ..Change::default()
        }],
        authorization: "GENERAL".to_owned(),
        ..Notice::default()
    }
}

#[test]
fn every_mail_has_a_subject_a_text_and_a_page_and_no_gaps() {
    let templates = Templates::new(None).expect("ours are good");
    for (about, content) in samples::all() {
        let mail = templates.render(&about, &content).expect("rendered");
        let kind = content.kind();
        assert!(
            mail.subject.contains(&about.organization) && !mail.subject.contains('\n'),
            "{kind:?}: {}",
            mail.subject
        );
        assert!(mail.text.starts_with("Good day,\n\n"), "{kind:?}: {}", mail.text);
        assert!(!mail.text.contains("\n\n\n"), "{kind:?} has two empty lines in a row:\n{}", mail.text);
        assert!(!mail.text.contains(" \n") && !mail.text.contains("{%"), "{kind:?}:\n{}", mail.text);
        assert!(mail.html.starts_with("<!doctype html>") && mail.html.contains("</html>"), "{kind:?}");
        assert!(!mail.text.contains("none") && !mail.text.contains("undefined"), "{kind:?}:\n{}", mail.text);
        for part in [&mail.text, &mail.html.replace("&#x2f;", "/")] {
            assert!(part.contains(&about.list_uri), "{kind:?}:\n{part}");
        }
    }
}

#[test]
fn a_notice_tells_what_from_when_until_when_and_how() {
    let templates = Templates::new(None).expect("ours are good");
    let mail = templates.render(&about(true), &Content::NoticePublished(notice())).expect("rendered");
    assert_eq!(mail.subject, "Acme: A new provider");
    for part in [&mail.text, &mail.html] {
        for said in [
            "A new provider",
            "Example Cloud Inc.",
            "Hosting; Backups",
            "Ireland",
            "24 April 2026",
            "23 April 2026",
            "answer this mail, and say why",
            "counts that as consent",
            "our agreement on the processing",
        ] {
            assert!(part.contains(said), "{said} is missing from {part}");
        }
        assert!(!part.contains("nsubscribe"), "a contractual notice offers none: {part}");
        assert!(!part.contains("In place of") && !part.contains("could not wait"), "{part}");
    }
    let specific = Notice {
        authorization: "SPECIFIC".to_owned(),
        object_uri: "https://registry.example/o?a=1&b=2".to_owned(),
        reason: "It burned down.".to_owned(),
        ..notice()
    };
    let mail = templates.render(&about(false), &Content::NoticePublished(specific.clone())).expect("rendered");
    assert!(mail.text.contains("https://registry.example/o?a=1&b=2") && mail.text.contains("counts that as refusal"));
    assert!(mail.html.contains("href=\"https:&#x2f;&#x2f;registry.example&#x2f;o?a=1&amp;b=2\""), "{}", mail.html);
    assert!(mail.text.contains("To unsubscribe: https://registry.example/u?t=1&o=2"), "{}", mail.text);
    assert!(mail.text.contains("could not wait for the usual period: It burned down."));
    let silent =
        Notice { changes: vec![Change { object_by: String::new(), ..notice().changes.remove(0) }], ..specific };
    let mail = templates.render(&about(true), &Content::NoticePublished(silent)).expect("rendered");
    assert!(!mail.text.contains("object"), "who has no right to object is not told of one: {}", mail.text);
}

#[test]
fn what_others_wrote_is_text_in_a_page_and_a_line_in_a_subject() {
    let hostile = "<script>alert(1)</script> & \"quoted\" {{ about }} {% include 'x' %}";
    let mut notice =
        Notice { title: format!("{hostile}\r\nBcc: x@evil.example"), body: hostile.to_owned(), ..notice() };
    notice.changes[0].subprocessor = hostile.to_owned();
    notice.object_uri = "https://x.example/\" onmouseover=\"alert(1)".to_owned();
    let mail = Templates::new(None)
        .and_then(|templates| templates.render(&about(true), &Content::NoticePublished(notice)))
        .expect("rendered");
    assert!(!mail.html.contains("<script") && !mail.html.contains("\" onmouseover"), "{}", mail.html);
    assert!(mail.text.contains(hostile), "a text needs no escapes: {}", mail.text);
    assert_eq!(mail.subject, format!("Acme: {hostile}"));
}

#[test]
fn an_operator_replaces_one_template_or_all() {
    let templates = with(&[
        (
            "confirm_subscription.txt",
            "Subject: Bitte bestätigen\n\nHallo, {{ confirm_uri }}\n{% include \"footer.txt\" %}",
        ),
        ("footer.txt", "-- {{ about.organization }}\n"),
        (".hidden", "{% nonsense"),
    ])
    .expect("good templates");
    let confirmation = Confirmation { confirm_uri: "https://registry.example/c".to_owned() };
    let mail = templates.render(&about(false), &Content::ConfirmSubscription(confirmation)).expect("rendered");
    assert_eq!(mail.subject, "Bitte bestätigen");
    assert_eq!(mail.text, "Hallo, https://registry.example/c\n-- Acme\n");
    assert!(mail.html.contains("Please confirm your subscription"), "the others stay");
}

#[test]
fn what_is_wrong_with_a_template_is_said_with_its_file_and_line_all_at_once() {
    for (source, says) in [
        ("Subject: x\n\n{{ titel }}\n", "test.txt line 3"),
        ("Subject: x\n\n{{ about.organisation }}\n", "test.txt line 3"),
        ("Subject: x\n\n\n{% if %}\n", "test.txt line 4"),
        ("Subject: x\n\n{{ time | nonsense }}\n", "test.txt line 3"),
        ("Subject: x\n\n{% include \"other.txt\" %}\n", "test.txt line 3"),
        ("Subject: x\n\n{% include \"/etc/passwd\" %}\n", "test.txt line 3"),
        ("Subject: x\n\n{% include \"test.txt\" %}\n", "test.txt line 3"),
        ("Subject: x\n\n{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}\n", "fuel"),
        ("Hello\n", "test.txt line 1"),
        ("Subject:\n\nHello\n", "test.txt line 1"),
        ("Subject: x\n", "test.txt line 1"),
        ("", "test.txt line 1"),
    ] {
        let error = refused(&[("test.txt", source)]);
        assert!(error.contains("email.templates_dir") && error.contains(says), "{source}: {error}");
    }
    let error = refused(&[("test.txt", "{% if %}"), ("layout.html", "{{"), ("tset.html", "x")]);
    for says in ["test.txt line 1", "layout.html line 1", "tset.html: no mail has a template of this name"] {
        assert!(error.contains(says), "{says} is missing from {error}");
    }
    let large = "x".repeat(300 * 1024);
    assert!(refused(&[("test.html", &large)]).contains("test.html: has more than 262144 bytes"));
    let error = Templates::new(Some(Path::new("/nowhere/at/all"))).err().expect("refused").to_string();
    assert!(error.contains("/nowhere/at/all"), "{error}");
}

#[test]
fn a_thousand_changes_are_not_too_many() {
    let change = Change { purposes: vec!["Hosting".to_owned(); 20], ..notice().changes.remove(0) };
    let notice = Notice { changes: vec![change; 1000], ..notice() };
    let templates = Templates::new(None).expect("ours are good");
    assert!(templates.render(&about(true), &Content::NoticePublished(notice)).is_ok());
}

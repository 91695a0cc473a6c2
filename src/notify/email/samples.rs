//! Made-up contents with which templates are tried: for each mail one that has everything, and one that has nothing but
//! what must be.

use super::contents::{About, Change, Confirmation, Content, Difference, ListChange, Notice, Test};

/// The kinds of a change, as the contract has them.
const KINDS: [&str; 9] = [
    "ADD",
    "REPLACE",
    "REMOVE",
    "CHANGE_PURPOSE",
    "CHANGE_LOCATION",
    "CHANGE_DATA",
    "CHANGE_SCOPE",
    "CHANGE_MECHANISM",
    "RENAME",
];

/// Every mail, with everything, in each of its ways; then with nothing.
pub(super) fn all() -> Vec<(About, Content)> {
    let full = KINDS.map(full_change).to_vec();
    let bare = vec![Change { kind: "ADD".to_owned(), subprocessor: "Example Cloud".to_owned(), ..Change::default() }];
    let notice = full_notice(full.clone());
    let silent = Notice { authorization: "SPECIFIC".to_owned(), object_uri: String::new(), ..notice.clone() };
    let plain = Notice { title: "A change".to_owned(), changes: bare.clone(), ..Notice::default() };
    let confirmation = Confirmation { confirm_uri: "https://registry.example/confirm?token=a&b=c".to_owned() };
    let contents = [
        (Content::NoticePublished(notice.clone()), Content::NoticePublished(plain.clone())),
        (Content::NoticePublished(silent), Content::NoticePublished(plain.clone())),
        (Content::NoticeWithdrawn(notice.clone()), Content::NoticeWithdrawn(plain.clone())),
        (Content::NoticeEffective(notice), Content::NoticeEffective(plain)),
        (
            Content::ListChanged(ListChange { date: "24 March 2026".to_owned(), changes: full }),
            Content::ListChanged(ListChange { date: String::new(), changes: bare }),
        ),
        (Content::ConfirmSubscription(confirmation.clone()), Content::ConfirmSubscription(confirmation)),
        (Content::Test(Test { time: "24 March 2026, 12:00 (UTC)".to_owned() }), Content::Test(Test::default())),
    ];
    let mut all = Vec::new();
    for (full, bare) in contents {
        for contractual in [true, false] {
            all.push((full_about(contractual), full.clone()));
        }
        let about = About {
            organization: "Example GmbH".to_owned(),
            address: "dpo@customer.example".to_owned(),
            ..About::default()
        };
        all.push((about, bare));
    }
    all
}

fn full_about(contractual: bool) -> About {
    let unsubscribe = if contractual { "" } else { "https://registry.example/unsubscribe?token=a&b=c" };
    About {
        organization: "Example & Söhne GmbH".to_owned(),
        list_uri: "https://example.com/subprocessors".to_owned(),
        contact: "privacy@example.com".to_owned(),
        address: "dpo@customer.example".to_owned(),
        contractual,
        unsubscribe_uri: unsubscribe.to_owned(),
    }
}

fn full_notice(changes: Vec<Change>) -> Notice {
    Notice {
        title: "A <new> provider of hosting & support".to_owned(),
        body: "We are moving to a second region.\n\nNothing changes in what the data is used for.".to_owned(),
        notice_uri: "https://example.com/notices/2026-1".to_owned(),
        changes,
        reason: "The provider has stopped its service.".to_owned(),
        object_uri: "https://registry.example/notices/2026-1/object?token=a&b=c".to_owned(),
        authorization: "GENERAL".to_owned(),
    }
}

fn full_change(kind: &str) -> Change {
    Change {
        kind: kind.to_owned(),
        subprocessor: "Example Cloud".to_owned(),
        differences: vec![Difference {
            key: "locations".to_owned(),
            heading: "Where data is processed".to_owned(),
            before: vec!["Germany".to_owned()],
            after: vec!["Germany".to_owned(), "Ireland".to_owned()],
        }],
        entity: "Example Cloud EMEA SARL, Luxembourg".to_owned(),
        purposes: vec!["Hosting".to_owned(), "Backups".to_owned()],
        products: vec!["Example Desk".to_owned()],
        condition: "only if you enable backups".to_owned(),
        locations: vec!["Germany".to_owned(), "Ireland".to_owned()],
        data: vec!["Contact data".to_owned(), "Usage data".to_owned()],
        special_data: vec!["Health data".to_owned()],
        transfer: "EU-US Data Privacy Framework; standard contractual clauses behind it".to_owned(),
        replaces: vec!["Old Cloud".to_owned()],
        takes_effect: "24 April 2026".to_owned(),
        not_before: "24 April 2026".to_owned(),
        object_by: "23 April 2026, 24:00 (Europe/Berlin)".to_owned(),
    }
}

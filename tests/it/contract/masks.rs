//! Update masks (AIP-134): absent, everything, nested, refused; what is immutable; what changes nothing.

use subprocessor_registry::proto::v1;
use tonic::Code;
use tonic_types::StatusExt;

use super::subject::{How, Writable, each_labelled, each_writable, map, mask, no_driver_text};
use crate::support::{Server, both, fresh, organization, refused, subprocessor};

const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };

/// Paths that no mask can have: for every kind.
async fn refuses<R: Writable>(server: &mut Server) {
    let made = R::make(server, "masked", "Masked").await;
    let before = server.revision().await;
    let sent = || Some(R::sample("Other").with(&made.head().name, ""));
    let output_only = ["name", "uid", "etag", "revision", "create_time", "update_time", "delete_time"];
    let nonsense = ["", " ", "nothing", "Display_name", "displayName", "sources.quote", "sources[0]", "annotations.k"];
    let deep = ["create_time.seconds", "name.x", "sources.", ".", "*.*", "\0", "'; DROP TABLE vendor; --"];
    for how in [LIVE, &How::dry()] {
        for path in output_only.iter().chain(&nonsense).chain(&deep) {
            let answer = R::update(server, sent(), mask(&[path]), how).await;
            no_driver_text(&refused(answer, Code::InvalidArgument, "UPDATE_MASK_INVALID", &["update_mask"]));
        }
        // All that is wrong at once; `*` only stands alone.
        let answer = R::update(server, sent(), mask(&["sources", "uid", "nothing", "*"]), how).await;
        refused(answer, Code::InvalidArgument, "UPDATE_MASK_INVALID", &["update_mask"; 3]);
        let long = vec!["sources"; 257];
        let answer = R::update(server, sent(), mask(&long), how).await;
        refused(answer, Code::InvalidArgument, "UPDATE_MASK_INVALID", &["update_mask"]);
        // `*` clears what is required.
        let empty = Some(R::default().with(&made.head().name, ""));
        let answer = R::update(server, empty, mask(&["*"]), how).await;
        let status = refused(answer, Code::InvalidArgument, "FIELD_INVALID", &[]);
        let details = status.get_error_details();
        let fields = &details.bad_request().expect("fields").field_violations;
        assert!(
            fields.iter().all(|f| f.field.starts_with(R::SINGULAR) && f.description == "is required"),
            "{fields:?}"
        );
    }
    assert_eq!(server.revision().await, before);
    // A mask of none is no mask; one of what is not sent clears nothing that was not set.
    let named = R::update(server, sent(), mask(&[]), LIVE).await.expect("as without one");
    assert_eq!((named.label().as_str(), server.revision().await), ("Other", before + 1));
    let same = R::update(server, sent(), mask(&["sources", "annotations", "sources"]), LIVE).await.expect("nothing");
    assert_eq!((&same, server.revision().await), (&named, before + 1));
    // Empty but for its name: nothing populated, nothing changed.
    let same = R::update(server, Some(R::default().with(&named.head().name, "")), None, LIVE).await.expect("nothing");
    assert_eq!((&same, server.revision().await), (&named, before + 1));
}

fn full() -> v1::Organization {
    v1::Organization {
        display_name: "Acme".into(),
        legal_name: "Acme, Inc.".into(),
        region_code: "US".into(),
        trade_names: vec!["A".into(), "B".into()],
        annotations: map(&[("k", "v")]),
        notice_policy: Some(v1::NoticePolicy { four_eyes: Some(true), notice_days: Some(30), ..Default::default() }),
        role: v1::Role::Both.into(),
        ..Default::default()
    }
}

async fn set(server: &mut Server, sent: v1::Organization, paths: Option<&[&str]>) -> v1::Organization {
    let sent = sent.with("organizations/full", "");
    v1::Organization::update(server, Some(sent), paths.and_then(mask), LIVE).await.expect("updated")
}

both! {
    async fn a_mask_of_what_cannot_be_written_is_refused(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        each_writable!(refuses(&mut server));
    }

    async fn a_mask_takes_over_what_it_names(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        v1::Organization::create(&mut server, "full", Some(full()), "", LIVE).await.expect("created");
        // Absent: the populated fields, whole.
        let sent = v1::Organization { trade_names: vec!["C".into()], annotations: map(&[("n", "w")]), ..Default::default() };
        let changed = set(&mut server, sent.clone(), None).await;
        assert_eq!((&changed.trade_names, &changed.annotations), (&sent.trade_names, &sent.annotations));
        assert_eq!((changed.display_name.as_str(), changed.legal_name.as_str(), changed.role()), ("Acme", "Acme, Inc.", v1::Role::Both));
        // Named and not set: cleared.
        let changed = set(&mut server, v1::Organization::default(), Some(&["legal_name", "annotations", "trade_names", "role"])).await;
        assert_eq!((changed.legal_name, changed.annotations.len(), changed.trade_names.len(), changed.role), (String::new(), 0, 0, 0));
        assert_eq!((changed.display_name.as_str(), changed.region_code.as_str()), ("Acme", "US"));
        // Nested: only that field of the inner message; and 0 is a value.
        let zero = Some(v1::NoticePolicy { notice_days: Some(0), ..Default::default() });
        let sent = v1::Organization { notice_policy: zero, display_name: "not named".into(), ..Default::default() };
        let changed = set(&mut server, sent, Some(&["notice_policy.notice_days"])).await;
        assert_eq!(changed.notice_policy, Some(v1::NoticePolicy { four_eyes: Some(true), notice_days: Some(0), ..Default::default() }));
        assert_eq!(changed.display_name, "Acme");
        let changed = set(&mut server, v1::Organization::default(), Some(&["notice_policy.notice_days"])).await;
        assert_eq!(changed.notice_policy, Some(v1::NoticePolicy { four_eyes: Some(true), ..Default::default() }));
        // The whole message where it is named itself.
        let one = Some(v1::NoticePolicy { objection_days: Some(5), ..Default::default() });
        let changed = set(&mut server, v1::Organization { notice_policy: one, ..Default::default() }, Some(&["notice_policy"])).await;
        assert_eq!(changed.notice_policy, one);
        // Everything: what is not sent is cleared, but for what only the server says.
        let everything = set(&mut server, v1::Organization { display_name: "Only".into(), ..Default::default() }, Some(&["*"])).await;
        let expected = v1::Organization {
            display_name: "Only".into(),
            name: "organizations/full".into(),
            uid: changed.uid,
            create_time: changed.create_time,
            etag: everything.etag.clone(),
            revision: everything.revision,
            update_time: everything.update_time,
            ..Default::default()
        };
        assert_eq!(everything, expected);
        // What only the server says is ignored where it is sent.
        let before = server.revision().await;
        let lies = v1::Organization { uid: "u".into(), revision: 99, delete_time: Some(Default::default()), ..everything.clone() };
        assert_eq!(set(&mut server, lies, None).await, everything);
        assert_eq!(server.revision().await, before);
    }

    async fn what_is_immutable_stays(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let found = v1::Subprocessor { display_name: "Found".into(), recorded_as_found: true, ..Default::default() };
        let found = subprocessor(&mut server, "organizations/acme", "found", found).await.expect("created");
        let fresh = v1::Subprocessor::make(&mut server, "new", "New").await;
        let before = server.revision().await;
        for (one, value) in [(&found, false), (&fresh, true)] {
            for paths in [&["recorded_as_found"][..], &["*"]] {
                let sent = v1::Subprocessor { recorded_as_found: value, display_name: one.display_name.clone(), ..Default::default() };
                for how in [LIVE, &How::dry()] {
                    let answer = v1::Subprocessor::update(&mut server, Some(sent.clone().with(&one.name, "")), mask(paths), how).await;
                    refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.recorded_as_found"]);
                }
            }
        }
        let sent = v1::Subprocessor { recorded_as_found: true, ..Default::default() }.with(&fresh.name, "");
        let answer = v1::Subprocessor::update(&mut server, Some(sent), None, LIVE).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.recorded_as_found"]);
        assert_eq!(server.revision().await, before);
        // Said again it is no change.
        let sent = v1::Subprocessor { recorded_as_found: true, section: "S".into(), ..Default::default() }.with(&found.name, "");
        let answer = v1::Subprocessor::update(&mut server, Some(sent), mask(&["recorded_as_found", "section"]), LIVE).await;
        assert_eq!(answer.expect("updated").section, "S");
    }
}

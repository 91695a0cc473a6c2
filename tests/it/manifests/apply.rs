//! What applying does: the plan, one revision, nothing the second time; pruning; bringing back.

use subprocessor_registry::proto::v1::{self, subprocessor::State};
use tonic::Code;
use tonic_types::StatusExt;

use super::{ACME, WHOLE, actions, apply_with, diffs, ids, prune, whole_with};
use crate::support::{
    activate, apply, both, fresh, get_subprocessor, preconditions, refused, retire, update_subprocessor,
};

fn name(id: &str) -> String {
    format!("{ACME}/subprocessors/{id}")
}

both! {
    async fn everything_in_one_revision_and_nothing_the_second_time(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let tried = apply_with(&mut server, WHOLE, |request| request.validate_only = true).await.expect("valid");
        assert_eq!((tried.revision, server.revision().await), (0, 0));
        let answer = apply(&mut server, WHOLE).await.expect("applied");
        assert_eq!(answer.plan, tried.plan, "the plan is what is done");
        assert_eq!((answer.revision, server.revision().await), (1, 1));
        assert_eq!(actions(&answer), [
            "CREATE vendors/aws",
            "CREATE vendors/amazon",
            "CREATE organizations/acme",
            "CREATE organizations/acme/documents/policy",
            "CREATE organizations/acme/documents/dpa",
            "CREATE organizations/acme/subprocessors/mail",
            "CREATE organizations/acme/subprocessors/hosting",
            "CREATE organizations/acme/customers/big",
        ]);
        assert_eq!(diffs(&answer, &name("hosting")), [
            ("vendor", "", "\"vendors/aws\""),
            ("vendor_entity", "", "\"inc\""),
            ("display_name", "", "\"AWS\""),
            ("state", "", "\"PROPOSED\""),
            ("purposes[0]", "", "\"hosting\""),
            ("products[0]", "", "\"cloud\""),
            ("locations[0].region_code", "", "\"US\""),
            ("locations[0].activity", "", "\"STORAGE\""),
            ("dpa.status", "", "\"SIGNED\""),
            ("dpa.document", "", "\"organizations/acme/documents/dpa\""),
        ]);
        let revision = server.log.get_revision(v1::GetRevisionRequest { name: "revisions/1".into() }).await.expect("found").into_inner();
        assert_eq!((revision.changes.len(), revision.method.as_str()), (8, "RegistryService/ApplyManifest"));
        // References that point forwards, and round in a circle, hold.
        let mail = get_subprocessor(&mut server, &name("mail")).await;
        assert_eq!(mail.engaged_by, name("hosting"));
        for pruned in [false, true] {
            let again = apply_with(&mut server, WHOLE, |request| request.prune = pruned).await.expect("applied");
            assert_eq!((again.revision, again.plan.len(), server.revision().await), (1, 0, 1));
        }
        assert!(server.log.verify_change_log(v1::VerifyChangeLogRequest::default()).await.expect("checked").into_inner().verified);
    }

    async fn what_differs_is_planned_field_by_field(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, WHOLE).await.expect("applied");
        let before = get_subprocessor(&mut server, &name("hosting")).await;
        let changed = whole_with("      - {region_code: US, activity: STORAGE}", "      - {region_code: DE, activity: STORAGE}\n      - {region_code: FR}")
            .replace("    purposes: [hosting]\n", "")
            .replace("display_name: Amazon SES", "display_name: SES")
            .replace("notice_days: 30", "notice_days: 0")
            .replace("status: SIGNED", "status: EXPIRED, sign_date: 2020-01-01");
        let tried = apply_with(&mut server, &changed, |request| request.validate_only = true).await.expect("valid");
        assert_eq!((tried.revision, server.revision().await), (1, 1));
        assert_eq!(get_subprocessor(&mut server, &name("hosting")).await, before, "nothing was written");
        let answer = apply(&mut server, &changed).await.expect("applied");
        assert_eq!((answer.revision, &answer.plan), (2, &tried.plan));
        assert_eq!(actions(&answer), [
            "UPDATE organizations/acme/subprocessors/mail",
            "UPDATE organizations/acme/subprocessors/hosting",
            "UPDATE organizations/acme/customers/big",
        ]);
        assert_eq!(diffs(&answer, &name("mail")), [("display_name", "\"Amazon SES\"", "\"SES\"")]);
        assert_eq!(diffs(&answer, "organizations/acme/customers/big"), [("agreement.notice_days", "30", "0")]);
        let mut hosting = diffs(&answer, &name("hosting"));
        hosting.sort_unstable();
        assert_eq!(hosting, [
            ("dpa.sign_date", "", "\"2020-01-01\""),
            ("dpa.status", "\"SIGNED\"", "\"EXPIRED\""),
            ("locations[0].region_code", "\"US\"", "\"DE\""),
            ("locations[1].region_code", "", "\"FR\""),
            ("purposes[0]", "\"hosting\"", ""),
        ]);
        assert_eq!(apply(&mut server, &changed).await.expect("applied").revision, 2);
    }

    async fn what_is_left_out_stays_unless_pruned(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, WHOLE).await.expect("applied");
        let other = WHOLE.replace("acme", "other");
        apply(&mut server, &other).await.expect("applied");
        let bare = "organization: {id: acme, display_name: Acme}\n";
        // Its products are in use by what stays.
        refused(apply(&mut server, bare).await, Code::InvalidArgument, "MANIFEST_INVALID", &[]);
        let before = server.revision().await;
        let tried = apply_with(&mut server, bare, |request| (request.prune, request.validate_only) = (true, true)).await.expect("valid");
        assert_eq!(ids(&mut server).await, ["hosting", "mail"]);
        let answer = prune(&mut server, bare).await.expect("pruned");
        assert_eq!(answer.plan, tried.plan);
        let mut done = actions(&answer);
        done.sort();
        assert_eq!(done, [
            "DELETE organizations/acme/customers/big",
            "DELETE organizations/acme/documents/dpa",
            "DELETE organizations/acme/documents/policy",
            "DELETE organizations/acme/subprocessors/hosting",
            "DELETE organizations/acme/subprocessors/mail",
            "UPDATE organizations/acme",
        ]);
        assert_eq!(answer.revision, before + 1);
        assert!(diffs(&answer, &name("mail")).iter().all(|(_, before, after)| !before.is_empty() && after.is_empty()));
        assert_eq!(ids(&mut server).await, Vec::<String>::new());
        // Vendors are shared and stay, and so does what others have.
        let vendor = v1::GetVendorRequest { name: "vendors/aws".into(), as_of: None };
        assert_eq!(server.vendors.get_vendor(vendor).await.expect("found").into_inner().delete_time, None);
        assert_eq!(crate::support::subprocessors_of(&mut server, "organizations/other").await.len(), 2);
        assert_eq!(actions(&prune(&mut server, bare).await.expect("pruned")), Vec::<String>::new());
    }

    async fn what_is_in_use_is_not_pruned(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, WHOLE).await.expect("applied");
        // `hosting` still rests on the agreement, and so does the customer.
        let without = whole_with("  - id: dpa\n    title: Agreement with Amazon\n    kind: DPA\n", "");
        let status = refused(prune(&mut server, &without).await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        let mut users = preconditions(&status);
        users.sort();
        let reference = |name: &str| ("REFERENCE".to_owned(), format!("{ACME}/{name}"));
        assert_eq!(users, [reference("customers/big"), reference("subprocessors/hosting")]);
        // One that is written anew with the reference is told so at its line.
        let changed = without.replace("display_name: AWS\n    products", "display_name: Amazon\n    products");
        let line = changed.lines().position(|line| line.contains("dpa: {")).expect("a line") + 1;
        let status = refused(prune(&mut server, &changed).await, Code::InvalidArgument, "MANIFEST_INVALID", &["subprocessors[1].dpa.document"]);
        assert!(status.message().contains(&format!("line {line}: ")) && status.message().contains("deleted"), "{status:?}");
        assert_eq!(server.revision().await, 1);
        // Without the references it goes.
        let free = without
            .replace(", document: organizations/acme/documents/dpa}", "}");
        let answer = prune(&mut server, &free).await.expect("pruned");
        assert!(actions(&answer).contains(&"DELETE organizations/acme/documents/dpa".to_owned()), "{answer:?}");
    }

    async fn an_engagement_gets_a_new_id(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let list = |id: &str| format!(
            "organization: {{id: acme, display_name: Acme}}\nvendors: [{{id: aws, display_name: AWS}}]\n\
             subprocessors:\n  - id: {id}\n    vendor: vendors/aws\n    display_name: AWS\n"
        );
        apply(&mut server, &list("old")).await.expect("applied");
        // Beside the old one the new one is a duplicate.
        let status = refused(apply(&mut server, &list("new")).await, Code::InvalidArgument, "MANIFEST_INVALID", &["subprocessors[0]"]);
        assert!(status.message().contains("line 4: ") && status.message().contains("subprocessors/old"), "{status:?}");
        let answer = prune(&mut server, &list("new")).await.expect("replaced");
        assert_eq!(actions(&answer), ["CREATE organizations/acme/subprocessors/new", "DELETE organizations/acme/subprocessors/old"]);
        assert_eq!(answer.revision, 2);
        assert_eq!(ids(&mut server).await, ["new"]);
    }

    async fn what_was_deleted_is_brought_back(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, WHOLE).await.expect("applied");
        let before = get_subprocessor(&mut server, &name("hosting")).await;
        prune(&mut server, "organization: {id: acme, display_name: Acme}\n").await.expect("pruned");
        let gone = v1::DeleteOrganizationRequest { name: ACME.into(), ..Default::default() };
        server.organizations.delete_organization(gone).await.expect("deleted");
        let changed = whole_with("purposes: [hosting]", "purposes: [storage]");
        let answer = apply(&mut server, &changed).await.expect("applied");
        assert_eq!(actions(&answer), [
            "CREATE organizations/acme",
            "CREATE organizations/acme/documents/policy",
            "CREATE organizations/acme/documents/dpa",
            "CREATE organizations/acme/subprocessors/mail",
            "CREATE organizations/acme/subprocessors/hosting",
            "CREATE organizations/acme/customers/big",
        ]);
        assert!(diffs(&answer, &name("hosting")).contains(&("purposes[0]", "", "\"storage\"")));
        let after = get_subprocessor(&mut server, &name("hosting")).await;
        assert_eq!((&after.uid, &after.create_time, after.delete_time), (&before.uid, &before.create_time, None));
        assert_eq!(after.purposes, ["storage"]);
        let revision = v1::GetRevisionRequest { name: format!("revisions/{}", answer.revision) };
        let revision = server.log.get_revision(revision).await.expect("found").into_inner();
        assert!(revision.changes.iter().all(|change| change.kind() == v1::change::Kind::Undeleted), "{revision:?}");
        assert_eq!(apply(&mut server, &changed).await.expect("applied").plan, []);
    }

    async fn what_is_brought_back_is_as_the_manifest_has_it(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let list = |row: &str| format!("organization: {{id: acme, display_name: Acme}}\nsubprocessors:\n  - {row}\n");
        let bare = "organization: {id: acme, display_name: Acme}\n";
        for (first, second, state) in [
            // What was found retired was in use after all.
            ("recorded_as_found: true, state: RETIRED", "recorded_as_found: true, state: ACTIVE", State::Active),
            ("recorded_as_found: true, state: ACTIVE", "recorded_as_found: true, state: SUSPENDED", State::Suspended),
            // What was proposed was there before the register.
            ("section: a", "recorded_as_found: true", State::Active),
            // What was found is proposed anew: it does not stay in use past the gates.
            ("recorded_as_found: true, state: ACTIVE", "section: a", State::Proposed),
        ] {
            apply(&mut server, bare).await.expect("applied");
            apply(&mut server, &list(&format!("{{id: row, display_name: Row, {first}}}"))).await.expect("applied");
            prune(&mut server, bare).await.expect("pruned");
            apply(&mut server, &list(&format!("{{id: row, display_name: Row, {second}}}"))).await.expect(second);
            assert_eq!(get_subprocessor(&mut server, &name("row")).await.state(), state, "{first}, then {second}");
            prune(&mut server, bare).await.expect("pruned");
        }
    }

    async fn the_state_is_not_a_manifests_to_change(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, WHOLE).await.expect("applied");
        activate(&mut server, &name("hosting")).await.expect("activated");
        // Activate has set start_date, of which the manifest says nothing.
        let answer = apply(&mut server, WHOLE).await.expect("applied");
        assert_eq!((answer.revision, answer.plan), (2, vec![]));
        let hosting = get_subprocessor(&mut server, &name("hosting")).await;
        assert_eq!((hosting.state(), hosting.start_date.as_str()), (State::Active, "2026-03-23"));
        let found = whole_with("    vendor_entity: inc\n", "    vendor_entity: inc\n    state: SUSPENDED\n");
        let status = refused(apply(&mut server, &found).await, Code::InvalidArgument, "MANIFEST_INVALID", &["subprocessors[1].state"]);
        assert!(status.message().ends_with("is ACTIVE in the registry, SUSPENDED here: use Suspend, or leave it out"), "{status:?}");
        // An end before the start that was kept is seen.
        let ended = whole_with("    vendor_entity: inc\n", "    vendor_entity: inc\n    end_date: 2026-03-01\n");
        refused(apply(&mut server, &ended).await, Code::InvalidArgument, "MANIFEST_INVALID", &["subprocessors[1].end_date"]);
        let found = whole_with("    vendor_entity: inc\n", "    vendor_entity: inc\n    recorded_as_found: true\n");
        refused(apply(&mut server, &found).await, Code::InvalidArgument, "MANIFEST_INVALID", &["subprocessors[1].recorded_as_found"]);
    }

    async fn dates_of_the_lifecycle_are_kept(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let text = "organization: {id: acme, display_name: Acme}\nsubprocessors:\n  - {id: new, display_name: New}\n  \
             - {id: found, display_name: Found, recorded_as_found: true, start_date: 2020-01-01}\n";
        apply(&mut server, text).await.expect("applied");
        activate(&mut server, &name("new")).await.expect("activated");
        for id in ["new", "found"] {
            retire(&mut server, &name(id), "").await.expect("retired");
        }
        let head = server.revision().await;
        let answer = apply(&mut server, text).await.expect("applied");
        assert_eq!((answer.revision, answer.plan), (head, vec![]));
        for id in ["new", "found"] {
            let retired = get_subprocessor(&mut server, &name(id)).await;
            assert_eq!((retired.state(), retired.end_date.as_str()), (State::Retired, "2026-03-23"));
            let open = v1::Subprocessor { end_date: String::new(), ..retired };
            let status = refused(
                update_subprocessor(&mut server, open, &["end_date"]).await,
                Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.end_date"],
            );
            assert!(status.message().contains("is required: it is RETIRED"), "{status:?}");
        }
        // What a manifest says counts, and so does a mask.
        let said = text.replace("display_name: New", "display_name: New, start_date: 2026-03-01");
        let answer = apply(&mut server, &said).await.expect("applied");
        assert_eq!(diffs(&answer, &name("new")), [("start_date", "\"2026-03-23\"", "\"2026-03-01\"")]);
        let bare = v1::Subprocessor { name: name("new"), ..Default::default() };
        let bare = update_subprocessor(&mut server, bare, &["start_date"]).await.expect("updated");
        assert_eq!(bare.start_date, "");
        // What was found says which state it has.
        let found = text.replace("recorded_as_found: true", "recorded_as_found: true, state: ACTIVE");
        let status = refused(apply(&mut server, &found).await, Code::InvalidArgument, "MANIFEST_INVALID", &["subprocessors[1].state"]);
        let rule = "is RETIRED in the registry, ACTIVE here: correct it to SUSPENDED and use Activate, or write RETIRED as `export` does";
        assert!(status.message().ends_with(rule), "{status:?}");
    }

    async fn json_is_as_good_as_yaml(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let json = r#"{
  "organization": {"id": "acme", "display_name": "Acm\u00e9 \"\/\\ \ud83d\ude00", "notice_policy": {"notice_days": 0, "four_eyes": true}},
  "vendors": [{"id": "aws", "display_name": "AWS"}],
  "subprocessors": [
    {"id": "hosting", "display_name": "1.10", "vendor": "vendors/aws", "annotations": {"Column 1": "yes"}, "engaged_by": null}
  ]
}"#;
        let answer = apply(&mut server, json).await.expect("applied");
        assert_eq!(actions(&answer).len(), 3);
        let acme = v1::GetOrganizationRequest { name: ACME.into(), as_of: None };
        let acme = server.organizations.get_organization(acme).await.expect("found").into_inner();
        assert_eq!(acme.display_name, "Acmé \"/\\ 😀");
        assert_eq!(acme.notice_policy.expect("a policy").notice_days, Some(0));
        let hosting = get_subprocessor(&mut server, &name("hosting")).await;
        assert_eq!((hosting.display_name.as_str(), hosting.annotations.get("Column 1").map(String::as_str)), ("1.10", Some("yes")));
        let bad = json.replace("\"hosting\"", "\"Hosting\"").replace("\"vendor\"", "\"vendors\"");
        refused(apply(&mut server, &bad).await, Code::InvalidArgument, "MANIFEST_INVALID", &["subprocessors[0].id", "subprocessors[0].vendors"]);
    }

    async fn the_same_request_is_answered_once(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let tried = apply_with(&mut server, WHOLE, |r| (r.request_id, r.validate_only) = ("once".into(), true)).await.expect("valid");
        let first = apply_with(&mut server, WHOLE, |r| r.request_id = "once".into()).await;
        // A rehearsal is another request under the same id, and was not remembered.
        let first = first.expect("applied");
        assert_eq!((first.revision, &first.plan), (1, &tried.plan));
        let gone = v1::DeleteSubprocessorRequest { name: name("mail"), ..Default::default() };
        server.subprocessors.delete_subprocessor(gone).await.expect("deleted");
        let again = apply_with(&mut server, WHOLE, |r| r.request_id = "once".into()).await.expect("remembered");
        assert_eq!((again, server.revision().await), (first, 2));
        assert_eq!(ids(&mut server).await, ["hosting"]);
        let other = whole_with("purposes: [hosting]", "purposes: [storage]");
        refused(apply_with(&mut server, &other, |r| r.request_id = "once".into()).await, Code::AlreadyExists, "REQUEST_ID_REUSED", &[]);
        let pruned = apply_with(&mut server, WHOLE, |r| (r.request_id, r.prune) = ("once".into(), true)).await;
        refused(pruned, Code::AlreadyExists, "REQUEST_ID_REUSED", &[]);
        // A manifest that was refused may be sent again under its id, corrected.
        let bad = apply_with(&mut server, "organization: {}\n", |r| r.request_id = "twice".into()).await;
        refused(bad, Code::InvalidArgument, "MANIFEST_INVALID", &[]);
        let good = apply_with(&mut server, WHOLE, |r| r.request_id = "twice".into()).await.expect("applied");
        assert_eq!(actions(&good), ["CREATE organizations/acme/subprocessors/mail"]);
        // An answer that changed nothing is remembered too.
        let still = apply_with(&mut server, WHOLE, |r| r.request_id = "still".into()).await.expect("applied");
        assert_eq!((still.revision, still.plan.len()), (3, 0));
        assert_eq!(apply_with(&mut server, WHOLE, |r| r.request_id = "still".into()).await.expect("remembered"), still);
    }

    async fn a_revision_has_its_bounds(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let head = "organization: {id: acme, display_name: Acme}\nsubprocessors:\n";
        let many = |n: usize| (0..n).fold(head.to_owned(), |text, i| text + &format!("  - {{id: r{i}, display_name: R}}\n"));
        let status = refused(apply(&mut server, &many(1_000)).await, Code::ResourceExhausted, "REVISION_TOO_LARGE", &[]);
        let info = status.get_error_details().error_info().expect("ErrorInfo").metadata.clone();
        assert_eq!(info.get("max_changes").map(String::as_str), Some("1000"), "{info:?}");
        assert_eq!(info.get("changes").map(String::as_str), Some("1001"), "{info:?}");
        let long = "x".repeat(9_000);
        let wide = (0..250).fold(head.to_owned(), |text, i| text + &format!("  - {{id: r{i}, display_name: R, service_description: {long}}}\n"));
        let status = refused(apply(&mut server, &wide).await, Code::ResourceExhausted, "REVISION_TOO_LARGE", &[]);
        let info = status.get_error_details().error_info().expect("ErrorInfo").metadata.clone();
        assert_eq!(info.get("max_bytes").map(String::as_str), Some("2097152"), "{info:?}");
        assert_eq!(server.revision().await, 0);
        let most = apply(&mut server, &many(999)).await.expect("as many as there may be");
        assert_eq!((most.revision, most.plan.len()), (1, 1_000));
        // Over what a call may carry it does not get as far as being read.
        let huge = format!("{head}#{}", "x".repeat(4 * 1024 * 1024));
        let status = refused(apply(&mut server, &huge).await, Code::ResourceExhausted, "MESSAGE_TOO_LARGE", &[]);
        assert!(status.message().contains("large"), "{status:?}");
    }
}

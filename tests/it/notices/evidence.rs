//! RenderNoticeEvidence: what proves afterwards who was told what and when.

use std::sync::Arc;

use serde_json::Value as Json;
use subprocessor_registry::{
    catalog,
    clock::Clock,
    proto::v1::{
        self, Agreement, Notice, RenderNoticeEvidenceRequest, RenderNoticeEvidenceResponse,
        agreement::{NoticeMethod, UnresolvedObjection},
        as_of::Point,
        delivery_receipt::Kind as Receipt,
        objection::Outcome,
        render_notice_evidence_request::Format,
    },
    resource::name::{Kind as ResourceKind, Name},
    store::{self, Store, evidence::Wanted},
};
use tonic::{Code, Status};

use super::scene::{ACME, Scene, add, at, by, customer, engagement, general, notice, specific};
use crate::{
    law::papers::parsed,
    plans::wire::Wire,
    support::{Backend, both, refused},
};

async fn try_render(
    scene: &mut Scene,
    request: RenderNoticeEvidenceRequest,
) -> Result<RenderNoticeEvidenceResponse, Status> {
    scene.server.notices.render_notice_evidence(request).await.map(tonic::Response::into_inner)
}

fn of(id: &str, format: Format) -> RenderNoticeEvidenceRequest {
    RenderNoticeEvidenceRequest { name: notice(id), format: format.into(), ..Default::default() }
}

fn as_of(revision: i64) -> Option<v1::AsOf> {
    Some(v1::AsOf { point: Some(Point::Revision(revision)) })
}

async fn json_of(scene: &mut Scene, request: RenderNoticeEvidenceRequest) -> Json {
    let made = try_render(scene, RenderNoticeEvidenceRequest { format: Format::Json.into(), ..request }).await;
    let made = made.expect("rendered");
    assert_eq!(made.media_type, "application/json");
    let value: Json = serde_json::from_str(&made.content).expect("JSON");
    assert_eq!(value["drawn_from"]["revision"], made.revision);
    value
}

async fn json(scene: &mut Scene, id: &str) -> Json {
    json_of(scene, of(id, Format::Json)).await
}

async fn page(scene: &mut Scene, id: &str) -> (Vec<String>, String) {
    let made = try_render(scene, of(id, Format::Html)).await.expect("rendered");
    assert_eq!(made.media_type, "text/html; charset=utf-8");
    assert!(made.content.starts_with("<!doctype html>"));
    for outside in ["http://", "https://", "src=", "url(", "@import", "<script", "<link"] {
        assert!(!made.content.contains(outside), "{outside}");
    }
    parsed(&made.content)
}

/// What stands under a path in each of a list.
fn each<'a>(list: &'a Json, path: &[&str]) -> Vec<&'a str> {
    let under = |one: &'a Json| path.iter().fold(one, |value, key| &value[*key]);
    list.as_array().expect("a list").iter().map(|one| under(one).as_str().unwrap_or("-")).collect()
}

fn recipient<'a>(evidence: &'a Json, who: &str) -> &'a Json {
    let all = evidence["recipients"].as_array().expect("a list");
    let one = all.iter().find(|one| one["customer"]["name"] == customer(who)).expect("a recipient");
    &one["recipient"]
}

/// Checks the hash of every revision against the log.
async fn verify(scene: &mut Scene, evidence: &Json) {
    for revision in evidence["revisions"].as_array().expect("a list").iter().chain([&evidence["drawn_from"]]) {
        let number = revision.get("number").unwrap_or(&revision["revision"]).as_i64().expect("a number");
        let hash = hex::decode(revision["hash"].as_str().expect("a hash")).expect("hexadecimal");
        let request =
            v1::VerifyChangeLogRequest { expected_revision: number, expected_hash: hash.clone(), ..Default::default() };
        let checked = scene.server.log.verify_change_log(request).await.expect("checked").into_inner();
        assert!(checked.verified, "{number}: {checked:?}");
        let request = v1::GetRevisionRequest { name: format!("revisions/{number}") };
        let whole = scene.server.log.get_revision(request).await.expect("a revision").into_inner();
        assert_eq!(whole.hash, hash);
        if let Some(previous) = revision.get("previous_hash") {
            assert_eq!(hex::encode(&whole.previous_hash), previous.as_str().expect("a hash"));
            assert_eq!(
                (whole.principal.as_str(), whole.method.as_str()),
                (revision["principal"].as_str().expect("a principal"), revision["method"].as_str().expect("a method"),)
            );
            let named: Vec<&str> = whole.changes.iter().map(|change| change.resource_name.as_str()).collect();
            assert!(each(&revision["changes"], &["resource_name"]).iter().all(|name| named.contains(name)));
        }
    }
}

/// A notice with everything that can be said of one.
async fn eventful(backend: Backend) -> Scene {
    let mut scene = Scene::new(backend).await;
    scene.customer("quiet", general(30, 10)).await;
    let letters = Agreement { notice_method: NoticeMethod::Manual.into(), ..general(20, 10) };
    scene.customer("letters", letters).await;
    let leaves = Agreement {
        unresolved_objection: UnresolvedObjection::TerminationRight.into(),
        resolution_days: Some(60),
        ..general(30, 15)
    };
    scene.customer("objects", leaves).await;
    scene.customer("late", general(30, 5)).await;
    scene.customer("strict", specific(30, 30)).await;
    scene.customer_as("ended", v1::Customer { end_date: "2026-01-01".into(), ..Default::default() }).await;
    let message = Notice {
        title: "A new host".into(),
        body: "We add a host.\nIt is in the EU.".into(),
        changes: vec![add("aws")],
        requested_effective_time: Some(at("2026-05-01T00:00:00Z")),
        ..Notice::default()
    };
    scene.announce("n", message).await;
    scene.pass_to("2026-03-25T09:00:00Z");
    scene.record("n", "letters", Receipt::Sent, None).await.expect("recorded");
    scene.record("n", "letters", Receipt::Delivered, None).await.expect("recorded");
    let request = v1::AcknowledgeNoticeRequest { name: notice("n"), customer: customer("quiet"), ..Default::default() };
    scene.server.notices.acknowledge_notice(by("customer-desk", request)).await.expect("acknowledged");
    let request = v1::AskNoticeQuestionRequest {
        name: notice("n"),
        customer: customer("quiet"),
        question: "Is it encrypted?".into(),
        question_id: "q1".into(),
        ..Default::default()
    };
    scene.server.notices.ask_notice_question(request).await.expect("asked");
    let request = v1::AnswerNoticeQuestionRequest {
        name: notice("n"),
        customer: customer("quiet"),
        question_id: "q1".into(),
        answer: "Yes, at rest and in transit.".into(),
        mitigation: "keys are yours".into(),
        ..Default::default()
    };
    scene.server.notices.answer_notice_question(request).await.expect("answered");
    scene.pass_to("2026-04-01T12:00:00Z");
    scene.object("n", "objects", "o1").await.expect("lodged");
    assert!(scene.object("n", "late", "o2").await.expect("lodged").late);
    scene.pass_to("2026-05-02T00:00:00Z");
    scene.revision().await;
    scene
}

both! {
    async fn it_says_who_was_told_what_and_when_and_what_became_of_it(backend: Backend) {
        let mut scene = eventful(backend).await;
        let evidence = json(&mut scene, "n").await;
        assert_eq!(evidence["organization"], serde_json::json!({"name": ACME, "display_name": "Acme"}));
        let told = &evidence["notice"];
        assert_eq!((told["title"].as_str(), told["body"].as_str()), (Some("A new host"), Some("We add a host.\nIt is in the EU.")));
        assert_eq!((told["state"].as_str(), told["publish_time"].as_str()), (Some("EFFECTIVE"), Some("2026-03-23T10:00:00Z")));
        let change = &told["changes"][0];
        assert_eq!((change["kind"].as_str(), change["waits"].as_bool(), change["proposed"]["display_name"].as_str()), (Some("ADD"), Some(true), Some("AWS")));
        assert_eq!(change["effective_time"], "2026-05-01T00:00:00Z");
        assert_eq!(told["policy"]["enforcement"], "REQUIRED");
        assert_eq!(each(&evidence["acts"], &["act"]), ["CREATED", "APPROVED", "PUBLISHED"]);
        assert_eq!(each(&evidence["acts"], &["principal"]), ["author", "approver", "approver"]);
        assert_eq!(each(&evidence["subprocessors_at_publication"], &["name"]), [engagement("aws")]);
        assert_eq!(evidence["subprocessors_at_publication"][0]["state"], "ANNOUNCED");

        // The one whose agreement had ended is not among them.
        let names = ["late", "letters", "objects", "quiet", "strict"];
        assert_eq!(each(&evidence["recipients"], &["customer", "name"]), names.map(customer));
        assert_eq!(each(&evidence["recipients"], &["customer", "display_name"]), names.map(str::to_uppercase));
        let quiet = recipient(&evidence, "quiet");
        assert_eq!((quiet["agreement"]["notice_days"].as_i64(), quiet["start_time"].as_str()), (Some(30), Some("2026-03-23T10:00:00Z")));
        assert_eq!((quiet["acknowledge_time"].as_str(), quiet["deliver_time"].as_str()), (Some("2026-03-25T09:00:00Z"), Some("2026-03-25T09:00:00Z")));
        assert_eq!(quiet["questions"][0]["mitigation"], "keys are yours");
        let stands = &quiet["changes"][0];
        assert_eq!(
            ["status", "objection_deadline_time", "clear_time", "decide_time", "decided_by"].map(|key| stands[key].as_str().unwrap_or("-")),
            ["DEEMED_AUTHORIZED", "2026-04-03T00:00:00Z", "2026-04-23T00:00:00Z", "2026-04-03T00:00:00Z", "system"]
        );
        let letters = recipient(&evidence, "letters");
        assert_eq!((letters["method"].as_str(), letters["start_time"].as_str()), (Some("MANUAL"), Some("2026-03-25T09:00:00Z")));
        assert_eq!(each(&letters["receipts"], &["kind"]), ["SENT", "DELIVERED"]);
        assert_eq!(each(&letters["receipts"], &["evidence"]), ["message 4711"; 2]);
        assert_eq!(recipient(&evidence, "strict")["changes"][0]["status"], "DEEMED_DENIED");
        let count = serde_json::json!({"DEEMED_AUTHORIZED": 3, "DEEMED_DENIED": 1, "OBJECTED": 1});
        assert_eq!(evidence["statuses"], serde_json::json!([{"change_id": "c1", "recipients": count}]));

        assert_eq!(each(&evidence["objections"], &["grounds"]), ["no data in the US"; 2]);
        assert_eq!((evidence["objections"][0]["state"].as_str(), evidence["objections"][1]["late"].as_bool()), (Some("OPEN"), Some(true)));
        assert_eq!(evidence["objections"][0]["termination_right_end_time"], "2026-06-01T00:00:00Z");

        let numbers: Vec<i64> = evidence["revisions"].as_array().expect("a list").iter().map(|one| one["number"].as_i64().expect("a number")).collect();
        assert!(numbers.is_sorted() && numbers.len() > 10, "{numbers:?}");
        verify(&mut scene, &evidence).await;
    }

    async fn what_happened_later_is_not_in_it_and_what_ended_is(backend: Backend) {
        let mut scene = eventful(backend).await;
        let before = scene.revision().await;
        scene.resolve("n", "o1", Outcome::AlternativeAccepted).await.expect("resolved");
        let then = json_of(&mut scene, RenderNoticeEvidenceRequest { as_of: as_of(before), ..of("n", Format::Json) }).await;
        assert_eq!(then["objections"][0]["state"], "OPEN");
        let now = json(&mut scene, "n").await;
        assert_eq!((now["objections"][0]["outcome"].as_str(), recipient(&now, "objects")["changes"][0]["status"].as_str()), (Some("ALTERNATIVE_ACCEPTED"), Some("AUTHORIZED")));
        let count = |evidence: &Json| evidence["revisions"].as_array().expect("a list").len();
        assert!(count(&then) < count(&now), "{} {}", count(&then), count(&now));
        // The same revision gives the same evidence again.
        let request = RenderNoticeEvidenceRequest { as_of: as_of(before), ..of("n", Format::Json) };
        assert_eq!(json_of(&mut scene, request).await, then);

        // As it was when it was only approved, and before it was.
        let acts = now["acts"].as_array().expect("a list");
        let [created, approved] = [0, 1].map(|i: usize| acts[i]["revision"].as_i64().expect("a number"));
        let draft = json_of(&mut scene, RenderNoticeEvidenceRequest { as_of: as_of(approved), ..of("n", Format::Json) }).await;
        assert_eq!((draft["notice"]["state"].as_str(), draft["recipients"].as_array().map(Vec::len)), (Some("APPROVED"), Some(0)));
        assert!(draft["notes"].to_string().contains("nobody was told"), "{}", draft["notes"]);
        assert_eq!(each(&draft["acts"], &["act"]), ["CREATED", "APPROVED"]);
        let early = RenderNoticeEvidenceRequest { as_of: as_of(created - 1), ..of("n", Format::Json) };
        refused(try_render(&mut scene, early).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let future = RenderNoticeEvidenceRequest { as_of: as_of(1_000_000), ..of("n", Format::Json) };
        refused(try_render(&mut scene, future).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
    }

    async fn for_some_customers_it_speaks_of_no_other(backend: Backend) {
        let mut scene = eventful(backend).await;
        let some = |names: &[&str]| RenderNoticeEvidenceRequest { customers: names.iter().map(|id| customer(id)).collect(), ..of("n", Format::Json) };
        let evidence = json_of(&mut scene, some(&["objects", "ended", "objects"])).await;
        assert_eq!(each(&evidence["recipients"], &["customer", "name"]), [customer("objects")]);
        assert_eq!(evidence["only_customers"], serde_json::json!([customer("ended"), customer("objects")]));
        assert_eq!(evidence["not_reached"], serde_json::json!([{"name": customer("ended"), "display_name": "ENDED"}]));
        assert_eq!(each(&evidence["objections"], &["customer"]), [customer("objects")]);
        let text = evidence.to_string();
        for other in ["quiet", "letters", "strict", "recipients/late", "o2"] {
            assert!(!text.contains(other), "{other}");
        }
        assert!(text.contains("recipients/objects") && text.contains("objections/o1"));
        verify(&mut scene, &evidence).await;
        let (_, page) = parsed(&try_render(&mut scene, RenderNoticeEvidenceRequest { format: Format::Html.into(), ..some(&["strict", "ended"]) }).await.expect("rendered").content);
        assert!(page.contains("STRICT") && page.contains("Not reached") && !page.contains("OBJECTS"), "{page}");

        let request = RenderNoticeEvidenceRequest {
            customers: ["objects", "nobody"].map(customer).into_iter().chain(["organizations/other/customers/a".into(), "vendors/aws".into()]).collect(),
            ..of("n", Format::Json)
        };
        refused(try_render(&mut scene, request.clone()).await, Code::InvalidArgument, "FIELD_INVALID", &["customers[2]", "customers[3]"]);
        let request = RenderNoticeEvidenceRequest { customers: request.customers[..2].to_vec(), ..request };
        refused(try_render(&mut scene, request).await, Code::InvalidArgument, "FIELD_INVALID", &["customers[1]"]);
        let many = RenderNoticeEvidenceRequest { customers: vec![customer("quiet"); 1_001], ..of("n", Format::Json) };
        refused(try_render(&mut scene, many).await, Code::InvalidArgument, "FIELD_INVALID", &["customers"]);
        let nothing = RenderNoticeEvidenceRequest { name: ACME.into(), ..Default::default() };
        refused(try_render(&mut scene, nothing).await, Code::InvalidArgument, "FIELD_INVALID", &["name", "format"]);
    }

    async fn the_page_says_it_for_people_and_no_text_becomes_markup(backend: Backend) {
        let mut scene = eventful(backend).await;
        let (elements, text) = page(&mut scene, "n").await;
        for said in [
            "Evidence of a notice: A new host", "It is in the EU.", "PUBLISHED by approver at 2026-03-23T10:00:00Z",
            "c1: ADD AWS", "notice days: 30", "DEEMED_AUTHORIZED", "message 4711", "Is it encrypted?", "keys are yours",
            "no data in the US", "Blocks until, then a right to terminate", "LETTERS", "ChangeNotificationService/PublishNotice",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        let evidence = json(&mut scene, "n").await;
        let hashes = each(&evidence["revisions"], &["hash"]);
        assert!(hashes.iter().all(|hash| text.contains(hash)));
        assert_eq!(elements.iter().filter(|element| *element == "h1").count(), 1);

        let hostile = "</title><script>alert(1)</script>\"'<img src=x onerror=y>";
        scene.announce("hostile", Notice { title: hostile.into(), body: hostile.into(), changes: vec![add("other")], ..Notice::default() }).await;
        let objection = v1::Objection { customer: customer("quiet"), grounds: hostile.into(), ..Default::default() };
        let request = v1::CreateObjectionRequest { parent: notice("hostile"), objection: Some(objection), ..Default::default() };
        scene.server.notices.create_objection(request).await.expect("lodged");
        let made = try_render(&mut scene, of("hostile", Format::Html)).await.expect("rendered");
        let (elements, text) = parsed(&made.content);
        assert!(!elements.iter().any(|one| one == "script" || one == "img"), "{elements:?}");
        assert!(text.matches(hostile).count() >= 3, "as it is written: {text}");
    }

    async fn a_vendors_notice_and_one_that_was_withdrawn_give_evidence_too(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("c", general(30, 30)).await;
        scene.found("aws", v1::Subprocessor { vendor: "vendors/aws".into(), display_name: "AWS".into(), ..Default::default() }).await;
        let proposed = v1::Subprocessor { display_name: "Sub of AWS".into(), ..Default::default() };
        let change = v1::NoticeChange { proposed: Some(proposed), ..add("aws") };
        let message = Notice {
            inbound: true,
            sender_vendor: "vendors/aws".into(),
            receive_time: Some(at("2026-03-20T08:00:00Z")),
            stated_date_text: "March 2026".into(),
            changes: vec![change],
            ..Notice::default()
        };
        let inbound = scene.create("theirs", message).await.expect("recorded");
        let evidence = json(&mut scene, "theirs").await;
        assert_eq!((evidence["notice"]["sender_vendor"].as_str(), evidence["notice"]["receive_time"].as_str()), (Some("vendors/aws"), Some("2026-03-20T08:00:00Z")));
        assert!(evidence["notes"].to_string().contains("no recipients"), "{}", evidence["notes"]);
        assert_eq!((each(&evidence["acts"], &["act"]), evidence["subprocessors_at_publication"][0]["display_name"].as_str()), (vec!["CREATED"], Some("AWS")));
        let (_, text) = page(&mut scene, "theirs").await;
        assert!(text.contains("March 2026") && text.contains(&inbound.follow_up_notice), "{text}");
        verify(&mut scene, &evidence).await;

        scene.announce_for("n", vec![add("new")], "").await;
        scene.withdraw("n", &[]).await.expect("withdrawn");
        let evidence = json(&mut scene, "n").await;
        assert_eq!(each(&evidence["acts"], &["act"]), ["CREATED", "APPROVED", "PUBLISHED", "WITHDRAWN"]);
        assert_eq!(evidence["notice"]["withdraw_reason"], "thought better of it");
        let request = v1::DeleteNoticeRequest { name: inbound.follow_up_notice.clone(), ..Default::default() };
        scene.server.notices.delete_notice(request).await.expect("deleted");
        let draft = RenderNoticeEvidenceRequest { name: inbound.follow_up_notice, ..of("", Format::Json) };
        let evidence = json_of(&mut scene, draft).await;
        assert_eq!(each(&evidence["acts"], &["act"]), ["CREATED", "DELETED"]);
        assert!(evidence["notice"]["delete_time"].is_string());
    }

    async fn what_was_erased_is_said_to_have_been(backend: Backend) {
        let mut scene = eventful(backend).await;
        for name in [customer("quiet"), format!("{}/recipients/quiet", notice("n"))] {
            let request = v1::DeleteCustomerRequest { name: name.clone(), ..Default::default() };
            if name == customer("quiet") {
                scene.server.organizations.delete_customer(request).await.expect("deleted");
            }
            let request = v1::ErasePersonalDataRequest { name, reason: "request 7".into(), ..Default::default() };
            scene.server.log.erase_personal_data(request).await.expect("erased");
        }
        let evidence = json(&mut scene, "n").await;
        let text = evidence.to_string();
        assert!(text.contains("request 7") && evidence["notes"].to_string().contains("erased"), "{text}");
        // That it was told is still to be seen, of a customer that was deleted too.
        assert!(text.contains("recipients/quiet"), "{text}");
        verify(&mut scene, &evidence).await;
        let some = RenderNoticeEvidenceRequest { customers: vec![customer("quiet")], ..of("n", Format::Json) };
        let evidence = json_of(&mut scene, some).await;
        assert!(evidence.to_string().contains("ERASED"), "{evidence}");
    }
}

/// However many it reaches, as long as they fit on a page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_statements_does_not_grow_with_the_audience() {
    let mut scene = Scene::new(Backend::Postgres).await;
    let wire = Wire::new(&scene.place.url).await;
    let territories = catalog::territories().expect("territories");
    let options = store::Options::new(&wire.url);
    let store = Store::open(&options, Arc::new(Clock::System), territories).await.expect("opened");
    let mut counts = Vec::new();
    for (id, more) in [("few", 0..2), ("many", 2..60)] {
        for number in more {
            scene.customer(&format!("c{number}"), general(30, 30)).await;
        }
        scene.announce_for(id, vec![add(id)], "2026-05-01T00:00:00Z").await;
        let acme = Name::new(ResourceKind::Organization, None, "acme");
        let mut each = Vec::new();
        for customers in [vec![], vec![Name::new(ResourceKind::Customer, Some(&acme), "c1")]] {
            let wanted = Wanted {
                notice: Name::new(ResourceKind::Notice, Some(&acme), id),
                format: Format::Html,
                as_of: None,
                customers,
            };
            let before = wire.executed();
            store.render_notice_evidence(&wanted).await.expect("rendered");
            each.push(wire.executed() - before);
        }
        counts.push(each);
    }
    assert_eq!(counts[0], counts[1], "as many for 2 as for 60");
    assert!(counts[0].iter().all(|count| *count < 40), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_client_could_take_is_refused_and_some_customers_of_it_are_not() {
    let mut scene = Scene::new(Backend::Sqlite).await;
    let exempt: Vec<String> = (0..3).map(|n| format!("{n}{}", "x".repeat(950))).collect();
    for chunk in 0..3 {
        let one = |n: i32| {
            format!(
                "  - {{id: c{chunk}-{n}, display_name: C, agreement: {{notice_days: 30, exempt: [{}]}}}}\n",
                exempt.join(", ")
            )
        };
        let customers: String = (0..400).map(one).collect();
        let manifest = format!(
            "organization: {{id: acme, display_name: Acme, notice_policy: {{enforcement: REQUIRED}}}}\ncustomers:\n{customers}"
        );
        crate::support::apply(&mut scene.server, &manifest).await.expect("applied");
    }
    scene.announce_for("n", vec![add("aws")], "").await;
    let status =
        refused(try_render(&mut scene, of("n", Format::Json)).await, Code::ResourceExhausted, "ANSWER_TOO_LARGE", &[]);
    assert!(status.message().starts_with("the evidence of organizations/acme/notices/n has "), "{status:?}");
    let some = RenderNoticeEvidenceRequest { customers: vec![customer("c2-7")], ..of("n", Format::Html) };
    try_render(&mut scene, some).await.expect("rendered");
}

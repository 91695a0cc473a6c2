//! Pages, filters, and what is asked wrongly.

use subprocessor_registry::proto::v1::{
    self, Finding, ListFindingsRequest,
    finding::{Kind, Severity},
};
use tonic::Code;

use super::{ACME, acme, ask, engage, kinds, publish, whole};
use crate::support::{Place, Server, both, organization, refused, subprocessor, vendor};

fn request(parent: &str) -> ListFindingsRequest {
    ListFindingsRequest { parent: parent.into(), date: "2026-03-23".into(), ..Default::default() }
}

both! {
    async fn pages_of_any_size_are_one_walk(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true"), ("EXAMPLES__LOAD", "true")]).await;
        for (parent, within_days) in [("organizations/-", 0), ("organizations/cloudengage", 365)] {
            let request = ListFindingsRequest { within_days, ..request(parent) };
            let whole = ask(&mut server, ListFindingsRequest { page_size: 1_000, ..request.clone() }).await;
            assert!(whole.len() > 20, "{}", whole.len());
            let mut names: Vec<&str> = whole.iter().map(|one| one.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), whole.len(), "each once");
            for page_size in [1, 7] {
                let mut asked = ListFindingsRequest { page_size, ..request.clone() };
                let mut all: Vec<Finding> = Vec::new();
                loop {
                    let page = server.mechanisms.list_findings(asked.clone()).await.expect("a page").into_inner();
                    assert!(page.findings.len() <= page_size as usize);
                    all.extend(page.findings);
                    if page.next_page_token.is_empty() {
                        break;
                    }
                    asked.page_token = page.next_page_token;
                }
                assert_eq!(all, whole, "{page_size}");
            }
        }
    }

    async fn a_walk_stays_on_the_day_on_which_it_began(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true"), ("EXAMPLES__LOAD", "true")]).await;
        let (parent, page_size) = ("organizations/-".to_owned(), 5);
        let findings = ListFindingsRequest { parent: parent.clone(), page_size, ..Default::default() };
        let transfers = v1::AssessTransfersRequest { parent: parent.clone(), page_size, ..Default::default() };
        let claims = v1::AssessClaimsRequest { parent, page_size: 1, ..Default::default() };
        let first = (
            server.mechanisms.list_findings(findings.clone()).await.expect("a page").into_inner(),
            server.mechanisms.assess_transfers(transfers.clone()).await.expect("a page").into_inner(),
            server.mechanisms.assess_claims(claims.clone()).await.expect("a page").into_inner(),
        );
        place.set_clock("2026-03-24T00:00:01Z");
        let findings = ListFindingsRequest { page_token: first.0.next_page_token, ..findings };
        let second = server.mechanisms.list_findings(findings.clone()).await.expect("the next page").into_inner();
        assert_eq!((first.0.date.as_str(), second.date.as_str()), ("2026-03-23", "2026-03-23"));
        let transfers = v1::AssessTransfersRequest { page_token: first.1.next_page_token, ..transfers };
        let second = server.mechanisms.assess_transfers(transfers.clone()).await.expect("the next page").into_inner();
        assert!(second.assessments.iter().all(|one| one.date == "2026-03-23"), "{second:?}");
        let claims = v1::AssessClaimsRequest { page_token: first.2.next_page_token, ..claims };
        let second = server.mechanisms.assess_claims(claims.clone()).await.expect("the next page").into_inner();
        assert_eq!((first.2.date.as_str(), second.date.as_str()), ("2026-03-23", "2026-03-23"));
        // One that names a day is another query, also if it is the same day.
        let date = "2026-03-23".to_owned();
        let answer = server.mechanisms.list_findings(ListFindingsRequest { date: date.clone(), ..findings }).await;
        refused(answer, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
        let other = v1::AssessTransfersRequest { date: date.clone(), ..transfers };
        let answer = server.mechanisms.assess_transfers(other).await;
        refused(answer, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
        let answer = server.mechanisms.assess_claims(v1::AssessClaimsRequest { date, ..claims }).await;
        refused(answer, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
    }

    async fn a_walk_stays_at_its_revision(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        vendor(&mut server, "aws").await;
        for id in ["a", "b", "c"] {
            engage(&mut server, id, v1::Subprocessor { section: id.into(), dpa: None, ..whole("aws") }).await;
        }
        let first = ListFindingsRequest { page_size: 1, ..request(ACME) };
        let page = server.mechanisms.list_findings(first.clone()).await.expect("a page").into_inner();
        for id in ["aa", "d"] {
            engage(&mut server, id, v1::Subprocessor { section: id.into(), dpa: None, ..whole("aws") }).await;
        }
        let rest = ListFindingsRequest { page_token: page.next_page_token.clone(), page_size: 1, ..first.clone() };
        let rest = ask(&mut server, rest).await;
        let subjects: Vec<&str> = rest.iter().map(|one| one.subject.rsplit('/').next().unwrap_or_default()).collect();
        assert_eq!(subjects, ["b", "c"]);
        for other in [
            ListFindingsRequest { within_days: 1, ..first.clone() },
            ListFindingsRequest { date: "2026-03-24".into(), ..first.clone() },
            ListFindingsRequest { kinds: vec![Kind::DpaDue.into()], ..first.clone() },
            ListFindingsRequest { severity: Severity::Warning.into(), ..first.clone() },
            ListFindingsRequest { subject: format!("{ACME}/subprocessors/a"), ..first.clone() },
            ListFindingsRequest { show_acknowledged: true, ..first.clone() },
            ListFindingsRequest { parent: "organizations/-".into(), ..first.clone() },
        ] {
            let other = ListFindingsRequest { page_token: page.next_page_token.clone(), ..other };
            let answer = server.mechanisms.list_findings(other).await;
            refused(answer, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
        }
        let as_of = Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(page.revision)) });
        assert_eq!(ask(&mut server, ListFindingsRequest { as_of, ..request(ACME) }).await.len(), 3);
        assert_eq!(ask(&mut server, request(ACME)).await.len(), 5);
    }

    async fn what_is_asked_for_is_narrowed(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        organization(&mut server, "other").await;
        vendor(&mut server, "aws").await;
        let gaps = v1::Subprocessor { dpa: None, incomplete_reason: "not in the text".into(), ..whole("aws") };
        engage(&mut server, "aws", gaps.clone()).await;
        let over = v1::Dpa { status: v1::dpa::Status::Terminated.into(), ..Default::default() };
        let theirs = v1::Subprocessor { dpa: Some(over), ..gaps };
        subprocessor(&mut server, "organizations/other", "aws", theirs).await.expect("engaged");
        let retention = |duration: &str| v1::Claim {
            kind: v1::claim::Kind::Retention.into(),
            quote: duration.into(),
            retention: Some(v1::Retention {
                kind: v1::retention::Kind::Fixed.into(), duration: duration.into(), data: "x".into(), ..Default::default()
            }),
            ..Default::default()
        };
        let policy = v1::document::Kind::PrivacyPolicy;
        publish(&mut server, "policy", policy, vec![retention("P1D"), retention("P2D")]).await;
        assert_eq!(ask(&mut server, request(ACME)).await.len(), 3);
        let all = ask(&mut server, request("organizations/-")).await;
        assert_eq!(all.len(), 5);
        let by_kind = ListFindingsRequest { kinds: vec![Kind::DpaDue.into()], ..request("organizations/-") };
        let found = ask(&mut server, by_kind).await;
        assert_eq!((found.len(), kinds(&found)), (2, [Kind::DpaDue].into()));
        for (severity, count) in [(Severity::Info, 5), (Severity::Warning, 3), (Severity::Critical, 1)] {
            let asked = ListFindingsRequest { severity: severity.into(), ..request("organizations/-") };
            assert_eq!(ask(&mut server, asked).await.len(), count, "{severity:?}");
        }
        for (subject, count) in [
            ("organizations/acme/subprocessors/aws", 2),
            ("organizations/acme/documents/policy", 1),
            ("organizations/acme/subprocessors/none", 0),
            ("organizations/acme", 0),
            ("vendors/aws", 0),
        ] {
            let asked = ListFindingsRequest { subject: subject.into(), ..request("organizations/-") };
            assert_eq!(ask(&mut server, asked).await.len(), count, "{subject}");
        }
    }

    async fn what_is_asked_wrongly_is_refused(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let bad = |change: fn(&mut ListFindingsRequest)| {
            let mut request = request(ACME);
            change(&mut request);
            request
        };
        for (asked, field) in [
            (bad(|r| r.parent.clear()), "parent"),
            (bad(|r| r.parent = "vendors/aws".into()), "parent"),
            (bad(|r| r.parent = "organizations/'; --".into()), "parent"),
            (bad(|r| r.date = "2026-02-30".into()), "date"),
            (bad(|r| r.date = "tomorrow".into()), "date"),
            (bad(|r| r.within_days = -1), "within_days"),
            (bad(|r| r.within_days = 3_661), "within_days"),
            (bad(|r| r.within_days = i32::MAX), "within_days"),
            (bad(|r| r.kinds = vec![1, 0]), "kinds[1]"),
            (bad(|r| r.kinds = vec![999]), "kinds[0]"),
            (bad(|r| r.severity = 99), "severity"),
            (bad(|r| r.subject = "x\0".into()), "subject"),
            (bad(|r| r.page_size = -1), "page_size"),
        ] {
            let answer = server.mechanisms.list_findings(asked).await;
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", &[field]);
        }
        let forged = bad(|r| r.page_token = "forged".into());
        refused(server.mechanisms.list_findings(forged).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
        let all = bad(|r| (r.parent, r.date, r.within_days) = (String::new(), "x".into(), -1));
        let fields = ["parent", "date", "within_days"];
        refused(server.mechanisms.list_findings(all).await, Code::InvalidArgument, "FIELD_INVALID", &fields);
        let none = bad(|r| r.parent = "organizations/none".into());
        refused(server.mechanisms.list_findings(none).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let future = Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(9_999)) });
        let later = ListFindingsRequest { as_of: future, ..request(ACME) };
        refused(server.mechanisms.list_findings(later).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        let last = ListFindingsRequest { date: "2199-12-31".into(), within_days: 3_660, ..request(ACME) };
        assert_eq!(ask(&mut server, last).await, []);
    }
}

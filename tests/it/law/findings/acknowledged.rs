//! What is said to findings: hidden until a day, replaced, refused, answered again.

use std::slice::from_ref;

use subprocessor_registry::proto::v1::{self, AcknowledgeFindingRequest, Finding, ListFindingsRequest, finding::Kind};
use tonic::{Code, Status};

use super::{ACME, acme, ask, engage, of_kind, on, whole};
use crate::support::{Backend, Place, Server, both, refused, update_subprocessor, vendor};

const TODAY: &str = "2026-03-23";

/// An organization with one subprocessor without an agreement, and what is found of it.
async fn lacking(backend: Backend) -> (Place, Server, Finding) {
    let (place, mut server) = acme(backend).await;
    vendor(&mut server, "aws").await;
    engage(&mut server, "aws", v1::Subprocessor { dpa: None, ..whole("aws") }).await;
    let finding = on(&mut server, TODAY).await.remove(0);
    (place, server, finding)
}

fn asked(name: &str, until: &str) -> AcknowledgeFindingRequest {
    AcknowledgeFindingRequest {
        name: name.into(),
        reason: "being signed".into(),
        return_date: until.into(),
        ..Default::default()
    }
}

async fn say(server: &mut Server, request: AcknowledgeFindingRequest) -> Result<Finding, Status> {
    server.mechanisms.acknowledge_finding(request).await.map(tonic::Response::into_inner)
}

async fn shown(server: &mut Server, date: &str) -> Vec<Finding> {
    let request =
        ListFindingsRequest { parent: ACME.into(), date: date.into(), show_acknowledged: true, ..Default::default() };
    ask(server, request).await
}

both! {
    async fn a_finding_is_left_out_until_its_day(backend: Backend) {
        let (_place, mut server, finding) = lacking(backend).await;
        let before = server.revision().await;
        let answer = say(&mut server, asked(&finding.name, "2026-04-01")).await.expect("acknowledged");
        let said = answer.acknowledgement.clone().expect("said");
        assert_eq!(Finding { acknowledgement: None, ..answer.clone() }, finding);
        assert_eq!(said.name, finding.name.replace("findings", "acknowledgements"));
        assert_eq!((said.reason.as_str(), said.return_date.as_str()), ("being signed", "2026-04-01"));
        assert_eq!((said.principal.as_str(), said.finding_kind()), ("anonymous", Kind::DpaDue));
        assert_eq!((said.subject.as_str(), said.finding_text.as_str()), (finding.subject.as_str(), finding.text.as_str()));
        assert_eq!((said.acknowledge_time, said.revision), (said.create_time, before + 1));
        assert_eq!(on(&mut server, TODAY).await, []);
        assert_eq!(on(&mut server, "2026-03-31").await, []);
        assert_eq!(on(&mut server, "2026-04-01").await, from_ref(&answer));
        assert_eq!(shown(&mut server, TODAY).await, from_ref(&answer));
        // As it was then nobody had said anything.
        let as_of = Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(before)) });
        let then = ListFindingsRequest { parent: ACME.into(), date: TODAY.into(), as_of, ..Default::default() };
        assert_eq!(ask(&mut server, then).await, from_ref(&finding));

        let got = v1::GetAcknowledgementRequest { name: said.name.clone(), as_of: None };
        assert_eq!(server.mechanisms.get_acknowledgement(got).await.expect("got").into_inner(), said);
        let list = v1::ListAcknowledgementsRequest {
            parent: ACME.into(), filter: "finding_kind = DPA_DUE AND return_date > \"2026-03-31\"".into(), ..Default::default()
        };
        let listed = server.mechanisms.list_acknowledgements(list).await.expect("listed").into_inner();
        assert_eq!(listed.acknowledgements, [said]);
    }

    async fn it_is_replaced_and_taken_back(backend: Backend) {
        let (place, mut server, finding) = lacking(backend).await;
        let first = say(&mut server, asked(&finding.name, "2026-04-01")).await.expect("acknowledged");
        let etag = first.acknowledgement.as_ref().expect("said").etag.clone();
        let revision = server.revision().await;
        place.set_clock("2026-03-24T10:00:00Z");
        // The same again changes nothing.
        assert_eq!(say(&mut server, asked(&finding.name, "2026-04-01")).await.expect("the same"), first);
        assert_eq!(server.revision().await, revision);
        let stale = AcknowledgeFindingRequest { etag: "other".into(), ..asked(&finding.name, "2026-05-01") };
        refused(say(&mut server, stale).await, Code::Aborted, "ETAG_STALE", &[]);
        let next = AcknowledgeFindingRequest { etag, ..asked(&finding.name, "2026-05-01") };
        let second = say(&mut server, next.clone()).await.expect("replaced").acknowledgement.expect("said");
        let first = first.acknowledgement.expect("said");
        assert_eq!((second.return_date.as_str(), &second.uid), ("2026-05-01", &first.uid));
        assert!(second.acknowledge_time != first.acknowledge_time && second.create_time == first.create_time);
        refused(say(&mut server, next).await, Code::Aborted, "ETAG_STALE", &[]);
        assert_eq!(on(&mut server, "2026-04-15").await, []);
        // Today brings it back at once.
        say(&mut server, asked(&finding.name, "2026-03-24")).await.expect("taken back");
        assert_eq!(on(&mut server, "2026-03-24").await.len(), 1);
    }

    async fn one_that_becomes_another_comes_back(backend: Backend) {
        let (_place, mut server, finding) = lacking(backend).await;
        say(&mut server, asked(&finding.name, "2030-01-01")).await.expect("acknowledged");
        assert_eq!(on(&mut server, TODAY).await, []);
        let dpa = Some(v1::Dpa { status: v1::dpa::Status::Terminated.into(), ..Default::default() });
        let worse = v1::Subprocessor { name: finding.subject.clone(), dpa, ..Default::default() };
        update_subprocessor(&mut server, worse, &["dpa"]).await.expect("updated");
        let found = on(&mut server, TODAY).await;
        assert!(found.len() == 1 && found[0].name != finding.name, "{found:?}");
        let none = say(&mut server, asked(&finding.name, "2030-01-01")).await;
        refused(none, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        // What the organization said goes with it.
        let request = v1::DeleteSubprocessorRequest { name: finding.subject.clone(), ..Default::default() };
        server.subprocessors.delete_subprocessor(request).await.expect("deleted");
        let request = v1::DeleteOrganizationRequest { name: ACME.into(), ..Default::default() };
        server.organizations.delete_organization(request).await.expect("nothing holds it back");
        assert_eq!(on(&mut server, TODAY).await, []);
    }

    async fn what_cannot_be_acknowledged_is_refused(backend: Backend) {
        let (_place, mut server, finding) = lacking(backend).await;
        let revision = server.revision().await;
        let name = finding.name.as_str();
        let long = "x".repeat(100_000);
        for (request, fields) in [
            (asked(name, "2026-03-22"), vec!["return_date"]),
            (asked(name, ""), vec!["return_date"]),
            (asked(name, "2026-02-30"), vec!["return_date"]),
            (AcknowledgeFindingRequest { reason: String::new(), ..asked(name, TODAY) }, vec!["reason"]),
            (AcknowledgeFindingRequest { reason: " \n".into(), ..asked(name, TODAY) }, vec!["reason"]),
            (AcknowledgeFindingRequest { reason: "a\0b".into(), ..asked(name, TODAY) }, vec!["reason"]),
            (AcknowledgeFindingRequest { reason: long, ..asked(name, TODAY) }, vec!["reason"]),
            (asked("", TODAY), vec!["name"]),
            (asked("organizations/-/findings/x", TODAY), vec!["name"]),
            (asked("organizations/acme/acknowledgements/x", TODAY), vec!["name"]),
            (asked("organizations/acme/findings/X'; --", TODAY), vec!["name"]),
            (AcknowledgeFindingRequest::default(), vec!["name", "reason", "return_date"]),
        ] {
            for validate_only in [true, false] {
                let request = AcknowledgeFindingRequest { validate_only, ..request.clone() };
                refused(say(&mut server, request).await, Code::InvalidArgument, "FIELD_INVALID", &fields);
            }
        }
        for unknown in [
            "organizations/acme/findings/x",
            "organizations/acme/findings/dpa-due-0123456789abcdef01234567",
            &name.replace("acme", "none"),
        ] {
            for validate_only in [true, false] {
                let request = AcknowledgeFindingRequest { validate_only, ..asked(unknown, TODAY) };
                refused(say(&mut server, request).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
            }
        }
        let stale = AcknowledgeFindingRequest { etag: "x".into(), ..asked(name, TODAY) };
        refused(say(&mut server, stale).await, Code::Aborted, "ETAG_STALE", &[]);
        assert_eq!(server.revision().await, revision, "refusals write nothing");
    }

    async fn it_is_rehearsed_and_answered_again_by_its_request_id(backend: Backend) {
        let (_place, mut server, finding) = lacking(backend).await;
        let revision = server.revision().await;
        let dry = AcknowledgeFindingRequest { validate_only: true, ..asked(&finding.name, "2026-04-01") };
        let would = say(&mut server, dry).await.expect("rehearsed");
        assert_eq!(would.acknowledgement.expect("said").return_date, "2026-04-01");
        assert_eq!((server.revision().await, on(&mut server, TODAY).await.len()), (revision, 1));
        let request = AcknowledgeFindingRequest { request_id: "one".into(), ..asked(&finding.name, "2026-04-01") };
        let answer = say(&mut server, request.clone()).await.expect("acknowledged");
        // The finding is gone; the request was answered.
        let dpa = whole("aws").dpa;
        let signed = v1::Subprocessor { name: finding.subject.clone(), dpa, ..Default::default() };
        update_subprocessor(&mut server, signed, &["dpa"]).await.expect("updated");
        let revision = server.revision().await;
        assert_eq!(say(&mut server, request.clone()).await.expect("the first answer"), answer);
        let other = AcknowledgeFindingRequest { reason: "another".into(), ..request };
        refused(say(&mut server, other).await, Code::AlreadyExists, "REQUEST_ID_REUSED", &[]);
        assert_eq!(server.revision().await, revision);
    }

    async fn what_comes_within_ten_years_can_be_acknowledged_now(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        vendor(&mut server, "aws").await;
        let review = |date: &str, section: &str| v1::Subprocessor {
            next_review_date: date.into(), section: section.into(), ..whole("aws")
        };
        engage(&mut server, "near", review("2036-03-23", "near")).await;
        engage(&mut server, "far", review("2036-03-25", "far")).await;
        let (near, far) = (
            of_kind(&mut server, Kind::ReviewDue, "2036-03-24").await.remove(0),
            of_kind(&mut server, Kind::ReviewDue, "2036-03-25").await.remove(0),
        );
        assert!(near.subject.ends_with("near") && far.subject.ends_with("far"));
        say(&mut server, asked(&near.name, "2036-06-01")).await.expect("within ten years");
        refused(say(&mut server, asked(&far.name, "2036-06-01")).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        assert_eq!(of_kind(&mut server, Kind::ReviewDue, "2036-03-24").await, []);
        assert_eq!(of_kind(&mut server, Kind::ReviewDue, "2036-06-01").await.len(), 2);
    }

    async fn it_is_in_the_log_and_can_be_erased(backend: Backend) {
        let (_place, mut server, finding) = lacking(backend).await;
        say(&mut server, asked(&finding.name, "2026-04-01")).await.expect("acknowledged");
        let name = finding.name.replace("findings", "acknowledgements");
        let revision = server.revision().await;
        let request = v1::GetRevisionRequest { name: format!("revisions/{revision}") };
        let change = server.log.get_revision(request).await.expect("a revision").into_inner().changes.remove(0);
        assert_eq!((change.resource_name.as_str(), change.after.is_some()), (name.as_str(), true));
        say(&mut server, AcknowledgeFindingRequest { reason: "plain".into(), ..asked(&finding.name, "2026-04-01") })
            .await.expect("replaced");
        let erase = v1::ErasePersonalDataRequest { name, reason: "asked".into(), ..Default::default() };
        let erased = server.log.erase_personal_data(erase).await.expect("erased").into_inner();
        assert_eq!((erased.versions_erased, erased.current_version_kept), (1, true));
        let verified = server.log.verify_change_log(v1::VerifyChangeLogRequest::default()).await.expect("verified");
        assert!(verified.into_inner().verified);
        assert_eq!(shown(&mut server, TODAY).await[0].acknowledgement.as_ref().expect("said").reason, "plain");
    }
}

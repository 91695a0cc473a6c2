//! The gates of putting a subprocessor into use.

use subprocessor_registry::proto::v1::{
    self, Role,
    dpa::Status as DpaStatus,
    gate_record::{Gate, Outcome},
    notice_policy::Enforcement,
    subprocessor::State,
};
use tonic::{Code, Status};

use super::{ACME, name, named, row};
use crate::support::{
    Server, activate, announce, both, fresh, get_subprocessor, preconditions, refused, suspend, update_subprocessor,
    vendor,
};

async fn organization(server: &mut Server, enforcement: Enforcement) {
    let policy = v1::NoticePolicy { enforcement: enforcement.into(), ..Default::default() };
    let organization =
        v1::Organization { display_name: "ACME".into(), notice_policy: Some(policy), ..Default::default() };
    let request = v1::CreateOrganizationRequest {
        organization_id: "acme".into(),
        organization: Some(organization),
        ..Default::default()
    };
    server.organizations.create_organization(request).await.expect("created");
}

fn dpa(status: DpaStatus, expire_date: &str) -> Option<v1::Dpa> {
    Some(v1::Dpa { status: status.into(), expire_date: expire_date.into(), ..Default::default() })
}

async fn past(server: &mut Server, name: &str, reason: &str, approver: &str) -> Result<v1::Subprocessor, Status> {
    let over = v1::Override { reason: reason.into(), approver: approver.into() };
    let request = v1::ActivateRequest { name: name.into(), r#override: Some(over), ..Default::default() };
    server.subprocessors.activate(request).await.map(tonic::Response::into_inner)
}

/// Proposes and announces: what gates stand before then are those of this file.
async fn engage(server: &mut Server, id: &str, asked: v1::Subprocessor) -> Result<v1::Subprocessor, Status> {
    let made = super::engage(server, id, asked).await?;
    Ok(announce(server, &made.name).await)
}

/// Asserts that the gates refuse, and which.
#[track_caller]
fn held(answer: Result<v1::Subprocessor, Status>, gates: &[&str]) -> Status {
    let status = refused(answer, Code::FailedPrecondition, "GATE_REFUSED", &[]);
    let named = preconditions(&status);
    assert_eq!(named.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), gates, "{status:?}");
    status
}

const DPA: &str = "GATE_DPA_IN_FORCE";
const ANNEX_III: &str = "GATE_ANNEX_III_COMPLETE";

both! {
    async fn a_required_policy_names_every_gate_that_is_not_met(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, Enforcement::Required).await;
        let bare = v1::Vendor { display_name: "Bare".into(), ..Default::default() };
        let request = v1::CreateVendorRequest { vendor_id: "bare".into(), vendor: Some(bare), ..Default::default() };
        server.vendors.create_vendor(request).await.expect("created");
        vendor(&mut server, "whole").await;
        let made = engage(&mut server, "bare", named("bare")).await.expect("proposing needs no gate");
        let revision = server.revision().await;
        let status = held(activate(&mut server, &made.name).await, &[DPA, ANNEX_III]);
        assert!(preconditions(&status).iter().all(|(_, subject)| *subject == made.name));
        let tried = v1::ActivateRequest { name: made.name.clone(), validate_only: true, ..Default::default() };
        held(server.subprocessors.activate(tried).await.map(tonic::Response::into_inner), &[DPA, ANNEX_III]);
        assert_eq!((get_subprocessor(&mut server, &made.name).await, server.revision().await), (made, revision));

        let whole = engage(&mut server, "whole", named("whole")).await.expect("created");
        held(activate(&mut server, &whole.name).await, &[DPA]);
        let signed = v1::Subprocessor { dpa: dpa(DpaStatus::Signed, ""), ..whole };
        let signed = update_subprocessor(&mut server, signed, &["dpa"]).await.expect("updated");
        let active = activate(&mut server, &signed.name).await.expect("all is met");
        assert_eq!((active.state(), active.gate_records.len()), (State::Active, 0));
    }

    async fn which_agreements_count_until_when(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, Enforcement::Required).await;
        vendor(&mut server, "whole").await;
        // Today is 2026-03-23; an agreement's expire_date is the first day without it.
        for (i, (status, expires, counts)) in [
            (DpaStatus::Signed, "", true),
            (DpaStatus::Signed, "2026-03-24", true),
            (DpaStatus::Signed, "2026-03-23", false),
            (DpaStatus::IncorporatedByReference, "", true),
            (DpaStatus::IncorporatedByReference, "2026-03-23", false),
            (DpaStatus::Unspecified, "", false),
            (DpaStatus::NotChecked, "", false),
            (DpaStatus::ActionRequired, "", false),
            (DpaStatus::Expired, "2030-01-01", false),
            (DpaStatus::Terminated, "", false),
        ].into_iter().enumerate() {
            let id = format!("row-{i}");
            let asked = v1::Subprocessor { dpa: dpa(status, expires), section: id.clone(), ..named("whole") };
            engage(&mut server, &id, asked).await.expect("created");
            let answer = activate(&mut server, &name(&id)).await;
            if counts {
                assert_eq!(answer.expect("in force").gate_records, [], "{status:?} until {expires:?}");
            } else {
                held(answer, &[DPA]);
            }
        }
        // The day passes, and with it the agreement of one that comes back.
        suspend(&mut server, &name("row-1")).await.expect("suspended");
        place.set_clock("2026-03-24T00:00:00Z");
        held(activate(&mut server, &name("row-1")).await, &[DPA]);
    }

    async fn which_roles_need_an_agreement(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, Enforcement::Required).await;
        vendor(&mut server, "whole").await;
        for (role, needs) in [
            (Role::SubProcessor, true), (Role::Processor, true), (Role::Both, true), (Role::NotStated, true),
            (Role::Unspecified, true), (Role::Controller, false), (Role::IndependentController, false),
            (Role::Recipient, false), (Role::DataSource, false),
        ] {
            let id = format!("{role:?}").to_lowercase();
            let asked = v1::Subprocessor { role: role.into(), section: id.clone(), ..named("whole") };
            engage(&mut server, &id, asked).await.expect("created");
            let answer = activate(&mut server, &name(&id)).await;
            if needs { drop(held(answer, &[DPA])) } else { drop(answer.expect("no processor, no agreement")) }
        }
    }

    async fn annex_iii_is_about_the_entity_that_is_engaged(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, Enforcement::Required).await;
        let address = v1::Address { verbatim: "1 Road, Town".into(), ..Default::default() };
        let entity = |id: &str, address: Option<v1::Address>| v1::Entity {
            entity_id: id.into(), legal_name: format!("{id} Inc"), address, ..Default::default()
        };
        let contact = v1::Contact { uri: "https://two.example/contact".into(), ..Default::default() };
        let two = v1::Vendor {
            display_name: "two".into(),
            entities: vec![entity("known", Some(address)), entity("unknown", None)],
            contacts: vec![contact],
            ..Default::default()
        };
        let request = v1::CreateVendorRequest { vendor_id: "two".into(), vendor: Some(two.clone()), ..Default::default() };
        let two = server.vendors.create_vendor(request).await.expect("created").into_inner();
        let signed = v1::Subprocessor { dpa: dpa(DpaStatus::Signed, ""), ..named("two") };
        for (id, met) in [("", true), ("known", true), ("unknown", false)] {
            let asked = v1::Subprocessor { vendor_entity: id.into(), section: format!("for {id}"), ..signed.clone() };
            let made = engage(&mut server, &format!("by-{id}x"), asked).await.expect("created");
            let answer = activate(&mut server, &made.name).await;
            if met {
                answer.expect("complete");
            } else {
                assert!(format!("{:?}", held(answer, &[ANNEX_III])).contains("its address"));
            }
        }
        let silent = v1::Vendor { contacts: vec![], ..two };
        let request = v1::UpdateVendorRequest {
            vendor: Some(silent),
            update_mask: Some(prost_types::FieldMask { paths: vec!["contacts".into()] }),
            ..Default::default()
        };
        server.vendors.update_vendor(request).await.expect("updated");
        let made = engage(&mut server, "silent", v1::Subprocessor { section: "S".into(), ..signed }).await.expect("created");
        held(activate(&mut server, &made.name).await, &[ANNEX_III]);
    }

    async fn a_category_without_a_name_cannot_meet_annex_iii(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, Enforcement::Required).await;
        let made = engage(&mut server, "tools", row("Payment tools")).await.expect("created");
        let status = held(activate(&mut server, &made.name).await, &[ANNEX_III]);
        assert!(format!("{status:?}").contains("the vendor"), "{status:?}");
        let active = past(&mut server, &made.name, "the list names categories", "dpo").await.expect("overridden");
        assert_eq!(active.gate_records.len(), 1);
    }

    async fn an_override_is_recorded_for_good(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, Enforcement::Required).await;
        vendor(&mut server, "whole").await;
        let made = engage(&mut server, "whole", named("whole")).await.expect("created");
        for (reason, approver, fields) in [
            ("", "", &["override.reason", "override.approver"][..]),
            (" \n", "dpo", &["override.reason"]),
            ("because", "", &["override.approver"]),
        ] {
            refused(past(&mut server, &made.name, reason, approver).await, Code::InvalidArgument, "FIELD_INVALID", fields);
        }
        assert_eq!(get_subprocessor(&mut server, &made.name).await, made);
        let active = past(&mut server, &made.name, "the vendor signs next week", "dpo-7").await.expect("overridden");
        let [record] = active.gate_records.as_slice() else { panic!("one record in {active:?}") };
        assert_eq!((record.gate(), record.outcome()), (Gate::DpaInForce, Outcome::Overridden));
        let over = record.r#override.as_ref().expect("an override");
        assert_eq!((over.reason.as_str(), over.approver.as_str()), ("the vendor signs next week", "dpo-7"));
        assert_eq!(record.record_time, active.update_time);
        assert!(record.detail.contains("2026-03-23"), "{record:?}");
        // Updates of every kind keep it, and so do other steps.
        let bare = v1::Subprocessor { name: made.name.clone(), ..named("whole") };
        let after = update_subprocessor(&mut server, bare, &["*"]).await.expect("updated");
        assert_eq!(after.gate_records, active.gate_records);
        let manifest = "organization: {id: acme, display_name: ACME, notice_policy: {enforcement: REQUIRED}}\n\
                        subprocessors: [{id: whole, display_name: Renamed, vendor: vendors/whole}]\n";
        crate::support::apply(&mut server, manifest).await.expect("applied");
        place.set_clock("2026-03-25T00:00:00Z");
        suspend(&mut server, &made.name).await.expect("suspended");
        held(activate(&mut server, &made.name).await, &[DPA]);
        let twice = past(&mut server, &made.name, "again", "dpo-8").await.expect("overridden");
        assert_eq!((twice.display_name.as_str(), twice.gate_records.len()), ("Renamed", 2));
        assert_eq!(twice.gate_records[0], active.gate_records[0]);
        // Deleting and bringing it back keeps it too.
        let gone = v1::DeleteSubprocessorRequest { name: made.name.clone(), ..Default::default() };
        server.subprocessors.delete_subprocessor(gone).await.expect("deleted");
        crate::support::apply(&mut server, manifest).await.expect("brought back");
        assert_eq!(get_subprocessor(&mut server, &made.name).await.gate_records, twice.gate_records);
    }

    async fn an_override_that_passes_nothing_leaves_nothing(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, Enforcement::Required).await;
        vendor(&mut server, "whole").await;
        let signed = v1::Subprocessor { dpa: dpa(DpaStatus::Signed, ""), ..named("whole") };
        let made = engage(&mut server, "whole", signed).await.expect("created");
        let active = past(&mut server, &made.name, "to be sure", "dpo").await.expect("activated");
        assert_eq!((active.state(), active.gate_records.len()), (State::Active, 0));
    }

    async fn an_advisory_policy_records(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, Enforcement::Advisory).await;
        let bare = v1::Vendor { display_name: "Bare".into(), ..Default::default() };
        let request = v1::CreateVendorRequest { vendor_id: "bare".into(), vendor: Some(bare), ..Default::default() };
        server.vendors.create_vendor(request).await.expect("created");
        let made = engage(&mut server, "bare", named("bare")).await.expect("created");
        let active = activate(&mut server, &made.name).await.expect("advised only");
        let recorded: Vec<_> = active.gate_records.iter().map(|r| (r.gate(), r.outcome(), r.r#override.is_some())).collect();
        assert_eq!(recorded, [
            (Gate::DpaInForce, Outcome::Advisory, false),
            (Gate::AnnexIiiComplete, Outcome::Advisory, false),
        ]);
        // A policy that becomes binding binds the next time.
        let policy = v1::NoticePolicy { enforcement: Enforcement::Required.into(), ..Default::default() };
        let strict = v1::Organization { name: ACME.into(), notice_policy: Some(policy), ..Default::default() };
        let request = v1::UpdateOrganizationRequest { organization: Some(strict), ..Default::default() };
        server.organizations.update_organization(request).await.expect("updated");
        suspend(&mut server, &made.name).await.expect("suspended");
        held(activate(&mut server, &made.name).await, &[DPA, ANNEX_III]);
    }
}

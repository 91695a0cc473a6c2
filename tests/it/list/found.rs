//! What existed before the register is entered as it was; and what is the server's to say otherwise.

use subprocessor_registry::proto::v1::{self, subprocessor::State};
use tonic::Code;

use super::{ACME, engage, name, named, row};
use crate::support::{activate, both, fresh, get_subprocessor, organization, refused, update_subprocessor, vendor};

fn found(display_name: &str, state: State) -> v1::Subprocessor {
    v1::Subprocessor { recorded_as_found: true, state: state.into(), ..row(display_name) }
}

both! {
    async fn state_and_past_dates_are_taken_as_given(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let required = v1::NoticePolicy { enforcement: v1::notice_policy::Enforcement::Required.into(), ..Default::default() };
        let request = v1::CreateOrganizationRequest {
            organization_id: "acme".into(),
            organization: Some(v1::Organization { display_name: "ACME".into(), notice_policy: Some(required), ..Default::default() }),
            ..Default::default()
        };
        server.organizations.create_organization(request).await.expect("created");
        let states = [State::Proposed, State::Announced, State::Active, State::Suspended, State::Retired, State::Rejected];
        for (i, state) in states.into_iter().enumerate() {
            let asked = v1::Subprocessor {
                start_date: "2011-02-03".into(), end_date: "2020-01-01".into(), ..found(&format!("Row {i}"), state)
            };
            let made = engage(&mut server, &format!("row-{i}"), asked).await.expect("gaps refuse nothing, nor does the policy");
            assert_eq!((made.state(), made.start_date.as_str(), made.end_date.as_str()), (state, "2011-02-03", "2020-01-01"));
            assert!(made.recorded_as_found && made.gate_records.is_empty());
        }
        let unsaid = engage(&mut server, "unsaid", v1::Subprocessor { recorded_as_found: true, ..row("Unsaid") }).await;
        let unsaid = unsaid.expect("created");
        assert_eq!((unsaid.state(), unsaid.start_date.as_str()), (State::Active, ""), "in use, since always");
        let today = v1::Subprocessor { start_date: "2026-03-23".into(), ..found("Today", State::Active) };
        engage(&mut server, "today", today).await.expect("today is not the future");
    }

    async fn a_future_start_is_refused(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let ahead = v1::Subprocessor { start_date: "2026-03-24".into(), ..found("Ahead", State::Active) };
        let answer = engage(&mut server, "ahead", ahead.clone()).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.start_date"]);
        let made = engage(&mut server, "past", found("Past", State::Active)).await.expect("created");
        let later = v1::Subprocessor { start_date: "2026-03-24".into(), ..made };
        let answer = update_subprocessor(&mut server, later.clone(), &["start_date"]).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.start_date"]);
        place.set_clock("2026-03-24T00:00:00Z");
        engage(&mut server, "ahead", ahead).await.expect("that day has come");
        update_subprocessor(&mut server, later, &["start_date"]).await.expect("that day has come");
    }

    async fn it_is_said_once(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let was = engage(&mut server, "was", found("Was", State::Suspended)).await.expect("created");
        let new = engage(&mut server, "new", row("New")).await.expect("created");
        for made in [was, new] {
            let turned = v1::Subprocessor { recorded_as_found: !made.recorded_as_found, ..made.clone() };
            for mask in [&["recorded_as_found"], &["*"]] {
                let answer = update_subprocessor(&mut server, turned.clone(), mask).await;
                refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.recorded_as_found"]);
            }
            assert_eq!(get_subprocessor(&mut server, &made.name).await, made);
        }
    }

    async fn a_state_entered_wrongly_is_corrected(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let made = engage(&mut server, "row", found("Row", State::Active)).await.expect("created");
        for state in [State::Retired, State::Suspended, State::Announced, State::Rejected, State::Proposed] {
            let mut asked = made.clone();
            asked.set_state(state);
            let after = update_subprocessor(&mut server, asked, &["state"]).await.expect("corrected");
            assert_eq!(after.state(), state);
            // Into use leads only Activate, past the gates.
            let answer = update_subprocessor(&mut server, made.clone(), &["state"]).await;
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.state"]);
        }
        assert_eq!(activate(&mut server, &made.name).await.expect("activated").state(), State::Active);
        // With everything replaced and no state said, it stays.
        let whole = v1::Subprocessor { state: 0, section: "S".into(), ..made };
        let after = update_subprocessor(&mut server, whole, &["*"]).await.expect("updated");
        assert_eq!((after.state(), after.section.as_str()), (State::Active, "S"));
    }

    async fn otherwise_the_state_is_the_servers(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        for state in [State::Announced, State::Active, State::Suspended, State::Retired, State::Rejected] {
            let asked = v1::Subprocessor { state: state.into(), ..row("Row") };
            let answer = engage(&mut server, "row", asked).await;
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.state"]);
        }
        let unknown = v1::Subprocessor { state: 99, ..row("Row") };
        let answer = engage(&mut server, "row", unknown).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.state"]);
        let made = engage(&mut server, "row", v1::Subprocessor { state: State::Proposed.into(), ..row("Row") }).await;
        let made = made.expect("created");
        for state in [State::Announced, State::Active, State::Suspended, State::Retired, State::Rejected] {
            for mask in [&["state"], &["*"]] {
                let mut asked = made.clone();
                asked.set_state(state);
                let answer = update_subprocessor(&mut server, asked, mask).await;
                refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.state"]);
            }
        }
        // What was read is written back unchanged: no revision.
        let revision = server.revision().await;
        let request = v1::UpdateSubprocessorRequest { subprocessor: Some(made.clone()), ..Default::default() };
        let same = server.subprocessors.update_subprocessor(request).await.expect("updated").into_inner();
        assert_eq!((same, server.revision().await), (made.clone(), revision));
        let record = v1::GateRecord { detail: "made up".into(), ..Default::default() };
        let asked = v1::Subprocessor { gate_records: vec![record], ..made };
        let after = update_subprocessor(&mut server, asked, &["*"]).await.expect("updated");
        assert!(after.gate_records.is_empty(), "only the server records gates");
    }

    async fn real_rows_have_gaps_and_repeat_their_vendor(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let bare = v1::Vendor { display_name: "Aws".into(), ..Default::default() };
        let request = v1::CreateVendorRequest { vendor_id: "aws".into(), vendor: Some(bare), ..Default::default() };
        server.vendors.create_vendor(request).await.expect("created");
        vendor(&mut server, "gcp").await;
        for (id, message) in [
            ("hosting", v1::Subprocessor { recorded_as_found: true, section: "Hosting".into(), ..named("aws") }),
            ("mail", v1::Subprocessor { recorded_as_found: true, section: "Mail".into(), ..named("aws") }),
            ("backup", v1::Subprocessor { recorded_as_found: true, condition: "if you enable backups".into(), ..named("aws") }),
            ("either", v1::Subprocessor { recorded_as_found: true, alternative_vendors: vec!["vendors/aws".into(), "vendors/gcp".into()], ..row("AWS or GCP") }),
            ("category", v1::Subprocessor { recorded_as_found: true, incomplete_reason: "the list names a category".into(), ..row("Payment tools") }),
            ("category-again", v1::Subprocessor { recorded_as_found: true, ..row("Payment tools") }),
        ] {
            let made = engage(&mut server, id, message).await.expect("created");
            assert_eq!(made.name, name(id));
        }
        let request = v1::ListSubprocessorsRequest {
            parent: ACME.into(), filter: "vendor = \"vendors/aws\" AND state = ACTIVE".into(), ..Default::default()
        };
        let list = server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner();
        let ids: Vec<_> = list.subprocessors.iter().map(|s| s.name.rsplit('/').next().expect("an id")).collect();
        assert_eq!(ids, ["backup", "hosting", "mail"]);
    }
}

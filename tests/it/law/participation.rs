//! Taking part in a framework: on which days, and for which data.

use subprocessor_registry::proto::v1::{
    self, Certification, CertificationPeriod, DataKind, Mechanism, Transfer, Verdict, certification::Status,
};

use super::scene::{certify, create, engaged, on, on_day, transfer, with_catalog};
use crate::support::{Server, both};

async fn verdict(server: &mut Server, name: &str, date: &str) -> Verdict {
    let [answer] = on_day(server, name, date).await.try_into().expect("one answer");
    answer.verdict()
}

fn taking_part(framework: &str, status: Status, start_date: &str, end_date: &str) -> Certification {
    Certification {
        framework: format!("instruments/{framework}"),
        status: status.into(),
        start_date: start_date.into(),
        end_date: end_date.into(),
        ..Default::default()
    }
}

both! {
    async fn what_was_given_up_was_held_before(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        for (id, status) in [("withdrawn", Status::Withdrawn), ("lapsed", Status::Lapsed), ("removed", Status::Removed)] {
            let vendor = v1::CreateVendorRequest {
                vendor_id: id.into(),
                vendor: Some(v1::Vendor { display_name: id.into(), ..Default::default() }),
                ..Default::default()
            };
            let vendor = server.vendors.create_vendor(vendor).await.expect("created").into_inner().name;
            let mail = engaged(&mut server, id, &vendor, "US").await;
            let shield = taking_part("eu-us-privacy-shield", status, "2017-01-01", "2019-06-01");
            certify(&mut server, &vendor, shield).await.expect("certified");
            let made = create(&mut server, id, transfer(&mail, "US", vec![on("eu-us-privacy-shield", 0)])).await;
            let name = made.expect("created").name;
            use Verdict::{Invalidated, UnsupportedClaim, Valid};
            for (day, expected) in [
                ("2016-12-31", UnsupportedClaim),
                ("2017-01-01", Valid),
                ("2018-06-01", Valid),
                ("2019-05-31", Valid),
                ("2019-06-01", UnsupportedClaim),
                ("2020-07-16", Invalidated),
            ] {
                assert_eq!(verdict(&mut server, &name, day).await, expected, "{id}, {day}");
            }
        }
        // When it ended is not stated: then nothing says that it was held on any day.
        let mail = engaged(&mut server, "open", "vendors/mailchimp", "US").await;
        let open = taking_part("eu-us-privacy-shield", Status::Withdrawn, "2017-01-01", "");
        certify(&mut server, "vendors/mailchimp", open).await.expect("certified");
        let made = create(&mut server, "open", transfer(&mail, "US", vec![on("eu-us-privacy-shield", 0)])).await;
        let name = made.expect("created").name;
        assert_eq!(verdict(&mut server, &name, "2018-06-01").await, Verdict::UnsupportedClaim);
        // A history says it all.
        let entry = |status: Status, from: &str| CertificationPeriod { status: status.into(), from_date: from.into() };
        let told = Certification {
            history: vec![entry(Status::InProcess, "2017-01-01"), entry(Status::Withdrawn, "2018-01-01")],
            ..taking_part("eu-us-privacy-shield", Status::Withdrawn, "2017-01-01", "2018-01-01")
        };
        certify(&mut server, "vendors/mailchimp", told).await.expect("certified");
        assert_eq!(verdict(&mut server, &name, "2017-06-01").await, Verdict::UnsupportedClaim);
    }

    async fn two_certifications_cover_what_both_cover(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        let mail = engaged(&mut server, "mail", "vendors/mailchimp", "US").await;
        let mut names = Vec::new();
        for kind in [DataKind::Hr, DataKind::NonHr] {
            let one = Certification {
                covered_data: vec![kind.into()],
                ..taking_part("eu-us-dpf", Status::Active, "2023-09-01", "")
            };
            names.push(certify(&mut server, "vendors/mailchimp", one).await.expect("certified").name);
        }
        let both = Transfer {
            data: vec![DataKind::Hr.into(), DataKind::NonHr.into()],
            ..transfer(&mail, "US", vec![on("eu-us-dpf", 0)])
        };
        let any = create(&mut server, "any", both.clone()).await.expect("created").name;
        assert_eq!(verdict(&mut server, &any, "2024-01-01").await, Verdict::Valid);
        // The one that is named is meant alone.
        let named = Mechanism { certification: names[0].clone(), ..on("eu-us-dpf", 0) };
        let named = create(&mut server, "named", Transfer { mechanisms: vec![named], ..both }).await.expect("created").name;
        assert_eq!(verdict(&mut server, &named, "2024-01-01").await, Verdict::UnsupportedClaim);
        // Who does not say which data it is, is covered by both.
        let unsaid = create(&mut server, "unsaid", transfer(&mail, "US", vec![on("eu-us-dpf", 0)])).await.expect("created");
        assert_eq!(verdict(&mut server, &unsaid.name, "2024-01-01").await, Verdict::Valid);
        // Of the one that has ended nothing is left.
        let ended = Certification { name: names[1].clone(), end_date: "2025-01-01".into(), ..Default::default() };
        let request = v1::UpdateCertificationRequest { certification: Some(ended), ..Default::default() };
        server.mechanisms.update_certification(request).await.expect("updated");
        assert_eq!(verdict(&mut server, &any, "2024-12-31").await, Verdict::Valid);
        assert_eq!(verdict(&mut server, &any, "2025-01-01").await, Verdict::UnsupportedClaim);
        assert_eq!(verdict(&mut server, &unsaid.name, "2025-01-01").await, Verdict::Indeterminate);
    }
}

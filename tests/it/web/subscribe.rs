//! Subscribing by the page, confirming and ending it by the links of mails. The mails themselves are in `deliveries`.

use subprocessor_registry::{
    notify::seal::{Purpose, Sealer},
    proto::v1::{self, Subscription, subscription::State},
};

use super::{LIST, MANIFEST, acme, acme_with, get};
use crate::support::{Answer, Backend, Place, Server, both, send};

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const ANN: &str = "ann+list@example.com";

/// A server that could send mails, if anybody listened.
async fn mailing(backend: Backend) -> (Place, Server) {
    let settings = [
        ("SECRETS__KEY", KEY),
        ("EMAIL__SMTP_HOST", "127.0.0.1"),
        ("EMAIL__SMTP_PORT", "9"),
        ("EMAIL__TLS", "none"),
        ("EMAIL__FROM", "privacy@acme.example"),
    ];
    acme_with(backend, MANIFEST, &settings).await
}

async fn post(server: &Server, path: &str, body: &str, more: &[(&str, &str)]) -> Answer {
    let length = body.len().to_string();
    let headers =
        [&[("Content-Length", length.as_str()), ("Content-Type", "application/x-www-form-urlencoded")], more].concat();
    send(server, "POST", path, &headers, body).await
}

/// All subscriptions, those that have ended too.
async fn subscriptions(server: &mut Server) -> Vec<Subscription> {
    let request =
        v1::ListSubscriptionsRequest { parent: "organizations/acme".into(), show_deleted: true, ..Default::default() };
    server.notices.list_subscriptions(request).await.expect("listed").into_inner().subscriptions
}

fn link(purpose: Purpose, subscription: &Subscription) -> String {
    let token = Sealer::new(KEY).expect("a key").token(purpose, &subscription.name, ANN);
    let word = if purpose == Purpose::Verify { "confirm" } else { "unsubscribe" };
    format!("/{}/{word}?token={token}", subscription.name)
}

both! {
    async fn a_reader_subscribes_confirms_and_ends_it(backend: Backend) {
        let (place, mut server) = mailing(backend).await;
        let subscribe = format!("{LIST}/subscribe");
        let form = get(&server, &subscribe).await;
        assert!(form.status == 200 && form.body.contains("value=\"cloud\"") && form.body.contains("action=\"/organizations/acme/subscribe\""), "{form:?}");
        assert_eq!(form.headers["cache-control"], "no-store");
        assert!(get(&server, LIST).await.body.contains("href=\"/organizations/acme/subscribe\""));
        let asked = post(&server, &subscribe, "email=ann%2Blist%40example.com&product=desk&other=1", &[]).await;
        assert!(asked.status == 200 && asked.body.contains("Look into your mail"), "{asked:?}");
        let [made] = subscriptions(&mut server).await.try_into().expect("one");
        assert_eq!((made.state(), made.products.as_slice()), (State::PendingVerification, &["desk".to_owned()][..]));
        // Once more makes no second one, but what is wanted may be something else until it is confirmed.
        post(&server, &subscribe, "email=ann%2Blist%40example.com&product=cloud", &[]).await;
        let [changed] = subscriptions(&mut server).await.try_into().expect("one");
        assert_eq!((changed.state(), changed.products.as_slice()), (State::PendingVerification, &["cloud".to_owned()][..]));
        // To look at the link does nothing: mail programs do.
        let confirm = link(Purpose::Verify, &made);
        let question = get(&server, &confirm).await;
        assert!(question.status == 200 && question.body.contains("method=\"post\""), "{question:?}");
        assert_eq!(subscriptions(&mut server).await[0].state(), State::PendingVerification);
        assert!(post(&server, &confirm, "", &[]).await.body.contains("You are subscribed"));
        assert_eq!(subscriptions(&mut server).await[0].state(), State::Active);
        assert_eq!(post(&server, &confirm, "", &[]).await.status, 200);
        // Who is subscribed is told nothing else, and nothing changes.
        let again = post(&server, &subscribe, "email=ann%2Blist%40example.com", &[]).await;
        assert_eq!(again.body.replace("ann", ""), asked.body.replace("ann", ""));
        assert_eq!(subscriptions(&mut server).await[0].products, ["cloud"]);
        let end = link(Purpose::Unsubscribe, &made);
        assert!(get(&server, &end).await.body.contains("End your subscription"));
        assert_eq!(subscriptions(&mut server).await[0].delete_time, None);
        // As mail programs do it (RFC 8058), and again.
        for _ in 0..2 {
            let ended = post(&server, &end, "List-Unsubscribe=One-Click", &[]).await;
            assert!(ended.status == 200 && ended.body.contains("You are unsubscribed"), "{ended:?}");
        }
        assert!(subscriptions(&mut server).await[0].delete_time.is_some());
        assert!(get(&server, &confirm).await.body.contains("has ended"));
        assert_ne!(post(&server, &confirm, "", &[]).await.status, 200);
        // And can come again.
        place.set_clock("2026-03-23T11:00:00Z");
        post(&server, &subscribe, "email=ann%2Blist%40example.com", &[]).await;
        assert_eq!(subscriptions(&mut server).await.iter().filter(|one| one.delete_time.is_none()).count(), 1);
    }

    async fn what_is_no_address_or_no_link_is_refused(backend: Backend) {
        let (_place, mut server) = mailing(backend).await;
        let subscribe = format!("{LIST}/subscribe");
        for email in ["", "x", "a b%40example.com", "a%40b%0d%0aBcc: c%40example.com", "%22><script>%40example.com"] {
            let answer = post(&server, &subscribe, &format!("email={email}"), &[]).await;
            assert!(answer.status == 400 && answer.body.contains("id=\"wrong\"") && !answer.body.contains("<script"), "{email}: {answer:?}");
        }
        let foreign = post(&server, &subscribe, "email=a%40example.com", &[("Sec-Fetch-Site", "cross-site")]).await;
        assert_eq!(foreign.status, 403);
        assert_eq!(post(&server, &subscribe, &format!("email={}", "x".repeat(20_000)), &[]).await.status, 400);
        // What is no address takes nobody's mail away: more of them than mails may be asked for.
        for at in 0..60 {
            assert_eq!(post(&server, &subscribe, &format!("email=nobody-{at}"), &[]).await.status, 400, "{at}");
        }
        assert!(subscriptions(&mut server).await.is_empty());
        // One address is not asked again and again, whoever wants that.
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(post(&server, &subscribe, "email=bob%40example.com", &[]).await.status);
        }
        assert_eq!(answers, [200, 200, 200, 429]);
        let [made] = subscriptions(&mut server).await.try_into().expect("one");
        for bad in [
            format!("/{}/confirm?token=AAAA", made.name),
            format!("/{}/confirm", made.name),
            format!("/{}/unsubscribe?token=", made.name),
            "/organizations/acme/subscriptions/none/confirm?token=AAAA".to_owned(),
            "/organizations/none/subscriptions/none/confirm?token=AAAA".to_owned(),
            link(Purpose::Unsubscribe, &made).replace("unsubscribe?", "confirm?"),
        ] {
            for answer in [get(&server, &bad).await, post(&server, &bad, "", &[]).await] {
                assert!(answer.status == 404 && answer.body.contains("This link is not valid"), "{bad}: {answer:?}");
            }
        }
        assert_eq!(subscriptions(&mut server).await[0].state(), State::PendingVerification);
    }

    async fn where_no_mail_can_be_sent_nothing_is_offered(backend: Backend) {
        let (_place, server) = acme(backend).await;
        assert!(!get(&server, LIST).await.body.contains("subscribe"));
        assert_eq!(get(&server, &format!("{LIST}/subscribe")).await.status, 404);
        assert_eq!(post(&server, &format!("{LIST}/subscribe"), "email=a%40example.com", &[]).await.status, 404);
    }
}

//! The list: what is on it, what is not, searching it, and looking at it as it was.

use subprocessor_registry::proto::v1;

use super::{LIST, acme, announce, get, joins, names, newcomer, published};
use crate::support::{ask, both, update_subprocessor};

both! {
    async fn the_list_says_what_is_public_and_nothing_else(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        announce(&mut server, "n", joins("Newcomer joins", newcomer())).await;
        let list = published(&server, "").await;
        assert_eq!(names(&list), ["Hoster", "Mailer"]);
        assert_eq!((list.schema_version.as_str(), list.schema.as_str()), ("1.0", "/schemas/subprocessors.json"));
        let mail = &list.subprocessors[1];
        let entity = mail.entity.as_ref().expect("an entity");
        assert_eq!((entity.legal_name.as_str(), entity.country.as_str()), ("Mailer, Inc.", "United States"));
        assert_eq!(mail.mechanisms[0].title, "EU standard contractual clauses (2021/914), module three");
        assert_eq!(list.subprocessors[0].mechanisms[0].title, "EU adequacy decision for Switzerland");
        assert_eq!(list.upcoming.len(), 1);
        let mut texts = vec![serde_json::to_string(&list).expect("JSON")];
        for path in ["", "/history", "/feed.atom", "/subprocessors.csv", "/subprocessors.md", "/notices/n", "?date=2020-01-01"] {
            let answer = get(&server, &format!("{LIST}{path}")).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            texts.push(answer.body);
        }
        for text in texts {
            assert!(!text.to_lowercase().contains("hidden ") && !text.contains("hidden@"), "{text}");
        }
        let page = get(&server, LIST).await.body;
        for said in ["Whom we engage.", "Annex III of our agreement.", "Mailer, Inc.", "Sending of mail", "2 sub-processors", "Newcomer joins the list", "Write to us.", "mailto:privacy@acme.example", "within 10 days", "/assets/accent-0b5d5b.css"] {
            assert!(page.contains(said), "{said}: {page}");
        }
        assert!(!page.contains("<script") && !page.contains("style="), "{page}");
    }

    async fn a_reader_can_search(backend: Backend) {
        let (_place, server) = acme(backend).await;
        for (query, shown) in [
            ("q=MAIL", "1 of 2 sub-processors"),
            ("q=reno+road", "1 of 2 sub-processors"),
            ("q=nothing", "None of the 2 sub-processors on the list matches."),
            ("product=cloud", "1 of 2 sub-processors"),
            ("product=desk", "2 of 2 sub-processors"),
            ("location=CH", "1 of 2 sub-processors"),
            ("purpose=Hosting", "1 of 2 sub-processors"),
            ("mechanism=EU+adequacy+decision+for+Switzerland", "1 of 2 sub-processors"),
            ("q=&product=&location=CH&purpose=&mechanism=&date=&as_of=", "1 of 2 sub-processors"),
        ] {
            let page = get(&server, &format!("{LIST}?{query}")).await;
            assert!(page.status == 200 && page.body.contains(shown), "{query}: {page:?}");
        }
        let page = get(&server, &format!("{LIST}?location=CH")).await.body;
        assert!(page.contains("id=\"host\"") && !page.contains("id=\"mail\""), "{page}");
        assert!(page.contains("<option value=\"CH\" selected>Switzerland</option>"), "{page}");
    }

    async fn every_link_to_a_notice_leads_to_its_page(backend: Backend) {
        let (place, mut server) = acme(backend).await;
        announce(&mut server, "n", joins("Newcomer joins", v1::Subprocessor { listed: false, ..newcomer() })).await;
        assert_eq!(published(&server, "").await.upcoming.len(), 0);
        assert_eq!(get(&server, &format!("{LIST}/notices/n")).await.status, 404);
        // What it is about is made public afterwards, and with it what is to come of it.
        place.set_clock("2026-03-24T10:00:00Z");
        let name = "organizations/acme/subprocessors/newcomer";
        let shown = v1::Subprocessor { name: name.into(), listed: true, ..Default::default() };
        update_subprocessor(&mut server, shown.clone(), &["listed"]).await.expect("listed");
        let upcoming = published(&server, "").await.upcoming;
        let link = upcoming.first().expect("one that is to come").link.clone();
        assert!(get(&server, &format!("{LIST}/feed.atom")).await.body.contains(&link));
        let page = get(&server, &link[link.find("/organizations/").expect("a link")..]).await;
        assert!(page.status == 200 && page.body.contains("Newcomer joins"), "{page:?}");
        // And goes with it.
        update_subprocessor(&mut server, v1::Subprocessor { listed: false, ..shown }, &["listed"]).await.expect("hidden");
        assert_eq!(get(&server, &format!("{LIST}/notices/n")).await.status, 404);
    }

    async fn a_notice_is_shown_as_it_was_published_whatever_else_happened_at_that_instant(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        announce(&mut server, "n", joins("Newcomer joins", newcomer())).await;
        let name = "organizations/acme/subprocessors/newcomer";
        let hidden = v1::Subprocessor { name: name.into(), listed: false, ..Default::default() };
        update_subprocessor(&mut server, hidden, &["listed"]).await.expect("hidden");
        let page = get(&server, &format!("{LIST}/notices/n")).await;
        assert!(page.status == 200 && page.body.contains("Newcomer joins"), "{page:?}");
    }

    async fn the_list_can_be_looked_at_as_it_was_and_as_it_was_known(backend: Backend) {
        let (place, mut server) = acme(backend).await;
        let before = server.revision().await;
        place.set_clock("2026-04-01T10:00:00Z");
        let renamed = v1::Subprocessor {
            name: "organizations/acme/subprocessors/mail".into(),
            display_name: "Mailer Two".into(),
            ..Default::default()
        };
        update_subprocessor(&mut server, renamed, &["display_name"]).await.expect("renamed");
        // What was in effect on a day, as is known now; and what was said then.
        assert_eq!(names(&published(&server, "?date=2020-01-01").await), ["Chatter", "Hoster"]);
        assert_eq!(names(&published(&server, "?date=2022-07-01").await), ["Hoster", "Mailer Two"]);
        for point in ["2026-03-24", "2026-03-31T00:00:00Z", &before.to_string()] {
            let list = published(&server, &format!("?as_of={point}")).await;
            assert_eq!((names(&list), list.revision), (vec!["Hoster", "Mailer"], before), "{point}");
        }
        assert_eq!(published(&server, "?as_of=2026-03-24").await.date, "2026-03-24");
        assert_eq!(published(&server, &format!("?as_of={before}")).await.date, "2026-03-23");
        let both = published(&server, "?as_of=2026-03-24&date=2021-06-01").await;
        assert_eq!(names(&both), ["Chatter", "Hoster", "Mailer"]);
        let page = get(&server, &format!("{LIST}?date=2020-01-01")).await.body;
        assert!(page.contains("in effect on 1 January 2020") && page.contains("subprocessors.csv?date=2020-01-01"), "{page}");
    }

    async fn history_says_what_joined_left_and_changed(backend: Backend) {
        let (place, mut server) = acme(backend).await;
        place.set_clock("2026-04-01T10:00:00Z");
        let changed = v1::Subprocessor {
            name: "organizations/acme/subprocessors/mail".into(),
            website_uri: "https://new.example/".into(),
            ..Default::default()
        };
        update_subprocessor(&mut server, changed, &["website_uri"]).await.expect("changed");
        let page = get(&server, &format!("{LIST}/history")).await.body;
        let days: Vec<&str> = page.split("id=\"d").skip(1).map(|rest| &rest[..10]).collect();
        assert_eq!(days, ["2026-04-01", "2022-07-01", "2021-05-01", "2019-01-01", "2018-01-01"], "{page}");
        assert!(page.contains("https://new.example/") && page.contains("https://www.mailer.example/list"), "{page}");
        // As it was known before the change.
        let page = get(&server, &format!("{LIST}/history?as_of=2026-03-24")).await.body;
        assert!(!page.contains("2026-04-01"), "{page}");
        assert!(get(&server, &format!("{LIST}/history?page=2")).await.body.contains("nothing further back"));
    }

    async fn a_notice_keeps_its_page_whatever_becomes_of_it(backend: Backend) {
        let (place, mut server) = acme(backend).await;
        announce(&mut server, "n", joins("Newcomer joins", newcomer())).await;
        let page = get(&server, &format!("{LIST}/notices/n")).await;
        assert!(page.body.contains("has not taken effect") && page.body.contains("How to object"), "{page:?}");
        assert!(page.body.contains("Because of reports.") && page.body.contains("23 April 2026"), "{page:?}");
        // Its day comes by itself.
        place.set_clock("2026-05-01T00:00:00Z");
        let page = get(&server, &format!("{LIST}/notices/n")).await;
        assert!(page.body.contains("This has taken effect") && !page.body.contains("How to object"), "{page:?}");
        let list = published(&server, "").await;
        assert!(list.upcoming.is_empty());
        assert_eq!(names(&list), ["Hoster", "Mailer", "Newcomer"]);
        // Of what is only drafted nothing is known, nor of what is about nothing public.
        let hidden = v1::Subprocessor { listed: false, ..newcomer() };
        let draft = v1::CreateNoticeRequest { parent: "organizations/acme".into(), notice_id: "d".into(), notice: Some(joins("Hidden", hidden)), ..Default::default() };
        let mut draft = draft;
        draft.notice.as_mut().expect("a notice").changes[0].subprocessor = "organizations/acme/subprocessors/other".into();
        server.notices.create_notice(draft).await.expect("drafted");
        assert_eq!(get(&server, &format!("{LIST}/notices/d")).await.status, 404);
        for act in ["approve", "publish"] {
            let name = "organizations/acme/notices/d".to_owned();
            match act {
                "approve" => drop(server.notices.approve_notice(v1::ApproveNoticeRequest { name, ..Default::default() }).await.expect("approved")),
                _ => drop(server.notices.publish_notice(v1::PublishNoticeRequest { name, ..Default::default() }).await.expect("published")),
            }
        }
        assert_eq!(get(&server, &format!("{LIST}/notices/d")).await.status, 404);
        assert!(!get(&server, &format!("{LIST}/feed.atom")).await.body.contains("Hidden"));
        assert!(published(&server, "").await.upcoming.is_empty());
    }

    async fn what_is_unchanged_is_not_sent_again(backend: Backend) {
        let (place, mut server) = acme(backend).await;
        announce(&mut server, "n", joins("Newcomer joins", newcomer())).await;
        let paths = ["", "?q=mail", "/history", "/notices/n", "/feed.atom", "/subprocessors.json", "/subprocessors.csv", "/subprocessors.md", "/.well-known/subprocessors.json"];
        let mut tags = Vec::new();
        for path in paths {
            let first = get(&server, &format!("{LIST}{path}")).await;
            let tag = first.headers["etag"].clone();
            assert!(first.headers.contains_key("last-modified") && first.headers["cache-control"] == "no-cache", "{first:?}");
            let again = ask(&server, "GET", &format!("{LIST}{path}"), &[("If-None-Match", &format!("\"x\", W/{tag}"))]).await;
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
            assert_eq!(again.headers["etag"], tag);
            let head = ask(&server, "HEAD", &format!("{LIST}{path}"), &[]).await;
            assert_eq!((head.status, head.body.as_str(), &head.headers["etag"]), (200, "", &tag), "{path}");
            tags.push(tag);
        }
        // Another day is another answer, though nothing was written.
        place.set_clock("2026-03-24T10:00:00Z");
        for (path, tag) in paths.iter().zip(&tags) {
            let later = get(&server, &format!("{LIST}{path}")).await;
            assert_ne!(later.headers["etag"], *tag, "{path}");
        }
    }
}

//! RenderPaper: every paper in every format, for a day, a revision and a customer, and what is refused.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value as Json;
use subprocessor_registry::{
    catalog,
    clock::Clock,
    proto::v1::{
        self, RenderPaperRequest, RenderPaperResponse,
        render_paper_request::{Format, Kind},
    },
    resource::name::{Kind as ResourceKind, Name},
    store::{self, Store, papers::Wanted},
};
use tonic::{Code, Status};

use crate::{
    plans::wire::Wire,
    support::{Backend, Place, Server, apply, both, refused},
};

const WITH_CATALOG: &[(&str, &str)] = &[("CATALOG__LOAD", "true")];
const ACME: &str = "organizations/acme";
const MANIFEST: &str = include_str!("../../data/papers/acme.yaml");
const KINDS: [Kind; 4] = [Kind::SccAnnexIii, Kind::DpaAnnexIv, Kind::ProcessingRecord, Kind::PrivacyNoticeRecipients];
const FORMATS: [Format; 4] = [Format::Markdown, Format::Html, Format::Csv, Format::Json];

async fn acme(backend: Backend) -> (Place, Server) {
    let place = Place::new(backend).await;
    let mut server = Server::start_with(&place, WITH_CATALOG).await;
    apply(&mut server, MANIFEST).await.expect("applied");
    (place, server)
}

async fn try_render(server: &mut Server, request: RenderPaperRequest) -> Result<RenderPaperResponse, Status> {
    server.mechanisms.render_paper(request).await.map(tonic::Response::into_inner)
}

fn of(kind: Kind, format: Format) -> RenderPaperRequest {
    RenderPaperRequest { parent: ACME.into(), kind: kind.into(), format: format.into(), ..Default::default() }
}

async fn render(server: &mut Server, request: RenderPaperRequest) -> String {
    try_render(server, request).await.expect("rendered").content
}

async fn json(server: &mut Server, request: RenderPaperRequest) -> Json {
    let request = RenderPaperRequest { format: Format::Json.into(), ..request };
    serde_json::from_str(&render(server, request).await).expect("JSON")
}

/// The rows of a section.
fn rows(paper: &Json, section: &str) -> Vec<Json> {
    let sections = paper["sections"].as_array().expect("sections");
    let section = sections.iter().find(|one| one["key"] == section).unwrap_or_else(|| panic!("no {section}: {paper}"));
    section["rows"].as_array().expect("rows").clone()
}

/// What stands under a key in each row of a section.
fn column(paper: &Json, section: &str, key: &str) -> Vec<String> {
    let rows = rows(paper, section);
    rows.iter().map(|row| row[key].as_str().unwrap_or("-").to_owned()).collect()
}

fn texts(cell: &Json) -> Vec<String> {
    cell.as_array().expect("a list").iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
}

/// The rows of CSV by their header.
fn csv_rows(content: &str) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_reader(content.as_bytes());
    reader.deserialize().map(|row| row.expect("a row as long as the header")).collect()
}

/// The elements of a page, as a browser builds them, and its text.
pub fn parsed(html: &str) -> (Vec<String>, String) {
    use html5ever::tokenizer;
    #[derive(Default)]
    struct Sink(std::cell::RefCell<(Vec<String>, String)>);
    impl tokenizer::TokenSink for Sink {
        type Handle = ();
        fn process_token(&self, token: tokenizer::Token, _: u64) -> tokenizer::TokenSinkResult<()> {
            let mut seen = self.0.borrow_mut();
            match token {
                tokenizer::Token::TagToken(tag) if tag.kind == tokenizer::TagKind::StartTag => {
                    seen.0.push(tag.name.to_string());
                }
                tokenizer::Token::CharacterTokens(text) => seen.1.push_str(&text),
                tokenizer::Token::ParseError(error) => panic!("{error}"),
                _ => {}
            }
            tokenizer::TokenSinkResult::Continue
        }
    }
    let tokenizer = tokenizer::Tokenizer::new(Sink::default(), tokenizer::TokenizerOpts::default());
    let input = tokenizer::BufferQueue::default();
    input.push_back(html.into());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

both! {
    async fn every_paper_is_made_in_every_format(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let revision = server.revision().await;
        for kind in KINDS {
            for format in FORMATS {
                let made = try_render(&mut server, of(kind, format)).await.expect("rendered");
                let (media_type, ending) = match format {
                    Format::Html => ("text/html; charset=utf-8", "html"),
                    Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
                    Format::Json => ("application/json", "json"),
                    _ => ("text/markdown; charset=utf-8", "md"),
                };
                let word = kind.as_str_name().trim_start_matches("KIND_");
                let file = format!("acme-{}-2026-03-23.{ending}", word.to_lowercase().replace('_', "-"));
                assert_eq!(
                    (made.media_type.as_str(), made.file_name, made.revision, made.date.as_str()),
                    (media_type, file, revision, "2026-03-23")
                );
                // Each states whose it is, for when, and from what it is drawn.
                for stated in ["organizations/acme", "2026-03-23", &revision.to_string(), "Drawn from the sub-processor registry"] {
                    assert!(made.content.contains(stated), "{stated} in {kind:?} {format:?}:\n{}", made.content);
                }
                match format {
                    Format::Csv => assert!(csv_rows(&made.content).iter().all(|row| row["paper"] == word)),
                    Format::Json => assert_eq!(serde_json::from_str::<Json>(&made.content).expect("JSON")["paper"], word),
                    Format::Html => {
                        let (elements, _) = parsed(&made.content);
                        assert!(elements.iter().all(|one| !matches!(one.as_str(), "script" | "link" | "img" | "iframe")));
                        assert!(["main", "h1", "title", "style"].iter().all(|one| elements.iter().any(|e| e == one)));
                    }
                    _ => assert!(made.content.starts_with("# ")),
                }
            }
            let unset = RenderPaperRequest { format: 0, ..of(kind, Format::Html) };
            assert_eq!(render(&mut server, unset).await, render(&mut server, of(kind, Format::Markdown)).await);
        }
    }

    async fn an_annex_lists_who_does_what_where_and_how_transfers_are_covered(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let annex = json(&mut server, of(Kind::SccAnnexIii, Format::Json)).await;
        assert_eq!(column(&annex, "subprocessors", "listed_as"), ["Crunching companies", "Hoster", "Mailer", "Analyst"]);
        assert_eq!(column(&annex, "others", "listed_as"), ["Payments"], "no sub-processor");
        let [crunch, host, mail, reports] = rows(&annex, "subprocessors").try_into().expect("four");
        assert_eq!(mail["name"], "Mailer, Inc.");
        assert_eq!(mail["address"], "1 Main St, Springfield, United States (US)");
        assert_eq!(texts(&mail["contacts"]), ["Pat Doe, Privacy Counsel, privacy@mailer.example (privacy)"]);
        assert_eq!(texts(&mail["processing"]), ["delivery of e-mail", "outgoing mail only"]);
        assert_eq!(texts(&mail["data_categories"]), ["e-mail addresses"]);
        assert_eq!(mail["duration"], "since 2022-02-01, without a stated end");
        assert_eq!(mail["retention"], "P30D from delivery");
        assert_eq!(texts(&mail["locations"]), ["United States (US) (processing)"]);
        assert_eq!(mail["dpa"], "signed, 2022-01-15 (Executed clauses, https://acme.example/clauses.pdf)");
        let [transfer] = texts(&mail["transfers"]).try_into().expect("one");
        assert!(transfer.starts_with("To the United States (US), under the EU GDPR: covered, by Commission Implementing Decision (EU) 2021/914"), "{transfer}");
        assert!(transfer.contains("module three, signed 2022-01-15, papers: Executed clauses"), "{transfer}");
        assert_eq!(mail["transfers_covered"], "yes");
        // What is not known is not made up: several companies, no contact, nothing said of data.
        assert_eq!((&host["name"], &host["name_note"]), (&Json::Null, &"which entity is engaged is not stated: Hoster AG; or Hoster Ltd".into()));
        assert_eq!((&host["address"], &host["role"], &host["dpa"]), (&Json::Null, &Json::Null, &Json::Null));
        assert_eq!(host["incomplete_reason"], "The contract does not say which company.");
        assert_eq!(texts(&host["contacts"]), Vec::<String>::new());
        // A transfer without cover is said as such, and why.
        assert_eq!((&reports["name"], &reports["address"]), (&"Analyst Pvt Ltd".into(), &"India (IN); no more is stated".into()));
        let [uncovered] = texts(&reports["transfers"]).try_into().expect("one");
        assert!(uncovered.contains("India (IN)") && uncovered.contains("NOT COVERED: there is no mechanism"), "{uncovered}");
        assert_eq!(reports["transfers_covered"], "no");
        assert_eq!(texts(&crunch["delimitation"]), ["engaged by Analyst"]);
        // The same list, and the other clauses.
        let other = json(&mut server, of(Kind::DpaAnnexIv, Format::Json)).await;
        assert_eq!(other["sections"], annex["sections"]);
        assert!(other["basis"].as_str().expect("a basis").contains("2021/915"));
        // In words, what is not known is said.
        let markdown = render(&mut server, of(Kind::SccAnnexIii, Format::Markdown)).await;
        assert!(markdown.contains("### 2. Hoster\n") && markdown.contains("- **Address:** not stated\n"), "{markdown}");
        let (_, text) = parsed(&render(&mut server, of(Kind::SccAnnexIii, Format::Html)).await);
        assert!(text.contains("NOT COVERED: there is no mechanism") && text.contains("not stated"), "{text}");
    }

    async fn a_record_has_what_article_30_asks(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let record = json(&mut server, of(Kind::ProcessingRecord, Format::Json)).await;
        let [processor] = rows(&record, "processor").try_into().expect("one");
        assert_eq!((&processor["legal_name"], &processor["role"]), (&"Acme GmbH".into(), &"processor".into()));
        assert_eq!(texts(&processor["addresses"]), ["Hauptstr. 1, 10115 Berlin, Germany (DE)"]);
        assert_eq!(texts(&processor["dpo"]), ["Dora Officer, dpo@acme.example (data protection officer)"]);
        assert_eq!(texts(&processor["representatives"]), ["Rex Person, +44 20 0000 (representative in the United Kingdom)"]);
        assert_eq!(column(&record, "controllers", "name"), ["Buyer AG", "US Buyer"], "one is gone");
        let controllers = rows(&record, "controllers");
        assert_eq!(texts(&controllers[0]["dpo"]), ["Bea Buyer, bea@buyer.example (data protection officer)"]);
        assert_eq!(texts(&controllers[0]["products"]), ["Cloud (EU)"]);
        assert_eq!(column(&record, "processing", "product"), ["Cloud (EU)", "Cloud (US)"]);
        assert_eq!(column(&record, "transfers", "recipient"), ["Mailer", "Analyst"]);
        assert_eq!(column(&record, "transfers", "verdict"), ["VALID", "NO_MECHANISM"]);
        let transfers = rows(&record, "transfers");
        assert_eq!(texts(&transfers[0]["countries"]), ["United States (US)"]);
        assert!(texts(&transfers[0]["safeguards"])[0].contains("papers: Executed clauses"));
        // The measures of the documents of the day, with document and line.
        let [measure] = rows(&record, "security").try_into().expect("one");
        assert_eq!(
            (&measure["measure"], &measure["document"], &measure["line"]),
            (&"Data is encrypted at rest.".into(), &"Security Whitepaper, 2024-01-01".into(), &"12".into())
        );
        let earlier = RenderPaperRequest { effective_at: "2023-12-31".into(), ..of(Kind::ProcessingRecord, Format::Json) };
        let earlier = json(&mut server, earlier).await;
        assert_eq!(column(&earlier, "security", "measure"), ["Data is kept in a safe."]);
        assert_eq!(column(&earlier, "controllers", "name"), ["Buyer AG", "Gone", "US Buyer"]);
    }

    async fn a_notice_names_recipients_and_hides_no_gap(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let notice = json(&mut server, of(Kind::PrivacyNoticeRecipients, Format::Json)).await;
        let said = |section: usize| texts(&notice["sections"][section]["paragraphs"]).join("\n");
        assert!(said(0).starts_with("Acme discloses personal data to these recipients: Hoster (hosting), Mailer (delivery of e-mail; outgoing mail only) and Analyst (reports); and to these recipients or categories of recipients of which no company is identified: Crunching companies (number crunching) and Payments (payments)."), "{}", said(0));
        let transfers = said(1);
        assert!(transfers.contains("to Mailer in the United States (US). Under the EU GDPR there is no adequacy decision that covers it; the appropriate safeguards are: "), "{transfers}");
        assert!(transfers.contains("to Analyst in India (IN). Under the EU GDPR there is neither an adequacy decision nor an appropriate safeguard that covers it on that day"), "{transfers}");
        assert!(transfers.contains("The safeguards are available here: Executed clauses, https://acme.example/clauses.pdf. A copy can be asked for from privacy@acme.example (privacy)"), "{transfers}");
    }

    async fn a_paper_is_of_a_day_a_revision_and_a_customer(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let entered = server.revision().await;
        let listed = async |server: &mut Server, request: RenderPaperRequest| {
            column(&json(server, request).await, "subprocessors", "listed_as")
        };
        let annex = || of(Kind::SccAnnexIii, Format::Json);
        let on = |day: &str| RenderPaperRequest { effective_at: day.into(), ..annex() };
        assert_eq!(listed(&mut server, on("2022-01-31")).await, ["Hoster"]);
        assert_eq!(listed(&mut server, on("2022-02-01")).await, ["Hoster", "Mailer"]);
        assert_eq!(listed(&mut server, on("2024-06-01")).await, ["Hoster", "Mailer", "Analyst"]);
        // The law of that day: before the clauses were signed nothing covered it.
        let renamed = MANIFEST.replace("display_name: Hoster\n    recorded", "display_name: Host & Co\n    recorded");
        apply(&mut server, &renamed).await.expect("applied");
        assert_eq!(listed(&mut server, on("2022-01-31")).await, ["Host & Co"]);
        let then = |revision| Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(revision)) });
        let before = RenderPaperRequest { as_of: then(entered), ..on("2022-01-31") };
        assert_eq!(listed(&mut server, before.clone()).await, ["Hoster"]);
        let again = try_render(&mut server, before.clone()).await.expect("rendered");
        assert_eq!((again.revision, again.date.as_str()), (entered, "2022-01-31"));
        assert_eq!(try_render(&mut server, before).await.expect("rendered"), again, "the same paper again");
        // What reaches a customer: the chain through what is used for another product does not.
        let buyer = format!("{ACME}/customers/buyer");
        let buyer = || RenderPaperRequest { customer: buyer.clone(), ..annex() };
        assert_eq!(listed(&mut server, buyer()).await, ["Host & Co", "Mailer"]);
        let us = RenderPaperRequest { customer: format!("{ACME}/customers/us-buyer"), ..annex() };
        assert_eq!(listed(&mut server, us).await, ["Crunching companies", "Host & Co", "Mailer", "Analyst"]);
        let paper = json(&mut server, buyer()).await;
        assert_eq!(paper["customer"], format!("{ACME}/customers/buyer"));
        assert!(texts(&paper["notes"]).iter().any(|note| note.contains("general written authorisation")));
        let record = RenderPaperRequest { kind: Kind::ProcessingRecord.into(), ..buyer() };
        let record = json(&mut server, record).await;
        assert_eq!(column(&record, "controllers", "name"), ["Buyer AG"]);
        assert_eq!(column(&record, "processing", "product"), ["Cloud (EU)"]);
        assert_eq!(column(&record, "transfers", "recipient"), ["Mailer"]);
        let notice = RenderPaperRequest { kind: Kind::PrivacyNoticeRecipients.into(), format: 0, ..buyer() };
        let notice = try_render(&mut server, notice).await.expect("rendered");
        assert_eq!(notice.file_name, "acme-privacy-notice-recipients-buyer-2026-03-23.md");
        assert!(!notice.content.contains("Analyst"), "{}", notice.content);
    }

    async fn no_name_becomes_markup_or_a_formula(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let hostile = "<script>alert(1)</script>|=cmd()`*_[x](javascript:y)";
        let manifest = MANIFEST
            .replace("display_name: Mailer\n    role", &format!("display_name: '{hostile}'\n    role"))
            .replace("purposes: [delivery of e-mail]", "purposes: ['=HYPERLINK(\"x\")']")
            .replace("display_name: Analyst\n    role", "display_name: '=1+1'\n    role")
            .replace("    data_categories: [e-mail addresses]", "    data_categories: ['@SUM(A1)', '- a | b']");
        apply(&mut server, &manifest).await.expect("applied");
        for kind in KINDS {
            let (elements, text) = parsed(&render(&mut server, of(kind, Format::Html)).await);
            assert!(!elements.iter().any(|one| one == "script"), "{kind:?}");
            assert!(text.contains(hostile), "as it is written: {kind:?}");
            let rows = csv_rows(&render(&mut server, of(kind, Format::Csv)).await);
            let cells = || rows.iter().flat_map(|row| row.values());
            assert!(cells().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{kind:?}: {rows:?}");
            assert!(cells().any(|cell| cell == "'=HYPERLINK(\"x\")" || cell.contains("=HYPERLINK")), "{kind:?}");
            let markdown = render(&mut server, of(kind, Format::Markdown)).await;
            let options = pulldown_cmark::Options::ENABLE_TABLES | pulldown_cmark::Options::ENABLE_STRIKETHROUGH;
            let mut text = String::new();
            for event in pulldown_cmark::Parser::new_ext(&markdown, options) {
                use pulldown_cmark::{Event, Tag};
                match event {
                    Event::Text(part) => text.push_str(&part),
                    Event::InlineHtml(html) => assert_eq!(&*html, "<br>", "{kind:?}"),
                    Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::HtmlBlock | Tag::CodeBlock(_))
                    | Event::Html(_) | Event::Code(_) => panic!("{kind:?}: {event:?}\n{markdown}"),
                    _ => {}
                }
            }
            assert!(text.contains(hostile), "{kind:?}: {text}");
            let paper: Json = serde_json::from_str(&render(&mut server, of(kind, Format::Json)).await).expect("JSON");
            assert!(paper.to_string().contains("<script>alert(1)</script>|=cmd()"), "{kind:?}");
        }
    }

    async fn what_is_wrong_is_said_all_at_once(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let good = of(Kind::SccAnnexIii, Format::Json);
        let bad = |change: fn(&mut RenderPaperRequest)| {
            let mut request = good.clone();
            change(&mut request);
            request
        };
        let cases: [(RenderPaperRequest, &[&str]); 10] = [
            (bad(|one| one.parent.clear()), &["parent"]),
            (bad(|one| one.parent = "organizations/-".into()), &["parent"]),
            (bad(|one| one.parent = "vendors/mailer".into()), &["parent"]),
            (bad(|one| one.kind = 0), &["kind"]),
            (bad(|one| one.kind = 99), &["kind"]),
            (bad(|one| one.format = 99), &["format"]),
            (bad(|one| one.customer = "buyer".into()), &["customer"]),
            (bad(|one| one.customer = "organizations/other/customers/buyer".into()), &["customer"]),
            (bad(|one| one.effective_at = "2026-02-30".into()), &["effective_at"]),
            (RenderPaperRequest { parent: "x".into(), kind: -1, format: -1, customer: "y".into(), effective_at: "z".into(), as_of: Some(v1::AsOf { point: None }) },
             &["parent", "kind", "format", "customer", "effective_at", "as_of"]),
        ];
        for (request, fields) in cases {
            refused(try_render(&mut server, request).await, Code::InvalidArgument, "FIELD_INVALID", fields);
        }
        let nobody = RenderPaperRequest { parent: "organizations/nobody".into(), ..good.clone() };
        refused(try_render(&mut server, nobody).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let nobody = RenderPaperRequest { customer: format!("{ACME}/customers/nobody"), ..good.clone() };
        refused(try_render(&mut server, nobody).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let future = Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(1_000)) });
        let later = RenderPaperRequest { as_of: future, ..good.clone() };
        refused(try_render(&mut server, later).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        let before = Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(0)) });
        let early = RenderPaperRequest { as_of: before, ..good.clone() };
        refused(try_render(&mut server, early).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let delete = v1::DeleteCustomerRequest { name: format!("{ACME}/customers/buyer"), ..Default::default() };
        server.organizations.delete_customer(delete).await.expect("deleted");
        let gone = RenderPaperRequest { customer: format!("{ACME}/customers/buyer"), ..good };
        refused(try_render(&mut server, gone).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
    }

    async fn a_list_can_be_empty_and_is_still_a_paper(backend: Backend) {
        let (_place, mut server) = crate::support::fresh(backend).await;
        crate::support::organization(&mut server, "acme").await;
        for kind in KINDS {
            for format in FORMATS {
                let content = render(&mut server, of(kind, format)).await;
                assert!(content.contains("Under which law the organization exports personal data is not stated."), "{content}");
            }
        }
    }
}

/// However many there are, as long as they fit on a page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_statements_does_not_grow() {
    let (place, mut server) = acme(Backend::Postgres).await;
    let many: String = (0..60)
        .map(|number| {
            format!(
                "  - {{id: m{number}, vendor: vendors/mailer, display_name: M{number}, recorded_as_found: true, state: ACTIVE, locations: [{{region_code: US}}]}}\n"
            )
        })
        .collect();
    let wire = Wire::new(&place.url).await;
    let territories = catalog::territories().expect("territories");
    let options = store::Options::new(&wire.url);
    let store = Store::open(&options, Arc::new(Clock::System), territories).await.expect("opened");
    let mut counts = Vec::new();
    for revision in [0, 1] {
        if revision == 1 {
            apply(&mut server, &MANIFEST.replace("transfers:\n", &format!("{many}transfers:\n")))
                .await
                .expect("applied");
        }
        let mut each = Vec::new();
        for kind in KINDS {
            let wanted = |kind| Wanted {
                kind,
                format: Format::Json,
                parent: Name::new(ResourceKind::Organization, None, "acme"),
                customer: None,
                date: "2026-03-23".into(),
                as_of: None,
            };
            // The law is read once for as long as it stays as it is.
            store.render_paper(&wanted(kind)).await.expect("rendered");
            let before = wire.executed();
            store.render_paper(&wanted(kind)).await.expect("rendered");
            each.push(wire.executed() - before);
        }
        counts.push(each);
    }
    assert_eq!(counts[0], counts[1], "as many for 5 as for 65");
    assert!(counts[0].iter().all(|count| *count < 40), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_client_could_take_is_refused_with_the_numbers() {
    let (_place, mut server) = acme(Backend::Sqlite).await;
    let text = "x".repeat(12_000);
    for revision in 0..4 {
        let many: String = (0..100)
            .map(|n| format!("  - {{id: m{revision}-{n}, display_name: M{n}, recorded_as_found: true, state: ACTIVE, service_description: {text}}}\n"))
            .collect();
        let manifest = format!("organization: {{id: big, display_name: Big}}\nsubprocessors:\n{many}");
        apply(&mut server, &manifest).await.expect("applied");
    }
    let request = RenderPaperRequest { parent: "organizations/big".into(), ..of(Kind::SccAnnexIii, Format::Json) };
    let answer = try_render(&mut server, request).await;
    let status = refused(answer, Code::ResourceExhausted, "ANSWER_TOO_LARGE", &[]);
    assert!(status.message().starts_with("the paper of organizations/big has "), "{status:?}");
}

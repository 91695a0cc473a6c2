//! The worst inputs, over the wire, to every method: whatever a field may hold that it should not. Nothing panics,
//! nothing is answered with INTERNAL or UNKNOWN, and what is refused changes nothing.
//!
//! REGISTRY_HOSTILE_SCALE: how many times longer the long texts are (1 MB from 5 on).

use std::{
    collections::BTreeMap,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MethodDescriptor, ReflectMessage, Value};
use subprocessor_registry::proto::{self, v1};
use tonic::{Code, Request, Status, client::Grpc, transport::Channel};
use tonic_types::StatusExt;

use crate::support::{Raw, Server, both, fresh, organization, subprocessor, trials, vendor};

/// How deep messages within messages are tried.
const DEPTH: usize = 3;

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts panics of the registry and of what it uses; not those of tests.
fn count_panics() -> usize {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.location().is_some_and(|location| location.file().starts_with("tests/")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            usual(info);
        }));
    });
    PANICS.load(Ordering::SeqCst)
}

/// Texts that are wrong nearly everywhere.
fn texts() -> Vec<String> {
    let filter = "display_name = \"x\"";
    let scale = trials("REGISTRY_HOSTILE_SCALE", 1);
    [
        "a\0b",
        "\u{1b}[31mred",
        "a\u{202e}b",
        "two\nlines\r\n",
        " ",
        "\u{feff}",
        "\u{10ffff}",
        "-",
        "*",
        "organizations/-",
        "organizations/-/subprocessors/-",
        "organizations/hostile",
        "organizations/hostile/documents/../subprocessors/row",
        "vendors/hostile",
        "revisions/-1",
        "revisions/99999999999999999999",
        "../../etc/passwd",
        "'; DROP TABLE vendor; --",
        "%s%s%n%x",
        "${jndi:ldap://x}{{7*7}}",
        "0000-01-01",
        "9999-12-31",
        "2023-02-30",
        "P-1D",
        "javascript:alert(1)",
        "no_such_field = 1",
        "name desc, name",
        "name = \"a\0\"",
        "&a [*a, *a]",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([
        // Longer than any field may be, deeper than any stack is, and small enough for every field there is.
        "x".repeat(200_000 * scale),
        format!("{}{filter}{}", "(".repeat(20_000 * scale), ")".repeat(20_000 * scale)),
        "NOT ".repeat(20_000 * scale) + filter,
        vec![filter; 2_000 * scale].join(" OR "),
        "[".repeat(20_000 * scale),
        "a: {".repeat(20_000 * scale),
        "ä".repeat(60_000 * scale),
    ])
    .collect()
}

/// Wrong values of a kind; few where many fields are tried.
fn values(kind: &Kind, few: bool) -> Vec<Value> {
    match kind {
        Kind::String => texts().into_iter().step_by(if few { 7 } else { 1 }).map(Value::String).collect(),
        Kind::Bytes => [0, 31, 33, 100_000].map(|size| Value::Bytes(vec![7; size].into())).to_vec(),
        Kind::Int64 => [i64::MIN, -1, i64::MAX].map(Value::I64).to_vec(),
        Kind::Int32 => [i32::MIN, -1, i32::MAX].map(Value::I32).to_vec(),
        Kind::Enum(_) => [i32::MIN, -1, 999, i32::MAX].map(Value::EnumNumber).to_vec(),
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            [(i64::MAX, 0), (i64::MIN, 0), (0, -1), (0, i32::MAX), (253_402_300_800, 0), (-62_135_596_801, 0)]
                .map(|(seconds, nanos)| {
                    let mut time = DynamicMessage::new(message.clone());
                    time.set_field_by_name("seconds", Value::I64(seconds));
                    time.set_field_by_name("nanos", Value::I32(nanos));
                    Value::Message(time)
                })
                .to_vec()
        }
        Kind::Message(message) => vec![Value::Message(DynamicMessage::new(message.clone()))],
        Kind::Bool => Vec::new(),
        other => panic!("the contract has a {other:?} now: say what is wrong in one"),
    }
}

/// Messages like `base` with one field wrong, at any depth, each with the path of the field.
fn variants(base: &DynamicMessage, depth: usize) -> Vec<(String, DynamicMessage)> {
    let mut all = Vec::new();
    for field in base.descriptor().fields() {
        if field.name() == "validate_only" {
            continue;
        }
        let with = |value: Value| {
            let mut message = base.clone();
            message.set_field(&field, value);
            (field.name().to_owned(), message)
        };
        all.extend(wrong(&field, depth > 1).into_iter().map(with));
        if let Kind::Message(inner) = field.kind()
            && !field.is_map()
            && depth < DEPTH
            && inner.package_name() == proto::PACKAGE
        {
            let inner = match base.get_field(&field).as_ref() {
                Value::Message(message) => message.clone(),
                _ => DynamicMessage::new(inner),
            };
            for (path, message) in variants(&inner, depth + 1) {
                let value = Value::Message(message);
                let (name, message) = with(if field.is_list() { Value::List(vec![value]) } else { value });
                all.push((format!("{name}.{path}"), message));
            }
        }
    }
    all
}

/// Wrong values of a field.
fn wrong(field: &FieldDescriptor, few: bool) -> Vec<Value> {
    if field.is_map() {
        let entry = |key: String, value: &str| (MapKey::String(key), Value::String(value.to_owned()));
        let many = (0..5_000).map(|i| entry(format!("k{i}"), ""));
        return vec![
            Value::Map(many.collect()),
            Value::Map([entry("\0".into(), "")].into()),
            Value::Map([entry("k".repeat(100_000), "")].into()),
            Value::Map([entry("key".into(), "\0")].into()),
        ];
    }
    let values = values(&field.kind(), few);
    if !field.is_list() {
        return values;
    }
    let Some(first) = values.first().cloned() else { return Vec::new() };
    let mut lists: Vec<Value> = values.into_iter().map(|value| Value::List(vec![value])).collect();
    // Many are refused for their number; many that could stand, for being the same or for what they say.
    lists.push(Value::List(vec![first.clone(); 1_001]));
    if !few {
        lists.push(Value::List(vec![first; 20_000]));
    }
    lists
}

/// A request that could succeed: the target's names, and a resource with what it needs. Nothing is kept of it.
fn base(method: &MethodDescriptor, validate_only: bool) -> DynamicMessage {
    let mut request = DynamicMessage::new(method.input());
    let name = |message: &str| match message {
        "Organization" | "ExportManifestResponse" => "organizations/hostile",
        "Document" => "organizations/hostile/documents/paper",
        "Customer" => "organizations/hostile/customers/buyer",
        "Vendor" | "ErasePersonalDataResponse" | "TraceVendorResponse" => "vendors/hostile",
        "Subprocessor" | "TraceSubprocessorResponse" => "organizations/hostile/subprocessors/row",
        "Revision" => "revisions/1",
        _ => "instruments/none",
    };
    for field in method.input().fields() {
        let text = |text: &str| Value::String(text.to_owned());
        let value = match (field.name(), field.kind()) {
            ("name", _) => text(name(method.output().name())),
            ("parent", _) if ["ListNoticeRecipients", "ListObjections"].contains(&method.name()) => {
                text("organizations/hostile/notices/none")
            }
            ("parent", _) => text("organizations/hostile"),
            ("reason", _) => text("asked"),
            ("customer", Kind::String) => text("organizations/hostile/customers/buyer"),
            ("base", _) => {
                let then = v1::AsOf { point: Some(v1::as_of::Point::Revision(1)) };
                Value::Message(then.transcode_to_dynamic())
            }
            ("manifest", _) => text("apiVersion: registry.subprocessor.dev/v1\n"),
            ("validate_only", _) => Value::Bool(validate_only),
            (_, Kind::Message(resource)) if resource.full_name() == method.output().full_name() => {
                let mut message = DynamicMessage::new(resource.clone());
                if method.name().starts_with("Update") {
                    message.set_field_by_name("name", text(name(resource.name())));
                }
                let title = if resource.name() == "Document" { "title" } else { "display_name" };
                message.set_field_by_name(title, text("Base"));
                if resource.name() == "Document" {
                    message.set_field_by_name("kind", Value::EnumNumber(1));
                }
                Value::Message(message)
            }
            _ => continue,
        };
        request.set_field(&field, value);
    }
    request
}

/// Calls a method with bytes; of a stream, up to its first message.
async fn call(channel: &Channel, method: &MethodDescriptor, bytes: Vec<u8>) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel.clone()).max_decoding_message_size(64 << 20);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name()).parse().expect("a path");
    let answer = async {
        if method.is_server_streaming() {
            let mut stream = grpc.server_streaming(Request::new(bytes), path, Raw).await?.into_inner();
            stream.message().await.map(|_| ())
        } else {
            grpc.unary(Request::new(bytes), path, Raw).await.map(|_| ())
        }
    };
    tokio::time::timeout(Duration::from_secs(60), answer).await.expect("an answer within a minute")
}

fn methods() -> impl Iterator<Item = MethodDescriptor> {
    let services = proto::POOL.services().filter(|service| service.package_name() == proto::PACKAGE);
    services.flat_map(|service| service.methods().collect::<Vec<_>>())
}

/// Whether a refusal says what a caller can act on: a published reason under a code that fits it.
fn is_proper(status: &Status) -> bool {
    let proper = matches!(
        status.code(),
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::ResourceExhausted
            | Code::DataLoss
    );
    let details = status.get_error_details();
    proper
        && details.error_info().is_some_and(|info| info.domain == "subprocessor-registry" && info.reason != "INTERNAL")
}

/// A list with a row, a vendor, a document and a customer, to aim at.
async fn target(server: &mut Server) {
    organization(server, "hostile").await;
    vendor(server, "hostile").await;
    let row = v1::Subprocessor { display_name: "Row".into(), vendor: "vendors/hostile".into(), ..Default::default() };
    subprocessor(server, "organizations/hostile", "row", row).await.expect("created");
    let document = v1::CreateDocumentRequest {
        parent: "organizations/hostile".into(),
        document_id: "paper".into(),
        document: Some(v1::Document { title: "Paper".into(), kind: 1, ..Default::default() }),
        ..Default::default()
    };
    server.organizations.create_document(document).await.expect("created");
    let customer = v1::CreateCustomerRequest {
        parent: "organizations/hostile".into(),
        customer_id: "buyer".into(),
        customer: Some(v1::Customer { display_name: "Buyer".into(), ..Default::default() }),
        ..Default::default()
    };
    server.organizations.create_customer(customer).await.expect("created");
}

async fn is_whole(server: &mut Server) {
    let check =
        server.log.verify_change_log(v1::VerifyChangeLogRequest::default()).await.expect("checked").into_inner();
    assert!(check.verified, "{check:?}");
}

both! {
    async fn every_field_of_every_method_refuses_what_it_cannot_hold(backend: Backend) {
        let panics = count_panics();
        let (_place, mut server) = fresh(backend).await;
        target(&mut server).await;
        let channel = server.channel().await;
        let mut wrong: BTreeMap<String, String> = BTreeMap::new();
        let mut calls = 0;
        for method in methods() {
            let writes = method.input().get_field_by_name("request_id").is_some();
            // What is written for good must be a write that can be repeated; the others only say what they would do.
            let validate_only = !["Create", "Update"].iter().any(|verb| method.name().starts_with(verb));
            let before = server.revision().await;
            let mut accepted = 0;
            for (path, message) in variants(&base(&method, validate_only), 1) {
                calls += 1;
                match call(&channel, &method, message.encode_to_vec()).await {
                    Ok(()) => accepted += 1,
                    Err(status) if is_proper(&status) => {}
                    Err(status) => {
                        let sent: String = format!("{message:?}").chars().take(300).collect();
                        wrong.entry(format!("{} {path}", method.name())).or_insert(format!("{status:?}\n    {sent}"));
                    }
                }
            }
            let most = if writes && !validate_only { accepted } else { 0 };
            let made = server.revision().await - before;
            assert!(made <= most, "{}: {made} revisions for {most} accepted writes", method.full_name());
        }
        println!("{calls} calls");
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(count_panics(), panics, "something panicked");
        is_whole(&mut server).await;
    }

    async fn bytes_that_are_no_request_are_refused_by_the_transport(backend: Backend) {
        let panics = count_panics();
        let (_place, mut server) = fresh(backend).await;
        target(&mut server).await;
        let before = server.revision().await;
        let channel = server.channel().await;
        for method in methods() {
            let whole = base(&method, true).encode_to_vec();
            let mut bad: Vec<Vec<u8>> = vec![
                b"\x0a\xff\xff\xff\xff\x0f".to_vec(),
                vec![0xff; 11],
                vec![0x0b; 10_000],
                b"\x07".to_vec(),
            ];
            if let Some(text) = method.input().fields().find(|field| field.kind() == Kind::String && !field.is_list()) {
                let tag = u8::try_from(text.number() << 3 | 2).expect("a small number");
                bad.extend([&b"\xff\xfe"[..], b"\xed\xa0\x80", b"\xc0\xaf"].map(|bytes| {
                    [&[tag, u8::try_from(bytes.len()).expect("few")][..], bytes].concat()
                }));
                // The last field is cut off in the middle of its text.
                bad.push([&whole[..], &[tag, 100, b'x'][..]].concat());
            }
            for bytes in bad {
                let status = call(&channel, &method, bytes.clone()).await.expect_err("refused");
                let code = status.code();
                assert!(matches!(code, Code::Internal | Code::InvalidArgument), "{} {bytes:?}: {status:?}", method.name());
                assert!(!status.message().contains("panicked"), "{status:?}");
            }
            let status = call(&channel, &method, vec![0; 10_000_000]).await.expect_err("refused");
            assert!(matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted), "{}: {status:?}", method.name());
        }
        assert_eq!(server.revision().await, before);
        assert_eq!(count_panics(), panics, "something panicked");
        is_whole(&mut server).await;
    }

    async fn a_page_token_opens_only_its_own_list(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        target(&mut server).await;
        vendor(&mut server, "other").await;
        let before = server.revision().await;
        let channel = server.channel().await;
        let list = v1::ListVendorsRequest { page_size: 1, ..Default::default() };
        let token = server.vendors.list_vendors(list).await.expect("listed").into_inner().next_page_token;
        let mut forged = vec![token.clone(), "AAAA".into(), "!".into(), token.repeat(2), "A".repeat(100_000)];
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            forged.push(String::from_utf8(bytes).expect("ASCII"));
        }
        for method in methods().filter(|method| method.input().get_field_by_name("page_token").is_some()) {
            for (i, token) in forged.iter().enumerate() {
                let mut request = base(&method, true);
                request.set_field_by_name("page_token", Value::String(token.clone()));
                match call(&channel, &method, request.encode_to_vec()).await {
                    // The token itself, in the list that gave it.
                    Ok(()) => assert_eq!((method.name(), i), ("ListVendors", 0), "{token}"),
                    Err(status) => {
                        let info = status.get_error_details().error_info().cloned().expect("ErrorInfo");
                        assert_eq!((status.code(), info.reason.as_str()), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
                    }
                }
            }
        }
        assert_eq!(server.revision().await, before);
    }

    async fn a_manifest_of_very_many_references_is_answered(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "hostile").await;
        let before = server.revision().await;
        let mut manifest = String::from("organization: {id: hostile, display_name: Hostile}\ndocuments:\n");
        for document in 0..40 {
            manifest += &format!("- {{id: d{document}, title: T, kind: OTHER, claims: [");
            for claim in 0..1_000 {
                manifest += &format!("{{kind: PURPOSE, quote: q, subject: vendors/v{document}x{claim}}},");
            }
            manifest += "]}\n";
        }
        let apply = v1::ApplyManifestRequest { manifest, ..Default::default() };
        let status = server.registry.apply_manifest(apply).await.expect_err("refused");
        assert!(is_proper(&status), "{status:?}");
        println!("{}", status.message());
        assert_eq!(server.revision().await, before);
        is_whole(&mut server).await;
    }
}

//! Traces: what a collector is sent.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::harness::{Start, everywhere};
use crate::server_process::{ServerProcess, at, parlour};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_its_statements_are_spans_of_the_callers_trace() {
    everywhere(Start::Nothing, async |world| {
        let (endpoint, spans) = collector().await;
        let mut command = at(world);
        command.args(["serve", "--listen", "127.0.0.1:0", "--otlp-endpoint", &endpoint]);
        let server = ServerProcess::start(command);
        let body = r#"{"query":"query Crowd($s: String) { chatUsers(search: $s) { totalCount nodes { id } } }","variables":{"s":"secret@example.com"}}"#;
        let head = format!(
            "POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\ntraceparent: 00-{TRACE}-{CALLER}-01\r\nContent-Length: {}\r\n",
            body.len()
        );
        assert_eq!(server.send(&head, body).status, 200);
        server.stop();

        let spans = spans.lock().unwrap().clone();
        let [request] = &of_kind(&spans, "query Crowd")[..] else {
            panic!("{spans:?}");
        };
        assert_eq!(hex(&request.trace_id), TRACE);
        assert_eq!(hex(&request.parent_span_id), CALLER);
        assert_eq!(text(request, "graphql.operation.name"), "Crowd");
        assert_eq!(text(request, "parlour.caller"), "anyone");
        // What a server does by itself has traces of its own.
        let mut statements = of_kind(&spans, "SELECT");
        statements.retain(|statement| statement.trace_id == request.trace_id);
        assert!(statements.len() >= 2, "{statements:?}");
        for statement in statements {
            assert_eq!(statement.parent_span_id, request.span_id);
            assert!(text(statement, "db.query.text").contains("chat_users"));
            assert!(["sqlite", "postgresql"].contains(&&*text(statement, "db.system.name")));
        }
        // Values stay where they are.
        assert!(!format!("{spans:?}").contains("secret@"));
    })
    .await;
}

#[tokio::test]
async fn a_collector_has_a_web_address() {
    let output = parlour()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--otlp-endpoint",
            "localhost:4318",
        ])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && told.contains("otlp-endpoint"),
        "{told}"
    );
}

pub(crate) type Spans = Arc<Mutex<Vec<Span>>>;

/// A collector, and what it has been sent.
pub(crate) async fn collector() -> (String, Spans) {
    let spans = Spans::default();
    let take = async |State(spans): State<Spans>, body: Bytes| {
        let sent = ExportTraceServiceRequest::decode(body).unwrap();
        let sent = sent
            .resource_spans
            .into_iter()
            .flat_map(|one| one.scope_spans);
        spans.lock().unwrap().extend(sent.flat_map(|one| one.spans));
    };
    let routes = Router::new()
        .route("/v1/traces", post(take))
        .with_state(spans.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (endpoint, spans)
}

fn of_kind<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn text(span: &Span, key: &str) -> String {
    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{key}: {other:?} in {span:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

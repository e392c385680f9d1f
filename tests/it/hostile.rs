//! Clients that name without end, send slowly, do not read, or ask for more text than there may be: each resource has a bound.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Kind, Start, World, everywhere};
use crate::ingest::{fates, line};
use crate::server_process::{ServerProcess, at, exchange};

/// A server with these flags.
fn serve(world: &World, flags: &[&str]) -> ServerProcess {
    let mut command = at(world);
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(flags);
    ServerProcess::start(command)
}

/// A connection to a server, on which something was sent.
fn sent(server: &ServerProcess, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// A request without the end of its body.
fn half_a_body(server: &ServerProcess) -> TcpStream {
    let head = "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"query\":";
    sent(server, head)
}

fn is_alive(server: &ServerProcess) -> bool {
    let answer = exchange(server.address(), "GET /health/live HTTP/1.1\r\n", "");
    answer.is_some_and(|answer| answer.status == 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_cut_where_they_are_kept() {
    everywhere(Start::Audience, async |world| {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = at(world);
        command.args(["serve", "--listen", "127.0.0.1:0", "--audit-reads", "true"]);
        command.stderr(Stdio::from(log.reopen().unwrap()));
        command.env("RUST_LOG", "info");
        let server = ServerProcess::start(command);
        for at in 0..8 {
            let name = format!("N{at}{}", "x".repeat(500_000));
            let query = format!("query {name} {{ chatUsers(first: 1) {{ nodes {{ name }} }} }}");
            let answer = server.post("application/json", &json!({ "query": query }).to_string());
            assert_eq!(
                answer.json()["errors"],
                Value::Null,
                "{}",
                &answer.body[..200.min(answer.body.len())]
            );
            let other =
                json!({ "query": "query A { agents { totalCount } }", "operationName": name });
            let answer = server.post("application/json", &other.to_string());
            assert!(answer.body.len() < 4_000, "{}", answer.body.len());
        }
        let metrics = server.get("/metrics").body;
        assert!(
            metrics.len() < 200_000 && metrics.contains("N7xxx"),
            "{}",
            metrics.len()
        );
        server.stop();
        let log = std::fs::read(log.path()).unwrap().len();
        assert!(log < 200_000, "{log}");
        let entries = world
            .ask(
                "{ auditLog(where: {action: {eq: PERSONAL_DATA_READ}}) { nodes { operation } } }",
                json!({}),
            )
            .await;
        let entries = entries["auditLog"]["nodes"].as_array().unwrap();
        assert_eq!(entries.len(), 8);
        assert!(
            entries
                .iter()
                .all(|entry| entry["operation"].as_str().unwrap().len() == 100)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_are_closed_and_make_room() {
    everywhere(Start::Empty, async |world| {
        let server = serve(
            world,
            &["--connection-limit", "20", "--idle-timeout", "1000"],
        );
        let silent: Vec<_> = (0..15).map(|_| sent(&server, "")).collect();
        let half: Vec<_> = (0..15)
            .map(|_| sent(&server, "GET /health/live HTTP/1.1\r\nHost: "))
            .collect();
        assert!(
            is_alive(&server),
            "somebody else comes in once they are closed"
        );
        // HTTP/2: half of how it begins, and a whole beginning after which nothing comes.
        let settings = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0";
        for text in ["P", "PRI * HTTP/2.0\r\n", settings] {
            let others: Vec<_> = (0..25).map(|_| sent(&server, text)).collect();
            assert!(is_alive(&server), "also when they speak HTTP/2: {text:?}");
            drop(others);
        }
        for mut stream in silent.into_iter().chain(half) {
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            let mut text = Vec::new();
            stream.read_to_end(&mut text).ok();
            assert!(!text.starts_with(b"HTTP/1.1 200"));
        }
        server.stop();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_bodies_take_no_places() {
    everywhere(Start::Empty, async |world| {
        let server = serve(
            world,
            &["--concurrency-limit", "2", "--body-timeout", "60000"],
        );
        let halves: Vec<_> = (0..30).map(|_| half_a_body(&server)).collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        for _ in 0..5 {
            let answer = server.post(
                "application/json",
                r#"{"query":"{ agents { totalCount } }"}"#,
            );
            assert_eq!(
                answer.json()["data"]["agents"]["totalCount"],
                0,
                "{}",
                answer.body
            );
        }
        drop(halves);
        server.stop();
    })
    .await;
}

/// Messages with texts of so many bytes.
async fn texts(world: &World, count: usize, bytes: usize) {
    let message = |at: usize| {
        let mut line = line();
        line["message"]["external_id"] = at.to_string().into();
        line["message"]["text"] = "é".repeat(bytes / 2).into();
        line
    };
    let lines: Vec<_> = (0..count).map(message).collect();
    assert!(
        fates(world, &lines)
            .await
            .iter()
            .all(|fate| *fate == "recorded")
    );
}

fn list(selection: &str) -> String {
    json!({ "query": format!("{{ chatUsers {{ nodes {{ messages {{ nodes {{ {selection} }} }} }} }} }}") }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_no_more_text_than_it_may_have() {
    everywhere(Start::Empty, async |world| {
        texts(world, 5, 600_000).await;
        let server = serve(world, &["--answer-limit", "3100000"]);
        // What is within the limit is answered each time, also when a read gives up its thread and is run again.
        for _ in 0..20 {
            let whole = server.post("application/json", &list("text"));
            assert!(
                whole.status == 200 && whole.body.len() > 3_000_000,
                "{}",
                &whole.body[..300.min(whole.body.len())]
            );
        }
        let aliases = (0..100).map(|at| format!("a{at}: text")).collect::<Vec<_>>().join(" ");
        let fragments = format!("text ... on Message {{ b: text }} {}", "c: text");
        for selection in [aliases.as_str(), fragments.as_str()] {
            let answer = server.post("application/json", &list(selection));
            assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "ANSWER_TOO_LARGE", "{}", answer.body.len());
            assert!(answer.body.len() < 10_000, "{}", answer.body.len());
        }
        let lists = json!({ "query": "{ a: chatUsers { nodes { messages { nodes { text } } } } b: chatUsers { nodes { messages { nodes { text } } } } }" });
        let answer = server.post("application/json", &lists.to_string());
        assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "ANSWER_TOO_LARGE");
        // What is short may be named any number of times.
        let names = (0..100).map(|at| format!("a{at}: externalId")).collect::<Vec<_>>().join(" ");
        assert_eq!(server.post("application/json", &list(&names)).json()["errors"], Value::Null);
        server.stop();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_answers_together_have_no_more_text_than_they_may_have() {
    everywhere(Start::Empty, async |world| {
        texts(world, 12, 1_000_000).await;
        let server = serve(
            world,
            &["--answer-memory", "26000000", "--write-timeout", "4000"],
        );
        let body = list("text");
        let head = format!("POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        // Two answers that nobody reads take it all, until their connections are closed.
        let unread: Vec<_> = (0..2).map(|_| sent(&server, &head)).collect();
        let mut answers = (0..200).map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            server.post("application/json", &body)
        });
        let refused = answers
            .find(|answer| answer.json()["errors"] != Value::Null)
            .expect("an answer for which there is no memory");
        let error = &refused.json()["errors"][0];
        assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{error}");
        assert_eq!(error["extensions"]["limit"], "answer-memory", "{error}");
        // Nobody else is refused meanwhile, and then there is memory again.
        let small = server.post("application/json", &list("externalId"));
        assert_eq!(small.json()["errors"], Value::Null);
        assert!(answers.any(|answer| answer.json()["errors"] == Value::Null));
        drop(unread);
        for _ in 0..10 {
            let answer = server.post("application/json", &body);
            assert_eq!(answer.json()["errors"], Value::Null);
        }
        server.stop();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_take_no_more_memory_than_they_may() {
    let world = World::new(Kind::Sqlite, Start::Empty).await;
    let server = serve(&world, &["--document-cache", "8388608"]);
    // 25 kB of text, which weigh a hundred times as much when they are parsed and checked.
    let document = |at: usize| {
        let fields = "id name email tags language createdAt platform totalSessions ".repeat(9);
        let list =
            |list: usize| format!("l{list}: chatUsers(first: 1) {{ nodes {{ {fields} }} }} ");
        let lists: String = (0..40).map(list).collect();
        json!({ "query": format!("query Q{at} {{ {lists} }}") }).to_string()
    };
    let ask = |from: usize, count: usize| {
        for at in from..from + count {
            let answer = server.post("application/json", &document(at));
            assert_eq!(answer.json()["errors"], Value::Null, "{}", answer.body);
        }
    };
    // More than it keeps; then ten times as many.
    ask(0, 10);
    let before = server.memory();
    ask(100, 100);
    let more = server.memory().saturating_sub(before);
    assert!(more < 32 << 20, "{more} bytes more");
    server.stop();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_let_go_of() {
    everywhere(Start::Empty, async |world| {
        texts(world, 12, 1_000_000).await;
        let server = serve(world, &["--write-timeout", "500"]);
        let body = list("text");
        let head = format!("POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let streams: Vec<_> = (0..4).map(|_| sent(&server, &head)).collect();
        tokio::time::sleep(Duration::from_secs(4)).await;
        for mut stream in streams {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut text = Vec::new();
            stream.read_to_end(&mut text).ok();
            assert!(text.len() < 11_000_000, "{} bytes came", text.len());
        }
        assert!(is_alive(&server));
        server.stop();
    })
    .await;
}

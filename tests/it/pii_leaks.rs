//! Nothing personal is told of what is personal: not by the log at any level, not by metrics, traces or commands.

use std::fs::{File, read_to_string};
use std::process::Stdio;

use serde_json::json;

use crate::harness::{Kind, Start, everywhere, scratch};
use crate::server_process::{ServerProcess, at};
use crate::traces::collector;

/// Part of every planted value; nothing else has it.
const PLANTED: &str = "zqxw";

/// Questions with planted values wherever something can be given, good ones and bad ones.
fn questions(agent: &str) -> Vec<serde_json::Value> {
    let event = json!({ "agent": { "externalId": "garden" },
        "user": { "platform": "WHATSAPP", "platformId": "+4930zqxw01", "name": "Zoe zqxw Ünïque", "email": "zoe.zqxw@zqxw.example", "phoneNumber": "zqxw 44",
                  "profilePictureUrl": "https://zqxw.example/z.png", "settings": { "zqxw key": "zqxw value" }, "tags": ["zqxw tag"] },
        "message": { "externalId": "zqxw message", "role": "USER", "text": "zqxw secret", "sentAt": "2026-03-01T10:00:00Z",
                     "attachments": [{ "kind": "file", "url": "https://zqxw.example/f", "name": "zqxw.pdf" }] } });
    let record = "mutation Record($events: [EventInput!]!) { recordMessages(input: {events: $events}) { recorded rejections { message } } }";
    let mut wrong = event.clone();
    wrong["message"]["sentiment"] = json!(7);
    wrong["user"]["language"] = json!("zqxw".repeat(200));
    let by_id = "query Known($agent: ID!, $id: String!) { chatUserByPlatformId(agentId: $agent, platform: WHATSAPP, platformId: $id) { id name email settings } }";
    let ask = |query: &str, variables: serde_json::Value| json!({ "query": query, "variables": variables });
    vec![
        ask(record, json!({ "events": [event, wrong] })),
        ask(record, json!({ "events": [event] })),
        ask(
            "query All { chatUsers { nodes { name email settings messages { nodes { text attachments { url } } } } } }",
            json!({}),
        ),
        // Takes longer than a moment, however fast.
        ask(&patience(), json!({})),
        ask(by_id, json!({ "agent": agent, "id": "+4930zqxw01" })),
        ask(
            "query Find($s: String) { chatUsers(search: $s) { totalCount nodes { name } } }",
            json!({ "s": "zqxw" }),
        ),
        ask(
            "query Find($s: String) { chatUsers(search: $s) { nodes { name } } }",
            json!({ "s": "zqxw\" OR '*' (zqxw NEAR" }),
        ),
        ask(
            "query Find($s: String) { chatUsers(search: $s) { nodes { name } } }",
            json!({ "s": "zoe.zqxw@zqxw.example" }),
        ),
        ask(
            "query Filter($w: ChatUserWhere) { chatUsers(where: $w) { nodes { id } } }",
            json!({ "w": { "email": { "contains": "zqxw" }, "name": { "in": ["zqxw", "\u{0}zqxw"] } } }),
        ),
        ask(
            "query Filter($w: ChatUserWhere) { chatUsers(where: $w) { nodes { id } } }",
            json!({ "w": { "createdAt": { "gt": "zqxw" } } }),
        ),
        ask(
            "query Filter($w: ChatUserWhere) { chatUsers(where: $w) { nodes { id } } }",
            json!({ "w": { "zqxw": "zqxw" } }),
        ),
        ask(
            "query Filter($w: ChatUserWhere) { chatUsers(where: $w) { nodes { id } } }",
            json!({ "w": "zqxw" }),
        ),
        ask(
            "query Page($c: String) { chatUsers(after: $c) { nodes { id } } }",
            json!({ "c": "zqxw" }),
        ),
        ask(
            "query Node($id: ID!) { node(id: $id) { id } }",
            json!({ "id": "zqxw" }),
        ),
        ask(
            "query Literal { chatUsers(search: \"zqxw\", platform: zqxw) { nodes { id zqxw } } }",
            json!({}),
        ),
        ask("query Broken { chatUsers(search: \"zqxw", json!({})),
        ask(
            "{ chatUsers(first: 999999, search: \"zqxw\") { nodes { id } } }",
            json!({}),
        ),
        ask(
            "mutation Change($agent: ID!) { tagChatUsers(input: {agentId: $agent, where: {name: {contains: \"zqxw\"}}, tags: [\"zqxw other\"]}) { count } }",
            json!({ "agent": agent }),
        ),
        ask(
            "mutation Make { createAgent(input: {externalId: \"garden\", name: \"zqxw agent\"}) { userErrors { message } } }",
            json!({}),
        ),
        json!({ "query": { "zqxw": "zqxw" } }),
        json!([{ "query": "{ zqxw }" }]),
        json!({ "query": "{ agents { totalCount } }", "operationName": "zqxw nobody", "extensions": { "persistedQuery": { "version": 1, "sha256Hash": "zqxw" } } }),
    ]
}

/// Everything about everyone, many times.
fn patience() -> String {
    let list = |at| {
        format!(
            "all{at}: chatUsers {{ nodes {{ agent {{ id }} messages {{ nodes {{ replyTo {{ id }} }} }} }} }}"
        )
    };
    let lists: Vec<_> = (0..30).map(list).collect();
    format!("query Patience {{ {} }}", lists.join(" "))
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_metrics_and_traces_tell_nothing_personal() {
    everywhere(Start::Audience, async |world| {
        for (round, limit) in [("patient", "10000"), ("hasty", "1")] {
            let (endpoint, spans) = collector().await;
            let file = scratch().join(format!("silence-{:?}-{round}.log", world.kind));
            let mut command = at(world);
            command.args(["serve", "--listen", "127.0.0.1:0", "--log", "trace", "--log-format", "json"]);
            command.args(["--otlp-endpoint", &endpoint, "--request-timeout", limit, "--drain-timeout", "2000"]);
            command.stderr(Stdio::from(File::create(&file).unwrap()));
            let server = ServerProcess::start(command);
            let agents = world.ask("{ agents { nodes { id } } }", json!({})).await;
            let agent = agents["agents"]["nodes"][0]["id"].as_str().unwrap().to_owned();
            let mut answers = String::new();
            for question in questions(&agent) {
                let body = question.to_string();
                for headers in ["", "Idempotency-Key: one\r\n"] {
                    let length = body.len();
                    let head = format!("POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}");
                    answers.push_str(&server.send(&head, &body).body);
                }
            }
            answers.push_str(&server.post("application/json", "{\"query\": \"zqxw").body);
            answers.push_str(&server.post("text/zqxw", "zqxw").body);
            answers.push_str(&server.get("/graphql?query=%7BchatUsers(search:%22zqxw%22)%7Bnodes%7Bname%7D%7D%7D").body);
            answers.push_str(&server.get("/graphql?query=zqxw%7B&variables=zqxw").body);
            answers.push_str(&server.get("/zqxw").body);
            let metrics = server.get("/metrics").body;
            server.stop();

            // Answers quote what they were asked, and tell what there is: the values did go through.
            if round == "patient" {
                assert!(answers.contains("zoe.zqxw@zqxw.example"), "{answers}");
            } else {
                assert!(answers.contains("TIMEOUT"), "{answers}");
            }
            let log = read_to_string(&file).unwrap();
            assert!(log.contains("\"TRACE\"") && log.contains("\"message\":\"request\""), "{log}");
            quiet("the log", &log);
            assert!(metrics.contains("parlour_requests_total"));
            quiet("metrics", &metrics);
            let spans = spans.lock().unwrap().clone();
            assert!(!spans.is_empty());
            quiet("spans", &format!("{spans:?}"));
            std::fs::remove_file(file).unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_tells_nothing_personal_of_what_it_rejects() {
    everywhere(Start::Empty, async |world| {
        let good = json!({ "agent": { "external_id": "garden" }, "user": { "platform": "SMS", "platform_id": "+49zqxw", "name": "zqxw", "email": "a@zqxw.example" },
            "session": { "external_id": "s" }, "message": { "external_id": "m", "role": "user", "text": "zqxw", "sent_at": "2026-01-01T00:00:00Z" } });
        let with = |pointer: &str, value: serde_json::Value| {
            let mut line = good.clone();
            *line.pointer_mut(pointer).unwrap() = value;
            line.to_string()
        };
        let lines = [
            good.to_string(),
            with("/user/platform", json!("zqxw")),
            with("/user/platform", json!("zqxw` is not zqxw")),
            with("/user/name", json!({ "first": "zqxw" })),
            with("/user/email", json!("zqxw".repeat(1_000))),
            with("/user/platform_id", json!("\u{0}zqxw")),
            with("/message/sent_at", json!("zqxw, expected zqxw")),
            with("/message/sent_at", json!("in the zqxw` is not time")),
            with("/message/role", json!("zqxw")),
            with("/message/text", json!(["zqxw"])),
            with("/agent", json!("zqxw")),
            with("/session/external_id", json!("erased:zqxw")),
            good.to_string()[..200].to_owned(),
            "zqxw".to_owned(),
        ];
        let file = scratch().join(format!("silence-{:?}.ndjson", world.kind));
        std::fs::write(&file, lines.join("\n")).unwrap();
        let mut command = at(world);
        command.arg("import").arg(&file).env("RUST_LOG", "trace");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("rejected    13 lines"), "{said}");
        quiet("import", &said);
        std::fs::remove_file(file).unwrap();
        // What comes of a value that a column cannot hold is an error of the database, and not the value.
        let text = "SELECT CAST('zqxw' AS INTEGER) AS number";
        let reader = &world.database.reader;
        let failed = reader.rows(reader.dialect().raw(text, [])).await;
        if world.kind == Kind::Postgres {
            let error = failed.unwrap_err();
            let parlour::error::Error::Internal(internal) = error else { panic!("{error:?}") };
            assert!(internal.to_string().contains("22P02"), "{internal}");
            quiet("an error", &internal.to_string());
        }
    })
    .await;
}

fn quiet(what: &str, told: &str) {
    // In another case, and as bytes.
    let bytes = PLANTED
        .bytes()
        .map(|byte| byte.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    for form in [PLANTED, &bytes] {
        if let Some(at) = told.to_lowercase().find(form) {
            let from = told.floor_char_boundary(at.saturating_sub(400));
            let to = told.floor_char_boundary(at + 200);
            panic!("{what}: …{}…", &told[from..to]);
        }
    }
}

//! `recordMessages`: what is told once is stored once, whoever tells it, in whatever order and at the same time.

use futures_util::future::join_all;
use parlour::write::verify::verify;
use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};

const RECORD: &str =
    "mutation ($events: [EventInput!]!) { recordMessages(input: {events: $events}) {
    recorded duplicates rejected rejections { index code message field } } }";

async fn record(world: &World, events: Value) -> Value {
    world.ask(RECORD, json!({ "events": events })).await["recordMessages"].take()
}

fn event(user: usize, session: usize, message: usize) -> Value {
    json!({
        "agent": { "externalId": "live", "name": "Live" },
        "user": { "platform": "TELEGRAM", "platformId": format!("u{user}"), "name": format!("User {user}"), "tags": ["b", "a"],
                  "settings": { "seen": true } },
        "session": { "externalId": format!("s{user}-{session}"), "subject": "Hello" },
        "message": { "externalId": format!("m{session}-{message}"), "role": if message.is_multiple_of(2) { "USER" } else { "AGENT" },
                     "text": "Hi 👋", "sentAt": format!("2026-05-{:02}T10:{message:02}:00Z", session + 1),
                     "attachments": [{ "kind": "image", "url": "https://example.org/i.png", "size": 12 }] },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_twice_is_stored_once() {
    everywhere(Start::Empty, async |world| {
        let events: Vec<_> = (0..3).flat_map(|user| (0..4).map(move |at| event(user, at / 2, at % 2))).collect();
        let mut twice = events.clone();
        twice.push(events[0].clone());
        let payload = record(world, json!(twice)).await;
        assert_eq!(payload, json!({ "recorded": 12, "duplicates": 1, "rejected": 0, "rejections": [] }));
        assert_eq!(record(world, json!(events)).await["duplicates"], 12);
        let query = "{ agents { nodes { id externalId name totalUsers totalSessions totalMessages
            chatUsers(orderBy: {field: NAME}) { nodes { name tags settings totalSessions totalChatMessages totalMessagesSent lastReceivedMessage { text attachments { kind size } } } } } } }";
        let mut data = world.ask(query, Value::Null).await;
        let agent = &mut data["agents"]["nodes"][0];
        let id = agent["id"].take();
        assert_eq!(agent["totalUsers"], 3);
        assert_eq!(agent["totalSessions"], 6);
        assert_eq!(agent["totalMessages"], 12);
        let user = &agent["chatUsers"]["nodes"][2];
        assert_eq!(user, &json!({ "name": "User 2", "tags": ["a", "b"], "settings": { "seen": true }, "totalSessions": 2,
            "totalChatMessages": 4, "totalMessagesSent": 2,
            "lastReceivedMessage": { "text": "Hi 👋", "attachments": [{ "kind": "image", "size": 12 }] } }));

        // The agent by its id.
        let mut by_id = event(9, 0, 0);
        by_id["agent"] = json!({ "id": id });
        assert_eq!(record(world, json!([by_id])).await["recorded"], 1);
        assert_eq!(verify(&world.database.reader).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_told_and_the_rest_goes_in() {
    everywhere(Start::Empty, async |world| {
        let mut events: Vec<_> = (0..6).map(|at| event(at, 0, 0)).collect();
        events[1]["agent"] = json!({ "id": "agent_00000000000000000000000000" });
        events[2]["agent"] = json!({});
        events[3]["user"]["platformId"] = json!("");
        events[4]["session"]["externalId"] = events[0]["session"]["externalId"].clone();
        let payload = record(world, json!(events)).await;
        assert_eq!(payload["recorded"], 2);
        let told: Vec<_> = payload["rejections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                (
                    one["index"].clone(),
                    one["code"].clone(),
                    one["field"].clone(),
                )
            })
            .collect();
        assert_eq!(
            json!(told),
            json!([
                [1, "NOT_FOUND", ["events", "1", "agent", "id"]],
                [2, "INVALID", ["events", "2", "agent"]],
                [3, "INVALID", ["events", "3", "user", "platformId"]],
                [4, "INVALID", ["events", "4", "session", "externalId"]],
            ])
        );
        let many: Vec<_> = (0..1001).map(|_| event(0, 0, 0)).collect();
        let answer = world.ask_with(RECORD, json!({ "events": many })).await.body;
        assert_eq!(
            answer["errors"][0]["extensions"]["argument"], "input.events",
            "{answer}"
        );
        assert_eq!(record(world, json!([])).await["recorded"], 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_at_once_lose_nothing() {
    everywhere(Start::Empty, async |world| {
        // Everyone tells of the same users, each of other messages, and of some that another one tells of too.
        let tell = |client: usize| {
            let events: Vec<_> = (0..60).map(|at| event(at % 5, client + at / 30, at % 50)).collect();
            record(world, json!(events))
        };
        let payloads = join_all((0..8).map(tell)).await;
        let total = |key: &str| payloads.iter().map(|payload| payload[key].as_i64().unwrap()).sum::<i64>();
        assert_eq!(total("recorded") + total("duplicates"), 480);
        let query = "{ agents { nodes { totalUsers totalMessages chatUsers { nodes { messages { totalCount } } } } } }";
        let data = world.ask(query, Value::Null).await;
        let agent = &data["agents"]["nodes"][0];
        assert_eq!(agent["totalMessages"], total("recorded"));
        let stored: i64 = agent["chatUsers"]["nodes"].as_array().unwrap().iter().map(|user| user["messages"]["totalCount"].as_i64().unwrap()).sum();
        assert_eq!(stored, total("recorded"));
        assert_eq!(verify(&world.database.reader).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_made_and_described() {
    everywhere(Start::Empty, async |world| {
        let create = "mutation ($input: CreateAgentInput!) { createAgent(input: $input) { agent { id externalId name description totalUsers } userErrors { code field } } }";
        let update = "mutation ($input: UpdateAgentInput!) { updateAgent(input: $input) { agent { name description } userErrors { code field } } }";
        let make = async |input: Value| world.ask(create, json!({ "input": input })).await["createAgent"].take();
        let describe = async |input: Value| world.ask(update, json!({ "input": input })).await["updateAgent"].take();
        let shop = make(json!({ "externalId": "shop", "name": " Shop ", "description": "Sells" })).await;
        let id = shop["agent"]["id"].clone();
        assert_eq!(shop, json!({ "agent": { "id": id, "externalId": "shop", "name": "Shop", "description": "Sells", "totalUsers": 0 }, "userErrors": [] }));
        let again = make(json!({ "externalId": "shop", "name": "Other" })).await;
        assert_eq!(again["userErrors"], json!([{ "code": "CONFLICT", "field": ["externalId"] }]));
        assert_eq!(again["agent"], shop["agent"]);
        assert_eq!(make(json!({ "externalId": "" })).await["userErrors"][0]["code"], "INVALID");

        let described = describe(json!({ "id": id, "description": null })).await;
        assert_eq!(described, json!({ "agent": { "name": "Shop", "description": null }, "userErrors": [] }));
        let found = world.ask("{ agents(search: \"SHOP\") { totalCount } }", Value::Null).await;
        assert_eq!(found["agents"]["totalCount"], 1);
        assert_eq!(describe(json!({ "id": "nobody" })).await["userErrors"][0]["code"], "NOT_FOUND");

        let log = "query ($id: ID) { auditLog(agentId: $id) { nodes { action changes { field before after } } } }";
        let log = world.ask(log, json!({ "id": id })).await["auditLog"]["nodes"].take();
        assert_eq!(log[0], json!({ "action": "AGENT_UPDATED", "changes": [{ "field": "description", "before": "Sells", "after": null }] }));
        assert_eq!(log[1]["action"], "AGENT_CREATED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_comes_with_a_message_is_kept() {
    everywhere(Start::Empty, async |world| {
        let mut asked = event(0, 0, 0);
        asked["message"]["sentiment"] = json!(-0.12345);
        let mut answered = event(0, 0, 1);
        answered["message"]["replyTo"] = json!("m0-0");
        answered["message"]["tokens"] = json!(17);
        answered["message"]["responseTimeMs"] = json!(900);
        answered["message"]["cost"] = json!("0.000125");
        let mut dear = event(0, 0, 2);
        dear["message"]["cost"] = json!(2.5);
        let wrong = |field: &str, value: Value| {
            let mut event = event(0, 0, 3);
            event["message"][field] = value;
            event
        };
        let events = json!([
            answered, asked, dear, wrong("cost", json!("-0.5")), wrong("cost", json!(1_000_001)), wrong("tokens", json!(-1)),
            wrong("responseTimeMs", json!(-1)), wrong("sentiment", json!(1.001)), wrong("replyTo", json!("")),
        ]);
        let payload = record(world, events).await;
        assert_eq!(payload["recorded"], 3);
        let fields: Vec<_> = payload["rejections"].as_array().unwrap().iter().map(|one| &one["field"][3]).collect();
        assert_eq!(fields, ["cost", "cost", "tokens", "responseTimeMs", "sentiment", "replyTo"]);
        let query = "{ agents { nodes { totalCost { amount currency } chatUsers { nodes { totalCost { amount } sessions { nodes { totalCost { amount }
            messages { nodes { replyTo { externalId } tokens responseTimeMs sentiment cost { amount } } } } } } } } } }";
        let data = world.ask(query, Value::Null).await;
        let agent = &data["agents"]["nodes"][0];
        assert_eq!(agent["totalCost"], json!({ "amount": "2.500125", "currency": "USD" }));
        let user = &agent["chatUsers"]["nodes"][0];
        assert_eq!(user["totalCost"]["amount"], "2.500125");
        assert_eq!(user["sessions"]["nodes"][0]["messages"]["nodes"], json!([
            { "replyTo": null, "tokens": null, "responseTimeMs": null, "sentiment": -0.123, "cost": null },
            { "replyTo": { "externalId": "m0-0" }, "tokens": 17, "responseTimeMs": 900, "sentiment": null, "cost": { "amount": "0.000125" } },
            { "replyTo": null, "tokens": null, "responseTimeMs": null, "sentiment": null, "cost": { "amount": "2.5" } },
        ]));
        for cost in [json!("0.0000001"), json!("1e3"), json!(true), json!("9223372036854.775808")] {
            let answer = world.ask_with(RECORD, json!({ "events": [wrong("cost", cost)] })).await.body;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_told_of_apart_and_messages_find_theirs() {
    everywhere(Start::Empty, async |world| {
        let mut opened = event(0, 0, 0);
        opened["message"].take();
        opened["session"] = json!({ "externalId": "call", "startedAt": "2026-05-01T10:00:00Z", "subject": "Call" });
        let mut within = event(0, 0, 10);
        within.as_object_mut().unwrap().remove("session");
        let mut later = event(0, 0, 59);
        later["session"] = Value::Null;
        let mut closed = opened.clone();
        closed["session"] = json!({ "externalId": "call", "endedAt": "2026-05-01T10:05:00Z" });
        let mut nothing = opened.clone();
        nothing["session"] = json!({ "externalId": "call" });

        let sessions = async || {
            let query = "{ sessions(orderBy: {field: STARTED_AT, direction: ASC}) { nodes { externalId startedAt endedAt subject totalMessages } } }";
            world.ask(query, Value::Null).await["sessions"]["nodes"].take()
        };
        let payload = record(world, json!([later, within, opened, opened, nothing])).await;
        assert_eq!((&payload["recorded"], &payload["duplicates"], &payload["rejected"]), (&json!(3), &json!(1), &json!(1)));
        assert_eq!(payload["rejections"][0]["field"], json!(["events", "4", "session", "startedAt"]));
        let found = sessions().await;
        assert_eq!(found.as_array().unwrap().len(), 2);
        assert_eq!(found[0]["externalId"], "call");
        assert_eq!(found[0]["totalMessages"], 1);
        // Closed before that message, as is told later.
        assert_eq!(record(world, json!([closed])).await["recorded"], 1);
        let found = sessions().await;
        let totals: Vec<_> = found.as_array().unwrap().iter().map(|session| &session["totalMessages"]).collect();
        assert_eq!(totals, [0, 1, 1]);
        assert_eq!(found[0]["endedAt"], "2026-05-01T10:05:00Z");
        assert_eq!(verify(&world.database.reader).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_agent_can_be_read_and_takes_nothing_new() {
    everywhere(Start::Empty, async |world| {
        assert_eq!(record(world, json!([event(0, 0, 0)])).await["recorded"], 1);
        let id = world.ask("{ agents { nodes { id } } }", Value::Null).await["agents"]["nodes"][0]["id"].take();
        let change = async |name: &str, input: Value| {
            let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
            let query = format!("mutation ($input: {kind}!) {{ {name}(input: $input) {{ agent {{ isArchived archivedAt sessionIdleMinutes name }} userErrors {{ code field }} }} }}");
            world.ask(&query, json!({ "input": input })).await[name].take()
        };
        let archived = change("archiveAgent", json!({ "id": id })).await;
        assert_eq!(archived["agent"]["isArchived"], true);
        // Again changes nothing.
        assert_eq!(change("archiveAgent", json!({ "id": id })).await, archived);
        let mut renamed = event(1, 0, 0);
        renamed["agent"]["name"] = json!("Other");
        let mut elsewhere = event(1, 0, 0);
        elsewhere["agent"]["externalId"] = json!("elsewhere");
        let payload = record(world, json!([event(0, 0, 0), renamed, elsewhere])).await;
        assert_eq!((&payload["recorded"], &payload["rejected"]), (&json!(1), &json!(2)));
        assert_eq!(payload["rejections"][0]["field"], json!(["events", "0", "agent", "externalId"]));
        let found = world.ask("{ agents(where: {isArchived: {eq: true}}) { nodes { name chatUsers { totalCount } } } }", Value::Null).await;
        assert_eq!(found["agents"]["nodes"], json!([{ "name": "Live", "chatUsers": { "totalCount": 1 } }]));

        assert_eq!(change("unarchiveAgent", json!({ "id": id })).await["agent"]["archivedAt"], Value::Null);
        assert_eq!(record(world, json!([event(1, 0, 0)])).await["recorded"], 1);
        for minutes in [0, -5, 43_201] {
            let refused = change("updateAgent", json!({ "id": id, "sessionIdleMinutes": minutes })).await;
            assert_eq!(refused["userErrors"], json!([{ "code": "INVALID", "field": ["sessionIdleMinutes"] }]));
        }
        assert_eq!(change("updateAgent", json!({ "id": id, "sessionIdleMinutes": 5 })).await["agent"]["sessionIdleMinutes"], 5);
        assert_eq!(change("updateAgent", json!({ "id": id, "sessionIdleMinutes": null })).await["agent"]["sessionIdleMinutes"], 30);
        assert_eq!(change("createAgent", json!({ "externalId": "quick", "sessionIdleMinutes": 1 })).await["agent"]["sessionIdleMinutes"], 1);
        for name in ["archiveAgent", "unarchiveAgent"] {
            assert_eq!(change(name, json!({ "id": "nobody" })).await["userErrors"][0]["code"], "NOT_FOUND");
        }
        let log = "query ($id: ID) { auditLog(agentId: $id) { nodes { action changes { field before after } } } }";
        let log = world.ask(log, json!({ "id": id })).await["auditLog"]["nodes"].take();
        let actions: Vec<_> = log.as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
        assert_eq!(actions, ["AGENT_UPDATED", "AGENT_UPDATED", "AGENT_UNARCHIVED", "AGENT_ARCHIVED"]);
        assert_eq!(log[1]["changes"], json!([{ "field": "sessionIdleMinutes", "before": 30, "after": 5 }]));
        assert_eq!(log[3]["changes"][0]["after"], archived["agent"]["archivedAt"]);
    })
    .await;
}

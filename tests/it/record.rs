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

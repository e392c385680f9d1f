//! Who has stopped the bot: told by events and by a mutation, over with the next message, in whatever order all of it is told.

use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};

const RECORD: &str = "mutation ($events: [EventInput!]!) { recordMessages(input: {events: $events}) { recorded rejected } }";

/// A message of a user, or of the agent to them, with what is said of the user beside it.
fn event(at: &str, role: &str, stopped_at: &Value) -> Value {
    json!({
        "agent": { "externalId": "bot" },
        "user": { "platform": "TELEGRAM", "platformId": "7", "stoppedAt": stopped_at },
        "session": { "externalId": "s" },
        "message": { "externalId": format!("{at} {role}"), "role": role, "text": "", "sentAt": format!("2026-05-01T{at}:00Z") },
    })
}

fn time(at: &str) -> Value {
    json!(format!("2026-05-01T{at}:00Z"))
}

async fn record(world: &World, events: &[&Value]) {
    let data = world.ask(RECORD, json!({ "events": events })).await;
    assert_eq!(data["recordMessages"]["rejected"], 0);
}

async fn user(world: &World) -> Value {
    let query = "{ chatUsers { nodes { id agent { id } stoppedAt } } }";
    world.ask(query, Value::Null).await["chatUsers"]["nodes"][0].take()
}

async fn clear(world: &World) {
    for table in ["messages", "sessions", "chat_users", "agents"] {
        world
            .database
            .writer
            .execute(&format!("DELETE FROM {table}"))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_in_which_it_is_told_does_not_matter() {
    everywhere(Start::Empty, async |world| {
        let none = Value::Null;
        let wrote = [event("10:00", "USER", &none), event("14:00", "USER", &none)];
        let told = [
            event("10:30", "AGENT", &time("11:00")),
            event("10:31", "AGENT", &time("13:00")),
        ];
        let later = event("10:32", "AGENT", &time("15:00"));
        let mut orders = Vec::new();
        for first in 0..4 {
            for second in (0..4).filter(|second| *second != first) {
                for third in (0..4).filter(|third| ![first, second].contains(third)) {
                    orders.push([first, second, third, 6 - first - second - third]);
                }
            }
        }
        for order in orders {
            for batches in [1, 4] {
                clear(world).await;
                let all = [&wrote[0], &wrote[1], &told[0], &told[1]];
                let events = order.map(|at| all[at]);
                for batch in events.chunks(4 / batches) {
                    record(world, batch).await;
                }
                assert_eq!(
                    user(world).await["stoppedAt"],
                    none,
                    "{order:?} in {batches}"
                );
                record(world, &[&later]).await;
                assert_eq!(
                    user(world).await["stoppedAt"],
                    time("15:00"),
                    "{order:?} in {batches}"
                );
                // What was told before is told again.
                record(world, &events).await;
                assert_eq!(
                    user(world).await["stoppedAt"],
                    time("15:00"),
                    "{order:?} in {batches}"
                );
                record(world, &[&event("15:00", "USER", &none)]).await;
                assert_eq!(
                    user(world).await["stoppedAt"],
                    none,
                    "{order:?} in {batches}"
                );
            }
        }
        clear(world).await;
        record(world, &[&later]).await;
        assert_eq!(
            user(world).await["stoppedAt"],
            time("15:00"),
            "who never wrote"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_tells_who_has_stopped_it_and_who_is_back() {
    everywhere(Start::Empty, async |world| {
        record(world, &[&event("10:00", "USER", &Value::Null)]).await;
        let somebody = user(world).await;
        let set = async |input: Value| -> Value {
            let query = "mutation ($input: SetChatUserStoppedInput!) { setChatUserStopped(input: $input) { chatUser { id stoppedAt } userErrors { code field } } }";
            world.ask(query, json!({ "input": input })).await["setChatUserStopped"].take()
        };
        let made = |at: Value| json!({ "chatUser": { "id": somebody["id"], "stoppedAt": at }, "userErrors": [] });
        let (agent, id) = (&somebody["agent"]["id"], &somebody["id"]);
        let there = |at: Value| json!({ "agentId": agent, "platform": "TELEGRAM", "platformId": "7", "stoppedAt": at });
        assert_eq!(set(there(time("12:00"))).await, made(time("12:00")));
        assert_eq!(set(json!({ "id": id, "stoppedAt": time("12:00") })).await, made(time("12:00")));
        let status = "query ($agent: ID!) { blockStatus(agentId: $agent, platform: TELEGRAM, platformId: \"7\") { isBlocked stoppedAt }
            unknown: blockStatus(agentId: $agent, platform: TELEGRAM, platformId: \"8\") { stoppedAt } }";
        let status = world.ask(status, json!({ "agent": agent })).await;
        assert_eq!(status, json!({ "blockStatus": { "isBlocked": false, "stoppedAt": time("12:00") }, "unknown": { "stoppedAt": null } }));
        assert_eq!(set(json!({ "id": id, "stoppedAt": null })).await, made(Value::Null));
        // Before the newest message it says nothing; a time to come is now.
        assert_eq!(set(json!({ "id": id, "stoppedAt": time("10:00") })).await, made(Value::Null));
        let now = set(json!({ "id": id, "stoppedAt": "2999-01-01T00:00:00Z" })).await["chatUser"]["stoppedAt"].take();
        assert!(now.as_str().unwrap() < "2999", "{now}");
        let log = "{ auditLog { nodes { action changes { field before after } } } }";
        let log = world.ask(log, Value::Null).await["auditLog"]["nodes"].take();
        assert_eq!(log.as_array().unwrap().len(), 3);
        assert_eq!(log[1], json!({ "action": "CHAT_USER_STARTED", "changes": [{ "field": "stoppedAt", "before": time("12:00"), "after": null }] }));
        assert_eq!(log[2]["action"], "CHAT_USER_STOPPED");

        for (input, field) in [
            (json!({ "id": "nobody" }), "id"),
            (json!({ "agentId": agent, "platform": "SMS", "platformId": "7" }), "platformId"),
            (json!({ "agentId": "nobody", "platform": "SMS", "platformId": "\u{0}" }), "platformId"),
        ] {
            let payload = set(input).await;
            assert_eq!(payload, json!({ "chatUser": null, "userErrors": [{ "code": "NOT_FOUND", "field": [field] }] }));
        }
        let query = "mutation ($input: SetChatUserStoppedInput!) { setChatUserStopped(input: $input) { chatUser { id } } }";
        for input in [json!({}), json!({ "id": id, "agentId": agent }), json!({ "agentId": agent, "platform": "SMS" })] {
            let answer = world.ask_with(query, json!({ "input": input })).await.body;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        }
    })
    .await;
}

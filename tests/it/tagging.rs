//! Tags by a condition: in bounded steps, to everyone for whom it holds, and nobody else's change is lost.

use futures_util::future::{join, join_all};
use parlour::write::verify::verify;
use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};

const RECORD: &str =
    "mutation ($events: [EventInput!]!) { recordMessages(input: {events: $events}) { recorded } }";

/// Users of an agent, with a tag in their first event each; the agent's id.
async fn crowd(world: &World, count: usize) -> String {
    let event = |at: usize| {
        json!({
            "agent": { "externalId": "crowd" },
            "user": { "platform": if at.is_multiple_of(3) { "WEB" } else { "SMS" }, "platformId": format!("{at}"), "tags": ["new", format!("group {}", at % 7)] },
            "session": { "externalId": format!("{at}") },
            "message": { "externalId": "1", "role": "USER", "text": "", "sentAt": "2026-04-01T00:00:00Z" },
        })
    };
    let events: Vec<_> = (0..count).map(event).collect();
    world.ask(RECORD, json!({ "events": events })).await;
    let agent = world
        .ask(
            "{ agents(search: \"crowd\") { nodes { id } } }",
            Value::Null,
        )
        .await;
    agent["agents"]["nodes"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn tag(world: &World, mutation: &str, input: Value) -> Value {
    let query = format!(
        "mutation ($input: TagChatUsersInput!) {{ {mutation}(input: $input) {{ count hasMore chatUsers {{ id }} userErrors {{ code field }} }} }}"
    );
    world.ask(&query, json!({ "input": input })).await[mutation].take()
}

async fn having(world: &World, agent: &str, conditions: Value) -> Value {
    let query = "query ($agent: ID, $where: ChatUserWhere) { chatUsers(agentId: $agent, where: $where) { totalCount } }";
    world
        .ask(query, json!({ "agent": agent, "where": conditions }))
        .await["chatUsers"]["totalCount"]
        .take()
}

/// The lists by tag have what the users have.
async fn is_listed(world: &World) {
    let dialect = world.database.reader.dialect();
    let listed = "SELECT COUNT(*) AS count FROM chat_user_tags".to_owned();
    let held = format!(
        "SELECT COUNT(*) AS count FROM chat_users CROSS JOIN {}",
        dialect.each_tag("chat_users.tags")
    );
    let strange = format!(
        "SELECT COUNT(*) AS count FROM chat_user_tags JOIN chat_users ON chat_users.id = chat_user_tags.chat_user_id \
         WHERE chat_user_tags.agent_id <> chat_users.agent_id OR chat_user_tags.tag NOT IN (SELECT tag.value FROM {})",
        dialect.each_tag("chat_users.tags")
    );
    let mut counts = Vec::new();
    for sql in [listed, held, strange] {
        let rows = world
            .database
            .reader
            .rows(dialect.raw(sql, []))
            .await
            .unwrap();
        counts.push(rows[0].try_get::<i64>("", "count").unwrap());
    }
    assert_eq!((counts[0], counts[2]), (counts[1], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_for_whom_it_holds_is_tagged() {
    everywhere(Start::Audience, async |world| {
        let agent = crowd(world, 800).await;
        is_listed(world).await;
        let web = json!({ "platform": { "eq": "WEB" } });
        let done = |count: usize| json!({ "count": count, "hasMore": false, "chatUsers": [], "userErrors": [] });
        let payload = tag(world, "tagChatUsers", json!({ "agentId": agent, "where": web, "tags": ["vip", "new"] })).await;
        assert_eq!(payload, done(267));
        assert_eq!(having(world, &agent, json!({ "tags": { "hasAll": ["vip", "new"] } })).await, 267);
        assert_eq!(tag(world, "tagChatUsers", json!({ "agentId": agent, "where": web, "tags": ["vip"] })).await, done(0));
        // Everyone: 800, in more than one step. What the condition is about is what is changed.
        let payload = tag(world, "untagChatUsers", json!({ "agentId": agent, "where": { "tags": { "has": "new" } }, "tags": ["new"] })).await;
        assert_eq!(payload, done(800));
        assert_eq!(having(world, &agent, json!({ "tags": { "has": "new" } })).await, 0);
        assert_eq!(having(world, &agent, json!({ "not": { "tags": { "has": "vip" } } })).await, 533);
        let log = "query ($agent: ID) { auditLog(agentId: $agent) { totalCount } }";
        assert_eq!(world.ask(log, json!({ "agent": agent })).await["auditLog"]["totalCount"], 267 + 800);
        is_listed(world).await;
        assert_eq!(verify(&world.database.reader).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_many_tags_is_told_and_left() {
    everywhere(Start::Empty, async |world| {
        let agent = crowd(world, 10).await;
        let full: Vec<_> = (0..98).map(|at| format!("tag {at}")).collect();
        let payload = tag(world, "tagChatUsers", json!({ "agentId": agent, "where": { "platformId": { "in": ["1", "2"] } }, "tags": full })).await;
        assert_eq!(payload["count"], 2);
        let payload = tag(world, "tagChatUsers", json!({ "agentId": agent, "where": { "tags": { "has": "new" } }, "tags": ["one more"] })).await;
        let refused = json!({ "code": "INVALID", "field": ["where"] });
        assert_eq!(payload, json!({ "count": 8, "hasMore": false, "chatUsers": [], "userErrors": [refused, refused] }));
        is_listed(world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_s_change_is_lost() {
    everywhere(Start::Empty, async |world| {
        let agent = crowd(world, 300).await;
        let by_condition = |word: &str| {
            tag(
                world,
                "tagChatUsers",
                json!({ "agentId": agent, "where": { "tags": { "has": "new" } }, "tags": [word] }),
            )
        };
        let users = "query ($agent: ID) { chatUsers(agentId: $agent, first: 20) { nodes { id } } }";
        let users = world.ask(users, json!({ "agent": agent })).await;
        let ids: Vec<_> = users["chatUsers"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["id"].clone())
            .collect();
        let by_id = ids.iter().map(|id| {
            tag(
                world,
                "tagChatUsers",
                json!({ "ids": [id], "tags": ["by id"] }),
            )
        });
        join(
            join_all(
                ["one", "two", "three", "four"]
                    .into_iter()
                    .map(by_condition),
            ),
            join_all(by_id),
        )
        .await;
        assert_eq!(
            having(
                world,
                &agent,
                json!({ "tags": { "hasAll": ["one", "two", "three", "four", "new"] } })
            )
            .await,
            300
        );
        assert_eq!(
            having(world, &agent, json!({ "tags": { "has": "by id" } })).await,
            20
        );
        is_listed(world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_it_is_about_is_said_in_one_way() {
    everywhere(Start::Empty, async |world| {
        let agent = crowd(world, 3).await;
        let query = "mutation ($input: TagChatUsersInput!) { tagChatUsers(input: $input) { count } }";
        for input in [
            json!({ "tags": ["a"] }),
            json!({ "tags": ["a"], "where": {} }),
            json!({ "tags": ["a"], "agentId": agent }),
            json!({ "tags": ["a"], "ids": [], "agentId": agent, "where": {} }),
            json!({ "tags": ["a"], "agentId": agent, "where": { "name": { "contains": "\u{0}" } } }),
        ] {
            let answer = world.ask_with(query, json!({ "input": input })).await.body;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{input}: {answer}");
        }
        for nobody in ["agent_00000000000000000000000000", "garbage"] {
            let payload = tag(world, "tagChatUsers", json!({ "tags": ["a"], "agentId": nobody, "where": { "tags": { "has": "new" } } })).await;
            assert_eq!(payload["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["agentId"] }]));
        }
        let payload = tag(world, "tagChatUsers", json!({ "tags": [" "], "agentId": agent, "where": {} })).await;
        assert_eq!(payload["userErrors"], json!([{ "code": "INVALID", "field": ["tags"] }]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_counts_and_changes_nothing() {
    everywhere(Start::Empty, async |world| {
        let agent = crowd(world, 30).await;
        let web = json!({ "platform": { "eq": "WEB" } });
        let input = json!({ "agentId": agent, "where": web, "tags": ["vip"], "dryRun": true });
        let would = json!({ "count": 10, "hasMore": false, "chatUsers": [], "userErrors": [] });
        assert_eq!(tag(world, "tagChatUsers", input.clone()).await, would);
        assert_eq!(tag(world, "tagChatUsers", input).await, would);
        let users = "query ($agent: ID) { chatUsers(agentId: $agent, first: 5) { nodes { id } } }";
        let users = world.ask(users, json!({ "agent": agent })).await;
        let ids: Vec<_> = users["chatUsers"]["nodes"].as_array().unwrap().iter().map(|user| &user["id"]).collect();
        let payload = tag(world, "tagChatUsers", json!({ "ids": ids, "tags": ["vip"], "dryRun": true })).await;
        assert_eq!(payload["count"], 5);
        let changes = "mutation ($id: ID!) { updateChatUsers(input: { dryRun: true, changes: [{ id: $id, name: \"New\" }] }) { chatUsers { name } userErrors { code } } }";
        let payload = world.ask(changes, json!({ "id": ids[0] })).await;
        assert_eq!(payload["updateChatUsers"], json!({ "chatUsers": [{ "name": null }], "userErrors": [] }));
        assert_eq!(having(world, &agent, json!({ "tags": { "has": "vip" } })).await, 0);
        let log = "query ($agent: ID) { auditLog(agentId: $agent) { totalCount } }";
        assert_eq!(world.ask(log, json!({ "agent": agent })).await["auditLog"]["totalCount"], 0);
        let nobody = json!({ "agentId": "agent_00000000000000000000000000", "where": web, "tags": ["vip"], "dryRun": true });
        assert_eq!(tag(world, "tagChatUsers", nobody).await["userErrors"][0]["code"], "NOT_FOUND");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_count_than_expected_changes_nothing() {
    everywhere(Start::Empty, async |world| {
        let agent = crowd(world, 300).await;
        let input = |count: i64| json!({ "agentId": agent, "where": { "tags": { "has": "new" } }, "tags": ["vip"], "expectedCount": count });
        for wrong in [299, 301, 0, -1] {
            let payload = tag(world, "tagChatUsers", input(wrong)).await;
            let conflict = json!({ "code": "CONFLICT", "field": ["expectedCount"] });
            assert_eq!(payload, json!({ "count": 0, "hasMore": false, "chatUsers": [], "userErrors": [conflict] }));
        }
        assert_eq!(having(world, &agent, json!({ "tags": { "has": "vip" } })).await, 0);
        assert_eq!(tag(world, "tagChatUsers", input(300)).await["count"], 300);
        assert_eq!(having(world, &agent, json!({ "tags": { "has": "vip" } })).await, 300);
        assert_eq!(tag(world, "untagChatUsers", input(300)).await["count"], 300);
        let query = "mutation ($input: TagChatUsersInput!) { tagChatUsers(input: $input) { count } }";
        let ids = json!({ "ids": [], "tags": ["vip"], "expectedCount": 0 });
        let answer = world.ask_with(query, json!({ "input": ids })).await.body;
        assert_eq!(answer["errors"][0]["extensions"]["argument"], "input.expectedCount");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_trimmed_on_every_way_in() {
    everywhere(Start::Empty, async |world| {
        let event = |tags: &str| {
            let line = format!(
                r#"{{"agent":{{"external_id":"a"}},"user":{{"platform":"WEB","platform_id":"1","tags":{tags}}},"session":{{"external_id":"s","tags":{tags}}},"message":{{"external_id":"m","role":"user","text":"","sent_at":"2026-04-01T00:00:00Z"}}}}"#
            );
            serde_json::from_str(&line).unwrap()
        };
        parlour::write::apply(&world.database.writer, &[event(r#"["vip ", "\u00a0vip", "b"]"#)]).await.unwrap();
        let users = world.ask("{ chatUsers { nodes { id tags sessions { nodes { tags } } } } }", Value::Null).await;
        let user = &users["chatUsers"]["nodes"][0];
        assert_eq!(user["tags"], json!(["b", "vip"]));
        assert_eq!(user["sessions"]["nodes"][0]["tags"], json!(["b", "vip"]));
        is_listed(world).await;
        let payload = tag(world, "untagChatUsers", json!({ "ids": [user["id"]], "tags": [" vip"] })).await;
        assert_eq!(payload["count"], 1);
        let outcomes = parlour::write::apply(&world.database.writer, &[event(r#"[" "]"#)]).await.unwrap();
        assert!(format!("{outcomes:?}").contains("user.tags"), "{outcomes:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_with_nul_are_refused_on_every_way_in() {
    everywhere(Start::Empty, async |world| {
        for settings in [json!({ "a": "\u{0}" }), json!({ "\u{0}": 1 }), json!({ "a": [{ "b": { "c\u{0}": null } }] })] {
            let event = json!({ "agent": { "externalId": "a" }, "user": { "platform": "WEB", "platformId": "1", "settings": settings },
                "session": { "externalId": "s" }, "message": { "externalId": "m", "role": "USER", "text": "", "sentAt": "2026-04-01T00:00:00Z" } });
            let record = "mutation ($event: EventInput!) { recordMessages(input: {events: [$event]}) { recorded rejections { message } } }";
            let answer = world.ask(record, json!({ "event": event })).await;
            assert_eq!(answer["recordMessages"]["recorded"], 0);
            let message = answer["recordMessages"]["rejections"][0]["message"].as_str().unwrap();
            assert!(message.contains("settings") && message.contains("U+0000"), "{message}");
        }
    })
    .await;
}

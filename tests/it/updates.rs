//! Changes of profiles: what is absent stays, null clears, nobody's change is lost, and all of it is told.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};

const UPDATE: &str = "mutation ($input: UpdateChatUserInput!) { updateChatUser(input: $input) {
    chatUser { id version name email phoneNumber profilePictureUrl language }
    userErrors { code message field } } }";
const UPDATE_MANY: &str =
    "mutation ($input: UpdateChatUsersInput!) { updateChatUsers(input: $input) {
    chatUsers { id version name } userErrors { code field } } }";

async fn update(world: &World, input: Value) -> Value {
    world.ask(UPDATE, json!({ "input": input })).await["updateChatUser"].take()
}

async fn update_many(world: &World, input: Value) -> Value {
    world.ask(UPDATE_MANY, json!({ "input": input })).await["updateChatUsers"].take()
}

/// Ids of some users.
async fn some(world: &World, count: usize) -> Vec<String> {
    let query = "query ($first: Int) { chatUsers(first: $first) { nodes { id } } }";
    let data = world.ask(query, json!({ "first": count })).await;
    let nodes = data["chatUsers"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn audit_log(world: &World, user: &str) -> Value {
    let query = "query ($id: ID!) { chatUser(id: $id) { auditLog { totalCount nodes { action actor changes { field before after } } } } }";
    world.ask(query, json!({ "id": user })).await["chatUser"]["auditLog"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_absent_stays_and_null_clears() {
    everywhere(Start::Audience, async |world| {
        let user = some(world, 1).await.remove(0);
        let full = json!({ "id": user, "name": " Zoë Ünïque ", "email": "zoe@example.org", "phoneNumber": "+44 20 7946 0000",
            "profilePictureUrl": "https://example.org/z.png", "language": "EN-us" });
        let payload = update(world, full).await;
        assert_eq!(payload["userErrors"], json!([]));
        let version = payload["chatUser"]["version"].as_i64().unwrap();
        let kept = json!({ "id": user, "version": version, "name": "Zoë Ünïque", "email": "zoe@example.org",
            "phoneNumber": "+442079460000", "profilePictureUrl": "https://example.org/z.png", "language": "en-US" });
        assert_eq!(payload["chatUser"], kept);

        // Found by the new name, in the list that is ordered by it.
        let found = "{ chatUsers(search: \"zoe uni\") { nodes { id } } }";
        let found = world.ask(found, Value::Null).await;
        assert_eq!(found["chatUsers"]["nodes"], json!([{ "id": user }]));

        // As a literal, as a variable, and as a variable that is not given.
        let literal = format!("mutation {{ updateChatUser(input: {{id: \"{user}\", email: null}}) {{ chatUser {{ name email }} }} }}");
        let data = world.ask(&literal, Value::Null).await;
        assert_eq!(data["updateChatUser"]["chatUser"], json!({ "name": "Zoë Ünïque", "email": null }));
        let inner = "mutation ($id: ID!, $phone: String, $language: String) {
            updateChatUser(input: {id: $id, phoneNumber: $phone, language: $language}) { chatUser { phoneNumber language } } }";
        let data = world.ask(inner, json!({ "id": user, "phone": null })).await;
        assert_eq!(data["updateChatUser"]["chatUser"], json!({ "phoneNumber": null, "language": "en-US" }));

        // A change that changes nothing is no new version, and no entry.
        let before = audit_log(world, &user).await;
        let payload = update(world, json!({ "id": user, "name": "Zoë Ünïque" })).await;
        assert_eq!(payload["chatUser"]["version"], version + 2);
        assert_eq!(audit_log(world, &user).await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_told() {
    everywhere(Start::Audience, async |world| {
        let user = some(world, 1).await.remove(0);
        let before = update(world, json!({ "id": user })).await["chatUser"].take();
        let wrong = json!({ "id": user, "name": "New", "email": "nobody", "profilePictureUrl": "javascript:alert(1)", "language": "?" });
        let payload = update(world, wrong).await;
        let fields: Vec<_> = payload["userErrors"].as_array().unwrap().iter().map(|error| &error["field"][0]).collect();
        assert_eq!(fields, ["email", "profilePictureUrl", "language"]);
        assert_eq!(payload["chatUser"], before);

        let version = before["version"].as_i64().unwrap();
        let payload = update(world, json!({ "id": user, "ifVersion": version + 1, "name": "New" })).await;
        assert_eq!(payload["userErrors"][0]["code"], "CONFLICT");
        assert_eq!(payload["chatUser"], before);
        let payload = update(world, json!({ "id": user, "ifVersion": version, "name": "New" })).await;
        assert_eq!(payload["chatUser"]["version"], version + 1);

        for nobody in ["", "garbage", "user_00000000000000000000000000"] {
            let payload = update(world, json!({ "id": nobody, "name": "New" })).await;
            assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND", "{nobody:?}");
            assert_eq!(payload["chatUser"], Value::Null);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_changed_together_or_each_by_itself() {
    everywhere(Start::Audience, async |world| {
        let users = some(world, 3).await;
        let changes = json!([
            { "id": users[0], "name": "First" },
            { "id": users[1], "name": "Second", "ifVersion": 99 },
            { "id": users[2], "name": "Third", "email": "nobody" },
            { "id": users[0], "name": "First again" },
        ]);
        let names = |payload: &Value| -> Vec<String> {
            let users = payload["chatUsers"].as_array().unwrap();
            users
                .iter()
                .map(|user| user["name"].as_str().unwrap_or_default().to_owned())
                .collect()
        };
        let codes = |payload: &Value| -> Vec<(String, String)> {
            let errors = payload["userErrors"].as_array().unwrap();
            errors
                .iter()
                .map(|error| {
                    (
                        error["field"].as_array().unwrap()[1]
                            .as_str()
                            .unwrap()
                            .to_owned(),
                        error["code"].as_str().unwrap().to_owned(),
                    )
                })
                .collect()
        };
        let owned = |codes: &[(&str, &str)]| -> Vec<(String, String)> {
            codes
                .iter()
                .map(|(at, code)| ((*at).to_owned(), (*code).to_owned()))
                .collect()
        };
        let before = update_many(
            world,
            json!({ "changes": [{ "id": users[0] }, { "id": users[1] }, { "id": users[2] }] }),
        )
        .await;

        let payload = update_many(world, json!({ "changes": changes })).await;
        assert_eq!(names(&payload)[..3], names(&before));
        assert_eq!(
            codes(&payload),
            owned(&[
                ("0", "NOT_APPLIED"),
                ("1", "NOT_APPLIED"),
                ("2", "INVALID"),
                ("3", "INVALID")
            ])
        );

        let payload =
            update_many(world, json!({ "changes": changes, "allOrNothing": false })).await;
        assert_eq!(names(&payload)[0], "First");
        assert_eq!(names(&payload)[1..3], names(&before)[1..]);
        assert_eq!(
            codes(&payload),
            owned(&[("1", "CONFLICT"), ("2", "INVALID"), ("3", "INVALID")])
        );

        let many: Vec<_> = (0..251).map(|_| json!({ "id": users[0] })).collect();
        let answer = world
            .ask_with(UPDATE_MANY, json!({ "input": { "changes": many } }))
            .await
            .body;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{answer}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_none_is_lost() {
    everywhere(Start::Audience, async |world| {
        let user = some(world, 1).await.remove(0);
        let version = update(world, json!({ "id": user })).await["chatUser"]["version"]
            .as_i64()
            .unwrap();
        // Everyone has seen the same version: one is the first.
        let at_once = (0..16).map(|at| {
            update(
                world,
                json!({ "id": user, "ifVersion": version, "name": format!("Name {at}") }),
            )
        });
        let payloads = join_all(at_once).await;
        let made: Vec<_> = payloads
            .iter()
            .filter(|payload| payload["userErrors"] == json!([]))
            .collect();
        assert_eq!(made.len(), 1, "{payloads:?}");
        // Without a version each is made, one after the other.
        let at_once =
            (0..16).map(|at| update(world, json!({ "id": user, "name": format!("Other {at}") })));
        let payloads = join_all(at_once).await;
        assert!(
            payloads
                .iter()
                .all(|payload| payload["userErrors"] == json!([])),
            "{payloads:?}"
        );
        let last = update(world, json!({ "id": user })).await;
        assert_eq!(last["chatUser"]["version"], version + 17);
        // And the log tells of each, from the name that the one before it left.
        let log = audit_log(world, &user).await;
        assert_eq!(log["totalCount"], 17);
        assert_eq!(
            log["nodes"][0]["changes"][0]["after"],
            last["chatUser"]["name"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_who_changed_what() {
    everywhere(Start::Audience, async |world| {
        let user = some(world, 1).await.remove(0);
        update(world, json!({ "id": user, "name": "One", "language": "de" })).await;
        update(world, json!({ "id": user, "name": null })).await;
        let log = audit_log(world, &user).await;
        assert_eq!(log["totalCount"], 2);
        assert_eq!(
            log["nodes"][0],
            json!({ "action": "CHAT_USER_UPDATED", "actor": "anyone", "changes": [{ "field": "name", "before": "One", "after": null }] })
        );
        let query = "{ auditLog { nodes { id requestId chatUser { id } agent { id } } }
            none: auditLog(where: {action: {notIn: [CHAT_USER_UPDATED]}}) { totalCount } }";
        let data = world.ask(query, Value::Null).await;
        let entry = &data["auditLog"]["nodes"][0];
        assert_eq!(entry["chatUser"]["id"], Value::from(user));
        assert_eq!(entry["requestId"], "test");
        assert!(entry["agent"]["id"].is_string());
        assert_eq!(data["none"]["totalCount"], 0);
        let node = world.ask("query ($id: ID!) { node(id: $id) { __typename } }", json!({ "id": entry["id"] })).await;
        assert_eq!(node["node"]["__typename"], "AuditEntry");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_put_on_and_taken_off() {
    everywhere(Start::Audience, async |world| {
        let users = some(world, 2).await;
        let ask = async |mutation: &str, tags: Value| -> Value {
            let query = format!("mutation ($input: TagChatUsersInput!) {{ {mutation}(input: $input) {{ count chatUsers {{ tags }} userErrors {{ code field }} }} }}");
            world.ask(&query, json!({ "input": { "ids": [users[0], users[1], "nobody"], "tags": tags } })).await[mutation].take()
        };
        ask("untagChatUsers", json!(["vip", "returning", "lead"])).await;
        let payload = ask("tagChatUsers", json!([" vip ", "blue", "vip"])).await;
        assert_eq!(payload["count"], 2);
        assert_eq!(payload["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["ids", "2", "id"] }]));
        for user in 0..2 {
            let tags: Vec<_> = payload["chatUsers"][user]["tags"].as_array().unwrap().iter().filter(|tag| *tag == "vip" || *tag == "blue").collect();
            assert_eq!(tags, ["blue", "vip"]);
        }
        assert_eq!(ask("tagChatUsers", json!(["vip"])).await["count"], 0);
        let payload = ask("untagChatUsers", json!(["vip", "never had"])).await;
        assert_eq!(payload["count"], 2);
        let query = "{ chatUsers(where: {tags: {has: \"blue\"}}) { totalCount } }";
        assert_eq!(world.ask(query, Value::Null).await["chatUsers"]["totalCount"], 2);
        let payload = ask("tagChatUsers", json!(["fine", " "])).await;
        assert_eq!(payload["userErrors"][0]["field"], json!(["tags"]));
        let many: Vec<_> = (0..100).map(|at| format!("tag {at}")).collect();
        let payload = ask("tagChatUsers", json!(many)).await;
        assert_eq!(payload["userErrors"][0]["field"], json!(["ids", "0", "tags"]));
        let log = audit_log(world, &users[0]).await;
        assert_eq!(log["nodes"][0]["action"], "CHAT_USER_UNTAGGED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_merged() {
    everywhere(Start::Audience, async |world| {
        let user = some(world, 1).await.remove(0);
        let ask = async |settings: Value| -> Value {
            let query = "mutation ($input: UpdateChatUserSettingsInput!) { updateChatUserSettings(input: $input) { chatUser { settings } userErrors { code field } } }";
            world.ask(query, json!({ "input": { "id": user, "settings": settings } })).await["updateChatUserSettings"].take()
        };
        ask(json!({ "theme": "dark", "mail": { "weekly": true, "daily": false } })).await;
        let payload = ask(json!({ "theme": null, "mail": { "daily": true }, "😀": [1, 2.5, "ü"] })).await;
        let settings = &payload["chatUser"]["settings"];
        assert_eq!(settings["mail"], json!({ "weekly": true, "daily": true }));
        assert_eq!(settings["😀"], json!([1, 2.5, "ü"]));
        assert!(settings.get("theme").is_none());
        let payload = ask(json!({ "long": "x".repeat(70_000) })).await;
        assert_eq!(payload["userErrors"], json!([{ "code": "INVALID", "field": ["settings"] }]));
        let payload = ask(json!({ "nul": "a\u{0}b" })).await;
        assert_eq!(payload["userErrors"][0]["field"], json!(["settings"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_holds_until_its_time_or_until_it_is_lifted() {
    everywhere(Start::Audience, async |world| {
        let who = "{ chatUsers(first: 1) { nodes { id platform platformId agent { id } } } }";
        let who = world.ask(who, Value::Null).await["chatUsers"]["nodes"][0].take();
        let status = async || -> Value {
            let query = "query ($a: ID!, $p: Platform!, $i: String!) { blockStatus(agentId: $a, platform: $p, platformId: $i) {
                isBlocked block { reason until by } chatUser { id isBlocked } } }";
            let variables = json!({ "a": who["agent"]["id"], "p": who["platform"], "i": who["platformId"] });
            world.ask(query, variables).await["blockStatus"].take()
        };
        let block = async |input: Value| -> Value {
            let query = "mutation ($input: BlockChatUserInput!) { blockChatUser(input: $input) { chatUser { isBlocked version } userErrors { code field } } }";
            world.ask(query, json!({ "input": input })).await["blockChatUser"].take()
        };
        assert_eq!(status().await["isBlocked"], false);
        let payload = block(json!({ "id": who["id"], "reason": " spam " })).await;
        assert_eq!(payload["chatUser"]["isBlocked"], true, "{payload}");
        let blocked = json!({ "isBlocked": true, "block": { "reason": "spam", "until": null, "by": "anyone" },
            "chatUser": { "id": who["id"], "isBlocked": true } });
        assert_eq!(status().await, blocked);
        let everyone = "{ chatUsers(where: {blockedAt: {isNull: false}, blockedUntil: {isNull: true}}) { nodes { id } } }";
        let everyone = world.ask(everyone, Value::Null).await;
        assert_eq!(everyone["chatUsers"]["nodes"], json!([{ "id": who["id"] }]));

        // A time takes the place of "until further notice"; once it has come nobody has to do anything.
        block(json!({ "id": who["id"], "until": "2999-01-01T00:00:00Z" })).await;
        assert_eq!(status().await["block"]["until"], "2999-01-01T00:00:00Z");
        let passed = "UPDATE chat_users SET blocked_until = 1 WHERE blocked_until IS NOT NULL";
        world.database.writer.execute(passed).await.unwrap();
        assert_eq!(status().await["block"], Value::Null);
        assert_eq!(status().await["isBlocked"], false);

        let payload = block(json!({ "id": who["id"], "until": "2020-01-01T00:00:00Z" })).await;
        assert_eq!(payload["userErrors"], json!([{ "code": "INVALID", "field": ["until"] }]));
        assert_eq!(block(json!({ "id": "nobody" })).await["userErrors"][0]["code"], "NOT_FOUND");

        block(json!({ "id": who["id"] })).await;
        let lift = "mutation ($id: ID!) { unblockChatUser(input: {id: $id}) { chatUser { isBlocked } userErrors { code } } }";
        for _ in 0..2 {
            let payload = world.ask(lift, json!({ "id": who["id"] })).await;
            assert_eq!(payload["unblockChatUser"], json!({ "chatUser": { "isBlocked": false }, "userErrors": [] }));
        }
        let log = audit_log(world, who["id"].as_str().unwrap()).await;
        assert_eq!(log["totalCount"], 4);
        assert_eq!(log["nodes"][0]["action"], "CHAT_USER_UNBLOCKED");
        assert_eq!(log["nodes"][3]["changes"], json!([{ "field": "block", "before": null, "after": { "reason": "spam", "until": null } }]));

        let nobody = "query ($a: ID!) { blockStatus(agentId: $a, platform: WEB, platformId: \"never heard of\") { isBlocked chatUser { id } } }";
        let nobody = world.ask(nobody, json!({ "a": who["agent"]["id"] })).await;
        assert_eq!(nobody["blockStatus"], json!({ "isBlocked": false, "chatUser": null }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_holds_until_its_time_or_until_it_is_ended() {
    everywhere(Start::Audience, async |world| {
        let user = some(world, 1).await.remove(0);
        let subscribe = async |input: Value| -> Value {
            let query = "mutation ($input: SubscribeChatUserInput!) { subscribeChatUser(input: $input) {
                chatUser { subscriptions { nodes { tag expiresAt } } } userErrors { code field } } }";
            world.ask(query, json!({ "input": input })).await["subscribeChatUser"].take()
        };
        let later = "2999-01-01T00:00:00Z";
        subscribe(json!({ "id": user, "tag": " news " })).await;
        let payload = subscribe(json!({ "id": user, "tag": "deals", "expiresAt": later })).await;
        let both = json!([{ "tag": "deals", "expiresAt": later }, { "tag": "news", "expiresAt": null }]);
        assert_eq!(payload["chatUser"]["subscriptions"]["nodes"], both, "{payload}");
        // Again is another end; the same again is no change.
        let payload = subscribe(json!({ "id": user, "tag": "news", "expiresAt": later })).await;
        assert_eq!(payload["chatUser"]["subscriptions"]["nodes"][1]["expiresAt"], later);
        subscribe(json!({ "id": user, "tag": "news", "expiresAt": later })).await;
        assert_eq!(audit_log(world, &user).await["totalCount"], 3);

        world.database.writer.execute("UPDATE subscriptions SET expires_at = 1 WHERE tag = 'deals'").await.unwrap();
        let end = "mutation ($id: ID!) { unsubscribeChatUser(input: {id: $id, tag: \"news\"}) { chatUser { subscriptions { nodes { tag } } } userErrors { code } } }";
        for _ in 0..2 {
            let payload = world.ask(end, json!({ "id": user })).await;
            assert_eq!(payload["unsubscribeChatUser"], json!({ "chatUser": { "subscriptions": { "nodes": [] } }, "userErrors": [] }));
        }
        let log = audit_log(world, &user).await;
        assert_eq!(log["totalCount"], 4);
        assert_eq!(log["nodes"][0]["changes"], json!([{ "field": "subscriptions", "before": { "tag": "news", "expiresAt": later }, "after": null }]));

        let payload = subscribe(json!({ "id": user, "tag": " ", "expiresAt": "2000-01-01T00:00:00Z" })).await;
        assert_eq!(payload["userErrors"], json!([{ "code": "INVALID", "field": ["tag"] }, { "code": "INVALID", "field": ["expiresAt"] }]));
        assert_eq!(subscribe(json!({ "id": "nobody", "tag": "news" })).await["userErrors"][0]["code"], "NOT_FOUND");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_come_by_pages_and_are_not_without_number() {
    everywhere(Start::Audience, async |world| {
        let user = some(world, 1).await.remove(0);
        let subscribe = async |from: usize, to: usize, end: &str| -> Value {
            let fields: Vec<_> = (from..to).map(|at| format!("s{at}: subscribeChatUser(input: {{id: $id, tag: \"tag {at:04}\"{end}}}) {{ userErrors {{ code field }} }}")).collect();
            let fields = fields.join(" ");
            world.ask(&format!("mutation ($id: ID!) {{ {fields} }}"), json!({ "id": user })).await
        };
        for at in 0..10 {
            subscribe(at * 100, at * 100 + 100, if at == 9 { ", expiresAt: \"2999-01-01T00:00:00Z\"" } else { "" }).await;
        }
        let one = subscribe(1_000, 1_001, "").await;
        assert_eq!(one["s1000"]["userErrors"], json!([{ "code": "INVALID", "field": ["tag"] }]));
        // Again is no other one.
        assert_eq!(subscribe(5, 6, "").await["s5"]["userErrors"], json!([]));

        let page = "query ($id: ID!, $after: String) { chatUser(id: $id) { subscriptions(first: 70, after: $after) {
            totalCount pageInfo { hasNextPage hasPreviousPage endCursor } nodes { id tag chatUser { id } } } } }";
        let mut tags = Vec::new();
        let mut after = Value::Null;
        loop {
            let data = world.ask(page, json!({ "id": user, "after": after })).await;
            let list = &data["chatUser"]["subscriptions"];
            assert_eq!(list["totalCount"], 1_000);
            assert_eq!(list["pageInfo"]["hasPreviousPage"], json!(!tags.is_empty()));
            for node in list["nodes"].as_array().unwrap() {
                assert_eq!(node["chatUser"]["id"], json!(user));
                tags.push(node["tag"].as_str().unwrap().to_owned());
            }
            if list["pageInfo"]["hasNextPage"] == json!(false) {
                let node = "query ($id: ID!) { node(id: $id) { __typename ... on ChatUserSubscription { tag } } }";
                let found = world.ask(node, json!({ "id": list["nodes"][0]["id"] })).await;
                assert_eq!(found["node"]["__typename"], "ChatUserSubscription");
                break;
            }
            after = list["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(tags, (0..1_000).map(|at| format!("tag {at:04}")).collect::<Vec<_>>());

        // Those that have ended make room.
        world.database.writer.execute("UPDATE subscriptions SET expires_at = 1 WHERE tag >= 'tag 0900'").await.unwrap();
        assert_eq!(subscribe(1_000, 1_001, "").await["s1000"]["userErrors"], json!([]));
    })
    .await;
}

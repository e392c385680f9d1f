//! Deleting users: hidden, erased, removed; nothing left of what was theirs, no figure wrong at any moment, no way to see them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parlour::caller::{Agents, Caller, Permission, Principal, Role};
use parlour::entity::deletion::DeletionMode;
use parlour::id::ObjectKind;
use parlour::write::deletion::{DeleteUser, Progress, Step, finish_all};
use parlour::write::event::Event;
use parlour::write::verify::{repair, verify};
use parlour::write::{EventOutcome, apply};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cases::{BIG, plans, scans};
use crate::harness::{Kind, Start, World, everywhere};
use crate::server_process::{ServerProcess, at};

const DELETE: &str = "mutation ($input: DeleteChatUserInput!) { deleteChatUser(input: $input) {
    deletion { id chatUserId mode status actor requestId requestedAt finishedAt rows { table rows } } userErrors { code field } } }";
const RESTORE: &str = "mutation ($id: ID!) { restoreChatUser(input: {id: $id}) { chatUser { id name } userErrors { code } } }";
const CHECK: &str = "query ($id: ID!) { erasureCheck(id: $id) { total rows { table rows } } }";
const FIGURES: &str =
    "{ agents { nodes { externalId createdAt totalUsers totalSessions totalMessages } } }";

async fn delete(world: &World, id: &Value, mode: &str) -> Value {
    let input = json!({ "input": { "id": id, "mode": mode } });
    world.ask(DELETE, input).await["deleteChatUser"].take()
}

async fn restore(world: &World, id: &Value) -> Value {
    world.ask(RESTORE, json!({ "id": id })).await["restoreChatUser"].take()
}

/// What is left of a user, by table; tables without anything are left out.
async fn left(world: &World, id: &Value) -> BTreeMap<String, i64> {
    let check = world.ask(CHECK, json!({ "id": id })).await["erasureCheck"].take();
    let left = table(&check["rows"]);
    assert_eq!(check["total"], left.values().sum::<i64>());
    left.into_iter().filter(|(_, rows)| *rows > 0).collect()
}

fn table(rows: &Value) -> BTreeMap<String, i64> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|one| {
        (
            one["table"].as_str().unwrap().to_owned(),
            one["rows"].as_i64().unwrap(),
        )
    })
    .collect()
}

async fn sound(world: &World) {
    assert_eq!(verify(&world.database.reader).await.unwrap(), []);
}

/// An event of somebody whose every value has `planted` in it; `again` makes it another one.
fn planted(again: usize) -> Event {
    serde_json::from_str(&line(again)).unwrap()
}

/// The same of somebody else, of whom nothing is planted.
fn neighbour() -> Event {
    let line = line(0).replace("7946", "0000").replace("Tilly", "Nelly");
    let line = ["planted", "Planted", "Plänted"]
        .into_iter()
        .fold(line, |line, word| line.replace(word, "other"));
    serde_json::from_str(&line).unwrap()
}

fn line(again: usize) -> String {
    let event = json!({
        "agent": { "external_id": "garden" },
        "user": { "platform": "TELEGRAM", "platform_id": "Planted-Id", "name": "Tilly Plänted", "email": "Planted@Example.org",
                  "phone": "+44 20 7946 0000", "profile_picture_url": "https://example.org/planted.png", "language": "x-planted",
                  "tags": ["planted tag"], "settings": { "planted key": ["planted value"] } },
        "session": { "external_id": format!("planted session {}", again / 3), "subject": "Planted subject", "summary": "planted summary",
                     "language": "x-planted", "tags": ["planted session tag"] },
        "message": { "external_id": format!("planted message {again}"), "role": if again.is_multiple_of(2) { "user" } else { "agent" },
                     "text": "Planted text", "sent_at": format!("2026-03-01T10:{again:02}:00Z"), "cost_micros": 7,
                     "attachments": [{ "kind": "planted", "url": "https://example.org/planted", "name": "planted.pdf" }] },
    });
    event.to_string()
}

/// Plants a user of whom everything there can be is known; their id.
async fn plant(world: &World) -> Value {
    let events: Vec<_> = (0..7).map(planted).chain([neighbour()]).collect();
    let outcome = apply(&world.database.writer, &events).await.unwrap();
    assert!(
        outcome
            .outcomes
            .iter()
            .all(|fate| *fate == EventOutcome::Recorded)
    );
    let id = found(world).await;
    for change in [
        "updateChatUser(input: {id: $id, name: \"Planted Second\", email: null, phoneNumber: \"planted 0441\"})",
        "tagChatUsers(input: {ids: [$id], tags: [\"planted later\"]})",
        "subscribeChatUser(input: {id: $id, tag: \"planted news\"})",
        "subscribeChatUser(input: {id: $id, tag: \"planted deals\"})",
        "unsubscribeChatUser(input: {id: $id, tag: \"planted deals\"})",
        "updateChatUserSettings(input: {id: $id, settings: {planted: \"planted too\"}})",
        "blockChatUser(input: {id: $id, reason: \"planted reason\"})",
    ] {
        let query = format!("mutation ($id: ID!) {{ {change} {{ userErrors {{ message }} }} }}");
        let data = world.ask(&query, json!({ "id": id })).await;
        assert!(data.to_string().contains("\"userErrors\":[]"), "{data}");
    }
    id
}

/// The user whom the platform knows as planted.
async fn found(world: &World) -> Value {
    let agents = world
        .ask(
            "{ agents(search: \"garden\") { nodes { id } } }",
            Value::Null,
        )
        .await;
    let query = "query ($agent: ID!) { chatUserByPlatformId(agentId: $agent, platform: TELEGRAM, platformId: \"Planted-Id\") { id } }";
    let agent = json!({ "agent": agents["agents"]["nodes"][0]["id"] });
    world.ask(query, agent).await["chatUserByPlatformId"]["id"].take()
}

/// Every row of every table, as text.
async fn dump(world: &World) -> Vec<String> {
    let reader = &world.database.reader;
    let ask = async |sql: String| {
        let rows = reader.rows(reader.dialect().raw(sql, [])).await.unwrap();
        let text = |row: &parlour::db::Row| row.try_get::<Option<String>>("", "text").unwrap();
        rows.iter().filter_map(text).collect::<Vec<_>>()
    };
    let mut rows = Vec::new();
    if world.kind == Kind::Postgres {
        let tables = "SELECT tablename::text AS text FROM pg_tables WHERE schemaname = 'public'";
        for table in ask(tables.to_owned()).await {
            let sql = format!("SELECT '{table} ' || rows::text AS text FROM {table} AS rows");
            rows.extend(ask(sql).await);
        }
    } else {
        let tables = "SELECT name AS text FROM sqlite_master WHERE type = 'table'";
        for table in ask(tables.to_owned()).await {
            let columns = format!("SELECT name AS text FROM pragma_table_info('{table}')");
            let columns = ask(columns)
                .await
                .into_iter()
                .map(|name| format!("quote(\"{name}\")"));
            let columns = columns.collect::<Vec<_>>().join(" || ' ' || ");
            rows.extend(
                ask(format!(
                    "SELECT '{table} ' || {columns} AS text FROM \"{table}\""
                ))
                .await,
            );
        }
    }
    rows
}

/// Rows in which something planted is left: as it was written, normalised, or as bytes.
async fn planted_rows(world: &World) -> Vec<String> {
    // "planted" in hexadecimal.
    let bytes = "706c616e746564";
    let traces = [
        "planted",
        "plänted",
        "pla\u{308}nted",
        "tilly",
        "2079460000",
        "7946 0000",
        bytes,
    ];
    let rows = dump(world).await;
    assert!(rows.len() > 10, "where have the rows gone?");
    let is_trace = |row: &String| {
        let row = row.to_lowercase();
        traces.iter().any(|trace| row.contains(trace))
    };
    rows.into_iter().filter(is_trace).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_is_left_of_who_was_erased_and_figures_stay() {
    everywhere(Start::Audience, async |world| {
        let user = plant(world).await;
        assert!(!planted_rows(world).await.is_empty());
        let before = left(world, &user).await;
        let expected = [("audit_entries", 7), ("chat_user_grams", 1), ("chat_user_tags", 2), ("chat_users", 1), ("messages", 7), ("sessions", 3), ("subscriptions", 1)];
        assert_eq!(before, expected.map(|(table, rows)| (table.to_owned(), rows)).into());
        let figures = world.ask(FIGURES, Value::Null).await;
        let own = "query ($id: ID!) { chatUser(id: $id) { createdAt lastMessageAt lastInteractionAt totalSessions totalChatMessages
            totalMessagesSent lastReceivedMessage { id sentAt role } sessions { nodes { id startedAt totalMessages status } }
            messages { nodes { id role sentAt } } agent { externalId } } }";
        let own_before = world.ask(own, json!({ "id": user })).await;

        let mut payload = delete(world, &user, "ERASE").await;
        assert_eq!(payload["userErrors"], json!([]));
        let receipt = payload["deletion"].take();
        assert_eq!((&receipt["status"], &receipt["mode"], &receipt["chatUserId"]), (&json!("DONE"), &json!("ERASE"), &user));
        let touched = [("audit_entries", 8), ("chat_user_aliases", 0), ("chat_user_tags", 2), ("chat_users", 1), ("messages", 7), ("sessions", 3), ("subscriptions", 1)];
        assert_eq!(table(&receipt["rows"]), touched.map(|(table, rows)| (table.to_owned(), rows)).into());

        assert_eq!(left(world, &user).await, BTreeMap::new());
        assert_eq!(planted_rows(world).await, Vec::<String>::new());
        assert_eq!(world.ask(FIGURES, Value::Null).await, figures);
        assert_eq!(world.ask(own, json!({ "id": user })).await, own_before);
        sound(world).await;

        let shown = "query ($id: ID!) { chatUser(id: $id) { displayName isAnonymous erasedAt name email tags settings isBlocked block { reason }
            subscriptions { nodes { tag } } messages(first: 1) { nodes { text attachments { kind } } }
            auditLog { nodes { action actor at changes { field before after } } } } }";
        let mut shown = world.ask(shown, json!({ "id": user })).await["chatUser"].take();
        assert!(shown["displayName"].as_str().unwrap().starts_with("Guest User "));
        assert_eq!(shown["erasedAt"], receipt["requestedAt"]);
        assert_eq!((&shown["isBlocked"], &shown["block"]), (&json!(true), &json!({ "reason": null })));
        assert_eq!(shown["messages"]["nodes"], json!([{ "text": "", "attachments": [] }]));
        let log = shown["auditLog"]["nodes"].take();
        assert_eq!(log[0]["action"], "CHAT_USER_ERASED");
        assert_eq!(log[1]["action"], "CHAT_USER_BLOCKED");
        assert_eq!(log[1]["changes"], json!([{ "field": "block", "before": null, "after": null }]));

        // Found by their id and by nothing else.
        let search = "query ($search: String) { chatUsers(search: $search) { totalCount } }";
        for (term, count) in [(user.as_str().unwrap(), 1), (&user.as_str().unwrap()[..20], 0), ("erased", 0), ("tilly", 0)] {
            let found = world.ask(search, json!({ "search": term })).await;
            assert_eq!(found["chatUsers"]["totalCount"], count, "{term}");
        }
        // There is nobody to change.
        for change in ["updateChatUser(input: {id: $id, name: \"New\"})", "tagChatUsers(input: {ids: [$id], tags: [\"new\"]})",
            "subscribeChatUser(input: {id: $id, tag: \"new\"})", "blockChatUser(input: {id: $id, reason: \"new\"})"] {
            let query = format!("mutation ($id: ID!) {{ change: {change} {{ userErrors {{ code }} }} }}");
            assert_eq!(world.ask(&query, json!({ "id": user })).await["change"]["userErrors"], json!([{ "code": "INVALID" }]), "{change}");
        }
        // Again is the same.
        assert_eq!(delete(world, &user, "ERASE").await["deletion"], receipt);
        let again = world.ask("query ($id: ID!) { node(id: $id) { id __typename } deletion(id: $id) { id status } }", json!({ "id": receipt["id"] })).await;
        assert_eq!(again["deletion"], json!({ "id": receipt["id"], "status": "DONE" }));
        assert_eq!(again["node"], json!({ "id": receipt["id"], "__typename": "Deletion" }));

        // Who comes back is somebody new, also in a session that has the name of an old one.
        for _ in 0..8 {
            let outcome = apply(&world.database.writer, &[planted(0), planted(1)]).await.unwrap();
            assert_eq!(outcome.outcomes, [EventOutcome::Recorded, EventOutcome::Recorded]);
            assert_eq!((outcome.users, outcome.sessions), (1, 1));
            let new = found(world).await;
            assert_ne!(new, user);
            sound(world).await;
            assert_eq!(delete(world, &new, "ERASE").await["deletion"]["status"], "DONE");
        }
        assert_eq!(planted_rows(world).await, Vec::<String>::new());
        // No event can name who was erased.
        let mut event = planted(0);
        event.user.platform_id = format!("erased:{}", ObjectKind::ChatUser.decode(user.as_str().unwrap()).unwrap().simple());
        let outcome = apply(&world.database.writer, &[event]).await.unwrap();
        assert!(matches!(outcome.outcomes[0], EventOutcome::Rejected(_)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_is_gone_and_the_figures_go_down() {
    everywhere(Start::Audience, async |world| {
        let before = world.ask(FIGURES, Value::Null).await;
        let user = plant(world).await;
        let payload = delete(world, &user, "HARD").await;
        assert_eq!(payload["deletion"]["status"], "DONE");
        let touched = [("audit_entries", 8), ("chat_user_aliases", 0), ("chat_user_tags", 2), ("chat_users", 1), ("messages", 7), ("sessions", 3), ("subscriptions", 1)];
        assert_eq!(table(&payload["deletion"]["rows"]), touched.map(|(table, rows)| (table.to_owned(), rows)).into());
        assert_eq!(left(world, &user).await, BTreeMap::new());
        assert_eq!(planted_rows(world).await, Vec::<String>::new());
        sound(world).await;
        let key = ObjectKind::ChatUser.decode(user.as_str().unwrap()).unwrap();
        let bytes = [key.simple().to_string(), key.to_string()];
        let rows = dump(world).await.into_iter().filter(|row| bytes.iter().any(|id| row.to_lowercase().contains(id)));
        let kept: Vec<_> = rows.map(|row| row.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(kept.iter().filter(|table| *table == "audit_entries").count(), 8);
        assert_eq!(kept.iter().filter(|table| *table == "deletions").count(), 1);
        assert_eq!(kept.len(), 9, "{kept:?}");

        let mut after = world.ask(FIGURES, Value::Null).await;
        let agents = after["agents"]["nodes"].as_array_mut().unwrap();
        let garden = agents.iter().position(|agent| agent["externalId"] == "garden").unwrap();
        let garden = agents.remove(garden);
        assert_eq!((&garden["totalUsers"], &garden["totalSessions"], &garden["totalMessages"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!(after, before);
        let log = world.ask("{ auditLog(first: 1) { nodes { action chatUser { id } changes { field } } } }", Value::Null).await;
        assert_eq!(log["auditLog"]["nodes"], json!([{ "action": "CHAT_USER_REMOVED", "chatUser": null, "changes": [] }]));

        assert_eq!(delete(world, &user, "HARD").await, payload);
        for mode in ["SOFT", "ERASE"] {
            assert_eq!(delete(world, &user, mode).await, json!({ "deletion": null, "userErrors": [{ "code": "NOT_FOUND", "field": ["id"] }] }));
        }
        assert_eq!(restore(world, &user).await["userErrors"], json!([{ "code": "NOT_FOUND" }]));
        // Who comes back is somebody new; who was erased can be removed.
        apply(&world.database.writer, &[planted(0)]).await.unwrap();
        let new = found(world).await;
        delete(world, &new, "ERASE").await;
        assert_eq!(delete(world, &new, "HARD").await["deletion"]["status"], "DONE");
        assert_eq!(delete(world, &new, "ERASE").await["userErrors"][0]["code"], "NOT_FOUND");
        sound(world).await;
    })
    .await;
}

/// Everything about users that can be asked for without knowing one.
const ALL: &str = "{
    agents { nodes { name
        chatUsers { totalCount facets { platform { value count } } nodes { id name email sessions { totalCount nodes { id } } messages { totalCount nodes { id text } } lastReceivedMessage { id } } }
        sessions { totalCount nodes { id chatUser { id } messages { totalCount nodes { id } } } }
        byName: chatUsers(orderBy: {field: NAME}) { nodes { id } }
        found: chatUsers(search: \"planted\") { totalCount nodes { id } } } }
    chatUsers { totalCount facets { platform { value count } } nodes { id } }
    last: chatUsers(last: 100, orderBy: {field: CREATED_AT}) { nodes { id } }
    where: chatUsers(where: {name: {contains: \"planted\"}}) { totalCount nodes { id } }
    found: chatUsers(search: \"planted\") { totalCount nodes { id } }
    short: chatUsers(search: \"pl\") { nodes { id } }
    email: chatUsers(search: \"second@planted.org\") { totalCount nodes { id } facets { platform { count } } }
    sessions { totalCount nodes { id chatUser { id } } }
    lastSessions: sessions(last: 100, orderBy: {field: LAST_MESSAGE_AT}) { nodes { id externalId subject } }
    auditLog { totalCount nodes { action changes { field before after } chatUser { id } } } }";
/// Everything about one user, whose ids are known.
const ONE: &str = "query ($id: ID!, $session: ID!, $message: ID!, $entry: ID!, $agent: ID!) {
    user: node(id: $id) { id } session: node(id: $session) { id } message: node(id: $message) { id } entry: node(id: $entry) { id }
    nodes(ids: [$id, $session, $message, $entry]) { id }
    chatUser(id: $id) { id }
    chatUserByPlatformId(agentId: $agent, platform: TELEGRAM, platformId: \"Planted-Id\") { id }
    bySession: session(id: $session) { id }
    blockStatus(agentId: $agent, platform: TELEGRAM, platformId: \"Planted-Id\") { isBlocked block { reason } chatUser { id } }
    byId: agent(id: $agent) { chatUsers(where: {id: {eq: $id}}) { totalCount nodes { id } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn who_is_hidden_is_nowhere_until_they_are_restored() {
    everywhere(Start::Audience, async |world| {
        let nobody = world.ask(ALL, Value::Null).await;
        let user = plant(world).await;
        world.ask("mutation ($id: ID!) { updateChatUser(input: {id: $id, email: \"second@planted.org\"}) { userErrors { code } } }", json!({ "id": user })).await;
        let ids = "query ($id: ID!) { chatUser(id: $id) { agent { id } auditLog { nodes { id } } sessions { nodes { id } } messages { nodes { id } } } }";
        let ids = world.ask(ids, json!({ "id": user })).await["chatUser"].take();
        let of = json!({ "id": user, "agent": ids["agent"]["id"], "session": ids["sessions"]["nodes"][0]["id"],
            "message": ids["messages"]["nodes"][0]["id"], "entry": ids["auditLog"]["nodes"][0]["id"] });
        let all = world.ask(ALL, Value::Null).await;
        let one = world.ask(ONE, of.clone()).await;
        let figures = world.ask(FIGURES, Value::Null).await;
        assert!(one["nodes"].as_array().unwrap().iter().all(|node| !node.is_null()));

        let receipt = delete(world, &user, "SOFT").await["deletion"].take();
        assert_eq!(receipt["status"], "DONE");
        let hidden = [("audit_entries", 8), ("chat_user_aliases", 0), ("chat_user_tags", 2), ("chat_users", 1), ("messages", 7), ("sessions", 3), ("subscriptions", 1)];
        assert_eq!(table(&receipt["rows"]), hidden.map(|(table, rows)| (table.to_owned(), rows)).into());
        let none = json!({ "user": null, "session": null, "message": null, "entry": null, "nodes": [null, null, null, null], "chatUser": null,
            "chatUserByPlatformId": null, "bySession": null, "blockStatus": { "isBlocked": false, "block": null, "chatUser": null },
            "byId": { "chatUsers": { "totalCount": 0, "nodes": [] } } });
        assert_eq!(world.ask(ONE, of.clone()).await, none);
        // As if there were only the neighbour, but for the entry that tells of it.
        let mut seen = world.ask(ALL, Value::Null).await;
        assert_eq!(seen["auditLog"].take(), json!({ "totalCount": 1, "nodes": [{ "action": "CHAT_USER_DELETED", "changes": [], "chatUser": null }] }));
        let seen_text = seen.to_string();
        for node in [&ids["sessions"]["nodes"], &ids["messages"]["nodes"], &ids["auditLog"]["nodes"]].into_iter().flat_map(|nodes| nodes.as_array().unwrap()) {
            assert!(!seen_text.contains(node["id"].as_str().unwrap()));
        }
        assert!(!seen_text.contains(user.as_str().unwrap()) && !seen_text.contains("Planted"));
        for list in ["chatUsers", "sessions"] {
            assert_eq!(seen[list]["totalCount"].as_i64(), nobody[list]["totalCount"].as_i64().map(|count| count + 1), "{list}");
        }
        assert_eq!(world.ask(FIGURES, Value::Null).await, figures);
        sound(world).await;
        assert!(left(world, &user).await.len() == 7);

        // Nothing can be done about them, and what happens meanwhile is kept.
        for change in ["updateChatUser(input: {id: $id, name: \"New\"})", "tagChatUsers(input: {ids: [$id], tags: [\"new\"]})",
            "unsubscribeChatUser(input: {id: $id, tag: \"planted news\"})", "unblockChatUser(input: {id: $id})"] {
            let query = format!("mutation ($id: ID!) {{ change: {change} {{ userErrors {{ code }} }} }}");
            assert_eq!(world.ask(&query, json!({ "id": user })).await["change"]["userErrors"], json!([{ "code": "NOT_FOUND" }]), "{change}");
        }
        assert_eq!(delete(world, &user, "SOFT").await["deletion"], receipt);
        let outcome = apply(&world.database.writer, &[planted(9)]).await.unwrap();
        assert_eq!((outcome.outcomes, outcome.users), (vec![EventOutcome::Recorded], 0));
        assert_eq!(world.ask(ONE, of.clone()).await, none);
        sound(world).await;

        let restored = restore(world, &user).await;
        assert_eq!(restored, json!({ "chatUser": { "id": user, "name": "Tilly Plänted" }, "userErrors": [] }));
        assert_eq!(restore(world, &user).await, restored);
        assert_eq!(world.ask(ONE, of.clone()).await, one);
        let shown = world.ask(ALL, Value::Null).await;
        assert_eq!(shown["chatUsers"]["totalCount"], all["chatUsers"]["totalCount"]);
        assert_eq!(shown["auditLog"]["nodes"][0]["action"], "CHAT_USER_RESTORED");
        // Another time is another deletion. Erased, they are seen again, as nobody in particular.
        let again = delete(world, &user, "SOFT").await["deletion"].take();
        assert_ne!(again["id"], receipt["id"]);
        assert_eq!(delete(world, &user, "ERASE").await["deletion"]["status"], "DONE");
        assert_eq!(world.ask(ONE, of.clone()).await["user"], json!({ "id": user }));
        assert_eq!(planted_rows(world).await, Vec::<String>::new());
        assert_eq!(delete(world, &user, "SOFT").await["deletion"]["status"], "DONE");
        assert_eq!(world.ask(ONE, of).await, none);
        assert_eq!(restore(world, &user).await["chatUser"]["name"], Value::Null);
        sound(world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_deleted_softly_is_found_again_and_restored() {
    const LIST: &str = "query ($agent: ID, $is: Boolean) { deletions(agentId: $agent, isRestorable: $is) { totalCount nodes {
        mode status chatUserId rows { table } hiddenChatUser { id name email platform lastInteractionAt } } } }";
    everywhere(Start::Audience, async |world| {
        let data = world.ask("{ chatUsers(first: 5, where: {name: {isNull: false}}) { nodes { id name email platform lastInteractionAt agent { id } } } }", json!({})).await;
        let users = data["chatUsers"]["nodes"].as_array().unwrap();
        for (user, mode) in users.iter().zip(["SOFT", "ERASE", "HARD", "SOFT", "SOFT"]) {
            delete(world, &user["id"], mode).await;
        }
        restore(world, &users[4]["id"]).await;
        let all = world.ask(LIST, json!({})).await["deletions"].take();
        let seen: Vec<_> = all["nodes"].as_array().unwrap().iter().map(|one| (one["chatUserId"].clone(), one["hiddenChatUser"]["name"].clone())).collect();
        let expected: Vec<_> = [4, 3, 2, 1, 0].map(|at| {
            let name = if [0, 3].contains(&at) { users[at]["name"].clone() } else { Value::Null };
            (users[at]["id"].clone(), name)
        }).into();
        assert_eq!((&all["totalCount"], seen), (&json!(5), expected));
        let mut hidden = users[3].clone();
        hidden.as_object_mut().unwrap().remove("agent");
        let restorable = world.ask(LIST, json!({ "is": true })).await["deletions"].take();
        assert_eq!((&restorable["totalCount"], &restorable["nodes"][0]["hiddenChatUser"]), (&json!(2), &hidden));
        assert_eq!(world.ask(LIST, json!({ "is": false })).await["deletions"]["totalCount"], 3);
        let agent = &users[3]["agent"]["id"];
        let of_agent = users.iter().filter(|user| user["agent"]["id"] == *agent).count();
        assert_eq!(world.ask(LIST, json!({ "agent": agent })).await["deletions"]["totalCount"], of_agent);
        // Who may restore, and may not see what is personal, sees that somebody is there.
        let permissions = [Permission::UsersRead, Permission::UsersDelete, Permission::FiguresRead].into_iter().collect();
        let principal = Principal { permissions, ..Principal::with_role("somebody", Role::Admin, Agents::All) };
        let masked = world.seen_by(principal).ask(LIST, json!({})).await;
        let user = &masked["deletions"]["nodes"][1]["hiddenChatUser"];
        assert_eq!((&user["id"], &user["name"]), (&hidden["id"], &json!("•••")));
        // Found, they are restored.
        restore(world, &restorable["nodes"][0]["hiddenChatUser"]["id"]).await;
        assert_eq!(world.ask(LIST, json!({ "is": true })).await["deletions"]["totalCount"], 1);
        sound(world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_told() {
    everywhere(Start::Audience, async |world| {
        for nobody in ["", "garbage", "user_00000000000000000000000000", "agent_01kdwfzy80ekzr185qhby8mwje"] {
            let nobody = json!(nobody);
            for mode in ["SOFT", "ERASE", "HARD"] {
                assert_eq!(delete(world, &nobody, mode).await, json!({ "deletion": null, "userErrors": [{ "code": "NOT_FOUND", "field": ["id"] }] }));
            }
            assert_eq!(restore(world, &nobody).await, json!({ "chatUser": null, "userErrors": [{ "code": "NOT_FOUND" }] }));
        }
        let garbage = world.ask("{ deletion(id: \"garbage\") { id } erasureCheck(id: \"garbage\") { total }
            never: deletion(id: \"deletion_00000000000000000000000000\") { id } nobody: erasureCheck(id: \"user_00000000000000000000000000\") { total } }", Value::Null).await;
        assert_eq!(garbage, json!({ "deletion": null, "erasureCheck": null, "never": null, "nobody": { "total": 0 } }));
        let user = plant(world).await;
        let version = world.ask("query ($id: ID!) { chatUser(id: $id) { version } }", json!({ "id": user })).await["chatUser"]["version"].as_i64().unwrap();
        for (if_version, code) in [(version + 1, json!("CONFLICT")), (version, Value::Null)] {
            let input = json!({ "input": { "id": user, "mode": "HARD", "ifVersion": if_version } });
            let payload = world.ask(DELETE, input).await["deleteChatUser"].take();
            assert_eq!(payload["userErrors"][0]["code"], code);
            assert_eq!(payload["deletion"].is_null(), !code.is_null());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_of_a_deletion_reads_a_whole_table() {
    everywhere(Start::Audience, async |world| {
        let user = plant(world).await;
        let mut explained = Vec::new();
        for (query, mode) in [
            (DELETE, "SOFT"),
            (RESTORE, ""),
            (DELETE, "ERASE"),
            (DELETE, "HARD"),
            (CHECK, ""),
        ] {
            let variables = json!({ "id": user, "input": { "id": user, "mode": mode } });
            let variables = if query == DELETE {
                json!({ "input": variables["input"] })
            } else {
                json!({ "id": user })
            };
            let answer = world.ask_with(query, variables).await;
            assert!(answer.body.get("errors").is_none(), "{}", answer.body);
            for (plan, statement) in plans(world, &answer)
                .await
                .iter()
                .zip(answer.tally.statements())
            {
                for line in plan {
                    let whole = BIG
                        .iter()
                        .chain(&["deletions", "audit_entries", "subscriptions"])
                        .find(|table| scans(plan, line, table));
                    assert!(whole.is_none(), "{}\n{}", statement.sql, plan.join("\n"));
                }
            }
            explained.push(answer.tally.statements().len());
        }
        // A deletion of few rows is one transaction, of a few statements for each table.
        assert!(explained.iter().all(|count| *count < 40), "{explained:?}");
    })
    .await;
}

/// Makes a user of an agent with this many messages, in a long session and many short ones. Their id.
async fn talkative(world: &World, messages: u32) -> Uuid {
    let mut event = planted(0);
    event.user.platform_id = "talkative".into();
    event.session.external_id = Some("long".into());
    let mut short = event.clone();
    short.session.external_id = Some("short".into());
    short.message.as_mut().unwrap().external_id = "short".into();
    apply(&world.database.writer, &[event, short, neighbour()])
        .await
        .unwrap();
    let id = if world.kind == Kind::Postgres {
        "gen_random_uuid()"
    } else {
        "randomblob(16)"
    };
    let count =
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n <";
    let start = 1_780_000_000_000_000_i64;
    for sql in [
        format!("INSERT INTO sessions (id, agent_id, chat_user_id, external_id, platform, started_at, subject) {count} 2500)
            SELECT {id}, agent_id, chat_user_id, 'short ' || n, platform, {start} + n, 'Planted' FROM numbers, sessions WHERE external_id = 'short'"),
        format!("INSERT INTO messages (id, session_id, chat_user_id, external_id, role, text, sent_at, cost_micros) {count} {messages})
            SELECT {id}, (SELECT id FROM sessions WHERE sessions.agent_id = one.agent_id
                    AND external_id = CASE WHEN n % 10 = 0 THEN 'short ' || (1 + n / 10 % 2500) ELSE 'long' END),
                chat_user_id, 'planted ' || n, CASE WHEN n < 9000 AND n % 3 = 0 THEN 'USER' ELSE 'AGENT' END, 'Planted text',
                {start} + n * 1000, n % 5
            FROM numbers, sessions AS one WHERE one.external_id = 'short'"),
    ] {
        world.database.writer.execute(&sql).await.unwrap();
    }
    if world.kind == Kind::Postgres {
        world.database.analyze().await.unwrap();
    }
    repair(&world.database.writer).await.unwrap();
    let reader = &world.database.reader;
    let sql = "SELECT id FROM chat_users WHERE platform_id = 'talkative'";
    reader.rows(reader.dialect().raw(sql, [])).await.unwrap()[0]
        .try_get("", "id")
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_go_in_steps_and_figures_are_right_after_each() {
    everywhere(Start::Empty, async |world| {
        for (mode, users) in [(DeletionMode::Erase, 2), (DeletionMode::Hard, 2)] {
            let user = talkative(world, 30_000).await;
            let id = json!(ObjectKind::ChatUser.encode(user));
            let by = Caller { principal: Arc::new(Principal::program()), request_id: "steps".to_owned(), operation: None };
            let work = DeleteUser { id: user, mode, if_version: None, by: &by };
            let deletion = world.database.writer.transaction(&work).await.unwrap().unwrap();
            let deletion = json!({ "id": ObjectKind::Deletion.encode(deletion.deletion), "user": id });
            let look = "query ($id: ID!, $user: ID!) { deletion(id: $id) { status finishedAt rows { table rows } } chatUser(id: $user) { id } }";
            let mut steps = 0;
            while world.database.writer.transaction(&Step { user }).await.unwrap() == Progress::More {
                steps += 1;
                sound(world).await;
                let seen = world.ask(look, deletion.clone()).await;
                if seen["deletion"]["status"] == "RUNNING" {
                    assert_eq!(seen["chatUser"], Value::Null);
                    // As good as gone: neither restored nor hidden, and asked for again the same.
                    assert_eq!(restore(world, &id).await["userErrors"][0]["code"], "NOT_FOUND");
                }
            }
            assert!((14..40).contains(&steps), "{steps}");
            let seen = world.ask(look, deletion).await["deletion"].take();
            assert_eq!(seen["status"], "DONE");
            let rows = table(&seen["rows"]);
            assert_eq!((rows["messages"], rows["sessions"], rows["chat_users"]), (30_002, 2_502, 1));
            assert_eq!(left(world, &id).await, BTreeMap::new());
            assert_eq!(planted_rows(world).await, Vec::<String>::new());
            let figures = world.ask(FIGURES, Value::Null).await;
            assert_eq!(figures["agents"]["nodes"][0]["totalUsers"], users);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_being_erased_can_be_removed() {
    everywhere(Start::Empty, async |world| {
        let user = talkative(world, 10_000).await;
        let by = Caller {
            principal: Arc::new(Principal::program()),
            request_id: "both".to_owned(),
            operation: None,
        };
        let ask = async |mode| {
            let work = DeleteUser {
                id: user,
                mode,
                if_version: None,
                by: &by,
            };
            world.database.writer.transaction(&work).await.unwrap()
        };
        let erased = ask(DeletionMode::Erase).await.unwrap();
        assert!(ask(DeletionMode::Soft).await.is_err());
        assert_eq!(ask(DeletionMode::Erase).await, Ok(erased));
        let removed = ask(DeletionMode::Hard).await.unwrap();
        assert!(
            ask(DeletionMode::Erase)
                .await
                .is_ok_and(|again| again == erased)
        );
        assert_eq!(ask(DeletionMode::Hard).await, Ok(removed));
        finish_all(&world.database).await.unwrap();
        sound(world).await;
        for deletion in [erased, removed] {
            let seen = world
                .ask(
                    "query ($id: ID!) { deletion(id: $id) { status } }",
                    json!({ "id": ObjectKind::Deletion.encode(deletion.deletion) }),
                )
                .await;
            assert_eq!(seen["deletion"]["status"], "DONE");
        }
        assert_eq!(
            left(world, &json!(ObjectKind::ChatUser.encode(user))).await,
            BTreeMap::new()
        );
        let figures = world.ask(FIGURES, Value::Null).await;
        assert_eq!(figures["agents"]["nodes"][0]["totalMessages"], 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_talking_while_they_are_deleted_is_heard() {
    Box::pin(everywhere(Start::Empty, async |world| {
        for mode in ["ERASE", "HARD"] {
            talkative(world, 6_000).await;
            let told = std::sync::atomic::AtomicUsize::new(0);
            let talking = async |who: usize| {
                for at in 0..40 {
                    let mut event = planted(at);
                    event.user.platform_id = "talkative".into();
                    event.session.external_id = Some(if at % 2 == 0 { "long" } else { "short" }.to_owned());
                    event.message.as_mut().unwrap().external_id = format!("{mode} {who} {at}");
                    let outcome = apply(&world.database.writer, &[event]).await.unwrap();
                    assert_eq!(outcome.outcomes, [EventOutcome::Recorded]);
                    told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    // They talk while others do something.
                    tokio::task::yield_now().await;
                }
            };
            let deleting = async || {
                let query = "{ chatUsers(where: {platformId: {eq: \"talkative\"}}) { nodes { id } } }";
                let user = world.ask(query, Value::Null).await["chatUsers"]["nodes"][0]["id"].take();
                let (one, other) = tokio::join!(delete(world, &user, mode), delete(world, &user, mode));
                assert_eq!(one["deletion"]["id"], other["deletion"]["id"]);
                tokio::join!(finish_all(&world.database), finish_all(&world.database)).0.unwrap();
                user
            };
            let (user, ..) = tokio::join!(deleting(), talking(0), talking(1), talking(2));
            finish_all(&world.database).await.unwrap();
            sound(world).await;
            assert_eq!(told.into_inner(), 120);
            assert_eq!(left(world, &user).await, BTreeMap::new());
            // They are somebody new now, who has said what was said since.
            let new = "{ chatUsers(where: {platformId: {eq: \"talkative\"}}) { nodes { id totalChatMessages } } }";
            let new = world.ask(new, Value::Null).await["chatUsers"]["nodes"].take();
            assert_eq!(new.as_array().unwrap().len(), 1);
            assert_ne!(new[0]["id"], user);
            delete(world, &new[0]["id"], "HARD").await;
            finish_all(&world.database).await.unwrap();
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_survives_the_death_of_the_server() {
    everywhere(Start::Empty, async |world| {
        for mode in ["ERASE", "HARD"] {
            let user = talkative(world, 60_000).await;
            let id = json!(ObjectKind::ChatUser.encode(user));
            let mut server = ServerProcess::launch(serving(world)).ready();
            let address = server.address.clone();
            let body =
                json!({ "query": DELETE, "variables": { "input": { "id": id, "mode": mode } } })
                    .to_string();
            let request = std::thread::spawn(move || crate::server_process::post(&address, &body));
            // As soon as there is something done and something left.
            let reader = &world.database.reader;
            let rows = async |what: &str| {
                let sql = format!("SELECT COUNT(*) AS count FROM deletions WHERE {what}");
                reader.rows(reader.dialect().raw(sql, [])).await.unwrap()[0]
                    .try_get::<i64>("", "count")
                    .unwrap()
            };
            let begun = format!("mode = '{mode}'");
            soon(async || rows(&begun).await == 1).await;
            server.process.kill().unwrap();
            server.process.wait().unwrap();
            request.join().ok();
            assert_eq!(
                rows("finished_at IS NULL").await,
                1,
                "it was done before it could be killed"
            );
            sound(world).await;
            let hidden = world
                .ask(
                    "query ($id: ID!) { chatUser(id: $id) { id } }",
                    json!({ "id": id }),
                )
                .await;
            assert_eq!(hidden["chatUser"], Value::Null);
            assert!(!left(world, &id).await.is_empty());

            // Two copies, of which one or the other finishes it.
            let servers = [
                ServerProcess::launch(serving(world)),
                ServerProcess::launch(serving(world)),
            ]
            .map(ServerProcess::ready);
            soon(async || rows("finished_at IS NULL").await == 0).await;
            for server in servers {
                server.stop();
            }
            sound(world).await;
            assert_eq!(left(world, &id).await, BTreeMap::new());
            assert_eq!(planted_rows(world).await, Vec::<String>::new());
        }
    })
    .await;
}

fn serving(world: &World) -> std::process::Command {
    let mut command = at(world);
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    command
}

/// Waits until something is so; for as long as that may take on a machine that has much to do.
async fn soon(mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(
            start.elapsed() < Duration::from_mins(2),
            "it takes too long"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

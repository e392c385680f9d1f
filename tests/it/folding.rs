//! Folding of texts: which names are the same, whose mailbox an address is, and rows that an earlier version folded.

use parlour::write::refold::{self, Step};
use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};

/// Records a user for each name, of an agent of their own; the agent's id.
async fn named(world: &World, agent: &str, names: &[&str]) -> Value {
    let events: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            json!({
                "agent": { "externalId": agent },
                "user": { "platform": "WEB", "platformId": at.to_string(), "name": name, "email": format!("{at}@example.org") },
                "session": { "externalId": at.to_string() },
                "message": { "externalId": "1", "role": "USER", "text": "", "sentAt": "2026-04-01T00:00:00Z" },
            })
        })
        .collect();
    let record = "mutation ($events: [EventInput!]!) { recordMessages(input: {events: $events}) { recorded } }";
    world.ask(record, json!({ "events": events })).await;
    let agents =
        "query ($agent: String) { agents(where: { externalId: { eq: $agent } }) { nodes { id } } }";
    let agents = world.ask(agents, json!({ "agent": agent })).await;
    agents["agents"]["nodes"][0]["id"].clone()
}

/// How many users of an agent are found by a name: by `eq`, by `contains`, by a search.
async fn found(world: &World, agent: &Value, name: &str) -> [i64; 3] {
    let query = "query ($agent: ID, $name: String!) { \
        eq: chatUsers(agentId: $agent, where: { name: { eq: $name } }) { totalCount } \
        contains: chatUsers(agentId: $agent, where: { name: { contains: $name } }) { totalCount } \
        search: chatUsers(agentId: $agent, search: $name) { totalCount } }";
    let data = world
        .ask(query, json!({ "agent": agent, "name": name }))
        .await;
    ["eq", "contains", "search"].map(|field| data[field]["totalCount"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_match_as_people_write_them_and_other_names_do_not() {
    everywhere(Start::Empty, async |world| {
        let names = ["राम", "रमा", "रीमा", "ก่า", "กา", "Łukasz", "O’Brien", "Jean‑Luc  Picard", "Ann\u{200b}Lee", "علی"];
        let agent = named(world, "names", &names).await;
        for name in ["राम", "रमा", "रीमा", "กา", "lukasz", "o'brien", "jean-luc picard", "ANNLEE", "علي"] {
            assert_eq!(found(world, &agent, name).await, [1, 1, 1], "{name}");
        }
        let change = "mutation ($agent: ID!) { tagChatUsers(input: { agentId: $agent, where: { name: { eq: \"रमा\" } }, tags: [\"x\"] }) { count } }";
        assert_eq!(world.ask(change, json!({ "agent": agent })).await["tagChatUsers"]["count"], 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn name_of_nothing_visible_is_a_guest() {
    everywhere(Start::Empty, async |world| {
        let names = ["\u{200b}", "\u{3164}", "\u{2800}", "\u{feff} \u{200d}", "\u{202e}", "\u{ad}"];
        let agent = named(world, "guests", &names).await;
        let users = "query ($agent: ID) { chatUsers(agentId: $agent, where: { isAnonymous: { eq: true } }) { nodes { id name displayName isAnonymous } } }";
        let users = world.ask(users, json!({ "agent": agent })).await;
        let users = users["chatUsers"]["nodes"].as_array().unwrap();
        assert_eq!(users.len(), names.len());
        for user in users {
            assert_eq!((&user["name"], &user["isAnonymous"]), (&Value::Null, &json!(true)));
            assert!(user["displayName"].as_str().unwrap().starts_with("Guest User "));
        }
        let update = "mutation ($id: ID!, $name: String) { updateChatUser(input: { id: $id, name: $name }) { chatUser { name } userErrors { message } } }";
        for (name, kept) in [("Ann", json!("Ann")), ("\u{2060}", Value::Null)] {
            let payload = world.ask(update, json!({ "id": users[0]["id"], "name": name })).await;
            assert_eq!(payload["updateChatUser"], json!({ "chatUser": { "name": kept }, "userErrors": [] }));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_mailbox_is_another_person() {
    everywhere(Start::Empty, async |world| {
        let event = |at: usize, email: &str| {
            json!({
                "agent": { "externalId": "mail" }, "user": { "platform": "WEB", "platformId": at.to_string(), "email": email },
                "session": { "externalId": at.to_string() },
                "message": { "externalId": "1", "role": "USER", "text": "", "sentAt": "2026-04-01T00:00:00Z" },
            })
        };
        let emails = ["jose@example.org", "josé@example.org", "Ann@BÜCHER.example"];
        let events: Vec<_> = emails.iter().enumerate().map(|(at, email)| event(at, email)).collect();
        let record = "mutation ($events: [EventInput!]!) { recordMessages(input: {events: $events}) { recorded } }";
        world.ask(record, json!({ "events": events })).await;
        let query = "query ($email: String!) { eq: chatUsers(where: { email: { eq: $email } }) { nodes { platformId } } search: chatUsers(search: $email) { nodes { platformId } } \
                     counted: chatUsers(search: $email) { totalCount } }";
        for (email, user) in [
            ("jose@example.org", "0"),
            ("josé@EXAMPLE.org", "1"),
            ("JOSE@example.org", "0"),
            ("ann@bücher.example", "2"),
            ("ann@xn--bcher-kva.example", "2"),
        ] {
            let data = world.ask(query, json!({ "email": email })).await;
            let only = json!({ "nodes": [{ "platformId": user }] });
            assert_eq!((&data["eq"], &data["search"], &data["counted"]["totalCount"]), (&only, &only, &json!(1)), "{email}");
        }
        let pieces = "{ chatUsers(where: { email: { contains: \"BÜCHER\" } }) { totalCount } }";
        assert_eq!(world.ask(pieces, Value::Null).await["chatUsers"]["totalCount"], 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_an_earlier_folding_are_folded_again_in_steps() {
    everywhere(Start::Empty, async |world| {
        let names: Vec<_> = (0..700).map(|at| format!("Łukasz {at}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let agent = named(world, "Ørsted", &names).await;
        refold::finish(&world.database).await.unwrap();
        let fresh = rows(world).await;
        // As a version would have left them that knew neither letter.
        for sql in [
            "UPDATE chat_users SET name_key = 'łukasz', search_text = 'łukasz', email_key = 'old'",
            "UPDATE chat_users SET name = '\u{200b}' WHERE platform_id = '699'",
            "UPDATE agents SET search_text = 'ørsted'",
            "UPDATE text_foldings SET version = 0",
        ] {
            world.database.writer.execute(sql).await.unwrap();
        }
        assert_eq!(found(world, &agent, "lukasz 7").await[0], 0);
        // A step folds some of them, and the next one goes on where it ended.
        for _ in 0..3 {
            assert!(world.database.writer.transaction(&Step).await.unwrap());
        }
        let some = found(world, &agent, "lukasz").await[1];
        assert!(some > 0 && some < 699, "{some}");
        refold::finish(&world.database).await.unwrap();
        assert_eq!(found(world, &agent, "lukasz 698").await, [1, 1, 1]);
        let agents = world.ask("{ agents(search: \"orsted\") { totalCount } }", Value::Null).await;
        assert_eq!(agents["agents"]["totalCount"], 1);
        let guest = "{ chatUsers(where: { platformId: { eq: \"699\" } }) { nodes { name isAnonymous version } } }";
        let guest = world.ask(guest, Value::Null).await;
        assert_eq!(guest["chatUsers"]["nodes"][0], json!({ "name": null, "isAnonymous": true, "version": 1 }));
        assert!(!world.database.writer.transaction(&Step).await.unwrap());
        let again = rows(world).await;
        assert_eq!(again[..699], fresh[..699]);
    })
    .await;
}

/// What is folded of each user, in the order of their platform ids' numbers.
async fn rows(world: &World) -> Vec<[Option<String>; 3]> {
    let sql = "SELECT name_key, email_key, search_text FROM chat_users ORDER BY CAST(platform_id AS INTEGER)";
    let rows = world
        .database
        .reader
        .rows(world.database.reader.dialect().raw(sql, []))
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            ["name_key", "email_key", "search_text"].map(|name| row.try_get("", name).unwrap())
        })
        .collect()
}

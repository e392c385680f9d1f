//! Merging: two users become one, nothing is lost, and the one who went is found as the one who stayed.

use futures_util::future::join_all;
use parlour::write::verify::verify;
use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};

const RECORD: &str =
    "mutation ($events: [EventInput!]!) { recordMessages(input: {events: $events}) {
    recorded duplicates rejected } }";
const MERGE: &str = "mutation ($input: MergeChatUsersInput!) { mergeChatUsers(input: $input) {
    chatUser { id version } movedSessions movedMessages userErrors { code field } } }";
const WHO: &str = "name email phoneNumber profilePictureUrl language tags settings isBlocked
    createdAt lastInteractionAt lastMessageAt totalSessions totalChatMessages totalMessagesSent";

/// Message `at` of a user, whose platform is their name in capitals.
fn event(platform: &str, user: Value, at: usize) -> Value {
    let mut user = user;
    user["platform"] = json!(platform);
    user["platformId"] = json!("7");
    json!({
        "agent": { "externalId": "bot" },
        "user": user,
        "session": { "externalId": format!("{platform}-{}", at / 2) },
        "message": { "externalId": format!("{at}"), "role": if at.is_multiple_of(2) { "USER" } else { "AGENT" },
                     "text": format!("{platform} {at}"), "sentAt": format!("2026-03-01T10:{at:02}:{:02}Z", platform.len()) },
    })
}

async fn record(world: &World, events: Value) -> Value {
    world.ask(RECORD, json!({ "events": events })).await["recordMessages"].take()
}

async fn merge(world: &World, input: Value) -> Value {
    world.ask(MERGE, json!({ "input": input })).await["mergeChatUsers"].take()
}

/// The bot, and its users by their platforms.
async fn ids(world: &World, platforms: &[&str]) -> (String, Vec<String>) {
    let agent = world
        .ask("{ agents(search: \"bot\") { nodes { id } } }", Value::Null)
        .await;
    let agent = agent["agents"]["nodes"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut users = Vec::new();
    for platform in platforms {
        users.push(
            by_platform(world, &agent, platform).await["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    (agent, users)
}

async fn by_platform(world: &World, agent: &str, platform: &str) -> Value {
    let query = "query ($a: ID!, $p: Platform!) { chatUserByPlatformId(agentId: $a, platform: $p, platformId: \"7\") { id } }";
    world.ask(query, json!({ "a": agent, "p": platform })).await["chatUserByPlatformId"].take()
}

/// Two users with as many messages of the same external ids.
async fn two(world: &World) -> (String, String, String) {
    let web = json!({ "name": "Ann Web", "email": "ann@example.org", "tags": ["a", "both"], "settings": { "theme": "dark", "mail": { "daily": true } } });
    let telegram = json!({ "name": "Ann Telegram", "phoneNumber": "+442079460000", "language": "en", "tags": ["b", "both"],
        "settings": { "theme": "light", "mail": { "weekly": true } } });
    let mut events: Vec<_> = (0..6).map(|at| event("WEB", web.clone(), at)).collect();
    events.extend((0..9).map(|at| event("TELEGRAM", telegram.clone(), at)));
    assert_eq!(record(world, json!(events)).await["recorded"], 15);
    let (agent, mut users) = ids(world, &["WEB", "TELEGRAM"]).await;
    let from = users.remove(1);
    (agent, users.remove(0), from)
}

async fn is_counted(world: &World) {
    assert_eq!(verify(&world.database.reader).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_become_one_and_nothing_is_lost() {
    everywhere(Start::Empty, async |world| {
        let (agent, into, from) = two(world).await;
        let preview = format!("query ($into: ID!, $from: ID!) {{ mergePreview(into: $into, from: $from) {{
            into {{ id }} from {{ id }} conflicts {{ field into from result }} result {{ {WHO} }} userErrors {{ code }} }} }}");
        let preview = world.ask(&preview, json!({ "into": into, "from": from })).await["mergePreview"].take();
        assert_eq!(preview["conflicts"], json!([
            { "field": "NAME", "into": "Ann Web", "from": "Ann Telegram", "result": "Ann Web" },
            { "field": "SETTINGS", "into": { "theme": "dark", "mail": { "daily": true } }, "from": { "theme": "light", "mail": { "weekly": true } },
              "result": { "theme": "dark", "mail": { "daily": true, "weekly": true } } },
        ]));
        assert_eq!(preview["result"]["tags"], json!(["a", "b", "both"]));

        let payload = merge(world, json!({ "into": into, "from": from })).await;
        assert_eq!(payload, json!({ "chatUser": { "id": into, "version": payload["chatUser"]["version"] },
            "movedSessions": 5, "movedMessages": 9, "userErrors": [] }));
        is_counted(world).await;

        let whole = format!("query ($id: ID!) {{ chatUser(id: $id) {{ {WHO} }} }}");
        let one = world.ask(&whole, json!({ "id": into })).await["chatUser"].take();
        assert_eq!(one, preview["result"]);
        assert_eq!((&one["totalSessions"], &one["totalChatMessages"], &one["totalMessagesSent"]), (&json!(8), &json!(15), &json!(8)));
        assert_eq!(one["phoneNumber"], "+442079460000");

        let said = "query ($id: ID!) { chatUser(id: $id) { platform messages(first: 100) { totalCount nodes { text session { platform chatUser { id } } } }
            auditLog { nodes { action changes { field } } } } agents { nodes { totalUsers totalSessions totalMessages } }
            found: chatUsers(search: \"telegram\") { totalCount } web: chatUsers(search: \"ann web\") { nodes { id } } }";
        let data = world.ask(said, json!({ "id": into })).await;
        assert_eq!(data["chatUser"]["messages"]["totalCount"], 15);
        assert!(data["chatUser"]["messages"]["nodes"].as_array().unwrap().iter().all(|message| message["session"]["chatUser"]["id"] == json!(into)));
        assert_eq!(data["agents"]["nodes"], json!([{ "totalUsers": 1, "totalSessions": 8, "totalMessages": 15 }]));
        assert_eq!(data["found"]["totalCount"], 0);
        assert_eq!(data["web"]["nodes"], json!([{ "id": into }]));
        assert_eq!(data["chatUser"]["auditLog"]["nodes"][0]["action"], "CHAT_USERS_MERGED");
        assert_eq!(by_platform(world, &agent, "TELEGRAM").await["id"], json!(into));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_went_is_found_as_who_stayed() {
    everywhere(Start::Empty, async |world| {
        let (agent, into, from) = two(world).await;
        merge(world, json!({ "into": into, "from": from })).await;
        let query = "query ($id: ID!, $both: [ID!]!, $agent: ID!) { node(id: $id) { id } nodes(ids: $both) { id } chatUser(id: $id) { id }
            blockStatus(agentId: $agent, platform: TELEGRAM, platformId: \"7\") { isBlocked chatUser { id } } }";
        let variables = json!({ "id": from, "both": [into, from], "agent": agent });
        let block = "mutation ($id: ID!) { blockChatUser(input: {id: $id}) { chatUser { id isBlocked } userErrors { code } } }";
        let blocked = world.ask(block, json!({ "id": from })).await;
        assert_eq!(blocked["blockChatUser"], json!({ "chatUser": { "id": into, "isBlocked": true }, "userErrors": [] }));
        let found = world.ask(query, variables).await;
        let one = json!({ "id": into });
        assert_eq!(found, json!({ "node": one, "nodes": [one, one], "chatUser": one,
            "blockStatus": { "isBlocked": true, "chatUser": one } }));

        let rename = "mutation ($id: ID!) { updateChatUser(input: {id: $id, name: \"One\"}) { chatUser { id name } userErrors { code } } }";
        let renamed = world.ask(rename, json!({ "id": from })).await;
        assert_eq!(renamed["updateChatUser"], json!({ "chatUser": { "id": into, "name": "One" }, "userErrors": [] }));
        let tag = "mutation ($ids: [ID!]!) { tagChatUsers(input: {ids: $ids, tags: [\"new\"]}) { count chatUsers { id } userErrors { code field } } }";
        let tagged = world.ask(tag, json!({ "ids": [from, into] })).await;
        assert_eq!(tagged["tagChatUsers"], json!({ "count": 1, "chatUsers": [one, one],
            "userErrors": [{ "code": "INVALID", "field": ["ids", "1", "id"] }] }));
        let subscribe = "mutation ($id: ID!) { subscribeChatUser(input: {id: $id, tag: \"news\"}) { chatUser { id } userErrors { code } } }";
        let subscribed = world.ask(subscribe, json!({ "id": from })).await;
        assert_eq!(subscribed["subscribeChatUser"], json!({ "chatUser": one, "userErrors": [] }));
        is_counted(world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_who_went_are_those_of_who_stayed() {
    everywhere(Start::Empty, async |world| {
        let (_, into, from) = two(world).await;
        merge(world, json!({ "into": into, "from": from })).await;
        // All of it again: each message is known, though both call theirs the same.
        let all = |count: usize| -> Vec<_> {
            let both = ["TELEGRAM", "WEB"].into_iter();
            both.flat_map(|platform| (0..count).map(move |at| event(platform, json!({}), at))).collect()
        };
        assert_eq!(record(world, json!(all(6))).await, json!({ "recorded": 0, "duplicates": 12, "rejected": 0 }));
        // New ones of both, in one batch and under the same external ids.
        assert_eq!(record(world, json!(all(12))).await, json!({ "recorded": 9, "duplicates": 15, "rejected": 0 }));
        assert_eq!(record(world, json!(all(12))).await["duplicates"], 24);
        // What an event says of the one is said of the other.
        let named = event("TELEGRAM", json!({ "name": "Renamed" }), 12);
        assert_eq!(record(world, json!([named])).await["recorded"], 1);
        let query = "query ($id: ID!) { chatUser(id: $id) { name platform totalChatMessages sessions { nodes { platform externalId } } } agents { nodes { totalUsers } } }";
        let data = world.ask(query, json!({ "id": into })).await;
        assert_eq!(data["chatUser"]["totalChatMessages"], 25);
        assert_eq!(data["chatUser"]["name"], "Renamed");
        assert_eq!(data["chatUser"]["platform"], "WEB");
        assert_eq!(data["agents"]["nodes"][0]["totalUsers"], 1);
        for session in data["chatUser"]["sessions"]["nodes"].as_array().unwrap() {
            let (platform, id) = (session["platform"].as_str().unwrap(), session["externalId"].as_str().unwrap());
            assert!(id.starts_with(platform), "{session}");
        }
        let found = world.ask("{ chatUsers(search: \"renamed\") { totalCount } }", Value::Null).await;
        assert_eq!(found["chatUsers"]["totalCount"], 1);
        is_counted(world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_merges_leads_to_its_end() {
    everywhere(Start::Empty, async |world| {
        let platforms = ["WEB", "TELEGRAM", "LINE", "VIBER"];
        let events: Vec<_> = platforms
            .into_iter()
            .flat_map(|platform| (0..4).map(move |at| event(platform, json!({}), at)))
            .collect();
        record(world, json!(events)).await;
        let (agent, users) = ids(world, &platforms).await;
        // The last one goes by an id that leads elsewhere already.
        for (into, from) in [(1, 0), (2, 1), (3, 0)] {
            let payload = merge(world, json!({ "into": users[into], "from": users[from] })).await;
            assert_eq!(payload["userErrors"], json!([]));
            is_counted(world).await;
        }
        let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        let answer = world.ask_with(query, json!({ "ids": users })).await;
        assert_eq!(answer.tally.figures().statements, 2);
        for node in answer.body["data"]["nodes"].as_array().unwrap() {
            assert_eq!(node["id"], json!(users[3]));
        }
        for platform in platforms {
            assert_eq!(
                by_platform(world, &agent, platform).await["id"],
                json!(users[3])
            );
        }
        assert_eq!(record(world, json!(events)).await["duplicates"], 16);
        is_counted(world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_values_come_first_can_be_said() {
    everywhere(Start::Empty, async |world| {
        let (_, into, from) = two(world).await;
        let mutations = "mutation ($into: ID!, $from: ID!) {
            a: subscribeChatUser(input: {id: $into, tag: \"short\", expiresAt: \"2090-01-01T00:00:00Z\"}) { userErrors { code } }
            b: subscribeChatUser(input: {id: $from, tag: \"short\", expiresAt: \"2091-01-01T00:00:00Z\"}) { userErrors { code } }
            c: subscribeChatUser(input: {id: $into, tag: \"long\"}) { userErrors { code } }
            d: subscribeChatUser(input: {id: $from, tag: \"long\", expiresAt: \"2091-01-01T00:00:00Z\"}) { userErrors { code } }
            e: subscribeChatUser(input: {id: $from, tag: \"theirs\"}) { userErrors { code } }
            f: blockChatUser(input: {id: $into, reason: \"short\", until: \"2090-01-01T00:00:00Z\"}) { userErrors { code } }
            g: blockChatUser(input: {id: $from, reason: \"long\", until: \"2091-01-01T00:00:00Z\"}) { userErrors { code } } }";
        world.ask(mutations, json!({ "into": into, "from": from })).await;
        let take = json!(["NAME", "EMAIL", "SETTINGS"]);
        let payload = merge(world, json!({ "into": into, "from": from, "take": take })).await;
        assert_eq!(payload["userErrors"], json!([]));
        let query = "query ($id: ID!) { chatUser(id: $id) { name email settings block { reason until } subscriptions { nodes { tag expiresAt } } auditLog { totalCount } } }";
        let one = world.ask(query, json!({ "id": into })).await["chatUser"].take();
        assert_eq!(one, json!({
            "name": "Ann Telegram", "email": "ann@example.org",
            "settings": { "theme": "light", "mail": { "daily": true, "weekly": true } },
            "block": { "reason": "long", "until": "2091-01-01T00:00:00Z" },
            "subscriptions": { "nodes": [{ "tag": "long", "expiresAt": null }, { "tag": "short", "expiresAt": "2091-01-01T00:00:00Z" }, { "tag": "theirs", "expiresAt": null }] },
            "auditLog": { "totalCount": 8 },
        }));
        is_counted(world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_told() {
    everywhere(Start::Empty, async |world| {
        let (_, into, from) = two(world).await;
        let mut elsewhere = event("WEB", json!({}), 0);
        elsewhere["agent"]["externalId"] = json!("other");
        record(world, json!([elsewhere])).await;
        let stranger = world.ask("{ agents(search: \"other\") { nodes { chatUsers { nodes { id } } } } }", Value::Null).await;
        let stranger = &stranger["agents"]["nodes"][0]["chatUsers"]["nodes"][0]["id"];
        let nobody = "user_00000000000000000000000000";
        for (input, code, field) in [
            (json!({ "into": into, "from": into }), "INVALID", "from"),
            (json!({ "into": into, "from": stranger }), "INVALID", "from"),
            (json!({ "into": nobody, "from": from }), "NOT_FOUND", "into"),
            (json!({ "into": into, "from": nobody }), "NOT_FOUND", "from"),
            (json!({ "into": "garbage", "from": from }), "NOT_FOUND", "into"),
            (json!({ "into": into, "from": "" }), "NOT_FOUND", "from"),
            (json!({ "into": into, "from": from, "ifVersion": 99 }), "CONFLICT", "ifVersion"),
        ] {
            let payload = merge(world, input.clone()).await;
            assert_eq!(payload["userErrors"], json!([{ "code": code, "field": [field] }]), "{input}");
            assert_eq!(payload["movedMessages"], 0);
        }
        let tag = "mutation ($ids: [ID!]!, $tags: [String!]!) { tagChatUsers(input: {ids: $ids, tags: $tags}) { count } }";
        for (id, word) in [(&into, "one"), (&from, "other")] {
            let tags: Vec<_> = (0..60).map(|at| format!("{word} {at}")).collect();
            world.ask(tag, json!({ "ids": [id], "tags": tags })).await;
        }
        let payload = merge(world, json!({ "into": into, "from": from })).await;
        assert_eq!(payload["userErrors"], json!([{ "code": "INVALID", "field": ["from"] }]));
        is_counted(world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_has_an_effect() {
    everywhere(Start::Empty, async |world| {
        let (_, into, from) = two(world).await;
        // Meanwhile both go on talking.
        let talk = (6..20).map(|at| {
            record(
                world,
                json!([
                    event("TELEGRAM", json!({}), at + 3),
                    event("WEB", json!({}), at)
                ]),
            )
        });
        let merges = (0..16).map(|_| merge(world, json!({ "into": into, "from": from })));
        let (payloads, told) = futures_util::join!(join_all(merges), join_all(talk));
        assert!(
            told.iter().all(|payload| payload["recorded"] == 2),
            "{told:?}"
        );
        assert!(
            payloads
                .iter()
                .all(|payload| payload["userErrors"] == json!([])),
            "{payloads:?}"
        );
        assert_eq!(
            payloads
                .iter()
                .filter(|payload| payload["movedMessages"] != 0)
                .count(),
            1
        );
        let query =
            "query ($id: ID!) { chatUser(id: $id) { totalChatMessages auditLog { totalCount } } }";
        let one = world.ask(query, json!({ "id": from })).await["chatUser"].take();
        assert_eq!(
            one,
            json!({ "totalChatMessages": 15 + 28, "auditLog": { "totalCount": 1 } })
        );
        is_counted(world).await;
    })
    .await;
}

//! Personal data: who may not see it finds none of it, wherever they look; who may finds all of it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use parlour::caller::{Agents, Permission, Permissions, Principal, Role};
use parlour::config::{LimitSettings, ServeSettings};
use parlour::entity::mask;
use parlour::http::Server;
use parlour::write::apply;
use parlour::write::event::Event;
use sea_orm::Iterable;
use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};
use crate::schema_walk::{Given, Schema};

/// Part of every value that is personal; no id and no word of the graph has it.
const PERSONAL: &str = "Żqx";
/// What is personal in the world.
const VALUES: [&str; 16] = [
    "Żqxaneta Qwżyźniak-Ołówska",
    "żqxaneta.qwzyzniak@xqołowska.example",
    "+48 22 987 65 43",
    "https://qzx-pictures.example/żqxaneta/ołówska.png",
    "żqx-handle-ołówska-7316",
    "Żqx street 9 in Ołówek 🦀",
    "żqx klucz do ołówków",
    "Żqx was rude to Ołówski 🦀 twice",
    "https://qzx-files.example/żqxaneta/cv-ołówska.pdf",
    "cv-Żqxaneta-Ołówska.pdf",
    "Żqxother Name-Ołówna",
    "żqxother.name@xqołowna.example",
    "+48 22 111 22 33",
    "żqx-other-handle-ołówna-1734",
    "https://qzx-pictures.example/other/ołówna.png",
    "Żqxother street 10 in Ołów",
];
/// What was said in the world.
const SAID: [&str; 4] = [
    "Ęqw moja tajemnica to pączki 🥯 i jeszcze więcej",
    "Ęqw odpowiedź o pączkach 🥯 z kremem",
    "Ęqw temat o pączkach",
    "Ęqw streszczenie wszystkich pączków 🥯",
];

/// Somebody who may do everything but some things.
fn without(permissions: &[Permission]) -> Principal {
    let kept = Permission::iter().filter(|one| !permissions.contains(one));
    Principal {
        permissions: kept.collect::<Permissions>(),
        ..Principal::with_role("curious", Role::Admin, Agents::All)
    }
}

/// Everybody who may not see everything.
fn curious() -> Vec<Principal> {
    let by_role = Role::iter().map(|role| Principal::with_role("curious", role, Agents::All));
    let (pii, said) = (Permission::UsersPii, Permission::MessagesRead);
    by_role
        .chain([without(&[pii]), without(&[said]), without(&[pii, said])])
        .filter(|one| !one.may(pii) || !one.may(said))
        .collect()
}

/// Ids of what was planted.
struct Planted {
    agent: Value,
    user: Value,
    other: Value,
    ids: Vec<Value>,
}

/// Plants two users of whom everything is known, with what can be told of them.
async fn plant(world: &World) -> Planted {
    let event = |values: &[usize], at: usize, role: &str, text: &str| {
        json!({
            "agent": { "external_id": "garden", "name": "Garden" },
            "user": { "platform": "WHATSAPP", "name": VALUES[values[0]], "email": VALUES[values[1]], "phone": VALUES[values[2]],
                      "profile_picture_url": VALUES[values[3]], "platform_id": VALUES[values[4]], "language": "pl",
                      "tags": ["vip"], "settings": { "home": VALUES[values[5]], VALUES[6]: 7_316_000_733_i64 } },
            "session": { "external_id": format!("session {}", values[0]), "subject": SAID[2], "summary": SAID[3] },
            "message": { "external_id": format!("message {at}"), "role": role, "text": text, "reply_to": "message 0",
                         "sent_at": format!("2026-03-01T10:{at:02}:00Z"),
                         "attachments": [{ "kind": "file", "url": VALUES[8], "name": VALUES[9] }] },
        })
    };
    let (one, two) = ([0, 1, 2, 3, 4, 5], [10, 11, 12, 14, 13, 15]);
    let lines = [
        event(&one, 0, "user", SAID[0]),
        event(&one, 1, "agent", SAID[1]),
        event(&two, 2, "user", SAID[0]),
    ];
    let events: Vec<Event> = lines
        .into_iter()
        .map(|line| serde_json::from_value(line).unwrap())
        .collect();
    apply(&world.database.writer, &events).await.unwrap();
    let found = world
        .ask(
            "{ agents { nodes { id sessions { nodes { id messages { nodes { id } } } } chatUsers(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { id } } } } }",
            Value::Null,
        )
        .await;
    let agent = &found["agents"]["nodes"][0];
    let [user, other] = [0, 1].map(|at| agent["chatUsers"]["nodes"][at]["id"].clone());
    // Each kind of entry in the audit log, with values before and after.
    for change in [
        format!(
            "updateChatUser(input: {{id: $user, email: \"{}\", phoneNumber: null, name: null, profilePictureUrl: null}})",
            "zqx@example.org"
        ),
        format!(
            "updateChatUser(input: {{id: $user, email: \"{}\", phoneNumber: \"{}\", name: \"{}\", profilePictureUrl: \"{}\"}})",
            VALUES[1], VALUES[2], VALUES[0], VALUES[3]
        ),
        format!(
            "updateChatUserSettings(input: {{id: $user, settings: {{home: null, more: {{home: \"{}\"}}}}}})",
            VALUES[5]
        ),
        format!(
            "blockChatUser(input: {{id: $user, reason: \"{}\"}})",
            VALUES[7]
        ),
        "subscribeChatUser(input: {id: $user, tag: \"news\"})".to_owned(),
        "setChatUserStopped(input: {id: $user, stoppedAt: \"2026-04-01T00:00:00Z\"})".to_owned(),
        "untagChatUsers(input: {ids: [$user], tags: [\"vip\"]})".to_owned(),
    ] {
        let query = format!("mutation ($user: ID!) {{ {change} {{ userErrors {{ message }} }} }}");
        let data = world.ask(&query, json!({ "user": user })).await;
        assert!(data.to_string().contains("\"userErrors\":[]"), "{data}");
    }
    // Somebody who was merged, and the receipt of somebody who was deleted.
    let third = json!({
        "agent": { "external_id": "garden" },
        "user": { "platform": "SMS", "platform_id": VALUES[12], "name": VALUES[10] },
        "session": { "external_id": "third" },
        "message": { "external_id": "message 9", "role": "user", "text": SAID[0], "sent_at": "2026-03-02T10:00:00Z" },
    });
    let fourth = json!({
        "agent": { "external_id": "garden" },
        "user": { "platform": "SMS", "platform_id": "gone", "name": VALUES[10] },
        "session": { "external_id": "fourth" },
        "message": { "external_id": "message 10", "role": "user", "text": SAID[0], "sent_at": "2026-03-03T10:00:00Z" },
    });
    let events: [Event; 2] = [third, fourth].map(|line| serde_json::from_value(line).unwrap());
    apply(&world.database.writer, &events).await.unwrap();
    let query = "query ($agent: ID!) { third: chatUserByPlatformId(agentId: $agent, platform: SMS, platformId: \"%\") { id }
                 fourth: chatUserByPlatformId(agentId: $agent, platform: SMS, platformId: \"gone\") { id } }"
        .replace('%', VALUES[12]);
    let more = world.ask(&query, json!({ "agent": agent["id"] })).await;
    let query = "mutation ($user: ID!, $third: ID!, $fourth: ID!) { mergeChatUsers(input: {into: $user, from: $third}) { userErrors { message } }
                 deleteChatUser(input: {id: $fourth, mode: ERASE}) { deletion { id } } }";
    let variables =
        json!({ "user": user, "third": more["third"]["id"], "fourth": more["fourth"]["id"] });
    let done = world.ask(query, variables).await;
    assert_eq!(done["mergeChatUsers"]["userErrors"], json!([]));
    let log = "{ auditLog(first: 100) { nodes { id } } }";
    let log = world.ask(log, Value::Null).await;
    let subscriptions =
        "query ($user: ID!) { chatUser(id: $user) { subscriptions { nodes { id } } } }";
    let subscriptions = world.ask(subscriptions, json!({ "user": user })).await;
    let mut ids = vec![done["deleteChatUser"]["deletion"]["id"].clone()];
    collect_ids(&found, &mut ids);
    collect_ids(&log, &mut ids);
    collect_ids(&subscriptions, &mut ids);
    Planted {
        agent: agent["id"].clone(),
        user,
        other,
        ids,
    }
}

fn collect_ids(answer: &Value, ids: &mut Vec<Value>) {
    match answer {
        Value::Object(parts) => parts.iter().for_each(|(key, part)| match part {
            Value::String(_) if key == "id" => ids.push(part.clone()),
            part => collect_ids(part, ids),
        }),
        Value::Array(parts) => parts.iter().for_each(|part| collect_ids(part, ids)),
        _ => {}
    }
}

/// What root fields are asked with.
fn given(planted: &Planted) -> Given {
    let Planted {
        agent,
        user,
        other,
        ids,
    } = planted;
    let names = |names: &[&'static str], argument: &'static str, value: Value| {
        names
            .iter()
            .map(|name| ((*name, argument), value.clone()))
            .collect::<Vec<_>>()
    };
    let of = |kind: &str| {
        let of = |id: &&Value| id.as_str().unwrap().starts_with(kind);
        ids.iter().find(of).unwrap().clone()
    };
    let mut all: Given = BTreeMap::new();
    all.extend(names(
        &["node", "chatUser", "erasureCheck"],
        "id",
        user.clone(),
    ));
    all.extend(names(&["agent"], "id", agent.clone()));
    all.extend(names(&["session"], "id", of("session")));
    all.extend(names(&["deletion"], "id", of("deletion")));
    all.extend(names(
        &["nodes"],
        "ids",
        ids.iter().take(100).cloned().collect(),
    ));
    all.extend(names(&["mergePreview"], "into", user.clone()));
    all.extend(names(&["mergePreview"], "from", other.clone()));
    let by_id = ["blockStatus", "chatUserByPlatformId"];
    all.extend(names(&by_id, "agentId", agent.clone()));
    all.extend(names(&by_id, "platform", json!("WHATSAPP")));
    all.extend(names(&by_id, "platformId", json!(VALUES[4])));
    let more = [
        (
            "recordMessages",
            json!({ "events": [{ "agent": { "id": agent }, "user": { "platform": "WHATSAPP", "platformId": VALUES[4] },
            "message": { "externalId": "m", "role": "USER", "text": "hi", "sentAt": "2026-05-01T00:00:00Z" } }] }),
        ),
        ("createAgent", json!({ "externalId": "garden" })),
        (
            "updateAgent",
            json!({ "id": agent, "description": "flowers" }),
        ),
        ("archiveAgent", json!({ "id": agent })),
        ("unarchiveAgent", json!({ "id": agent })),
        // Somebody was faster: the payload has the user as they are.
        (
            "updateChatUser",
            json!({ "id": user, "language": "de", "ifVersion": 1 }),
        ),
        (
            "updateChatUsers",
            json!({ "changes": [{ "id": user, "language": "de" }, { "id": other, "language": "english please" }], "allOrNothing": false }),
        ),
        (
            "tagChatUsers",
            json!({ "ids": [user, other], "tags": ["new"] }),
        ),
        (
            "untagChatUsers",
            json!({ "agentId": agent, "where": { "isAnonymous": { "eq": false } }, "tags": ["new"] }),
        ),
        ("subscribeChatUser", json!({ "id": user, "tag": "deals" })),
        ("unsubscribeChatUser", json!({ "id": user, "tag": "deals" })),
        (
            "blockChatUser",
            json!({ "id": other, "until": "2099-01-01T00:00:00Z" }),
        ),
        ("unblockChatUser", json!({ "id": other })),
        (
            "setChatUserStopped",
            json!({ "agentId": agent, "platform": "WHATSAPP", "platformId": VALUES[4] }),
        ),
        (
            "updateChatUserSettings",
            json!({ "id": user, "settings": { "new": 1 } }),
        ),
        (
            "mergeChatUsers",
            json!({ "into": user, "from": other, "ifVersion": 1 }),
        ),
        ("deleteChatUser", json!({ "id": other, "mode": "SOFT" })),
        ("restoreChatUser", json!({ "id": other })),
    ];
    all.extend(
        more.into_iter()
            .map(|(field, input)| ((field, "input"), input)),
    );
    all
}

/// Everything that there is to be asked and changed, asked by somebody; all answers as one text.
async fn all_answers(world: &World, planted: &Planted, schema: &Schema) -> String {
    let given = given(planted);
    let mut all = String::new();
    for root in ["Query", "Mutation"] {
        for question in schema.questions(root, &given) {
            let body = world
                .ask_with(&question.query, question.variables)
                .await
                .body;
            for error in body["errors"].as_array().into_iter().flatten() {
                let code = error["extensions"]["code"].as_str();
                assert_eq!(code, Some("FORBIDDEN"), "{}: {error}", question.field);
            }
            all.push_str(&body.to_string());
            within_cursors(&body, &mut all);
        }
    }
    all
}

/// What is inside of texts that are base64, as cursors are.
fn within_cursors(answer: &Value, all: &mut String) {
    match answer {
        Value::String(text) => {
            let inside = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
            all.push('\n');
            all.push_str(&String::from_utf8_lossy(&inside));
        }
        Value::Array(parts) => parts.iter().for_each(|part| within_cursors(part, all)),
        Value::Object(parts) => parts.values().for_each(|part| within_cursors(part, all)),
        _ => {}
    }
}

/// A part of a value that is longer than what its shape may show, and is in an answer.
fn leak(answer: &str, value: &str) -> Option<String> {
    let chars: Vec<_> = value.chars().collect();
    let window = chars.len().div_ceil(3).max(4);
    chars
        .windows(window)
        .map(|part| part.iter().collect::<String>())
        .find(|part| answer.contains(part))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_it_finds_nothing_personal_anywhere() {
    everywhere(Start::Empty, async |world| {
        let schema = Schema::of(world).await;
        for principal in curious() {
            let own = World::new(world.kind, Start::Empty).await;
            let planted = plant(&own).await;
            let who = format!(
                "{:?} on {:?}",
                principal
                    .permissions
                    .iter()
                    .map(Permission::name)
                    .collect::<Vec<_>>(),
                world.kind
            );
            let pii = principal.may(Permission::UsersPii);
            let said = principal.may(Permission::MessagesRead);
            let answers = all_answers(&own.seen_by(principal), &planted, &schema).await;
            let personal = VALUES.iter().filter(|_| !pii);
            for value in personal.chain(SAID.iter().filter(|_| !said)) {
                if let Some(part) = leak(&answers, value) {
                    let at = answers.find(&part).unwrap();
                    let from = answers.floor_char_boundary(at.saturating_sub(300));
                    let to = answers.floor_char_boundary(at + 200);
                    panic!("{who}: {part:?} of {value:?} in …{}…", &answers[from..to]);
                }
            }
            if !pii {
                for part in [PERSONAL, "żqx", "7316000733", "229876543", "221112233"] {
                    assert!(!answers.contains(part), "{who}: {part}");
                }
            }
            own.end().await;
        }
    })
    .await;
}

/// The test above cannot pass because there is nothing to be found.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_see_it_finds_all_of_it() {
    everywhere(Start::Empty, async |world| {
        let schema = Schema::of(world).await;
        let planted = plant(world).await;
        let answers = all_answers(world, &planted, &schema).await;
        for value in VALUES.iter().chain(&SAID) {
            // Phone numbers that people change are kept in E.164.
            let digits: String = value.chars().filter(|char| *char != ' ').collect();
            assert!(
                answers.contains(value) || answers.contains(&digits),
                "{value}"
            );
        }
        assert!(answers.contains("7316000733"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_is_told_by_its_shape() {
    const FIELDS: &str = "id platformId name displayName isAnonymous email maskedEmail phoneNumber maskedPhoneNumber profilePictureUrl settings
                          language piiMasked isBlocked block { reason until }";
    everywhere(Start::Empty, async |world| {
        let planted = plant(world).await;
        let query = format!("query ($id: ID!) {{ one: chatUser(id: $id) {{ {FIELDS} }} chatUsers(where: {{id: {{eq: $id}}}}) {{ nodes {{ {FIELDS} }} }} }}");
        let id = json!({ "id": planted.user });
        let data = world.seen_by(without(&[Permission::UsersPii])).ask(&query, id.clone()).await;
        let name = data["one"]["displayName"].as_str().unwrap().to_owned();
        assert!(name.starts_with("Guest User "), "{name}");
        let expected = json!({ "id": planted.user, "platformId": null, "name": null, "displayName": name, "isAnonymous": false, "email": null,
            "maskedEmail": "ż•••@x•••.•••", "phoneNumber": null, "maskedPhoneNumber": "+48•••43", "profilePictureUrl": null, "settings": null,
            "language": "pl", "piiMasked": true, "isBlocked": true, "block": { "reason": null, "until": null } });
        assert_eq!(data["one"], expected);
        assert_eq!(data["chatUsers"]["nodes"][0], expected);
        // The columns of a list by themselves are those of the row.
        for field in ["platformId", "displayName", "isAnonymous", "maskedEmail", "maskedPhoneNumber", "piiMasked", "settings"] {
            let query = format!("query ($id: ID!) {{ chatUsers(where: {{id: {{eq: $id}}}}) {{ nodes {{ {field} }} }} }}");
            let alone = world.seen_by(without(&[Permission::UsersPii])).ask(&query, id.clone()).await;
            assert_eq!(alone["chatUsers"]["nodes"][0][field], expected[field], "{field}");
        }
        // The log tells what changed, and of agents to what.
        let roses = "mutation ($agent: ID!) { updateAgent(input: {id: $agent, description: \"Roses\"}) { userErrors { message } } }";
        let agent = json!({ "agent": planted.agent });
        world.ask(roses, agent.clone()).await;
        let log = "query ($agent: ID!) { auditLog(agentId: $agent, first: 100) { nodes { changes { field before after } } } }";
        let log = world.seen_by(without(&[Permission::UsersPii])).ask(log, agent).await;
        let log = log.to_string();
        for told in [
            r#"{"after":"z•••@e•••.org","before":"ż•••@x•••.•••","field":"email"}"#,
            r#"{"after":null,"before":"•••","field":"name"}"#,
            r#""before":["vip"]"#,
            r#""tag":"news""#,
            r#"{"after":"Roses","before":null,"field":"description"}"#,
        ] {
            assert!(log.contains(told), "{told} in {log}");
        }
        let seen = world.ask(&query, id).await;
        assert_eq!(seen["one"]["piiMasked"], false);
        assert_eq!(seen["one"]["maskedEmail"], mask::email(VALUES[1]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_can_be_asked_by() {
    everywhere(Start::Audience, async |world| {
        let schema = Schema::of(world).await;
        let masked = world.seen_by(without(&[Permission::UsersPii, Permission::MessagesRead]));
        let open = world.seen_by(without(&[]));
        // Each condition there is, at each depth, in each list.
        let agents = world.ask("{ agents { nodes { id } } }", Value::Null).await;
        let agent = &agents["agents"]["nodes"][0]["id"];
        let mut refused = Vec::new();
        for (list, kind) in [
            ("chatUsers(where: $where) { totalCount }", "ChatUserWhere"),
            ("agents { nodes { chatUsers(where: $where) { nodes { id } } } }", "ChatUserWhere"),
            ("chatUsers(where: $where) { facets { platform { count } } }", "ChatUserWhere"),
            ("sessions(where: $where) { totalCount }", "SessionWhere"),
            ("chatUsers { nodes { sessions(where: $where) { totalCount } } }", "SessionWhere"),
            ("chatUsers { nodes { messages(where: $where) { nodes { id } } } }", "MessageWhere"),
            ("sessions { nodes { messages(where: $where) { totalCount } } }", "MessageWhere"),
            ("auditLog(where: $where) { totalCount }", "AuditEntryWhere"),
            ("agents(where: $where) { totalCount }", "AgentWhere"),
        ] {
            let query = format!("query ($where: {kind}!) {{ {list} }}");
            for field in schema.fields(kind) {
                if ["and", "or", "not"].contains(&field.as_str()) {
                    continue;
                }
                let condition = json!({ &field: {} });
                for (path, condition) in [
                    (format!("where.{field}"), condition.clone()),
                    (format!("where.not.or.0.and.0.{field}"), json!({ "not": { "or": [{ "and": [condition] }] } })),
                ] {
                    let variables = json!({ "where": condition });
                    let body = masked.ask_with(&query, variables.clone()).await.body;
                    assert!(open.ask_with(&query, variables).await.body.get("errors").is_none());
                    if let Some(error) = body["errors"].as_array().map(|errors| &errors[0]) {
                        assert_eq!(error["extensions"]["code"], "FORBIDDEN", "{error}");
                        // By the document's rules, or by the value's.
                        let told = [&error["extensions"]["argument"], &error["extensions"]["field"]];
                        let known = [json!(path), json!(format!("{kind}.{field}"))];
                        assert!(told.iter().any(|told| known.contains(told)), "{error}");
                        refused.push(format!("{kind}.{field}"));
                    }
                }
            }
        }
        refused.sort();
        refused.dedup();
        assert_eq!(
            refused,
            ["ChatUserWhere.email", "ChatUserWhere.name", "ChatUserWhere.phoneNumber", "ChatUserWhere.platformId",
             "ChatUserWhere.profilePictureUrl", "MessageWhere.text", "SessionWhere.subject", "SessionWhere.summary"]
        );

        // Searches, orders, cursors, look-ups, and changes.
        let cursor = "query ($agent: ID!) { chatUsers(agentId: $agent, orderBy: {field: NAME}) { pageInfo { endCursor } } }";
        let cursor = world.ask(cursor, json!({ "agent": agent })).await["chatUsers"]["pageInfo"]["endCursor"].take();
        let user = world.ask("{ chatUsers { nodes { id platform platformId email } } }", Value::Null).await["chatUsers"]["nodes"][0].take();
        let variables = json!({ "agent": agent, "cursor": cursor, "user": user["id"], "platform": user["platform"], "platformId": user["platformId"] });
        for (argument, question) in [
            ("search", "{ chatUsers(search: \"an\") { totalCount } }"),
            ("search", "{ chatUsers(search: \"ann@example.com\") { totalCount } }"),
            ("search", "{ chatUsers(search: \"nobody@example.com\") { nodes { id } } }"),
            ("search", "{ agents { nodes { chatUsers(search: \"a\") { facets { platform { count } } } } } }"),
            ("orderBy.field", "query ($agent: ID!) { chatUsers(agentId: $agent, orderBy: {field: NAME}) { nodes { id } } }"),
            ("orderBy.field", "query ($agent: ID!, $cursor: String) { chatUsers(agentId: $agent, after: $cursor, orderBy: {field: NAME}) { edges { cursor } } }"),
            ("orderBy.field", "{ agents { nodes { chatUsers(orderBy: {field: NAME, direction: DESC}) { pageInfo { endCursor } } } } }"),
            ("from", "query ($user: ID!) { mergePreview(into: $user, from: $user) { conflicts { field } } }"),
            ("input.from", "mutation ($user: ID!) { mergeChatUsers(input: {into: $user, from: $user}) { movedSessions } }"),
            ("input.email", "mutation ($user: ID!) { updateChatUser(input: {id: $user, email: null}) { chatUser { version } } }"),
            ("input.changes.0.name", "mutation ($user: ID!) { updateChatUsers(input: {changes: [{id: $user, name: \"x\"}]}) { chatUsers { version } } }"),
            ("input.settings", "mutation ($user: ID!) { updateChatUserSettings(input: {id: $user, settings: {}}) { chatUser { version } } }"),
            ("where.name", "mutation ($agent: ID!) { tagChatUsers(input: {agentId: $agent, where: {name: {startsWith: \"A\"}}, tags: [\"a\"]}) { count } }"),
        ] {
            let body = masked.ask_with(question, variables.clone()).await.body;
            let error = &body["errors"][0];
            assert_eq!(error["extensions"]["code"], "FORBIDDEN", "{question}: {body}");
            assert_eq!(error["extensions"]["argument"], argument, "{question}: {body}");
            assert!(error["message"].as_str().unwrap().ends_with("users:pii"), "{error}");
        }
        // A cursor of names is of no use elsewhere either.
        let elsewhere = "query ($agent: ID!, $cursor: String) { chatUsers(agentId: $agent, after: $cursor) { nodes { id } } }";
        let body = masked.ask_with(elsewhere, variables.clone()).await.body;
        assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{body}");
        // What still works: complete ids, whether there is a name, and what is not personal.
        let question = "query ($user: String!) { chatUsers(search: $user) { nodes { id } } anonymous: chatUsers(where: {isAnonymous: {eq: true}}) { totalCount } }";
        let data = masked.ask(question, json!({ "user": user["id"] })).await;
        assert_eq!(data["chatUsers"]["nodes"], json!([{ "id": user["id"] }]));
        assert_eq!(data["anonymous"], world.ask("{ chatUsers(where: {isAnonymous: {eq: true}}) { totalCount } }", Value::Null).await["chatUsers"]);

        // Who records messages knows the ids; who does not, may not try them.
        let question = "query ($agent: ID!, $platform: Platform!, $platformId: String!) {
            blockStatus(agentId: $agent, platform: $platform, platformId: $platformId) { isBlocked }
            chatUserByPlatformId(agentId: $agent, platform: $platform, platformId: $platformId) { id platformId } }";
        assert!(masked.ask_with(question, variables.clone()).await.body.get("errors").is_none());
        let guessing = world.seen_by(without(&[Permission::UsersPii, Permission::EventsWrite]));
        let body = guessing.ask_with(question, variables.clone()).await.body;
        assert_eq!(body["errors"][0]["extensions"]["argument"], "platformId", "{body}");
        let stopped = "mutation ($agent: ID!, $platform: Platform!, $platformId: String!) {
            setChatUserStopped(input: {agentId: $agent, platform: $platform, platformId: $platformId}) { chatUser { id } } }";
        let body = guessing.ask_with(stopped, variables).await.body;
        assert_eq!(body["errors"][0]["extensions"]["argument"], "input.platformId", "{body}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_says_which_ids_are_personal() {
    everywhere(Start::Audience, async |world| {
        let who = || without(&[Permission::UsersPii, Permission::EventsWrite]);
        let with = |platforms: &str| {
            let settings = ServeSettings {
                personal_platforms: Some(platforms.to_owned()),
                ..ServeSettings::default()
            };
            let limits = LimitSettings::default().limits();
            world.served_by(Server::open_to(who(), world.database.clone(), &settings, limits).unwrap())
        };
        let list = "{ chatUsers(first: 100) { nodes { platform platformId } } }";
        let ids = async |world: &World| {
            let data = world.ask(list, Value::Null).await;
            let nodes = data["chatUsers"]["nodes"].as_array().unwrap().clone();
            let shown = nodes.iter().filter(|node| !node["platformId"].is_null());
            let mut shown: Vec<_> = shown.map(|node| node["platform"].as_str().unwrap().to_owned()).collect();
            shown.sort();
            shown.dedup();
            shown
        };
        assert_eq!(ids(&world.seen_by(who())).await, Vec::<String>::new());
        let everybody = ids(world).await;
        assert!(everybody.len() > 3);
        assert_eq!(ids(&with("none")).await, everybody);
        let others: Vec<_> = everybody.iter().filter(|one| *one != "WEB").cloned().collect();
        assert_eq!(ids(&with(&others.join(", "))).await, ["WEB"]);

        // A filter by ids works where none is personal.
        let filter = "{ chatUsers(where: {platformId: {isNull: false}}) { totalCount } }";
        assert!(with("none").ask_with(filter, Value::Null).await.body.get("errors").is_none());
        assert!(with("SMS").ask_with(filter, Value::Null).await.body.get("errors").is_some());
        // A look-up, where the ids of that platform are not.
        for (platform, code) in [("WEB", Value::Null), ("SMS", json!("FORBIDDEN"))] {
            let question = format!("{{ chatUserByPlatformId(agentId: \"a\", platform: {platform}, platformId: \"b\") {{ id }} }}");
            let body = with("SMS,VOICE").ask_with(&question, Value::Null).await.body;
            assert_eq!(body["errors"][0]["extensions"]["code"], code, "{body}");
        }
        let wrong = ServeSettings { personal_platforms: Some("PIGEON".into()), ..ServeSettings::default() };
        assert!(wrong.personal_platforms().unwrap_err().to_string().contains("`PIGEON`"));
    })
    .await;
}

//! What lies outside somebody's agents does not exist for them: generated questions find nothing of it, and are answered like
//! questions about what is not there, byte for byte.
//!
//! `ACCESS_QUERIES=100000` asks for more of them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use parlour::caller::{Agents, Principal, Role};
use parlour::id::{self, ObjectKind};
use parlour::write::apply;
use parlour::write::event::Event;
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};
use crate::rng::SeededRng;

/// Stands in every value of the agents that are somebody else's.
const PLANTED: &str = "zq9x";

/// What a question can be filled with: of somebody else, and of nobody.
struct Pair {
    word: &'static str,
    theirs: Vec<String>,
    nobodys: Vec<String>,
}

fn event(agent: &str, word: &str, at: usize) -> Event {
    let (user, minute) = (at % 7, at % 60);
    let event = json!({
        "agent": { "external_id": agent, "name": format!("Agent {word}"), "description": format!("for {word}") },
        "user": { "platform": "TELEGRAM", "platform_id": format!("{word}-platform-{user}"), "name": format!("Name {word} {user}"),
                  "email": format!("{word}{user}@example.org"), "phone": format!("+{word} {user}"), "language": format!("x-{word}"),
                  "profile_picture_url": format!("https://example.org/{word}"), "tags": [format!("tag {word}")],
                  "settings": { format!("key {word}"): format!("value {word}") } },
        "session": { "external_id": format!("{word} session {}", at % 14), "subject": format!("subject {word}"), "summary": format!("summary {word}"),
                     "language": format!("x-{word}"), "tags": [format!("session tag {word}")] },
        "message": { "external_id": format!("{word} message {at}"), "role": if at.is_multiple_of(3) { "agent" } else { "user" },
                     "text": format!("text {word}"), "sent_at": format!("2026-03-{:02}T10:{minute:02}:00.{:06}Z", at % 27 + 1, word.len()),
                     "cost_micros": 7, "attachments": [{ "kind": word, "url": format!("https://example.org/{word}") }] },
    });
    serde_json::from_value(event).unwrap()
}

/// Own agents with users, and two of somebody else with planted values in all they have. The ids of the own ones.
async fn plant(world: &World) -> Vec<Uuid> {
    let mut events = Vec::new();
    for at in 0..40 {
        events.push(event("own-1", "mine", at));
        events.push(event("own-2", "also mine", at));
        events.push(event(
            &format!("agent {PLANTED}"),
            &format!("{PLANTED} one"),
            at,
        ));
        events.push(event(
            &format!("other {PLANTED}"),
            &format!("{PLANTED} two too"),
            at,
        ));
    }
    apply(&world.database.writer, &events).await.unwrap();
    let users = world
        .ask(
            "{ agents { nodes { externalId id chatUsers { nodes { id } } } } }",
            Value::Null,
        )
        .await;
    let agents = users["agents"]["nodes"].as_array().unwrap();
    for agent in agents {
        let mark = if agent["externalId"].as_str().unwrap().contains(PLANTED) {
            PLANTED
        } else {
            "mine"
        };
        let user = |at: usize| agent["chatUsers"]["nodes"][at]["id"].as_str().unwrap();
        let changes = format!(
            "mutation {{
                a: updateChatUser(input: {{id: \"{0}\", name: \"Second {mark}\"}}) {{ userErrors {{ message }} }}
                b: subscribeChatUser(input: {{id: \"{0}\", tag: \"news {mark}\"}}) {{ userErrors {{ message }} }}
                c: blockChatUser(input: {{id: \"{0}\", reason: \"reason {mark}\"}}) {{ userErrors {{ message }} }}
                d: mergeChatUsers(input: {{into: \"{0}\", from: \"{1}\"}}) {{ userErrors {{ message }} }}
                e: deleteChatUser(input: {{id: \"{2}\", mode: SOFT}}) {{ userErrors {{ message }} }}
                f: deleteChatUser(input: {{id: \"{3}\", mode: HARD}}) {{ userErrors {{ message }} }}
                g: updateAgent(input: {{id: \"{4}\", description: \"second {mark}\"}}) {{ userErrors {{ message }} }} }}",
            user(0), user(1), user(2), user(3), agent["id"].as_str().unwrap(),
        );
        let made = world.ask(&changes, Value::Null).await;
        assert_eq!(
            made.to_string().matches("\"userErrors\":[]").count(),
            7,
            "{made}"
        );
    }
    let own = agents
        .iter()
        .filter(|agent| !agent["externalId"].as_str().unwrap().contains(PLANTED));
    own.map(|agent| {
        ObjectKind::Agent
            .decode(agent["id"].as_str().unwrap())
            .unwrap()
    })
    .collect()
}

/// All that there is of somebody else, and something like it that is not there.
async fn pairs(world: &World) -> Vec<Pair> {
    let data = world
        .ask(
            "{ agents(search: \"zq9x\") { edges { cursor node { id externalId name
                 chatUsers(first: 100) { edges { cursor node { id platformId name email tags
                   subscriptions { edges { cursor node { id tag } } } auditLog { edges { cursor node { id requestId } } }
                   sessions { edges { cursor node { id externalId subject messages(first: 3) { edges { cursor node { id externalId text } } } } } } } } }
                 byTime: chatUsers(orderBy: {field: CREATED_AT}) { edges { cursor } } } } }
               auditLog(first: 100) { edges { cursor node { id agent { externalId } } } }
             }",
            Value::Null,
        )
        .await;
    let text = data.to_string();
    let mut ids = all(&data, "id");
    // Users who were merged, hidden and removed, and their deletions, are asked of the database's own words.
    ids.retain(|id| !id.starts_with("audit_"));
    let log = data["auditLog"]["edges"].as_array().unwrap().iter();
    let planted_log = log.filter(|edge| {
        edge["node"]["agent"]["externalId"]
            .as_str()
            .is_some_and(|id| id.contains(PLANTED))
    });
    let audit: Vec<String> = planted_log
        .map(|edge| edge["node"]["id"].as_str().unwrap().to_owned())
        .collect();
    let hidden = hidden(world).await;
    let of = |prefix: &str| -> Vec<String> {
        let all = ids.iter().chain(&audit).chain(&hidden);
        all.filter(|id| id.starts_with(prefix)).cloned().collect()
    };
    let pair = |word, theirs: Vec<String>| {
        assert!(!theirs.is_empty(), "no {word} in {text}");
        let nobodys = theirs.iter().map(|one| nobodys(one)).collect();
        Pair {
            word,
            theirs,
            nobodys,
        }
    };
    let cursors = |noun: &str, order: &str| -> Vec<String> {
        let mut found = all(&data, "cursor");
        found.retain(|cursor| {
            let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
            text.contains(&format!("\"{noun}\",\"{order}\""))
        });
        found
    };
    let user_cursors = cursors("user", "LAST_MESSAGE_AT");
    vec![
        pair("AGENT", of("agent_")),
        pair("USER", of("user_")),
        pair("SESSION", of("session_")),
        pair("MESSAGE", of("message_")),
        pair("AUDIT", of("audit_")),
        pair("SUBSCRIPTION", of("subscription_")),
        pair("DELETION", of("deletion_")),
        pair("EXTERNAL", all(&data["agents"], "externalId")),
        pair("PLATFORM_ID", all(&data, "platformId")),
        pair("EMAIL", all(&data, "email")),
        pair(
            "WORD",
            vec![
                PLANTED.to_owned(),
                format!("name {PLANTED}"),
                format!("{PLANTED} one session 3"),
            ],
        ),
        pair(
            "TAG",
            vec![format!("tag {PLANTED} one"), format!("news {PLANTED}")],
        ),
        pair("USER_CURSOR", user_cursors),
        pair("CREATED_CURSOR", cursors("user", "CREATED_AT")),
        pair("SESSION_CURSOR", cursors("session", "STARTED_AT")),
        pair("MESSAGE_CURSOR", cursors("message", "SENT_AT")),
        pair("AGENT_CURSOR", cursors("agent", "CREATED_AT")),
    ]
}

/// Ids that no answer shows any more: of users who were merged into others, hidden and removed, and of deletions.
async fn hidden(world: &World) -> Vec<String> {
    let reader = &world.database.reader;
    let dialect = reader.dialect();
    let mut ids = Vec::new();
    for (noun, sql) in [
        (
            ObjectKind::ChatUser,
            "SELECT chat_user_aliases.id FROM chat_user_aliases JOIN agents ON agents.id = agent_id WHERE external_id LIKE '%zq9x%'",
        ),
        (
            ObjectKind::ChatUser,
            "SELECT chat_user_id AS id FROM deletions JOIN agents ON agents.id = agent_id WHERE external_id LIKE '%zq9x%'",
        ),
        (
            ObjectKind::Deletion,
            "SELECT deletions.id FROM deletions JOIN agents ON agents.id = agent_id WHERE external_id LIKE '%zq9x%'",
        ),
    ] {
        for row in reader.rows(dialect.raw(sql, [])).await.unwrap() {
            ids.push(noun.encode(row.try_get("", "id").unwrap()));
        }
    }
    ids
}

/// Every text under a key, at any depth.
fn all(value: &Value, key: &str) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(|value| all(value, key)).collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == key => vec![text.clone()],
                value => all(value, key),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Something of the same form that is nowhere: an id, a cursor of the same place but for the id, a text.
fn nobodys(one: &str) -> String {
    const BIT: u128 = 1 << 17;
    if let Some((noun, id)) = id::decode(one) {
        return noun.encode(Uuid::from_u128(id.as_u128() ^ BIT));
    }
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(one).ok();
    if let Some((head, key, id)) =
        decoded.and_then(|bytes| serde_json::from_slice::<(Value, Value, Uuid)>(&bytes).ok())
    {
        let id = Uuid::from_u128(id.as_u128() ^ BIT);
        let cursor = serde_json::to_vec(&(head, key, id.simple().to_string())).unwrap();
        return BASE64_URL_SAFE_NO_PAD.encode(cursor);
    }
    one.replace(PLANTED, "qj7w")
}

const USER: &str = "id name displayName email tags settings platformId totalSessions agent { name externalId } lastReceivedMessage { text }
    subscriptions { totalCount nodes { tag } } auditLog { totalCount nodes { action changes { field before after } } }
    sessions(first: 2) { totalCount nodes { externalId subject messages(first: 2) { nodes { text replyTo { text } } } } }";

/// Questions, with words for what they are filled with.
const QUESTIONS: &[&str] = &[
    "node(id: \"ANY\") { __typename id }",
    "nodes(ids: [\"ANY\", \"ANY\", \"OWN\", \"ANY\"]) { __typename id ... on ChatUser { name } ... on Agent { name } ... on Message { text } ... on Session { externalId } }",
    "agent(id: \"AGENT\") { name totalUsers chatUsers { totalCount } }",
    "chatUser(id: \"USER\") { FIELDS }",
    "session(id: \"SESSION\") { subject messages { nodes { text } } chatUser { name } }",
    "chatUserByPlatformId(agentId: \"AGENT\", platform: TELEGRAM, platformId: \"PLATFORM_ID\") { FIELDS }",
    "blockStatus(agentId: \"AGENT\", platform: TELEGRAM, platformId: \"PLATFORM_ID\") { isBlocked stoppedAt block { reason by } chatUser { name } }",
    "blockStatus(agentId: \"OWN\", platform: TELEGRAM, platformId: \"PLATFORM_ID\") { isBlocked chatUser { name } }",
    "agents { totalCount nodes { name externalId totalUsers totalCost { amount } } pageInfo { hasNextPage hasPreviousPage endCursor } }",
    "agents(search: \"WORD\") { totalCount nodes { name } }",
    "agents(where: { externalId: { eq: \"EXTERNAL\" } }) { totalCount nodes { name } }",
    "agents(where: { or: [{ id: { in: [\"AGENT\"] } }, { name: { contains: \"WORD\" } }] }) { totalCount nodes { name } }",
    "agents(after: \"AGENT_CURSOR\") { nodes { name } pageInfo { hasNextPage hasPreviousPage } }",
    "agents(before: \"AGENT_CURSOR\", last: 1, offset: 1) { nodes { name } pageInfo { hasNextPage hasPreviousPage } }",
    "chatUsers(first: 3) { totalCount facets { platform { value count } } nodes { FIELDS } pageInfo { hasNextPage hasPreviousPage } }",
    "chatUsers(agentId: \"AGENT\") { totalCount facets { platform { count } } nodes { FIELDS } pageInfo { hasNextPage hasPreviousPage } }",
    "chatUsers(agentId: \"AGENT\", search: \"WORD\", orderBy: { field: NAME }) { totalCount nodes { name } }",
    "chatUsers(search: \"WORD\") { totalCount facets { platform { count } } nodes { name } }",
    "chatUsers(search: \"WORD\") { nodes { name } pageInfo { hasNextPage } }",
    "chatUsers(search: \"EMAIL\") { nodes { name } }",
    "chatUsers(search: \"EMAIL\") { totalCount facets { platform { count } } nodes { email } }",
    "chatUsers(search: \"USER\") { totalCount nodes { name } }",
    "chatUsers(search: \"PLATFORM_ID\", platform: TELEGRAM) { nodes { name } }",
    "chatUsers(where: { tags: { has: \"TAG\" } }) { totalCount nodes { tags } }",
    "chatUsers(where: { or: [{ id: { eq: \"USER\" } }, { email: { eq: \"EMAIL\" } }, { name: { contains: \"WORD\" } }] }) { totalCount nodes { name } }",
    "chatUsers(where: { not: { id: { eq: \"USER\" } } }, first: 1) { totalCount nodes { name } }",
    "chatUsers(after: \"USER_CURSOR\", first: 2) { edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage startCursor } }",
    "chatUsers(before: \"USER_CURSOR\", last: 2) { edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage } }",
    "chatUsers(after: \"USER_CURSOR\", before: \"USER_CURSOR\") { nodes { name } pageInfo { hasNextPage hasPreviousPage } }",
    "chatUsers(after: \"USER_CURSOR\", offset: 3, first: 2, agentId: \"OWN\") { nodes { name } pageInfo { hasNextPage hasPreviousPage } }",
    "chatUsers(after: \"CREATED_CURSOR\", orderBy: { field: CREATED_AT }, offset: 1) { nodes { name } pageInfo { hasNextPage hasPreviousPage } }",
    "chatUsers(orderBy: { field: LAST_INTERACTION_AT }, last: 4, offset: 2) { nodes { name } pageInfo { hasNextPage hasPreviousPage } }",
    "sessions { totalCount nodes { externalId subject chatUser { name } agent { name } } pageInfo { hasNextPage } }",
    "sessions(agentId: \"AGENT\") { totalCount nodes { externalId } }",
    "sessions(where: { or: [{ id: { eq: \"SESSION\" } }, { chatUserId: { eq: \"USER\" } }, { externalId: { contains: \"WORD\" } }] }) { totalCount nodes { externalId } }",
    "sessions(after: \"SESSION_CURSOR\", first: 2) { nodes { externalId } pageInfo { hasNextPage hasPreviousPage } }",
    "sessions(first: 1) { nodes { messages(after: \"MESSAGE_CURSOR\", where: { or: [{ id: { notIn: [\"MESSAGE\"] } }, { text: { contains: \"WORD\" } }] }) { totalCount nodes { text } pageInfo { hasPreviousPage } } } }",
    "auditLog(first: 5) { totalCount nodes { id action actor requestId changes { field before after } agent { name } chatUser { name } } pageInfo { hasNextPage } }",
    "auditLog(agentId: \"AGENT\") { totalCount nodes { id } }",
    "auditLog(where: { id: { in: [\"AUDIT\"] } }) { totalCount nodes { id } }",
    "deletion(id: \"DELETION\") { id chatUserId rows { table rows } }",
    "erasureCheck(id: \"USER\") { total rows { table rows } }",
    "mergePreview(into: \"USER\", from: \"USER\") { into { name } result { name } conflicts { from } userErrors { code message field } }",
    "mergePreview(into: \"OWN_USER\", from: \"USER\") { from { name } result { name } userErrors { code message field } }",
];

/// Changes of what is somebody else's: what is refused is refused in the same words as of what is not there.
const CHANGES: &[&str] = &[
    "updateChatUser(input: { id: \"USER\", name: \"x\" }) { chatUser { name } userErrors { code message field } }",
    "updateChatUser(input: { id: \"USER\", name: \"x\", ifVersion: 99 }) { chatUser { name } userErrors { code message field } }",
    "updateChatUsers(input: { allOrNothing: true, changes: [{ id: \"OWN_USER\", name: \"x\" }, { id: \"USER\", name: \"y\" }] }) { chatUsers { name } userErrors { code message field } }",
    "updateChatUserSettings(input: { id: \"USER\", settings: {} }) { chatUser { settings } userErrors { code message field } }",
    "tagChatUsers(input: { ids: [\"USER\"], tags: [\"x\"] }) { count chatUsers { tags } userErrors { code message field } }",
    "untagChatUsers(input: { agentId: \"AGENT\", where: { tags: { has: \"TAG\" } }, tags: [\"TAG\"] }) { count hasMore userErrors { code message field } }",
    "tagChatUsers(input: { agentId: \"AGENT\", where: { createdAt: { gte: \"2000-01-01T00:00:00Z\" } }, tags: [\"x\"] }) { count hasMore userErrors { code message field } }",
    "subscribeChatUser(input: { id: \"USER\", tag: \"x\" }) { chatUser { name } userErrors { code message field } }",
    "unsubscribeChatUser(input: { id: \"USER\", tag: \"TAG\" }) { chatUser { name } userErrors { code message field } }",
    "blockChatUser(input: { id: \"USER\" }) { chatUser { name } userErrors { code message field } }",
    "unblockChatUser(input: { id: \"USER\" }) { chatUser { name } userErrors { code message field } }",
    "setChatUserStopped(input: { id: \"USER\", stoppedAt: \"2026-10-01T00:00:00Z\" }) { chatUser { name } userErrors { code message field } }",
    "setChatUserStopped(input: { agentId: \"AGENT\", platform: TELEGRAM, platformId: \"PLATFORM_ID\", stoppedAt: \"2026-10-01T00:00:00Z\" }) { chatUser { name } userErrors { code message field } }",
    "mergeChatUsers(input: { into: \"OWN_USER\", from: \"USER\" }) { chatUser { name } userErrors { code message field } }",
    "mergeChatUsers(input: { into: \"USER\", from: \"OWN_USER\" }) { chatUser { name } userErrors { code message field } }",
    "deleteChatUser(input: { id: \"USER\", mode: SOFT }) { deletion { id } userErrors { code message field } }",
    "deleteChatUser(input: { id: \"USER\", mode: ERASE, ifVersion: 1 }) { deletion { id } userErrors { code message field } }",
    "deleteChatUser(input: { id: \"USER\", mode: HARD }) { deletion { id } userErrors { code message field } }",
    "restoreChatUser(input: { id: \"USER\" }) { chatUser { name } userErrors { code message field } }",
    "updateAgent(input: { id: \"AGENT\", name: \"x\" }) { agent { name } userErrors { code message field } }",
    "archiveAgent(input: { id: \"AGENT\" }) { agent { name } userErrors { code message field } }",
    "unarchiveAgent(input: { id: \"AGENT\" }) { agent { name } userErrors { code message field } }",
    "createAgent(input: { externalId: \"EXTERNAL\" }) { agent { name } userErrors { code message field } }",
    "recordMessages(input: { events: [{ agent: { id: \"AGENT\" }, user: { platform: TELEGRAM, platformId: \"PLATFORM_ID\" }, message: { externalId: \"x\", role: USER, text: \"x\", sentAt: \"2026-03-01T00:00:00Z\" } }] }) { recorded duplicates rejected rejections { index code message field } }",
    "recordMessages(input: { events: [{ agent: { externalId: \"EXTERNAL\", name: \"x\" }, user: { platform: TELEGRAM, platformId: \"PLATFORM_ID\" }, message: { externalId: \"x\", role: USER, text: \"x\", sentAt: \"2026-03-01T00:00:00Z\" } }] }) { recorded duplicates rejected rejections { index code message field } }",
];

/// A question, filled with what is somebody else's, and with what is nobody's.
fn filled(dice: &mut SeededRng, pairs: &[Pair], own: (&str, &str)) -> (String, String) {
    let is_change = dice.once_in(3);
    let from = if is_change { CHANGES } else { QUESTIONS };
    let count = dice.below(3) + 1;
    let questions: Vec<_> = (0..count)
        .map(|at| format!("q{at}: {}", dice.pick(from)))
        .collect();
    let kind = if is_change { "mutation" } else { "query" };
    let text = format!("{kind} {{ {} }}", questions.join(" "));
    let text = text.replace("FIELDS", USER);
    let (mut theirs, mut nobodys) = (String::new(), String::new());
    let mut rest = text.as_str();
    // What is to be filled in stands between quotes.
    while let Some(at) = rest.find('"') {
        let (before, quoted) = rest.split_at(at + 1);
        let (word, after) = quoted.split_once('"').unwrap();
        let same = |word: &str| (word.to_owned(), word.to_owned());
        let (one, other) = match word {
            "OWN" => same(own.0),
            "OWN_USER" => same(own.1),
            "ANY" => dice_pair(dice, &pairs[..7]),
            word => match pairs.iter().position(|pair| pair.word == word) {
                Some(at) => dice_pair(dice, &pairs[at..=at]),
                None => same(word),
            },
        };
        for (text, value) in [(&mut theirs, one), (&mut nobodys, other)] {
            text.push_str(before);
            text.push_str(&value);
            text.push('"');
        }
        rest = after;
    }
    (theirs + rest, nobodys + rest)
}

fn dice_pair(dice: &mut SeededRng, pairs: &[Pair]) -> (String, String) {
    let pair = dice.pick(pairs);
    let at = dice.below(pair.theirs.len());
    (pair.theirs[at].clone(), pair.nobodys[at].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_questions_find_nothing_of_other_agents() {
    let count = std::env::var("ACCESS_QUERIES").map_or(300, |count| count.parse().unwrap());
    everywhere(Start::Empty, async |world| {
        let own = plant(world).await;
        let pairs = pairs(world).await;
        let own_agent = ObjectKind::Agent.encode(own[0]);
        let query =
            format!("{{ chatUsers(agentId: \"{own_agent}\", first: 1) {{ nodes {{ id }} }} }}");
        let data = world.ask(&query, Value::Null).await;
        let own_user = data["chatUsers"]["nodes"][0]["id"].as_str().unwrap();
        let principals: Vec<_> = [
            (Role::Admin, 2),
            (Role::Admin, 1),
            (Role::Editor, 2),
            (Role::Support, 1),
            (Role::Viewer, 2),
            (Role::Ingest, 2),
        ]
        .into_iter()
        .map(|(role, agents)| {
            world.seen_by(Principal::with_role(
                "limited",
                role,
                Agents::only(own[..agents].iter().copied()),
            ))
        })
        .collect();
        // Ids and cursors are planted values too.
        let mut planted: Vec<_> = pairs[..7]
            .iter()
            .flat_map(|pair| pair.theirs.clone())
            .collect();
        planted.push(PLANTED.to_owned());
        let before = everything(world).await;
        let mut dice = SeededRng::new(21);
        let mut answered = 0;
        for _ in 0..count {
            let (theirs, nobodys) = filled(&mut dice, &pairs, (&own_agent, own_user));
            let seen = dice.pick(&principals);
            let answer = seen.ask_for_bytes(&theirs, Value::Null).await;
            for word in &planted {
                assert!(
                    !answer.1.contains(word),
                    "{theirs}\n{answer:?} tells {word}"
                );
            }
            let other = seen.ask_for_bytes(&nobodys, Value::Null).await;
            assert_eq!(answer, other, "{theirs}\n{nobodys}");
            answered += usize::from(answer.0 == 200);
        }
        assert!(
            answered * 4 > count,
            "only {answered} of {count} were answered"
        );
        assert_eq!(before, everything(world).await, "something was changed");
    })
    .await;
}

/// All that there is.
async fn everything(world: &World) -> Value {
    let query = format!(
        "{{ agents {{ nodes {{ id name externalId archivedAt description totalMessages }} }} chatUsers(first: 100) {{ totalCount nodes {{ version isBlocked stoppedAt {USER} }} }}
           sessions(first: 100) {{ totalCount nodes {{ id totalMessages }} }} auditLog(first: 100) {{ totalCount nodes {{ id }} }} }}"
    );
    world.ask(&query, Value::Null).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_limited_records_for_their_agents_and_makes_none() {
    everywhere(Start::Empty, async |world| {
        let own = plant(world).await;
        let limited = Agents::only([own[0]]);
        let seen = world.seen_by(Principal::with_role("limited", Role::Ingest, limited.clone()));
        let agent = ObjectKind::Agent.encode(own[0]);
        let event = |agent: &str, message: &str| {
            format!(
                "{{ agent: {{ {agent} }}, user: {{ platform: TELEGRAM, platformId: \"zq9x one-platform-1\" }},
                    message: {{ externalId: \"{message}\", role: USER, text: \"x\", sentAt: \"2026-03-01T00:00:00Z\" }} }}"
            )
        };
        let external = world.ask(&format!("{{ agent(id: \"{agent}\") {{ externalId }} }}"), Value::Null).await;
        let external = external["agent"]["externalId"].as_str().unwrap();
        let events = [
            event(&format!("id: \"{agent}\""), "by id"),
            event(&format!("externalId: \"{external}\""), "by external id"),
            event("externalId: \"agent zq9x\", name: \"taken\"", "theirs"),
            event("externalId: \"nobody's\", name: \"new\"", "nobody's"),
        ];
        let query = format!("mutation {{ recordMessages(input: {{ events: [{}] }}) {{ recorded rejected rejections {{ index code message field }} }} }}", events.join(", "));
        let data = seen.ask(&query, Value::Null).await;
        let told = |index: i32| json!({ "index": index, "code": "NOT_FOUND", "message": "agent.externalId: no agent has this id", "field": ["events", index.to_string(), "agent", "externalId"] });
        assert_eq!(data["recordMessages"]["recorded"], 2);
        assert_eq!(data["recordMessages"]["rejections"], json!([told(2), told(3)]));
        let names = world.ask("{ agents(where: { name: { in: [\"taken\", \"new\"] } }) { totalCount } }", Value::Null).await;
        assert_eq!(names["agents"]["totalCount"], 0);

        let editor = world.seen_by(Principal::with_role("limited", Role::Editor, limited));
        for external in ["agent zq9x", "brand new"] {
            let query = format!("mutation {{ createAgent(input: {{ externalId: \"{external}\" }}) {{ agent {{ id }} }} }}");
            let answer = editor.ask_with(&query, Value::Null).await.body;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
            assert!(answer["data"].is_null(), "{answer}");
        }
    })
    .await;
}

/// What is not found takes the same statements as what is not allowed: there is nothing to be told by the time it takes.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_looked_for_like_what_is_not_there() {
    everywhere(Start::Empty, async |world| {
        let own = plant(world).await;
        let pairs = pairs(world).await;
        let seen = world.seen_by(Principal::with_role(
            "limited",
            Role::Admin,
            Agents::only([own[0]]),
        ));
        let own_agent = ObjectKind::Agent.encode(own[0]);
        let query =
            format!("{{ chatUsers(agentId: \"{own_agent}\", first: 1) {{ nodes {{ id }} }} }}");
        let data = world.ask(&query, Value::Null).await;
        let own_user = data["chatUsers"]["nodes"][0]["id"].as_str().unwrap();
        let mut dice = SeededRng::new(22);
        for _ in 0..150 {
            let (theirs, nobodys) = filled(&mut dice, &pairs, (&own_agent, own_user));
            let [one, other] = [&theirs, &nobodys].map(|query| seen.ask_with(query, Value::Null));
            let (one, other) = (one.await.tally, other.await.tally);
            let texts = |tally: &parlour::db::query_stats::QueryStats| -> Vec<String> {
                tally
                    .statements()
                    .into_iter()
                    .map(|statement| statement.sql)
                    .map(|sql| {
                        sql.split_once(" FROM ")
                            .map_or(sql.clone(), |(_, from)| from.to_owned())
                    })
                    .collect()
            };
            let (mut one, mut other) = (texts(&one), texts(&other));
            // Which loads happen to come together is no matter, and with it how many columns they bring: each text counts once.
            for texts in [&mut one, &mut other] {
                texts.sort();
                texts.dedup();
            }
            assert_eq!(one, other, "{theirs}");
        }
    })
    .await;
}

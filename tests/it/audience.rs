//! The lists of the graph as tests know them: their orders, conditions on their fields, and a crowd to fill them with.

use parlour::text::fold;
use parlour::write::event::Event;
use serde_json::{Value, json};

use crate::harness::World;
use crate::oracle::{List, ObjectKind, Order, micros, name, number, time};
use crate::rng::SeededRng;

/// The external id of the agent that most things belong to.
pub(crate) const AGENT: &str = "support";
/// A user with a long history, by platform id.
const BUSY: &str = "busy";

macro_rules! order {
    ($word:literal, $key:expr) => {
        Order {
            word: $word,
            key: $key,
            naturally_descending: true,
        }
    };
}

pub(crate) const USER_ORDERS: [Order; 8] = [
    order!("LAST_MESSAGE_AT", |node| time(node, "lastMessageAt")),
    order!("LAST_INTERACTION_AT", |node| time(
        node,
        "lastInteractionAt"
    )),
    order!("CREATED_AT", |node| time(node, "createdAt")),
    BY_NAME,
    order!("TOTAL_SESSIONS", |node| number(node, "totalSessions")),
    order!("TOTAL_CHAT_MESSAGES", |node| number(
        node,
        "totalChatMessages"
    )),
    order!("TOTAL_MESSAGES_SENT", |node| number(
        node,
        "totalMessagesSent"
    )),
    // No field of the graph tells the cost: the tests put it beside the fields.
    order!("COST", |node| number(node, "cost")),
];

const BY_NAME: Order = Order {
    word: "NAME",
    key: name,
    naturally_descending: false,
};

const SESSION_ORDERS: [Order; 3] = [
    order!("STARTED_AT", |node| time(node, "startedAt")),
    order!("LAST_MESSAGE_AT", |node| time(node, "lastMessageAt")),
    order!("TOTAL_MESSAGES", |node| number(node, "totalMessages")),
];

const MESSAGE_ORDERS: [Order; 1] = [Order {
    word: "SENT_AT",
    key: |node| time(node, "sentAt"),
    naturally_descending: false,
}];

const AGENT_ORDERS: [Order; 5] = [
    order!("CREATED_AT", |node| time(node, "createdAt")),
    BY_NAME,
    order!("TOTAL_USERS", |node| number(node, "totalUsers")),
    order!("TOTAL_SESSIONS", |node| number(node, "totalSessions")),
    order!("TOTAL_MESSAGES", |node| number(node, "totalMessages")),
];

fn has(node: &Value, tag: &str) -> bool {
    node["tags"].as_array().unwrap().iter().any(|it| it == tag)
}

fn says(node: &Value, field: &str, words: &[&str]) -> bool {
    node[field]
        .as_str()
        .is_some_and(|value| words.contains(&value))
}

/// Whether a text, without case and accents, is there and does something.
fn plain(node: &Value, field: &str, does: impl Fn(&str) -> bool) -> bool {
    node[field].as_str().is_some_and(|text| does(&fold(text)))
}

/// Whether a time is there and lies right, in days of January 2026.
fn day(node: &Value, field: &str, lies: impl Fn(i64) -> bool) -> bool {
    const START: i64 = 1_767_225_600_000_000;
    const DAY: i64 = 86_400_000_000;
    micros(node, field).is_some_and(|time| lies((time - START).div_euclid(DAY) + 1))
}

pub(crate) const USERS: ObjectKind = ObjectKind {
    fields: "id platform platformId name email phoneNumber language tags createdAt lastInteractionAt lastMessageAt \
             totalSessions totalChatMessages totalMessagesSent",
    conditions: &[
        ("", |_| true),
        ("name: {}", |_| true),
        ("id: {eq: \"garbage\"}", |_| false),
        ("id: {notIn: [\"garbage\"]}", |_| true),
        ("platform: {eq: WEB}", |node| {
            says(node, "platform", &["WEB"])
        }),
        ("platform: {in: [TELEGRAM, WHATSAPP]}", |node| {
            says(node, "platform", &["TELEGRAM", "WHATSAPP"])
        }),
        ("platform: {notIn: [WEB, TELEGRAM]}", |node| {
            !says(node, "platform", &["WEB", "TELEGRAM"])
        }),
        ("platform: {in: []}", |_| false),
        ("name: {isNull: true}", |node| node["name"].is_null()),
        ("isAnonymous: {eq: false}", |node| !node["name"].is_null()),
        ("name: {eq: \"ANN LEE\"}", |node| {
            plain(node, "name", |name| name == "ann lee")
        }),
        ("name: {contains: \"Nn\"}", |node| {
            plain(node, "name", |name| name.contains("nn"))
        }),
        ("name: {startsWith: \"jose\"}", |node| {
            plain(node, "name", |name| name.starts_with("jose"))
        }),
        ("name: {notIn: [\"Bob\", \"ann lee\"]}", |node| {
            !plain(node, "name", |name| ["bob", "ann lee"].contains(&name))
        }),
        ("email: {contains: \"@EXAMPLE\"}", |node| {
            plain(node, "email", |email| email.contains("@example"))
        }),
        ("phoneNumber: {isNull: false}", |node| {
            !node["phoneNumber"].is_null()
        }),
        ("language: {notIn: [\"en\"]}", |node| {
            !says(node, "language", &["en"])
        }),
        ("language: {in: [\"en\", \"de\"]}", |node| {
            says(node, "language", &["en", "de"])
        }),
        ("tags: {has: \"vip\"}", |node| has(node, "vip")),
        ("tags: {hasAny: [\"beta\", \"new\"]}", |node| {
            has(node, "beta") || has(node, "new")
        }),
        ("tags: {hasAll: [\"vip\", \"new\"]}", |node| {
            has(node, "vip") && has(node, "new")
        }),
        ("tags: {hasAny: []}", |_| false),
        ("tags: {hasAll: []}", |_| true),
        ("lastMessageAt: {isNull: true}", |node| {
            node["lastMessageAt"].is_null()
        }),
        ("lastMessageAt: {gte: \"2026-01-04T00:00:00Z\"}", |node| {
            day(node, "lastMessageAt", |day| day >= 4)
        }),
        (
            "lastMessageAt: {lt: \"2026-01-04T01:00:00+01:00\"}",
            |node| day(node, "lastMessageAt", |day| day < 4),
        ),
        (
            "lastInteractionAt: {gte: \"2026-01-02T00:00:00Z\", lt: \"2026-01-04T00:00:00Z\"}",
            |node| day(node, "lastInteractionAt", |day| (2..4).contains(&day)),
        ),
        ("createdAt: {lt: \"2026-01-03T00:00:00Z\"}", |node| {
            day(node, "createdAt", |day| day < 3)
        }),
        ("totalSessions: {gt: 1}", |node| {
            node["totalSessions"].as_i64() > Some(1)
        }),
        ("totalChatMessages: {in: [1, 2, 3], notIn: [2]}", |node| {
            [1, 3].contains(&node["totalChatMessages"].as_i64().unwrap())
        }),
        ("totalMessagesSent: {eq: 0}", |node| {
            node["totalMessagesSent"] == 0
        }),
        ("totalMessagesSent: {gte: 1, lte: 2}", |node| {
            (1..=2).contains(&node["totalMessagesSent"].as_i64().unwrap())
        }),
    ],
};

pub(crate) const SESSIONS: ObjectKind = ObjectKind {
    fields: "id externalId platform status startedAt endedAt lastMessageAt totalMessages totalMessagesFromUser \
             subject language tags chatUser { id }",
    conditions: &[
        ("", |_| true),
        ("status: {eq: OPEN}", |node| says(node, "status", &["OPEN"])),
        ("status: {in: [OPEN, CLOSED], notIn: [OPEN]}", |node| {
            says(node, "status", &["CLOSED"])
        }),
        ("status: {in: []}", |_| false),
        ("endedAt: {isNull: false}", |node| {
            !node["endedAt"].is_null()
        }),
        ("platform: {notIn: [WEB]}", |node| {
            !says(node, "platform", &["WEB"])
        }),
        ("externalId: {startsWith: \"busy\"}", |node| {
            node["externalId"].as_str().unwrap().starts_with("busy")
        }),
        ("startedAt: {gt: \"2026-01-02T23:59:59.999999Z\"}", |node| {
            day(node, "startedAt", |day| day >= 3)
        }),
        ("lastMessageAt: {isNull: true}", |node| {
            node["lastMessageAt"].is_null()
        }),
        ("lastMessageAt: {lt: \"2026-01-03T00:00:00Z\"}", |node| {
            day(node, "lastMessageAt", |day| day < 3)
        }),
        ("totalMessages: {gte: 2}", |node| {
            node["totalMessages"].as_i64() >= Some(2)
        }),
        ("totalMessagesFromUser: {eq: 0}", |node| {
            node["totalMessagesFromUser"] == 0
        }),
        ("subject: {contains: \"Order\"}", |node| {
            node["subject"]
                .as_str()
                .is_some_and(|text| text.contains("Order"))
        }),
        ("subject: {notIn: [\"Order 1\"]}", |node| {
            !says(node, "subject", &["Order 1"])
        }),
        ("language: {eq: \"de\"}", |node| {
            says(node, "language", &["de"])
        }),
        ("tags: {has: \"new\"}", |node| has(node, "new")),
    ],
};

const MESSAGES: ObjectKind = ObjectKind {
    fields: "id externalId role text sentAt session { id }",
    conditions: &[
        ("", |_| true),
        ("role: {eq: USER}", |node| says(node, "role", &["USER"])),
        ("role: {in: [AGENT, SYSTEM]}", |node| {
            says(node, "role", &["AGENT", "SYSTEM"])
        }),
        ("role: {notIn: [SYSTEM]}", |node| {
            !says(node, "role", &["SYSTEM"])
        }),
        ("text: {contains: \"a\"}", |node| {
            node["text"].as_str().unwrap().contains('a')
        }),
        ("text: {startsWith: \"%\"}", |node| {
            node["text"].as_str().unwrap().starts_with('%')
        }),
        ("text: {eq: \"\"}", |node| node["text"] == ""),
        ("sentAt: {lte: \"2026-01-03T23:59:59.999999Z\"}", |node| {
            day(node, "sentAt", |day| day <= 3)
        }),
        ("externalId: {contains: \"7\"}", |node| {
            node["externalId"].as_str().unwrap().contains('7')
        }),
    ],
};

const AGENTS: ObjectKind = ObjectKind {
    fields: "id externalId name createdAt totalUsers totalSessions totalMessages",
    conditions: &[
        ("", |_| true),
        ("name: {isNull: true}", |node| node["name"].is_null()),
        ("name: {contains: \"AN\"}", |node| {
            plain(node, "name", |name| name.contains("an"))
        }),
        ("externalId: {startsWith: \"agent-1\"}", |node| {
            node["externalId"].as_str().unwrap().starts_with("agent-1")
        }),
        ("createdAt: {gte: \"2026-01-03T00:00:00Z\"}", |node| {
            day(node, "createdAt", |day| day >= 3)
        }),
        ("totalUsers: {gt: 1}", |node| {
            node["totalUsers"].as_i64() > Some(1)
        }),
        ("totalMessages: {notIn: [1, 2]}", |node| {
            ![1, 2].contains(&node["totalMessages"].as_i64().unwrap())
        }),
    ],
};

/// A list whose arguments follow `open`.
pub(crate) fn list(
    noun: &'static ObjectKind,
    orders: &'static [Order],
    open: impl Into<String>,
    fixed: impl Into<String>,
    close: &'static str,
) -> List {
    List {
        open: open.into(),
        fixed: fixed.into(),
        close,
        noun,
        orders: orders.iter().collect(),
    }
}

/// The users of an agent.
pub(crate) fn users_of(agent: &str) -> List {
    let fixed = format!("agentId: \"{agent}\",");
    list(&USERS, &USER_ORDERS, "chatUsers", fixed, "")
}

/// The sessions of an agent.
pub(crate) fn sessions_of(agent: &str) -> List {
    let fixed = format!("agentId: \"{agent}\",");
    list(&SESSIONS, &SESSION_ORDERS, "sessions", fixed, "")
}

/// The messages of a user.
pub(crate) fn messages_of(user: &str) -> List {
    let open = format!("chatUser(id: \"{user}\") {{ list: messages");
    list(&MESSAGES, &MESSAGE_ORDERS, open, "", " }")
}

/// Every kind of list that the graph has.
pub(crate) async fn every_list(world: &World) -> Vec<List> {
    let agent = agent(world).await;
    let user = busy(world, &agent).await;
    let query = format!(
        "{{ chatUser(id: \"{user}\") {{ sessions(first: 1, orderBy: {{field: TOTAL_MESSAGES}}) {{ nodes {{ id }} }} }} }}"
    );
    let found = world.ask(&query, Value::Null).await;
    let session = id(&found["chatUser"]["sessions"]["nodes"][0]);
    vec![
        users_of(&agent),
        list(&USERS, &USER_ORDERS[..3], "chatUsers", "", ""),
        sessions_of(&agent),
        list(&SESSIONS, &SESSION_ORDERS[..2], "sessions", "", ""),
        list(
            &SESSIONS,
            &SESSION_ORDERS,
            format!("chatUser(id: \"{user}\") {{ list: sessions"),
            "",
            " }",
        ),
        messages_of(&user),
        list(
            &MESSAGES,
            &MESSAGE_ORDERS,
            format!("session(id: \"{session}\") {{ list: messages"),
            "",
            " }",
        ),
        list(&AGENTS, &AGENT_ORDERS, "agents", "", ""),
    ]
}

/// The id of the agent that most things belong to.
pub(crate) async fn agent(world: &World) -> String {
    let query =
        format!("{{ agents(where: {{externalId: {{eq: \"{AGENT}\"}}}}) {{ nodes {{ id }} }} }}");
    id(&world.ask(&query, Value::Null).await["agents"]["nodes"][0])
}

/// The id of the user with the long history.
pub(crate) async fn busy(world: &World, agent: &str) -> String {
    let query = format!(
        "{{ chatUserByPlatformId(agentId: \"{agent}\", platform: API, platformId: \"{BUSY}\") {{ id }} }}"
    );
    id(&world.ask(&query, Value::Null).await["chatUserByPlatformId"])
}

fn id(node: &Value) -> String {
    node["id"].as_str().unwrap().to_owned()
}

/// An event from its exchange line.
pub(crate) fn event(line: Value) -> Event {
    serde_json::from_value(line).unwrap()
}

/// Users in crowds: few values that many of them share, or have not.
pub(crate) fn crowd(dice: &mut SeededRng, users: std::ops::Range<usize>) -> Vec<Event> {
    let mut events = Vec::new();
    for user in users {
        for session in 0..=dice.below(3) {
            let part = user_part(dice, user);
            let session = session_part(dice, &format!("crowd-{user}-{session}"));
            for message in 0..=dice.below(3) {
                events.push(event(json!({
                    "agent": { "external_id": AGENT },
                    "user": part,
                    "session": session,
                    "message": message_part(dice, &format!("{}-{message}", session["external_id"])),
                })));
            }
        }
    }
    events
}

/// A user with a long history, and a number of agents.
pub(crate) fn history_and_agents(dice: &mut SeededRng) -> Vec<Event> {
    let mut events = Vec::new();
    for message in 0..260 {
        let session = if message < 130 { 0 } else { dice.below(60) };
        events.push(event(json!({
            "agent": { "external_id": AGENT },
            "user": { "platform": "API", "platform_id": BUSY },
            "session": session_part(dice, &format!("busy-{session}")),
            "message": message_part(dice, &format!("busy-{message}")),
        })));
    }
    for agent in 0..40 {
        let name = dice.pick(&[None, Some("Ann"), Some("ann"), Some("Ánna"), Some("Bot")]);
        for user in 0..=dice.below(3) {
            events.push(event(json!({
                "agent": { "external_id": format!("agent-{agent}"), "name": name },
                "user": user_part(dice, user),
                "session": session_part(dice, &format!("of-{user}")),
                "message": message_part(dice, &format!("of-{user}")),
            })));
        }
    }
    events
}

fn user_part(dice: &mut SeededRng, user: usize) -> Value {
    let names = [
        None,
        None,
        Some("Ann Lee"),
        Some("ANN LEE"),
        Some("Ánn Lee"),
        Some("José"),
        Some("Bob"),
        Some("Ωμέγα"),
        Some("\u{10FFFD}"),
        Some("🦀"),
    ];
    let tags: &[&[&str]] = &[&[], &["vip"], &["vip", "new"], &["beta"], &["x", "new"]];
    let platforms = ["WEB", "TELEGRAM", "WHATSAPP", "SMS"];
    json!({
        "platform": platforms[user % platforms.len()],
        "platform_id": format!("crowd-{user}"),
        "name": dice.pick(&names),
        "email": dice.pick(&[None, Some("shared@example.com"), Some("Other@Example.org")]),
        "phone": dice.pick(&[None, Some("+1 555 0100")]),
        "language": dice.pick(&[None, Some("en"), Some("de")]),
        "tags": dice.pick(tags),
    })
}

fn session_part(dice: &mut SeededRng, external_id: &str) -> Value {
    json!({
        "external_id": external_id,
        "started_at": dice.pick(&[None, Some("2026-01-01T00:00:00Z"), Some("2026-01-03T00:00:00Z")]),
        "ended_at": dice.pick(&[None, Some("2026-01-09T00:00:00Z")]),
        "subject": dice.pick(&[None, Some("Order 1"), Some("Refund")]),
        "language": dice.pick(&[None, Some("de")]),
        "tags": dice.pick::<&[&str]>(&[&[], &["new"]]),
    })
}

fn message_part(dice: &mut SeededRng, external_id: &str) -> Value {
    let moments = ["00:00:00Z", "00:00:00.000001Z", "23:59:59.999999Z"];
    json!({
        "external_id": external_id,
        "role": dice.pick(&["user", "user", "agent", "system"]),
        "text": dice.pick(&["", "a", "%", "What is this?"]),
        "sent_at": format!("2026-01-0{}T{}", 1 + dice.below(5), dice.pick(&moments)),
        "cost_micros": dice.pick(&[None, Some(0), Some(100), Some(250)]),
    })
}

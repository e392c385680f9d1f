//! Messages that name no session: whatever comes in what order, they end up where the rule says, as told by a model that
//! knows all of it at once.

use std::collections::{BTreeMap, BTreeSet};

use parlour::db::{Transaction, TransactionError, UnitOfWork};
use parlour::id::ObjectKind;
use parlour::write::event::Event;
use parlour::write::resessionize;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audience::event;
use crate::cases;
use crate::harness::{Start, World, everywhere};
use crate::ingest::{
    Batches, arrive, batches, block, clear, counted, dump, fates, line, lines, property,
};

/// Length of a step in minutes: an agent's 30 minutes are three.
const STEP: i64 = 10;
/// When steps begin, in microseconds since 1970.
const START: i64 = 1_767_225_600_000_000;

/// Something that happened; times in steps.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fact {
    Said {
        user: usize,
        session: Option<usize>,
        role: &'static str,
        at: i64,
        id: usize,
    },
    Told {
        user: usize,
        session: usize,
        started_at: Option<i64>,
        ended_at: Option<i64>,
    },
}

impl Fact {
    fn event(&self) -> Event {
        let session = |user: &usize, session: &usize| format!("{user}-{session}");
        let agent = |user: &usize| json!({ "external_id": format!("agent-{}", user % 2) });
        let person =
            |user: &usize| json!({ "platform": "WEB", "platform_id": format!("user-{user}") });
        event(match self {
            Self::Said {
                user,
                session: of,
                role,
                at,
                id,
            } => json!({
                "agent": agent(user), "user": person(user),
                "session": of.as_ref().map(|of| json!({ "external_id": session(user, of) })),
                "message": { "external_id": format!("m{id}"), "role": role, "text": "", "sent_at": moment(*at), "cost_micros": 7 },
            }),
            Self::Told {
                user,
                session: of,
                started_at,
                ended_at,
            } => json!({
                "agent": agent(user), "user": person(user),
                "session": { "external_id": session(user, of), "started_at": started_at.map(moment), "ended_at": ended_at.map(moment) },
            }),
        })
    }
}

fn micros(step: i64) -> i64 {
    START + step * STEP * 60_000_000
}

fn moment(step: i64) -> String {
    parlour::clock::Timestamp(micros(step)).to_rfc3339()
}

/// What is to be seen: of each user's messages the session; of each session its start and its end. A session that follows
/// from the rule is called by its head.
#[derive(Debug, Default, PartialEq, Eq)]
struct Picture {
    messages: BTreeMap<(String, String), String>,
    sessions: BTreeMap<String, (i64, Option<i64>)>,
}

/// What the rule says of all these facts, which arrived in these batches, with so many steps of silence.
fn model(facts: &[Fact], arrived: &Batches, idle: i64) -> Picture {
    let mut order = BTreeMap::new();
    let messages = arrived
        .iter()
        .flatten()
        .filter_map(|event| event.message.as_ref());
    for (at, message) in messages.enumerate() {
        order.entry(&message.external_id).or_insert(at);
    }
    let mut picture = Picture::default();
    for user in 0..3 {
        let mut named: BTreeMap<String, (i64, Option<i64>)> = BTreeMap::new();
        let mut timeline: BTreeSet<(i64, usize, String, Option<String>)> = BTreeSet::new();
        for fact in facts {
            let (of, start, end) = match fact {
                Fact::Said {
                    user: of,
                    session,
                    at,
                    id,
                    ..
                } if *of == user => {
                    let session = session.map(|session| format!("{user}-{session}"));
                    let id = format!("m{id}");
                    timeline.insert((*at, 1 + order[&id], id, session.clone()));
                    (session, *at, None)
                }
                Fact::Told {
                    user: of,
                    session,
                    started_at,
                    ended_at,
                } if *of == user => {
                    let start = started_at.or(*ended_at).unwrap();
                    (Some(format!("{user}-{session}")), start, *ended_at)
                }
                _ => continue,
            };
            if let Some(of) = of {
                let session = named.entry(of).or_insert((start, None));
                *session = (session.0.min(start), session.1.max(end));
            }
        }
        timeline.extend(
            named
                .iter()
                .map(|(id, (start, _))| (*start, 0, id.clone(), Some(id.clone()))),
        );
        let mut last: Option<(i64, String)> = None;
        for (at, place, id, session) in timeline {
            let joined = last.filter(|(before, session)| {
                let is_open = named
                    .get(session)
                    .is_none_or(|(_, end)| end.is_none_or(|end| end > at));
                at - before <= idle && is_open
            });
            let session = session
                .or(joined.map(|(_, session)| session))
                .unwrap_or_else(|| {
                    let head = format!("{user}:{id}");
                    picture.sessions.insert(head.clone(), (micros(at), None));
                    head
                });
            if place > 0 {
                picture
                    .messages
                    .insert((format!("user-{user}"), id), session.clone());
            }
            last = Some((at, session));
        }
        picture.sessions.extend(
            named
                .into_iter()
                .map(|(id, (start, end))| (id, (micros(start), end.map(micros)))),
        );
    }
    picture
}

/// What is stored.
async fn stored(world: &World) -> Picture {
    let reader = &world.database.reader;
    let rows = async |sql: &str| reader.rows(reader.dialect().raw(sql, [])).await.unwrap();
    let messages = rows(
        "SELECT messages.id, messages.external_id, platform_id, sessions.external_id AS session FROM messages \
         JOIN sessions ON sessions.id = session_id JOIN chat_users ON chat_users.id = messages.chat_user_id \
         WHERE sessions.chat_user_id = messages.chat_user_id",
    )
    .await;
    let text = |row: &parlour::db::Row, column| row.try_get::<String>("", column).unwrap();
    let mut heads = BTreeMap::new();
    for row in &messages {
        let id: Uuid = row.try_get("", "id").unwrap();
        let user = text(row, "platform_id");
        let name = format!(
            "{}:{}",
            user.trim_start_matches("user-"),
            text(row, "external_id")
        );
        heads.insert(format!("parlour:{}", ObjectKind::Message.encode(id)), name);
    }
    let called = |external_id: String| heads.get(&external_id).cloned().unwrap_or(external_id);
    let mut picture = Picture::default();
    for row in &messages {
        let message = (text(row, "platform_id"), text(row, "external_id"));
        picture
            .messages
            .insert(message, called(text(row, "session")));
    }
    for row in rows("SELECT external_id, started_at, ended_at FROM sessions").await {
        let times = (
            row.try_get("", "started_at").unwrap(),
            row.try_get("", "ended_at").unwrap(),
        );
        picture
            .sessions
            .insert(called(text(&row, "external_id")), times);
    }
    picture
}

fn fact(id: usize) -> impl Strategy<Value = Fact> {
    let role = prop_oneof![Just("user"), Just("agent"), Just("system")];
    let said = (
        0..3_usize,
        prop::option::weighted(0.3, 0..3_usize),
        role,
        0..24_i64,
    )
        .prop_map(move |(user, session, role, at)| Fact::Said {
            user,
            session,
            role,
            at,
            id,
        });
    let times = (0..24_i64, prop::option::of(0..24_i64), any::<bool>());
    let told =
        (0..3_usize, 0..3_usize, times).prop_map(|(user, session, (one, other, is_start))| {
            let (started_at, ended_at) = if is_start {
                (Some(one), other)
            } else {
                (other, Some(one))
            };
            Fact::Told {
                user,
                session,
                started_at,
                ended_at,
            }
        });
    prop_oneof![4 => said, 1 => told]
}

/// Facts, some told more than once, in two orders and two ways of putting them together.
fn arrivals() -> impl Strategy<Value = (Vec<Fact>, Batches, Batches)> {
    let facts = (1..30_usize).prop_flat_map(|count| (0..count).map(fact).collect::<Vec<_>>());
    let told = facts.prop_flat_map(|facts| {
        let again = prop::collection::vec(0..facts.len(), 0..10);
        (Just(facts), again).prop_map(|(facts, again)| {
            let again: Vec<_> = again.into_iter().map(|at| facts[at].clone()).collect();
            [facts, again].concat()
        })
    });
    told.prop_flat_map(|told| {
        let events: Vec<_> = told.iter().map(Fact::event).collect();
        let one = batches(Just(events.clone()).prop_shuffle());
        let other = batches(Just(events).prop_shuffle());
        (Just(told), one, other)
    })
}

/// Settles everybody's timeline.
struct Everybody;

impl UnitOfWork for Everybody {
    type Output = ();

    async fn run(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        let all = transaction.dialect().raw("SELECT id FROM chat_users", []);
        for row in transaction.rows(all).await? {
            resessionize::everything(transaction, row.try_get("", "id")?).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_order_of_arrival_ends_where_the_rule_says() {
    everywhere(Start::Empty, async |world| {
        property(&arrivals(), |(facts, one, other)| {
            block(async {
                for batches in [one, other] {
                    let expected = model(facts, batches, 3);
                    clear(world).await;
                    arrive(world, batches).await;
                    prop_assert_eq!(&stored(world).await, &expected);
                    counted(world).await?;
                    let rows = dump(world).await;
                    arrive(world, batches).await;
                    prop_assert!(
                        rows == dump(world).await,
                        "a second arrival changed something"
                    );
                }
                let writer = &world.database.writer;
                writer.transaction(&Everybody).await.unwrap();
                prop_assert_eq!(stored(world).await, model(facts, other, 3));
                writer
                    .execute("UPDATE agents SET session_idle_minutes = 60")
                    .await
                    .unwrap();
                writer.transaction(&Everybody).await.unwrap();
                prop_assert_eq!(stored(world).await, model(facts, other, 6));
                counted(world).await
            })
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_from_end_to_end_to_find_a_session() {
    const RECORD: &str = "mutation ($events: [EventInput!]!) { recordMessages(input: {events: $events}) { recorded } }";
    everywhere(Start::Audience, async |world| {
        let said = |id: &str, minute: usize| {
            json!({ "agent": { "externalId": "desk" }, "user": { "platform": "WEB", "platformId": "desk-1" },
                    "message": { "externalId": id, "role": "USER", "text": "", "sentAt": format!("2025-06-01T10:{minute:02}:00Z") } })
        };
        let told = json!({ "agent": { "externalId": "desk" }, "user": { "platform": "WEB", "platformId": "desk-1" },
                           "session": { "externalId": "d-3", "endedAt": "2025-06-01T10:35:00Z" } });
        let mut open = told.clone();
        open["session"] = json!({ "externalId": "d-3", "startedAt": "2025-06-01T10:25:00Z" });
        let mut plans = Vec::new();
        for events in [json!([said("x", 40), said("y", 20)]), json!([open]), json!([told])] {
            let answer = world.ask_with(RECORD, json!({ "events": events })).await;
            assert!(answer.body["data"]["recordMessages"]["recorded"].as_i64() > Some(0), "{}", answer.body);
            plans.extend(cases::plans(world, &answer).await);
        }
        for plan in &plans {
            for table in ["messages", "sessions", "chat_users"] {
                assert!(!plan.iter().any(|line| cases::scans(plan, line, table)), "{}", plan.join("\n"));
            }
        }
        let plans = plans.concat();
        for index in ["messages_by_rule", "messages_of_chat_user", "sessions_of_chat_user", "messages_of_session"] {
            assert!(plans.iter().any(|line| line.contains(index)), "{index}: {}", plans.join("\n"));
        }
        counted(world).await.unwrap();
    })
    .await;
}

/// A message of a user, after so many steps, that names no session.
fn loose(user: &str, message: usize, at: i64) -> Value {
    let mut line = line();
    line["user"]["platform_id"] = user.into();
    line["session"].take();
    line["message"]["external_id"] = format!("{message:05}").into();
    line["message"]["sent_at"] = moment(at).into();
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_conversation_moves_as_a_whole() {
    everywhere(Start::Empty, async |world| {
        let talk = |from: usize, to: usize| -> Vec<_> {
            let at = |message: usize| i64::try_from(message).unwrap();
            (from..to)
                .map(|message| loose("ann", message, at(message)))
                .collect()
        };
        // Later than all the rest, more than a page of messages, some of them at one instant.
        let mut events = talk(100, 1_000);
        events.extend((1_000..1_400).map(|message| loose("ann", message, 1_000)));
        fates(world, &events).await;
        assert_eq!(lines(world, "sessions", "total_messages").await, ["1300"]);
        // One before moves the head.
        fates(world, &talk(99, 100)).await;
        assert_eq!(lines(world, "sessions", "total_messages").await, ["1301"]);
        let heads = lines(
            world,
            "sessions JOIN messages ON sent_at = started_at",
            "messages.external_id",
        )
        .await;
        assert_eq!(heads.len(), 1);
        assert!(heads[0].contains("00099"));
        // A session in the middle parts them.
        let mut told = line();
        told["session"] =
            json!({ "external_id": "call", "started_at": moment(500), "ended_at": moment(510) });
        told["user"]["platform_id"] = "ann".into();
        told["message"].take();
        assert_eq!(fates(world, &[told.clone()]).await, ["recorded"]);
        let mut totals = lines(world, "sessions", "total_messages").await;
        totals.sort_by_key(|total| total.parse::<i64>().unwrap());
        assert_eq!(totals, ["10", "401", "890"]);
        assert_eq!(fates(world, &[told]).await, ["duplicate"]);
        counted(world).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_closed_once_its_user_is_silent_for_longer_than_the_idle_time() {
    const SEEN: &str = "{ all: sessions { nodes { externalId status } } open: sessions(where: {status: {eq: OPEN}}) { totalCount nodes { externalId } }
        closed: sessions(where: {status: {notIn: [OPEN]}}) { totalCount nodes { externalId } } }";
    everywhere(Start::Empty, async |world| {
        let now = parlour::clock::Timestamp::now();
        let said = |session: &str, role: &str, minutes_ago: i64| {
            let mut line = line();
            line["session"]["external_id"] = session.into();
            line["message"]["external_id"] = format!("{session} {role} {minutes_ago}").into();
            line["message"]["role"] = role.into();
            line["message"]["sent_at"] =
                parlour::clock::Timestamp(now.0 - minutes_ago * 60_000_000)
                    .to_rfc3339()
                    .into();
            line
        };
        let mut ended = said("ended", "user", 1);
        ended["session"]["ended_at"] = ended["message"]["sent_at"].clone();
        let events = [
            said("lively", "user", 500),
            said("lively", "user", 28),
            said("silent", "user", 32),
            said("silent", "agent", 1),
            said("greeted", "agent", 5),
            said("left", "agent", 31),
            ended,
        ];
        assert!(
            fates(world, &events)
                .await
                .iter()
                .all(|fate| *fate == "recorded")
        );
        let statuses = async || {
            let data = world.ask(SEEN, json!({})).await;
            let names = |list: &str| -> BTreeSet<String> {
                let nodes = data[list]["nodes"].as_array().unwrap();
                nodes
                    .iter()
                    .map(|node| node["externalId"].as_str().unwrap().to_owned())
                    .collect()
            };
            for list in ["open", "closed"] {
                assert_eq!(data[list]["totalCount"], names(list).len());
                for session in data["all"]["nodes"].as_array().unwrap() {
                    let is_here = names(list).contains(session["externalId"].as_str().unwrap());
                    assert_eq!(
                        is_here,
                        session["status"] == list.to_uppercase(),
                        "{list}: {session}"
                    );
                }
            }
            names("open")
        };
        assert_eq!(
            statuses().await,
            BTreeSet::from(["greeted", "lively"].map(str::to_owned))
        );
        world
            .database
            .writer
            .execute("UPDATE agents SET session_idle_minutes = 60")
            .await
            .unwrap();
        assert_eq!(
            statuses().await,
            BTreeSet::from(["greeted", "left", "lively", "silent"].map(str::to_owned))
        );
        fates(world, &[said("lively", "user", 1)]).await;
        world
            .database
            .writer
            .execute("UPDATE agents SET session_idle_minutes = 3")
            .await
            .unwrap();
        assert_eq!(statuses().await, BTreeSet::from(["lively".to_owned()]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_to_many_new_users_makes_many_users() {
    everywhere(Start::Empty, async |world| {
        for round in 0..8 {
            let events: Vec<_> = (0..300)
                .map(|user| loose(&format!("{round}-{user}"), 1, 0))
                .collect();
            assert!(
                fates(world, &events)
                    .await
                    .iter()
                    .all(|fate| *fate == "recorded")
            );
        }
        assert_eq!(
            lines(world, "agents", "total_users, total_sessions").await,
            ["2400|2400"]
        );
        counted(world).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_says_enough_or_is_rejected() {
    everywhere(Start::Empty, async |world| {
        let with = |session: Value, has_message: bool| {
            let mut line = line();
            line["session"] = session;
            if !has_message {
                line["message"].take();
            }
            line
        };
        let events = [
            with(Value::Null, true),
            with(json!({}), true),
            with(json!({ "subject": "Order" }), true),
            with(json!({ "external_id": "parlour:mine" }), true),
            with(Value::Null, false),
            with(json!({ "external_id": "s" }), false),
            with(json!({ "external_id": "s", "subject": "Order" }), false),
            with(json!({ "external_id": "s", "ended_at": moment(5) }), false),
            with(json!({ "external_id": "s", "ended_at": moment(5), "subject": "Order" }), false),
            with(json!({ "external_id": "s", "started_at": moment(4) }), false),
            with(json!({ "external_id": "s", "started_at": moment(4), "ended_at": moment(3) }), false),
        ];
        let expected = [
            "recorded", "duplicate", "session.external_id", "session.external_id", "message", "session.started_at",
            "session.started_at", "recorded", "recorded", "recorded", "duplicate",
        ];
        assert_eq!(fates(world, &events).await, expected);
        let query = "{ sessions { nodes { startedAt endedAt subject totalMessages } } }";
        let data = world.ask(query, Value::Null).await;
        let named = json!({ "startedAt": moment(4), "endedAt": moment(5), "subject": "Order", "totalMessages": 0 });
        assert!(data["sessions"]["nodes"].as_array().unwrap().contains(&named), "{data:#}");
        counted(world).await.unwrap();
    })
    .await;
}

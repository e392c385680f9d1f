//! The write path: any order of arrival ends in the same rows, whose figures equal a recount; nothing counts twice; nobody's
//! mistake stops others; writers at the same time lose nothing.

use std::borrow::Cow;
use std::collections::HashSet;

use futures_util::future::join_all;
use parlour::db::Writer;
use parlour::entity;
use parlour::write::event::Event;
use parlour::write::verify::{repair, verify};
use parlour::write::{EventOutcome, Outcome, apply};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sea_orm::{EntityTrait, IdenStatic, Iterable};
use serde_json::{Value, json};

use crate::audience::event;
use crate::harness::{Kind, Start, World, audience, everywhere};
use crate::rng::SeededRng;

/// How many sets of events each property is tried with, on each database.
const SETS: u32 = 40;

/// What is the same of every row, in whatever order its events came. Ids hang on the event that came first: left out.
const KEPT: [(&str, &str); 4] = [
    (
        "agents",
        "external_id, created_at, total_users, total_sessions, total_messages, total_cost_micros",
    ),
    (
        "chat_users JOIN agents ON agents.id = agent_id",
        "external_id, platform, platform_id, chat_users.created_at, last_interaction_at, last_message_at, \
         chat_users.total_sessions, total_chat_messages, total_messages_sent, chat_users.total_cost_micros",
    ),
    (
        "sessions JOIN chat_users ON chat_users.id = chat_user_id",
        "external_id, platform_id, sessions.platform, started_at, sessions.last_message_at, total_messages, \
         total_messages_from_user, sessions.total_cost_micros",
    ),
    (
        "messages JOIN sessions ON sessions.id = session_id",
        "messages.external_id, sessions.external_id, role, text, sent_at, cost_micros",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn any_order_of_arrival_ends_in_the_same_figures() {
    everywhere(Start::Empty, async |world| {
        property(&arrivals(), |(one, other)| {
            block(async {
                clear(world).await;
                let recorded = arrive(world, one).await;
                let distinct: HashSet<_> = one.iter().flatten().map(message).collect();
                prop_assert_eq!(recorded, distinct.len(), "messages recorded");
                counted(world).await?;
                let first = kept(world).await;
                let stored = dump(world).await;

                prop_assert_eq!(arrive(world, one).await, 0, "recorded a second time");
                prop_assert!(
                    stored == dump(world).await,
                    "a second arrival changed something"
                );

                clear(world).await;
                arrive(world, other).await;
                counted(world).await?;
                prop_assert_eq!(first, kept(world).await);
                Ok(())
            })
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_equal_a_recount_when_events_contradict_each_other() {
    everywhere(Start::Empty, async |world| {
        property(&contradictions(), |batches| {
            block(async {
                clear(world).await;
                arrive(world, batches).await;
                counted(world).await?;
                let strangers = "messages JOIN sessions ON sessions.id = session_id \
                                 WHERE messages.chat_user_id <> sessions.chat_user_id";
                prop_assert_eq!(
                    lines(world, strangers, "messages.external_id").await,
                    [""; 0]
                );
                Ok(())
            })
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fixture_is_counted_and_changes_nothing_when_it_comes_again() {
    everywhere(Start::Audience, async |world| {
        counted(world).await.unwrap();
        let stored = dump(world).await;
        let again = apply(&world.database.writer, &audience()).await.unwrap();
        assert!(
            again
                .outcomes
                .iter()
                .all(|fate| *fate == EventOutcome::Duplicate)
        );
        assert_eq!((again.agents, again.users, again.sessions), (0, 0, 0));
        assert_eq!(stored, dump(world).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_another_user_is_rejected_by_itself() {
    everywhere(Start::Empty, async |world| {
        let of = |user: &str, session: &str, message: &str| {
            let mut line = line();
            line["user"]["platform_id"] = user.into();
            line["session"]["external_id"] = session.into();
            line["message"]["external_id"] = message.into();
            line
        };
        // Within a batch the first who names a session has it.
        let events = [
            of("ann", "s", "1"),
            of("bob", "s", "2"),
            of("bob", "t", "3"),
            of("ann", "s", "4"),
        ];
        assert_eq!(
            fates(world, &events).await,
            ["recorded", "session.external_id", "recorded", "recorded"]
        );
        // Later batches find it taken, by someone known or new.
        let events = [
            of("bob", "s", "5"),
            of("eve", "s", "6"),
            of("bob", "t", "7"),
        ];
        assert_eq!(
            fates(world, &events).await,
            ["session.external_id", "session.external_id", "recorded"]
        );
        // The same session id at another agent is another session.
        let mut elsewhere = of("eve", "s", "8");
        elsewhere["agent"]["external_id"] = "elsewhere".into();
        assert_eq!(fates(world, &[elsewhere]).await, ["recorded"]);

        let users = lines(
            world,
            "chat_users",
            "platform_id, total_sessions, total_chat_messages",
        )
        .await;
        assert_eq!(
            users,
            ["ann|1|2", "bob|1|2", "eve|1|1"].map(|line| shown(world, line))
        );
        counted(world).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_stored_is_rejected_by_the_key_at_fault() {
    let long = |count: usize| Value::from("🦀".repeat(count));
    let wrong = [
        ("agent.external_id", json!("")),
        ("agent.external_id", json!("a\0")),
        ("agent.external_id", long(256)),
        ("agent.name", json!("\0")),
        ("agent.name", long(2001)),
        ("agent.description", json!("a\0b")),
        ("user.platform_id", json!("")),
        ("user.platform_id", long(256)),
        ("user.name", json!("Ann\0")),
        ("user.email", json!("\0")),
        ("user.phone", json!("\0")),
        ("user.profile_picture_url", long(2001)),
        ("user.language", json!("\0")),
        ("user.tags", json!(["ok", ""])),
        ("user.tags", json!(["\0"])),
        ("user.tags", json!(vec!["tag"; 101])),
        ("session.external_id", long(256)),
        ("session.subject", json!("\0")),
        ("session.summary", json!("\0")),
        ("session.language", long(2001)),
        ("session.tags", json!([""])),
        ("message.external_id", json!("")),
        ("message.external_id", json!("\0")),
        ("message.text", json!("a\0")),
        ("message.text", json!("a".repeat((1 << 20) + 1))),
        ("message.cost_micros", json!(-1)),
        ("message.attachments", json!([{ "kind": "\0" }])),
        (
            "message.attachments",
            json!(vec![json!({ "kind": "image" }); 101]),
        ),
    ];
    let set = |key: &str, value: &Value| {
        let mut line = line();
        let (part, field) = key.split_once('.').unwrap();
        line[part][field] = value.clone();
        line
    };
    everywhere(Start::Empty, async |world| {
        let mut events: Vec<_> = wrong.iter().map(|(key, value)| set(key, value)).collect();
        events.push(line());
        let mut expected: Vec<_> = wrong.iter().map(|(key, _)| *key).collect();
        expected.push("recorded");
        assert_eq!(fates(world, &events).await, expected);
        let agents = lines(world, "agents", "external_id").await;
        assert_eq!(agents, [shown(world, "agent")], "agents of rejected events");
        counted(world).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_of_everything_is_stored() {
    let id = "🦀".repeat(255);
    let text = "🦀".repeat(2000);
    everywhere(Start::Empty, async |world| {
        let line = json!({
            "agent": { "external_id": id, "name": text, "description": text },
            "user": { "platform": "WEB", "platform_id": id, "name": text, "email": text, "phone": text,
                      "profile_picture_url": text, "language": text, "tags": vec![&id; 100] },
            "session": { "external_id": id, "subject": text, "summary": text, "language": text, "tags": [id] },
            "message": { "external_id": id, "role": "user", "text": "a".repeat(1 << 20),
                         "sent_at": "9999-12-31T23:59:59.999999Z", "cost_micros": i64::from(u32::MAX) },
        });
        assert_eq!(fates(world, &[line]).await, ["recorded"]);
        counted(world).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn profile_fields_that_are_present_overwrite_and_others_do_not_erase() {
    const FIELDS: &str = "name, name_key, email, email_key, phone_number, profile_picture_url, language, tags, settings";
    everywhere(Start::Empty, async |world| {
        let profile = |part: Value| {
            let mut line = line();
            let user = line["user"].as_object_mut().unwrap();
            user.extend(part.as_object().unwrap().clone());
            [line]
        };
        let full = profile(json!({
            "name": " Ánn Lee ", "email": "Ann@Example.com", "phone": "+1 555",
            "profile_picture_url": "https://example.com/a", "language": "en",
            "tags": ["b", "a", "b"], "settings": { "theme": "dark" },
        }));
        fates(world, &full).await;
        let stored = lines(world, "chat_users", FIELDS).await;
        let expected = concat!(
            "Ánn Lee|ann lee|Ann@Example.com|ann@example.com|+1 555|https://example.com/a|en|",
            r#"["a","b"]|{"theme":"dark"}"#
        );
        assert_eq!(stored, [shown(world, expected)]);

        for silent in [
            json!({}),
            json!({ "name": null, "email": null, "phone": null, "profile_picture_url": null,
                    "language": null, "tags": null, "settings": null }),
            json!({ "name": "", "email": " ", "phone": "\t", "profile_picture_url": "\n", "language": "\u{3000}" }),
        ] {
            fates(world, &profile(silent)).await;
            assert_eq!(stored, lines(world, "chat_users", FIELDS).await);
        }

        fates(world, &profile(json!({ "name": "Bob", "tags": [], "settings": {} }))).await;
        let expected = "Bob|bob|Ann@Example.com|ann@example.com|+1 555|https://example.com/a|en|[]|{}";
        assert_eq!(lines(world, "chat_users", FIELDS).await, [shown(world, expected)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_name_is_no_name() {
    everywhere(Start::Empty, async |world| {
        let mut line = line();
        line["user"]["name"] = " \t\u{3000}".into();
        fates(world, &[line]).await;
        let query = "{ chatUsers { nodes { name isAnonymous displayName } } }";
        let user = &world.ask(query, Value::Null).await["chatUsers"]["nodes"][0];
        assert_eq!(
            (&user["name"], &user["isAnonymous"]),
            (&Value::Null, &json!(true))
        );
        assert!(
            user["displayName"]
                .as_str()
                .unwrap()
                .starts_with("Guest User ")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_the_same_time_lose_nothing() {
    const WRITERS: usize = 8;
    everywhere(Start::Empty, async |world| {
        let mut dice = SeededRng::new(5);
        let everything: Vec<_> = (0..400).map(|at| meeting(&mut dice, at)).collect();
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let mut mine = Vec::new();
            for (at, line) in everything.iter().enumerate() {
                if at % WRITERS == writer || dice.once_in(2) {
                    mine.push(said_by(writer, line));
                }
            }
            dice.shuffle(&mut mine);
            writers.push(write(&world.database.writer, mine));
        }
        let outcomes = join_all(writers).await.concat();

        counted(world).await.unwrap();
        let fates = || outcomes.iter().flat_map(|outcome| &outcome.outcomes);
        assert!(!fates().any(|fate| matches!(fate, EventOutcome::Rejected(_))));
        let told = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
        let sessions: HashSet<_> = everything
            .iter()
            .map(|line| line["session"]["external_id"].to_string())
            .collect();
        assert_eq!(told(|it| it.agents), 1);
        assert_eq!(told(|it| it.users), 10);
        assert_eq!(told(|it| it.sessions), sessions.len() as u64);
        let recorded = fates()
            .filter(|fate| **fate == EventOutcome::Recorded)
            .count();
        assert_eq!(recorded, everything.len());
        let figures = "total_users, total_sessions, total_messages";
        let stored = lines(world, "agents", figures).await;
        assert_eq!(stored, [format!("10|{}|400", sessions.len())]);

        // Each writer knew one thing of everybody.
        let nothing_missing = async |table: &str, columns: &str| {
            let known =
                |column: &str| format!("{column} IS NOT NULL AND {column} NOT IN ('[]', '{{}}')");
            let all: Vec<_> = columns.split(' ').map(known).collect();
            let unknown = format!("{table} WHERE NOT ({})", all.join(" AND "));
            assert_eq!(lines(world, &unknown, "id").await, [""; 0], "{table}");
        };
        let profile = "name email phone_number profile_picture_url language tags settings";
        nothing_missing("chat_users", profile).await;
        nothing_missing("sessions", "subject summary language tags").await;
    })
    .await;
}

/// Applies events in batches.
async fn write(writer: &Writer, events: Vec<Event>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for batch in events.chunks(29) {
        outcomes.push(apply(writer, batch).await.unwrap());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn of_writers_who_name_a_session_at_the_same_time_one_has_it() {
    everywhere(Start::Empty, async |world| {
        for round in 0..10 {
            let claim = |user: usize| {
                let mut line = line();
                line["user"]["platform_id"] = format!("user-{user}").into();
                line["session"]["external_id"] = format!("session-{round}").into();
                line["message"]["external_id"] = round.to_string().into();
                write(&world.database.writer, vec![event(line)])
            };
            let outcomes = join_all((0..8).map(claim)).await.concat();
            let recorded = outcomes
                .iter()
                .filter(|outcome| outcome.outcomes == [EventOutcome::Recorded])
                .count();
            assert_eq!(recorded, 1);
        }
        counted(world).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_by_hand_is_found_and_mended() {
    let figures = [
        (
            "agents WHERE external_id = 'support'",
            "total_users total_sessions total_messages total_cost_micros",
        ),
        (
            "chat_users WHERE platform_id = 'telegram-03'",
            "total_sessions total_chat_messages total_messages_sent total_cost_micros \
             last_message_at last_interaction_at created_at",
        ),
        (
            "sessions WHERE external_id = 's-03'",
            "total_messages total_messages_from_user total_cost_micros last_message_at",
        ),
    ];
    everywhere(Start::Audience, async |world| {
        let (reader, writer) = (&world.database.reader, &world.database.writer);
        let stored = dump(world).await;
        let mut broken = Vec::new();
        for (row, columns) in figures {
            let (table, condition) = row.split_once(" WHERE ").unwrap();
            for column in columns.split(' ') {
                let sql = format!("UPDATE {table} SET {column} = {column} + 7 WHERE {condition}");
                writer.execute(&sql).await.unwrap();
                broken.push((table, column, 1));
            }
        }
        writer
            .execute("UPDATE chat_users SET last_message_id = NULL")
            .await
            .unwrap();
        writer
            .execute("UPDATE sessions SET platform = 'IRC' WHERE platform = 'WEB'")
            .await
            .unwrap();

        for sql in [
            "UPDATE agent_platforms SET users = users + 7 WHERE platform = 'WEB'",
            "DELETE FROM agent_platforms WHERE platform = 'TELEGRAM'",
        ] {
            writer.execute(sql).await.unwrap();
        }

        let mut found: Vec<_> = verify(reader)
            .await
            .unwrap()
            .iter()
            .map(|it| (it.table, it.column, it.rows))
            .collect();
        found.retain(|(_, column, _)| !["last_message_id", "platform"].contains(column));
        let platforms = found.pop_if(|(table, _, rows)| *table == "agent_platforms" && *rows > 1);
        assert!(platforms.is_some(), "{found:?}");
        found.sort_unstable();
        broken.sort_unstable();
        assert_eq!(found, broken);

        repair(writer).await.unwrap();
        counted(world).await.unwrap();
        assert_eq!(stored, dump(world).await);
    })
    .await;
}

/// A message whose every report says the same, but for when its session began.
#[derive(Clone, Debug)]
struct Fact {
    user: usize,
    session: usize,
    role: &'static str,
    sent_at: usize,
    cost: Option<i64>,
}

fn fact() -> impl Strategy<Value = Fact> {
    let role = prop_oneof![Just("user"), Just("agent"), Just("system")];
    (
        0..4_usize,
        0..3_usize,
        role,
        0..12_usize,
        prop::option::of(0..5_i64),
    )
        .prop_map(|(user, session, role, sent_at, cost)| Fact {
            user,
            session,
            role,
            sent_at,
            cost,
        })
}

/// The event of a message: users 0 and 2 are of one agent, 1 and 3 of another.
fn report(at: usize, fact: &Fact, started_at: Option<usize>) -> Event {
    let moment = |at: usize| format!("2026-01-01T00:00:0{}.{:06}Z", at / 2, at % 2);
    let Fact {
        user,
        session,
        role,
        sent_at,
        cost,
    } = fact;
    event(json!({
        "agent": { "external_id": format!("agent-{}", user % 2) },
        "user": { "platform": "WEB", "platform_id": format!("user-{user}") },
        "session": { "external_id": format!("{user}-{session}"), "started_at": started_at.map(moment) },
        "message": { "external_id": format!("message-{at}"), "role": role, "text": "",
                     "sent_at": moment(*sent_at), "cost_micros": cost },
    }))
}

pub(crate) type Batches = Vec<Vec<Event>>;

/// The same events, some more than once, in two orders and two ways of putting them together.
fn arrivals() -> impl Strategy<Value = (Batches, Batches)> {
    let reports = prop::collection::vec(fact(), 1..20).prop_flat_map(|facts| {
        let report = (0..facts.len(), prop::option::of(0..12_usize));
        prop::collection::vec(report, 1..50).prop_map(move |reports| {
            reports
                .iter()
                .map(|&(at, started_at)| report_of(&facts, at, started_at))
                .collect::<Vec<_>>()
        })
    });
    reports.prop_flat_map(|events| {
        let shuffled = Just(events.clone()).prop_shuffle();
        (batches(Just(events)), batches(shuffled))
    })
}

fn report_of(facts: &[Fact], at: usize, started_at: Option<usize>) -> Event {
    report(at, &facts[at], started_at)
}

/// Events that tell different things of the same messages and sessions.
fn contradictions() -> impl Strategy<Value = Batches> {
    let tale = (
        fact(),
        0..4_usize,
        0..8_usize,
        prop::option::of(0..12_usize),
    )
        .prop_map(|(fact, owner, message, started_at)| {
            let mut event = report(message, &fact, started_at);
            event.session.external_id = Some(format!("{owner}-{}", fact.session));
            event
        });
    batches(prop::collection::vec(tale, 1..50))
}

/// Events in batches of any sizes.
pub(crate) fn batches(events: impl Strategy<Value = Vec<Event>>) -> impl Strategy<Value = Batches> {
    (events, prop::collection::vec(1..20_usize, 50)).prop_map(|(mut events, sizes)| {
        let mut batches = Vec::new();
        for size in sizes {
            let rest = events.split_off(size.min(events.len()));
            batches.push(std::mem::replace(&mut events, rest));
        }
        batches.retain(|batch| !batch.is_empty());
        batches
    })
}

/// Tries a property with sets of values that are the same in every run.
pub(crate) fn property<S: Strategy>(
    strategy: &S,
    test: impl Fn(&S::Value) -> Result<(), TestCaseError>,
) {
    let config = Config {
        cases: SETS,
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, random)
        .run(strategy, |value| test(&value))
        .unwrap_or_else(|error| panic!("{error}"));
}

pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

/// Applies batches one after the other; how many messages were recorded.
pub(crate) async fn arrive(world: &World, batches: &Batches) -> usize {
    let mut recorded = 0;
    for batch in batches {
        let outcome = apply(&world.database.writer, batch).await.unwrap();
        recorded += outcome
            .outcomes
            .iter()
            .filter(|fate| **fate == EventOutcome::Recorded)
            .count();
    }
    recorded
}

/// A plain event.
pub(crate) fn line() -> Value {
    json!({
        "agent": { "external_id": "agent" },
        "user": { "platform": "WEB", "platform_id": "user" },
        "session": { "external_id": "session" },
        "message": { "external_id": "message", "role": "user", "text": "Hi", "sent_at": "2026-01-01T00:00:00Z" },
    })
}

/// Applies lines; what became of each, a rejection by its key.
pub(crate) async fn fates(world: &World, lines: &[Value]) -> Vec<Cow<'static, str>> {
    let events: Vec<_> = lines.iter().cloned().map(event).collect();
    let outcome = apply(&world.database.writer, &events).await.unwrap();
    let told = |fate| match fate {
        EventOutcome::Recorded => "recorded".into(),
        EventOutcome::Duplicate => "duplicate".into(),
        EventOutcome::Rejected(rejection) => rejection.key,
    };
    outcome.outcomes.into_iter().map(told).collect()
}

/// A message of one of ten users in one of their sessions.
fn meeting(dice: &mut SeededRng, at: usize) -> Value {
    let user = at % 10;
    json!({
        "agent": { "external_id": "agent" },
        "user": { "platform": "WEB", "platform_id": format!("user-{user}") },
        "session": { "external_id": format!("{user}-{}", dice.below(2)) },
        // Some only ever hear: their last interaction is the start of a session.
        "message": { "external_id": format!("message-{at}"), "text": "",
                     "role": if user < 5 { "agent" } else { "user" },
                     "sent_at": format!("2026-01-01T00:00:{:02}Z", dice.below(60)), "cost_micros": 1 },
    })
}

/// A meeting as told by one of eight writers, each of whom knows one thing of the user, and of the session.
fn said_by(writer: usize, line: &Value) -> Event {
    let user = [
        ("name", json!("Ann")),
        ("email", json!("ann@example.com")),
        ("phone", json!("555")),
        ("profile_picture_url", json!("https://example.com/ann.png")),
        ("language", json!("en")),
        ("tags", json!(["vip"])),
        ("settings", json!({ "theme": "dark" })),
    ];
    let session = [
        ("subject", json!("Order")),
        ("summary", json!("Done.")),
        ("language", json!("en")),
        ("tags", json!(["new"])),
    ];
    let mut line = line.clone();
    let (key, value) = &user[writer % user.len()];
    line["user"][key] = value.clone();
    let (key, value) = &session[writer % session.len()];
    line["session"][key] = value.clone();
    event(line)
}

/// The message that an event is about.
fn message(event: &Event) -> (String, String) {
    (
        event.user.platform_id.clone(),
        event.message.as_ref().unwrap().external_id.clone(),
    )
}

/// Passes when every figure equals its recount.
pub(crate) async fn counted(world: &World) -> Result<(), TestCaseError> {
    let differences = verify(&world.database.reader).await.unwrap();
    let told: Vec<_> = differences.iter().map(ToString::to_string).collect();
    prop_assert!(told.is_empty(), "on {:?}: {}", world.kind, told.join("\n"));
    Ok(())
}

pub(crate) async fn clear(world: &World) {
    for table in ["messages", "sessions", "chat_users", "agents"] {
        world
            .database
            .writer
            .execute(&format!("DELETE FROM {table}"))
            .await
            .unwrap();
    }
}

pub(crate) async fn kept(world: &World) -> Vec<Vec<String>> {
    let mut kept = Vec::new();
    for (tables, columns) in KEPT {
        kept.push(lines(world, tables, columns).await);
    }
    kept
}

/// Every byte of every table.
pub(crate) async fn dump(world: &World) -> Vec<Vec<String>> {
    fn columns<E: EntityTrait>() -> String {
        E::Column::iter()
            .map(|column| column.as_str().to_owned())
            .collect::<Vec<_>>()
            .join(", ")
    }
    vec![
        lines(world, "agents", &columns::<entity::agent::Entity>()).await,
        lines(world, "chat_users", &columns::<entity::chat_user::Entity>()).await,
        lines(world, "sessions", &columns::<entity::session::Entity>()).await,
        lines(world, "messages", &columns::<entity::message::Entity>()).await,
    ]
}

/// Rows as lines, sorted; `columns` have `, ` between them.
pub(crate) async fn lines(world: &World, tables: &str, columns: &str) -> Vec<String> {
    let reader = &world.database.reader;
    let show = reader.dialect().shown();
    let line: Vec<_> = columns
        .split(", ")
        .map(|column| format!("{show}({})", column.trim()))
        .collect();
    let sql = format!("SELECT {} AS line FROM {tables}", line.join(" || '|' || "));
    let rows = reader.rows(reader.dialect().raw(sql, [])).await.unwrap();
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| row.try_get("", "line").unwrap())
        .collect();
    lines.sort_unstable();
    lines
}

/// A line as this kind of database shows it: texts in quotes, or not.
fn shown(world: &World, line: &str) -> String {
    if world.kind == Kind::Postgres {
        return line.to_owned();
    }
    let quoted = |value: &str| {
        if value.parse::<i64>().is_ok() {
            value.to_owned()
        } else {
            format!("'{value}'")
        }
    };
    line.split('|').map(quoted).collect::<Vec<_>>().join("|")
}

//! Messages with one time keep the order in which they arrived: in lists, pages and "last" fields, whatever the sizes of batches,
//! and also when they are imported again.

use parlour::clock::Timestamp;
use parlour::write::apply_in_lanes;
use serde_json::{Value, json};

use crate::audience::event;
use crate::harness::{Start, World, everywhere};
use crate::ingest::{clear, counted, dump, fates, line, lines};

/// Messages of a conversation; as many as make orders by chance unlikely.
const COUNT: usize = 24;

/// Message by message a conversation of two sessions, with few different times. External ids are no help: they fall.
fn conversation(names_session: bool) -> Vec<Value> {
    let message = |at: usize| {
        let mut line = line();
        line["session"] = Value::Null;
        if names_session {
            line["session"] = json!({ "external_id": format!("session {}", at % 2) });
        }
        line["message"] = json!({
            "external_id": format!("m{:03}", 999 - at), "role": (["user", "agent"][at / 2 % 2]), "text": at.to_string(),
            "sent_at": format!("2026-01-01T00:00:{:02}Z", at / 8),
        });
        line
    };
    (0..COUNT).map(message).collect()
}

/// The texts of a list of messages.
fn texts(list: &Value) -> Vec<usize> {
    let nodes = list["nodes"].as_array().unwrap();
    let text = |node: &Value| node["text"].as_str().unwrap().parse().unwrap();
    nodes.iter().map(text).collect()
}

/// The texts of all messages of the one user, in pages from the start and from the end.
async fn paged(world: &World, size: usize) -> [Vec<usize>; 2] {
    let mut ways = [Vec::new(), Vec::new()];
    for (way, words) in ways.iter_mut().zip([
        ["first", "after", "hasNextPage", "endCursor"],
        ["last", "before", "hasPreviousPage", "startCursor"],
    ]) {
        let [limit, place, more, cursor] = words;
        let query = format!(
            "query ($place: String) {{ chatUsers {{ nodes {{ messages({limit}: {size}, {place}: $place) {{
               nodes {{ text }} pageInfo {{ {more} {cursor} }} }} }} }} }}"
        );
        let mut at = Value::Null;
        loop {
            let data = world.ask(&query, json!({ "place": at })).await;
            let page = &data["chatUsers"]["nodes"][0]["messages"];
            let texts = texts(page);
            match limit {
                "first" => way.extend(texts),
                _ => drop(way.splice(0..0, texts)),
            }
            if page["pageInfo"][more] == false {
                break;
            }
            at = page["pageInfo"][cursor].clone();
        }
    }
    ways
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_with_one_time_keep_their_order_whatever_the_batches() {
    const SEEN: &str = "{ chatUsers { nodes { lastReceivedMessage { text } sessions { nodes {
        externalId messages { nodes { text } } backwards: messages(orderBy: { field: SENT_AT, direction: DESC }) { nodes { text } } } } } } }";
    everywhere(Start::Empty, async |world| {
        let conversation = conversation(true);
        let mut before = None;
        for size in [1, 2, 5, COUNT] {
            clear(world).await;
            for batch in conversation.chunks(size) {
                fates(world, batch).await;
            }
            let data = world.ask(SEEN, json!({})).await;
            let user = &data["chatUsers"]["nodes"][0];
            // The last pair of messages is of the agent.
            assert_eq!(user["lastReceivedMessage"]["text"], (COUNT - 3).to_string());
            let sessions = user["sessions"]["nodes"].as_array().unwrap();
            assert_eq!(sessions.len(), 2);
            for session in sessions {
                let first = usize::from(session["externalId"] == "session 1");
                let expected: Vec<_> = (first..COUNT).step_by(2).collect();
                assert_eq!(texts(&session["messages"]), expected);
                let backwards: Vec<_> = expected.into_iter().rev().collect();
                assert_eq!(texts(&session["backwards"]), backwards);
            }
            let all: Vec<_> = (0..COUNT).collect();
            for size in [1, 3, 7] {
                assert_eq!(paged(world, size).await, [all.clone(), all.clone()]);
            }
            // The same rows, ids and all, whatever the batches; also when everything comes once more.
            let rows = dump(world).await;
            assert!(
                before
                    .replace(rows.clone())
                    .is_none_or(|before| before == rows),
                "batches of {size}"
            );
            fates(world, &conversation).await;
            assert!(dump(world).await == rows, "again, after batches of {size}");
            counted(world).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_imported_in_part_stays_first() {
    everywhere(Start::Empty, async |world| {
        let conversation = conversation(true);
        let (early, late) = conversation.split_at(4);
        fates(world, late).await;
        let again = [early, late, early]
            .concat()
            .into_iter()
            .map(event)
            .collect::<Vec<_>>();
        apply_in_lanes(&world.database.writer, &again)
            .await
            .unwrap();
        let expected: Vec<_> = (4..8).chain(0..4).chain(8..COUNT).collect();
        assert_eq!(paged(world, 5).await, [expected.clone(), expected]);
        counted(world).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_by_rule_begins_with_the_message_that_arrived_first() {
    everywhere(Start::Empty, async |world| {
        let conversation = conversation(false);
        for size in [1, 3, COUNT] {
            clear(world).await;
            for batch in conversation.chunks(size) {
                fates(world, batch).await;
            }
            assert_eq!(lines(world, "sessions", "total_messages").await, [COUNT.to_string()]);
            let data = world
                .ask("{ sessions { nodes { externalId messages(first: 1) { nodes { id text } } } } }", json!({}))
                .await;
            let session = &data["sessions"]["nodes"][0];
            let head = &session["messages"]["nodes"][0];
            assert_eq!(head["text"], "0");
            assert_eq!(session["externalId"], format!("parlour:{}", head["id"].as_str().unwrap()));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_from_before_places_were_counted_stay_before_new_ones() {
    everywhere(Start::Empty, async |world| {
        let conversation = conversation(true);
        fates(world, &conversation[..1]).await;
        // An id whose place is a hash.
        let at: Timestamp = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let old = parlour::id::derive(at, &[b"old"]);
        let literal = match world.database.reader.dialect() {
            parlour::db::dialect::Dialect::Sqlite => format!("X'{}'", old.simple()),
            parlour::db::dialect::Dialect::Postgres => format!("'{old}'"),
        };
        for change in [
            "UPDATE chat_users SET last_message_id = {}",
            "UPDATE messages SET id = {}",
        ] {
            world
                .database
                .writer
                .execute(&change.replace("{}", &literal))
                .await
                .unwrap();
        }
        fates(world, &conversation).await;
        let all: Vec<_> = (0..COUNT).collect();
        assert_eq!(paged(world, 5).await, [all.clone(), all]);
    })
    .await;
}

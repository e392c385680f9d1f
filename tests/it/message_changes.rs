//! Messages that are redacted or removed, and times that are refused.

use parlour::clock::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};
use crate::ingest::{clear, counted, dump, fates, kept, line, lines};
use crate::rng::SeededRng;

const REDACT: &str = "mutation ($id: ID!) { redactMessage(input: {id: $id}) { message { text redactedAt attachments { kind } } userErrors { code field } } }";
const REMOVE: &str = "mutation ($id: ID!) { removeMessage(input: {id: $id}) { removedMessageId chatUser { totalChatMessages } userErrors { code field } } }";

/// The id of a message by its external id.
async fn id(world: &World, external_id: &str) -> Value {
    let query = "query ($id: String) { chatUsers { nodes { messages(where: {externalId: {eq: $id}}) { nodes { id } } } } }";
    let data = world.ask(query, json!({ "id": external_id })).await;
    let users = data["chatUsers"]["nodes"].as_array().unwrap();
    let found = users
        .iter()
        .find_map(|user| user["messages"]["nodes"][0]["id"].as_str());
    found.unwrap().into()
}

fn message(user: usize, session: Option<usize>, at: i64, role: &str) -> Value {
    let mut line = line();
    line["user"]["platform_id"] = format!("user {user}").into();
    line["session"] = session.map_or(
        Value::Null,
        |session| json!({ "external_id": format!("{user}-{session}") }),
    );
    line["message"] = json!({
        "external_id": format!("{user}@{at}"), "role": role, "text": format!("said at {at}"), "cost_micros": at,
        "sent_at": Timestamp(1_767_225_600_000_000 + at * 60_000_000).to_rfc3339(),
        "attachments": [{ "kind": "image", "url": "https://example.org/said.png" }],
    });
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_message_leaves_what_there_would_be_without_it() {
    everywhere(Start::Empty, async |world| {
        for seed in 0..12 {
            let mut dice = SeededRng::new(seed);
            let mut events = Vec::new();
            for user in 0..2 {
                // The first one stays: since when a user is known does not move back.
                events.push(message(user, None, 0, "user"));
                let mut at = 0;
                for _ in 0..14 {
                    at += 1 + i64::try_from(dice.below(40)).unwrap();
                    let session = dice.once_in(2).then(|| dice.below(3));
                    events.push(message(user, session, at, ["user", "agent"][dice.below(2)]));
                }
            }
            let (mut gone, mut left) = (Vec::new(), Vec::new());
            for event in &events {
                let stays = event["message"]["external_id"]
                    .as_str()
                    .unwrap()
                    .ends_with("@0")
                    || dice.once_in(2);
                if stays { &mut left } else { &mut gone }.push(event.clone());
            }
            clear(world).await;
            fates(world, &left).await;
            let expected = kept(world).await;
            clear(world).await;
            fates(world, &events).await;
            for event in &gone {
                let id = id(world, event["message"]["external_id"].as_str().unwrap()).await;
                let removed = world.ask(REMOVE, json!({ "id": id })).await;
                assert_eq!(
                    (
                        &removed["removeMessage"]["removedMessageId"],
                        &removed["removeMessage"]["userErrors"]
                    ),
                    (&id, &json!([]))
                );
                counted(world).await.unwrap();
                let again = world.ask(REMOVE, json!({ "id": id })).await;
                assert_eq!(
                    again["removeMessage"]["userErrors"],
                    json!([{ "code": "NOT_FOUND", "field": ["id"] }])
                );
            }
            assert_eq!(kept(world).await, expected, "seed {seed}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_time_is_corrected_by_removing_and_recording_again() {
    everywhere(Start::Empty, async |world| {
        let good = message(1, Some(1), 5, "user");
        let mut ahead = good.clone();
        ahead["message"]["sent_at"] = "2091-01-01T00:00:00Z".into();
        fates(world, &[message(1, Some(0), 1, "user"), good.clone()]).await;
        let expected = kept(world).await;
        clear(world).await;
        fates(world, &[message(1, Some(0), 1, "user"), ahead]).await;
        world
            .ask(REMOVE, json!({ "id": id(world, "1@5").await }))
            .await;
        let sessions = lines(world, "sessions", "external_id").await;
        assert!(
            sessions.len() == 1 && sessions[0].contains("1-0"),
            "{sessions:?}"
        );
        assert_eq!(fates(world, &[good]).await, ["recorded"]);
        assert_eq!(kept(world).await, expected);
        counted(world).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redacted_message_keeps_its_place_and_figures_and_no_text() {
    everywhere(Start::Empty, async |world| {
        let events: Vec<_> = (0..4).map(|at| message(1, None, at, "user")).collect();
        fates(world, &events).await;
        let before = kept(world).await;
        let id = id(world, "1@2").await;
        let redacted = world.ask(REDACT, json!({ "id": id })).await["redactMessage"].take();
        assert_eq!((&redacted["message"]["text"], &redacted["message"]["attachments"]), (&json!(""), &json!([])));
        assert!(redacted["message"]["redactedAt"].is_string());
        let rows = dump(world).await;
        assert!(!rows.concat().concat().contains("said at 2"));
        // Neither the same event nor the same request brings anything back, or changes anything.
        assert_eq!(fates(world, &events[2..3]).await, ["duplicate"]);
        assert_eq!(world.ask(REDACT, json!({ "id": id })).await["redactMessage"], redacted);
        assert_eq!(dump(world).await, rows);
        let texts = |rows: Vec<Vec<String>>| rows.concat().concat().replace("said at 2", "");
        assert_eq!(texts(kept(world).await), texts(before));
        counted(world).await.unwrap();
        let log = world.ask("{ auditLog { nodes { action changes { field before } } } }", json!({})).await;
        assert_eq!(log["auditLog"]["nodes"], json!([{ "action": "MESSAGE_REDACTED", "changes": [{ "field": "message", "before": id }] }]));
        let nobody = world.ask(REDACT, json!({ "id": "message_01h455vb4pex5vsknk084sn02q" })).await;
        assert_eq!(nobody["redactMessage"]["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_at_the_ends_are_refused_or_come_back_as_they_are() {
    const RECORD: &str = "mutation ($events: [EventInput!]!) { recordMessages(input: {events: $events}) { recorded rejections { index code message field } } }";
    everywhere(Start::Empty, async |world| {
        for (at, time) in ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00.000001Z", "1969-12-31T23:59:59.999999Z"].into_iter().enumerate() {
            let mut line = line();
            line["message"]["external_id"] = at.to_string().into();
            line["message"]["sent_at"] = time.into();
            assert_eq!(fates(world, &[line]).await, ["recorded"]);
            let query = "query ($time: DateTime) { chatUsers { nodes { messages(where: {sentAt: {eq: $time}}) { nodes { sentAt } } } } }";
            let data = world.ask(query, json!({ "time": time })).await;
            assert_eq!(data["chatUsers"]["nodes"][0]["messages"]["nodes"], json!([{ "sentAt": time }]));
        }
        let refused = ["9999-12-31T23:59:59-05:00", "0000-01-01T00:00:00+00:01", "10000-01-01T00:00:00Z"];
        for time in refused {
            let event = json!({ "agent": { "externalId": "a" }, "user": { "platform": "WEB", "platformId": "u" },
                "session": { "externalId": "s", "startedAt": time } });
            let answer = world.ask_with(RECORD, json!({ "events": [event] })).await;
            assert_eq!(answer.body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{}", answer.body);
            assert!(Timestamp::parse(time).is_err());
        }
        // What a clock that runs ahead tells is refused, event by event, and by the key.
        let event = |key: &str, time: Timestamp| {
            let mut event = json!({ "agent": { "externalId": "a" }, "user": { "platform": "WEB", "platformId": "u" },
                "session": { "externalId": "s", "startedAt": "2026-01-01T00:00:00Z" },
                "message": { "externalId": key, "role": "USER", "text": "", "sentAt": "2026-01-01T00:00:00Z" } });
            *event.pointer_mut(key).unwrap_or(&mut Value::Null) = time.to_rfc3339().into();
            event["session"]["endedAt"] = Value::Null;
            if key == "/session/endedAt" {
                event["session"]["endedAt"] = time.to_rfc3339().into();
            }
            if key == "/user/stoppedAt" {
                event["user"]["stoppedAt"] = time.to_rfc3339().into();
            }
            event
        };
        let keys = ["/message/sentAt", "/session/startedAt", "/session/endedAt", "/user/stoppedAt"];
        let (soon, late) = (Timestamp(Timestamp::now().0 + 23 * 3_600_000_000), Timestamp(Timestamp::now().0 + 25 * 3_600_000_000));
        let answer = world.ask(RECORD, json!({ "events": keys.map(|key| event(key, soon)) })).await;
        assert_eq!(answer["recordMessages"]["recorded"], 4, "{answer}");
        let answer = world.ask(RECORD, json!({ "events": keys.map(|key| event(key, late)) })).await;
        let rejections = answer["recordMessages"]["rejections"].as_array().unwrap();
        assert_eq!(rejections.len(), 4, "{answer}");
        for rejection in rejections {
            let told = rejection.to_string();
            assert!(told.contains("clock-ahead-limit"), "{told}");
        }
    })
    .await;
}

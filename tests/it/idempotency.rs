//! `Idempotency-Key`: what is sent again has no second effect, and nothing of a profile is kept for it.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use futures_util::future::join_all;
use parlour::caller::{Agents, Principal, Role};
use parlour::config::{LimitSettings, Limits, ServeSettings};
use parlour::http::Server;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{Start, World, everywhere};
use crate::server_process::{ServerProcess, at};

const DAY: u64 = 24 * 60 * 60 * 1_000_000;
const RENAME: &str =
    "mutation ($id: ID!, $name: String) { updateChatUser(input: {id: $id, name: $name}) {
    chatUser { name version } userErrors { code message field } } }";
const SETTINGS: &str = "mutation ($id: ID!, $settings: JSONObject!) { updateChatUserSettings(input: {id: $id, settings: $settings}) {
    chatUser { version settings } userErrors { code } } }";

/// What came back: status, headers and body.
#[derive(Debug)]
struct Reply(StatusCode, HeaderMap, String);

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.2).unwrap()
    }

    fn is_replayed(&self) -> bool {
        self.1.contains_key("idempotent-replayed")
    }

    fn code(&self) -> Value {
        self.json()["errors"][0]["extensions"]["code"].take()
    }
}

fn server(world: &World) -> Server {
    let limits = LimitSettings::default().limits();
    Server::new(world.database.clone(), &ServeSettings::default(), limits).unwrap()
}

async fn send(server: &Server, keys: &[&str], body: &Value) -> Reply {
    let mut request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json");
    for key in keys {
        request = request.header("idempotency-key", *key);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = server.routes().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    Reply(
        head.status,
        head.headers,
        String::from_utf8(bytes.to_vec()).unwrap(),
    )
}

fn rename(user: &str, name: &str) -> Value {
    json!({ "query": RENAME, "variables": { "id": user, "name": name } })
}

async fn somebody(world: &World) -> String {
    let data = world
        .ask("{ chatUsers(first: 1) { nodes { id } } }", Value::Null)
        .await;
    data["chatUsers"]["nodes"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn version(world: &World, user: &str) -> i64 {
    let query = "query ($id: ID!) { chatUser(id: $id) { version } }";
    let data = world.ask(query, json!({ "id": user })).await;
    data["chatUser"]["version"].as_i64().unwrap()
}

async fn sql(world: &World, sql: &str) {
    world.database.writer.execute(sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_again_changes_nothing_and_shows_what_is_stored() {
    everywhere(Start::Audience, async |world| {
        let server = server(world);
        let user = somebody(world).await;
        let before = version(world, &user).await;
        let first = send(&server, &["k-1"], &rename(&user, "One")).await;
        assert_eq!(
            first.json()["data"]["updateChatUser"]["chatUser"],
            json!({ "name": "One", "version": before + 1 })
        );
        assert!(!first.is_replayed());
        // Something else happens in between, and another server answers.
        send(&server, &[], &rename(&user, "Two")).await;
        let other = self::server(world);
        let again = send(&other, &["k-1"], &rename(&user, "One")).await;
        assert_eq!(
            again.json()["data"]["updateChatUser"],
            json!({ "chatUser": { "name": "Two", "version": before + 2 }, "userErrors": [] })
        );
        assert!(again.is_replayed());
        assert_eq!(version(world, &user).await, before + 2);
        // Under another key it is another request, and so it is without one.
        send(&server, &["k-2"], &rename(&user, "Three")).await;
        send(&server, &[], &rename(&user, "Four")).await;
        assert_eq!(version(world, &user).await, before + 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_for_one_request() {
    everywhere(Start::Audience, async |world| {
        let server = server(world);
        let user = somebody(world).await;
        let before = version(world, &user).await;
        send(&server, &["k"], &rename(&user, "One")).await;
        let mut named = rename(&user, "One");
        named["query"] = json!(RENAME.replace("mutation", "mutation Named"));
        for other in [rename(&user, "Two"), named] {
            let reply = send(&server, &["k"], &other).await;
            assert_eq!(reply.0, StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(reply.code(), "CONFLICT", "{}", reply.2);
        }
        assert_eq!(version(world, &user).await, before + 1);
        // Two bodies at once: one is the first.
        let bodies: Vec<_> = (0..16)
            .map(|at| rename(&user, &format!("Name {}", at % 2)))
            .collect();
        let replies = join_all(bodies.iter().map(|body| send(&server, &["both"], body))).await;
        let made = replies
            .iter()
            .filter(|reply| reply.0 == StatusCode::OK)
            .count();
        let refused = replies
            .iter()
            .filter(|reply| reply.0 == StatusCode::UNPROCESSABLE_ENTITY)
            .count();
        assert_eq!((made, refused), (8, 8), "{replies:?}");
        assert_eq!(version(world, &user).await, before + 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_at_once_one_has_an_effect() {
    everywhere(Start::Audience, async |world| {
        // Two servers, as two copies of the program would be.
        let servers = [server(world), server(world)];
        let user = somebody(world).await;
        let before = version(world, &user).await;
        let body = json!({ "query": SETTINGS, "variables": { "id": user, "settings": { "a": 1 } } });
        let replies = join_all((0..100).map(|at| send(&servers[at % 2], &["hundred"], &body))).await;
        for reply in &replies {
            assert_eq!((reply.0, &reply.2), (StatusCode::OK, &replies[0].2));
        }
        assert_eq!(version(world, &user).await, before + 1);

        let create = "mutation { createAgent(input: {externalId: \"once\"}) { agent { id } userErrors { code } } }";
        let body = json!({ "query": create });
        let replies = join_all((0..100).map(|at| send(&servers[at % 2], &["agent"], &body))).await;
        for reply in &replies {
            assert_eq!(reply.2, replies[0].2);
            assert_eq!(reply.json()["data"]["createAgent"]["userErrors"], json!([]));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_before_a_crash_is_not_done_again() {
    everywhere(Start::Audience, async |world| {
        let user = somebody(world).await;
        let before = version(world, &user).await;
        let two = "mutation ($id: ID!) {
            a: updateChatUser(input: {id: $id, name: \"A\"}) { chatUser { version } userErrors { code } }
            create: createAgent(input: {externalId: \"crash\"}) { agent { externalId } userErrors { code } }
            b: updateChatUser(input: {id: $id, name: \"B\"}) { chatUser { version } userErrors { code } } }";
        let body = json!({ "query": two, "variables": { "id": user } });
        let first = send(&server(world), &["crash"], &body).await;
        assert_eq!(version(world, &user).await, before + 2);
        // Each transaction is known, none is run again.
        let again = send(&server(world), &["crash"], &body).await;
        assert!(again.is_replayed());
        assert_eq!(again.json()["data"]["create"], first.json()["data"]["create"]);
        assert_eq!(version(world, &user).await, before + 2);
        // As after a crash between two of them.
        sql(world, "UPDATE idempotency_keys SET outcomes = '{\"a/0\":[{\"Ok\":true}]}'").await;
        let again = send(&server(world), &["crash"], &body).await;
        assert!(!again.is_replayed());
        assert_eq!(again.json()["data"]["create"]["userErrors"][0]["code"], "CONFLICT");
        assert_eq!(version(world, &user).await, before + 2, "the name was B already");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_leaves_what_it_had_acknowledged() {
    everywhere(Start::Audience, async |world| {
        let user = somebody(world).await;
        let before = version(world, &user).await;
        let body = rename(&user, "Kept").to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: {}\r\n",
            body.len()
        );
        let first = {
            // Dropped, it is killed.
            let served = ServerProcess::start(at(world));
            served.send(&head, &body)
        };
        let served = ServerProcess::start(at(world));
        let again = served.send(&head, &body);
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        served.stop();
        assert_eq!(version(world, &user).await, before + 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_kept_for_a_day() {
    everywhere(Start::Audience, async |world| {
        let server = server(world);
        let user = somebody(world).await;
        let before = version(world, &user).await;
        for at in 0..30 {
            let unblock =
                "mutation ($id: ID!) { unblockChatUser(input: {id: $id}) { userErrors { code } } }";
            send(
                &server,
                &[&format!("old-{at}")],
                &json!({ "query": unblock, "variables": { "id": user } }),
            )
            .await;
        }
        send(&server, &["k"], &rename(&user, "One")).await;
        sql(
            world,
            &format!(
                "UPDATE idempotency_keys SET created_at = created_at - {}",
                DAY - 60_000_000
            ),
        )
        .await;
        assert!(
            send(&server, &["k"], &rename(&user, "One"))
                .await
                .is_replayed()
        );
        sql(
            world,
            "UPDATE idempotency_keys SET created_at = created_at - 60000001",
        )
        .await;
        let other = send(&server, &["k"], &rename(&user, "Two")).await;
        assert_eq!(
            other.json()["data"]["updateChatUser"]["chatUser"]["version"],
            before + 2
        );
        // What is too old goes away by and by.
        send(&server, &["new"], &rename(&user, "Three")).await;
        let dialect = world.database.reader.dialect();
        let rows = world
            .database
            .reader
            .rows(dialect.raw("SELECT idempotency_key FROM idempotency_keys", []))
            .await
            .unwrap();
        assert_eq!(rows.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_that_a_transaction_found_are_known_and_refusals_use_no_key_up() {
    everywhere(Start::Audience, async |world| {
        let server = server(world);
        let user = somebody(world).await;
        let create = json!({ "query": "mutation { createAgent(input: {externalId: \"support\"}) { agent { id } userErrors { code } } }" });
        let first = send(&server, &["user-error"], &create).await;
        assert_eq!(first.json()["data"]["createAgent"]["userErrors"][0]["code"], "CONFLICT");
        let again = send(&server, &["user-error"], &create).await;
        assert!(again.is_replayed());
        assert_eq!(again.2, first.2);
        // A list that is too long changes nothing.
        let ids: Vec<_> = (0..251).map(|_| &user).collect();
        let many = "mutation ($ids: [ID!]!) { tagChatUsers(input: {ids: $ids, tags: [\"a\"]}) { count } }";
        let reply = send(&server, &["refused"], &json!({ "query": many, "variables": { "ids": ids } })).await;
        assert_eq!(reply.code(), "BAD_USER_INPUT");
        // What was refused before anything ran has not used the key up.
        for refused in [
            json!({ "query": "mutation { nothing }" }),
            json!({ "query": "mutation {" }),
            json!({ "query": RENAME, "variables": {} }),
        ] {
            let reply = send(&server, &["refused"], &refused).await;
            assert_eq!(reply.0, StatusCode::BAD_REQUEST, "{}", reply.2);
        }
        let reply = send(&server, &["refused"], &rename(&user, "After")).await;
        assert_eq!(reply.json()["data"]["updateChatUser"]["chatUser"]["name"], "After");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_visible_and_single_and_for_mutations() {
    everywhere(Start::Audience, async |world| {
        let server = server(world);
        let user = somebody(world).await;
        let (long, longest) = ("x".repeat(256), "x".repeat(255));
        for keys in [
            vec![""],
            vec!["two words"],
            vec![&long],
            vec!["a", "b"],
            vec!["a\tb"],
        ] {
            let reply = send(&server, &keys, &rename(&user, "Name")).await;
            assert_eq!(
                (reply.0, reply.code()),
                (StatusCode::BAD_REQUEST, "BAD_USER_INPUT".into()),
                "{keys:?}"
            );
            let reply = send(&server, &keys, &json!({ "query": "{ __typename }" })).await;
            assert_eq!(reply.0, StatusCode::OK, "of a query it is not looked at");
        }
        let reply = send(&server, &[&longest], &rename(&user, "Name")).await;
        assert_eq!(reply.0, StatusCode::OK);

        let limits = Limits {
            batch: 5,
            ..LimitSettings::default().limits()
        };
        let server =
            Server::new(world.database.clone(), &ServeSettings::default(), limits).unwrap();
        let batch = json!([{ "query": "{ __typename }" }, rename(&user, "In a batch")]);
        let answers = send(&server, &["batch"], &batch).await.json();
        assert_eq!(answers[0]["data"]["__typename"], "Query");
        assert_eq!(
            answers[1]["errors"][0]["extensions"]["code"],
            "BAD_USER_INPUT"
        );
    })
    .await;
}

/// All that is stored of keys, as text.
async fn stored(world: &World) -> String {
    let reader = &world.database.reader;
    let sql = "SELECT owner, idempotency_key, request, outcomes FROM idempotency_keys";
    let rows = reader.rows(reader.dialect().raw(sql, [])).await.unwrap();
    let columns = ["owner", "idempotency_key", "request", "outcomes"];
    let text = |row: &parlour::db::Row| {
        columns
            .map(|column| row.try_get::<String>("", column).unwrap())
            .join(" ")
    };
    rows.iter().map(text).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_profile_is_kept_for_a_key() {
    everywhere(Start::Audience, async |world| {
        let server = server(world);
        let user = somebody(world).await;
        let literal = format!(
            "mutation {{ a: updateChatUser(input: {{id: \"{user}\", name: \"zqxw\", email: \"zqxw@example.org\", ifVersion: 77}}) {{
                chatUser {{ name email }} userErrors {{ code }} }}
             b: updateChatUserSettings(input: {{id: \"{user}\", settings: {{zqxw: \"zqxw\"}}}}) {{ chatUser {{ settings }} }}
             c: tagChatUsers(input: {{ids: [\"{user}\"], tags: [\"zqxw\"]}}) {{ count }}
             d: blockChatUser(input: {{id: \"{user}\", reason: \"zqxw\"}}) {{ chatUser {{ block {{ reason }} }} }}
             e: subscribeChatUser(input: {{id: \"{user}\", tag: \"zqxw\"}}) {{ chatUser {{ name }} }} }}"
        );
        for body in [rename(&user, "zqxw"), json!({ "query": literal })] {
            let key = format!("zqxw-{}", body.to_string().len());
            let first = send(&server, &[&key], &body).await;
            assert!(first.2.contains("zqxw"), "{}", first.2);
            assert!(send(&server, &[&key], &body).await.is_replayed());
        }
        let stored = stored(world).await;
        assert!(stored.lines().count() == 2 && !stored.contains("zqxw"), "{stored}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_deleted_is_not_shown_to_the_same_request() {
    const DELETE: &str = "mutation ($id: ID!, $mode: DeletionMode!) { deleteChatUser(input: {id: $id, mode: $mode}) { userErrors { code } } }";
    everywhere(Start::Audience, async |world| {
        let server = server(world);
        for (mode, place) in [("SOFT", 0), ("ERASE", 1), ("HARD", 2)] {
            let data = world.ask("query { chatUsers(first: 10, where: {email: {isNull: false}}) { nodes { id } } }", Value::Null).await;
            let user = data["chatUsers"]["nodes"][place % 2]["id"].as_str().unwrap().to_owned();
            let many = json!({
                "query": "mutation ($id: ID!) { updateChatUsers(input: {changes: [{id: $id, name: \"zqxw\"}]}) { chatUsers { name email } } }",
                "variables": { "id": user },
            });
            let merged = json!({
                "query": "mutation ($id: ID!) { tagChatUsers(input: {ids: [$id], tags: [\"zqxw\"]}) { chatUsers { name email } count } }",
                "variables": { "id": user },
            });
            let bodies = [rename(&user, "zqxw"), many, merged];
            for (at, body) in bodies.iter().enumerate() {
                let first = send(&server, &[&format!("{mode}-{at}")], body).await;
                assert!(first.2.contains("zqxw"), "{}", first.2);
            }
            world.ask(DELETE, json!({ "id": user, "mode": mode })).await;
            for (at, body) in bodies.iter().enumerate() {
                let again = send(&server, &[&format!("{mode}-{at}")], body).await;
                assert!(again.is_replayed() && !again.2.contains("zqxw"), "{mode}: {}", again.2);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_beside_a_keyed_request_leaves_nothing_of_it() {
    const ERASE: &str = "mutation ($id: ID!) { deleteChatUser(input: {id: $id, mode: ERASE}) { userErrors { code } } }";
    everywhere(Start::Audience, async |world| {
        let server = Arc::new(server(world));
        let data = world
            .ask(
                "query { chatUsers(first: 5) { nodes { id } } }",
                Value::Null,
            )
            .await;
        for user in data["chatUsers"]["nodes"].as_array().unwrap() {
            let user = user["id"].as_str().unwrap();
            let body = rename(user, "zqxw");
            let keyed = (0..8).map(async |at| {
                let key = format!("{user}-{}", at % 4);
                send(&server, &[&key], &body).await;
            });
            let erase = json!({ "query": ERASE, "variables": { "id": user } });
            tokio::join!(join_all(keyed), send(&server, &[], &erase));
            let check = world
                .ask(
                    "query ($id: ID!) { erasureCheck(id: $id) { total } }",
                    json!({ "id": user }),
                )
                .await;
            assert_eq!(check["erasureCheck"]["total"], 0);
        }
        assert!(!stored(world).await.contains("zqxw"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_not_given_again_to_who_may_see_less_since() {
    everywhere(Start::Audience, async |world| {
        let limits = LimitSettings::default().limits();
        let settings = ServeSettings::default();
        let open_to = |role| {
            let principal = Principal::with_role("somebody", role, Agents::All);
            Server::open_to(principal, world.database.clone(), &settings, limits).unwrap()
        };
        let user = somebody(world).await;
        let block =
            "mutation ($id: ID!) { blockChatUser(input: {id: $id}) { chatUser { name email } } }";
        let block = json!({ "query": block, "variables": { "id": user } });
        let first = send(&open_to(Role::Admin), &["k-1"], &block).await;
        let name = first.json()["data"]["blockChatUser"]["chatUser"]["name"].take();
        assert!(name.is_string(), "{first:?}");
        let again = send(&open_to(Role::Viewer), &["k-1"], &block).await;
        assert!(!again.2.contains(name.as_str().unwrap()), "{again:?}");
        assert_eq!(again.code(), "FORBIDDEN");
        // To the same it is.
        assert!(
            send(&open_to(Role::Admin), &["k-1"], &block)
                .await
                .is_replayed()
        );
    })
    .await;
}

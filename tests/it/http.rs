//! The steps of a request: forms, limits, cost, documents by id, batches, and what is told of it all.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use parlour::config::{LimitSettings, Limits, ServeSettings};
use parlour::http::Server;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{Start, World, everywhere};

fn limits() -> Limits {
    LimitSettings::default().limits()
}

fn server(world: &World, settings: &ServeSettings, limits: Limits) -> Server {
    Server::new(world.database.clone(), settings, limits).unwrap()
}

/// What came back: status, headers and body.
struct Reply(StatusCode, HeaderMap, Vec<u8>);

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.2).unwrap()
    }

    fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

async fn send(server: &Server, request: Request<Body>) -> Reply {
    let response = server.routes().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    Reply(head.status, head.headers, bytes.to_vec())
}

async fn get(server: &Server, path: &str) -> Reply {
    send(server, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn post(server: &Server, body: Value, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(server, request.body(Body::from(body.to_string())).unwrap()).await
}

/// A body that is written as it is.
async fn post_text(server: &Server, body: &str) -> Reply {
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json");
    send(server, request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn ask(server: &Server, query: &str) -> Reply {
    post(server, json!({ "query": query }), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_larger_than_a_limit_is_refused_by_its_name() {
    everywhere(Start::Audience, async |world| {
        let limits = Limits {
            body: 2_000,
            tokens: 200,
            depth: 4,
            fields: 30,
            root_fields: 5,
            aliases: 3,
            directives: 2,
            operations: 2,
            cost: 1_000,
            ..limits()
        };
        let server = server(world, &ServeSettings::default(), limits);
        let doubling = "{ ...a } fragment a on Query { ...b ...b } fragment b on Query { ...c ...c } \
                        fragment c on Query { ...d ...d } fragment d on Query { ...e ...e } fragment e on Query { ...f ...f } \
                        fragment f on Query { agents { totalCount } }";
        for (query, limit) in [
            ("x".repeat(3_000), "body-limit"),
            ("{".to_owned() + &"a ".repeat(300) + "}", "token-limit"),
            ("{ agents { nodes { chatUsers { nodes { id } } } } }".to_owned(), "depth-limit"),
            (doubling.to_owned(), "field-limit"),
            (
                "{ agents { totalCount } node(id: 1) { id } agent(id: 1) { id } session(id: 1) { id } \
                 chatUser(id: 1) { id } sessions { totalCount } }"
                    .to_owned(),
                "root-field-limit",
            ),
            ("{ agents { a: totalCount b: totalCount c: totalCount d: totalCount } }".to_owned(), "alias-limit"),
            ("{ agents @skip(if: false) { totalCount @skip(if: false) pageInfo @skip(if: true) { hasNextPage } } }".to_owned(), "directive-limit"),
            ("query a { __typename } query b { __typename } query c { __typename }".to_owned(), "operation-limit"),
            ("{ chatUsers(first: 100) { nodes { messages { totalCount } } } }".to_owned(), "cost-limit"),
        ] {
            let reply = ask(&server, &query).await;
            let answer = reply.json();
            assert!(reply.0.is_client_error(), "{limit}: {answer}");
            assert_eq!(answer["errors"][0]["extensions"]["limit"], limit, "{answer}");
            assert!(answer["errors"][0]["message"].as_str().unwrap().contains(limit), "{answer}");
            assert!(answer.get("data").is_none(), "{answer}");
        }
        let metrics = String::from_utf8(get(&server, "/metrics").await.2).unwrap();
        assert!(metrics.contains("parlour_refusals_total{limit=\"depth-limit\"} 1"), "{metrics}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_is_told_on_demand_and_is_what_the_pages_have_room_for() {
    everywhere(Start::Audience, async |world| {
        let server = server(world, &ServeSettings::default(), limits());
        let query = "query($n: Int = 3) { agents(first: $n) { totalCount nodes { id chatUsers(first: 2) { edges { node { id } } } } } }";
        for (variables, requested) in [(json!({}), 10 + 3 * 3), (json!({ "n": 5 }), 10 + 5 * 3)] {
            let body = json!({ "query": query, "variables": variables });
            let reply = post(&server, body, &[("x-graphql-cost", "1")]).await.json();
            let cost = &reply["extensions"]["cost"];
            assert_eq!(cost["requested"], requested, "{reply}");
            assert!(cost["actual"].as_i64().unwrap() <= requested, "{reply}");
            assert!(cost["actual"].as_i64().unwrap() > 10, "{reply}");
        }
        // What is looked into for each row has a price, wherever it is written.
        let query = "query($where: ChatUserWhere, $text: String, $search: String) { chatUsers(first: 10, search: $search, where: $where) { nodes { id } } agents(first: 1, where: { or: [{ name: { contains: $text } }, { externalId: { eq: \"a\" } }] }) { nodes { id } } }";
        for (variables, requested) in [
            (json!({ "text": "a" }), 11 + 22),
            (json!({ "text": "a", "search": "a" }), 11 + 22 + 20),
            (json!({ "text": "a", "where": { "or": vec![json!({ "name": { "contains": "a" } }); 3] } }), 11 + 22 + 60),
        ] {
            let body = json!({ "query": query, "variables": variables });
            let reply = post(&server, body, &[("x-graphql-cost", "1")]).await.json();
            let cost = &reply["extensions"]["cost"];
            assert_eq!(cost["requested"], requested, "{reply}");
            assert!(cost["actual"].as_i64().unwrap() <= requested, "{reply}");
            assert!(cost["actual"].as_i64().unwrap() >= requested - 11, "{reply}");
        }
        let many = (0..50).map(|at| format!("a{at}: chatUsers(first: 1, where: {{ or: [{}] }}) {{ nodes {{ id }} }}", "{ name: { contains: \"x\" } }, ".repeat(48))).collect::<Vec<_>>().concat();
        let reply = ask(&server, &format!("{{ {many} b: agents(first: 100) {{ nodes {{ chatUsers(first: 30) {{ nodes {{ id }} }} }} }} }}")).await;
        assert_eq!(reply.code(), "COST_LIMIT_EXCEEDED", "{}", reply.json());
        // Neither a negative size nor a huge one fools it.
        for size in ["-2147483648", "2147483647"] {
            let reply = ask(&server, &format!("{{ chatUsers(first: {size}) {{ nodes {{ sessions(first: {size}) {{ nodes {{ messages(first: {size}) {{ nodes {{ id }} }} }} }} }} }} }}")).await;
            assert!(["BAD_USER_INPUT", "COST_LIMIT_EXCEEDED"].contains(&reply.code().as_str()), "{}", reply.json());
        }
        assert!(ask(&server, "{ __typename }").await.json().get("extensions").is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_can_be_asked_for_by_its_hash() {
    everywhere(Start::Audience, async |world| {
        let server = server(world, &ServeSettings::default(), limits());
        let query = "{ agents(first: 1) { nodes { __typename } } }";
        // Written out: printf '%s' "$query" | sha256sum
        let hash = "2b96a2e0dcc0b91f4c950b680f387017d973b7c4a26581170fa48f666c51d780";
        let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
        let by_hash = json!({ "extensions": extensions });
        assert_eq!(
            post(&server, by_hash.clone(), &[]).await.code(),
            "PERSISTED_QUERY_NOT_FOUND"
        );
        let wrong = json!({ "query": "{ __typename }", "extensions": extensions });
        assert_eq!(post(&server, wrong, &[]).await.code(), "BAD_USER_INPUT");
        let both = json!({ "query": query, "extensions": extensions });
        assert_eq!(post(&server, both, &[]).await.0, StatusCode::OK);
        let reply = post(&server, by_hash, &[]).await.json();
        assert_eq!(reply["data"]["agents"]["nodes"][0]["__typename"], "Agent");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_list_of_trusted_documents_nothing_else_runs() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        r#"{"first": "{ agents(first: 1) { totalCount } }"}"#,
    )
    .unwrap();
    everywhere(Start::Audience, async |world| {
        let settings = ServeSettings {
            trusted_documents: Some(file.path().to_owned()),
            ..ServeSettings::default()
        };
        let server = server(world, &settings, limits());
        let by_id = post(&server, json!({ "documentId": "first" }), &[]).await;
        assert_eq!(by_id.0, StatusCode::OK, "{}", by_id.json());
        assert_eq!(
            post(&server, json!({ "documentId": "other" }), &[])
                .await
                .code(),
            "PERSISTED_QUERY_NOT_FOUND"
        );
        assert_eq!(ask(&server, "{ __typename }").await.code(), "FORBIDDEN");
        assert_eq!(
            ask(&server, "{ agents(first: 1) { totalCount } }").await.0,
            StatusCode::OK
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_off_and_where_they_are_on_they_cost_what_their_parts_cost() {
    everywhere(Start::Audience, async |world| {
        let page = json!({ "query": "{ agents(first: 10) { nodes { id } } }" });
        let settings = ServeSettings::default();
        let off = server(world, &settings, limits());
        assert_eq!(
            post(&off, json!([page]), &[]).await.0,
            StatusCode::BAD_REQUEST
        );
        let on = server(
            world,
            &settings,
            Limits {
                batch: 3,
                cost: 25,
                ..limits()
            },
        );
        let reply = post(&on, json!([page, page, page]), &[]).await.json();
        assert!(
            reply[0]["data"].is_object() && reply[1]["data"].is_object(),
            "{reply}"
        );
        assert_eq!(
            reply[2]["errors"][0]["extensions"]["code"], "COST_LIMIT_EXCEEDED",
            "{reply}"
        );
        assert_eq!(
            post(&on, json!([page, page, page, page]), &[]).await.0,
            StatusCode::BAD_REQUEST
        );
        assert_eq!(post(&on, json!([]), &[]).await.0, StatusCode::BAD_REQUEST);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_shows_neither_the_schema_nor_the_page() {
    everywhere(Start::Empty, async |world| {
        let settings = ServeSettings {
            production: Some(true),
            ..ServeSettings::default()
        };
        let production = server(world, &settings, limits());
        let introspection = "{ ...f } fragment f on Query { x: __schema { queryType { name } } }";
        assert_eq!(
            ask(&production, introspection).await.code(),
            "GRAPHQL_VALIDATION_FAILED"
        );
        assert_eq!(ask(&production, "{ __typename }").await.0, StatusCode::OK);
        for path in ["/", "/schema.graphql"] {
            assert_eq!(
                get(&production, path).await.0,
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
        let open = server(world, &ServeSettings::default(), limits());
        assert_eq!(ask(&open, introspection).await.0, StatusCode::OK);
        assert_eq!(get(&open, "/schema.graphql").await.0, StatusCode::OK);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_never_kept_and_long_ones_are_compressed() {
    everywhere(Start::Audience, async |world| {
        let settings = ServeSettings {
            cors_origins: Some("https://app.example".to_owned()),
            ..ServeSettings::default()
        };
        let server = server(world, &settings, limits());
        let long = json!({ "query": "{ __schema { types { name description } } }" });
        for encoding in ["br", "zstd", "gzip"] {
            let reply = post(&server, long.clone(), &[("accept-encoding", encoding)]).await;
            assert_eq!(reply.1["content-encoding"], encoding);
            assert_eq!(reply.1["cache-control"], "no-store");
        }
        let headers = [("origin", "https://app.example"), ("x-request-id", "mine")];
        let reply = post(&server, json!({ "query": "{ __typename }" }), &headers).await;
        assert_eq!(
            reply.1["access-control-allow-origin"],
            "https://app.example"
        );
        assert_eq!(reply.1["x-request-id"], "mine");
        let stranger = [("origin", "https://other.example")];
        let reply = post(&server, json!({ "query": "{ __typename }" }), &stranger).await;
        assert!(!reply.1.contains_key("access-control-allow-origin"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_that_do_not_fit_are_named() {
    everywhere(Start::Empty, async |world| {
        let server = server(world, &ServeSettings::default(), limits());
        let query = "query($where: SessionWhere, $first: Int!) { sessions(where: $where, first: $first) { totalCount } }";
        for (variables, argument) in [
            (json!({}), "$first"),
            (json!({ "first": null }), "$first"),
            (json!({ "first": 2_147_483_648_i64 }), "$first"),
            (json!({ "first": 1, "where": { "and": [{ "startedAt": { "gt": "soon" } }] } }), "$where.and.0.startedAt.gt"),
            (json!({ "first": 1, "where": { "platform": { "in": ["WEB", "PIGEON"] } } }), "$where.platform.in.1"),
            (json!({ "first": 1, "where": { "colour": 1 } }), "$where.colour"),
        ] {
            let reply = post(&server, json!({ "query": query, "variables": variables }), &[]).await;
            assert_eq!(reply.0, StatusCode::BAD_REQUEST, "{}", reply.json());
            assert_eq!(reply.code(), "BAD_USER_INPUT");
            assert_eq!(reply.json()["errors"][0]["extensions"]["argument"], argument, "{}", reply.json());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_reading_would_change_are_refused_by_their_path() {
    const SET: &str = "mutation ($id: ID!, $settings: JSONObject!) { updateChatUserSettings(input: {id: $id, settings: $settings}) { userErrors { code } } }";
    everywhere(Start::Audience, async |world| {
        let server = server(world, &ServeSettings::default(), limits());
        let user = world.ask("{ chatUsers(first: 1) { nodes { id } } }", json!({})).await;
        let id = user["chatUsers"]["nodes"][0]["id"].as_str().unwrap();
        let ask = async |settings: &str| {
            let query = serde_json::to_string(SET).unwrap();
            let body = format!(r#"{{"query":{query},"variables":{{"id":"{id}","settings":{settings}}}}}"#);
            post_text(&server, &body).await
        };
        for (settings, path) in [
            (r#"{"a":1,"a":2}"#, "variables.settings.a"),
            (r#"{"a":[{"b":{},"\u0062":2}]}"#, "variables.settings.a.0.b"),
            (r#"{"a":18446744073709551616}"#, "variables.settings.a"),
            (r#"{"a":-9223372036854775809}"#, "variables.settings.a"),
            (r#"{"a":{"b":[0,0.12345678901234567890]}}"#, "variables.settings.a.b.1"),
        ] {
            let reply = ask(settings).await;
            assert_eq!((reply.0, &*reply.code()), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"), "{}", reply.json());
            let message = reply.json()["errors"][0]["message"].as_str().unwrap().to_owned();
            assert!(message.contains(&format!("`{path}`")), "{message}");
        }
        // Literals of documents, too.
        for literal in ["{a: 18446744073709551616}", "{a: [1, {b: 0.12345678901234567890}]}", "{a: 1, a: 2}"] {
            let query = format!("mutation {{ updateChatUserSettings(input: {{id: \"{id}\", settings: {literal}}}) {{ userErrors {{ code }} }} }}");
            let reply = post(&server, json!({ "query": query }), &[]).await;
            assert_eq!(reply.0, StatusCode::BAD_REQUEST, "{}", reply.json());
            let argument = reply.json()["errors"][0]["extensions"]["argument"].clone();
            assert!(argument.as_str().unwrap().starts_with("input.settings.a"), "{argument}");
        }
        // All that 64 bits hold is kept to the last digit.
        let kept = r#"{"a":18446744073709551615,"b":-9223372036854775808,"c":0.1,"d":1.2345678901234567,"e":1e-7}"#;
        let reply = ask(kept).await;
        assert_eq!(reply.json()["data"]["updateChatUserSettings"]["userErrors"], json!([]), "{}", reply.json());
        let stored = world.ask("query ($id: ID!) { chatUser(id: $id) { settings } }", json!({ "id": id })).await;
        let expected: Value = serde_json::from_str(kept).unwrap();
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(stored["chatUser"]["settings"][key].to_string(), value.to_string());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_bring_up_those_that_are_close() {
    everywhere(Start::Empty, async |world| {
        let open = server(world, &ServeSettings::default(), limits());
        let production = ServeSettings {
            production: Some(true),
            ..ServeSettings::default()
        };
        let production = server(world, &production, limits());
        for (query, meant) in [
            ("{ chatUser { id } }", None),
            (
                "{ chatUsrs { totalCount } }",
                Some("`chatUsers` or `chatUser`"),
            ),
            ("{ agents { nodes { nme } } }", Some("`name`")),
            (
                "{ agents(frist: 1) { totalCount } }",
                Some("`first` or `last`"),
            ),
            (
                "{ chatUsers(platform: TELEGRM) { totalCount } }",
                Some("`TELEGRAM`"),
            ),
            (
                "{ chatUsers(where: { emial: null }) { totalCount } }",
                Some("`email`"),
            ),
            (
                "{ node(id: 1) { ... on ChatUsr { id } } }",
                Some("`ChatUser`"),
            ),
            (
                "query ($id: Idd!) { node(id: $id) { id } }",
                Some("`ID` or `Int`"),
            ),
            ("{ agents @skp(if: true) { totalCount } }", Some("`skip`")),
            ("{ agents @skip(iff: true) { totalCount } }", Some("`if`")),
            ("{ wholly_different }", None),
        ] {
            let told = ask(&open, query).await.json()["errors"].to_string();
            match meant {
                Some(meant) => assert!(told.contains(&format!("Did you mean {meant}?")), "{told}"),
                None => assert!(!told.contains("Did you mean `"), "{told}"),
            }
            let told = ask(&production, query).await.json()["errors"].to_string();
            assert!(!told.contains("Did you mean `"), "{told}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_taken_gets_a_turn() {
    everywhere(Start::Audience, async |world| {
        let limits = Limits {
            parallel: 1,
            ..limits()
        };
        let server = server(world, &ServeSettings::default(), limits);
        let query = "{ chatUsers { nodes { id sessions { nodes { id } } } } }";
        let replies = futures_util::future::join_all((0..20).map(|_| ask(&server, query))).await;
        assert!(replies.iter().all(|reply| reply.0 == StatusCode::OK));
    })
    .await;
}

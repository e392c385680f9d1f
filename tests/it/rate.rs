//! How much somebody may spend: what they are told, what they get back, and when they are refused. What time does is tested in
//! `src/http/rate.rs`, where time is a value; here buckets fill up so slowly again that it does nothing.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use parlour::caller::{Agents, Principal, Role};
use parlour::config::{LimitSettings, Limits, ServeSettings};
use parlour::http::Server;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{Kind, Start, World, everywhere};

const LIST: &str = "{ chatUsers(first: 50) { nodes { id } } }";

fn limits(burst: u64) -> Limits {
    Limits {
        rate: Some(1),
        rate_burst: burst,
        rate_database: 0,
        batch: 10,
        ..LimitSettings::default().limits()
    }
}

fn server(world: &World, limits: Limits) -> Server {
    let somebody = Principal::with_role("somebody", Role::Admin, Agents::All);
    let (database, settings) = (world.database.clone(), ServeSettings::default());
    Server::open_to(somebody, database, &settings, limits).unwrap()
}

struct Reply(StatusCode, HeaderMap, Value);

impl Reply {
    fn header(&self, name: &str) -> &str {
        let value = self.1.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    fn number(&self, name: &str) -> u64 {
        let text = self.header(name);
        text.parse().unwrap_or_else(|_| panic!("{name}: {text:?}"))
    }

    fn extension(&self, name: &str) -> &Value {
        &self.2["errors"][0]["extensions"][name]
    }
}

async fn send(server: &Server, body: Value, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::post("/graphql").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = server.routes().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let json = serde_json::from_slice(&bytes).unwrap();
    Reply(head.status, head.headers, json)
}

async fn ask(server: &Server, query: &str) -> Reply {
    send(server, json!({ "query": query }), &[]).await
}

async fn metrics(server: &Server) -> String {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = server.routes().oneshot(request).await.unwrap();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_too_much_is_told_when_to_come_again() {
    let world = World::new(Kind::Sqlite, Start::Audience).await;
    let server = server(&world, limits(100));
    let first = send(
        &server,
        json!({ "query": LIST }),
        &[("x-graphql-cost", "1")],
    )
    .await;
    assert_eq!(first.0, StatusCode::OK);
    let actual = first.2["extensions"]["cost"]["actual"].as_u64().unwrap();
    assert_eq!(first.2["extensions"]["cost"]["requested"], 50);
    assert!((5..50).contains(&actual), "{actual}");
    // Only what came is paid for. A second may have gone by.
    let left = first.number("ratelimit-remaining");
    assert!((100 - actual..=100 - actual + 2).contains(&left), "{left}");
    let told = &first.2["extensions"]["rateLimit"];
    assert_eq!(told["limit"], 100);
    assert!(told["remaining"].as_u64().unwrap() <= left, "{told}");
    assert!(told["resetAt"].as_str().unwrap().ends_with('Z'), "{told}");
    assert_eq!(
        first.header("ratelimit-policy"),
        "\"cost\";q=100;w=100;qu=\"cost\""
    );
    assert!(
        first.header("ratelimit").starts_with("\"cost\";r="),
        "{:?}",
        first.1
    );
    assert_eq!(first.number("ratelimit-limit"), 100);
    assert!(first.number("ratelimit-reset") <= actual);

    let mut refused = None;
    for _ in 0..100 {
        let reply = ask(&server, LIST).await;
        if reply.0 != StatusCode::OK {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.extension("code"), "RATE_LIMITED");
    assert_eq!(refused.extension("limit"), "rate-limit");
    let wait = refused.number("retry-after");
    assert!((1..=50).contains(&wait), "{wait}");
    assert_eq!(refused.extension("retryAfter"), wait);
    assert_eq!(refused.number("ratelimit-reset"), wait);
    assert!(refused.2.get("data").is_none(), "{}", refused.2);
    // Refusals cost nothing, and what is cheap still passes.
    assert_eq!(ask(&server, "{ __typename }").await.0, StatusCode::OK);
    let metrics = metrics(&server).await;
    assert!(
        metrics.contains("parlour_refusals_total{limit=\"rate-limit\"} 1"),
        "{metrics}"
    );
    assert!(!metrics.contains("somebody"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_of_the_database_is_charged_when_it_is_done() {
    everywhere(Start::Audience, async |world| {
        // So dear that a page of users takes all, which its few objects do not.
        let limits = Limits {
            rate_database: 1_000_000_000,
            ..limits(100)
        };
        let server = server(world, limits);
        let first = send(
            &server,
            json!({ "query": LIST }),
            &[("x-graphql-cost", "1")],
        )
        .await;
        assert_eq!(first.0, StatusCode::OK);
        let cost = &first.2["extensions"]["cost"];
        assert!(cost["actual"].as_u64() < Some(50), "{cost}");
        assert_eq!(first.number("ratelimit-remaining"), 0);
        let refused = ask(&server, LIST).await;
        assert_eq!(refused.extension("code"), "RATE_LIMITED");
        // A debt is a burst at most, and a request that asks the database for nothing owes nothing.
        assert!(refused.number("retry-after") <= 150, "{:?}", refused.1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_by_condition_pay_for_what_they_may_change_and_get_the_rest_back() {
    everywhere(Start::Audience, async |world| {
        let server = server(world, limits(50_000));
        let ids = world
            .ask("{ agents(first: 1) { nodes { id } } }", json!({}))
            .await;
        let agent = &ids["agents"]["nodes"][0]["id"];
        let query = "mutation($agent: ID!, $expected: Int, $dry: Boolean!) { tagChatUsers(input: { agentId: $agent, where: { totalSessions: { gte: 0 }, createdAt: { isNull: false } }, tags: [\"bulk\"], expectedCount: $expected, dryRun: $dry }) { count userErrors { code } } }";
        let ask = async |expected: Value, dry: bool| {
            let variables = json!({ "agent": agent, "expected": expected, "dry": dry });
            let body = json!({ "query": query, "variables": variables });
            let reply = send(&server, body, &[("x-graphql-cost", "1")]).await;
            let cost = &reply.2["extensions"]["cost"];
            let payload = &reply.2["data"]["tagChatUsers"];
            let number = |value: &Value| value.as_i64().unwrap_or_else(|| panic!("{}", reply.2));
            (number(&cost["requested"]), number(&cost["actual"]), number(&payload["count"]))
        };
        let (requested, actual, count) = ask(Value::Null, true).await;
        assert!(count > 0 && actual <= requested && (10..100).contains(&requested), "{requested} {actual}");
        let (requested, actual, _) = ask(json!(count + 1), false).await;
        assert!(requested < 100 && actual <= requested - count, "{requested} {actual}");
        let (requested, actual, changed) = ask(Value::Null, false).await;
        assert_eq!(changed, count);
        assert!((10_000..10_020).contains(&requested), "{requested}");
        assert!((count..count + 20).contains(&actual), "{actual}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dearer_than_anybody_may_spend_never_passes() {
    let world = World::new(Kind::Sqlite, Start::Audience).await;
    let server = server(&world, limits(40));
    let reply = ask(&server, LIST).await;
    assert_eq!(reply.extension("code"), "COST_LIMIT_EXCEEDED");
    assert_eq!(reply.extension("limit"), "rate-burst");
    assert_eq!(reply.extension("max"), 40);
    assert_eq!(reply.header("retry-after"), "");
    assert_eq!(reply.number("ratelimit-remaining"), 40);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_paid_for_one_by_one() {
    let world = World::new(Kind::Sqlite, Start::Audience).await;
    let server = server(&world, limits(3));
    let questions = vec![json!({ "query": "{ __typename }" }); 5];
    let reply = send(&server, questions.into(), &[]).await;
    let codes: Vec<_> = reply
        .2
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| {
            answer["errors"][0]["extensions"]["code"]
                .as_str()
                .unwrap_or("answered")
                .to_owned()
        })
        .collect();
    assert_eq!(codes[..3], ["answered"; 3]);
    assert_eq!(codes[4], "RATE_LIMITED");
    assert_eq!(reply.number("ratelimit-limit"), 3);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_that_is_sent_again_costs_what_its_answer_does() {
    let world = World::new(Kind::Sqlite, Start::Audience).await;
    let server = server(&world, limits(1_000));
    let ids = world
        .ask("{ chatUsers(first: 1) { nodes { id } } }", json!({}))
        .await;
    let id = &ids["chatUsers"]["nodes"][0]["id"];
    let query = "mutation($id: ID!) { tagChatUsers(input: { ids: [$id], tags: [\"x\"] }) { chatUsers { id sessions(first: 50) { nodes { id } } } } }";
    let body = json!({ "query": query, "variables": { "id": id } });
    let key = [("idempotency-key", "k")];
    let first = send(&server, body.clone(), &key).await;
    let left = first.number("ratelimit-remaining");
    let again = send(&server, body, &key).await;
    assert_eq!(again.2, first.2);
    if first.0 == StatusCode::OK && first.2.get("errors").is_none() {
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert!(again.number("ratelimit-remaining") <= left);
    } else {
        panic!("{}", first.2);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_limited_where_nobody_says_who_they_are() {
    let world = World::new(Kind::Sqlite, Start::Audience).await;
    let open = LimitSettings::default().limits();
    assert_eq!(open.rate(false), None);
    assert_eq!(open.rate(true).unwrap().per_second, 2_000);
    assert_eq!(
        Limits {
            rate: Some(0),
            ..open
        }
        .rate(true),
        None
    );
    let reply = ask(&server(&world, open), LIST).await;
    assert!(
        !reply
            .1
            .keys()
            .any(|name| name.as_str().starts_with("ratelimit"))
    );
    world.end().await;
}

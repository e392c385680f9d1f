//! Who is let in over HTTP, and what those are told who are not.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use parlour::authentication::{Authentication, Tokens};
use parlour::caller::Role;
use parlour::config::{LimitSettings, ServeSettings};
use parlour::db::{Database, DatabaseOptions};
use parlour::http::Server;
use parlour::roles::Roles;
use parlour::secret::Secret;
use serde_json::json;

use crate::harness::{Start, World, everywhere};
use crate::tokens::{Reply, guarded, make, post, send, sql};

async fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(server, request.body(Body::empty()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_let_in_is_told_the_same() {
    everywhere(Start::Empty, async |world| {
        let (_, good) = make(world, "good", Role::Viewer, None).await;
        let (_, expired) = make(world, "expired", Role::Admin, None).await;
        let (_, revoked) = make(world, "revoked", Role::Admin, None).await;
        sql(
            world,
            "UPDATE tokens SET expires_at = 1 WHERE name = 'expired'",
        )
        .await;
        sql(
            world,
            "UPDATE tokens SET revoked_at = 1 WHERE name = 'revoked'",
        )
        .await;
        let unknown = Secret::random().unwrap().reveal();
        let mistyped = good.replace(&good[20..21], if &good[20..21] == "x" { "y" } else { "x" });
        let (server, _) = guarded(world, &ServeSettings::default());
        let body = json!({ "query": "{ viewer { name } }" });

        let bearer = |text: &str| vec![format!("Bearer {text}")];
        let refused = [
            ("missing", vec![]),
            ("malformed", vec![String::new()]),
            ("malformed", bearer("")),
            ("malformed", bearer("garbage")),
            ("malformed", bearer("parlour_")),
            ("malformed", bearer(&"a".repeat(60_000))),
            ("malformed", bearer(&mistyped)),
            ("malformed", bearer(&good.to_lowercase())),
            ("malformed", bearer(&format!("{good},{good}"))),
            ("malformed", vec![good.clone()]),
            ("malformed", vec![format!("Basic {good}")]),
            (
                "malformed",
                vec![format!("Bearer {good}"), format!("Bearer {good}")],
            ),
            ("unknown", bearer(&unknown)),
            ("expired", bearer(&expired)),
            ("revoked", bearer(&revoked)),
        ];
        let mut bodies = Vec::new();
        for (cause, values) in &refused {
            let headers: Vec<_> = values
                .iter()
                .map(|it| ("authorization", it.as_str()))
                .collect();
            let reply = post(&server, &headers, &body).await;
            assert_eq!(reply.0, StatusCode::UNAUTHORIZED, "{cause}: {}", reply.2);
            let challenge = match *cause {
                "missing" => "Bearer realm=\"parlour\"",
                _ => "Bearer realm=\"parlour\", error=\"invalid_token\"",
            };
            assert_eq!(reply.1["www-authenticate"], challenge, "{cause}");
            assert_eq!(reply.1["cache-control"], "no-store");
            bodies.push(reply.2);
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        assert!(
            bodies[0].contains("\"code\":\"UNAUTHENTICATED\""),
            "{bodies:?}"
        );

        for scheme in ["Bearer", "bearer", "BEARER "] {
            let value = format!("{scheme} {good}");
            let reply = post(&server, &[("authorization", &value)], &body).await;
            assert_eq!(reply.json()["data"]["viewer"]["name"], "good");
        }
        let value = format!("Bearer {good}");
        let metrics = get(&server, "/metrics", &[("authorization", &value)])
            .await
            .2;
        for cause in ["missing", "malformed", "unknown", "expired", "revoked"] {
            let count = refused.iter().filter(|(told, _)| *told == cause).count();
            let line = format!("parlour_unauthenticated_total{{cause=\"{cause}\"}} {count}");
            assert!(metrics.contains(&line), "{line}\n{metrics}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_looked_at_before_it_is_known_who_asks() {
    everywhere(Start::Empty, async |world| {
        let (server, _) = guarded(world, &ServeSettings::default());
        let huge = "x".repeat(2 << 20);
        for (method, content_type, body) in [
            ("POST", "application/json", "{"),
            ("POST", "text/plain", ""),
            ("POST", "application/json", huge.as_str()),
            ("GET", "", ""),
            ("DELETE", "", ""),
        ] {
            let request = Request::builder()
                .method(method)
                .uri("/graphql")
                .header("content-type", content_type)
                .body(Body::from(body.to_owned()))
                .unwrap();
            assert_eq!(
                send(&server, request).await.0,
                StatusCode::UNAUTHORIZED,
                "{method}"
            );
        }
        let options = Request::options("/graphql").body(Body::empty()).unwrap();
        assert_eq!(send(&server, options).await.0, StatusCode::NO_CONTENT);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_token_and_what_does_not() {
    everywhere(Start::Empty, async |world| {
        let (_, good) = make(world, "good", Role::Ingest, None).await;
        let bearer = format!("Bearer {good}");
        let (server, _) = guarded(world, &ServeSettings::default());
        for path in [
            "/graphql?query=%7B__typename%7D",
            "/schema.graphql",
            "/metrics",
        ] {
            let reply = get(&server, path, &[]).await;
            assert_eq!(reply.0, StatusCode::UNAUTHORIZED, "{path}");
            assert!(reply.1.contains_key("www-authenticate"), "{path}");
            let reply = get(&server, path, &[("authorization", &bearer)]).await;
            assert_eq!(reply.0, StatusCode::OK, "{path}: {}", reply.2);
        }
        for path in ["/", "/health/live", "/health/ready"] {
            assert_eq!(get(&server, path, &[]).await.0, StatusCode::OK, "{path}");
        }
        let settings = ServeSettings {
            open_metrics: Some(true),
            ..ServeSettings::default()
        };
        let (server, _) = guarded(world, &settings);
        assert_eq!(get(&server, "/metrics", &[]).await.0, StatusCode::OK);
        assert_eq!(
            get(&server, "/schema.graphql", &[]).await.0,
            StatusCode::UNAUTHORIZED
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_no_bad_token() {
    everywhere(Start::Empty, async |world| {
        let (_, good) = make(world, "good", Role::Viewer, None).await;
        let options = DatabaseOptions::new(&world.url);
        let away = Database::open(&options).await.unwrap();
        away.reader.clone().close().await.unwrap();
        let tokens = Tokens::new(away.clone(), Roles::default());
        let server = Server::with(
            Authentication::Required { tokens },
            world.database.clone(),
            &ServeSettings::default(),
            LimitSettings::default().limits(),
        )
        .unwrap();
        let bearer = format!("Bearer {good}");
        let body = json!({ "query": "{ __typename }" });
        let reply = post(&server, &[("authorization", &bearer)], &body).await;
        assert_eq!(reply.0, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.2);
        assert_eq!(
            reply.json()["errors"][0]["extensions"]["code"],
            "UNAVAILABLE"
        );
        assert!(!reply.1.contains_key("www-authenticate"));
        away.writer.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_send_tokens_where_they_are_let_in() {
    everywhere(Start::Empty, async |world| {
        let settings = ServeSettings {
            cors_origins: Some("https://app.example".to_owned()),
            ..ServeSettings::default()
        };
        let (server, _) = guarded(world, &settings);
        let request = Request::options("/graphql")
            .header("origin", "https://app.example")
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
            .body(Body::empty())
            .unwrap();
        let reply = send(&server, request).await;
        let allowed = reply.1["access-control-allow-headers"].to_str().unwrap();
        assert!(allowed.contains("authorization"), "{allowed}");
        // Its script may see why it was refused.
        let reply = post(&server, &[("origin", "https://app.example")], &json!({})).await;
        assert_eq!(reply.0, StatusCode::UNAUTHORIZED);
        assert_eq!(
            reply.1["access-control-allow-origin"],
            "https://app.example"
        );
    })
    .await;
}

fn open(world: &World) -> Server {
    let limits = LimitSettings::default().limits();
    Server::new(world.database.clone(), &ServeSettings::default(), limits).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_server_answers_to_names_of_its_machine_alone() {
    everywhere(Start::Empty, async |world| {
        let server = open(world);
        for path in [
            "/",
            "/graphql?query=%7B__typename%7D",
            "/schema.graphql",
            "/metrics",
        ] {
            for (host, expected) in [
                ("127.0.0.1:4000", StatusCode::OK),
                ("localhost", StatusCode::OK),
                ("[::1]:4000", StatusCode::OK),
                ("rebound.example:4000", StatusCode::FORBIDDEN),
            ] {
                let reply = get(&server, path, &[("host", host)]).await;
                assert_eq!(reply.0, expected, "{host}{path}: {}", reply.2);
            }
        }
        let body = json!({ "query": "{ __typename }" });
        let foreign = [("origin", "https://evil.example")];
        let reply = post(&server, &foreign, &body).await;
        assert_eq!(reply.0, StatusCode::FORBIDDEN);
        assert_eq!(reply.json()["errors"][0]["extensions"]["code"], "FORBIDDEN");
        let near = [("origin", "http://localhost:5173")];
        assert_eq!(post(&server, &near, &body).await.0, StatusCode::OK);

        // Whoever has a token says so themselves: no name brings it along.
        let (_, good) = make(world, "good", Role::Viewer, None).await;
        let bearer = format!("Bearer {good}");
        let (guarded, _) = guarded(world, &ServeSettings::default());
        let headers = [
            ("authorization", bearer.as_str()),
            ("host", "api.example"),
            foreign[0],
        ];
        assert_eq!(post(&guarded, &headers, &body).await.0, StatusCode::OK);
    })
    .await;
}

//! Tokens: made, used, limited, revoked; what is kept of them and what is not.

use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use futures_util::future::join_all;
use parlour::authentication::{Authentication, Tokens};
use parlour::caller::{Agents, Caller, Permission, Permissions, Principal, Role};
use parlour::clock::Timestamp;
use parlour::config::{LimitSettings, ServeSettings};
use parlour::db::query_stats::{QUERY_STATS, QueryStats};
use parlour::http::Server;
use parlour::id::ObjectKind;
use parlour::roles::Roles;
use parlour::secret::Secret;
use parlour::write::token::{CreateToken, Draft};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use crate::cases::plans;
use crate::harness::{Answer, Kind, Start, World, everywhere};
use crate::server_process::{ServerProcess, at};

const CREATE: &str = "mutation ($input: CreateTokenInput!) { createToken(input: $input) {
    secret token { id name roles agents { id } createdBy expiresAt revokedAt } userErrors { code message field } } }";
const REVOKE: &str = "mutation ($id: ID!) { revokeToken(input: {id: $id}) {
    token { name revokedAt } userErrors { code message field } } }";

/// What came back: status, headers and body.
#[derive(Debug)]
pub(crate) struct Reply(
    pub(crate) StatusCode,
    pub(crate) HeaderMap,
    pub(crate) String,
);

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.2).unwrap_or_else(|error| panic!("{error}: {}", self.2))
    }
}

pub(crate) async fn send(server: &Server, request: Request<Body>) -> Reply {
    let response = server.routes().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Reply(head.status, head.headers, body)
}

pub(crate) async fn post(server: &Server, headers: &[(&str, &str)], body: &Value) -> Reply {
    let mut request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("x-request-id", "test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(server, request.body(Body::from(body.to_string())).unwrap()).await
}

/// Asks with a token.
async fn ask(server: &Server, secret: &str, query: &str, variables: Value) -> Reply {
    let bearer = format!("Bearer {secret}");
    let body = json!({ "query": query, "variables": variables });
    post(server, &[("authorization", &bearer)], &body).await
}

/// A server that needs tokens, and these.
pub(crate) fn guarded(world: &World, settings: &ServeSettings) -> (Server, Tokens) {
    let tokens = Tokens::new(world.database.clone(), settings.roles().unwrap());
    let limits = LimitSettings::default().limits();
    let authentication = Authentication::Required {
        tokens: tokens.clone(),
        jwt: None,
    };
    let server = Server::with(authentication, world.database.clone(), settings, limits).unwrap();
    (server, tokens)
}

/// Makes a token. Its id and its secret.
pub(crate) async fn make(
    world: &World,
    name: &str,
    role: Role,
    agents: Option<Vec<Uuid>>,
) -> (Uuid, String) {
    let secret = Secret::random().unwrap();
    let by = Caller {
        principal: Principal::program().into(),
        request_id: "test".to_owned(),
        operation: None,
    };
    let draft = Draft {
        name: name.to_owned(),
        roles: vec![role.name()],
        agents,
        expires_at: None,
    };
    let (roles, now) = (Roles::default(), Timestamp::now());
    let work = CreateToken::new(draft, secret.fingerprint(), &roles, now, &by);
    let work = work.unwrap().unwrap();
    let created = world.database.writer.transaction(&work).await.unwrap();
    (created.unwrap().id, secret.reveal())
}

pub(crate) async fn sql(world: &World, sql: &str) {
    world.database.writer.execute(sql).await.unwrap();
}

async fn agents(world: &World) -> Vec<Uuid> {
    let data = world.ask("{ agents { nodes { id } } }", Value::Null).await;
    let nodes = data["agents"]["nodes"].as_array().unwrap().clone();
    let ids = nodes.iter().map(|node| node["id"].as_str().unwrap());
    ids.map(|id| ObjectKind::Agent.decode(id).unwrap())
        .collect()
}

/// Creates over the graph, in somebody's name.
async fn create(world: &World, input: Value) -> Value {
    let mut data = world.ask(CREATE, json!({ "input": input })).await;
    data["createToken"].take()
}

fn admin_of(agents: &[Uuid]) -> Principal {
    Principal::with_role("tenant", Role::Admin, Agents::only(agents.iter().copied()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_used_and_revoked_everywhere_within_seconds() {
    everywhere(Start::Audience, async |world| {
        let agent = ObjectKind::Agent.encode(agents(world).await[0]);
        let made = create(
            world,
            json!({ "name": " crm ", "roles": ["SUPPORT", "SUPPORT"], "agents": [agent] }),
        )
        .await;
        let (token, secret) = (&made["token"], made["secret"].as_str().unwrap());
        assert_eq!(
            (&token["name"], &token["roles"], &token["agents"][0]["id"]),
            (&json!("crm"), &json!(["SUPPORT"]), &json!(agent))
        );
        assert_eq!(token["createdBy"], "anyone");

        let settings = ServeSettings::default();
        let servers = [guarded(world, &settings).0, guarded(world, &settings).0];
        for server in &servers {
            let viewer = "{ viewer { name roles permissions agents { id } expiresAt } }";
            let reply = ask(server, secret, viewer, Value::Null).await;
            let expected = json!({
                "name": "crm",
                "roles": ["SUPPORT"],
                "permissions": ["USERS_READ", "USERS_PII", "MESSAGES_READ", "USERS_WRITE", "FIGURES_READ"],
                "agents": [{ "id": agent }],
                "expiresAt": null,
            });
            assert_eq!(reply.json()["data"]["viewer"], expected, "{}", reply.2);
        }

        let revoked = world.ask(REVOKE, json!({ "id": token["id"] })).await;
        assert!(revoked["revokeToken"]["token"]["revokedAt"].is_string());
        let again = world.ask(REVOKE, json!({ "id": token["id"] })).await;
        assert_eq!(again, revoked);
        let deadline = Instant::now() + Duration::from_secs(10);
        for server in &servers {
            while ask(server, secret, "{ __typename }", Value::Null).await.0 == StatusCode::OK {
                assert!(Instant::now() < deadline, "a revoked token is still good");
                tokio::task::yield_now().await;
            }
        }

        let log = "{ auditLog(first: 2) { nodes { action actor changes { field before after } } } }";
        let log = world.ask(log, Value::Null).await;
        let actions: Vec<_> = log["auditLog"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| &node["action"])
            .collect();
        assert_eq!(actions, ["TOKEN_REVOKED", "TOKEN_CREATED"], "{log}");
        assert!(log.to_string().contains("crm") && !log.to_string().contains("parlour_"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_kept_nowhere_and_told_once() {
    everywhere(Start::Empty, async |world| {
        let limits = LimitSettings::default().limits();
        let server =
            Server::new(world.database.clone(), &ServeSettings::default(), limits).unwrap();
        let input = json!({ "name": "once", "roles": ["ADMIN"] });
        let body = json!({ "query": CREATE, "variables": { "input": input } });
        let first = post(&server, &[("idempotency-key", "k")], &body)
            .await
            .json();
        let again = post(&server, &[("idempotency-key", "k")], &body)
            .await
            .json();
        let (first, again) = (&first["data"]["createToken"], &again["data"]["createToken"]);
        let secret = first["secret"].as_str().unwrap();
        assert!(again["secret"].is_null(), "{again}");
        assert_eq!(again["token"], first["token"]);
        assert_eq!(again["userErrors"], json!([]));

        let (_, random) = secret.split_once('_').unwrap();
        let hash = Secret::parse(secret).unwrap().fingerprint().to_string();
        let dump = dump(world).await;
        assert!(dump.contains(&hash), "the dump has nothing in it");
        assert!(!dump.contains(random), "the secret is in the database");
    })
    .await;
}

/// All that is in a database, as text.
async fn dump(world: &World) -> String {
    if world.kind == Kind::Sqlite {
        let file = world.url.trim_start_matches("sqlite://");
        let parts = ["", "-wal"].map(|end| std::fs::read(format!("{file}{end}")));
        let parts = parts.into_iter().flatten();
        return parts
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect();
    }
    let reader = &world.database.reader;
    let rows = async |sql: &str, column: &str| -> Vec<String> {
        let rows = reader.rows(reader.dialect().raw(sql, [])).await.unwrap();
        let texts = rows.iter().map(|row| row.try_get("", column).unwrap());
        texts.collect()
    };
    let tables = "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'";
    let mut dump = String::new();
    for table in rows(tables, "name").await {
        let all = format!("SELECT t::text AS row FROM {table} AS t");
        dump.extend(rows(&all, "row").await);
    }
    dump
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_what_they_do_not_have() {
    everywhere(Start::Audience, async |world| {
        let all = agents(world).await;
        let [own, other] = [all[0], all[1]].map(|id| ObjectKind::Agent.encode(id));
        let tenant = world.seen_by(admin_of(&all[..1]));
        let error = async |world: &World, input: Value| {
            let payload = create(world, input).await;
            assert!(payload["secret"].is_null() && payload["token"].is_null());
            let error = &payload["userErrors"][0];
            let text = |key: &str| error[key].as_str().unwrap().to_owned();
            (text("code"), text("message"))
        };
        let (code, message) = error(&tenant, json!({ "name": "a", "roles": ["VIEWER"] })).await;
        assert_eq!(code, "INVALID");
        assert!(message.contains("may not give all"), "{message}");
        // What is there for others and what is not there at all is the same.
        let nobody = ObjectKind::Agent.encode(Uuid::nil());
        for (world, agent) in [(&tenant, &other), (&tenant, &nobody), (world, &nobody)] {
            let input = json!({ "name": "a", "roles": ["VIEWER"], "agents": [own, agent] });
            let (code, message) = error(world, input).await;
            let expected = format!("agents: no agent has the id `{agent}`");
            assert_eq!((code.as_str(), message), ("NOT_FOUND", expected));
        }

        let clerk = Principal {
            permissions: Permissions::from_iter([Permission::TokensWrite, Permission::UsersRead]),
            ..Principal::with_role("clerk", Role::Viewer, Agents::All)
        };
        let clerk = world.seen_by(clerk);
        let (code, message) = error(&clerk, json!({ "name": "a", "roles": ["EDITOR"] })).await;
        assert_eq!(code, "INVALID");
        for beyond in ["EDITOR", "users:pii", "users:delete", "audit:read"] {
            assert!(message.contains(beyond), "{message}");
        }
        assert!(!message.contains("users:read"), "{message}");

        for (input, field, told) in [
            (
                json!({ "name": "", "roles": ["VIEWER"] }),
                "name",
                "1 to 64",
            ),
            (
                json!({ "name": "a\u{202e}b", "roles": ["VIEWER"] }),
                "name",
                "letters",
            ),
            (
                json!({ "name": "a\u{0}b", "roles": ["VIEWER"] }),
                "name",
                "letters",
            ),
            (
                json!({ "name": "x".repeat(65), "roles": ["VIEWER"] }),
                "name",
                "1 to 64",
            ),
            (
                json!({ "name": "Parlour", "roles": ["VIEWER"] }),
                "name",
                "program",
            ),
            (json!({ "name": "a", "roles": [] }), "roles", "1 to 20"),
            (
                json!({ "name": "a", "roles": ["VIEWR"] }),
                "roles",
                "no role `VIEWR`",
            ),
            (
                json!({ "name": "a", "roles": ["VIEWER"], "agents": [] }),
                "agents",
                "1 to 100",
            ),
            (
                json!({ "name": "a", "roles": ["VIEWER"], "agents": ["x"] }),
                "agents",
                "`x`",
            ),
            (
                json!({ "name": "a", "roles": ["VIEWER"], "expiresAt": "2020-01-01T00:00:00Z" }),
                "expiresAt",
                "over",
            ),
        ] {
            let (_, message) = error(world, input).await;
            assert!(
                message.starts_with(field) && message.contains(told),
                "{message}"
            );
        }
        let count = world.ask("{ tokens { totalCount } }", Value::Null).await;
        assert_eq!(count["tokens"]["totalCount"], 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_limited_sees_no_token_beyond_their_agents() {
    everywhere(Start::Audience, async |world| {
        let all = agents(world).await;
        let (own, _) = make(world, "own", Role::Viewer, Some(vec![all[0]])).await;
        let others = [
            make(world, "other", Role::Viewer, Some(vec![all[1]]))
                .await
                .0,
            make(world, "both", Role::Viewer, Some(all[..2].to_vec()))
                .await
                .0,
            make(world, "everywhere", Role::Viewer, None).await.0,
        ];
        let tenant = world.seen_by(admin_of(&all[..1]));
        let data = tenant
            .ask("{ tokens { totalCount nodes { name } } }", Value::Null)
            .await;
        let expected = json!({ "totalCount": 1, "nodes": [{ "name": "own" }] });
        assert_eq!(data["tokens"], expected);
        for id in others {
            let id = ObjectKind::Token.encode(id);
            let node = "query ($id: ID!) { node(id: $id) { id } }";
            let data = tenant.ask(node, json!({ "id": id })).await;
            assert!(data["node"].is_null(), "{data}");
            let data = tenant.ask(REVOKE, json!({ "id": id })).await;
            assert_eq!(data["revokeToken"]["userErrors"][0]["code"], "NOT_FOUND");
            let data = world.ask(node, json!({ "id": id })).await;
            assert_eq!(data["node"]["id"], id);
        }
        let data = tenant
            .ask(REVOKE, json!({ "id": ObjectKind::Token.encode(own) }))
            .await;
        assert!(
            data["revokeToken"]["token"]["revokedAt"].is_string(),
            "{data}"
        );
        let alive = "{ tokens(where: { revokedAt: { isNull: true } }) { totalCount } }";
        let data = world.ask(alive, Value::Null).await;
        assert_eq!(data["tokens"]["totalCount"], 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_for_those_who_may_make_them() {
    everywhere(Start::Audience, async |world| {
        let (id, _) = make(world, "one", Role::Viewer, None).await;
        let id = ObjectKind::Token.encode(id);
        let editor = Principal::with_role("editor", Role::Editor, Agents::All);
        let editor = world.seen_by(editor);
        for query in [
            "{ tokens { totalCount } }".to_owned(),
            format!("mutation {{ revokeToken(input: {{id: \"{id}\"}}) {{ token {{ id }} }} }}"),
            "mutation { revokeToken(input: {id: \"x\"}) { token { id } } }".to_owned(),
            "mutation { createToken(input: {name: \"a\", roles: [\"VIEWER\"]}) { secret } }"
                .to_owned(),
        ] {
            let body = editor.ask_with(&query, Value::Null).await.body;
            let error = &body["errors"][0];
            assert_eq!(error["extensions"]["code"], "FORBIDDEN", "{body}");
            let message = error["message"].as_str().unwrap();
            assert!(
                message.ends_with("takes the permission tokens:write"),
                "{message}"
            );
            assert!(body["data"].is_null(), "{body}");
        }
        let node = format!("{{ node(id: \"{id}\") {{ id }} }}");
        assert!(editor.ask(&node, Value::Null).await["node"].is_null());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_one_token_at_a_time() {
    everywhere(Start::Empty, async |world| {
        let made =
            join_all((0..8).map(|_| create(world, json!({ "name": "ci", "roles": ["INGEST"] }))))
                .await;
        let (good, taken): (Vec<_>, Vec<_>) = made
            .iter()
            .partition(|payload| payload["secret"].is_string());
        assert_eq!(good.len(), 1, "{made:?}");
        for payload in taken {
            assert_eq!(payload["userErrors"][0]["code"], "CONFLICT");
        }
        world
            .ask(REVOKE, json!({ "id": good[0]["token"]["id"] }))
            .await;
        let again = create(world, json!({ "name": "ci", "roles": ["INGEST"] })).await;
        assert!(again["secret"].is_string(), "{again}");
        assert_ne!(again["token"]["id"], good[0]["token"]["id"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_look_a_token_up_once_and_by_its_index() {
    everywhere(Start::Empty, async |world| {
        let (_, secret) = make(world, "busy", Role::Viewer, None).await;
        let (server, _) = guarded(world, &ServeSettings::default());
        let tally = std::sync::Arc::new(QueryStats::recording());
        let asking =
            join_all((0..50).map(|_| ask(&server, &secret, "{ __typename }", Value::Null)));
        let replies = QUERY_STATS.scope(tally.clone(), asking).await;
        assert!(replies.iter().all(|reply| reply.0 == StatusCode::OK));
        // Twice on a machine that takes more than two seconds for them.
        assert!((1..=2).contains(&tally.figures().statements));
        let body = Value::Null;
        let plan = plans(world, &Answer { body, tally })
            .await
            .concat()
            .join("\n");
        assert!(plan.contains("tokens_by_hash"), "{plan}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_is_written_for_many_requests_at_once() {
    everywhere(Start::Empty, async |world| {
        let (id, secret) = make(world, "used", Role::Admin, None).await;
        make(world, "unused", Role::Admin, None).await;
        let (server, tokens) = guarded(world, &ServeSettings::default());
        let query = "{ tokens { nodes { name lastUsedAt } } }";
        let used = async || {
            let data = world.ask(query, Value::Null).await;
            let nodes = data["tokens"]["nodes"].clone();
            let of = |name: &str| {
                let mut nodes = nodes.as_array().unwrap().iter();
                nodes.find(|node| node["name"] == name).unwrap()["lastUsedAt"].clone()
            };
            assert!(of("unused").is_null());
            of("used")
        };
        let before = Timestamp::now();
        for _ in 0..5 {
            assert_eq!(
                ask(&server, &secret, query, Value::Null).await.0,
                StatusCode::OK
            );
        }
        assert!(used().await.is_null(), "a request wrote");
        tokens.note().await.unwrap();
        let at = Timestamp::parse(used().await.as_str().unwrap()).unwrap();
        assert!((before..=Timestamp::now()).contains(&at));
        // Another server was asked later, and has written first.
        sql(
            world,
            &format!(
                "UPDATE tokens SET last_used_at = {} WHERE name = 'used'",
                i64::MAX / 2
            ),
        )
        .await;
        let (other, late) = guarded(world, &ServeSettings::default());
        ask(&other, &secret, query, Value::Null).await;
        late.note().await.unwrap();
        let latest = Timestamp(i64::MAX / 2).to_rfc3339();
        assert_eq!(used().await, latest);
        assert!(!id.is_nil());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_is_written_when_the_server_ends() {
    everywhere(Start::Empty, async |world| {
        let (_, secret) = make(world, "short", Role::Viewer, None).await;
        let mut command = at(world);
        command.args(["serve", "--listen", "127.0.0.1:0", "--authentication", "required"]);
        let server = ServerProcess::start(command);
        let body = json!({ "query": "{ viewer { name } }" }).to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nAuthorization: Bearer {secret}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        let answer = server.send(&head, &body);
        assert_eq!(answer.json()["data"]["viewer"]["name"], "short");
        assert_eq!(server.post("application/json", &body).status, 401);
        server.stop();
        let data = world.ask("{ tokens { nodes { lastUsedAt } } }", Value::Null).await;
        assert!(data["tokens"]["nodes"][0]["lastUsedAt"].is_string(), "{data}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_who_asked_and_why_somebody_was_not_let_in() {
    everywhere(Start::Empty, async |world| {
        let (_, secret) = make(world, "logged", Role::Viewer, None).await;
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = at(world);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--authentication", "required"])
            .args(["--log", "trace", "--log-format", "json"])
            .stderr(log.reopen().unwrap());
        let server = ServerProcess::start(command);
        let unknown = Secret::random().unwrap().reveal();
        for bearer in [&secret, &unknown] {
            server.send(
                &format!("GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nAuthorization: Bearer {bearer}\r\n"),
                "",
            );
        }
        server.get("/schema.graphql");
        server.stop();
        let log = std::fs::read_to_string(log.path()).unwrap();
        let told: Vec<_> = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["message"] == "request")
            .map(|line| (line["caller"].clone(), line["cause"].clone()))
            .collect();
        let expected = [
            (json!("logged"), Value::Null),
            (json!(""), json!("unknown")),
            (json!(""), json!("missing")),
        ];
        assert_eq!(told, expected, "{log}");
        for secret in [secret, unknown] {
            assert!(!log.contains(&secret), "a secret is in the log");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_of_the_configuration_are_roles() {
    everywhere(Start::Empty, async |world| {
        let settings = ServeSettings {
            roles: Some([("auditor".to_owned(), vec!["audit:read".to_owned()])].into()),
            ..ServeSettings::default()
        };
        let (_, admin) = make(world, "admin", Role::Admin, None).await;
        let (server, _) = guarded(world, &settings);
        let input = json!({ "input": { "name": "auditor", "roles": ["auditor"] } });
        let made = ask(&server, &admin, CREATE, input.clone()).await.json();
        let secret = made["data"]["createToken"]["secret"].as_str().unwrap();
        let viewer = "{ viewer { roles permissions } }";
        let reply = ask(&server, secret, viewer, Value::Null).await.json();
        let expected = json!({ "roles": ["auditor"], "permissions": ["AUDIT_READ"] });
        assert_eq!(reply["data"]["viewer"], expected);
        // Where nobody knows the role, it lets one do nothing.
        let (elsewhere, _) = guarded(world, &ServeSettings::default());
        let reply = ask(&elsewhere, secret, viewer, Value::Null).await.json();
        let expected = json!({ "roles": ["auditor"], "permissions": [] });
        assert_eq!(reply["data"]["viewer"], expected);
        let refused = ask(&elsewhere, &admin, CREATE, input).await.2;
        assert!(refused.contains("there is no role `auditor`"), "{refused}");
    })
    .await;
}

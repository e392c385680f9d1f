//! Reads of personal data in the audit log.

use std::collections::BTreeSet;

use parlour::caller::{Agents, Principal, Role};
use parlour::config::ServeSettings;
use parlour::http::Server;
use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere, limits};

const ENTRIES: &str = "{ auditLog(where: {action: {eq: PERSONAL_DATA_READ}}, orderBy: {field: AT, direction: ASC}, first: 100) {
    totalCount nodes { actor operation requestId chatUserIds agent { id } chatUser { id } changes { field } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_of_whom_is_in_the_log() {
    everywhere(Start::Audience, async |world| {
        let page = "query People { chatUsers(first: 5) { nodes { id name agent { id } } } }";
        let (data, entries) = read(world, Role::Support, page).await;
        let people = data["chatUsers"]["nodes"].as_array().unwrap();
        let ids = |agent: &Value| -> BTreeSet<_> {
            let of = people.iter().filter(|user| user["agent"] == *agent);
            of.map(|user| user["id"].as_str().unwrap().to_owned())
                .collect()
        };
        let agents: BTreeSet<_> = people
            .iter()
            .map(|user| user["agent"].to_string())
            .collect();
        assert_eq!((people.len(), entries.len()), (5, agents.len()));
        for entry in &entries {
            assert_eq!(told(entry), ("a test", "People", "test"));
            let read: BTreeSet<_> = texts(&entry["chatUserIds"]);
            assert_eq!(read, ids(&entry["agent"]));
            assert_eq!(entry["changes"], json!([]));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looked_at_one_user_is_in_that_users_log() {
    everywhere(Start::Audience, async |world| {
        let someone = world.ask("{ chatUsers(first: 2) { nodes { id } } }", json!({})).await;
        let [one, other] = [0, 1].map(|at| someone["chatUsers"]["nodes"][at]["id"].clone());
        let look = format!("query Look {{ chatUser(id: {one}) {{ email }} }}");
        let (_, entries) = read(world, Role::Support, &look).await;
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0]["chatUser"]["id"], one);
        let logs = format!(
            "{{ chatUser(id: {one}) {{ auditLog {{ nodes {{ operation }} }} }}
                read: auditLog(where: {{chatUserIds: {{has: {one}}}, operation: {{eq: \"Look\"}}}}) {{ totalCount }}
                others: auditLog(where: {{chatUserIds: {{has: {other}}}}}) {{ totalCount }}
                garbage: auditLog(where: {{chatUserIds: {{has: \"nobody\"}}}}) {{ totalCount }} }}"
        );
        let logs = world.ask(&logs, json!({})).await;
        assert_eq!(logs["chatUser"]["auditLog"]["nodes"], json!([{ "operation": "Look" }]));
        let counts = ["read", "others", "garbage"].map(|log| logs[log]["totalCount"].clone());
        assert_eq!(counts, [json!(1), json!(0), json!(0)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_counts_too() {
    everywhere(Start::Audience, async |world| {
        let texts = "{ sessions(first: 3) { nodes { chatUser { id } messages(first: 1) { nodes { text } } } } }";
        let (data, entries) = read(world, Role::Analyst, texts).await;
        let users: BTreeSet<_> = data["sessions"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|session| session["chatUser"]["id"].as_str().unwrap().to_owned())
            .collect();
        let read: BTreeSet<_> = entries.iter().flat_map(|entry| self::texts(&entry["chatUserIds"])).collect();
        assert_eq!(read, users);
        assert_eq!(entries[0]["operation"], Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_personal_or_not_shown_is_not_in_the_log() {
    everywhere(Start::Audience, async |world| {
        for (role, query) in [
            (
                Role::Admin,
                "{ chatUsers { totalCount nodes { id platform totalSessions lastMessageAt } } }",
            ),
            (
                Role::Admin,
                "{ sessions { nodes { id messages { nodes { id role sentAt } } } } }",
            ),
            (
                Role::Viewer,
                "{ chatUsers { nodes { id name email phoneNumber platformId } } }",
            ),
        ] {
            let (_, entries) = read(world, role, query).await;
            assert_eq!(entries, [] as [Value; 0], "{query}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_crowd_is_lost_when_the_server_ends() {
    everywhere(Start::Audience, async |world| {
        let noting = noting(world, Role::Support);
        let query = "{ chatUsers(first: 1) { nodes { name } } }";
        futures_util::future::join_all((0..100).map(|_| noting.ask(query, json!({})))).await;
        noting.server.finish().await;
        let entries = world.ask(ENTRIES, json!({})).await;
        assert_eq!(entries["auditLog"]["totalCount"], 100);
    })
    .await;
}

/// Asks in a role of a server that notes reads, and waits until it has; the answer, and the entries of the log.
async fn read(world: &World, role: Role, query: &str) -> (Value, Vec<Value>) {
    let noting = noting(world, role);
    let data = noting.ask(query, json!({})).await;
    noting.server.finish().await;
    let mut entries = world.ask(ENTRIES, json!({})).await;
    let entries = entries["auditLog"]["nodes"].take();
    (data, entries.as_array().unwrap().clone())
}

fn noting(world: &World, role: Role) -> World {
    let settings = ServeSettings {
        audit_reads: Some(true),
        ..ServeSettings::default()
    };
    let principal = Principal::with_role("a test", role, Agents::All);
    let server = Server::open_to(principal, world.database.clone(), &settings, limits()).unwrap();
    world.served_by(server)
}

fn told(entry: &Value) -> (&str, &str, &str) {
    let text = |field: &str| entry[field].as_str().unwrap_or_default();
    (text("actor"), text("operation"), text("requestId"))
}

fn texts(ids: &Value) -> BTreeSet<String> {
    let ids = ids.as_array().unwrap().iter();
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

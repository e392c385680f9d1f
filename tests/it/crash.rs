//! Killed at any moment: what was acknowledged is there, nothing is there by halves, and every figure is right.
//!
//! `CRASH_KILLS` says how often the server is killed on each database; three times when it says nothing.

use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Kind, Start, World, everywhere};
use crate::rng::SeededRng;
use crate::server_process::{ServerProcess, at, exchange};

const CLIENTS: usize = 4;
/// Events of a batch.
const BATCH: usize = 20;

const RECORD: &str = "mutation ($events: [EventInput!]!) { recordMessages(input: {events: $events}) { recorded duplicates } }";
const COUNT: &str = "mutation ($id: ID!, $count: Int) { updateChatUserSettings(input: {id: $id, settings: {count: $count}}) { userErrors { message } } }";
const USER: &str = "query ($platformId: String) { agents { nodes { chatUsers(where: {platformId: {eq: $platformId}}) { nodes {
    id settings totalSessions totalChatMessages totalMessagesSent auditLog { totalCount } } } } } }";

/// What a client has sent, and what it was told.
#[derive(Debug)]
struct Ledger {
    client: usize,
    /// For each batch whether it was acknowledged.
    batches: Vec<bool>,
    /// The last count that was sent, and the last that was acknowledged.
    sent: i64,
    acknowledged: i64,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let kills = std::env::var("CRASH_KILLS").map_or(3, |kills| kills.parse().unwrap());
    everywhere(Start::Nothing, async |world| {
        let url = own_database(world);
        let mut ledgers: Vec<_> = (0..CLIENTS).map(Ledger::new).collect();
        let mut dice = SeededRng::new(world.kind as u64);
        for kill in 0..kills {
            let mut server = start(world, &url);
            for ledger in &mut ledgers {
                ledger.settle(server.address());
            }
            thread::scope(|scope| {
                for ledger in &mut ledgers {
                    let address = server.address().to_owned();
                    scope.spawn(move || while ledger.go_on(&address).is_some() {});
                }
                thread::sleep(Duration::from_millis(
                    20 + u64::try_from(dice.below(400)).unwrap(),
                ));
                // SIGKILL.
                server.process.kill().unwrap();
            });
            server.process.wait().unwrap();
            let verified = at(world)
                .env("PARLOUR_DATABASE_URL", &url)
                .arg("verify")
                .output()
                .unwrap();
            assert!(verified.status.success(), "after kill {kill}: {verified:?}");
        }
        let server = start(world, &url);
        for ledger in &mut ledgers {
            ledger.settle(server.address());
        }
        let batches: usize = ledgers.iter().map(|ledger| ledger.batches.len()).sum();
        let changes: i64 = ledgers.iter().map(|ledger| ledger.acknowledged).sum();
        eprintln!("killed {kills} times: {batches} batches and {changes} changes are there");
        assert!(batches > 0);
    })
    .await;
}

/// A database that nobody else has open, so that what a killed server leaves is found by the next one.
fn own_database(world: &World) -> String {
    match world.kind {
        Kind::Postgres => world.url.clone(),
        Kind::Sqlite => {
            let url = format!("{}-crash", world.url);
            assert!(!Path::new(url.trim_start_matches("sqlite://")).exists());
            url
        }
    }
}

fn start(world: &World, url: &str) -> ServerProcess {
    let mut command = at(world);
    command
        .env("PARLOUR_DATABASE_URL", url)
        .args(["serve", "--listen", "127.0.0.1:0"]);
    ServerProcess::start(command)
}

impl Ledger {
    const fn new(client: usize) -> Self {
        Self {
            client,
            batches: Vec::new(),
            sent: 0,
            acknowledged: 0,
        }
    }

    /// Records a batch and changes a profile. `None` when the server is gone.
    fn go_on(&mut self, address: &str) -> Option<()> {
        let at = self.batches.len();
        self.batches.push(false);
        let payload = ask(address, RECORD, &json!({ "events": self.events(at) }))?;
        assert_eq!(payload["recordMessages"]["recorded"], BATCH, "{payload}");
        self.batches[at] = true;
        let user = self.user(address)?;
        self.sent += 1;
        let variables = json!({ "id": user["id"], "count": self.sent });
        let payload = ask(address, COUNT, &variables)?;
        assert_eq!(payload["updateChatUserSettings"]["userErrors"], json!([]));
        self.acknowledged = self.sent;
        Some(())
    }

    /// Tells once more what was not acknowledged, as clients do; then all that was ever told is there, and nothing twice.
    fn settle(&mut self, address: &str) {
        for at in 0..self.batches.len() {
            if !self.batches[at] {
                let payload = ask(address, RECORD, &json!({ "events": self.events(at) })).unwrap();
                let recorded = payload["recordMessages"]["recorded"].as_u64().unwrap();
                assert!(
                    [0, BATCH as u64].contains(&recorded),
                    "batch {at}: {payload}"
                );
                self.batches[at] = true;
            }
        }
        if self.batches.is_empty() {
            return;
        }
        let user = self.user(address).unwrap();
        assert_eq!(user["totalSessions"], self.batches.len(), "{user}");
        assert_eq!(user["totalChatMessages"], self.batches.len() * BATCH);
        assert_eq!(user["totalMessagesSent"], self.batches.len() * BATCH);
        let count = user["settings"]["count"].as_i64().unwrap_or(0);
        assert!(
            (self.acknowledged..=self.sent).contains(&count),
            "{self:?}: {user}"
        );
        // Each change with its entry.
        assert_eq!(user["auditLog"]["totalCount"], count);
        (self.sent, self.acknowledged) = (count, count);
    }

    fn user(&self, address: &str) -> Option<Value> {
        let platform_id = format!("user {}", self.client);
        let mut data = ask(address, USER, &json!({ "platformId": platform_id }))?;
        let user = data["agents"]["nodes"][0]["chatUsers"]["nodes"][0].take();
        assert!(user.is_object(), "{platform_id} is not there");
        Some(user)
    }

    /// A session of its own, with its messages.
    fn events(&self, at: usize) -> Vec<Value> {
        let client = self.client;
        let event = |message| {
            json!({
                "agent": { "externalId": "bot" },
                "user": { "platform": "WEB", "platformId": format!("user {client}"), "name": format!("Name {at}") },
                "session": { "externalId": format!("{client}-{at}") },
                "message": { "externalId": format!("{at}-{message}"), "role": "USER", "text": "Grüße",
                             "sentAt": format!("2026-01-01T{:02}:{:02}:{message:02}Z", at / 60 % 24, at % 60) },
            })
        };
        (0..BATCH).map(event).collect()
    }
}

/// The data of an answer without errors. `None` when there is none, because the server is gone.
fn ask(address: &str, query: &str, variables: &Value) -> Option<Value> {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let answer = exchange(address, &head, &body)?;
    let mut answer = answer.json();
    assert!(answer.get("errors").is_none(), "{query}: {answer:#}");
    Some(answer["data"].take())
}

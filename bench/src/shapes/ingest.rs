//! Recording through GraphQL: some clients at once, each with batches of events, against bare INSERTs of the same messages.

use std::sync::Arc;
use std::time::Instant;

use parlour::clock::Timestamp;
use parlour::config::{LimitSettings, ServeSettings};
use parlour::demo::Size;
use parlour::http::Server;
use parlour::write::event::Event;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::Result;
use crate::audience::audience;
use crate::load::{self, Loading};
use crate::store::Store;
use crate::wire::{Wire, post};

/// Clients that record at once.
pub(crate) const CLIENTS: usize = 8;
/// Events of a request.
pub(crate) const BATCH: usize = 500;
/// Messages in all, of a twentieth as many users.
const MESSAGES: u64 = 120_000;

const RECORD: &str = "mutation ($events: [EventInput!]!) { recordMessages(input: {events: $events}) { recorded rejected } }";

/// Records into an empty database.
pub(crate) async fn record(store: &Store, seed: u64) -> Result<Loading> {
    let requests = requests(seed);
    let server = Server::new(
        store.database.clone(),
        &ServeSettings::default(),
        LimitSettings::default().limits(),
    )?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(async move { server.run(listener, std::future::pending()).await });
    let start = Instant::now();
    let mut clients: JoinSet<Result<u64>> = JoinSet::new();
    for client in 0..CLIENTS {
        let requests = requests.clone();
        clients.spawn(async move {
            let mut wire = Wire::connect(address).await?;
            let mut recorded = 0;
            for request in requests.iter().skip(client).step_by(CLIENTS) {
                recorded += recorded_by(wire.ask(request).await?)?;
            }
            Ok(recorded)
        });
    }
    let mut loading = Loading::default();
    while let Some(recorded) = clients.join_next().await {
        loading.messages += recorded??;
    }
    loading.taken = start.elapsed();
    serving.abort();
    load::bare(store.kind, &store.url(), &store.pool, &mut loading).await?;
    Ok(loading)
}

/// How many messages a request recorded.
fn recorded_by(answer: &[u8]) -> Result<u64> {
    let answer: Value = serde_json::from_slice(answer)?;
    let payload = &answer["data"]["recordMessages"];
    if payload["rejected"] != 0 {
        return Err(format!("not all was recorded: {answer}").into());
    }
    Ok(payload["recorded"].as_u64().unwrap_or(0))
}

/// The bytes of all requests.
fn requests(seed: u64) -> Arc<[Vec<u8>]> {
    let size = Size {
        users: MESSAGES / 20,
        messages: MESSAGES,
        sessions: None,
        seed,
    };
    let events: Vec<_> = audience(size).collect();
    let requests = events.chunks(BATCH).map(|events| {
        let events: Vec<_> = events.iter().map(input).collect();
        let body = json!({ "query": RECORD, "variables": { "events": events } });
        post("/graphql", &body.to_string())
    });
    requests.collect()
}

/// An event as `EventInput`.
fn input(event: &Event) -> Value {
    let Event {
        agent,
        user,
        session,
        message,
    } = event;
    json!({
        "agent": { "externalId": agent.external_id, "name": agent.name, "description": agent.description },
        "user": {
            "platform": user.platform,
            "platformId": user.platform_id,
            "name": user.name,
            "email": user.email,
            "phoneNumber": user.phone,
            "profilePictureUrl": user.profile_picture_url,
            "language": user.language,
            "tags": user.tags,
            "settings": user.settings,
        },
        "session": {
            "externalId": session.external_id,
            "startedAt": session.started_at.map(Timestamp::to_rfc3339),
            "endedAt": session.ended_at.map(Timestamp::to_rfc3339),
            "subject": session.subject,
            "language": session.language,
            "tags": session.tags,
        },
        "message": message.as_ref().map(|message| json!({
            "externalId": message.external_id,
            "role": json!(message.role).as_str().map(str::to_uppercase),
            "text": message.text,
            "sentAt": message.sent_at.to_rfc3339(),
        })),
    })
}

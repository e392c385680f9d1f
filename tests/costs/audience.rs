//! Who is in the file: one agent with 25 users, the first of them with much to tell.

use std::path::{Path, PathBuf};

use parlour::db::{Database, DatabaseOptions};
use parlour::write::event::Event;
use serde_json::json;

const USERS: usize = 25;
/// Sessions and messages of the first user.
const MANY: (usize, usize) = (10, 20);
/// Of everybody else.
const FEW: (usize, usize) = (5, 10);

/// A new file with all of them in it.
pub(crate) fn file() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("costs-{}.db", std::process::id()));
    std::fs::remove_file(&file).ok();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = DatabaseOptions::new(format!("sqlite://{}", file.display()));
        let database = Database::open(&options).await.unwrap();
        database.migrate_up().await.unwrap();
        let told = parlour::write::apply(&database.writer, &events()).await;
        told.unwrap();
        database.analyze().await.unwrap();
        database.close().await.unwrap();
    });
    file
}

fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for user in 0..USERS {
        let (sessions, messages) = if user == 0 { MANY } else { FEW };
        for session in 0..sessions {
            for message in 0..messages {
                events.push(event(user, session, message));
            }
        }
    }
    events
}

fn event(user: usize, session: usize, message: usize) -> Event {
    let role = if message.is_multiple_of(2) {
        "user"
    } else {
        "agent"
    };
    let event = json!({
        "agent": { "external_id": "shop", "name": "Shop" },
        "user": {
            "platform": if user.is_multiple_of(2) { "WEB" } else { "TELEGRAM" },
            "platform_id": format!("user-{user:02}"),
            "name": format!("Annabel Miller {user}"),
            "email": format!("annabel{user}@example.com"),
        },
        "session": { "external_id": format!("session-{user:02}-{session:02}") },
        "message": {
            "external_id": format!("message-{user:02}-{session:02}-{message:02}"),
            "role": role,
            "text": format!("This is message {message} of session {session}."),
            "sent_at": format!("2026-01-{:02}T{:02}:{message:02}:{user:02}Z", 1 + session, 10),
        },
    });
    serde_json::from_value(event).unwrap()
}

//! The made-up audience, and two things that the bench adds to it: someone with thousands of sessions, and a word that
//! only those bear who have been silent the longest.

use parlour::clock::Timestamp;
use parlour::demo::{Audience, Size};
use parlour::entity::platform::Platform;
use parlour::entity::role::MessageRole;
use parlour::write::event::{AgentPart, Event, MessagePart, SessionPart, UserPart};
use uuid::Uuid;

use crate::Result;
use crate::bare::{Bind, Pool};

/// The platform id of the user with thousands of sessions.
pub(crate) const EVERYDAY: &str = "bench-everyday";
/// The word in the names of the users who have been silent the longest.
pub(crate) const OLD_WORD: &str = "zyzzyva";

/// All that happened, one event a message.
pub(crate) fn audience(size: Size) -> impl Iterator<Item = Event> {
    Audience::new(size)
}

/// What the bench adds, once everything else is stored.
pub(crate) async fn additions(pool: &Pool, users: u64) -> Result<Vec<Event>> {
    let (agent, external_id, total): (Uuid, String, i64) = pool
        .one(
            "SELECT id, external_id, total_users FROM agents ORDER BY total_users DESC, id LIMIT 1",
            [],
        )
        .await?;
    let (newest,): (i64,) = pool
        .one("SELECT MAX(last_message_at) FROM chat_users", [])
        .await?;
    let agent_part = AgentPart {
        external_id,
        ..AgentPart::default()
    };
    let mut events = everyday(&agent_part, newest, (users / 20).clamp(2_000, 20_000));
    events.extend(silent(pool, agent, &agent_part, total / 50 + 1).await?);
    Ok(events)
}

/// Someone who comes back every hour.
fn everyday(agent: &AgentPart, newest: i64, sessions: u64) -> Vec<Event> {
    (0..sessions)
        .map(|at| Event {
            agent: agent.clone(),
            user: UserPart {
                name: Some("Every Day".to_owned()),
                ..stranger(Platform::Web, EVERYDAY.to_owned())
            },
            session: SessionPart {
                external_id: Some(format!("{EVERYDAY}-{at}")),
                ..SessionPart::default()
            },
            message: Some(MessagePart {
                external_id: format!("{at}"),
                role: MessageRole::User,
                text: "Here I am again.".to_owned(),
                sent_at: Timestamp(newest - i64::try_from(at).unwrap_or(0) * 3_600_000_000),
                ..MessagePart::default()
            }),
        })
        .collect()
}

/// The word for the last users of the default order: a message of theirs once more, with a new name.
async fn silent(pool: &Pool, agent: Uuid, part: &AgentPart, users: i64) -> Result<Vec<Event>> {
    type Row = (
        String,
        String,
        Option<String>,
        String,
        String,
        String,
        String,
        i64,
    );
    let rows: Vec<Row> = pool
        .fetch(
            "SELECT u.platform, u.platform_id, u.name, s.external_id, m.external_id, m.role, m.text, m.sent_at \
             FROM (SELECT * FROM chat_users WHERE agent_id = $1 ORDER BY last_message_at_desc, id LIMIT $2) AS u \
             JOIN messages AS m ON m.id = (SELECT id FROM messages WHERE chat_user_id = u.id ORDER BY sent_at, id LIMIT 1) \
             JOIN sessions AS s ON s.id = m.session_id",
            [Bind::Id(agent), Bind::Int(users)],
        )
        .await?;
    rows.into_iter()
        .map(
            |(platform, platform_id, name, session, message, role, text, sent_at)| {
                let name =
                    name.map_or_else(|| OLD_WORD.to_owned(), |name| format!("{name} {OLD_WORD}"));
                Ok(Event {
                    agent: part.clone(),
                    user: UserPart {
                        name: Some(name),
                        ..stranger(serde_json::from_value(platform.into())?, platform_id)
                    },
                    session: SessionPart {
                        external_id: Some(session),
                        ..SessionPart::default()
                    },
                    message: Some(MessagePart {
                        external_id: message,
                        role: serde_json::from_value(role.to_lowercase().into())?,
                        text,
                        sent_at: Timestamp(sent_at),
                        ..MessagePart::default()
                    }),
                })
            },
        )
        .collect()
}

/// A user of whom nothing is said but where to find them.
fn stranger(platform: Platform, platform_id: String) -> UserPart {
    UserPart {
        platform,
        platform_id,
        name: None,
        email: None,
        phone: None,
        profile_picture_url: None,
        language: None,
        tags: None,
        settings: None,
        stopped_at: None,
    }
}

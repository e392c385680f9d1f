//! What messages carry beside their text, agents that are put away, and sessions that follow from the times of messages.

use crate::script::Script;

const UP: [&str; 8] = [
    "ALTER TABLE agents ADD COLUMN archived_at {int}",
    "ALTER TABLE agents ADD COLUMN session_idle_minutes {int} NOT NULL DEFAULT 30",
    "ALTER TABLE messages ADD COLUMN reply_to {text}",
    "ALTER TABLE messages ADD COLUMN tokens {int}",
    "ALTER TABLE messages ADD COLUMN response_time_ms {int}",
    "ALTER TABLE messages ADD COLUMN sentiment_thousandths {int}",
    // 1 where the message named no session: which one it is in follows from the times around it.
    "ALTER TABLE messages ADD COLUMN by_rule {int} NOT NULL DEFAULT 0",
    "CREATE INDEX messages_by_rule ON messages (chat_user_id, sent_at, id) WHERE by_rule = 1",
];

const DOWN: [&str; 8] = [
    "DROP INDEX messages_by_rule",
    "ALTER TABLE messages DROP COLUMN by_rule",
    "ALTER TABLE messages DROP COLUMN sentiment_thousandths",
    "ALTER TABLE messages DROP COLUMN response_time_ms",
    "ALTER TABLE messages DROP COLUMN tokens",
    "ALTER TABLE messages DROP COLUMN reply_to",
    "ALTER TABLE agents DROP COLUMN session_idle_minutes",
    "ALTER TABLE agents DROP COLUMN archived_at",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
}

pub(crate) fn down(script: &mut Script) {
    script.run(&DOWN);
}

//! Changes made by people: the version of a profile, who is blocked, who subscribes to what, and who changed what.

use crate::script::Script;

/// An entry outlives what it tells of, so it refers to nothing.
const UP: [&str; 11] = [
    "ALTER TABLE chat_users ADD COLUMN version {int} NOT NULL DEFAULT 1",
    "ALTER TABLE chat_users ADD COLUMN blocked_at {int}",
    "ALTER TABLE chat_users ADD COLUMN blocked_until {int}",
    "ALTER TABLE chat_users ADD COLUMN block_reason {text}",
    "ALTER TABLE chat_users ADD COLUMN blocked_by {text}",
    "CREATE INDEX chat_users_blocked ON chat_users (agent_id, blocked_at, id) WHERE blocked_at IS NOT NULL",
    "CREATE TABLE subscriptions (
        chat_user_id {uuid} NOT NULL REFERENCES chat_users (id) ON DELETE CASCADE,
        tag {text} NOT NULL,
        subscribed_at {int} NOT NULL,
        expires_at {int},
        PRIMARY KEY (chat_user_id, tag)
    ) {strict}",
    "CREATE TABLE audit_entries (
        id {uuid} PRIMARY KEY NOT NULL,
        agent_id {uuid},
        chat_user_id {uuid},
        action {text} NOT NULL,
        actor {text} NOT NULL,
        request_id {text} NOT NULL,
        at {int} NOT NULL,
        changes {text} NOT NULL
    ) {strict}",
    "CREATE INDEX audit_entries_of_chat_user ON audit_entries (chat_user_id, at, id)",
    "CREATE INDEX audit_entries_by_at ON audit_entries (agent_id, at, id)",
    "CREATE INDEX audit_entries_all_by_at ON audit_entries (at, id)",
];

const DOWN: [&str; 8] = [
    "DROP TABLE audit_entries",
    "DROP TABLE subscriptions",
    "DROP INDEX chat_users_blocked",
    "ALTER TABLE chat_users DROP COLUMN blocked_by",
    "ALTER TABLE chat_users DROP COLUMN block_reason",
    "ALTER TABLE chat_users DROP COLUMN blocked_until",
    "ALTER TABLE chat_users DROP COLUMN blocked_at",
    "ALTER TABLE chat_users DROP COLUMN version",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
}

pub(crate) fn down(script: &mut Script) {
    script.run(&DOWN);
}

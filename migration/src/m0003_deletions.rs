//! Users who are deleted: who is hidden, which deletions were asked for and how far they are, who was erased.

use crate::script::Script;

/// A deletion outlives its user, so it refers to nothing. `stage`, `stage_at` and `stage_id` are the place up to which its
/// work is done.
const UP: [&str; 5] = [
    "ALTER TABLE chat_users ADD COLUMN erased_at {int}",
    "CREATE TABLE hidden_chat_users (
        chat_user_id {uuid} PRIMARY KEY NOT NULL REFERENCES chat_users (id) ON DELETE CASCADE,
        hidden_at {int} NOT NULL
    ) {strict}",
    "CREATE TABLE deletions (
        id {uuid} PRIMARY KEY NOT NULL,
        agent_id {uuid} NOT NULL,
        chat_user_id {uuid} NOT NULL,
        mode {text} NOT NULL,
        actor {text} NOT NULL,
        request_id {text} NOT NULL,
        requested_at {int} NOT NULL,
        finished_at {int},
        counts {text} NOT NULL,
        stage {text} NOT NULL,
        stage_at {int} NOT NULL,
        stage_id {uuid} NOT NULL
    ) {strict}",
    "CREATE INDEX deletions_of_chat_user ON deletions (chat_user_id, mode, requested_at, id)",
    "CREATE INDEX deletions_unfinished ON deletions (chat_user_id, requested_at, id) WHERE finished_at IS NULL",
];

const DOWN: [&str; 3] = [
    "DROP TABLE deletions",
    "DROP TABLE hidden_chat_users",
    "ALTER TABLE chat_users DROP COLUMN erased_at",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
}

pub(crate) fn down(script: &mut Script) {
    script.run(&DOWN);
}

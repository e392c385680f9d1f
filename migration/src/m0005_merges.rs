//! Users who were merged into others, users by tag, users who stopped the bot, and subscriptions as a list with pages.

use crate::script::Script;

/// An alias leads straight to the user, however often users were merged. A message keeps the id under which its user was
/// known when it was sent (`sent_as`): external ids are unique with that one. `chat_user_tags` has what `chat_users.tags` has,
/// the tag first, so that one index finds it within an agent and across all.
const UP: [&str; 18] = [
    "CREATE TABLE chat_user_aliases (
        id {uuid} PRIMARY KEY NOT NULL,
        chat_user_id {uuid} NOT NULL REFERENCES chat_users (id) ON DELETE CASCADE,
        agent_id {uuid} NOT NULL,
        platform {text} NOT NULL,
        platform_id {text} NOT NULL,
        merged_at {int} NOT NULL
    ) {strict}",
    "CREATE UNIQUE INDEX chat_user_aliases_platform_id ON chat_user_aliases (agent_id, platform, platform_id)",
    "CREATE INDEX chat_user_aliases_of_chat_user ON chat_user_aliases (chat_user_id, platform)",
    "ALTER TABLE messages ADD COLUMN sent_as {uuid}",
    "DROP INDEX messages_external_id",
    "CREATE UNIQUE INDEX messages_external_id ON messages (chat_user_id, external_id) WHERE sent_as IS NULL",
    "CREATE UNIQUE INDEX messages_sent_as ON messages (chat_user_id, sent_as, external_id) WHERE sent_as IS NOT NULL",
    "CREATE TABLE chat_user_tags (
        tag {text} NOT NULL,
        agent_id {uuid} NOT NULL,
        chat_user_id {uuid} NOT NULL REFERENCES chat_users (id) ON DELETE CASCADE
    ) {strict}",
    "CREATE UNIQUE INDEX chat_user_tags_by_tag ON chat_user_tags (tag, agent_id, chat_user_id)",
    "CREATE INDEX chat_user_tags_of_chat_user ON chat_user_tags (chat_user_id)",
    "INSERT INTO chat_user_tags (tag, agent_id, chat_user_id)
        SELECT tag.value, chat_users.agent_id, chat_users.id FROM chat_users CROSS JOIN {each_tag}",
    "ALTER TABLE chat_users ADD COLUMN stopped_at {int}",
    "CREATE INDEX chat_users_stopped ON chat_users (agent_id, stopped_at, id) WHERE stopped_at IS NOT NULL",
    "CREATE TABLE subscriptions_with_ids (
        id {uuid} PRIMARY KEY NOT NULL,
        chat_user_id {uuid} NOT NULL REFERENCES chat_users (id) ON DELETE CASCADE,
        tag {text} NOT NULL,
        subscribed_at {int} NOT NULL,
        expires_at {int}
    ) {strict}",
    "INSERT INTO subscriptions_with_ids (id, chat_user_id, tag, subscribed_at, expires_at)
        SELECT {random_uuid}, chat_user_id, tag, subscribed_at, expires_at FROM subscriptions",
    "DROP TABLE subscriptions",
    "ALTER TABLE subscriptions_with_ids RENAME TO subscriptions",
    "CREATE UNIQUE INDEX subscriptions_of_chat_user ON subscriptions (chat_user_id, tag)",
];

/// Users who were merged stay merged. Their messages need external ids that are unique again.
const DOWN: [&str; 13] = [
    "UPDATE messages SET external_id = external_id || '~' || {id_text} WHERE sent_as IS NOT NULL",
    "DROP INDEX messages_sent_as",
    "DROP INDEX messages_external_id",
    "ALTER TABLE messages DROP COLUMN sent_as",
    "CREATE UNIQUE INDEX messages_external_id ON messages (chat_user_id, external_id)",
    "DROP TABLE chat_user_aliases",
    "DROP TABLE chat_user_tags",
    "DROP INDEX chat_users_stopped",
    "ALTER TABLE chat_users DROP COLUMN stopped_at",
    "CREATE TABLE subscriptions_without_ids (
        chat_user_id {uuid} NOT NULL REFERENCES chat_users (id) ON DELETE CASCADE,
        tag {text} NOT NULL,
        subscribed_at {int} NOT NULL,
        expires_at {int},
        PRIMARY KEY (chat_user_id, tag)
    ) {strict}",
    "INSERT INTO subscriptions_without_ids (chat_user_id, tag, subscribed_at, expires_at)
        SELECT chat_user_id, tag, subscribed_at, expires_at FROM subscriptions",
    "DROP TABLE subscriptions",
    "ALTER TABLE subscriptions_without_ids RENAME TO subscriptions",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
}

pub(crate) fn down(script: &mut Script) {
    script.run(&DOWN);
}

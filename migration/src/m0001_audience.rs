//! Agents, their audience, sessions and messages, with an index for every order and every look-up.

use crate::script::Script;

/// A message's user is its session's: one reference holds both, and a second would cost a look-up per message.
const TABLES: [&str; 4] = [
    "CREATE TABLE agents (
        id {uuid} PRIMARY KEY NOT NULL,
        external_id {text} NOT NULL,
        name {text},
        name_key {text},
        description {text},
        created_at {int} NOT NULL,
        total_users {int} NOT NULL DEFAULT 0,
        total_sessions {int} NOT NULL DEFAULT 0,
        total_messages {int} NOT NULL DEFAULT 0,
        total_cost_micros {int} NOT NULL DEFAULT 0,
        search_text {text} NOT NULL,
        name_key_asc {text} GENERATED ALWAYS AS (COALESCE(name_key, {max_text})) {stored},
        name_key_desc {text} GENERATED ALWAYS AS (COALESCE(name_key, '')) {stored}
    ) {strict}",
    "CREATE TABLE chat_users (
        {numbered_id},
        agent_id {uuid} NOT NULL REFERENCES agents (id),
        platform {text} NOT NULL,
        platform_id {text} NOT NULL,
        name {text},
        name_key {text},
        email {text},
        email_key {text},
        phone_number {text},
        profile_picture_url {text},
        language {text},
        tags {text} NOT NULL DEFAULT '[]',
        settings {text} NOT NULL DEFAULT '{}',
        created_at {int} NOT NULL,
        last_interaction_at {int} NOT NULL,
        last_message_at {int},
        last_message_id {uuid},
        total_sessions {int} NOT NULL DEFAULT 0,
        total_chat_messages {int} NOT NULL DEFAULT 0,
        total_messages_sent {int} NOT NULL DEFAULT 0,
        total_cost_micros {int} NOT NULL DEFAULT 0,
        search_text {text} NOT NULL,
        name_key_asc {text} GENERATED ALWAYS AS (COALESCE(name_key, {max_text})) {stored},
        name_key_desc {text} GENERATED ALWAYS AS (COALESCE(name_key, '')) {stored},
        last_message_at_asc {int} GENERATED ALWAYS AS (COALESCE(last_message_at, {max_time})) {stored},
        last_message_at_desc {int} GENERATED ALWAYS AS (COALESCE(last_message_at, {min_time})) {stored}
    ) {strict}",
    "CREATE TABLE sessions (
        id {uuid} PRIMARY KEY NOT NULL,
        agent_id {uuid} NOT NULL REFERENCES agents (id),
        chat_user_id {uuid} NOT NULL REFERENCES chat_users (id),
        external_id {text} NOT NULL,
        platform {text} NOT NULL,
        started_at {int} NOT NULL,
        ended_at {int},
        last_message_at {int},
        total_messages {int} NOT NULL DEFAULT 0,
        total_messages_from_user {int} NOT NULL DEFAULT 0,
        total_cost_micros {int} NOT NULL DEFAULT 0,
        subject {text},
        summary {text},
        language {text},
        tags {text} NOT NULL DEFAULT '[]',
        last_message_at_asc {int} GENERATED ALWAYS AS (COALESCE(last_message_at, {max_time})) {stored},
        last_message_at_desc {int} GENERATED ALWAYS AS (COALESCE(last_message_at, {min_time})) {stored}
    ) {strict}",
    "CREATE TABLE messages (
        id {uuid} PRIMARY KEY NOT NULL,
        session_id {uuid} NOT NULL REFERENCES sessions (id),
        chat_user_id {uuid} NOT NULL,
        external_id {text} NOT NULL,
        role {text} NOT NULL,
        text {text} NOT NULL,
        attachments {text} NOT NULL DEFAULT '[]',
        sent_at {int} NOT NULL,
        cost_micros {int}
    ) {strict}",
];

/// Orders within an agent (`…_by_…`), orders across agents (`…_all_by_…`), look-ups. Every list ends in `id`: no ties.
const INDEXES: [&str; 35] = [
    "CREATE UNIQUE INDEX agents_external_id ON agents (external_id)",
    "CREATE INDEX agents_by_created_at ON agents (created_at, id)",
    "CREATE INDEX agents_by_name_key_asc ON agents (name_key_asc, id)",
    "CREATE INDEX agents_by_name_key_desc ON agents (name_key_desc, id)",
    "CREATE INDEX agents_by_total_users ON agents (total_users, id)",
    "CREATE INDEX agents_by_total_sessions ON agents (total_sessions, id)",
    "CREATE INDEX agents_by_total_messages ON agents (total_messages, id)",
    "CREATE UNIQUE INDEX chat_users_platform_id ON chat_users (agent_id, platform, platform_id)",
    "CREATE INDEX chat_users_email_key ON chat_users (email_key, agent_id)",
    "CREATE INDEX chat_users_by_created_at ON chat_users (agent_id, created_at, id)",
    "CREATE INDEX chat_users_by_name_key_asc ON chat_users (agent_id, name_key_asc, id)",
    "CREATE INDEX chat_users_by_name_key_desc ON chat_users (agent_id, name_key_desc, id)",
    "CREATE INDEX chat_users_by_last_interaction_at ON chat_users (agent_id, last_interaction_at, id)",
    "CREATE INDEX chat_users_by_last_message_at_asc ON chat_users (agent_id, last_message_at_asc, id)",
    // The default orders also carry what a search looks at, so that a search reads the index alone.
    "CREATE INDEX chat_users_by_last_message_at_desc ON chat_users (agent_id, last_message_at_desc, id{covering}platform, search_text)",
    "CREATE INDEX chat_users_by_total_sessions ON chat_users (agent_id, total_sessions, id)",
    "CREATE INDEX chat_users_by_total_chat_messages ON chat_users (agent_id, total_chat_messages, id)",
    "CREATE INDEX chat_users_by_total_messages_sent ON chat_users (agent_id, total_messages_sent, id)",
    "CREATE INDEX chat_users_by_total_cost_micros ON chat_users (agent_id, total_cost_micros, id)",
    "CREATE INDEX chat_users_all_by_created_at ON chat_users (created_at, id)",
    "CREATE INDEX chat_users_all_by_last_interaction_at ON chat_users (last_interaction_at, id)",
    "CREATE INDEX chat_users_all_by_last_message_at_asc ON chat_users (last_message_at_asc, id)",
    "CREATE INDEX chat_users_all_by_last_message_at_desc ON chat_users (last_message_at_desc, id{covering}platform, search_text)",
    "CREATE UNIQUE INDEX sessions_external_id ON sessions (agent_id, external_id)",
    "CREATE INDEX sessions_of_chat_user ON sessions (chat_user_id, started_at, id)",
    "CREATE INDEX sessions_by_started_at ON sessions (agent_id, started_at, id)",
    "CREATE INDEX sessions_by_last_message_at_asc ON sessions (agent_id, last_message_at_asc, id)",
    "CREATE INDEX sessions_by_last_message_at_desc ON sessions (agent_id, last_message_at_desc, id)",
    "CREATE INDEX sessions_by_total_messages ON sessions (agent_id, total_messages, id)",
    "CREATE INDEX sessions_all_by_started_at ON sessions (started_at, id)",
    "CREATE INDEX sessions_all_by_last_message_at_asc ON sessions (last_message_at_asc, id)",
    "CREATE INDEX sessions_all_by_last_message_at_desc ON sessions (last_message_at_desc, id)",
    "CREATE UNIQUE INDEX messages_external_id ON messages (chat_user_id, external_id)",
    "CREATE INDEX messages_of_session ON messages (session_id, sent_at, id)",
    "CREATE INDEX messages_of_chat_user ON messages (chat_user_id, sent_at, id)",
];

/// Finds users by short pieces of their search text, within an agent or across all. `SQLite` finds everything by grams of up
/// to three characters; PostgreSQL has its own trigrams, and grams for what is shorter.
const SEARCH_SQLITE: [&str; 2] = [
    "CREATE VIRTUAL TABLE chat_user_grams USING fts5(grams, content='', contentless_delete=1, detail='none', tokenize='ascii')",
    "CREATE TRIGGER chat_user_grams_follow AFTER DELETE ON chat_users BEGIN DELETE FROM chat_user_grams WHERE rowid = old.number; END",
];
const SEARCH_POSTGRES: [&str; 3] = [
    "CREATE TABLE chat_user_grams (
        chat_user_id uuid PRIMARY KEY REFERENCES chat_users (id) ON DELETE CASCADE,
        agent_id uuid NOT NULL,
        grams text[] COLLATE \"C\" NOT NULL
    )",
    "CREATE INDEX chat_user_grams_search ON chat_user_grams USING gin (agent_id, grams)",
    "CREATE INDEX chat_users_search_trigrams ON chat_users USING gin (agent_id, search_text gin_trgm_ops)",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&TABLES);
    script.run(&INDEXES);
    if script.is_postgres() {
        script.extension("pg_trgm");
        script.extension("btree_gin");
        script.run(&SEARCH_POSTGRES);
    } else {
        script.run(&SEARCH_SQLITE);
    }
}

pub(crate) fn down(script: &mut Script) {
    script.run(&[
            "DROP TABLE chat_user_grams",
            "DROP TABLE messages",
            "DROP TABLE sessions",
            "DROP TABLE chat_users",
            "DROP TABLE agents",
        ],
    );
}

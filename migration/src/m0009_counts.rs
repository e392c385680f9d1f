//! Counts that are stored: the users of an agent on each platform. On PostgreSQL the index that searches by trigrams knows the
//! platform.

use crate::script::Script;

/// Those who are hidden are counted too, as in `agents.total_users`.
const UP: [&str; 2] = [
    "CREATE TABLE agent_platforms (
        agent_id {uuid} NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
        platform {text} NOT NULL,
        users {int} NOT NULL,
        PRIMARY KEY (agent_id, platform)
    ) {strict}",
    "INSERT INTO agent_platforms (agent_id, platform, users)
        SELECT agent_id, platform, COUNT(*) FROM chat_users GROUP BY agent_id, platform",
];

const UP_POSTGRES: [&str; 2] = [
    "DROP INDEX chat_users_search_trigrams",
    "CREATE INDEX chat_users_search_trigrams ON chat_users USING gin (agent_id, platform, search_text gin_trgm_ops)",
];

const DOWN_POSTGRES: [&str; 2] = [
    "DROP INDEX chat_users_search_trigrams",
    "CREATE INDEX chat_users_search_trigrams ON chat_users USING gin (agent_id, search_text gin_trgm_ops)",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
    if script.is_postgres() {
        script.run(&UP_POSTGRES);
    }
}

pub(crate) fn down(script: &mut Script) {
    if script.is_postgres() {
        script.run(&DOWN_POSTGRES);
    }
    script.run(&["DROP TABLE agent_platforms"]);
}

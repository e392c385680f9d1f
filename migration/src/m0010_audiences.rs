//! The indexes that search know the users of an agent on a platform by one key. `SQLite`'s index of grams is emptied here; the program,
//! which knows how its words are made, fills it in the same transaction.

use crate::script::Script;

const UP_POSTGRES: [&str; 2] = [
    "DROP INDEX chat_users_search_trigrams",
    "CREATE INDEX chat_users_search_trigrams ON chat_users \
        USING gin (agent_id, platform, (agent_id::text || platform), search_text gin_trgm_ops)",
];

const DOWN_POSTGRES: [&str; 2] = [
    "DROP INDEX chat_users_search_trigrams",
    "CREATE INDEX chat_users_search_trigrams ON chat_users USING gin (agent_id, platform, search_text gin_trgm_ops)",
];

pub(crate) fn up(script: &mut Script) {
    if script.is_postgres() {
        return script.run(&UP_POSTGRES);
    }
    let empty = "INSERT INTO chat_user_grams (chat_user_grams) VALUES ('delete-all')";
    script.run(&[empty]);
}

/// One word more in `SQLite`'s index than is asked for does no harm.
pub(crate) fn down(script: &mut Script) {
    if script.is_postgres() {
        script.run(&DOWN_POSTGRES);
    }
}

//! Tokens: what programs, and people without a provider of identities, prove with who they are.

use crate::script::Script;

/// `hash` is all that is kept of the secret. `agents` is NULL for a token that is for all of them. Names are unique among
/// the tokens that are not revoked: a name in the log means one token at a time.
const UP: [&str; 5] = [
    "CREATE TABLE tokens (
        id {uuid} PRIMARY KEY NOT NULL,
        name {text} NOT NULL,
        roles {text} NOT NULL,
        agents {text},
        hash {text} NOT NULL,
        created_at {int} NOT NULL,
        created_by {text} NOT NULL,
        expires_at {int},
        revoked_at {int},
        last_used_at {int}
    ) {strict}",
    "CREATE UNIQUE INDEX tokens_by_hash ON tokens (hash)",
    "CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at IS NULL",
    "CREATE INDEX tokens_by_created_at ON tokens (created_at, id)",
    "CREATE VIEW token_agents AS
        SELECT tokens.id AS token_id, agent.value AS agent FROM tokens CROSS JOIN {each_agent}",
];

const DOWN: [&str; 2] = ["DROP VIEW token_agents", "DROP TABLE tokens"];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
}

pub(crate) fn down(script: &mut Script) {
    script.run(&DOWN);
}

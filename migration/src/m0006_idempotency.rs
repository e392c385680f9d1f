//! Mutations that were sent with a key: what came of them, so that sending one again does nothing twice.

use crate::script::Script;

/// A row is kept for a day. `outcomes` has what came of each transaction of the request, by its place in it.
const UP: [&str; 2] = [
    "CREATE TABLE idempotency_keys (
        owner {text} NOT NULL,
        idempotency_key {text} NOT NULL,
        request {text} NOT NULL,
        outcomes {text} NOT NULL DEFAULT '{}',
        status {int},
        answer {text},
        created_at {int} NOT NULL,
        PRIMARY KEY (owner, idempotency_key)
    ) {strict}",
    "CREATE INDEX idempotency_keys_by_created_at ON idempotency_keys (created_at)",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
}

pub(crate) fn down(script: &mut Script) {
    script.run(&["DROP TABLE idempotency_keys"]);
}

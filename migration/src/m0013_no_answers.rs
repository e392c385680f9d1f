//! Answers of mutations that were sent with a key are not kept any more, and keys only as hashes. Keys from before are forgotten: they
//! would have been kept for a day.

use crate::script::Script;

const UP: [&str; 3] = [
    "DELETE FROM idempotency_keys",
    "ALTER TABLE idempotency_keys DROP COLUMN status",
    "ALTER TABLE idempotency_keys DROP COLUMN answer",
];

const DOWN: [&str; 3] = [
    "DELETE FROM idempotency_keys",
    "ALTER TABLE idempotency_keys ADD COLUMN status {int}",
    "ALTER TABLE idempotency_keys ADD COLUMN answer {text}",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
}

pub(crate) fn down(script: &mut Script) {
    script.run(&DOWN);
}

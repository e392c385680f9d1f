//! Reads of personal data in the audit log: which operation, and whose data.

use crate::script::Script;

/// `chat_user_ids` is a JSON array of ids in their text form: whose data was read.
const UP: [&str; 2] = [
    "ALTER TABLE audit_entries ADD COLUMN operation {text}",
    "ALTER TABLE audit_entries ADD COLUMN chat_user_ids {text} NOT NULL DEFAULT '[]'",
];

const DOWN: [&str; 2] = [
    "ALTER TABLE audit_entries DROP COLUMN chat_user_ids",
    "ALTER TABLE audit_entries DROP COLUMN operation",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
}

pub(crate) fn down(script: &mut Script) {
    script.run(&DOWN);
}

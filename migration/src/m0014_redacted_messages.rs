//! When a message was redacted: its text and attachments are gone, and it still counts.

use crate::script::Script;

pub(crate) fn up(script: &mut Script) {
    let add = "ALTER TABLE messages ADD COLUMN redacted_at {int}";
    script.run(&[add]);
}

pub(crate) fn down(script: &mut Script) {
    let remove = "ALTER TABLE messages DROP COLUMN redacted_at";
    script.run(&[remove]);
}

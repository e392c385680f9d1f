//! Lists of deletions: everywhere, and of one agent.

use crate::script::Script;

const UP: [&str; 2] = [
    "CREATE INDEX deletions_by_requested_at ON deletions (requested_at, id)",
    "CREATE INDEX deletions_of_agent ON deletions (agent_id, requested_at, id)",
];

const DOWN: [&str; 2] = [
    "DROP INDEX deletions_of_agent",
    "DROP INDEX deletions_by_requested_at",
];

pub(crate) fn up(script: &mut Script) {
    script.run(&UP);
}

pub(crate) fn down(script: &mut Script) {
    script.run(&DOWN);
}

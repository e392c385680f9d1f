//! What fixed requests cost, in units that no busy machine changes: statements, allocations, and instructions where valgrind is
//! installed. Compared with what `costs.toml` says; `UPDATE=1` rewrites it.
//!
//! The program is built as for all tests. Its figures are not those of a release, but what makes a request dearer there makes it
//! dearer here, and nobody has to wait for another build.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on ends, and says where it was"
)]

mod audience;
mod callgrind;
mod ledger;
mod question;
mod server;

use ledger::{Entry, Ledger};
use question::Question;
use server::Server;

#[test]
fn requests_cost_what_they_did() {
    if let Some(file) = callgrind::file() {
        return callgrind::answer(&Server::over(&file));
    }
    let file = audience::file();
    let server = Server::over(&file);
    let questions = Question::all(&server);
    let instructions = callgrind::instructions(&file, questions.len());
    let entries = questions.into_iter().enumerate();
    let entries = entries.map(|(place, question)| {
        let (statements, allocations) = server.count(&question);
        let entry = Entry {
            statements,
            allocations: allocations.count_total,
            bytes: allocations.bytes_total,
            instructions: instructions.as_ref().map(|all| all[place]),
        };
        (question.name, entry)
    });
    let now = Ledger::of(entries.collect());
    std::fs::remove_file(&file).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        now.write();
    }
    let complaints = Ledger::read().compare(&now);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

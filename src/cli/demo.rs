//! `parlour demo`: fills the database with a made-up audience.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands talk to the person who gave them"
)]

use std::fmt;
use std::io::{IsTerminal, stderr};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::db::Database;
use crate::demo::{Audience, Size};
use crate::error::Result;
use crate::write::event::Event;
use crate::write::{EventOutcome, apply_in_lanes};

/// Events that go into the database together: enough for the price of a commit not to matter, few enough to be held.
const BATCH: usize = 20_000;
/// Messages between two lines of progress, where there is no terminal to draw a bar on.
const LINE: u64 = 500_000;
const BAR: &str = "{wide_bar} {human_pos}/{human_len} messages, {eta} left";

/// How large an audience.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Users; never more than messages, for it is by their messages that they exist.
    #[arg(long, value_name = "N", default_value_t = Size::DEFAULT.users, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub users: u64,
    /// Messages.
    #[arg(long, value_name = "M", default_value_t = Size::DEFAULT.messages, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub messages: u64,
    /// Sessions, one for each user at least, and a third of the messages at most [default: as many as come of themselves]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub sessions: Option<u64>,
    /// Another seed makes another audience.
    #[arg(long, value_name = "S", default_value_t = Size::DEFAULT.seed)]
    pub seed: u64,
}

/// What a made-up audience added to the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Agents that are new.
    pub agents: u64,
    /// Users that are new.
    pub users: u64,
    /// Sessions that are new.
    pub sessions: u64,
    /// Messages that are new.
    pub messages: u64,
    /// Messages that were there before, or could not be stored.
    pub skipped: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [users, sessions, messages] =
            [self.users, self.sessions, self.messages].map(HumanCount);
        write!(
            to,
            "added {messages} messages in {sessions} sessions of {users} users of {} agents",
            self.agents
        )?;
        if self.skipped > 0 {
            write!(
                to,
                "; {} messages were there already",
                HumanCount(self.skipped)
            )?;
        }
        Ok(())
    }
}

/// Runs the command.
pub(super) async fn run(arguments: &Arguments, database: &Database) -> Result<()> {
    let size = Size {
        users: arguments.users,
        messages: arguments.messages,
        sessions: arguments.sessions,
        seed: arguments.seed,
    };
    println!("{}", fill(database, size).await?);
    Ok(())
}

/// Stores the made-up audience of this size, and shows how far it has come.
pub(super) async fn fill(database: &Database, size: Size) -> Result<Summary> {
    let mut audience = Audience::new(size);
    let mut progress = Progress::new(size.messages);
    let mut summary = Summary::default();
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        batch.extend(audience.by_ref().take(BATCH));
        if batch.is_empty() {
            break;
        }
        summary.add(&store(database, &batch).await?);
        progress.advance(batch.len() as u64);
        batch.clear();
    }
    progress.finish();
    database.analyze().await?;
    Ok(summary)
}

async fn store(database: &Database, batch: &[Event]) -> Result<Summary> {
    let outcome = apply_in_lanes(&database.writer, batch).await?;
    let messages = outcome
        .outcomes
        .iter()
        .filter(|fate| **fate == EventOutcome::Recorded)
        .count() as u64;
    let skipped = outcome.outcomes.len() as u64 - messages;
    Ok(Summary {
        agents: outcome.agents,
        users: outcome.users,
        sessions: outcome.sessions,
        messages,
        skipped,
    })
}

impl Summary {
    const fn add(&mut self, other: &Self) {
        self.agents += other.agents;
        self.users += other.users;
        self.sessions += other.sessions;
        self.messages += other.messages;
        self.skipped += other.skipped;
    }
}

/// How far the work has come: a bar on a terminal, a line now and then elsewhere.
enum Progress {
    Bar(ProgressBar),
    Lines { done: u64, of: u64 },
}

impl Progress {
    fn new(messages: u64) -> Self {
        if !stderr().is_terminal() {
            return Self::Lines {
                done: 0,
                of: messages,
            };
        }
        let style =
            ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self::Bar(ProgressBar::new(messages).with_style(style))
    }

    fn advance(&mut self, messages: u64) {
        match self {
            Self::Bar(bar) => bar.inc(messages),
            Self::Lines { done, of } => {
                let before = *done / LINE;
                *done += messages;
                if *done / LINE > before {
                    eprintln!("{} of {} messages", HumanCount(*done), HumanCount(*of));
                }
            }
        }
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

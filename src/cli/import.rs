//! `parlour import`: takes lines of the exchange format into the database.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks to its user"
)]

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::config::CLOCK_AHEAD;
use crate::db::Database;
use crate::error::Result;
use crate::import::{
    Allowed, Batch, Broken, MAX_WINDOW_LOG, Position, Reading, Reject, RejectsFile, Source,
    WINDOW_LOG, total_bytes,
};
use crate::write::{EventOutcome, apply_in_lanes};

/// How many rejected lines are shown; all of them are counted, and kept with `--rejects`.
const SHOWN: u64 = 20;
/// How often progress is reported where there is no bar.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// Exit code of an import that went through, but not with every line.
const SOME_REJECTED: u8 = 2;

/// What is imported, and what becomes of lines that are not taken.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files to read, in this order; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Writes rejected lines with their reasons to this file, replacing it; one JSON object a line, the first 64 KiB of the line as its `input`
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Largest window of a zstd file, as a power of two: 31 reads what `zstd --long=31` wrote, and takes 2 GiB of memory for it
    #[arg(long, value_name = "LOG", default_value_t = WINDOW_LOG, value_parser = clap::value_parser!(u32).range(10..=i64::from(MAX_WINDOW_LOG)))]
    pub zstd_window_log: u32,
    /// How far ahead of the clock the times of lines may be
    #[arg(long, env = "PARLOUR_CLOCK_AHEAD_LIMIT", value_name = "SECONDS", default_value_t = CLOCK_AHEAD)]
    pub clock_ahead_limit: u64,
    /// Prints the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Arguments {
    const fn allowed(&self) -> Allowed {
        Allowed {
            window_log: self.zstd_window_log,
            clock_ahead: Duration::from_secs(self.clock_ahead_limit),
        }
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Summary {
    /// Files that were read to their end.
    files: usize,
    /// Lines with something on them: recorded, duplicate or rejected.
    lines: u64,
    recorded: u64,
    duplicates: u64,
    rejected: u64,
    agents: u64,
    users: u64,
    sessions: u64,
    seconds: f64,
}

/// Runs the command.
pub(super) async fn run(arguments: &Arguments, database: &Database) -> Result<ExitCode> {
    let sources = Source::all(&arguments.files)?;
    let rejects = arguments
        .rejects
        .as_deref()
        .map(|path| RejectsFile::create(path, &sources))
        .transpose()?;
    let mut import = Import {
        names: sources.iter().map(Source::name).collect(),
        progress: Progress::new(total_bytes(&sources)),
        rejects,
        summary: Summary::default(),
        broken: 0,
        reached: None,
    };
    let reading = Reading::start(sources, arguments.allowed())?;
    if let Err(error) = import.take(reading, database).await {
        import.progress.clear();
        import.progress.say(&import.interrupted());
        return Err(error);
    }
    import.finish(arguments, database).await
}

/// An import under way.
struct Import {
    /// What messages call each source.
    names: Vec<String>,
    progress: Progress,
    rejects: Option<RejectsFile>,
    summary: Summary,
    /// How many sources could not be read to their end.
    broken: usize,
    /// The last line that is done with.
    reached: Option<Position>,
}

impl Import {
    /// Takes all there is to read, one transaction a batch.
    async fn take(&mut self, mut reading: Reading, database: &Database) -> Result<()> {
        while let Some(batch) = reading.next().await? {
            let end = batch.end();
            self.batch(batch, database).await?;
            self.reached = end.or(self.reached);
            self.progress.report(reading.bytes(), &self.summary);
        }
        Ok(())
    }

    async fn batch(&mut self, mut batch: Batch, database: &Database) -> Result<()> {
        let broken = std::mem::take(&mut batch.broken);
        let lines = batch.lines();
        let mut outcomes = Vec::new();
        if !batch.events.is_empty() {
            let outcome = apply_in_lanes(&database.writer, &batch.events).await?;
            self.summary.agents += outcome.agents;
            self.summary.users += outcome.users;
            self.summary.sessions += outcome.sessions;
            outcomes = outcome.outcomes;
        }
        self.summary.lines += count(lines);
        self.summary.recorded += count(
            outcomes
                .iter()
                .filter(|fate| matches!(fate, EventOutcome::Recorded))
                .count(),
        );
        self.summary.duplicates += count(
            outcomes
                .iter()
                .filter(|fate| matches!(fate, EventOutcome::Duplicate))
                .count(),
        );
        let refused = outcomes.into_iter().map(|fate| match fate {
            EventOutcome::Rejected(rejection) => Some(rejection),
            EventOutcome::Recorded | EventOutcome::Duplicate => None,
        });
        for reject in batch.into_rejects(refused) {
            self.reject(&reject)?;
        }
        for broken in broken {
            self.broken += 1;
            self.progress
                .say(&broke_off(&self.names[broken.position.source], &broken));
        }
        self.rejects.as_mut().map_or(Ok(()), RejectsFile::flush)
    }

    fn reject(&mut self, reject: &Reject) -> Result<()> {
        let name = &self.names[reject.position.source];
        if self.summary.rejected < SHOWN {
            self.progress.say(&rejected(name, reject));
        }
        self.summary.rejected += 1;
        self.rejects
            .as_mut()
            .map_or(Ok(()), |file| file.write(name, reject))
    }

    /// What to know after a failure.
    fn interrupted(&self) -> String {
        let reached = self.reached.map_or_else(
            || "stopped before anything was imported".to_owned(),
            |end| {
                format!(
                    "stopped after line {} of {}; what was imported stays",
                    end.line, self.names[end.source]
                )
            },
        );
        format!("{reached}; the same import can be run again")
    }

    async fn finish(mut self, arguments: &Arguments, database: &Database) -> Result<ExitCode> {
        if self.summary.recorded > 0 {
            database.analyze().await?;
        }
        self.progress.clear();
        self.summary.files = self.names.len() - self.broken;
        self.summary.seconds =
            (self.progress.start.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        if arguments.json {
            println!(
                "{}",
                serde_json::to_string(&self.summary).unwrap_or_default()
            );
        } else {
            println!(
                "{}",
                self.summary
                    .in_words(self.broken, arguments.rejects.as_deref())
            );
        }
        Ok(exit_code(self.broken, self.summary.rejected).into())
    }
}

impl Summary {
    /// For people.
    fn in_words(&self, broken: usize, rejects: Option<&Path>) -> String {
        let mut lines = vec![format!(
            "{} and {} read in {:.1} s",
            counted(count(self.files), "file"),
            counted(self.lines, "line"),
            self.seconds
        )];
        if broken > 0 {
            lines.push(format!(
                "  broken off  {}, see above",
                counted(count(broken), "file")
            ));
        }
        lines.push(format!(
            "  recorded    {}, with {}, {} and {} that are new",
            counted(self.recorded, "line"),
            counted(self.agents, "agent"),
            counted(self.users, "user"),
            counted(self.sessions, "session"),
        ));
        lines.push(format!("  duplicates  {}", HumanCount(self.duplicates)));
        if self.rejected > 0 {
            lines.push(format!("  rejected    {}", self.rejected_in_words(rejects)));
        }
        lines.join("\n")
    }

    fn rejected_in_words(&self, rejects: Option<&Path>) -> String {
        let more = self.rejected.saturating_sub(SHOWN);
        let shown = match more {
            0 => String::new(),
            more => format!(": the {SHOWN} above … and {} more", HumanCount(more)),
        };
        let kept = match rejects {
            Some(path) => format!("; all of them are in {}", path.display()),
            None if more > 0 => "; `--rejects FILE` keeps them all".to_owned(),
            None => String::new(),
        };
        format!("{}{shown}{kept}", counted(self.rejected, "line"))
    }
}

/// How far an import is, on standard error: a bar on a terminal, else a line now and then.
struct Progress {
    start: Instant,
    reported: Instant,
    total: Option<u64>,
    bar: Option<ProgressBar>,
}

impl Progress {
    fn new(total: Option<u64>) -> Self {
        let now = Instant::now();
        Self {
            start: now,
            reported: now,
            total,
            bar: std::io::stderr().is_terminal().then(|| bar(total)),
        }
    }

    /// Says how far it is, if it is time to.
    fn report(&mut self, bytes: u64, summary: &Summary) {
        let seconds = self.start.elapsed().as_secs().max(1);
        let lines = format!(
            "{}, {}/s",
            counted(summary.lines, "line"),
            HumanCount(summary.lines / seconds)
        );
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.set_message(lines);
        } else if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            let of = self
                .total
                .map(|total| format!(" of {}", HumanBytes(total)))
                .unwrap_or_default();
            eprintln!("{lines}, {}{of}", HumanBytes(bytes));
        }
    }

    /// Says something in between.
    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the bar away.
    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:30} {bytes} of {total_bytes}, {msg}, {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes}, {msg}, {elapsed}",
        ),
    };
    bar.enable_steady_tick(Duration::from_millis(250));
    bar.with_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}

/// A rejected line, in one line.
fn rejected(name: &str, reject: &Reject) -> String {
    let line = reject.position.line;
    match (reject.column, &reject.key) {
        (Some(column), _) => format!("{name}:{line}:{column}: {}", reject.reason),
        (None, Some(key)) => format!("{name}:{line}: {key}: {}", reject.reason),
        (None, None) => format!("{name}:{line}: {}", reject.reason),
    }
}

/// A source that could not be read to its end, in one line.
fn broke_off(name: &str, broken: &Broken) -> String {
    let Broken {
        position: Position { line, .. },
        byte,
        reason,
    } = broken;
    if *line == 1 {
        return format!("error: {name} cannot be read: {reason}");
    }
    format!(
        "error: {name} cannot be read from line {line} on, after {byte} bytes: {reason}; the lines before are taken"
    )
}

const fn exit_code(broken: usize, rejected: u64) -> u8 {
    match (broken, rejected) {
        (0, 0) => 0,
        (0, _) => SOME_REJECTED,
        _ => 1,
    }
}

/// `1,234 lines`, `1 line`.
fn counted(number: u64, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        HumanCount(number),
        if number == 1 { "" } else { "s" }
    )
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Summary, broke_off, exit_code, rejected};
    use crate::import::{Broken, Position, Reject};

    #[test]
    fn a_rejected_line_is_said_in_one_line() {
        let position = Position { source: 0, line: 7 };
        let mut reject = Reject {
            position,
            column: Some(3),
            key: None,
            reason: "expected `:`".into(),
            input: String::new(),
        };
        assert_eq!(rejected("a.gz", &reject), "a.gz:7:3: expected `:`");
        reject = Reject {
            column: None,
            key: Some("user.platform".into()),
            reason: "is missing".into(),
            ..reject
        };
        assert_eq!(
            rejected("a.gz", &reject),
            "a.gz:7: user.platform: is missing"
        );
        reject = Reject {
            key: None,
            reason: "is longer than 4 MiB".into(),
            ..reject
        };
        assert_eq!(rejected("a.gz", &reject), "a.gz:7: is longer than 4 MiB");
    }

    #[test]
    fn a_broken_file_is_said_with_its_place() {
        let broken = Broken {
            position: Position { source: 0, line: 7 },
            byte: 99,
            reason: "unexpected end of file".into(),
        };
        assert_eq!(
            broke_off("a.gz", &broken),
            "error: a.gz cannot be read from line 7 on, after 99 bytes: unexpected end of file; the lines before are taken"
        );
    }

    #[test]
    fn the_summary_says_where_the_other_rejects_are() {
        let mut summary = Summary {
            files: 1,
            lines: 1_002,
            recorded: 1_000,
            rejected: 2,
            users: 1,
            seconds: 0.25,
            ..Summary::default()
        };
        let (counts, rest) = (
            "1 file and 1,002 lines read in 0.2 s",
            "0 agents, 1 user and 0 sessions that are new",
        );
        assert_eq!(
            summary.in_words(0, None),
            format!(
                "{counts}\n  recorded    1,000 lines, with {rest}\n  duplicates  0\n  rejected    2 lines"
            )
        );
        summary.rejected = 25;
        assert!(
            summary
                .in_words(0, None)
                .ends_with("25 lines: the 20 above … and 5 more; `--rejects FILE` keeps them all")
        );
        assert!(
            summary
                .in_words(1, Some(Path::new("r")))
                .ends_with("… and 5 more; all of them are in r")
        );
    }

    #[test]
    fn the_exit_code_tells_failure_from_rejects() {
        assert_eq!(
            [
                exit_code(0, 0),
                exit_code(0, 5),
                exit_code(1, 0),
                exit_code(1, 5)
            ],
            [0, 2, 1, 1]
        );
    }

    #[test]
    fn the_json_summary_has_its_keys_in_order() {
        assert_eq!(
            serde_json::to_string(&Summary::default()).unwrap(),
            r#"{"files":0,"lines":0,"recorded":0,"duplicates":0,"rejected":0,"agents":0,"users":0,"sessions":0,"seconds":0.0}"#
        );
    }
}

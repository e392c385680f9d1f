//! Reads ahead: a thread unpacks, splits and parses while the database takes the batch before.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::decompress::decompress;
use super::lines::{LIMIT, Line, Lines};
use super::parse::{Flaw, parse};
use super::reject::{Position, Reject, excerpt};
use super::source::Source;
use crate::clock::Timestamp;
use crate::error::{Internal, Result};
use crate::write::event::{Event, Rejection};

/// Most lines of a batch.
const MAX_LINES: usize = 20_000;
/// Most bytes of lines in a batch, give or take a line.
const MAX_BYTES: usize = 16 << 20;
/// Batches that are ready before the reading thread waits.
const AHEAD: usize = 2;

/// Some lines, in the order of reading.
#[derive(Debug, Default)]
pub struct Batch {
    /// What can be stored.
    pub events: Vec<Event>,
    /// Where each event comes from.
    origins: Vec<Origin>,
    /// What cannot.
    rejects: Vec<Reject>,
    /// The sources that could not be read to their end.
    pub broken: Vec<Broken>,
    /// Bytes of the lines, as far as they are still held.
    bytes: usize,
}

/// The line of an event: it may be refused yet.
#[derive(Debug)]
struct Origin {
    position: Position,
    text: String,
}

/// A source that could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where it broke.
    pub position: Position,
    /// How much of it had been read, in bytes as they are stored.
    pub byte: u64,
    /// Why.
    pub reason: String,
}

impl Batch {
    /// How many lines it is made of.
    pub fn lines(&self) -> usize {
        self.events.len() + self.rejects.len()
    }

    /// Where its last line is.
    pub fn end(&self) -> Option<Position> {
        let event = self.origins.last().map(|origin| origin.position);
        event.max(self.rejects.last().map(|reject| reject.position))
    }

    /// All of its lines that were not taken, in the order of reading: those that were no events, and those that were refused now,
    /// which `refused` gives one by one for the events in their order.
    pub fn into_rejects(self, refused: impl IntoIterator<Item = Option<Rejection>>) -> Vec<Reject> {
        let mut rejects = self.rejects;
        for (origin, rejection) in self.origins.into_iter().zip(refused) {
            if let Some(rejection) = rejection {
                rejects.push(Reject::new(
                    origin.position,
                    rejection.into(),
                    origin.text.as_bytes(),
                ));
            }
        }
        rejects.sort_by_key(|reject| reject.position);
        rejects
    }

    fn add(&mut self, position: Position, line: &[u8], length: Line, latest: Timestamp) {
        let parsed = match length {
            Line::TooLong => Err(Flaw::whole(format!("is longer than {} MiB", LIMIT >> 20))),
            Line::Whole | Line::End => parse(line, latest),
        };
        match parsed {
            Ok(event) => {
                self.bytes += line.len();
                let text = excerpt(line);
                self.events.push(event);
                self.origins.push(Origin { position, text });
            }
            Err(flaw) => {
                let reject = Reject::new(position, flaw, line);
                self.bytes += reject.input.len();
                self.rejects.push(reject);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.lines() >= MAX_LINES || self.bytes >= MAX_BYTES
    }
}

/// What an import takes.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// The power of two that the window of a zstd file may have at most.
    pub window_log: u32,
    /// How far ahead of the clock the times of events may be.
    pub clock_ahead: Duration,
}

/// An import being read.
#[derive(Debug)]
pub struct Reading {
    batches: Receiver<Batch>,
    thread: Option<JoinHandle<()>>,
    bytes: Arc<AtomicU64>,
}

impl Reading {
    /// Begins to read. It stops by itself when this value is dropped.
    pub fn start(sources: Vec<Source>, allowed: Allowed) -> Result<Self> {
        let (sender, batches) = channel(AHEAD);
        let bytes = Arc::new(AtomicU64::new(0));
        let reader = Reader {
            batch: Batch::default(),
            sender,
            bytes: Arc::clone(&bytes),
            allowed,
        };
        let thread = std::thread::Builder::new()
            .name("import".to_owned())
            .spawn(move || reader.run(&sources))?;
        Ok(Self {
            batches,
            thread: Some(thread),
            bytes,
        })
    }

    /// The next batch; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Batch>> {
        if let Some(batch) = self.batches.recv().await {
            return Ok(Some(batch));
        }
        // A thread that died looks like one that came to the end, and must not be taken for it.
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => {
                Err(Internal::Io("the thread that reads the import panicked".to_owned()).into())
            }
            Some(Ok(())) | None => Ok(None),
        }
    }

    /// How much has been read of all sources, in bytes as they are stored.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// What ends a thread before its time: nobody waits for its batches any more.
struct Unwanted;

/// The reading thread.
struct Reader {
    batch: Batch,
    sender: Sender<Batch>,
    bytes: Arc<AtomicU64>,
    allowed: Allowed,
}

impl Reader {
    fn run(mut self, sources: &[Source]) {
        for (number, source) in sources.iter().enumerate() {
            if self.source(number, source).is_err() {
                return;
            }
        }
        self.send().ok();
    }

    /// Reads one source to its end, or to where it breaks; the next ones are read all the same.
    fn source(&mut self, number: usize, source: &Source) -> Result<(), Unwanted> {
        let start = self.bytes.load(Ordering::Relaxed);
        let mut position = Position {
            source: number,
            line: 0,
        };
        let lines = source
            .open(&self.bytes)
            .and_then(|packed| decompress(packed, self.allowed.window_log))
            .map(|text| Lines::new(text, LIMIT));
        let result = match lines {
            Ok(mut lines) => self.lines(&mut lines, &mut position)?,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            let byte = self.bytes.load(Ordering::Relaxed) - start;
            position.line += 1;
            self.batch.broken.push(Broken {
                position,
                byte,
                reason: error.to_string(),
            });
        }
        Ok(())
    }

    /// Reads lines until there are no more or they cannot be read; `position` stays at the last one.
    fn lines(
        &mut self,
        lines: &mut Lines<impl io::BufRead>,
        position: &mut Position,
    ) -> Result<io::Result<()>, Unwanted> {
        let mut line = Vec::new();
        loop {
            let length = match lines.read(&mut line) {
                Ok(Line::End) => return Ok(Ok(())),
                Ok(length) => length,
                Err(error) => return Ok(Err(error)),
            };
            position.line = lines.number();
            if !line.trim_ascii().is_empty() || length == Line::TooLong {
                let latest = Timestamp::now().after(self.allowed.clock_ahead);
                self.batch.add(*position, &line, length, latest);
            }
            if self.batch.is_full() {
                self.send()?;
            }
        }
    }

    fn send(&mut self) -> Result<(), Unwanted> {
        self.sender
            .blocking_send(std::mem::take(&mut self.batch))
            .map_err(|_| Unwanted)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::{Batch, Reading};
    use crate::import::{Allowed, Position, Source, WINDOW_LOG};
    use crate::write::event::reject;

    const ALLOWED: Allowed = Allowed {
        window_log: WINDOW_LOG,
        clock_ahead: std::time::Duration::ZERO,
    };

    fn line(message: &str) -> String {
        format!(
            r#"{{"agent":{{"external_id":"a"}},"user":{{"platform":"WEB","platform_id":"u"}},"session":{{"external_id":"s"}},"message":{{"external_id":"{message}","role":"user","text":"","sent_at":"2026-01-01T00:00:00Z"}}}}"#
        )
    }

    fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> Source {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        Source::File(path)
    }

    async fn read(sources: Vec<Source>) -> Vec<Batch> {
        let mut reading = Reading::start(sources, ALLOWED).unwrap();
        let mut batches = Vec::new();
        while let Some(batch) = reading.next().await.unwrap() {
            batches.push(batch);
        }
        batches
    }

    fn messages(batches: &[Batch]) -> Vec<&str> {
        batches
            .iter()
            .flat_map(|batch| &batch.events)
            .filter_map(|event| event.message.as_ref())
            .map(|message| message.external_id.as_str())
            .collect()
    }

    #[tokio::test]
    async fn sources_are_read_in_order_and_share_batches() {
        let folder = tempfile::tempdir().unwrap();
        let one = file(
            folder.path(),
            "one",
            format!("\u{feff}{}\r\n\r\n{}", line("1"), line("2")),
        );
        let two = file(
            folder.path(),
            "two",
            zstd::encode_all(line("3").as_bytes(), 0).unwrap(),
        );
        let empty = file(folder.path(), "empty", "");
        let batches = read(vec![one, empty, two]).await;
        assert_eq!(batches.len(), 1);
        assert_eq!(messages(&batches), ["1", "2", "3"]);
        let positions: Vec<_> = batches[0]
            .origins
            .iter()
            .map(|origin| (origin.position.source, origin.position.line))
            .collect();
        assert_eq!(positions, [(0, 1), (0, 3), (2, 1)]);
        assert_eq!(batches[0].end(), Some(Position { source: 2, line: 1 }));
    }

    #[tokio::test]
    async fn batches_are_bounded_by_lines_and_by_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let many: String = (0..20_500)
            .map(|number| line(&number.to_string()) + "\n")
            .collect();
        let batches = read(vec![file(folder.path(), "many", many)]).await;
        assert_eq!(
            batches.iter().map(Batch::lines).collect::<Vec<_>>(),
            [20_000, 500]
        );
        let large = (line("x") + &" ".repeat(1 << 20) + "\n").repeat(20);
        let batches = read(vec![file(folder.path(), "large", large)]).await;
        assert_eq!(
            batches.iter().map(Batch::lines).collect::<Vec<_>>(),
            [16, 4]
        );
    }

    #[tokio::test]
    async fn rejects_come_in_the_order_of_reading_with_their_lines() {
        let folder = tempfile::tempdir().unwrap();
        let long = " ".repeat(super::LIMIT + 1);
        let source = file(
            folder.path(),
            "mixed",
            format!("hello\n{}\n{long}\n{}\n{{}}\n", line("1"), line("2")),
        );
        let mut batches = read(vec![source]).await;
        assert_eq!(batches.iter().map(Batch::lines).sum::<usize>(), 5);
        let batch = batches.remove(0);
        let rejects = batch.into_rejects([None, Some(reject("user.platform_id", "is blocked"))]);
        let said: Vec<_> = rejects
            .iter()
            .map(|reject| (reject.position.line, reject.reason.as_str()))
            .collect();
        let expected = [
            (1, "expected a JSON value"),
            (3, "is longer than 48 MiB"),
            (4, "is blocked"),
            (5, "is missing"),
        ];
        assert_eq!(said, expected);
        assert_eq!(rejects[0].input, "hello");
        assert_eq!(rejects[2].input, line("2"));
    }

    #[tokio::test]
    async fn a_broken_source_gives_what_it_has_and_the_next_one_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder
            .write_all(format!("{}\n{}\n", line("1"), line("2")).as_bytes())
            .unwrap();
        let mut packed = encoder.finish().unwrap();
        packed.truncate(packed.len() - 3);
        let broken = file(folder.path(), "broken", &packed);
        let batches = read(vec![
            broken,
            Source::File(folder.path().join("gone")),
            file(folder.path(), "good", line("3")),
        ])
        .await;
        assert_eq!(messages(&batches), ["1", "2", "3"]);
        let broken = &batches[0].broken;
        assert_eq!(
            (broken[0].position, broken[0].byte),
            (Position { source: 0, line: 3 }, packed.len() as u64)
        );
        assert_eq!(
            (broken[1].position, broken[1].byte),
            (Position { source: 1, line: 1 }, 0)
        );
    }

    #[tokio::test]
    async fn nobody_reads_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let many: String = (0..20_000)
            .map(|number| line(&number.to_string()) + "\n")
            .collect();
        let mut reading = Reading::start(vec![file(folder.path(), "many", many)], ALLOWED).unwrap();
        assert!(reading.next().await.unwrap().is_some());
        let thread = reading.thread.take().unwrap();
        drop(reading);
        thread.join().unwrap();
    }
}

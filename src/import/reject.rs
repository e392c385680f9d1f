//! Lines that were not taken, and the file they are kept in: corrected, its `input` can be imported again.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Source;
use super::parse::Flaw;
use crate::error::{Error, Result};

/// Most of a line that is kept to show it, in bytes.
pub(super) const KEPT: usize = 64 << 10;

/// Where a line is. Sorts in the order of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Which of the sources, from 0.
    pub source: usize,
    /// Which line of it, from 1.
    pub line: u64,
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Where it is.
    pub position: Position,
    /// Where in it the text stops being JSON, in characters from 1.
    pub column: Option<u64>,
    /// The key at fault, dotted.
    pub key: Option<String>,
    /// Why.
    pub reason: String,
    /// The line, or the beginning of a long one.
    pub input: String,
}

impl Reject {
    pub(super) fn new(position: Position, flaw: Flaw, line: &[u8]) -> Self {
        Self {
            position,
            column: flaw.column,
            key: flaw.key,
            reason: flaw.reason,
            input: excerpt(line),
        }
    }
}

/// The beginning of a line as text, cut between characters.
pub(super) fn excerpt(line: &[u8]) -> String {
    let mut end = line.len().min(KEPT);
    if end < line.len() {
        let continues = |byte: &u8| byte & 0xc0 == 0x80;
        let back = line[..=end]
            .iter()
            .rev()
            .take(4)
            .take_while(|byte| continues(byte))
            .count();
        end -= if back < 4 { back } else { 0 };
    }
    String::from_utf8_lossy(&line[..end]).into_owned()
}

/// The file of rejects: one JSON object a line.
#[derive(Debug)]
pub struct RejectsFile {
    path: PathBuf,
    file: BufWriter<File>,
}

/// A line of that file.
#[derive(Serialize)]
struct Record<'a> {
    file: &'a str,
    line: u64,
    column: Option<u64>,
    key: Option<&'a str>,
    reason: &'a str,
    input: &'a str,
}

impl RejectsFile {
    /// Makes the file, or empties it. Refused when it is one of the inputs, which would be lost.
    pub fn create(path: &Path, sources: &[Source]) -> Result<Self> {
        if sources.iter().any(|source| source.is(path)) {
            return Err(failure(path, "is one of the files to import"));
        }
        // Rejected lines are personal: nobody but the owner reads a new file.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = options
            .open(path)
            .map_err(|error| failure(path, error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
        })
    }

    /// Adds a line of the file that is called `file`.
    pub fn write(&mut self, file: &str, reject: &Reject) -> Result<()> {
        let record = Record {
            file,
            line: reject.position.line,
            column: reject.column,
            key: reject.key.as_deref(),
            reason: &reject.reason,
            input: &reject.input,
        };
        serde_json::to_writer(&mut self.file, &record)
            .map_err(std::io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"))
            .map_err(|error| failure(&self.path, error.to_string()))
    }

    /// Hands everything to the system, so that it is there whatever happens to this process.
    pub fn flush(&mut self) -> Result<()> {
        self.file
            .flush()
            .map_err(|error| failure(&self.path, error.to_string()))
    }
}

fn failure(path: &Path, reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::bad_input(path.display().to_string(), reason)
}

#[cfg(test)]
mod tests {
    use super::{Flaw, KEPT, Position, Reject, RejectsFile, excerpt};
    use crate::import::Source;

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(excerpt(b"a\xffb"), "a\u{fffd}b");
        for before in 0..4 {
            let line = format!("{}{}", "x".repeat(KEPT - before), "💬".repeat(3));
            let kept = excerpt(line.as_bytes());
            assert!(
                line.starts_with(&kept) && kept.len() > KEPT - 4,
                "{before}: {}",
                kept.len()
            );
        }
        assert_eq!(excerpt("x".repeat(KEPT).as_bytes()).len(), KEPT);
        assert_eq!(excerpt(&vec![0x80; KEPT + 1]).chars().count(), KEPT);
    }

    #[test]
    fn a_reject_is_one_line_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.ndjson");
        let position = Position { source: 0, line: 7 };
        let mut file = RejectsFile::create(&path, &[Source::Stdin]).unwrap();
        file.write("-", &Reject::new(position, Flaw::whole("why"), b"{\"a\n"))
            .unwrap();
        file.flush().unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "{\"file\":\"-\",\"line\":7,\"column\":null,\"key\":null,\"reason\":\"why\",\"input\":\"{\\\"a\\n\"}\n"
        );
    }

    #[test]
    fn an_input_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audience.ndjson");
        std::fs::write(&path, "precious").unwrap();
        let error = RejectsFile::create(&path, &[Source::File(path.clone())]).unwrap_err();
        assert!(
            error.to_string().ends_with("is one of the files to import"),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}

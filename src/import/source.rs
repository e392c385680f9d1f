//! Where an import comes from: files and standard input, checked before anything is read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// One input of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file, pipe or device.
    File(PathBuf),
}

impl Source {
    /// The inputs of a command line, in its order. Each is there and can be read, or this is an error and nothing has happened.
    pub fn all(paths: &[PathBuf]) -> Result<Vec<Self>> {
        if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
            return Err(Error::bad_input(
                "-",
                "standard input can be read only once",
            ));
        }
        paths.iter().map(|path| Self::one(path)).collect()
    }

    fn one(path: &Path) -> Result<Self> {
        if is_stdin(path) {
            return Ok(Self::Stdin);
        }
        let source = Self::File(path.to_owned());
        source
            .check()
            .map_err(|error| Error::bad_input(source.name(), error.to_string()))?;
        Ok(source)
    }

    /// Only regular files are opened to see whether they can be: a pipe's writer would take it for its one reader. None stays open,
    /// as there may be more files than a process may hold open.
    fn check(&self) -> io::Result<()> {
        let Self::File(path) = self else {
            return Ok(());
        };
        let metadata = path.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        if metadata.is_file() {
            File::open(path)?;
        }
        Ok(())
    }

    /// How messages call it.
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Whether it is this file, under whatever name.
    pub fn is(&self, other: &Path) -> bool {
        let Self::File(path) = self else {
            return false;
        };
        matches!((path.canonicalize(), other.canonicalize()), (Ok(one), Ok(two)) if one == two)
    }

    /// Its bytes as they are stored, counted as they are read.
    pub(super) fn open(&self, count: &Arc<AtomicU64>) -> io::Result<Counted<Box<dyn Read>>> {
        let inner: Box<dyn Read> = match self {
            Self::Stdin => Box::new(io::stdin()),
            Self::File(path) => Box::new(File::open(path)?),
        };
        Ok(Counted {
            inner,
            count: Arc::clone(count),
        })
    }

    fn bytes(&self) -> Option<u64> {
        let Self::File(path) = self else {
            return None;
        };
        let metadata = path.metadata().ok()?;
        metadata.is_file().then_some(metadata.len())
    }
}

/// How much there is to read, if that can be known.
pub fn total_bytes(sources: &[Source]) -> Option<u64> {
    sources.iter().map(Source::bytes).sum()
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A reader that says how far it is.
#[derive(Debug)]
pub(super) struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Source, total_bytes};

    fn message(paths: &[PathBuf]) -> String {
        Source::all(paths).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_file_a_folder_and_standard_input_twice_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let good = folder.path().join("good.ndjson");
        std::fs::write(&good, "{}\n").unwrap();
        let missing = folder.path().join("missing.ndjson");
        let error = message(&[good.clone(), missing.clone()]);
        assert!(
            error.starts_with(&format!("{}: No such file", missing.display())),
            "{error}"
        );
        assert!(message(&[folder.path().to_owned()]).ends_with("is a directory"));
        assert_eq!(
            message(&["-".into(), good, "-".into()]),
            "-: standard input can be read only once"
        );
    }

    #[test]
    fn the_total_is_known_for_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().join("a"), folder.path().join("b")];
        std::fs::write(&paths[0], "123").unwrap();
        std::fs::write(&paths[1], "4567").unwrap();
        let mut sources = Source::all(&paths).unwrap();
        assert_eq!(total_bytes(&sources), Some(7));
        sources.push(Source::Stdin);
        assert_eq!(total_bytes(&sources), None);
    }

    #[test]
    fn a_file_is_known_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "").unwrap();
        let source = Source::File(path);
        assert!(source.is(&folder.path().join(".").join("a")));
        assert!(!source.is(&folder.path().join("b")));
    }
}

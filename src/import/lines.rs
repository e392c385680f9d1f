//! Splits text into lines, without ever holding more of a line than one may have.

use std::io::{self, BufRead, Read};

/// Longest line, in bytes. Three texts may have 1,048,576 characters, and a character that is written as an escape takes up to 12 bytes.
pub(super) const LIMIT: usize = 48 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What has just been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line.
    Whole,
    /// The beginning of a line that is longer than lines may be; the rest was skipped.
    TooLong,
    /// Nothing: there are no more lines.
    End,
}

/// The lines of a file.
#[derive(Debug)]
pub(super) struct Lines<R> {
    text: R,
    number: u64,
    limit: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(text: R, limit: usize) -> Self {
        Self {
            text,
            number: 0,
            limit,
        }
    }

    /// The number of the line that was read last, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Reads the next line into `line`, without its LF or CRLF and without a byte order mark, which files that were put together have
    /// anywhere. When it fails, the
    /// number still is that of the last line that was there as a whole.
    pub(super) fn read(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        line.clear();
        // Room for all that is taken off again.
        let most = self.limit + BYTE_ORDER_MARK.len() + b"\r\n".len();
        if self
            .text
            .by_ref()
            .take(most as u64)
            .read_until(b'\n', line)?
            == 0
        {
            return Ok(Line::End);
        }
        let ended = strip_ending(line);
        if line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        let length = if line.len() > self.limit {
            Line::TooLong
        } else {
            Line::Whole
        };
        if length == Line::TooLong && !ended {
            self.text.skip_until(b'\n')?;
        }
        self.number += 1;
        Ok(length)
    }
}

/// Takes LF or CRLF off the end; whether there was one.
fn strip_ending(line: &mut Vec<u8>) -> bool {
    let ended = line.pop_if(|byte| *byte == b'\n').is_some();
    if ended {
        line.pop_if(|byte| *byte == b'\r');
    }
    ended
}

#[cfg(test)]
mod tests {
    use std::io::{self, BufReader, Read};

    use super::{Line, Lines};

    /// All lines of `text`, read through a buffer of `capacity` bytes; those that are too long end in `…`.
    fn split(text: &[u8], limit: usize, capacity: usize) -> Vec<String> {
        let mut lines = Lines::new(BufReader::with_capacity(capacity, text), limit);
        let (mut line, mut all) = (Vec::new(), Vec::new());
        loop {
            let length = lines.read(&mut line).unwrap();
            if length == Line::End {
                assert_eq!(lines.number(), all.len() as u64);
                return all;
            }
            let mut text = String::from_utf8(line.clone()).unwrap();
            if length == Line::TooLong {
                text.truncate(limit);
                text.push('…');
            }
            all.push(text);
        }
    }

    #[test]
    fn lines_end_in_lf_or_crlf_or_with_the_file() {
        for (text, expected) in [
            ("", &[][..]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\r\n", &["a"]),
            ("a\nb", &["a", "b"]),
            ("a\r\nb\nc\r\n", &["a", "b", "c"]),
            ("\n\r\n\na\n\n", &["", "", "", "a", ""]),
            ("a\rb\n", &["a\rb"]),
            ("a\r\r\n", &["a\r"]),
            ("a\r", &["a\r"]),
        ] {
            for capacity in [1, 2, 3, 100] {
                assert_eq!(
                    split(text.as_bytes(), 10, capacity),
                    expected,
                    "{text:?} by {capacity}"
                );
            }
        }
    }

    #[test]
    fn a_byte_order_mark_before_a_line_is_no_part_of_it() {
        for (text, expected) in [
            ("\u{feff}", &[""][..]),
            ("\u{feff}a\n", &["a"]),
            ("\u{feff}\r\na\n", &["", "a"]),
            ("a\n\u{feff}b\n", &["a", "b"]),
            ("a\u{feff}\nb\u{feff}", &["a\u{feff}", "b\u{feff}"]),
            ("\u{feff}\u{feff}a\n", &["\u{feff}a"]),
        ] {
            for capacity in [1, 2, 100] {
                assert_eq!(
                    split(text.as_bytes(), 10, capacity),
                    expected,
                    "{text:?} by {capacity}"
                );
            }
        }
    }

    #[test]
    fn the_limit_is_to_the_byte_whatever_ends_the_line() {
        for mark in ["", "\u{feff}"] {
            for ending in ["", "\n", "\r\n"] {
                for (text, expected) in [
                    ("12345", "12345"),
                    ("123456", "12345…"),
                    ("123456789012345", "12345…"),
                ] {
                    for capacity in [1, 4, 100] {
                        let text = format!("{mark}{text}{ending}");
                        assert_eq!(
                            split(text.as_bytes(), 5, capacity),
                            [expected],
                            "{text:?} by {capacity}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn after_a_line_that_is_too_long_comes_the_next_one() {
        let text = format!("a\n{}\r\nb\n{}\n", "x".repeat(1000), "y".repeat(6));
        assert_eq!(
            split(text.as_bytes(), 5, 16),
            ["a", "xxxxx…", "b", "yyyyy…"]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_not_held() {
        let endless = io::repeat(b'x').take(50 << 20);
        let mut lines = Lines::new(BufReader::new(endless), 1 << 10);
        let mut line = Vec::new();
        assert_eq!(lines.read(&mut line).unwrap(), Line::TooLong);
        assert!(line.capacity() < 64 << 10, "{}", line.capacity());
        assert_eq!(lines.read(&mut line).unwrap(), Line::End);
    }

    #[test]
    fn a_failure_leaves_the_number_of_the_last_whole_line() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("damaged"))
            }
        }
        let mut lines = Lines::new(BufReader::new(b"a\nb".chain(Fails)), 10);
        let mut line = Vec::new();
        assert_eq!(lines.read(&mut line).unwrap(), Line::Whole);
        assert_eq!(lines.read(&mut line).unwrap_err().to_string(), "damaged");
        assert_eq!(lines.number(), 1);
    }
}

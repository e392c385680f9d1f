//! Plain, gzip or zstd: the first bytes tell, never the name, so that pipes carry all three.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::foreign;

/// Bytes asked of the source and of the decoder at a time.
const BUFFER: usize = 128 << 10;

/// Bytes that tell what a file is.
const HEAD: u64 = 512;

/// The largest window of a zstd file, as a power of two, that is read unless told otherwise: 128 MiB, as zstd itself has it.
pub const WINDOW_LOG: u32 = 27;
/// The largest that there is: 2 GiB.
pub const MAX_WINDOW_LOG: u32 = 31;

/// How the bytes of a file are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// Parallel zstd writers begin with a skippable frame, whose first byte is any of 0x50 to 0x5f.
    const fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// The text of a file, whatever it is packed with and in however many members or frames.
///
/// What can be unpacked comes out before the error of a file that is cut short or damaged. A file that is something else is an error that
/// says what, and what to do.
pub(super) fn decompress<'a>(
    mut packed: impl Read + 'a,
    window_log: u32,
) -> io::Result<BufReader<Box<dyn Read + 'a>>> {
    let head = head(&mut packed)?;
    let packing = Packing::of(&head);
    let packed = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(packed));
    let text: Box<dyn Read + 'a> = match packing {
        Packing::Plain => Box::new(packed),
        Packing::Gzip => Box::new(MultiGzDecoder::new(packed)),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
            decoder.window_log_max(window_log)?;
            Box::new(Windowed(decoder))
        }
    };
    let mut text = BufReader::with_capacity(BUFFER, text);
    match foreign::name(text.fill_buf()?) {
        Some(what) => Err(io::Error::new(io::ErrorKind::InvalidData, what)),
        None => Ok(text),
    }
}

/// The first bytes, or all there are: a pipe may hand them over one at a time.
fn head(packed: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    packed.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// A zstd decoder whose error about a window tells how to allow it.
struct Windowed<R>(R);

impl<R: Read> Read for Windowed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            if error.to_string().contains("requires too much memory") {
                let kind = error.kind();
                io::Error::new(
                    kind,
                    "its zstd window is larger than allowed: try --zstd-window-log 31",
                )
            } else {
                error
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{MAX_WINDOW_LOG, WINDOW_LOG, decompress};

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &str) -> Vec<u8> {
        zstd::encode_all(text.as_bytes(), 0).unwrap()
    }

    fn unpack(packed: &[u8]) -> (String, Option<io::ErrorKind>) {
        let mut text = Vec::new();
        let result =
            decompress(packed, WINDOW_LOG).and_then(|mut reader| reader.read_to_end(&mut text));
        (
            String::from_utf8(text).unwrap(),
            result.err().map(|error| error.kind()),
        )
    }

    /// Hands over one byte at a time, as a slow pipe may.
    struct Slowly<'a>(&'a [u8]);

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    #[test]
    fn the_first_bytes_tell_how_a_file_is_packed() {
        for packed in [b"one\n".to_vec(), gzip("one\n"), zstd("one\n")] {
            assert_eq!(unpack(&packed), ("one\n".to_owned(), None));
            let mut text = String::new();
            decompress(Slowly(&packed), WINDOW_LOG)
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, "one\n");
        }
    }

    #[test]
    fn files_shorter_than_their_first_bytes_are_plain() {
        for text in ["", "{", "{}", "{}\n"] {
            assert_eq!(unpack(text.as_bytes()), (text.to_owned(), None));
        }
    }

    #[test]
    fn members_and_frames_follow_each_other() {
        assert_eq!(
            unpack(&[gzip("one\n"), gzip(""), gzip("two\n")].concat()),
            ("one\ntwo\n".to_owned(), None)
        );
        let skippable = [&[0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        assert_eq!(
            unpack(&[skippable, zstd("one\n"), zstd("two\n")].concat()),
            ("one\ntwo\n".to_owned(), None)
        );
    }

    #[test]
    fn what_was_readable_comes_before_the_error() {
        let long = "a line\n".repeat(100_000);
        for packed in [gzip(&long), zstd(&long)] {
            let (text, error) = unpack(&packed[..packed.len() / 2]);
            assert_eq!(error, Some(io::ErrorKind::UnexpectedEof));
            assert!(text.len() > 100_000 && long.starts_with(&text));
        }
        for packed in [gzip("one\n"), zstd("one\n")] {
            let (_, error) = unpack(&packed[..packed.len() - 1]);
            assert_eq!(error, Some(io::ErrorKind::UnexpectedEof));
        }
    }

    #[test]
    fn windows_are_as_large_as_allowed() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(28).unwrap();
        encoder.write_all(b"one\n").unwrap();
        let packed = encoder.finish().unwrap();
        let (text, error) = unpack(&packed);
        assert!(text.is_empty() && error.is_some());
        let mut text = String::new();
        let mut reader = decompress(&*packed, MAX_WINDOW_LOG).unwrap();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\n");
        let told = decompress(&*packed, WINDOW_LOG).err().unwrap().to_string();
        assert!(told.contains("--zstd-window-log"), "{told}");
    }

    #[test]
    fn what_is_no_text_of_lines_is_named() {
        for packed in [b"[{}]".to_vec(), gzip("[{}]"), zstd("[{}]")] {
            let told = decompress(&*packed, WINDOW_LOG).err().unwrap().to_string();
            assert!(told.starts_with("it is a JSON array"), "{told}");
        }
    }

    #[test]
    fn damage_and_trailing_garbage_are_errors() {
        let mut packed = gzip("one\n");
        let last = packed.len() - 5;
        packed[last] ^= 0xff;
        assert!(unpack(&packed).1.is_some());
        assert_eq!(
            unpack(&[gzip("one\n"), b"garbage".to_vec()].concat()).0,
            "one\n"
        );
        assert!(
            unpack(&[gzip("one\n"), b"garbage".to_vec()].concat())
                .1
                .is_some()
        );
        assert!(
            unpack(&[zstd("one\n"), b"garbage".to_vec()].concat())
                .1
                .is_some()
        );
    }
}

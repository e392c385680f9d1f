//! Files that are not the exchange format and are taken for it: what they are, and how to make lines of them. One message stands for
//! the many that their lines would bring.

/// How other kinds of files begin, and what is said of them.
const BEGINNINGS: [(&[u8], &str); 17] = [
    (b"\xff\xfe\0\0", UTF32),
    (b"\0\0\xfe\xff", UTF32),
    (b"\xff\xfe", UTF16),
    (b"\xfe\xff", UTF16),
    (b"{\0", UTF16),
    (b"\0{", UTF16),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (
        b"\xfd7zXZ\0",
        "it is packed with xz: `xz -dc FILE | parlour import -`",
    ),
    (
        b"BZh",
        "it is packed with bzip2: `bzip2 -dc FILE | parlour import -`",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "it is a 7z archive: import the files in it",
    ),
    (b"Rar!", "it is a RAR archive: import the files in it"),
    (
        b"\x04\x22\x4d\x18",
        "it is packed with lz4: `lz4 -dc FILE | parlour import -`",
    ),
    (
        b"\x1f\x9d",
        "it is packed with compress: `uncompress -c FILE | parlour import -`",
    ),
    (
        b"SQLite format 3\0",
        "it is an SQLite database; parlour imports lines of JSON",
    ),
    (
        b"PAR1",
        "it is a Parquet file; parlour imports lines of JSON",
    ),
    (
        b"%PDF-",
        "it is a PDF document; parlour imports lines of JSON",
    ),
];

const UTF16: &str = "it is UTF-16: `iconv -f UTF-16 -t UTF-8 FILE | parlour import -`";
const UTF32: &str = "it is UTF-32: `iconv -f UTF-32 -t UTF-8 FILE | parlour import -`";
const ZIP: &str = "it is a zip archive: `unzip -p FILE | parlour import -`";
const ARRAY: &str =
    "it is a JSON array, and every line has to be an object: `jq -c '.[]' FILE | parlour import -`";
const SPREAD: &str = "its objects go over several lines, and every line has to be one: `jq -c . FILE | parlour import -`";

/// The magic of a tar archive, and where it stands.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// What a file with this beginning is, when it is not text of lines; in words that go on after its name.
pub(super) fn name(beginning: &[u8]) -> Option<&'static str> {
    let known = BEGINNINGS
        .iter()
        .find(|(start, _)| beginning.starts_with(start));
    if let Some((_, what)) = known {
        return Some(what);
    }
    let (place, magic) = TAR;
    if beginning
        .get(place..)
        .is_some_and(|rest| rest.starts_with(magic))
    {
        return Some("it is a tar archive: `tar -xOf FILE | parlour import -`");
    }
    let text = beginning.strip_prefix(b"\xef\xbb\xbf");
    let text = text.unwrap_or(beginning).trim_ascii_start();
    match text {
        [b'[', ..] => Some(ARRAY),
        [b'{', rest @ ..] => {
            let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
            let is_spread = blanks.clone().any(|byte| *byte == b'\n');
            let goes_on = rest.get(blanks.count()) == Some(&b'"');
            (is_spread && goes_on).then_some(SPREAD)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn files_of_other_kinds_are_named() {
        let tar = [&[b'a'; 257][..], b"ustar\0"].concat();
        let utf16: Vec<u8> = "{\"agent\":1}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (beginning, what) in [
            (&utf16[..], "UTF-16"),
            (&[b"\xff\xfe", &utf16[..]].concat(), "UTF-16"),
            (b"\xfe\xff\0{", "UTF-16"),
            (b"\xff\xfe\0\0{\0\0\0", "UTF-32"),
            (b"PK\x03\x04\x14", "zip"),
            (b"\xfd7zXZ\0\0", "xz"),
            (b"BZh91AY", "bzip2"),
            (&tar, "tar"),
            (b"SQLite format 3\0", "SQLite"),
            (b" \n [\n {", "array"),
            ("\u{feff}[".as_bytes(), "array"),
            (b"{\n  \"agent\": {", "several lines"),
        ] {
            assert!(
                name(beginning).is_some_and(|told| told.contains(what)),
                "{what}"
            );
        }
    }

    #[test]
    fn text_of_lines_is_nothing_else() {
        for beginning in [
            "",
            "\n",
            "{",
            "{}",
            "{\n",
            "{\"agent\":1}\n",
            " { \"agent\" : 1 }",
            "\u{feff}{\"a\":1}",
            "agent,user\n",
            "null\n",
            "{}\n[]\n",
        ] {
            assert_eq!(name(beginning.as_bytes()), None, "{beginning:?}");
        }
    }
}

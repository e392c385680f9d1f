//! Reads one line, or says in words what is wrong with it and where.

use std::str::Utf8Error;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};

use super::strict::Strict;
use crate::clock::Timestamp;
use crate::exact;
use crate::write::event::{Event, Rejection};

/// Longest reason or key, in characters: keys are quoted from the line. Values are not: what is said of a line may end in a
/// log.
const LONGEST: usize = 600;

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Where the text stops being JSON, or UTF-8: in characters, from 1.
    pub(super) column: Option<u64>,
    /// The key at fault, dotted; items of lists by their number, from 0: `message.attachments.0.kind`.
    pub(super) key: Option<String>,
    /// Why.
    pub(super) reason: String,
}

impl Flaw {
    /// A flaw of the line as a whole.
    pub(super) fn whole(reason: impl Into<String>) -> Self {
        Self {
            column: None,
            key: None,
            reason: reason.into(),
        }
    }
}

impl From<Rejection> for Flaw {
    fn from(rejection: Rejection) -> Self {
        Self {
            column: None,
            key: Some(rejection.key.clone().into_owned()),
            reason: rejection.reason.into_owned(),
        }
    }
}

/// The event of a line that can be stored, as far as the line alone tells, and that tells of no later time than the latest.
pub(super) fn parse(line: &[u8], latest: Timestamp) -> Result<Event, Flaw> {
    let text = std::str::from_utf8(line).map_err(|error| not_utf8(line, error))?;
    // Keeping track of keys costs; a line that is good has no use for it.
    let event = read(text).map_err(|error| explain(text, &error))?;
    event.validate()?;
    event.is_until(latest)?;
    if event.user.settings.is_some() {
        keeps_settings(text)?;
    }
    Ok(event)
}

/// Settings are anything; what is read of them must be what is written.
fn keeps_settings(line: &str) -> Result<(), Flaw> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        user: User<'a>,
    }
    #[derive(Deserialize)]
    struct User<'a> {
        #[serde(borrow)]
        settings: &'a RawValue,
    }
    let Ok(line) = serde_json::from_str::<Line<'_>>(line) else {
        return Ok(());
    };
    exact::check(line.user.settings.get()).map_err(|inexact| Flaw {
        column: None,
        key: Some(presentable(&format!("user.settings.{}", inexact.path))),
        reason: inexact.reason.to_owned(),
    })
}

fn read(text: &str) -> serde_json::Result<Event> {
    let mut json = serde_json::Deserializer::from_str(text);
    let event = Event::deserialize(Strict(&mut json))?;
    json.end()?;
    Ok(event)
}

fn not_utf8(line: &[u8], error: Utf8Error) -> Flaw {
    let before = line.get(..error.valid_up_to()).unwrap_or(line);
    let column = Some(characters(before) + 1);
    let reason = match line.get(error.valid_up_to()) {
        Some(byte) if error.error_len().is_some() => format!("is not UTF-8: byte 0x{byte:02x}"),
        _ => "is not UTF-8: ends inside a character".to_owned(),
    };
    Flaw {
        column,
        key: None,
        reason,
    }
}

/// A syntax error by its column; any other one by its key, or by its column when it is about no key.
fn explain(text: &str, error: &serde_json::Error) -> Flaw {
    let message = error.to_string();
    let message = message
        .strip_suffix(&format!(
            " at line {} column {}",
            error.line(),
            error.column()
        ))
        .unwrap_or(&message);
    let key = match error.classify() {
        Category::Data => path(text).and_then(|path| key(&path, message)),
        Category::Syntax | Category::Eof | Category::Io => None,
    };
    // serde counts the bytes up to and with the one it stumbled over, none when it did so before the first.
    let before = text.as_bytes().get(..error.column()).unwrap_or_default();
    let column = key.is_none().then(|| characters(before).max(1));
    Flaw {
        column,
        key: key.as_deref().map(presentable),
        reason: presentable(&in_words(message)),
    }
}

/// How many characters begin in these bytes.
fn characters(bytes: &[u8]) -> u64 {
    let begins = |byte: &&u8| **byte & 0xc0 != 0x80;
    u64::try_from(bytes.iter().filter(begins).count()).unwrap_or(u64::MAX)
}

/// Where reading fails.
fn path(text: &str) -> Option<Path> {
    let mut json = serde_json::Deserializer::from_str(text);
    let result: Result<Event, _> = serde_path_to_error::deserialize(Strict(&mut json));
    result.err().map(|error| error.path().clone())
}

fn key(path: &Path, message: &str) -> Option<String> {
    let mut keys: Vec<String> = path.iter().filter_map(segment).collect();
    // serde reports these at the object around the key.
    for about in ["missing field `", "duplicate field `"] {
        keys.extend(
            message
                .strip_prefix(about)
                .and_then(|rest| rest.strip_suffix('`'))
                .map(str::to_owned),
        );
    }
    (!keys.is_empty()).then(|| keys.join("."))
}

fn segment(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// serde's message as someone says it who knows JSON and not serde.
fn in_words(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("EOF while parsing ") {
        return format!("the line ends in the middle of {rest}");
    }
    if let Some((_, known)) = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.rsplit_once("`, expected "))
    {
        return format!("is not a known key; expected {known}");
    }
    if let Some((_, known)) = message
        .strip_prefix("unknown variant `")
        .and_then(|rest| rest.rsplit_once("`, expected "))
    {
        return format!("is not a known word; expected {known}");
    }
    if let Some((_, rest)) = message
        .strip_prefix('`')
        .and_then(|rest| rest.rsplit_once("` is not "))
    {
        return format!("is not {rest}");
    }
    if message.starts_with("missing field ") {
        return "is missing".to_owned();
    }
    if message.starts_with("duplicate field ") {
        return "is there more than once".to_owned();
    }
    for about in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) = message
            .strip_prefix(about)
            .and_then(|rest| rest.rsplit_once(", expected "))
        {
            return format!("expected {}, found {}", kind(expected), kind(found));
        }
    }
    syntax_in_words(message).to_owned()
}

/// What serde calls a kind of value, in the words of JSON.
fn kind(name: &str) -> &str {
    match name {
        "sequence" | "a sequence" => "an array",
        "map" | "a map" => "an object",
        "i64" => "a whole number",
        "f64" => "a number",
        name if name.starts_with("string ") => "a string",
        name if name.starts_with("integer ") => "a whole number",
        name if name.starts_with("floating point ") => "a number with a fraction",
        name if name.starts_with("boolean ") => "true or false",
        name if name.starts_with("struct ") => "an object",
        name => name,
    }
}

fn syntax_in_words(message: &str) -> &str {
    match message {
        "expected value" => "expected a JSON value",
        "expected ident" => "expected `true`, `false` or `null`",
        "key must be a string" => "expected a key in double quotes",
        "trailing characters" => "there is more after the end of the object",
        "trailing comma" => "there is a comma after the last value",
        "recursion limit exceeded" => "is nested too deeply",
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "a `\\u` escape is half of a surrogate pair, without the other half"
        }
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "a control character in a string must be written as an escape"
        }
        message => message,
    }
}

/// One line of a terminal, whatever it quotes: control characters escaped, and the middle left out when it is long.
fn presentable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(LONGEST));
    let length = text.chars().count();
    for (at, char) in text.chars().enumerate() {
        if length > LONGEST && at == LONGEST / 2 {
            shown.push('…');
        }
        if length > LONGEST && at >= LONGEST / 2 && at < length - LONGEST / 2 {
            continue;
        }
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::Flaw;
    use crate::clock::Timestamp;
    use crate::entity::platform::Platform;
    use crate::entity::role::MessageRole;
    use crate::write::event::Event;

    const GOOD: &str = r#"{"agent":{"external_id":"a1","name":"Ada"},"user":{"platform":"WEB","platform_id":"u1","name":null,"settings":{"x":[1]}},"session":{"external_id":"s1"},"message":{"external_id":"m1","role":"user","text":"Hi","sent_at":"2026-01-01T00:00:05Z","attachments":[{"kind":"image","size":7}]}}"#;

    fn parse(line: &[u8]) -> Result<Event, Flaw> {
        super::parse(line, Timestamp(i64::MAX))
    }

    fn flaw(line: impl AsRef<[u8]>) -> Flaw {
        parse(line.as_ref()).unwrap_err()
    }

    /// The good line with one thing changed.
    fn changed(from: &str, to: &str) -> String {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        GOOD.replace(from, to)
    }

    /// The key and reason of the good line with one thing changed.
    fn about(from: &str, to: &str) -> (String, String) {
        let flaw = flaw(changed(from, to));
        assert_eq!(flaw.column, None, "{flaw:?}");
        (flaw.key.expect("a key"), flaw.reason)
    }

    /// The column and reason of a line that is no JSON.
    fn syntax(line: impl AsRef<[u8]>) -> (u64, String) {
        let flaw = flaw(line);
        assert_eq!(flaw.key, None, "{flaw:?}");
        (flaw.column.expect("a column"), flaw.reason)
    }

    fn pair(key: &str, reason: &str) -> (String, String) {
        (key.to_owned(), reason.to_owned())
    }

    #[test]
    fn a_good_line_is_an_event() {
        let event = parse(GOOD.as_bytes()).unwrap();
        assert_eq!(event.agent.name.as_deref(), Some("Ada"));
        assert_eq!(
            (event.user.platform, event.user.name),
            (Platform::Web, None)
        );
        let message = event.message.unwrap();
        assert_eq!(message.role, MessageRole::User);
        assert_eq!(
            message.sent_at,
            Timestamp::parse("2026-01-01T00:00:05Z").unwrap()
        );
        assert_eq!(message.attachments[0].size, Some(7));
        assert!(parse(format!(" \t{GOOD} \r").as_bytes()).is_ok());
    }

    #[test]
    fn an_unknown_key_is_named_at_every_level() {
        let known = "is not a known key; expected one of `agent`, `user`, `session`, `message`";
        assert_eq!(
            about(r#"{"agent""#, r#"{"colour":1,"agent""#),
            pair("colour", known)
        );
        for (from, to, key) in [
            (r#""name":"Ada""#, r#""colour":[[1]]"#, "agent.colour"),
            (r#""name":null"#, r#""colour":null"#, "user.colour"),
            (r#""s1""#, r#""s1","colour":{}"#, "session.colour"),
            (r#""text":"Hi""#, r#""colour":"Hi""#, "message.colour"),
            (
                r#""size":7"#,
                r#""colour":7"#,
                "message.attachments.0.colour",
            ),
        ] {
            let (named, reason) = about(from, to);
            assert_eq!(named, key);
            assert!(
                reason.starts_with("is not a known key; expected one of `"),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_missing_or_repeated_key_is_named() {
        assert_eq!(
            about(r#""platform":"WEB","#, ""),
            pair("user.platform", "is missing")
        );
        assert_eq!(
            about(r#""text":"Hi","#, ""),
            pair("message.text", "is missing")
        );
        assert_eq!(
            about(r#""kind":"image","#, ""),
            pair("message.attachments.0.kind", "is missing")
        );
        assert_eq!(
            about(r#""role":"user""#, r#""role":"user","role":"user""#),
            pair("message.role", "is there more than once")
        );
        let twice = changed(
            r#","session""#,
            r#","agent":{"external_id":"a1"},"session""#,
        );
        assert_eq!(flaw(twice).key.as_deref(), Some("agent"));
        assert_eq!(
            flaw("{}"),
            Flaw {
                column: None,
                key: Some("agent".to_owned()),
                reason: "is missing".to_owned()
            }
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named() {
        assert_eq!(
            about(r#""Ada""#, "5"),
            pair("agent.name", "expected a string, found a whole number")
        );
        assert_eq!(
            about(r#""u1""#, "null"),
            pair("user.platform_id", "expected a string, found null")
        );
        assert_eq!(
            about(r#""size":7"#, r#""size":1.5"#),
            pair(
                "message.attachments.0.size",
                "expected a whole number, found a number with a fraction"
            )
        );
        assert_eq!(
            about(r#"{"x":[1]}"#, r"[1]"),
            pair("user.settings", "expected an object, found an array")
        );
        assert_eq!(
            about(r#"[{"kind":"image","size":7}]"#, r#"{"kind":1}"#),
            pair("message.attachments", "expected an array, found an object")
        );
        assert_eq!(
            about(r#""settings""#, r#""tags":["a",["b"]],"settings""#),
            pair("user.tags.1", "expected a string, found an array")
        );
    }

    #[test]
    fn an_array_is_no_object_and_an_object_no_word() {
        let (agent, session) = (
            r#"{"external_id":"a1","name":"Ada"}"#,
            r#"{"external_id":"s1"}"#,
        );
        assert_eq!(
            about(agent, r#"["a1","Ada"]"#),
            pair("agent", "expected an object, found an array")
        );
        assert_eq!(about(session, r#"["s1"]"#).0, "session");
        assert_eq!(
            about(r#"{"kind":"image","size":7}"#, r#"["image"]"#),
            pair(
                "message.attachments.0",
                "expected an object, found an array"
            )
        );
        assert_eq!(
            about(r#""WEB""#, r#"{"WEB":null}"#),
            pair("user.platform", "expected a string, found an object")
        );
        let reason = "expected an object, found an array";
        assert_eq!(syntax("[]"), (1, reason.to_owned()));
        assert_eq!(syntax(format!("[{GOOD}]")).1, reason);
        assert_eq!(syntax("[".repeat(10_000)).1, reason);
        assert_eq!(syntax("5").1, "expected an object, found a whole number");
        assert_eq!(syntax("null").1, "expected an object, found null");
    }

    #[test]
    fn words_and_times_that_are_none_are_named() {
        let (key, reason) = about(r#""WEB""#, r#""CARRIER_PIGEON""#);
        assert_eq!(key, "user.platform");
        assert!(
            reason.starts_with("is not a known word; expected one of `WEB`, `MOBILE`,"),
            "{reason}"
        );
        assert!(
            about(r#""WEB""#, r#""web""#)
                .1
                .starts_with("is not a known word")
        );
        assert_eq!(
            about(r#""role":"user""#, r#""role":"bot""#),
            pair(
                "message.role",
                "is not a known word; expected one of `user`, `agent`, `system`"
            )
        );
        let (key, reason) = about("2026-01-01T00:00:05Z", "yesterday");
        assert_eq!(key, "message.sent_at");
        assert!(reason.starts_with("is not an RFC 3339 time: "), "{reason}");
        assert_eq!(
            about(r#""s1""#, r#""s1","started_at":"2026-02-30T00:00:00Z""#).0,
            "session.started_at"
        );
        assert_eq!(
            about(r#""2026-01-01T00:00:05Z""#, "1767225605"),
            pair("message.sent_at", "expected a string, found a whole number")
        );
    }

    #[test]
    fn what_cannot_be_stored_is_named() {
        assert_eq!(
            about(r#""u1""#, r#""""#),
            pair("user.platform_id", "must not be empty")
        );
        assert_eq!(
            about("Hi", r"a\u0000b"),
            pair("message.text", "contains U+0000, which cannot be stored")
        );
        assert_eq!(
            about(r#""m1""#, &format!("\"{}\"", "x".repeat(256))).0,
            "message.external_id"
        );
    }

    #[test]
    fn broken_json_is_found_by_column() {
        for (line, column, reason) in [
            ("hello", 1, "expected a JSON value"),
            (r#"{"agent":tru}"#, 13, "expected `true`, `false` or `null`"),
            (r#"{"agent" {}}"#, 10, "expected `:`"),
            (
                r#"{"agent":{"external_id":"a1" "name":1}}"#,
                30,
                "expected `,` or `}`",
            ),
            (
                r#"{"agent":{"external_id":"a1",}}"#,
                30,
                "there is a comma after the last value",
            ),
            (r"{agent:{}}", 2, "expected a key in double quotes"),
            (r#"{"agent":{"external_id":"\x"}}"#, 27, "invalid escape"),
            (
                "{\"agent\":{\"external_id\":\"a\0\"}}",
                27,
                "a control character in a string must be written as an escape",
            ),
            ("\0", 1, "expected a JSON value"),
            ("{\u{feff}}", 2, "expected a key in double quotes"),
        ] {
            assert_eq!(syntax(line), (column, reason.to_owned()), "{line}");
        }
        assert_eq!(
            syntax(format!("{GOOD}{GOOD}")),
            (
                GOOD.len() as u64 + 1,
                "there is more after the end of the object".to_owned()
            )
        );
    }

    #[test]
    fn a_line_cut_short_ends_in_the_middle() {
        for end in 1..GOOD.len() {
            let (column, reason) = syntax(&GOOD[..end]);
            assert!(
                reason.starts_with("the line ends in the middle of "),
                "{end}: {reason}"
            );
            assert_eq!(column, end as u64);
        }
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(syntax("{\"agent\":{\"external_id\":\"äöü💬\"!").0, 31);
        assert_eq!(
            syntax(b"{\"\xc3\xa4\xff\"}"),
            (4, "is not UTF-8: byte 0xff".to_owned())
        );
        assert_eq!(syntax(b"a\x80"), (2, "is not UTF-8: byte 0x80".to_owned()));
        assert_eq!(syntax(b"\xff"), (1, "is not UTF-8: byte 0xff".to_owned()));
        assert_eq!(
            syntax(b"{\"\xf0\x9f"),
            (3, "is not UTF-8: ends inside a character".to_owned())
        );
        assert_eq!(syntax(b"\xed\xa0\x80").0, 1);
    }

    #[test]
    fn half_of_a_surrogate_pair_is_refused() {
        let reason = "a `\\u` escape is half of a surrogate pair, without the other half";
        for half in [
            r"\ud800",
            r"\ud800x",
            r"\ud800\n",
            r"\ud800\u0041",
            r"\udc00",
        ] {
            assert_eq!(syntax(changed("Hi", half)).1, reason, "{half}");
        }
        assert_eq!(
            parse(changed("Hi", r"\ud83d\udcac").as_bytes())
                .unwrap()
                .message
                .unwrap()
                .text,
            "💬"
        );
    }

    #[test]
    fn deep_nesting_is_refused() {
        for open in ["[", "{\"a\":"] {
            let settings = format!("{{\"x\":{}", open.repeat(10_000));
            assert_eq!(
                syntax(changed(r#"{"x":[1]}"#, &settings)).1,
                "is nested too deeply"
            );
        }
        assert_eq!(
            about(
                r#"{"agent""#,
                &format!("{{\"x\":{},\"agent\"", "[".repeat(10_000))
            )
            .0,
            "x"
        );
    }

    #[test]
    fn reasons_and_keys_stay_short_and_on_one_line() {
        let long = "x".repeat(1 << 20);
        let (key, reason) = about(r#""WEB""#, &format!("\"{long}\""));
        assert_eq!(key, "user.platform");
        assert!(
            reason.len() < 700 && !reason.contains("xx") && reason.ends_with("`OTHER`"),
            "{reason}"
        );
        assert!(
            about(r#""text""#, &format!("\"{long}\":1,\"text\""))
                .0
                .len()
                < 700
        );
        let (key, reason) = about(r#""text""#, r#""\u001b[31m\n":1,"text""#);
        assert_eq!(key, r"message.\u{1b}[31m\n");
        assert!(!reason.contains('\n'));
    }
}

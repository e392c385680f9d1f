//! JSON whose values are kept as they are written: no key of an object twice, no number that 64 bits do not hold. JSON allows both, and
//! readers keep one of the values, or another number, in silence (RFC 8259, sections 4 and 6).

use std::borrow::Cow;
use std::collections::HashSet;

use memchr::memchr2;

/// A value that would not be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inexact {
    /// Where it is, dotted; items of lists by their number, from 0.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Why a number is refused.
pub const TOO_LONG: &str = "is a number with more digits than 64 bits hold: send it as a string";
/// Why a key is refused.
pub const REPEATED: &str = "is there more than once";

/// Levels of values that are looked at. What is deeper is in a part that no reader keeps: they stop at 128.
const DEEP: usize = 130;

/// Looks through a text that is known to be JSON.
pub fn check(json: &str) -> Result<(), Inexact> {
    let mut scan = Scan {
        json,
        at: 0,
        path: Vec::new(),
    };
    scan.value()
}

/// Whether a number of JSON or GraphQL, as written, is what is stored for it: an integer of 64 bits, or a binary floating point number
/// whose shortest decimal form has the same value.
pub fn is_kept(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let read: Result<f64, _> = serde_json::from_str(number);
    read.is_ok_and(|read| decimal(number) == decimal(&format!("{read:e}")))
}

/// Sign, digits without zeros at their ends, and the power of ten of the last of them.
fn decimal(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_end_matches('0');
    let zeros = length(all.len() - digits.len());
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return (false, String::new(), 0);
    }
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX);
    let power = exponent
        .saturating_sub(length(fraction.len()))
        .saturating_add(zeros);
    (negative, digits.to_owned(), power)
}

fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// A way through a text that is JSON.
struct Scan<'a> {
    json: &'a str,
    at: usize,
    path: Vec<Step<'a>>,
}

/// A step on the way to a value.
enum Step<'a> {
    Key(Cow<'a, str>),
    Item(usize),
}

impl Step<'_> {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Key(key) => Cow::Borrowed(key),
            Self::Item(number) => Cow::Owned(number.to_string()),
        }
    }
}

/// A key, without its quotation marks and what stands for others in it.
fn key(quoted: &str) -> Cow<'_, str> {
    if quoted.contains('\\') {
        return Cow::Owned(serde_json::from_str(quoted).unwrap_or_default());
    }
    let inside = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    Cow::Borrowed(inside.unwrap_or_default())
}

/// The keys of an object that were there so far: few in a row, many in a set.
enum Keys<'a> {
    Few(Vec<Cow<'a, str>>),
    Many(HashSet<Cow<'a, str>>),
}

impl<'a> Keys<'a> {
    /// How many are few.
    const FEW: usize = 16;

    /// Whether a key is new.
    fn insert(&mut self, key: Cow<'a, str>) -> bool {
        match self {
            Self::Few(keys) if keys.contains(&key) => false,
            Self::Few(keys) if keys.len() < Self::FEW => {
                keys.push(key);
                true
            }
            Self::Few(keys) => {
                let mut many: HashSet<_> = keys.drain(..).collect();
                let is_new = many.insert(key);
                *self = Self::Many(many);
                is_new
            }
            Self::Many(keys) => keys.insert(key),
        }
    }
}

impl<'a> Scan<'a> {
    fn value(&mut self) -> Result<(), Inexact> {
        if self.path.len() >= DEEP {
            self.skip_value();
            return Ok(());
        }
        match self.next() {
            Some(b'{') => self.object(),
            Some(b'[') => self.list(),
            Some(b'"') => {
                self.string();
                Ok(())
            }
            Some(_) => {
                let word = self.word();
                let is_number = word.starts_with(|char: char| char == '-' || char.is_ascii_digit());
                if is_number && !is_kept(word) {
                    return Err(self.inexact(TOO_LONG));
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Passes a value over.
    fn skip_value(&mut self) {
        let mut open = 0_usize;
        while let Some(byte) = self.next() {
            match byte {
                b'"' => drop(self.string()),
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' | b':' if open == 0 => return,
                b'}' | b']' => {
                    open -= 1;
                    self.at += 1;
                }
                b',' | b':' => self.at += 1,
                _ => drop(self.word()),
            }
            if open == 0 {
                return;
            }
        }
    }

    fn object(&mut self) -> Result<(), Inexact> {
        let mut keys = Keys::Few(Vec::new());
        self.at += 1;
        while self.next() == Some(b'"') {
            let key = key(self.string());
            self.path.push(Step::Key(key.clone()));
            if !keys.insert(key) {
                return Err(self.inexact(REPEATED));
            }
            self.skip(b':');
            self.value()?;
            self.path.pop();
            self.skip(b',');
        }
        self.skip(b'}');
        Ok(())
    }

    fn list(&mut self) -> Result<(), Inexact> {
        self.at += 1;
        for item in 0_usize.. {
            if matches!(self.next(), Some(b']') | None) {
                break;
            }
            self.path.push(Step::Item(item));
            self.value()?;
            self.path.pop();
            self.skip(b',');
        }
        self.skip(b']');
        Ok(())
    }

    /// The next byte that is no blank.
    fn next(&mut self) -> Option<u8> {
        let rest = self.json.as_bytes().get(self.at..)?;
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        self.at += blanks.count();
        self.json.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, byte: u8) {
        if self.next() == Some(byte) {
            self.at += 1;
        }
    }

    /// A string, with its quotation marks.
    fn string(&mut self) -> &'a str {
        let start = self.at;
        self.at += 1;
        while let Some(rest) = self.json.as_bytes().get(self.at..) {
            match memchr2(b'"', b'\\', rest) {
                Some(found) if rest.get(found) == Some(&b'"') => {
                    self.at += found + 1;
                    break;
                }
                Some(found) => self.at += found + 2,
                None => self.at = self.json.len() + 1,
            }
        }
        self.at = self.at.min(self.json.len());
        self.json.get(start..self.at).unwrap_or_default()
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> &'a str {
        let start = self.at;
        let rest = self.json.as_bytes().iter().skip(start);
        let inside = rest.take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
        // At least one, so that what is no JSON ends as well.
        self.at = (start + inside.count().max(1)).min(self.json.len());
        self.json.get(start..self.at).unwrap_or_default()
    }

    fn inexact(&self, reason: &'static str) -> Inexact {
        Inexact {
            path: self
                .path
                .iter()
                .map(Step::text)
                .collect::<Vec<_>>()
                .join("."),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::{REPEATED, TOO_LONG, check, is_kept};

    #[test]
    fn numbers_are_kept_or_refused() {
        for kept in [
            "0",
            "-0",
            "1",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "0.1",
            "0.10",
            "1.5e3",
            "1E3",
            "1e-7",
            "123456789.25",
            "0.30000000000000004",
            "1e308",
            "5e-324",
            "1e22",
            "-0.0",
            "0e99999999999999999999",
            "9007199254740993",
        ] {
            assert!(is_kept(kept), "{kept}");
        }
        for refused in [
            "18446744073709551616",
            "-9223372036854775809",
            "123456789012345678901",
            "0.1234567890123456789",
            "1e400",
            "-1e400",
            "1e-400",
            "9007199254740993.0",
            "3.14159265358979323846",
            "2e-324",
        ] {
            assert!(!is_kept(refused), "{refused}");
        }
    }

    #[test]
    fn what_nests_without_end_is_passed_over() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"b\":[", "]}]")] {
            let deep = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
            assert_eq!(check(&deep), Ok(()));
            let beside = format!("{{\"deep\":{deep},\"a\":1,\"a\":2}}");
            assert_eq!(check(&beside).unwrap_err().path, "a");
            check(&open.repeat(200_000)).ok();
        }
    }

    #[test]
    fn what_is_not_kept_is_named_by_its_path() {
        for (json, path, reason) in [
            (r#"{"a":1,"a":2}"#, "a", REPEATED),
            (
                r#"{"a":{"b":[0,{"c":1,"d":"}","c":2}]}}"#,
                "a.b.1.c",
                REPEATED,
            ),
            (r#"{"é":1,"\u00e9":2}"#, "é", REPEATED),
            (r#" { "a" : [ 1 , 1e999 ] } "#, "a.1", TOO_LONG),
            ("12345678901234567890123", "", TOO_LONG),
        ] {
            let found = check(json).unwrap_err();
            assert_eq!((&*found.path, found.reason), (path, reason), "{json}");
        }
        for json in [
            "",
            "null",
            "{}",
            "[]",
            "[[],{}]",
            r#"{"a":{"a":{"a":"12345678901234567890123"}},"b":[1,1]}"#,
            r#"{"\"":1,"\\":2,"":3}"#,
        ] {
            assert_eq!(check(json), Ok(()), "{json}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_was_written_by_a_machine_is_kept(value in value()) {
            for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                prop_assert_eq!(check(&json), Ok(()));
                prop_assert_eq!(&serde_json::from_str::<Value>(&json).unwrap(), &value);
            }
        }

        #[test]
        fn no_text_stops_a_scan(text in any::<String>()) {
            check(&text).ok();
        }
    }
}

//! Time as Parlour stores it: whole microseconds since 1970, UTC.

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Deserializer, Serialize};

/// An instant in microseconds since 1970-01-01T00:00:00Z.
///
/// Both databases keep it as a 64-bit integer, so it sorts, compares and travels the same on both (docs/decisions/0002).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Default, DeriveValueType,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads RFC 3339 with any offset and any fraction; what is finer than a microsecond is cut off.
    pub fn parse(text: &str) -> Result<Self, String> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self(time.timestamp_micros()))
            .map_err(|error| format!("`{text}` is not an RFC 3339 time: {error}"))
    }

    /// What the clock of the machine says.
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// RFC 3339 in UTC with `Z`, and no more digits of a fraction than there are: none, three or six. The form for all years
    /// is chrono's; those of four digits are written here, because answers are full of them.
    pub fn to_rfc3339(self) -> String {
        let time = DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default();
        let (date, seconds) = (time.date_naive(), time.num_seconds_from_midnight());
        let Ok(year @ 0..=9999) = u32::try_from(date.year()) else {
            return time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        };
        let mut text = String::with_capacity("2026-01-31T09:30:00.123456Z".len());
        for (before, number, digits) in [
            ("", year, 4),
            ("-", date.month(), 2),
            ("-", date.day(), 2),
            ("T", seconds / 3600, 2),
            (":", seconds / 60 % 60, 2),
            (":", seconds % 60, 2),
        ] {
            text.push_str(before);
            push_digits(&mut text, number, digits);
        }
        let micros = time.timestamp_subsec_micros();
        match (micros, micros % 1000) {
            (0, _) => {}
            (_, 0) => {
                text.push('.');
                push_digits(&mut text, micros / 1000, 3);
            }
            _ => {
                text.push('.');
                push_digits(&mut text, micros, 6);
            }
        }
        text.push('Z');
        text
    }

    /// Milliseconds since 1970, not below zero: the part of an id that carries time.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }
}

/// Adds a number with so many digits.
fn push_digits(text: &mut String, number: u32, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        text.extend(char::from_digit(digit, 10));
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, SecondsFormat, Utc};

    use super::Timestamp;

    #[test]
    fn offsets_and_fractions_end_in_the_same_instant() {
        let expected = Timestamp::parse("2026-01-01T00:00:05.123456Z").unwrap();
        for text in [
            "2026-01-01T02:00:05.123456+02:00",
            "2025-12-31t19:00:05.123456999-05:00",
        ] {
            assert_eq!(Timestamp::parse(text).unwrap(), expected, "{text}");
        }
        assert_eq!(expected.to_rfc3339(), "2026-01-01T00:00:05.123456Z");
        assert_eq!(
            Timestamp::parse("2026-01-01T00:00:05Z")
                .unwrap()
                .to_rfc3339(),
            "2026-01-01T00:00:05Z"
        );
    }

    #[test]
    fn the_text_is_the_one_that_chrono_writes() {
        let steps = (-40..40).map(|step: i64| step * 1_234_567_890_123_456 / 7 * 1000);
        let edges = [
            0,
            1,
            999,
            1000,
            999_999,
            1_000_000,
            -1,
            -62_135_596_800_000_000,
        ];
        let ends = [
            i64::MIN,
            i64::MAX,
            253_402_300_799_999_999,
            253_402_300_800_000_000,
        ];
        for micros in steps.chain(edges).chain(ends) {
            let time = DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or_default();
            let text = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            assert_eq!(Timestamp(micros).to_rfc3339(), text, "{micros}");
        }
    }

    #[test]
    fn times_before_1970_are_times_too() {
        let time = Timestamp::parse("1969-12-31T23:59:59.5Z").unwrap();
        assert_eq!((time.0, time.millis()), (-500_000, 0));
        assert_eq!(time.to_rfc3339(), "1969-12-31T23:59:59.500Z");
    }
}

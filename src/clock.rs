//! Time as Parlour stores it: whole microseconds since 1970, UTC.

use std::time::Duration;

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
    /// Reads RFC 3339 with any offset and any fraction; what is finer than a microsecond is cut off. The year has four digits in UTC
    /// as well, so that every time that is read can be written and read again.
    pub fn parse(text: &str) -> Result<Self, String> {
        let time = DateTime::parse_from_rfc3339(text)
            .map_err(|error| format!("`{text}` is not an RFC 3339 time: {error}"))?;
        match time.to_utc().year() {
            0..=9999 => Ok(Self(time.timestamp_micros())),
            _ => Err(format!(
                "`{text}` is not an RFC 3339 time: its year in UTC is not 0000 to 9999"
            )),
        }
    }

    /// The time that comes so much later; the last that there is, where that is beyond it.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// What the clock of the machine says.
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// RFC 3339 in UTC with `Z`, and no more digits of a fraction than there are: none, three or six. The form for all years
    /// is chrono's; those of four digits are written here, because answers are full of them.
    pub fn to_rfc3339(self) -> String {
        let mut text = Vec::new();
        self.write_rfc3339(&mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// The same, behind other text.
    pub fn write_rfc3339(self, text: &mut Vec<u8>) {
        let time = DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default();
        let (date, clock) = (time.naive_utc().date(), time.naive_utc().time());
        let Ok(year @ 0..=9999) = u32::try_from(date.year()) else {
            let year_of_more = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            text.extend_from_slice(year_of_more.as_bytes());
            return;
        };
        let (seconds, micros) = (clock.num_seconds_from_midnight(), clock.nanosecond() / 1000);
        let [y1, y2] = two_digits(year / 100);
        let [y3, y4] = two_digits(year % 100);
        let [m1, m2] = two_digits(date.month());
        let [d1, d2] = two_digits(date.day());
        let [h1, h2] = two_digits(seconds / 3600);
        let [n1, n2] = two_digits(seconds / 60 % 60);
        let [s1, s2] = two_digits(seconds % 60);
        let [f1, f2] = two_digits(micros / 10_000);
        let [f3, f4] = two_digits(micros / 100 % 100);
        let [f5, f6] = two_digits(micros % 100);
        let mut digits = [
            y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2,
            b'.', f1, f2, f3, f4, f5, f6, b'Z',
        ];
        let end = match (micros, micros % 1000) {
            (0, _) => 19,
            (_, 0) => 23,
            _ => 26,
        };
        digits[end] = b'Z';
        text.extend_from_slice(&digits[..=end]);
    }

    /// Milliseconds since 1970, not below zero: the part of an id that carries time.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }
}

/// A number below a hundred.
fn two_digits(number: u32) -> [u8; 2] {
    DIGITS[(number % 100) as usize]
}

/// The numbers below a hundred, with two digits each.
const DIGITS: [[u8; 2]; 100] = {
    let mut all = [[b'0'; 2]; 100];
    let mut at = 0;
    while at < 100 {
        all[at] = [b"0123456789"[at / 10], b"0123456789"[at % 10]];
        at += 1;
    }
    all
};

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

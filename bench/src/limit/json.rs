//! JSON by hand: bytes put behind bytes, in the text forms that Parlour has for ids, times and cursors.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// An answer that is being written.
#[derive(Debug, Default)]
pub(super) struct Json(Vec<u8>);

/// What base32 is written in, as Crockford has it, in lower case.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const HEX: &[u8; 16] = b"0123456789abcdef";
/// Digits of an id.
const LENGTH: usize = 26;
/// What stands in a cursor before the key, in the default order.
const CURSOR: &str = r#"[["user","LAST_MESSAGE_AT","DESC"],"#;

impl Json {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// JSON as it is.
    pub(super) fn raw(&mut self, json: &str) -> &mut Self {
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    /// A comma, except before the first.
    pub(super) fn comma(&mut self, is_first: bool) -> &mut Self {
        if !is_first {
            self.0.push(b',');
        }
        self
    }

    pub(super) fn integer(&mut self, value: i64) -> &mut Self {
        self.0
            .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self
    }

    pub(super) fn boolean(&mut self, value: bool) -> &mut Self {
        self.raw(if value { "true" } else { "false" })
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push(b'"');
        let bytes = text.as_bytes();
        let mut copied = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            if byte >= b' ' && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.0.extend_from_slice(&bytes[copied..at]);
            copied = at + 1;
            self.escaped(byte);
        }
        self.0.extend_from_slice(&bytes[copied..]);
        self.0.push(b'"');
        self
    }

    fn escaped(&mut self, byte: u8) {
        self.0.push(b'\\');
        match byte {
            b'"' | b'\\' => self.0.push(byte),
            b'\n' => self.0.push(b'n'),
            b'\r' => self.0.push(b'r'),
            b'\t' => self.0.push(b't'),
            0x08 => self.0.push(b'b'),
            0x0c => self.0.push(b'f'),
            _ => {
                self.0.extend_from_slice(b"u00");
                self.0.push(HEX[usize::from(byte >> 4)]);
                self.0.push(HEX[usize::from(byte & 15)]);
            }
        }
    }

    pub(super) fn maybe_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.raw("null"),
        }
    }

    /// `"user_01h…"`; the prefix comes with the quotation mark before it and the underscore behind it.
    pub(super) fn id(&mut self, prefix: &str, id: u128) -> &mut Self {
        let mut digits = [0; LENGTH];
        for (at, digit) in digits.iter_mut().enumerate() {
            *digit = DIGITS[usize::try_from((id >> (5 * (LENGTH - 1 - at))) & 31).unwrap_or(0)];
        }
        self.raw(prefix).0.extend_from_slice(&digits);
        self.0.push(b'"');
        self
    }

    /// RFC 3339 in UTC, with no more digits of a fraction than there are in thousands.
    pub(super) fn time(&mut self, micros: i64) -> &mut Self {
        let (seconds, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        self.0.push(b'"');
        self.digits(year, 4).0.push(b'-');
        self.digits(month, 2).0.push(b'-');
        self.digits(day, 2).0.push(b'T');
        self.digits(second / 3_600, 2).0.push(b':');
        self.digits(second / 60 % 60, 2).0.push(b':');
        self.digits(second % 60, 2);
        if micros % 1_000 > 0 {
            self.0.push(b'.');
            self.digits(micros, 6);
        } else if micros > 0 {
            self.0.push(b'.');
            self.digits(micros / 1_000, 3);
        }
        self.raw("Z\"")
    }

    pub(super) fn maybe_time(&mut self, micros: Option<i64>) -> &mut Self {
        match micros {
            Some(micros) => self.time(micros),
            None => self.raw("null"),
        }
    }

    fn digits(&mut self, mut value: i64, count: usize) -> &mut Self {
        let mut digits = [b'0'; 6];
        for digit in digits[..count].iter_mut().rev() {
            *digit += u8::try_from(value % 10).unwrap_or(0);
            value /= 10;
        }
        self.0.extend_from_slice(&digits[..count]);
        self
    }

    /// The cursor of a user in the default order.
    pub(super) fn cursor(&mut self, place: Place) -> &mut Self {
        let mut text = Self::with_capacity(96);
        text.raw(CURSOR).integer(place.key).raw(",\"");
        for shift in (0..32).rev() {
            let digit = usize::try_from((place.id >> (4 * shift)) & 15).unwrap_or(0);
            text.0.push(HEX[digit]);
        }
        text.raw("\"]");
        self.0.push(b'"');
        let start = self.0.len();
        self.0.resize(start + 2 * text.0.len(), 0);
        let written = BASE64_URL_SAFE_NO_PAD.encode_slice(&text.0, &mut self.0[start..]);
        self.0.truncate(start + written.unwrap_or(0));
        self.0.push(b'"');
        self
    }
}

/// A place in the default order of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: i64,
    pub(super) id: u128,
}

impl Place {
    /// The place that a cursor names.
    pub(super) fn of_cursor(cursor: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let rest = str::from_utf8(&bytes).ok()?.strip_prefix(CURSOR)?;
        let (key, id) = rest.strip_suffix("\"]")?.split_once(",\"")?;
        Some(Self {
            key: key.parse().ok()?,
            id: u128::from_str_radix(id, 16).ok()?,
        })
    }
}

/// The id in a text like `user_01h…`.
pub(super) fn id_in(text: &str) -> Option<u128> {
    let (_, digits) = text.rsplit_once('_')?;
    if digits.len() != LENGTH {
        return None;
    }
    digits.bytes().try_fold(0, |id: u128, digit| {
        let value = DIGITS.iter().position(|&one| one == digit)?;
        Some((id << 5) | u128::try_from(value).ok()?)
    })
}

/// Year, month and day, so many days after 1970-01-01: <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use parlour::clock::Timestamp;
    use parlour::entity::chat_user;
    use parlour::id::ObjectKind;
    use parlour::read::chat_user::ChatUserOrderField;
    use parlour::read::page::{Key, Order, Position};
    use uuid::Uuid;

    use super::{Json, Place, id_in};

    fn written(write: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::default();
        write(&mut json);
        String::from_utf8(json.into_bytes()).unwrap()
    }

    #[test]
    fn times_ids_and_cursors_are_written_as_parlour_writes_them() {
        for at in [
            0,
            -1,
            1_709_164_800_000_000,
            1_735_689_599_999_999,
            1_735_689_600_120_000,
        ] {
            let expected = format!("\"{}\"", Timestamp(at).to_rfc3339());
            assert_eq!(
                written(|json| {
                    json.time(at);
                }),
                expected
            );
        }
        for id in [0, 1, u128::MAX / 5, u128::MAX] {
            let text = ObjectKind::ChatUser.encode(Uuid::from_u128(id));
            assert_eq!(
                written(|json| {
                    json.id("\"user_", id);
                }),
                format!("\"{text}\"")
            );
            assert_eq!(id_in(&text), Some(id));
            let place = Place { key: -5, id };
            let order = Order {
                field: ChatUserOrderField::LastMessageAt,
                descending: true,
            };
            let position = Position {
                key: Key::Int(-5),
                id: Uuid::from_u128(id),
            };
            let cursor = position.encode::<chat_user::Entity>(order);
            assert_eq!(
                written(|json| {
                    json.cursor(place);
                }),
                format!("\"{cursor}\"")
            );
            assert_eq!(Place::of_cursor(&cursor), Some(place));
        }
    }

    #[test]
    fn texts_are_escaped_as_serde_does() {
        let text: String = (0..200).filter_map(char::from_u32).collect();
        let expected = serde_json::to_string(&text).unwrap();
        assert_eq!(
            written(|json| {
                json.text(&text);
            }),
            expected
        );
    }
}

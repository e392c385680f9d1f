//! Shapes: what is seen of a personal value by those who may not see it. A shape is short, has the same length for short and
//! long values, and is its own shape.

use serde_json::{Map, Value};

/// What stands for what is not shown.
pub const DOTS: &str = "•••";
/// The first character of [`DOTS`].
const DOT: char = '•';
/// A part of an address shows its first character when it has at least so many characters.
const TELLING_PART: usize = 3;
/// The last label of a domain is shown when it has at most so many letters.
const LONGEST_ENDING: usize = 4;
/// A number shows its last digits when it has at least so many digits.
const TELLING_NUMBER: usize = 7;
/// A number that says its country shows the beginning of that when it has at least so many digits.
const TELLING_COUNTRY: usize = 9;
/// How many digits are shown on each side.
const DIGITS: usize = 2;
/// What is told of an attachment to those who may not know what it is called and where it is.
const OF_ATTACHMENTS: [&str; 3] = ["kind", "mime_type", "size"];
/// Fields of users whose values the audit log tells everybody. Whatever is not named here may be personal.
const TOLD_OF_USERS: [&str; 4] = ["language", "stoppedAt", "subscriptions", "tags"];
/// Parts of the values of blocks and merges that are told too.
const TOLD_PARTS: [&str; 6] = ["id", "messages", "platform", "sessions", "until", "version"];

/// How a column is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It is not even read; this takes its place. Nothing at all where the column may be NULL.
    Unread(&'static str),
    /// Whether there is a value.
    Dots,
    /// [`email`]
    Email,
    /// [`phone_number`]
    PhoneNumber,
    /// Whether there is a value; all of it on platforms whose ids are not personal.
    PlatformId,
    /// A JSON array of attachments, without names and addresses.
    Attachments,
    /// A JSON array of the changes of an audit entry: values of personal fields by their shapes. All of it where the entry is
    /// about an agent.
    Changes,
}

impl Shape {
    /// The column beside it that its mask depends on.
    pub const fn companion(self) -> Option<&'static str> {
        match self {
            Self::PlatformId => Some("platform"),
            Self::Changes => Some("chat_user_id"),
            _ => None,
        }
    }

    /// The shape of a value.
    pub fn of(self, value: &str) -> String {
        match self {
            Self::Unread(instead) => instead.to_owned(),
            Self::Dots | Self::PlatformId => dots(value),
            Self::Email => email(value),
            Self::PhoneNumber => phone_number(value),
            Self::Attachments => attachments(value),
            Self::Changes => changes(value),
        }
    }
}

/// That there is a value.
fn dots(value: &str) -> String {
    let dots = if value.is_empty() { "" } else { DOTS };
    dots.to_owned()
}

/// `j•••@e•••.com`. Parts of one or two characters show nothing, and what is not an address shows nothing.
pub fn email(value: &str) -> String {
    let Some((name, domain)) = value.rsplit_once('@') else {
        return dots(value);
    };
    match domain.rsplit_once('.') {
        None => format!("{}@{}", part(name), part(domain)),
        Some((domain, ending)) => {
            let is_known = (1..=LONGEST_ENDING).contains(&ending.len())
                && ending.bytes().all(|byte| byte.is_ascii_alphabetic());
            let ending = if is_known { ending } else { DOTS };
            format!("{}@{}.{ending}", part(name), part(domain))
        }
    }
}

/// The first character of a part of an address, as long as that says little of it.
fn part(part: &str) -> String {
    let first = part.chars().next().filter(|first| {
        *first != DOT && !first.is_control() && part.chars().nth(TELLING_PART - 1).is_some()
    });
    first.map_or_else(|| DOTS.to_owned(), |first| format!("{first}{DOTS}"))
}

/// `+49•••89`: the first digits of a number that says its country, and the last ones; nothing of a short number.
pub fn phone_number(value: &str) -> String {
    if is_shape_of_number(value) {
        return value.to_owned();
    }
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let count = digits.len();
    let first = &digits[..DIGITS.min(count)];
    let last = &digits[count.saturating_sub(DIGITS)..];
    match count {
        TELLING_COUNTRY.. if value.starts_with('+') => format!("+{first}{DOTS}{last}"),
        TELLING_NUMBER.. => format!("{DOTS}{last}"),
        _ => dots(value),
    }
}

fn is_shape_of_number(value: &str) -> bool {
    let digits =
        |text: &str| text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    value.split_once(DOTS).is_some_and(|(before, after)| {
        (before.is_empty() || before.strip_prefix('+').is_some_and(digits)) && digits(after)
    })
}

fn attachments(json: &str) -> String {
    let Ok(Value::Array(mut all)) = serde_json::from_str(json) else {
        return "[]".to_owned();
    };
    all.retain(Value::is_object);
    for attachment in all.iter_mut().filter_map(Value::as_object_mut) {
        attachment.retain(|key, _| OF_ATTACHMENTS.contains(&key.as_str()));
    }
    Value::from(all).to_string()
}

fn changes(json: &str) -> String {
    let Ok(Value::Array(mut all)) = serde_json::from_str(json) else {
        return "[]".to_owned();
    };
    all.retain(Value::is_object);
    for change in all.iter_mut().filter_map(Value::as_object_mut) {
        let field = change.get("field").and_then(Value::as_str);
        let field = field.unwrap_or_default().to_owned();
        for (_, value) in change.iter_mut().filter(|(key, _)| *key != "field") {
            *value = told(&field, value);
        }
    }
    Value::from(all).to_string()
}

/// What is told of a value in the audit log.
fn told(field: &str, value: &Value) -> Value {
    match (field, value) {
        (field, value) if TOLD_OF_USERS.contains(&field) => value.clone(),
        ("email", Value::String(text)) => email(text).into(),
        ("phoneNumber", Value::String(text)) => phone_number(text).into(),
        (_, Value::String(text)) => dots(text).into(),
        // Keys are personal too: of settings nothing is left.
        ("block" | "mergedFrom" | "mergedInto", Value::Object(parts)) => parts
            .iter()
            .map(|(key, part)| match part {
                part if TOLD_PARTS.contains(&key.as_str()) => (key.clone(), part.clone()),
                Value::String(text) => (key.clone(), dots(text).into()),
                _ => (key.clone(), Value::Null),
            })
            .collect::<Map<_, _>>()
            .into(),
        (_, Value::Object(_)) => Map::new().into(),
        (_, Value::Array(_)) => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::{Shape, email, phone_number};

    const ALL: [Shape; 8] = [
        Shape::Unread(""),
        Shape::Unread("{}"),
        Shape::Dots,
        Shape::Email,
        Shape::PhoneNumber,
        Shape::PlatformId,
        Shape::Attachments,
        Shape::Changes,
    ];

    #[test]
    fn addresses_show_little() {
        for (address, shape) in [
            ("jane.roe@example.com", "j•••@e•••.com"),
            ("jane@mail.example.co.uk", "j•••@m•••.uk"),
            ("jo@x.de", "•••@•••.de"),
            ("jane@localhost", "j•••@l•••"),
            ("jane@roe.photography", "j•••@r•••.•••"),
            ("jane@roe.", "j•••@r•••.•••"),
            ("Ωμέγα@παράδειγμα.ελ", "Ω•••@π•••.•••"),
            ("👩‍👩‍👧@example.com", "👩•••@e•••.com"),
            ("\"a@b\"@example.com", "\"•••@e•••.com"),
            ("\u{7}bell@example.com", "•••@e•••.com"),
            ("•••@•••.com", "•••@•••.com"),
            ("jane", "•••"),
            ("@", "•••@•••"),
            ("", ""),
        ] {
            assert_eq!(email(address), shape, "{address}");
        }
    }

    #[test]
    fn numbers_show_little() {
        for (number, shape) in [
            ("+49 30 123456 89", "+49•••89"),
            ("+442079460000", "+44•••00"),
            ("(555) 010-0101", "•••01"),
            ("+1234567", "•••67"),
            ("110", "•••"),
            ("٠١٢٣٤٥٦٧٨٩", "•••"),
            ("+49•••89", "+49•••89"),
            ("•••89", "•••89"),
            ("+49•••8901234567", "+49•••67"),
            ("a•••b", "•••"),
            ("", ""),
        ] {
            assert_eq!(phone_number(number), shape, "{number}");
        }
    }

    #[test]
    fn a_shape_is_its_own_shape() {
        let values = [
            "",
            "•",
            "••••",
            "Ann Lee",
            "a@b",
            "a@b@c.d.e",
            "j•••@e•••.com",
            "•x@•y.•z",
            "+49 170 1234567",
            "+49•••",
            "••••••89",
            "[]",
            "{}",
            "[1,{\"kind\":\"image\",\"url\":\"https://x\"}]",
            "[{\"field\":\"email\",\"before\":\"jane@example.com\",\"after\":{\"a\":[1]}}]",
            "[{\"field\":\"block\",\"after\":{\"until\":null,\"reason\":\"rude\"}}]",
            "[{\"field\":\"settings\",\"after\":{\"home\":\"Elm Street\"}}]",
            "\u{301}\u{202e}é🦀",
        ];
        for shape in ALL {
            for value in values {
                let once = shape.of(value);
                assert_eq!(shape.of(&once), once, "{shape:?} of {value}");
            }
        }
    }

    #[test]
    fn the_audit_log_tells_what_changed_and_not_to_what() {
        let changes = r#"[{"field":"email","before":"jane@example.com","after":"joan@example.com"},{"field":"language","after":"de"},{"field":"mergedFrom","before":{"id":"user_1","platform":"SMS","platformId":"+4930123456"}},{"field":"settings","before":{"home":"Elm Street"}},{"field":"tags","after":["vip"]},{"field":"something new","after":"Jane"}]"#;
        assert_eq!(
            Shape::Changes.of(changes),
            r#"[{"after":"j•••@e•••.com","before":"j•••@e•••.com","field":"email"},{"after":"de","field":"language"},{"before":{"id":"user_1","platform":"SMS","platformId":"•••"},"field":"mergedFrom"},{"before":{},"field":"settings"},{"after":["vip"],"field":"tags"},{"after":"•••","field":"something new"}]"#
        );
    }

    #[test]
    fn attachments_keep_what_they_are() {
        let attachments =
            r#"[{"kind":"image","url":"https://x/jane.png","name":"jane.png","size":7}]"#;
        assert_eq!(
            Shape::Attachments.of(attachments),
            r#"[{"kind":"image","size":7}]"#
        );
    }
}

//! Ids: what kind of thing an id names, its text form, and where new ids come from.

use sha2::{Digest, Sha256};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use crate::clock::Timestamp;

/// The kinds of things that have ids, by the prefix of the id's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Noun {
    /// `agent_…`
    Agent,
    /// `user_…`
    ChatUser,
    /// `session_…`
    Session,
    /// `message_…`
    Message,
    /// `audit_…`
    AuditEntry,
    /// `subscription_…`
    Subscription,
    /// `deletion_…`
    Deletion,
    /// `token_…`
    Token,
}

/// The digits of Crockford's base32, in lower case, five bits each; and how many of them 128 bits are.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

impl Noun {
    const ALL: [Self; 8] = [
        Self::Agent,
        Self::ChatUser,
        Self::Session,
        Self::Message,
        Self::AuditEntry,
        Self::Subscription,
        Self::Deletion,
        Self::Token,
    ];

    /// What stands before the `_` of an id.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::ChatUser => "user",
            Self::Session => "session",
            Self::Message => "message",
            Self::AuditEntry => "audit",
            Self::Subscription => "subscription",
            Self::Deletion => "deletion",
            Self::Token => "token",
        }
    }

    /// The text form of an id: a `TypeID`, that is prefix and base32 of the 16 bytes (type-id specification 0.3).
    ///
    /// Written here, because answers are full of ids; read by the library.
    pub fn encode(self, id: Uuid) -> String {
        let (prefix, mut rest) = (self.prefix(), id.as_u128());
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        let mut text = String::with_capacity(prefix.len() + 1 + DIGITS);
        text.push_str(prefix);
        text.push('_');
        text.push_str(str::from_utf8(&digits).unwrap_or_default());
        text
    }

    /// The id in a text that must name this kind of thing; `None` for garbage and for other kinds.
    pub fn decode(self, text: &str) -> Option<Uuid> {
        decode(text).and_then(|(noun, id)| (noun == self).then_some(id))
    }
}

/// What a text form names; `None` for garbage.
pub fn decode(text: &str) -> Option<(Noun, Uuid)> {
    let id: TypeSafeId<DynamicType> = text.parse().ok()?;
    let noun = Noun::ALL
        .into_iter()
        .find(|noun| noun.prefix() == id.type_prefix())?;
    Some((noun, id.uuid()))
}

/// A new id in the layout of `UUIDv7` (RFC 9562): the time of what brought the thing into being, then 74 bits of a hash of `seed`.
///
/// The same events therefore make the same ids in any database, which is what lets an import be repeated and two
/// databases be compared (docs/decisions/0003). The seed never holds personal values: an id can be shown to anyone.
pub fn derive(at: Timestamp, seed: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in seed {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    uuid::Builder::from_unix_timestamp_millis(at.millis(), &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use type_safe_id::{DynamicType, TypeSafeId};
    use uuid::Uuid;

    use super::{Noun, decode, derive};
    use crate::clock::Timestamp;

    #[test]
    fn text_form_goes_there_and_back() {
        let id = derive(Timestamp(1_700_000_000_000_000), &[b"a", b"b"]);
        let others = [
            0,
            1,
            31,
            32,
            u128::MAX,
            u128::MAX >> 1,
            1 << 127,
            0x0123_4567_89ab_cdef << 60,
        ];
        for id in others.map(Uuid::from_u128).into_iter().chain([id]) {
            for noun in Noun::ALL {
                let text = noun.encode(id);
                assert_eq!(decode(&text), Some((noun, id)));
                let prefix = DynamicType::new(noun.prefix()).unwrap();
                let same = TypeSafeId::from_type_and_uuid(prefix, id);
                assert_eq!(text, same.to_string());
            }
        }
        let id = derive(Timestamp(1_700_000_000_000_000), &[b"a", b"b"]);
        assert_eq!(Noun::Agent.decode(&Noun::ChatUser.encode(id)), None);
    }

    #[test]
    fn garbage_is_nobody() {
        for text in [
            "",
            "user_",
            "user_zzzzzzzzzzzzzzzzzzzzzzzzzz",
            "nobody_01h455vb4pex5vsknk084sn02q",
            "\0",
            "🦀",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    #[test]
    fn parts_of_a_seed_do_not_run_together() {
        let at = Timestamp(0);
        assert_ne!(derive(at, &[b"ab", b"c"]), derive(at, &[b"a", b"bc"]));
    }
}

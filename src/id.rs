//! Ids: what kind of thing an id names, its text form, and where new ids come from.

use sha2::{Digest, Sha256};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use crate::clock::Timestamp;

/// The kinds of things that have ids, by the prefix of the id's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
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

impl ObjectKind {
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
pub fn decode(text: &str) -> Option<(ObjectKind, Uuid)> {
    let id: TypeSafeId<DynamicType> = text.parse().ok()?;
    let noun = ObjectKind::ALL
        .into_iter()
        .find(|noun| noun.prefix() == id.type_prefix())?;
    Some((noun, id.uuid()))
}

/// A new id in the layout of `UUIDv7` (RFC 9562): the time of what brought the thing into being, then 74 bits of a hash of `seed`.
///
/// The same events therefore make the same ids in any database, which is what lets an import be repeated and two
/// databases be compared (docs/decisions/0003). The seed never holds personal values: an id can be shown to anyone.
pub fn derive(at: Timestamp, seed: &[&[u8]]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(at.millis(), &hash(seed)).into_uuid()
}

/// As [`derive()`], for things of which several belong to one moment and are told apart by their order: the first 18 of the 74 bits are
/// `place`, a counter as RFC 9562 describes for `UUIDv7` (section 6.2, method 1), so that ids of one moment sort by it. A place beyond
/// [`MAX_PLACE`] counts as that.
pub fn derive_at_place(at: Timestamp, place: u32, seed: &[&[u8]]) -> Uuid {
    let mut random = hash(seed);
    // Of the bytes that hold them, version and variant take the upper 4 and 2 bits.
    let [_, upper, middle, lower] = (place.min(MAX_PLACE) << 2).to_be_bytes();
    (random[0], random[1], random[2]) = (upper, middle, lower >> 2);
    uuid::Builder::from_unix_timestamp_millis(at.millis(), &random).into_uuid()
}

/// The last place that an id can hold: 2¹⁸ − 1.
pub const MAX_PLACE: u32 = (1 << 18) - 1;

/// The place that an id of [`derive_at_place`] holds.
pub const fn place(id: Uuid) -> u32 {
    let bytes = id.as_bytes();
    ((bytes[6] & 0x0f) as u32) << 14 | (bytes[7] as u32) << 6 | (bytes[8] & 0x3f) as u32
}

/// The first 80 bits of a hash of these parts.
fn hash(seed: &[&[u8]]) -> [u8; 10] {
    let mut hash = Sha256::new();
    for part in seed {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    random
}

#[cfg(test)]
mod tests {
    use type_safe_id::{DynamicType, TypeSafeId};
    use uuid::Uuid;

    use super::{MAX_PLACE, ObjectKind, decode, derive, derive_at_place, place};
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
            for noun in ObjectKind::ALL {
                let text = noun.encode(id);
                assert_eq!(decode(&text), Some((noun, id)));
                let prefix = DynamicType::new(noun.prefix()).unwrap();
                let same = TypeSafeId::from_type_and_uuid(prefix, id);
                assert_eq!(text, same.to_string());
            }
        }
        let id = derive(Timestamp(1_700_000_000_000_000), &[b"a", b"b"]);
        assert_eq!(
            ObjectKind::Agent.decode(&ObjectKind::ChatUser.encode(id)),
            None
        );
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

    #[test]
    fn ids_of_one_moment_sort_by_their_place() {
        let at = Timestamp(1_700_000_000_000_000);
        let id = |place: u32| derive_at_place(at, place, &[&place.to_le_bytes()]);
        let places = [0, 1, 2, 63, 64, 255, 16_383, 16_384, 100_000, MAX_PLACE];
        assert!(places.map(id).is_sorted());
        assert_eq!(places.map(|at| place(id(at))), places);
        assert_eq!(place(id(u32::MAX)), MAX_PLACE);
        assert_eq!(id(7).get_version_num(), 7);
        assert_eq!(id(7).get_variant(), uuid::Variant::RFC4122);
        assert!(id(MAX_PLACE) < derive(Timestamp(at.0 + 1_000), &[b""]));
    }
}

//! What a new name brings with it: the keys that lists and searches go by, and the entry in the audit log.

use parlour::clock::Timestamp;
use parlour::id::{ObjectKind, derive};
use parlour::text;
use serde_json::json;
use uuid::Uuid;

/// A profile as it is stored, as far as a name concerns it.
#[derive(Debug)]
pub(super) struct Profile<'a> {
    pub(super) id: Uuid,
    pub(super) agent: Uuid,
    pub(super) platform: &'a str,
    pub(super) platform_id: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) email: Option<&'a str>,
    pub(super) phone_number: Option<&'a str>,
    pub(super) version: i64,
}

/// What is written when it gets another name.
#[derive(Debug)]
pub(super) struct Renamed {
    pub(super) name_key: Option<String>,
    pub(super) search_text: String,
    /// The id of the entry, when it is made, and what it says.
    pub(super) entry: Uuid,
    pub(super) at: i64,
    pub(super) changes: String,
}

/// What the entries say was done, and by whom.
pub(super) const ACTION: &str = "CHAT_USER_UPDATED";
pub(super) const ACTOR: &str = "the limit";

impl Profile<'_> {
    pub(super) fn renamed(&self, name: &str) -> Renamed {
        let digits = self.phone_number.map(text::digits);
        let id = ObjectKind::ChatUser.encode(self.id);
        let at = Timestamp::now();
        let seed: [&[u8]; 3] = [
            ACTOR.as_bytes(),
            self.id.as_bytes(),
            &self.version.to_be_bytes(),
        ];
        Renamed {
            name_key: text::key(name),
            search_text: text::search_text([
                Some(name),
                self.email,
                self.phone_number,
                digits.as_deref(),
                Some(self.platform_id),
                Some(&id),
            ]),
            entry: derive(at, &seed),
            at: at.0,
            changes: json!([{ "field": "name", "before": self.name, "after": name }]).to_string(),
        }
    }
}

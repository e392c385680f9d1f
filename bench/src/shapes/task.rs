//! What can be asked, in a form that both sides understand: a GraphQL request for Parlour (`question.rs`), SQL for the
//! hand-written side (`by_hand.rs`). As JSON it is what the hand-written endpoint is sent.

use parlour::id::{self, ObjectKind};
use parlour::read::chat_user::ChatUserOrderField;
use parlour::read::page::{Order, Position, SortField};
use parlour::read::session::SessionOrderField;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::shapes::answer::Cursor;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// The table of users.
    Users(Users),
    /// How the audience divides.
    Facets { agent: Id },
    /// Users of an agent with their newest sessions and the first messages of each.
    Audience {
        agent: Id,
        users: u64,
        sessions: u64,
        messages: u64,
    },
    /// One user.
    User { user: Id },
    /// One user by the id on the platform.
    UserByPlatformId {
        agent: Id,
        platform: String,
        platform_id: String,
    },
    /// One user with a page of sessions.
    History {
        user: Id,
        page: Page<SessionOrderField>,
    },
    /// One user with the newest sessions and the first messages of each.
    Conversations {
        user: Id,
        sessions: u64,
        messages: u64,
    },
    /// Sessions of an agent.
    Sessions {
        agent: Id,
        page: Page<SessionOrderField>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Users {
    /// Of all agents when there is none.
    pub(crate) agent: Option<Id>,
    pub(crate) platform: Option<String>,
    pub(crate) search: Option<Search>,
    pub(crate) page: Page<ChatUserOrderField>,
    pub(crate) total_count: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Search {
    Text(String),
    Email(String),
    Id(Id),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "F: Listed")]
pub(crate) struct Page<F> {
    #[serde(with = "order")]
    pub(crate) order: Order<F>,
    pub(crate) size: u64,
    /// `last` instead of `first`.
    pub(crate) backward: bool,
    pub(crate) offset: u64,
    pub(crate) after: Option<Place>,
}

/// A place in an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) key: Key,
    pub(crate) id: Uuid,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Key {
    Int(i64),
    Text(String),
}

impl<F> Page<F> {
    /// The first twenty.
    pub(crate) const fn first(order: Order<F>) -> Self {
        Self {
            order,
            size: 20,
            backward: false,
            offset: 0,
            after: None,
        }
    }
}

impl From<i64> for Key {
    fn from(key: i64) -> Self {
        Self::Int(key)
    }
}

impl From<String> for Key {
    fn from(key: String) -> Self {
        Self::Text(key)
    }
}

impl From<Place> for Position {
    fn from(place: Place) -> Self {
        Self {
            key: match place.key {
                Key::Int(key) => parlour::read::page::Key::Int(key),
                Key::Text(key) => parlour::read::page::Key::Text(key),
            },
            id: place.id,
        }
    }
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        Self {
            key: match position.key {
                parlour::read::page::Key::Int(key) => Key::Int(key),
                parlour::read::page::Key::Text(key) => Key::Text(key),
            },
            id: position.id,
        }
    }
}

/// A field that lists can be ordered by.
pub(crate) trait Listed: SortField {
    const ALL: &'static [Self];
    /// Whether the column behind it is text.
    fn is_text(self) -> bool;
    fn cursor(order: Order<Self>, place: Place) -> Cursor;
}

impl Listed for ChatUserOrderField {
    const ALL: &'static [Self] = &[
        Self::LastMessageAt,
        Self::LastInteractionAt,
        Self::CreatedAt,
        Self::Name,
        Self::TotalSessions,
        Self::TotalChatMessages,
        Self::TotalMessagesSent,
        Self::Cost,
    ];

    fn is_text(self) -> bool {
        self == Self::Name
    }

    fn cursor(order: Order<Self>, place: Place) -> Cursor {
        Cursor::User(place.into(), order)
    }
}

impl Listed for SessionOrderField {
    const ALL: &'static [Self] = &[Self::StartedAt, Self::LastMessageAt, Self::TotalMessages];

    fn is_text(self) -> bool {
        false
    }

    fn cursor(order: Order<Self>, place: Place) -> Cursor {
        Cursor::Session(place.into(), order)
    }
}

/// An id that travels as text, as Parlour's do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id(pub(crate) ObjectKind, pub(crate) Uuid);

impl Id {
    pub(crate) fn text(self) -> String {
        self.0.encode(self.1)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (noun, id) = id::decode(&text).ok_or_else(|| D::Error::custom("no id"))?;
        Ok(Self(noun, id))
    }
}

/// An order as JSON.
mod order {
    use super::{Deserialize, Deserializer, Error, Listed, Order, Serialize, Serializer};

    pub(super) fn serialize<F: Listed, S: Serializer>(
        order: &Order<F>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (order.field.word(), order.descending).serialize(serializer)
    }

    pub(super) fn deserialize<'de, F: Listed, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Order<F>, D::Error> {
        let (word, descending): (String, bool) = Deserialize::deserialize(deserializer)?;
        let field = F::ALL.iter().find(|field| field.word() == word);
        Ok(Order {
            field: *field.ok_or_else(|| D::Error::custom("no order"))?,
            descending,
        })
    }
}

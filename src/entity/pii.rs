//! What is personal in each table: the one list that deletions go by, the check of what is left, and what those see who may
//! not see it.
//!
//! A new column that may say something about a user is a line here; a new table is an entry.

use super::mask::Shape;
use super::platform::Platforms;
use crate::caller::{Permission, Permissions};

/// What the ids start with that take the place of those that a user, a session or a message had where the data came from.
/// No event can name one.
pub const ERASED: &str = "erased:";

/// Audit entries that tell of a deletion. There is nothing personal in them.
pub const DELETIONS: &str = "audit_entries.action IN \
     ('CHAT_USER_DELETED', 'CHAT_USER_ERASED', 'CHAT_USER_REMOVED', 'CHAT_USER_RESTORED')";

/// A table that has rows about users.
#[derive(Clone, Copy, Debug)]
pub struct Personal {
    /// Its name.
    pub table: &'static str,
    /// The column with the user's id.
    pub user: &'static str,
    /// What becomes of a user's rows.
    pub rows: Rows,
    /// What is personal in rows that are kept.
    pub columns: &'static [Column],
}

/// A column that may say something about a user.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it is when the user is erased: `NULL`, or a value in SQL. `{erased_id}` is what takes the place of an id,
    /// `{without_values}` the column `changes` without its values.
    erased: &'static str,
    /// What holds while there is something personal in it, where that is not simply another value than `erased`.
    left: Option<&'static str>,
    /// What is seen of it without a permission. The first permission that is missing counts.
    masks: &'static [(Permission, Shape)],
}

/// What becomes of a user's rows.
#[derive(Clone, Copy, Debug)]
pub enum Rows {
    /// They are kept, and what is personal in them is erased. They are gone through in the order of a column and of `id`, for
    /// which there is an index.
    Kept {
        /// The column that they are gone through by.
        order: &'static str,
        /// How many rows of a message's size one counts for.
        weight: u64,
    },
    /// They are removed. They are told apart by a column.
    Removed {
        /// The column.
        key: &'static str,
    },
}

impl Personal {
    /// How many rows of a message's size one counts for.
    pub const fn weight(&self) -> u64 {
        match self.rows {
            Rows::Kept { weight, .. } => weight,
            Rows::Removed { .. } => 1,
        }
    }

    /// What is set in a row to erase it, in SQL.
    pub fn erased(&self) -> String {
        let set = |column: &Column| format!("{} = {}", column.name, column.erased);
        self.columns.iter().map(set).collect::<Vec<_>>().join(", ")
    }

    /// What holds for a row in which something personal is left, in SQL.
    pub fn left(&self) -> String {
        match self.rows {
            Rows::Removed { .. } => "true".to_owned(),
            Rows::Kept { .. } => {
                let left = self.columns.iter().map(Column::left);
                left.collect::<Vec<_>>().join(" OR ")
            }
        }
    }
}

impl Column {
    /// A column that everybody sees who sees the row, and that is erased with it.
    const fn shown(name: &'static str, erased: &'static str) -> Self {
        Self::masked(name, erased, &[])
    }

    const fn masked(
        name: &'static str,
        erased: &'static str,
        masks: &'static [(Permission, Shape)],
    ) -> Self {
        Self {
            name,
            erased,
            left: None,
            masks,
        }
    }

    fn left(&self) -> String {
        let Self { name, erased, .. } = self;
        match (self.left, *erased) {
            (Some(left), _) => left.to_owned(),
            (None, "NULL") => format!("{name} IS NOT NULL"),
            (None, erased) => format!("{name} <> {erased}"),
        }
    }

    /// Whether there is anybody for whom it is masked.
    pub const fn is_masked(&self) -> bool {
        !self.masks.is_empty()
    }

    /// How it is masked for those with these permissions; `None` for who may see it. The permission is the one that is missing.
    pub fn mask(&self, permissions: Permissions) -> Option<(Permission, Shape)> {
        let missing = |(permission, _): &&(Permission, Shape)| !permissions.has(*permission);
        self.masks.iter().find(missing).copied()
    }
}

/// The columns of a table in which something is personal.
pub fn columns(table: &str) -> &'static [Column] {
    std::iter::once(&PROFILE)
        .chain(&TABLES)
        .find(|personal| personal.table == table)
        .map_or(&[], |personal| personal.columns)
}

/// The permission that somebody needs to filter or to order by a column, and does not have.
pub fn missing(
    table: &str,
    column: &str,
    permissions: Permissions,
    personal: Platforms,
) -> Option<Permission> {
    let column = columns(table).iter().find(|one| one.name == column)?;
    match column.mask(permissions)? {
        (_, Shape::PlatformId) if personal.is_empty() => None,
        (permission, _) => Some(permission),
    }
}

const PII: Permission = Permission::UsersPii;
const SAID: Permission = Permission::MessagesRead;

/// The user's own row, which is erased at once.
pub const PROFILE: Personal = Personal {
    table: "chat_users",
    user: "id",
    rows: Rows::Kept {
        order: "created_at",
        weight: 1,
    },
    columns: &[
        Column::masked("platform_id", "{erased_id}", &[(PII, Shape::PlatformId)]),
        Column::masked("name", "NULL", &[(PII, Shape::Dots)]),
        Column::masked("name_key", "NULL", &[(PII, Shape::Unread(""))]),
        Column::masked("email", "NULL", &[(PII, Shape::Email)]),
        Column::masked("email_key", "NULL", &[(PII, Shape::Unread(""))]),
        Column::masked("phone_number", "NULL", &[(PII, Shape::PhoneNumber)]),
        Column::masked("profile_picture_url", "NULL", &[(PII, Shape::Unread(""))]),
        Column::shown("language", "NULL"),
        Column::shown("tags", "'[]'"),
        Column::masked("settings", "'{}'", &[(PII, Shape::Unread("{}"))]),
        Column::masked("block_reason", "NULL", &[(PII, Shape::Unread(""))]),
        Column::masked("search_text", "''", &[(PII, Shape::Unread(""))]),
    ],
};

/// The other tables, in the order in which they are gone through: whatever refers to something else before that.
pub const TABLES: [Personal; 6] = [
    Personal {
        table: "messages",
        user: "chat_user_id",
        rows: Rows::Kept {
            order: "sent_at",
            weight: 1,
        },
        columns: &[
            Column::shown("external_id", "{erased_id}"),
            Column::masked("text", "''", &[(SAID, Shape::Unread(""))]),
            Column::masked(
                "attachments",
                "'[]'",
                &[(SAID, Shape::Unread("[]")), (PII, Shape::Attachments)],
            ),
            Column::shown("reply_to", "NULL"),
        ],
    },
    Personal {
        table: "sessions",
        user: "chat_user_id",
        rows: Rows::Kept {
            order: "started_at",
            weight: 1,
        },
        columns: &[
            Column::shown("external_id", "{erased_id}"),
            Column::masked("subject", "NULL", &[(SAID, Shape::Unread(""))]),
            Column::masked("summary", "NULL", &[(SAID, Shape::Unread(""))]),
            Column::shown("language", "NULL"),
            Column::shown("tags", "'[]'"),
        ],
    },
    Personal {
        table: "subscriptions",
        user: "chat_user_id",
        rows: Rows::Removed { key: "tag" },
        columns: &[],
    },
    Personal {
        table: "chat_user_tags",
        user: "chat_user_id",
        rows: Rows::Removed { key: "tag" },
        columns: &[],
    },
    Personal {
        table: "chat_user_aliases",
        user: "chat_user_id",
        rows: Rows::Removed { key: "id" },
        columns: &[],
    },
    Personal {
        table: "audit_entries",
        user: "chat_user_id",
        // Settings may be large, before and after.
        rows: Rows::Kept {
            order: "at",
            weight: 10,
        },
        columns: &[Column {
            left: Some("changes LIKE '%\"before\":%' OR changes LIKE '%\"after\":%'"),
            ..Column::masked("changes", "{without_values}", &[(PII, Shape::Changes)])
        }],
    },
];

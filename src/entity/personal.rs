//! What is personal in each table: the one list that deletions go by, and the check of what is left.
//!
//! A new column that may say something about a user is a word in `erased` and one in `left`; a new table is an entry.

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
    /// What holds for a row in which something personal is left. `{erased_id}` is what takes the place of an id.
    pub left: &'static str,
}

/// What becomes of a user's rows.
#[derive(Clone, Copy, Debug)]
pub enum Rows {
    /// They are kept, and this is set. They are gone through in the order of a column and of `id`, for which there is an index.
    Kept {
        /// What is set. `{without_values}` is the column `changes` without its values.
        erased: &'static str,
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
}

/// The user's own row, which is erased at once.
pub const PROFILE: Personal = Personal {
    table: "chat_users",
    user: "id",
    rows: Rows::Kept {
        erased: "platform_id = {erased_id}, name = NULL, name_key = NULL, email = NULL, email_key = NULL, phone_number = NULL, \
                 profile_picture_url = NULL, language = NULL, tags = '[]', settings = '{}', block_reason = NULL, search_text = ''",
        order: "created_at",
        weight: 1,
    },
    left: "platform_id <> {erased_id} OR name IS NOT NULL OR name_key IS NOT NULL OR email IS NOT NULL OR email_key IS NOT NULL \
           OR phone_number IS NOT NULL OR profile_picture_url IS NOT NULL OR language IS NOT NULL OR tags <> '[]' \
           OR settings <> '{}' OR block_reason IS NOT NULL OR search_text <> ''",
};

/// The other tables, in the order in which they are gone through: whatever refers to something else before that.
pub const TABLES: [Personal; 6] = [
    Personal {
        table: "messages",
        user: "chat_user_id",
        rows: Rows::Kept {
            erased: "external_id = {erased_id}, text = '', attachments = '[]', reply_to = NULL",
            order: "sent_at",
            weight: 1,
        },
        left: "external_id <> {erased_id} OR text <> '' OR attachments <> '[]' OR reply_to IS NOT NULL",
    },
    Personal {
        table: "sessions",
        user: "chat_user_id",
        rows: Rows::Kept {
            erased: "external_id = {erased_id}, subject = NULL, summary = NULL, language = NULL, tags = '[]'",
            order: "started_at",
            weight: 1,
        },
        left: "external_id <> {erased_id} OR subject IS NOT NULL OR summary IS NOT NULL OR language IS NOT NULL OR tags <> '[]'",
    },
    Personal {
        table: "subscriptions",
        user: "chat_user_id",
        rows: Rows::Removed { key: "tag" },
        left: "true",
    },
    Personal {
        table: "chat_user_tags",
        user: "chat_user_id",
        rows: Rows::Removed { key: "tag" },
        left: "true",
    },
    Personal {
        table: "chat_user_aliases",
        user: "chat_user_id",
        rows: Rows::Removed { key: "id" },
        left: "true",
    },
    Personal {
        table: "audit_entries",
        user: "chat_user_id",
        // Settings may be large, before and after.
        rows: Rows::Kept {
            erased: "changes = {without_values}",
            order: "at",
            weight: 10,
        },
        left: "changes LIKE '%\"before\":%' OR changes LIKE '%\"after\":%'",
    },
];

//! Messages: what their lists can be filtered and ordered by.

use async_graphql::{Enum, InputObject};
use sea_orm::DbErr;
use sea_orm::sea_query::Condition;
use uuid::Uuid;

use super::agent_scope::of_user;
use super::columns::{Columns, Row};
use super::filter::{
    Builder, Column, DateTimeFilter, DecimalFilter, IdFilter, IntFilter, MessageRoleFilter,
    StringFilter, Where,
};
use super::page::{Key, SortColumn, SortField};
use super::{Filter, Noun, visibility};
use crate::caller::Permission;
use crate::db::{Column as BatchColumn, Key as BatchKey, Reader, Rows};
use crate::entity::message::{Entity, Model};
use crate::error::Result;
use crate::id;

impl Noun for Entity {
    type Filter = MessageFilter;
    type Field = MessageOrderField;
    const NOUN: id::ObjectKind = id::ObjectKind::Message;
    const TABLE: &'static str = "messages";
    const READ: &'static [Permission] = &[Permission::UsersRead];
    const AGENT: &'static str = of_user!("messages.chat_user_id");
    const USER: Option<&'static str> = Some("chat_user_id");

    fn user(row: &Model) -> Option<Uuid> {
        Some(row.chat_user_id)
    }

    fn id(row: &Model) -> Uuid {
        row.id
    }

    fn decode(row: &Row<'_>) -> Result<Model, DbErr> {
        Ok(Model {
            id: row.next()?,
            session_id: row.next()?,
            chat_user_id: row.next()?,
            external_id: row.next()?,
            role: row.next()?,
            text: row.next()?,
            attachments: row.next()?,
            sent_at: row.next()?,
            cost_micros: row.next()?,
            reply_to: row.next()?,
            tokens: row.next()?,
            response_time_ms: row.next()?,
            sentiment_thousandths: row.next()?,
            by_rule: row.next()?,
            sent_as: row.next()?,
            redacted_at: row.next()?,
            withheld: row.lacks(Permission::MessagesRead),
        })
    }

    fn shown() -> Option<String> {
        Some(visibility::shown("messages.chat_user_id"))
    }

    fn parent_column(parent: id::ObjectKind) -> Option<&'static str> {
        match parent {
            id::ObjectKind::Session => Some("session_id"),
            id::ObjectKind::ChatUser => Some("chat_user_id"),
            _ => None,
        }
    }

    fn total(parent: id::ObjectKind) -> Option<&'static str> {
        match parent {
            id::ObjectKind::Agent | id::ObjectKind::Session => Some("total_messages"),
            id::ObjectKind::ChatUser => Some("total_chat_messages"),
            _ => None,
        }
    }
}

/// What is unique of a message where the data comes from: its user, the id under which that one was known then, if it was
/// another (`sent_as`), and its external id.
pub type ExternalKey<'a> = (Uuid, Option<Uuid>, &'a str);

/// The messages that have these external ids. The users are those of messages that somebody sees already, so that these may be
/// seen as well: the one select on messages that does not start at [`Noun::visible`].
pub async fn by_external_ids(reader: &Reader, wanted: &[ExternalKey<'_>]) -> Result<Vec<Model>> {
    const COLUMNS: [(&str, BatchColumn); 3] = [
        ("of_user", BatchColumn::Uuid),
        ("known_as", BatchColumn::Uuid),
        ("id_there", BatchColumn::Text),
    ];
    let rows: Vec<_> = wanted
        .iter()
        .map(|(user, alias, id)| (BatchKey(*user), alias.map(BatchKey), id))
        .collect();
    let rows = Rows::new(&COLUMNS, &rows);
    let columns = Columns::<Entity>::all().seen_by(reader);
    let names: Vec<_> = columns
        .names()
        .into_iter()
        .map(|name| format!("messages.{name}"))
        .collect();
    let dialect = reader.dialect();
    // An index for each of the two.
    let select = |same: &str| {
        format!(
            "SELECT {} FROM {} AS wanted JOIN messages ON messages.chat_user_id = wanted.of_user \
             AND messages.external_id = wanted.id_there AND {same}",
            names.join(", "),
            rows.subquery(dialect, "$1")
        )
    };
    let sql = format!(
        "{} UNION ALL {}",
        select("messages.sent_as IS NULL AND wanted.known_as IS NULL"),
        select("messages.sent_as = wanted.known_as")
    );
    let statement = dialect.raw(sql, [rows.value()]);
    let found = reader.each(statement, |row| columns.decode(row)).await?;
    columns.note(&found);
    Ok(found)
}

/// What a list of messages is filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MessageFilter {
    /// Conditions.
    pub r#where: Option<Box<MessageWhere>>,
}

impl Filter for MessageFilter {
    fn condition(&self, reader: &Reader) -> Result<Condition> {
        Builder::condition(reader, self.r#where.as_deref())
    }

    fn is_open(&self) -> bool {
        self.r#where.is_some()
    }
}

/// Conditions on a message; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct MessageWhere {
    /// All of these hold.
    pub and: Option<Vec<MessageWhere>>,
    /// At least one of these holds.
    pub or: Option<Vec<MessageWhere>>,
    /// This does not hold.
    pub not: Option<Box<MessageWhere>>,
    /// The id.
    pub id: Option<IdFilter>,
    /// The id in the system the data came from.
    pub external_id: Option<StringFilter>,
    /// Who sent it.
    pub role: Option<MessageRoleFilter>,
    /// What was said, character for character.
    pub text: Option<StringFilter>,
    /// When it was sent.
    pub sent_at: Option<DateTimeFilter>,
    /// What it cost.
    pub cost: Option<DecimalFilter>,
    /// Tokens that it took.
    pub tokens: Option<IntFilter>,
    /// How long it took to answer, in milliseconds.
    pub response_time_ms: Option<IntFilter>,
}

impl Where for MessageWhere {
    fn fields(&self, builder: &mut Builder) -> Result<Condition> {
        Ok(Condition::all()
            .add(builder.field("id", self.id.as_ref(), Column::of("messages.id"))?)
            .add(builder.field(
                "externalId",
                self.external_id.as_ref(),
                Column::of("messages.external_id"),
            )?)
            .add(builder.field("role", self.role.as_ref(), Column::of("messages.role"))?)
            .add(builder.field("text", self.text.as_ref(), Column::of("messages.text"))?)
            .add(builder.field(
                "sentAt",
                self.sent_at.as_ref(),
                Column::of("messages.sent_at"),
            )?)
            .add(builder.field(
                "cost",
                self.cost.as_ref(),
                Column::nullable("messages.cost_micros"),
            )?)
            .add(builder.field(
                "tokens",
                self.tokens.as_ref(),
                Column::nullable("messages.tokens"),
            )?)
            .add(builder.field(
                "responseTimeMs",
                self.response_time_ms.as_ref(),
                Column::nullable("messages.response_time_ms"),
            )?))
    }

    fn logic(&self) -> (Option<&[Self]>, Option<&[Self]>, Option<&Self>) {
        (self.and.as_deref(), self.or.as_deref(), self.not.as_deref())
    }
}

/// What a list of messages can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum MessageOrderField {
    /// When it was sent.
    SentAt,
}

impl SortField for MessageOrderField {
    type Row = Model;

    fn column(self) -> SortColumn {
        SortColumn::Int("sent_at")
    }

    fn key(self, row: &Model) -> Option<Key> {
        Some(row.sent_at.into())
    }

    fn naturally_descending(self) -> bool {
        false
    }

    fn is_time(self) -> bool {
        true
    }
}

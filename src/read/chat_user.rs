//! Chat users: the audience of an agent, what it can be filtered and ordered by, and its facets.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Enum, InputObject};
use sea_orm::DbErr;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, SelectStatement};
use uuid::Uuid;

use super::columns::{Columns, Row};
use super::filter::{
    BooleanFilter, Builder, Column, DateTimeFilter, DecimalFilter, IdFilter, IntFilter,
    PlatformFilter, StringFilter, TagsFilter, Where,
};
use super::page::{Key, Query, Slice, SortColumn, SortField};
use super::search::{self, Term};
use super::{Filter, Noun, Reach, Scope, count, search_count, visibility};
use crate::caller::Permission;
use crate::db::{self, Reader};
use crate::entity::chat_user::{Entity, Model};
use crate::entity::platform::Platform;
use crate::error::Result;
use crate::id;

impl Noun for Entity {
    type Filter = ChatUserFilter;
    type Field = ChatUserOrderField;
    const NOUN: id::ObjectKind = id::ObjectKind::ChatUser;
    const TABLE: &'static str = "chat_users";
    const READ: &'static [Permission] = &[Permission::UsersRead];
    const AGENT: &'static str = "chat_users.agent_id";
    const USER: Option<&'static str> = Some("id");

    fn user(row: &Model) -> Option<Uuid> {
        Some(row.id)
    }

    fn id(row: &Model) -> Uuid {
        row.id
    }

    fn decode(row: &Row<'_>) -> Result<Model, DbErr> {
        Ok(Model {
            id: row.next()?,
            agent_id: row.next()?,
            platform: row.next()?,
            platform_id: row.next()?,
            name: row.next()?,
            name_key: row.next()?,
            email: row.next()?,
            email_key: row.next()?,
            phone_number: row.next()?,
            profile_picture_url: row.next()?,
            language: row.next()?,
            tags: row.next()?,
            settings: row.next()?,
            created_at: row.next()?,
            last_interaction_at: row.next()?,
            last_message_at: row.next()?,
            last_message_id: row.next()?,
            total_sessions: row.next()?,
            total_chat_messages: row.next()?,
            total_messages_sent: row.next()?,
            total_cost_micros: row.next()?,
            search_text: row.next()?,
            version: row.next()?,
            blocked_at: row.next()?,
            blocked_until: row.next()?,
            block_reason: row.next()?,
            blocked_by: row.next()?,
            stopped_at: row.next()?,
            erased_at: row.next()?,
            masked: row.lacks(Permission::UsersPii),
        })
    }

    fn shown() -> Option<String> {
        Some(visibility::shown("chat_users.id"))
    }

    fn parent_column(parent: id::ObjectKind) -> Option<&'static str> {
        (parent == id::ObjectKind::Agent).then_some("agent_id")
    }

    async fn by_former_ids(reader: &Reader, ids: &[Uuid]) -> Result<HashMap<Uuid, Arc<Model>>> {
        let among = reader
            .dialect()
            .among("chat_user_aliases.id", ids.iter().copied());
        let rows = merged(reader, Condition::all().add(among)).await?;
        Ok(rows
            .into_iter()
            .map(|(id, row)| (id, Arc::new(row)))
            .collect())
    }

    async fn page(
        reader: &Reader,
        scope: Scope,
        query: &Query<Self>,
        columns: Columns<Self>,
    ) -> Result<Slice<Self>> {
        match (
            scope.reach::<Self>(reader.principal()),
            &query.filter.search,
        ) {
            (Reach::List(scope), Some(Term::Text(text))) => {
                search::page(reader, scope, query, text, columns).await
            }
            (Reach::List(scope), Some(Term::MaybeEmail(text))) => {
                search::page_of_email(reader, scope, query, text, columns).await
            }
            (Reach::Lists(_), Some(Term::MaybeEmail(text))) => {
                let mut query = query.clone();
                query.filter.search = Some(search::resolve_email_term(reader, scope, text).await?);
                query.read(reader, scope, columns).await
            }
            _ => query.read(reader, scope, columns).await,
        }
    }

    fn total(parent: id::ObjectKind) -> Option<&'static str> {
        (parent == id::ObjectKind::Agent).then_some("total_users")
    }

    async fn count(reader: &Reader, scope: Scope, filter: &ChatUserFilter) -> Result<i64> {
        if filter.is_platform_alone() {
            return Ok(sum(&platforms(reader, scope, filter).await?));
        }
        match search_count::count(reader, scope, filter).await? {
            Some(count) => Ok(count),
            None => count::one::<Self>(reader, scope, filter).await,
        }
    }

    async fn counts(
        reader: &Reader,
        parent: id::ObjectKind,
        parents: &[Uuid],
        filter: &ChatUserFilter,
    ) -> Result<HashMap<Uuid, i64>> {
        if let [only] = parents {
            let count = Self::count(reader, Scope::Of(parent, *only), filter).await?;
            return Ok(HashMap::from([(*only, count)]));
        }
        if filter.is_platform_alone() {
            let platforms = platforms_of(reader, parents, filter).await?;
            let sums = platforms.into_iter().map(|(id, counts)| (id, sum(&counts)));
            return Ok(sums.collect());
        }
        count::each::<Self>(reader, parent, parents, filter).await
    }
}

/// What a list of users is filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChatUserFilter {
    /// Contained in name, e-mail address, phone number, platform id or id.
    pub search: Option<Term>,
    /// The platform.
    pub platform: Option<Platform>,
    /// Conditions.
    pub r#where: Option<Box<ChatUserWhere>>,
}

impl ChatUserFilter {
    /// Whether it leaves all users, or all of one platform: then stored figures tell how many there are.
    const fn is_stored(&self) -> bool {
        self.search.is_none() && self.r#where.is_none()
    }

    const fn is_platform_alone(&self) -> bool {
        self.is_stored() && self.platform.is_some()
    }
}

impl Filter for ChatUserFilter {
    fn condition(&self, reader: &Reader) -> Result<Condition> {
        if let Some(term) = &self.search {
            term.is_for(reader)?;
        }
        let mut condition = Builder::condition(reader, self.r#where.as_deref())?;
        if let Some(platform) = self.platform {
            condition = condition.add(Expr::col((Entity::TABLE, "platform")).eq(platform));
        }
        Ok(self.search.iter().fold(condition, |all, term| {
            all.add(term.condition::<Entity>(reader.dialect()))
        }))
    }

    fn is_open(&self) -> bool {
        self.search.as_ref().is_some_and(Term::is_open) || self.r#where.is_some()
    }

    fn counted_by(&self, reader: &Reader) -> Reader {
        let found = match (&self.search, &self.r#where) {
            (Some(Term::Text(text)), None) => reader.dialect().indexed(None, None, text),
            _ => None,
        };
        if found.is_some_and(|found| found.is_planned()) {
            reader.dedicated()
        } else {
            reader.custom_plan()
        }
    }
}

/// The users into whom others were merged, with the ids of those; `condition` is one on `chat_user_aliases`.
async fn merged(reader: &Reader, condition: Condition) -> Result<Vec<(Uuid, Model)>> {
    let columns = Columns::<Entity>::all().seen_by(reader);
    let mut select = Entity::visible(reader.principal());
    let led = Expr::cust("chat_users.id = chat_user_aliases.chat_user_id");
    select
        .columns(
            columns
                .names()
                .into_iter()
                .map(|name| (Entity::TABLE, name)),
        )
        .expr_as(Expr::col(("chat_user_aliases", "id")), "alias")
        .inner_join("chat_user_aliases", led)
        .cond_where(condition);
    let rows = reader.select(&select).await?;
    let rows = rows
        .iter()
        .map(|row| Ok((row.try_get("", "alias")?, columns.decode(row)?)))
        .collect::<Result<Vec<_>, DbErr>>()?;
    columns.note(rows.iter().map(|(_, row)| row));
    Ok(rows)
}

/// The user with this id on a platform of an agent, or the one into whom that user was merged.
pub async fn by_platform_id(
    reader: &Reader,
    agent: Uuid,
    platform: Platform,
    platform_id: &str,
) -> Result<Option<Model>> {
    let named = |table: &'static str| {
        Condition::all()
            .add(Expr::col((table, "agent_id")).eq(agent))
            .add(Expr::col((table, "platform")).eq(platform))
            .add(Expr::col((table, "platform_id")).eq(platform_id))
    };
    let mut select = Entity::visible(reader.principal());
    select.cond_where(named(Entity::TABLE));
    let found = Columns::<Entity>::all().fetch(reader, select).await?.pop();
    if found.is_some() {
        return Ok(found);
    }
    let mut found = merged(reader, named("chat_user_aliases")).await?;
    Ok(found.pop().map(|(_, row)| row))
}

/// Users per platform, the most frequent first.
pub type Platforms = Vec<(Platform, i64)>;

/// How many users of a list are on each platform.
pub async fn platforms(
    reader: &Reader,
    scope: Scope,
    filter: &ChatUserFilter,
) -> Result<Platforms> {
    let mut counts = if let Some(counts) = search_count::platforms(reader, scope, filter).await? {
        counts
    } else {
        let (reader, mut select, agent) = group_by_platform(reader, filter)?;
        match scope {
            Scope::All => {}
            Scope::Of(id::ObjectKind::Agent, id) => {
                select.and_where(Expr::col(agent).eq(id));
            }
            _ => {
                select.and_where(Expr::cust("1 = 0"));
            }
        }
        reader
            .select(&select)
            .await?
            .iter()
            .map(count_of_platform)
            .collect::<Result<_>>()?
    };
    most_frequent_first(&mut counts);
    Ok(counts)
}

/// How many users of each agent's list are on each platform.
pub async fn platforms_of(
    reader: &Reader,
    agents: &[Uuid],
    filter: &ChatUserFilter,
) -> Result<HashMap<Uuid, Platforms>> {
    if let [only] = agents {
        let counts = platforms(reader, Scope::Of(id::ObjectKind::Agent, *only), filter).await?;
        return Ok(HashMap::from([(*only, counts)]));
    }
    let (reader, mut select, agent) = group_by_platform(reader, filter)?;
    let among = reader
        .dialect()
        .among(&format!("{}.{}", agent.0, agent.1), agents.iter().copied());
    select.column(agent).and_where(among).group_by_col(agent);
    let mut counts: HashMap<Uuid, Platforms> =
        agents.iter().map(|&agent| (agent, Vec::new())).collect();
    for row in reader.select(&select).await? {
        let counts = counts.entry(row.try_get("", "agent_id")?).or_default();
        counts.push(count_of_platform(&row)?);
    }
    counts.values_mut().for_each(most_frequent_first);
    Ok(counts)
}

/// The query for how many users are on each platform, of agents that are still to be named by the column that is told, and the
/// connections for it.
fn group_by_platform(
    reader: &Reader,
    filter: &ChatUserFilter,
) -> Result<(Reader, SelectStatement, (&'static str, &'static str))> {
    if filter.is_stored() {
        let select = count::platforms(reader.principal(), filter.platform);
        return Ok((reader.clone(), select, ("agent_platforms", "agent_id")));
    }
    let mut select = Entity::visible(reader.principal());
    select
        .column((Entity::TABLE, "platform"))
        .expr_as(Expr::cust("COUNT(*)"), "count")
        .cond_where(filter.condition(reader)?)
        .group_by_col((Entity::TABLE, "platform"));
    Ok((
        filter.counted_by(reader),
        select,
        (Entity::TABLE, "agent_id"),
    ))
}

fn count_of_platform(row: &db::Row) -> Result<(Platform, i64)> {
    Ok((row.try_get("", "platform")?, row.try_get("", "count")?))
}

fn sum(counts: &Platforms) -> i64 {
    counts.iter().map(|(_, count)| count).sum()
}

/// Platforms without users are left out.
fn most_frequent_first(counts: &mut Platforms) {
    counts.retain(|(_, count)| *count > 0);
    counts.sort_by_key(|&(platform, count)| (-count, platform));
}

/// Conditions on a chat user; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct ChatUserWhere {
    /// All of these hold.
    pub and: Option<Vec<ChatUserWhere>>,
    /// At least one of these holds.
    pub or: Option<Vec<ChatUserWhere>>,
    /// This does not hold.
    pub not: Option<Box<ChatUserWhere>>,
    /// The id.
    pub id: Option<IdFilter>,
    /// The platform.
    pub platform: Option<PlatformFilter>,
    /// The user's id on the platform.
    pub platform_id: Option<StringFilter>,
    /// The name, without regard to case and accents.
    pub name: Option<StringFilter>,
    /// Whether the user has no name.
    pub is_anonymous: Option<BooleanFilter>,
    /// The e-mail address, without regard to case.
    pub email: Option<StringFilter>,
    /// The phone number as it was given.
    pub phone_number: Option<StringFilter>,
    /// The address of the profile picture.
    pub profile_picture_url: Option<StringFilter>,
    /// The language, as a BCP 47 tag.
    pub language: Option<StringFilter>,
    /// The tags.
    pub tags: Option<TagsFilter>,
    /// When the user stopped the bot.
    pub stopped_at: Option<DateTimeFilter>,
    /// When the user was blocked, also where the block has ended by itself since.
    pub blocked_at: Option<DateTimeFilter>,
    /// When the block ends by itself, or did; absent for who is blocked until further notice, and for who is not blocked.
    pub blocked_until: Option<DateTimeFilter>,
    /// The earliest session start or message.
    pub created_at: Option<DateTimeFilter>,
    /// The newest of the user's own messages and session starts.
    pub last_interaction_at: Option<DateTimeFilter>,
    /// The newest message sent by the user.
    pub last_message_at: Option<DateTimeFilter>,
    /// Sessions of the user.
    pub total_sessions: Option<IntFilter>,
    /// Messages of every role in these sessions.
    pub total_chat_messages: Option<IntFilter>,
    /// Messages sent by the user.
    pub total_messages_sent: Option<IntFilter>,
    /// What it cost to serve the user.
    pub total_cost: Option<DecimalFilter>,
}

impl Where for ChatUserWhere {
    fn fields(&self, builder: &mut Builder) -> Result<Condition> {
        Ok(Condition::all()
            .add(builder.field("id", self.id.as_ref(), Column::of("chat_users.id"))?)
            .add(builder.field(
                "platform",
                self.platform.as_ref(),
                Column::of("chat_users.platform"),
            )?)
            .add(builder.field(
                "platformId",
                self.platform_id.as_ref(),
                Column::of("chat_users.platform_id"),
            )?)
            .add(builder.field(
                "name",
                self.name.as_ref(),
                Column::folded("chat_users.name_key"),
            )?)
            .add(builder.field(
                "isAnonymous",
                self.is_anonymous.as_ref(),
                Column::presence("chat_users.name"),
            )?)
            .add(builder.field(
                "email",
                self.email.as_ref(),
                Column::email("chat_users.email_key"),
            )?)
            .add(builder.field(
                "phoneNumber",
                self.phone_number.as_ref(),
                Column::nullable("chat_users.phone_number"),
            )?)
            .add(builder.field(
                "profilePictureUrl",
                self.profile_picture_url.as_ref(),
                Column::nullable("chat_users.profile_picture_url"),
            )?)
            .add(builder.field(
                "language",
                self.language.as_ref(),
                Column::nullable("chat_users.language"),
            )?)
            .add(builder.field("tags", self.tags.as_ref(), Column::tags_of_users())?)
            .add(builder.field(
                "blockedAt",
                self.blocked_at.as_ref(),
                Column::nullable("chat_users.blocked_at"),
            )?)
            .add(builder.field(
                "blockedUntil",
                self.blocked_until.as_ref(),
                Column::nullable("chat_users.blocked_until"),
            )?)
            .add(builder.field(
                "stoppedAt",
                self.stopped_at.as_ref(),
                Column::nullable("chat_users.stopped_at"),
            )?)
            .add(builder.field(
                "createdAt",
                self.created_at.as_ref(),
                Column::of("chat_users.created_at"),
            )?)
            .add(builder.field(
                "lastInteractionAt",
                self.last_interaction_at.as_ref(),
                Column::of("chat_users.last_interaction_at"),
            )?)
            .add(builder.field(
                "lastMessageAt",
                self.last_message_at.as_ref(),
                Column::nullable("chat_users.last_message_at"),
            )?)
            .add(builder.field(
                "totalSessions",
                self.total_sessions.as_ref(),
                Column::of("chat_users.total_sessions"),
            )?)
            .add(builder.field(
                "totalChatMessages",
                self.total_chat_messages.as_ref(),
                Column::of("chat_users.total_chat_messages"),
            )?)
            .add(builder.field(
                "totalMessagesSent",
                self.total_messages_sent.as_ref(),
                Column::of("chat_users.total_messages_sent"),
            )?)
            .add(builder.field(
                "totalCost",
                self.total_cost.as_ref(),
                Column::of("chat_users.total_cost_micros"),
            )?))
    }

    fn logic(&self) -> (Option<&[Self]>, Option<&[Self]>, Option<&Self>) {
        (self.and.as_deref(), self.or.as_deref(), self.not.as_deref())
    }
}

/// What a list of users can be ordered by. Across all agents only the times are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum ChatUserOrderField {
    /// The newest message sent by the user.
    LastMessageAt,
    /// The newest of the user's own messages and session starts.
    LastInteractionAt,
    /// The earliest session start or message.
    CreatedAt,
    /// The name, without regard to case and accents. Within one agent.
    Name,
    /// Sessions of the user. Within one agent.
    TotalSessions,
    /// Messages of every role in these sessions. Within one agent.
    TotalChatMessages,
    /// Messages sent by the user. Within one agent.
    TotalMessagesSent,
    /// What it cost to serve the user. Within one agent.
    Cost,
}

impl SortField for ChatUserOrderField {
    type Row = Model;

    fn column(self) -> SortColumn {
        match self {
            Self::LastMessageAt => SortColumn::NullableInt("last_message_at"),
            Self::LastInteractionAt => SortColumn::Int("last_interaction_at"),
            Self::CreatedAt => SortColumn::Int("created_at"),
            Self::Name => SortColumn::NullableText("name_key"),
            Self::TotalSessions => SortColumn::Int("total_sessions"),
            Self::TotalChatMessages => SortColumn::Int("total_chat_messages"),
            Self::TotalMessagesSent => SortColumn::Int("total_messages_sent"),
            Self::Cost => SortColumn::Int("total_cost_micros"),
        }
    }

    fn key(self, row: &Model) -> Option<Key> {
        match self {
            Self::LastMessageAt => row.last_message_at.map(Key::from),
            Self::LastInteractionAt => Some(row.last_interaction_at.into()),
            Self::CreatedAt => Some(row.created_at.into()),
            Self::Name => row.name_key.as_ref().map(Key::from),
            Self::TotalSessions => Some(row.total_sessions.into()),
            Self::TotalChatMessages => Some(row.total_chat_messages.into()),
            Self::TotalMessagesSent => Some(row.total_messages_sent.into()),
            Self::Cost => Some(row.total_cost_micros.into()),
        }
    }

    fn naturally_descending(self) -> bool {
        !matches!(self, Self::Name)
    }

    fn is_time(self) -> bool {
        matches!(
            self,
            Self::LastMessageAt | Self::LastInteractionAt | Self::CreatedAt
        )
    }
}

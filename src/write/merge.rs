//! Merging: two users of an agent who are one person become one user.

use async_graphql::Enum;
use sea_orm::Value as SqlValue;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::audit::{self, Difference, Entry};
use super::authorized::AuthorizedMutation;
use super::chat_user::{self, Fields, Rewrite};
use super::profile::{self, MAX_SETTINGS, MAX_TAGS, differences};
use super::subscription::MAX_SUBSCRIPTIONS;
use super::{agent, resessionize, subscription};
use crate::caller::{Caller, Permission, Principal};
use crate::clock::Timestamp;
use crate::db::{Column, Key, Transaction, TransactionError, UnitOfWork};
use crate::entity::audit_entry::AuditAction;
use crate::entity::chat_user::Model;
use crate::entity::platform::Platform;
use crate::id::ObjectKind;

/// A value of which two users may each have another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum MergeField {
    /// The name.
    Name,
    /// The e-mail address.
    Email,
    /// The phone number.
    PhoneNumber,
    /// The address of a picture.
    ProfilePictureUrl,
    /// The language.
    Language,
    /// Settings that both have under the same key.
    Settings,
}

/// Why users were not merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MergeError {
    /// Nobody has the id of the one who is to stay.
    NoInto,
    /// Nobody has the id of the one who is to go.
    NoFrom,
    /// They are the same user.
    Same,
    /// They are users of two agents.
    OtherAgent,
    /// One of them was erased.
    Erased,
    /// The one who is to stay is not at the version that was meant.
    Conflict,
    /// There would be too many tags.
    TooManyTags,
    /// The settings would be too large.
    SettingsTooLarge,
    /// There would be too many subscriptions.
    TooManySubscriptions,
}

/// A value of which two users each have another.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The value.
    pub field: MergeField,
    /// What the one who stays has.
    pub into: Value,
    /// What the one who goes has.
    pub from: Value,
    /// What it is after a merge.
    pub result: Value,
}

/// What two users would be as one.
#[derive(Clone, Debug)]
pub struct MergedProfile {
    /// The profile.
    profile: Fields,
    /// Values of which they each have another.
    pub conflicts: Vec<Conflict>,
}

impl MergedProfile {
    /// What two users would be as one; in the fields of `take` the one who goes comes first, in all others the one who stays.
    pub fn of(into: &Model, from: &Model, take: &[MergeField]) -> Result<Self, MergeError> {
        if into.id == from.id {
            return Err(MergeError::Same);
        }
        if into.agent_id != from.agent_id {
            return Err(MergeError::OtherAgent);
        }
        if into.erased_at.or(from.erased_at).is_some() {
            return Err(MergeError::Erased);
        }
        let (kept, given) = (Fields::from(into.clone()), Fields::from(from.clone()));
        let mut profile = kept.clone();
        let mut conflicts = Vec::new();
        for (field, kept, given, result) in [
            (MergeField::Name, &kept.name, &given.name, &mut profile.name),
            (
                MergeField::Email,
                &kept.email,
                &given.email,
                &mut profile.email,
            ),
            (
                MergeField::PhoneNumber,
                &kept.phone_number,
                &given.phone_number,
                &mut profile.phone_number,
            ),
            (
                MergeField::ProfilePictureUrl,
                &kept.profile_picture_url,
                &given.profile_picture_url,
                &mut profile.profile_picture_url,
            ),
            (
                MergeField::Language,
                &kept.language,
                &given.language,
                &mut profile.language,
            ),
        ] {
            let (first, second) = if take.contains(&field) {
                (given, kept)
            } else {
                (kept, given)
            };
            *result = first.clone().or_else(|| second.clone());
            if kept.is_some() && given.is_some() && kept != given {
                conflicts.push(Conflict {
                    field,
                    into: json!(kept),
                    from: json!(given),
                    result: json!(result),
                });
            }
        }
        let all: Vec<_> = kept.tags().into_iter().chain(given.tags()).collect();
        profile.tags = Some(super::tags(&all));
        if profile.tags().len() > MAX_TAGS {
            return Err(MergeError::TooManyTags);
        }
        let (ours, theirs) = (kept.settings(), given.settings());
        let (usual, other) = (laid_over(&theirs, &ours), laid_over(&ours, &theirs));
        let settings = if take.contains(&MergeField::Settings) {
            &other
        } else {
            &usual
        };
        if usual != other {
            conflicts.push(Conflict {
                field: MergeField::Settings,
                into: json!(ours),
                from: json!(theirs),
                result: json!(settings),
            });
        }
        if *settings != ours {
            let settings = json!(settings).to_string();
            if settings.len() > MAX_SETTINGS {
                return Err(MergeError::SettingsTooLarge);
            }
            profile.settings = Some(settings);
        }
        Ok(Self { profile, conflicts })
    }

    /// What the one user would be like, in a row that shows it.
    pub fn shown(&self, into: &Model, from: &Model) -> Model {
        let Fields {
            name,
            email,
            phone_number,
            profile_picture_url,
            language,
            tags,
            settings,
        } = self.profile.clone();
        let last_message = last_message(into).max(last_message(from));
        let blocked = holds_longer(into, from);
        Model {
            name,
            email,
            phone_number,
            profile_picture_url,
            language,
            tags: tags.unwrap_or_else(|| into.tags.clone()),
            settings: settings.unwrap_or_else(|| into.settings.clone()),
            created_at: into.created_at.min(from.created_at),
            last_interaction_at: into.last_interaction_at.max(from.last_interaction_at),
            last_message_at: last_message.map(|(at, _)| at),
            last_message_id: last_message.map(|(_, id)| id),
            total_sessions: into.total_sessions + from.total_sessions,
            total_chat_messages: into.total_chat_messages + from.total_chat_messages,
            total_messages_sent: into.total_messages_sent + from.total_messages_sent,
            total_cost_micros: into.total_cost_micros + from.total_cost_micros,
            blocked_at: blocked.blocked_at,
            blocked_until: blocked.blocked_until,
            block_reason: blocked.block_reason.clone(),
            blocked_by: blocked.blocked_by.clone(),
            stopped_at: stopped_at(into, from),
            version: into.version + 1,
            ..into.clone()
        }
    }
}

fn last_message(row: &Model) -> Option<(Timestamp, Uuid)> {
    row.last_message_at.zip(row.last_message_id)
}

/// Of two users the one whose block ends later: who was blocked stays blocked.
fn holds_longer<'a>(into: &'a Model, from: &'a Model) -> &'a Model {
    let end = |row: &Model| {
        row.blocked_at
            .map(|_| row.blocked_until.unwrap_or(Timestamp(i64::MAX)))
    };
    if end(from) > end(into) { from } else { into }
}

/// When the last of the two stopped the bot, unless the one user they become has written since.
fn stopped_at(into: &Model, from: &Model) -> Option<Timestamp> {
    let last = into.last_message_at.max(from.last_message_at);
    let stopped = into.stopped_at.max(from.stopped_at);
    stopped.filter(|_| stopped > last)
}

/// Settings of which `over` has the last word, key by key, at every level.
fn laid_over(under: &Map<String, Value>, over: &Map<String, Value>) -> Map<String, Value> {
    let mut all = under.clone();
    for (key, value) in over {
        let value = match (under.get(key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => {
                Value::Object(laid_over(under, over))
            }
            _ => value.clone(),
        };
        all.insert(key.clone(), value);
    }
    all
}

/// Merges one user into another of the same agent. All of it is one transaction, however much there is: nobody sees half a
/// merge. Nothing is removed but the row of the one who goes.
#[derive(Debug)]
pub struct MergeUsers {
    /// Who stays.
    pub into: Uuid,
    /// Who goes.
    pub from: Uuid,
    /// In which fields the one who goes comes first.
    pub take: Vec<MergeField>,
    /// The version of the one who stays, when only that may be changed.
    pub if_version: Option<i64>,
    /// When.
    pub now: Timestamp,
    /// Who asks.
    pub by: Caller,
}

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Sessions.
    pub sessions: u64,
    /// Messages.
    pub messages: u64,
}

impl AuthorizedMutation for MergeUsers {
    const NEEDS: Permission = Permission::UsersWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for MergeUsers {
    type Output = Result<Moved, MergeError>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let found =
            profile::find(transaction, self.by(), [self.into, self.from].into_iter()).await?;
        let Some(into) = found.get(&self.into) else {
            return Ok(Err(MergeError::NoInto));
        };
        let Some(from) = found.get(&self.from) else {
            return Ok(Err(MergeError::NoFrom));
        };
        let united = match MergedProfile::of(into, from, &self.take) {
            // Done before: an id of the one is an id of the other since.
            Err(MergeError::Same) if self.into != self.from => return Ok(Ok(Moved::default())),
            Err(obstacle) => return Ok(Err(obstacle)),
            Ok(united) => united,
        };
        if self
            .if_version
            .is_some_and(|version| version != into.version)
        {
            return Ok(Err(MergeError::Conflict));
        }
        if subscription::count(transaction, &[into.id, from.id]).await? > MAX_SUBSCRIPTIONS {
            return Ok(Err(MergeError::TooManySubscriptions));
        }
        let both = Both {
            transaction,
            into,
            from,
        };
        let moved = both.move_rows(self.now).await?;
        let one = united.shown(into, from);
        both.become_one(&united, &one).await?;
        let gone = agent::Movement {
            users: [(from.platform, -1)].into(),
            ..agent::Movement::default()
        };
        agent::count(transaction, &[(into.agent_id, gone)].into()).await?;
        // What was said by both may be one conversation.
        resessionize::everything(transaction, into.id).await?;
        let entry = both.entry(&united, &one, moved);
        audit::enter(transaction, &self.by, &[entry]).await?;
        Ok(Ok(moved))
    }
}

/// Two users who become one.
struct Both<'a> {
    transaction: &'a Transaction,
    into: &'a Model,
    from: &'a Model,
}

impl Both<'_> {
    /// Runs a statement about `$1`, who stays, and `$2`, who goes.
    async fn execute(&self, sql: &str) -> Result<u64, TransactionError> {
        let ids = [self.into.id, self.from.id].map(SqlValue::from);
        let statement = self.transaction.dialect().raw(sql, ids);
        self.transaction.execute(statement).await
    }

    /// Gives all that belongs to the one who goes to the one who stays, and removes the row.
    async fn move_rows(&self, now: Timestamp) -> Result<Moved, TransactionError> {
        // External ids are unique with who sent them as: messages of two platforms may have the same.
        let sql = "UPDATE messages SET chat_user_id = $1, sent_as = COALESCE(sent_as, $2) WHERE chat_user_id = $2";
        let messages = self.execute(sql).await?;
        let sql = "UPDATE sessions SET chat_user_id = $1 WHERE chat_user_id = $2";
        let sessions = self.execute(sql).await?;
        // Of two subscriptions to the same the one that ends later holds: the others go, then all of them are the one user's.
        for (goes, stays) in [("$1", "$2"), ("$2", "$1")] {
            let later = if goes == "$1" { ">" } else { ">=" };
            let sql = format!(
                "DELETE FROM subscriptions WHERE chat_user_id = {goes} AND EXISTS (SELECT 1 FROM subscriptions AS other \
                 WHERE other.chat_user_id = {stays} AND other.tag = subscriptions.tag \
                 AND COALESCE(other.expires_at, {end}) {later} COALESCE(subscriptions.expires_at, {end}))",
                end = i64::MAX
            );
            self.execute(&sql).await?;
        }
        self.execute("UPDATE subscriptions SET chat_user_id = $1 WHERE chat_user_id = $2")
            .await?;
        // What was entered about the one is about the other now; what it tells stays as it is.
        self.execute("UPDATE audit_entries SET chat_user_id = $1 WHERE chat_user_id = $2")
            .await?;
        self.execute("UPDATE chat_user_aliases SET chat_user_id = $1 WHERE chat_user_id = $2")
            .await?;
        self.execute("DELETE FROM chat_users WHERE id = $2 AND id <> $1")
            .await?;
        self.leave_alias(now).await?;
        Ok(Moved { sessions, messages })
    }

    /// The id of the one who goes, and what they are called on their platform, lead to the one who stays.
    async fn leave_alias(&self, now: Timestamp) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 6] = [
            ("id", Column::Uuid),
            ("chat_user_id", Column::Uuid),
            ("agent_id", Column::Uuid),
            ("platform", Column::Text),
            ("platform_id", Column::Text),
            ("merged_at", Column::Int),
        ];
        let Model {
            id,
            agent_id,
            platform,
            platform_id,
            ..
        } = self.from;
        let row: (_, _, _, Platform, _, _) = (
            Key(*id),
            Key(self.into.id),
            Key(*agent_id),
            *platform,
            platform_id,
            now,
        );
        self.transaction
            .insert_all("chat_user_aliases", &COLUMNS, &[row])
            .await
    }

    /// Makes the one who stays what both are together.
    async fn become_one(
        &self,
        united: &MergedProfile,
        one: &Model,
    ) -> Result<(), TransactionError> {
        const COLUMNS: [(&str, Column); 14] = [
            ("id", Column::Uuid),
            ("created_at", Column::Int),
            ("last_interaction_at", Column::Int),
            ("last_message_at", Column::Int),
            ("last_message_id", Column::Uuid),
            ("total_sessions", Column::Int),
            ("total_chat_messages", Column::Int),
            ("total_messages_sent", Column::Int),
            ("total_cost_micros", Column::Int),
            ("blocked_at", Column::Int),
            ("blocked_until", Column::Int),
            ("block_reason", Column::Text),
            ("blocked_by", Column::Text),
            ("stopped_at", Column::Int),
        ];
        let rewrite = Rewrite {
            id: self.into.id,
            agent: self.into.agent_id,
            platform: self.into.platform,
            platform_id: &self.into.platform_id,
            before: Fields::from(self.into.clone()),
            after: united.profile.clone(),
        };
        chat_user::rewrite(self.transaction, &[rewrite]).await?;
        let row = (
            Key(one.id),
            one.created_at,
            one.last_interaction_at,
            one.last_message_at,
            one.last_message_id.map(Key),
            one.total_sessions,
            one.total_chat_messages,
            one.total_messages_sent,
            one.total_cost_micros,
            one.blocked_at,
            one.blocked_until,
            &one.block_reason,
            &one.blocked_by,
            one.stopped_at,
        );
        let set: Vec<_> = COLUMNS[1..]
            .iter()
            .map(|(name, _)| format!("{name} = batch.{name}"))
            .collect();
        self.transaction
            .update("chat_users", &COLUMNS, &[row], &set.join(", "))
            .await
    }

    fn entry(&self, united: &MergedProfile, one: &Model, moved: Moved) -> Entry {
        let mut changes = differences(&Fields::from(self.into.clone()), &united.profile);
        let told = |row: &Model| {
            json!({
                "id": ObjectKind::ChatUser.encode(row.id),
                "platform": row.platform,
                "platformId": row.platform_id,
                "version": row.version,
            })
        };
        changes.push(Difference {
            field: "mergedFrom",
            before: told(self.from),
            after: json!({ "sessions": moved.sessions, "messages": moved.messages }),
        });
        changes.push(Difference {
            field: "mergedInto",
            before: told(self.into),
            after: told(one),
        });
        changes.sort_by_key(|change| change.field);
        Entry {
            action: AuditAction::ChatUsersMerged,
            agent: Some(self.into.agent_id),
            chat_user: Some(self.into.id),
            changes,
        }
    }
}

//! Changes that someone makes to profiles: checked, put into the form that they are kept in, made to the version that was
//! seen, and told in the audit log.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::audit::{self, Difference, Entry};
use super::authorized::AuthorizedMutation;
use super::chat_user::{self, Fields, Rewrite};
use super::event::has_nul;
use crate::caller::{Caller, Permission, Principal};
use crate::db::{FromRow, Row, Rows, Transaction, TransactionError, UnitOfWork};
use crate::entity::audit_entry::AuditAction;
use crate::entity::chat_user::{Entity, Model};
use crate::read::columns::listed;
use crate::read::{agent_scope, visibility};
use crate::text::visible;

/// What is to become of a value: `None` leaves it, `Some(None)` clears it.
pub type Patch = Option<Option<String>>;

/// A change of one user.
#[derive(Clone, Debug)]
pub struct UserChange {
    /// The user.
    pub id: Uuid,
    /// The version that the change is made to, when only that may be changed.
    pub if_version: Option<i64>,
    /// What is to change.
    pub change: Change,
}

/// What can change about a user.
#[derive(Clone, Debug)]
pub enum Change {
    /// Who they are.
    Profile(ProfilePatch),
    /// These tags are put on.
    Tag(Vec<String>),
    /// These tags are taken off.
    Untag(Vec<String>),
    /// Settings, by a merge patch (RFC 7396): what is null goes, an object is merged, anything else takes the place of what
    /// was there.
    Settings(Map<String, Value>),
}

/// A change of who somebody is.
#[derive(Clone, Debug, Default)]
pub struct ProfilePatch {
    /// Name.
    pub name: Patch,
    /// E-mail address.
    pub email: Patch,
    /// Phone number.
    pub phone_number: Patch,
    /// Address of a picture.
    pub profile_picture_url: Patch,
    /// BCP 47 language tag.
    pub language: Patch,
}

/// A value that a profile cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The field, as the graph calls it.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

/// Longest value, in characters.
const MAX_LINE: usize = 2_000;
/// Longest tag, in characters.
const MAX_TAG: usize = 255;
/// Most tags of a user.
pub(super) const MAX_TAGS: usize = 100;
/// Largest settings of a user, as JSON, in bytes.
pub(super) const MAX_SETTINGS: usize = 64 << 10;

impl Change {
    /// Checks the values and puts them into the form that they are kept in.
    pub fn normalise(self) -> Result<Self, Vec<Invalid>> {
        match self {
            Self::Profile(patch) => patch.normalise().map(Self::Profile),
            Self::Tag(tags) => normal_tags(&tags).map(Self::Tag),
            Self::Untag(tags) => normal_tags(&tags).map(Self::Untag),
            Self::Settings(patch) => {
                let patch = Value::from(patch);
                if has_nul(&patch) {
                    return Err(vec![Invalid::new(
                        "settings",
                        "contain U+0000, which cannot be stored",
                    )]);
                }
                let Value::Object(patch) = patch else {
                    return Err(vec![Invalid::new("settings", "are an object")]);
                };
                Ok(Self::Settings(patch))
            }
        }
    }

    pub(super) const fn action(&self) -> AuditAction {
        match self {
            Self::Profile(_) => AuditAction::ChatUserUpdated,
            Self::Tag(_) => AuditAction::ChatUserTagged,
            Self::Untag(_) => AuditAction::ChatUserUntagged,
            Self::Settings(_) => AuditAction::ChatUserSettingsUpdated,
        }
    }

    /// What a user is after the change.
    pub(super) fn applied(&self, to: &Fields) -> Result<Fields, Refused> {
        let mut after = to.clone();
        match self {
            Self::Profile(patch) => patch.apply(&mut after),
            Self::Tag(tags) => {
                let all: Vec<_> = to.tags().into_iter().chain(tags.iter().cloned()).collect();
                after.tags = Some(super::tags(&all));
                if after.tags().len() > MAX_TAGS {
                    return Err(Refused::TooManyTags);
                }
            }
            Self::Untag(tags) => {
                let kept: Vec<_> = to
                    .tags()
                    .into_iter()
                    .filter(|tag| !tags.contains(tag))
                    .collect();
                after.tags = Some(super::tags(&kept));
            }
            Self::Settings(patch) => {
                let mut settings = Value::from(to.settings());
                merge(&mut settings, &Value::from(patch.clone()));
                let settings = settings.to_string();
                if settings.len() > MAX_SETTINGS {
                    return Err(Refused::SettingsTooLarge);
                }
                after.settings = Some(settings);
            }
        }
        Ok(after)
    }
}

/// A merge patch, as RFC 7396 defines it.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

pub(super) fn normal_tags(tags: &[String]) -> Result<Vec<String>, Vec<Invalid>> {
    let wrong = |reason: String| {
        Err(vec![Invalid {
            field: "tags",
            reason: reason.into(),
        }])
    };
    let tags: Vec<_> = tags.iter().map(|tag| tag.trim().to_owned()).collect();
    for (at, tag) in tags.iter().enumerate() {
        if tag.is_empty() || tag.contains('\0') || tag.chars().count() > MAX_TAG {
            return wrong(format!(
                "tag {at} is empty, longer than {MAX_TAG} characters, or contains U+0000"
            ));
        }
    }
    if tags.len() > MAX_TAGS {
        return wrong(format!("lists more than {MAX_TAGS}"));
    }
    Ok(tags)
}

impl Invalid {
    /// A value of a field that cannot be.
    pub fn new(field: &'static str, reason: &'static str) -> Self {
        Self {
            field,
            reason: reason.into(),
        }
    }
}

impl ProfilePatch {
    /// No spaces around values, a phone number in E.164 where it says its country, a language tag in its canonical case. A
    /// value of nothing but spaces clears.
    fn normalise(self) -> Result<Self, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let mut kept = |field, patch, form: fn(&str) -> Form| {
            normal(patch, form).unwrap_or_else(|reason| {
                wrong.push(Invalid { field, reason });
                None
            })
        };
        let patch = Self {
            name: kept("name", self.name, |name| Ok(name.to_owned())),
            email: kept("email", self.email, email),
            phone_number: kept("phoneNumber", self.phone_number, phone_number),
            profile_picture_url: kept("profilePictureUrl", self.profile_picture_url, web_address),
            language: kept("language", self.language, language),
        };
        if wrong.is_empty() {
            Ok(patch)
        } else {
            Err(wrong)
        }
    }

    fn apply(&self, to: &mut Fields) {
        for (patch, field) in [
            (&self.name, &mut to.name),
            (&self.email, &mut to.email),
            (&self.phone_number, &mut to.phone_number),
            (&self.profile_picture_url, &mut to.profile_picture_url),
            (&self.language, &mut to.language),
        ] {
            if let Some(value) = patch {
                field.clone_from(value);
            }
        }
    }
}

/// The form in which a value is kept, or what is wrong with it.
pub(super) type Form = Result<String, Cow<'static, str>>;

pub(super) fn normal(patch: Patch, form: fn(&str) -> Form) -> Result<Patch, Cow<'static, str>> {
    let Some(Some(given)) = patch else {
        return Ok(patch);
    };
    let Some(given) = visible(&given) else {
        return Ok(Some(None));
    };
    if given.contains('\0') {
        return Err("contains U+0000, which cannot be stored".into());
    }
    if given.chars().count() > MAX_LINE {
        return Err(format!("is longer than {MAX_LINE} characters").into());
    }
    form(given).map(|kept| Some(Some(kept)))
}

fn email(given: &str) -> Form {
    let options = email_address::Options::default()
        .without_display_text()
        .without_domain_literal();
    email_address::EmailAddress::parse_with_options(given, options)
        .map(|_| given.to_owned())
        .map_err(|_| "is not an e-mail address".into())
}

/// A number that starts with `+` says its country, and is kept in E.164; any other is kept as it is written.
fn phone_number(given: &str) -> Form {
    if !given.chars().any(|char| char.is_ascii_digit()) {
        return Err("has no digits".into());
    }
    if !given.starts_with('+') {
        return Ok(given.to_owned());
    }
    phonenumber::parse(None, given)
        .map(|number| number.format().mode(phonenumber::Mode::E164).to_string())
        .map_err(|_| "starts with +, and is not a number of any country".into())
}

fn web_address(given: &str) -> Form {
    match url::Url::parse(given) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(given.to_owned()),
        _ => Err("is not an address that starts with http:// or https://".into()),
    }
}

fn language(given: &str) -> Form {
    oxilangtag::LanguageTag::parse_and_normalize(given)
        .map(oxilangtag::LanguageTag::into_inner)
        .map_err(|_| "is not a BCP 47 language tag".into())
}

/// Why a user was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// Nobody has this id.
    NotFound,
    /// The user was erased, and has no profile any more.
    Erased,
    /// The profile is not at the version that was meant.
    Conflict,
    /// The user would have too many tags.
    TooManyTags,
    /// The settings would be too large.
    SettingsTooLarge,
    /// The user is in the list twice, under two ids.
    Twice,
    /// The user would have too many subscriptions.
    TooManySubscriptions,
    /// Another change of the same request was refused, and all or none were to be made.
    Together,
}

/// Changes of users, each of another one.
#[derive(Debug)]
pub struct ChangeUsers<'a> {
    /// The changes, normalised.
    pub changes: &'a [UserChange],
    /// Whether all or none are to be made.
    pub together: bool,
    /// Whether nothing is written: only what would come of them is wanted.
    pub dry_run: bool,
    /// Who asks.
    pub by: &'a Caller,
}

impl AuthorizedMutation for ChangeUsers<'_> {
    const NEEDS: Permission = Permission::UsersWrite;

    fn by(&self) -> &Principal {
        &self.by.principal
    }
}

impl UnitOfWork for ChangeUsers<'_> {
    /// Whether each user is another than before, or why they are not to be.
    type Output = Vec<Result<bool, Refused>>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let ids = self.changes.iter().map(|change| change.id);
        let stored = find(transaction, &self.by.principal, ids).await?;
        let mut outcomes: Vec<_> = self
            .changes
            .iter()
            .map(|change| change.outcome(&stored))
            .collect();
        let mut seen = HashSet::new();
        for outcome in &mut outcomes {
            if matches!(outcome, Ok((row, _, _)) if !seen.insert(row.id)) {
                *outcome = Err(Refused::Twice);
            }
        }
        if self.together && outcomes.iter().any(Result::is_err) {
            for outcome in &mut outcomes {
                if outcome.is_ok() {
                    *outcome = Err(Refused::Together);
                }
            }
        }
        let mut changed = Vec::with_capacity(outcomes.len());
        let mut made = Vec::new();
        for (change, outcome) in self.changes.iter().zip(outcomes) {
            match outcome {
                Err(refused) => changed.push(Err(refused)),
                Ok((row, before, after)) => {
                    changed.push(Ok(before != after));
                    made.push(Made {
                        row,
                        action: change.change.action(),
                        before,
                        after,
                    });
                }
            }
        }
        if !self.dry_run {
            write(transaction, self.by, &made).await?;
        }
        Ok(changed)
    }
}

/// What is to become of a user.
pub(super) struct Made<'a> {
    pub(super) row: &'a Model,
    pub(super) action: AuditAction,
    pub(super) before: Fields,
    pub(super) after: Fields,
}

/// Makes users what they are to be, as far as they are not, and enters it in the log.
pub(super) async fn write(
    transaction: &Transaction,
    by: &Caller,
    made: &[Made<'_>],
) -> Result<(), TransactionError> {
    let mut rewrites = Vec::new();
    let mut entries = Vec::new();
    for one in made.iter().filter(|one| one.before != one.after) {
        let row = one.row;
        entries.push(Entry {
            action: one.action,
            agent: Some(row.agent_id),
            chat_user: Some(row.id),
            changes: differences(&one.before, &one.after),
        });
        rewrites.push(Rewrite {
            id: row.id,
            agent: row.agent_id,
            platform: row.platform,
            platform_id: &row.platform_id,
            before: one.before.clone(),
            after: one.after.clone(),
        });
    }
    chat_user::rewrite(transaction, &rewrites).await?;
    audit::enter(transaction, by, &entries).await
}

impl UserChange {
    /// The user, before and after.
    fn outcome<'a>(
        &self,
        stored: &'a HashMap<Uuid, Model>,
    ) -> Result<(&'a Model, Fields, Fields), Refused> {
        let row = stored.get(&self.id).ok_or(Refused::NotFound)?;
        if row.erased_at.is_some() {
            return Err(Refused::Erased);
        }
        if self
            .if_version
            .is_some_and(|version| version != row.version)
        {
            return Err(Refused::Conflict);
        }
        let before = Fields::from(row.clone());
        let after = self.change.applied(&before)?;
        Ok((row, before, after))
    }
}

/// Users by the ids that are asked for: their own, or of those who were merged into them. Users of agents that are not theirs
/// who asks are not there. Until the transaction ends nobody else writes to them: their agents are held, as by everyone who
/// writes, where a transaction is not alone anyway.
pub(super) async fn find(
    transaction: &Transaction,
    by: &Principal,
    ids: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Model>, TransactionError> {
    find_where(transaction, by, ids, &visibility::shown("chat_users.id")).await
}

/// The one user with an id, whose profile may be changed.
pub(super) async fn find_one(
    transaction: &Transaction,
    by: &Principal,
    id: Uuid,
) -> Result<Result<Model, Refused>, TransactionError> {
    let found = find(transaction, by, [id].into_iter()).await?.remove(&id);
    Ok(match found {
        None => Err(Refused::NotFound),
        Some(row) if row.erased_at.is_some() => Err(Refused::Erased),
        Some(row) => Ok(row),
    })
}

/// As [`find`], also of users who are hidden.
pub(super) async fn find_also_hidden(
    transaction: &Transaction,
    by: &Principal,
    id: Uuid,
) -> Result<Option<Model>, TransactionError> {
    let mut found = find_where(transaction, by, [id].into_iter(), "true").await?;
    Ok(found.remove(&id))
}

async fn find_where(
    transaction: &Transaction,
    by: &Principal,
    ids: impl Iterator<Item = Uuid>,
    shown: &str,
) -> Result<HashMap<Uuid, Model>, TransactionError> {
    let ids: Vec<_> = ids.collect();
    let mut found = find_by(transaction, by, &ids, shown, &Ids::Own).await?;
    let missing = ids.iter().filter(|id| !found.contains_key(id));
    let missing: Vec<_> = missing.copied().collect();
    if !missing.is_empty() {
        found.extend(find_by(transaction, by, &missing, shown, &Ids::Former).await?);
    }
    Ok(found)
}

/// Whose ids are asked for.
enum Ids {
    /// Those of the users.
    Own,
    /// Of those who were merged into them.
    Former,
}

impl Ids {
    /// The column with their agents, and how they are joined to the ids that are wanted.
    const fn joined(&self) -> (&'static str, &'static str) {
        match self {
            Self::Own => (
                "chat_users.agent_id",
                "JOIN chat_users ON chat_users.id = wanted.id",
            ),
            Self::Former => (
                "chat_user_aliases.agent_id",
                "JOIN chat_user_aliases ON chat_user_aliases.id = wanted.id \
                 JOIN chat_users ON chat_users.id = chat_user_aliases.chat_user_id",
            ),
        }
    }
}

async fn find_by(
    transaction: &Transaction,
    by: &Principal,
    ids: &[Uuid],
    shown: &str,
    whose: &Ids,
) -> Result<HashMap<Uuid, Model>, TransactionError> {
    let dialect = transaction.dialect();
    let ids = Rows::ids(ids.iter().copied());
    // Agents that are not theirs are not even held: nobody is to feel that somebody else looked for them.
    let (own_agents, own) = agent_scope::written(&by.agents, dialect, "agents.id", "$2");
    let (own_users, _) = agent_scope::written(&by.agents, dialect, "chat_users.agent_id", "$2");
    let values = || std::iter::once(ids.value()).chain(own.clone());
    let wanted = ids.subquery(dialect, "$1");
    let (agent, joined) = whose.joined();
    let lock = dialect.locking("agents");
    if !lock.is_empty() {
        let hold = format!(
            "SELECT agents.id FROM agents WHERE id IN (SELECT {agent} FROM {wanted} AS wanted {joined}) AND {own_agents} \
             ORDER BY external_id{lock}"
        );
        transaction.enqueue(dialect.raw(hold, values())).await?;
    }
    let listed = listed::<Entity>();
    let sql = format!(
        "SELECT {listed}, wanted.id AS asked FROM {wanted} AS wanted {joined} WHERE {shown} AND {own_users}"
    );
    let found = transaction.rows(dialect.raw(sql, values())).await?;
    let asked = |row: &Row| Ok((row.try_get("", "asked")?, Model::from_row(row)?));
    found.iter().map(asked).collect()
}

pub(super) fn differences(before: &Fields, after: &Fields) -> Vec<Difference> {
    let text = |value: &Option<String>| Value::from(value.clone());
    let values = |fields: &Fields| {
        [
            ("email", text(&fields.email)),
            ("language", text(&fields.language)),
            ("name", text(&fields.name)),
            ("phoneNumber", text(&fields.phone_number)),
            ("profilePictureUrl", text(&fields.profile_picture_url)),
            ("settings", Value::from(fields.settings())),
            ("tags", Value::from(fields.tags())),
        ]
    };
    let both = values(before).into_iter().zip(values(after));
    both.filter(|((_, before), (_, after))| before != after)
        .map(|((field, before), (_, after))| Difference {
            field,
            before,
            after,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Patch, ProfilePatch, merge};

    #[expect(clippy::unnecessary_wraps, reason = "it stands for an input")]
    fn given(value: &str) -> Patch {
        Some(Some(value.to_owned()))
    }

    #[test]
    fn values_are_kept_in_one_form() {
        let change = ProfilePatch {
            name: given("  Ann Lee "),
            email: given("ann@example.org"),
            phone_number: given("+44 20 7946 0000"),
            profile_picture_url: given("  "),
            language: given("EN-us"),
        };
        let kept = change.normalise().unwrap();
        assert_eq!(kept.name, given("Ann Lee"));
        assert_eq!(kept.phone_number, given("+442079460000"));
        assert_eq!(kept.profile_picture_url, Some(None));
        assert_eq!(kept.language, given("en-US"));
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_field() {
        let change = ProfilePatch {
            name: given("a\0b"),
            email: given("ann at example"),
            phone_number: given("+0"),
            profile_picture_url: given("javascript:alert(1)"),
            language: given("english please"),
        };
        let fields: Vec<_> = change
            .normalise()
            .unwrap_err()
            .iter()
            .map(|wrong| wrong.field)
            .collect();
        assert_eq!(
            fields,
            [
                "name",
                "email",
                "phoneNumber",
                "profilePictureUrl",
                "language"
            ]
        );
    }

    #[test]
    fn a_number_without_a_country_is_kept_as_it_is_written() {
        let change = ProfilePatch {
            phone_number: given("(555) 010-0101"),
            ..ProfilePatch::default()
        };
        assert_eq!(
            change.normalise().unwrap().phone_number,
            given("(555) 010-0101")
        );
    }

    /// The examples of RFC 7396, appendix A, that are objects.
    #[test]
    fn settings_are_merged_as_the_rfc_has_it() {
        for (before, patch, after) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (
                json!({"a": "b", "b": "c"}),
                json!({"a": null}),
                json!({"b": "c"}),
            ),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (
                json!({"a": [{"b": "c"}]}),
                json!({"a": [1]}),
                json!({"a": [1]}),
            ),
            (
                json!({"e": null}),
                json!({"a": 1}),
                json!({"e": null, "a": 1}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
        ] {
            let mut target = before.clone();
            merge(&mut target, &patch);
            assert_eq!(target, after, "{before} {patch}");
        }
    }
}

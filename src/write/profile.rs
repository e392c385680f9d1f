//! Changes that someone makes to profiles: checked, put into the form that they are kept in, made to the version that was
//! seen, and told in the audit log.

use std::borrow::Cow;
use std::collections::HashMap;

use sea_orm::DbErr;
use serde_json::Value;
use uuid::Uuid;

use super::audit::{self, Caller, Change, Entry};
use super::chat_user::{self, Fields, Rewrite};
use crate::db::{Rows, Transaction, Work};
use crate::entity::audit_entry::AuditAction;
use crate::entity::chat_user::Model;

/// What is to become of a value: `None` leaves it, `Some(None)` clears it.
pub type Patch = Option<Option<String>>;

/// A change of one profile.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// The user.
    pub id: Uuid,
    /// The version that the change is made to, when only that may be changed.
    pub if_version: Option<i64>,
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

impl ProfileChange {
    /// Checks the values and puts them into the form that they are kept in: no spaces around them, a phone number in
    /// E.164 where it says its country, a language tag in its canonical case. A value of nothing but spaces clears.
    pub fn normalise(self) -> Result<Self, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let mut kept = |field, patch, form: fn(&str) -> Form| {
            normal(patch, form).unwrap_or_else(|reason| {
                wrong.push(Invalid { field, reason });
                None
            })
        };
        let change = Self {
            name: kept("name", self.name, |name| Ok(name.to_owned())),
            email: kept("email", self.email, email),
            phone_number: kept("phoneNumber", self.phone_number, phone_number),
            profile_picture_url: kept("profilePictureUrl", self.profile_picture_url, web_address),
            language: kept("language", self.language, language),
            ..self
        };
        if wrong.is_empty() {
            Ok(change)
        } else {
            Err(wrong)
        }
    }

    /// The profile as it is after the change.
    fn applied(&self, to: &Fields) -> Fields {
        let value = |patch: &Patch, stored: &Option<String>| match patch {
            Some(value) => value.clone(),
            None => stored.clone(),
        };
        Fields {
            name: value(&self.name, &to.name),
            email: value(&self.email, &to.email),
            phone_number: value(&self.phone_number, &to.phone_number),
            profile_picture_url: value(&self.profile_picture_url, &to.profile_picture_url),
            language: value(&self.language, &to.language),
            ..to.clone()
        }
    }
}

/// The form in which a value is kept, or what is wrong with it.
type Form = Result<String, Cow<'static, str>>;

fn normal(patch: Patch, form: fn(&str) -> Form) -> Result<Patch, Cow<'static, str>> {
    let Some(Some(given)) = patch else {
        return Ok(patch);
    };
    let given = given.trim();
    if given.is_empty() {
        return Ok(Some(None));
    }
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

/// Why a profile was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nobody has this id.
    NotFound,
    /// The profile is not at the version that was meant.
    Conflict,
    /// Another change of the same request was refused, and all or none were to be made.
    Together,
}

/// Changes of profiles, each of another user.
#[derive(Debug)]
pub struct UpdateProfiles<'a> {
    /// The changes, normalised.
    pub changes: &'a [ProfileChange],
    /// Whether all or none are to be made.
    pub together: bool,
    /// Who asks.
    pub by: &'a Caller,
}

impl Work for UpdateProfiles<'_> {
    type Output = Vec<Result<(), Refused>>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, DbErr> {
        let stored = find(transaction, self.changes.iter().map(|change| change.id)).await?;
        let mut fates: Vec<_> = self
            .changes
            .iter()
            .map(|change| match stored.get(&change.id) {
                None => Err(Refused::NotFound),
                Some(row)
                    if change
                        .if_version
                        .is_some_and(|version| version != row.version) =>
                {
                    Err(Refused::Conflict)
                }
                Some(_) => Ok(()),
            })
            .collect();
        if self.together && fates.iter().any(Result::is_err) {
            for fate in &mut fates {
                *fate = fate.and(Err(Refused::Together));
            }
            return Ok(fates);
        }
        let mut rewrites = Vec::new();
        let mut entries = Vec::new();
        for (change, _) in self
            .changes
            .iter()
            .zip(&fates)
            .filter(|(_, fate)| fate.is_ok())
        {
            let Some(row) = stored.get(&change.id) else {
                continue;
            };
            let before = Fields::from(row.clone());
            let after = change.applied(&before);
            if before == after {
                continue;
            }
            entries.push(Entry {
                action: AuditAction::ChatUserUpdated,
                agent: Some(row.agent_id),
                chat_user: Some(row.id),
                changes: differences(&before, &after),
            });
            rewrites.push(Rewrite {
                id: row.id,
                agent: row.agent_id,
                platform: row.platform,
                platform_id: &row.platform_id,
                before,
                after,
            });
        }
        chat_user::rewrite(transaction, &rewrites).await?;
        audit::enter(transaction, self.by, &entries).await?;
        Ok(fates)
    }
}

/// Users by id. Until the transaction ends nobody else writes to them: their agents are held, as by everyone who writes.
async fn find(
    transaction: &Transaction,
    ids: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Model>, DbErr> {
    let dialect = transaction.dialect();
    let ids = Rows::ids(ids);
    let wanted = ids.subquery(dialect, "$1");
    let hold = format!(
        "SELECT agents.id FROM agents WHERE id IN (SELECT chat_users.agent_id FROM {wanted} AS wanted \
         JOIN chat_users ON chat_users.id = wanted.id) ORDER BY external_id{}",
        dialect.locking("agents")
    );
    transaction.rows(dialect.raw(hold, [ids.value()])).await?;
    let sql = format!(
        "SELECT chat_users.* FROM {wanted} AS wanted JOIN chat_users ON chat_users.id = wanted.id"
    );
    let found: Vec<Model> = transaction.fetch(dialect.raw(sql, [ids.value()])).await?;
    Ok(found.into_iter().map(|row| (row.id, row)).collect())
}

fn differences(before: &Fields, after: &Fields) -> Vec<Change> {
    let fields = [
        ("email", &before.email, &after.email),
        ("language", &before.language, &after.language),
        ("name", &before.name, &after.name),
        ("phoneNumber", &before.phone_number, &after.phone_number),
        (
            "profilePictureUrl",
            &before.profile_picture_url,
            &after.profile_picture_url,
        ),
    ];
    fields
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(field, before, after)| Change {
            field,
            before: Value::from(before.clone()),
            after: Value::from(after.clone()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Patch, ProfileChange};

    #[expect(clippy::unnecessary_wraps, reason = "it stands for an input")]
    fn given(value: &str) -> Patch {
        Some(Some(value.to_owned()))
    }

    #[test]
    fn values_are_kept_in_one_form() {
        let change = ProfileChange {
            name: given("  Ann Lee "),
            email: given("ann@example.org"),
            phone_number: given("+44 20 7946 0000"),
            profile_picture_url: given("  "),
            language: given("EN-us"),
            ..ProfileChange::default()
        };
        let kept = change.normalise().unwrap();
        assert_eq!(kept.name, given("Ann Lee"));
        assert_eq!(kept.phone_number, given("+442079460000"));
        assert_eq!(kept.profile_picture_url, Some(None));
        assert_eq!(kept.language, given("en-US"));
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_field() {
        let change = ProfileChange {
            name: given("a\0b"),
            email: given("ann at example"),
            phone_number: given("+0"),
            profile_picture_url: given("javascript:alert(1)"),
            language: given("english please"),
            ..ProfileChange::default()
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
        let change = ProfileChange {
            phone_number: given("(555) 010-0101"),
            ..ProfileChange::default()
        };
        assert_eq!(
            change.normalise().unwrap().phone_number,
            given("(555) 010-0101")
        );
    }
}

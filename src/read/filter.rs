//! The operators of `where`: the same words for every noun, and what each of them is in SQL.
//!
//! Two-valued logic: a comparison with a missing value is false, and `not` is the complement. (SQL alone would drop rows
//! with NULL from both.)

use async_graphql::{Enum, ID, InputObject};
use sea_orm::Value;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};

use crate::clock::Timestamp;
use crate::db::Reader;
use crate::db::dialect::Dialect;
use crate::decimal::Decimal;
use crate::entity::audit_entry::AuditAction;
use crate::entity::platform::Platform;
use crate::entity::role::MessageRole;
use crate::error::{Error, Result};
use crate::id::ObjectKind;
use crate::text;

/// How deep `and`, `or` and `not` may nest.
const MAX_DEPTH: usize = 5;
/// How many `where` objects one filter may hold.
const MAX_OBJECTS: usize = 50;
/// How long a list in a filter may be.
const MAX_LIST: usize = 500;
/// How long a text in a filter may be, in bytes.
const MAX_TEXT: usize = 1000;

/// A condition under construction: for whom, and the path that an error names.
#[derive(Debug)]
pub struct Builder {
    reader: Reader,
    path: Vec<String>,
    depth: usize,
    objects: usize,
    /// Of the `where` object under construction.
    truth: Truth,
}

/// What is known of a condition without looking at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    /// It holds for every row.
    Always,
    /// It holds for no row.
    Never,
    /// It depends on the row.
    Depends,
}

impl Truth {
    const fn of(holds: bool) -> Self {
        if holds { Self::Always } else { Self::Never }
    }

    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Always, other) => other,
            (Self::Depends, _) => Self::Depends,
        }
    }

    const fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Depends => Self::Depends,
        }
    }

    const fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }
}

/// A `where` input.
pub trait Where: Sized {
    /// The conditions of its own fields, all of which must hold.
    fn fields(&self, builder: &mut Builder) -> Result<Condition>;
    /// `and`, `or`, `not`.
    fn logic(&self) -> (Option<&[Self]>, Option<&[Self]>, Option<&Self>);
}

impl Builder {
    /// The condition of a `where` argument.
    pub fn condition<W: Where>(reader: &Reader, argument: Option<&W>) -> Result<Condition> {
        match argument {
            Some(argument) => Ok(Self::new(reader).object(argument)?.0),
            None => Ok(Condition::all()),
        }
    }

    /// The condition that selects the rows of a change. One that holds for every row, whatever is in it, is refused: a condition
    /// whose variables were left out must not change everything.
    pub fn restriction<W: Where>(reader: &Reader, argument: &W) -> Result<Condition> {
        let mut builder = Self::new(reader);
        let (condition, truth) = builder.object(argument)?;
        if truth == Truth::Always {
            return Err(builder.error(
                "holds for every row: a change by condition needs a condition that restricts (a variable that is left out, \
                 an empty list in `notIn` and an empty text in `contains` do not)",
            ));
        }
        Ok(condition)
    }

    fn new(reader: &Reader) -> Self {
        Self {
            reader: reader.clone(),
            path: vec!["where".to_owned()],
            depth: 0,
            objects: 0,
            truth: Truth::Always,
        }
    }

    /// How the database says things.
    pub const fn dialect(&self) -> Dialect {
        self.reader.dialect()
    }

    fn object<W: Where>(&mut self, object: &W) -> Result<(Condition, Truth)> {
        let outer = std::mem::replace(&mut self.truth, Truth::Always);
        self.depth += 1;
        self.objects += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("nests deeper than {MAX_DEPTH} levels")));
        }
        if self.objects > MAX_OBJECTS {
            return Err(self.error(format!("has more than {MAX_OBJECTS} conditions")));
        }
        let mut condition = object.fields(self)?;
        let (and, or, not) = object.logic();
        if let Some(and) = and {
            let (all, truth) = self.list("and", and, Condition::all(), Truth::and)?;
            condition = condition.add(all);
            self.truth = self.truth.and(truth);
        }
        if let Some(or) = or {
            // Nothing to choose from is never true.
            let none = if or.is_empty() {
                Condition::any().add(Expr::cust("1 = 0"))
            } else {
                Condition::any()
            };
            let (any, truth) = self.list("or", or, none, Truth::or)?;
            condition = condition.add(any);
            self.truth = self.truth.and(truth);
        }
        if let Some(not) = not {
            let (inner, truth) = self.within("not", |builder| builder.object(not))?;
            self.truth = self.truth.and(truth.not());
            // An empty condition holds for every row, so its complement for none.
            condition = condition.add(Condition::all().add(inner).add(Expr::cust("1 = 1")).not());
        }
        self.depth -= 1;
        Ok((condition, std::mem::replace(&mut self.truth, outer)))
    }

    fn list<W: Where>(
        &mut self,
        word: &str,
        items: &[W],
        mut condition: Condition,
        combine: impl Fn(Truth, Truth) -> Truth,
    ) -> Result<(Condition, Truth)> {
        // Of nothing, all hold and none does.
        let mut truth = combine(Truth::Never, Truth::Always).not();
        for (at, item) in items.iter().enumerate() {
            let (inner, known) = self.within(word, |builder| {
                builder.within(&at.to_string(), |builder| builder.object(item))
            })?;
            condition = condition.add(Condition::all().add(inner).add(Expr::cust("1 = 1")));
            truth = combine(truth, known);
        }
        Ok((condition, truth))
    }

    fn within<T>(&mut self, step: &str, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.path.push(step.to_owned());
        let result = run(self);
        self.path.pop();
        result
    }

    fn error(&self, reason: impl Into<String>) -> Error {
        Error::bad_input(self.path.join("."), reason.into())
    }

    /// Refuses a column of which the caller may not see more than a shape: what it finds tells what is in it.
    fn may_use(&self, column: Column) -> Result<()> {
        let Some((table, name)) = column
            .name
            .split_once('.')
            .filter(|_| column.look != Look::Presence)
        else {
            return Ok(());
        };
        match self.reader.missing(table, name) {
            None => Ok(()),
            Some(permission) => Err(Error::forbidden(self.path.join("."), permission.name())),
        }
    }

    /// The condition of one field: `operators` on `column`, which is written `table.column`.
    pub fn field<O: Operators>(
        &mut self,
        name: &str,
        operators: Option<&O>,
        column: Column,
    ) -> Result<Condition> {
        let Some(operators) = operators else {
            return Ok(Condition::all());
        };
        self.within(name, |builder| {
            builder.may_use(column)?;
            let mut field = Field {
                builder,
                column,
                conditions: Condition::all(),
            };
            operators.apply(&mut field)?;
            Ok(field.conditions)
        })
    }
}

/// A column that is compared.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    name: &'static str,
    nullable: bool,
    form: Form,
    look: Look,
}

/// The form of the texts that a column holds: what it is compared with takes the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As they were written.
    Written,
    /// Folded ([`text::fold`]).
    Folded,
    /// Keys of e-mail addresses ([`text::email_key`]).
    Email,
}

/// What is looked at to compare a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// What it holds.
    Value,
    /// Whether it holds anything.
    Presence,
    /// A table of its own, in which its values are listed.
    List,
}

impl Column {
    /// A column that always holds a value.
    pub const fn of(name: &'static str) -> Self {
        Self {
            name,
            nullable: false,
            form: Form::Written,
            look: Look::Value,
        }
    }

    /// The tags of users, which have a table of their own to be found by.
    pub const fn tags_of_users() -> Self {
        Self {
            look: Look::List,
            ..Self::of("chat_users.tags")
        }
    }

    /// A column of which everybody may know whether it holds a value.
    pub const fn presence(name: &'static str) -> Self {
        Self {
            look: Look::Presence,
            ..Self::of(name)
        }
    }

    /// A column that may hold NULL.
    pub const fn nullable(name: &'static str) -> Self {
        Self {
            name,
            nullable: true,
            form: Form::Written,
            look: Look::Value,
        }
    }

    /// A column that holds folded text.
    pub const fn folded(name: &'static str) -> Self {
        Self {
            form: Form::Folded,
            ..Self::nullable(name)
        }
    }

    /// A column that holds keys of e-mail addresses.
    pub const fn email(name: &'static str) -> Self {
        Self {
            form: Form::Email,
            ..Self::nullable(name)
        }
    }
}

/// Operators on one field.
pub trait Operators {
    /// Adds their conditions.
    fn apply(&self, field: &mut Field<'_>) -> Result<()>;
}

/// A field whose conditions are being put together.
#[derive(Debug)]
pub struct Field<'a> {
    builder: &'a mut Builder,
    column: Column,
    conditions: Condition,
}

impl Field<'_> {
    fn left(&self) -> Expr {
        Expr::cust(self.column.name)
    }

    /// Adds a condition that holds for no row without a value.
    fn add(&mut self, condition: impl Into<Condition>) {
        self.add_known(condition, Truth::Depends);
    }

    /// Adds a condition of which `truth` is known for rows with a value; for others it does not hold.
    fn add_known(&mut self, condition: impl Into<Condition>, truth: Truth) {
        let condition = Condition::all().add(condition.into());
        let (condition, truth) = if self.column.nullable {
            let present = condition.add(self.left().is_not_null());
            (present, truth.and(Truth::Depends))
        } else {
            (condition, truth)
        };
        self.conditions = self.conditions.clone().add(condition);
        self.know(truth);
    }

    /// Notes what is known of a condition that is added.
    fn know(&mut self, truth: Truth) {
        self.builder.truth = self.builder.truth.and(truth);
    }

    fn compare<V: Into<Value>>(
        &mut self,
        value: Option<V>,
        compare: impl FnOnce(Expr, Expr) -> Expr,
    ) {
        if let Some(value) = value {
            let comparison = compare(self.left(), Expr::value(value));
            self.add(comparison);
        }
    }

    fn one_of(&mut self, word: &str, values: Option<Vec<Value>>, wanted: bool) -> Result<()> {
        let Some(values) = values else { return Ok(()) };
        if values.len() > MAX_LIST {
            return self.builder.within(word, |builder| {
                Err(builder.error(format!("lists more than {MAX_LIST} values")))
            });
        }
        let (among, truth) = if values.is_empty() {
            (Expr::cust("1 = 0"), Truth::Never)
        } else {
            (self.left().is_in(values), Truth::Depends)
        };
        if wanted {
            self.add_known(among, truth);
        } else {
            // A missing value is not one of them.
            let among = Condition::all().add(among).add(self.left().is_not_null());
            self.conditions = self.conditions.clone().add(among.not());
            self.know(truth.not());
        }
        Ok(())
    }

    fn is_null(&mut self, wanted: Option<bool>) {
        let Some(wanted) = wanted else { return };
        let condition = if wanted {
            self.left().is_null()
        } else {
            self.left().is_not_null()
        };
        self.conditions = self.conditions.clone().add(condition);
        let may_lack = self.column.nullable || self.column.look == Look::Presence;
        self.know(if may_lack {
            Truth::Depends
        } else {
            Truth::of(!wanted)
        });
    }

    fn text(&self, text: &str) -> Result<String> {
        if text.len() > MAX_TEXT {
            return Err(self
                .builder
                .error(format!("a text in a filter has at most {MAX_TEXT} bytes")));
        }
        if text.contains('\0') {
            return Err(self
                .builder
                .error("U+0000 is never stored, so nothing can match it"));
        }
        Ok(match self.column.form {
            Form::Written => text.to_owned(),
            Form::Folded => text::fold(text),
            Form::Email => text::email_key(text),
        })
    }

    fn maybe_text(&self, text: Option<&String>) -> Result<Option<String>> {
        text.map(|text| self.text(text)).transpose()
    }

    fn texts(&self, texts: Option<&Vec<String>>) -> Result<Option<Vec<Value>>> {
        texts
            .map(|texts| {
                texts
                    .iter()
                    .map(|text| self.text(text).map(Value::from))
                    .collect()
            })
            .transpose()
    }
}

/// Conditions on an id. An id that names nothing matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct IdFilter {
    /// Is this one.
    pub eq: Option<ID>,
    /// Is one of these.
    #[graphql(name = "in")]
    pub among: Option<Vec<ID>>,
    /// Is none of these.
    pub not_in: Option<Vec<ID>>,
}

impl IdFilter {
    fn decode(ids: &[ID]) -> Vec<Value> {
        ids.iter()
            .filter_map(|id| crate::id::decode(id))
            .map(|(_, id)| Value::from(id))
            .collect()
    }
}

impl Operators for IdFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        field.one_of(
            "eq",
            self.eq
                .as_ref()
                .map(|id| Self::decode(std::slice::from_ref(id))),
            true,
        )?;
        field.one_of("in", self.among.as_deref().map(Self::decode), true)?;
        field.one_of("notIn", self.not_in.as_deref().map(Self::decode), false)
    }
}

/// Conditions on a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct StringFilter {
    /// Is this text.
    pub eq: Option<String>,
    /// Is one of these texts.
    #[graphql(name = "in")]
    pub among: Option<Vec<String>>,
    /// Is none of these texts, or absent.
    pub not_in: Option<Vec<String>>,
    /// Absent (`true`) or present (`false`).
    pub is_null: Option<bool>,
    /// Has this text somewhere in it. Every character stands for itself.
    pub contains: Option<String>,
    /// Begins with this text. Every character stands for itself.
    pub starts_with: Option<String>,
}

/// What is known of a condition on a piece of a text: every text has the empty piece.
const fn of_piece(piece: &str) -> Truth {
    if piece.is_empty() {
        Truth::Always
    } else {
        Truth::Depends
    }
}

impl Operators for StringFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        let dialect = field.builder.reader.dialect();
        let column = field.column.name;
        field.compare(field.maybe_text(self.eq.as_ref())?, ExprTrait::eq);
        field.one_of("in", field.texts(self.among.as_ref())?, true)?;
        field.one_of("notIn", field.texts(self.not_in.as_ref())?, false)?;
        field.is_null(self.is_null);
        if let Some(text) = field.maybe_text(self.contains.as_ref())? {
            field.add_known(dialect.contains(column, &text), of_piece(&text));
        }
        if let Some(text) = field.maybe_text(self.starts_with.as_ref())? {
            field.add_known(dialect.starts_with(column, &text), of_piece(&text));
        }
        Ok(())
    }
}

/// Conditions on a whole number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct IntFilter {
    /// Is this number.
    pub eq: Option<i32>,
    /// Is one of these numbers.
    #[graphql(name = "in")]
    pub among: Option<Vec<i32>>,
    /// Is none of these numbers.
    pub not_in: Option<Vec<i32>>,
    /// Greater than.
    pub gt: Option<i32>,
    /// Greater than or equal to.
    pub gte: Option<i32>,
    /// Less than.
    pub lt: Option<i32>,
    /// Less than or equal to.
    pub lte: Option<i32>,
}

impl Operators for IntFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        let values = |list: Option<&Vec<i32>>| {
            list.map(|list| {
                list.iter()
                    .map(|&value| Value::from(i64::from(value)))
                    .collect()
            })
        };
        field.compare(self.eq.map(i64::from), ExprTrait::eq);
        field.one_of("in", values(self.among.as_ref()), true)?;
        field.one_of("notIn", values(self.not_in.as_ref()), false)?;
        field.compare(self.gt.map(i64::from), ExprTrait::gt);
        field.compare(self.gte.map(i64::from), ExprTrait::gte);
        field.compare(self.lt.map(i64::from), ExprTrait::lt);
        field.compare(self.lte.map(i64::from), ExprTrait::lte);
        Ok(())
    }
}

/// Conditions on a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct DateTimeFilter {
    /// Is this instant.
    pub eq: Option<Timestamp>,
    /// Absent (`true`) or present (`false`).
    pub is_null: Option<bool>,
    /// Later than.
    pub gt: Option<Timestamp>,
    /// At or later than.
    pub gte: Option<Timestamp>,
    /// Earlier than.
    pub lt: Option<Timestamp>,
    /// At or earlier than.
    pub lte: Option<Timestamp>,
}

impl Operators for DateTimeFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        field.compare(self.eq, ExprTrait::eq);
        field.is_null(self.is_null);
        field.compare(self.gt, ExprTrait::gt);
        field.compare(self.gte, ExprTrait::gte);
        field.compare(self.lt, ExprTrait::lt);
        field.compare(self.lte, ExprTrait::lte);
        Ok(())
    }
}

/// Conditions on an amount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct DecimalFilter {
    /// Is this amount.
    pub eq: Option<Decimal>,
    /// Is one of these amounts.
    #[graphql(name = "in")]
    pub among: Option<Vec<Decimal>>,
    /// Is none of these amounts, or absent.
    pub not_in: Option<Vec<Decimal>>,
    /// Absent (`true`) or present (`false`).
    pub is_null: Option<bool>,
    /// More than.
    pub gt: Option<Decimal>,
    /// This much or more.
    pub gte: Option<Decimal>,
    /// Less than.
    pub lt: Option<Decimal>,
    /// This much or less.
    pub lte: Option<Decimal>,
}

/// The column holds millionths.
impl Operators for DecimalFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        let micros = |amount: Option<Decimal>| amount.map(|amount| amount.0);
        let values = |list: Option<&Vec<Decimal>>| {
            list.map(|list| list.iter().map(|amount| Value::from(amount.0)).collect())
        };
        field.compare(micros(self.eq), ExprTrait::eq);
        field.one_of("in", values(self.among.as_ref()), true)?;
        field.one_of("notIn", values(self.not_in.as_ref()), false)?;
        field.is_null(self.is_null);
        field.compare(micros(self.gt), ExprTrait::gt);
        field.compare(micros(self.gte), ExprTrait::gte);
        field.compare(micros(self.lt), ExprTrait::lt);
        field.compare(micros(self.lte), ExprTrait::lte);
        Ok(())
    }
}

/// Conditions on a statement that is true or false.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct BooleanFilter {
    /// Is true, or is false.
    pub eq: Option<bool>,
}

/// True where the column is NULL.
impl Operators for BooleanFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        field.is_null(self.eq);
        Ok(())
    }
}

/// A statement that is true where the column holds a value.
#[derive(Clone, Copy, Debug)]
pub struct Present<'a>(pub &'a BooleanFilter);

impl Operators for Present<'_> {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        field.is_null(self.0.eq.map(|present| !present));
        Ok(())
    }
}

/// Conditions on a platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct PlatformFilter {
    /// Is this platform.
    pub eq: Option<Platform>,
    /// Is one of these platforms.
    #[graphql(name = "in")]
    pub among: Option<Vec<Platform>>,
    /// Is none of these platforms.
    pub not_in: Option<Vec<Platform>>,
}

impl Operators for PlatformFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        let values = |list: Option<&Vec<Platform>>| {
            list.map(|list| list.iter().map(|&value| Value::from(value)).collect())
        };
        field.compare(self.eq, ExprTrait::eq);
        field.one_of("in", values(self.among.as_ref()), true)?;
        field.one_of("notIn", values(self.not_in.as_ref()), false)
    }
}

/// Conditions on the sender of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct MessageRoleFilter {
    /// Is this role.
    pub eq: Option<MessageRole>,
    /// Is one of these roles.
    #[graphql(name = "in")]
    pub among: Option<Vec<MessageRole>>,
    /// Is none of these roles.
    pub not_in: Option<Vec<MessageRole>>,
}

impl Operators for MessageRoleFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        let values = |list: Option<&Vec<MessageRole>>| {
            list.map(|list| list.iter().map(|&value| Value::from(value)).collect())
        };
        field.compare(self.eq, ExprTrait::eq);
        field.one_of("in", values(self.among.as_ref()), true)?;
        field.one_of("notIn", values(self.not_in.as_ref()), false)
    }
}

/// Conditions on what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct AuditActionFilter {
    /// Is this action.
    pub eq: Option<AuditAction>,
    /// Is one of these actions.
    #[graphql(name = "in")]
    pub among: Option<Vec<AuditAction>>,
    /// Is none of these actions.
    pub not_in: Option<Vec<AuditAction>>,
}

impl Operators for AuditActionFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        let values = |list: Option<&Vec<AuditAction>>| {
            list.map(|list| list.iter().map(|&value| Value::from(value)).collect())
        };
        field.compare(self.eq, ExprTrait::eq);
        field.one_of("in", values(self.among.as_ref()), true)?;
        field.one_of("notIn", values(self.not_in.as_ref()), false)
    }
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum SessionStatus {
    /// It has no end, and its user has not been silent for longer than the agent's `sessionIdleMinutes`.
    Open,
    /// It has an end, or its user has been silent for longer than that.
    Closed,
}

/// Conditions on the status of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct SessionStatusFilter {
    /// Is this status.
    pub eq: Option<SessionStatus>,
    /// Is one of these.
    #[graphql(name = "in")]
    pub among: Option<Vec<SessionStatus>>,
    /// Is none of these.
    pub not_in: Option<Vec<SessionStatus>>,
}

impl Operators for SessionStatusFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        use SessionStatus::{Closed, Open};
        let wanted = |status: SessionStatus| {
            self.eq.is_none_or(|eq| eq == status)
                && self
                    .among
                    .as_ref()
                    .is_none_or(|list| list.contains(&status))
                && self
                    .not_in
                    .as_ref()
                    .is_none_or(|list| !list.contains(&status))
        };
        match (wanted(Open), wanted(Closed)) {
            (true, true) => {}
            (true, false) => field.add(session_goes_on(Timestamp::now())),
            (false, true) => field.add(session_goes_on(Timestamp::now()).not()),
            (false, false) => field.add_known(Expr::cust("1 = 0"), Truth::Never),
        }
        Ok(())
    }
}

/// Whether a session is open at a time. Never NULL.
fn session_goes_on(now: Timestamp) -> Expr {
    let closes_at = Expr::cust(
        "COALESCE(sessions.last_message_at, sessions.started_at) \
         + 60000000 * (SELECT agents.session_idle_minutes FROM agents WHERE agents.id = sessions.agent_id)",
    );
    let has_no_end = Expr::cust("sessions.ended_at").is_null();
    has_no_end.and(closes_at.gte(now.0))
}

/// Conditions on a set of users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct ChatUsersFilter {
    /// Has this user.
    pub has: Option<ID>,
}

impl Operators for ChatUsersFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        if let Some(user) = self.has.as_deref() {
            let dialect = field.builder.dialect();
            let has = dialect.has(field.column.name, user);
            // Garbage is nobody.
            let is_id = ObjectKind::ChatUser.decode(user).is_some();
            field.add(if is_id { has } else { Expr::cust("1 = 0") });
        }
        Ok(())
    }
}

/// Conditions on a set of tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct TagsFilter {
    /// Has this tag.
    pub has: Option<String>,
    /// Has at least one of these tags.
    pub has_any: Option<Vec<String>>,
    /// Has every one of these tags.
    pub has_all: Option<Vec<String>>,
}

impl Operators for TagsFilter {
    fn apply(&self, field: &mut Field<'_>) -> Result<()> {
        let dialect = field.builder.reader.dialect();
        let Column { name, look, .. } = field.column;
        let has = |tag: &str| {
            if look == Look::List {
                dialect.tagged(tag)
            } else {
                dialect.has(name, tag)
            }
        };
        let each = |field: &Field<'_>, tags: &[String]| -> Result<Vec<Expr>> {
            if tags.len() > MAX_LIST {
                return Err(field
                    .builder
                    .error(format!("lists more than {MAX_LIST} tags")));
            }
            tags.iter().map(|tag| Ok(has(&field.text(tag)?))).collect()
        };
        for tags in self
            .has
            .as_ref()
            .map(std::slice::from_ref)
            .into_iter()
            .chain(self.has_all.as_deref())
        {
            for condition in each(field, tags)? {
                field.add(condition);
            }
        }
        if let Some(tags) = &self.has_any {
            let any = each(field, tags)?
                .into_iter()
                .fold(Condition::any().add(Expr::cust("1 = 0")), Condition::add);
            let truth = if tags.is_empty() {
                Truth::Never
            } else {
                Truth::Depends
            };
            field.add_known(any, truth);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Truth;
    use super::Truth::{Always, Depends, Never};

    #[test]
    fn what_is_known_of_conditions_follows_two_valued_logic() {
        let all = [Always, Never, Depends];
        for a in all {
            assert_eq!(a.not().not(), a);
            assert_eq!((a.and(Always), a.or(Never)), (a, a));
            assert_eq!((a.and(Never), a.or(Always)), (Never, Always));
            for b in all {
                assert_eq!(a.and(b), b.and(a));
                assert_eq!(a.and(b).not(), a.not().or(b.not()));
            }
        }
        assert_eq!((Truth::of(true), Truth::of(false)), (Always, Never));
    }
}

//! Which columns of a noun a question needs, and rows that hold no more than these, and no more than whoever reads may see.
//!
//! A value that nobody asked for is not read: most of a page's time goes into the values that the database hands over. Rows
//! are decoded here and nowhere else; a personal value leaves as its shape for those who may not see it
//! (docs/decisions/0022).

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;

use derive_where::derive_where;
use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{DbErr, IdenStatic, Iterable, Statement};

use uuid::Uuid;

use super::Noun;
use super::page::{Page, Slice};
use crate::caller::{Permission, Permissions};
use crate::clock::Timestamp;
use crate::db::query_stats::{self, Full};
use crate::db::{self, DisclosureLog, FromRow, Readable, Reader, Values};
use crate::entity::audit_entry::AuditAction;
use crate::entity::deletion::DeletionMode;
use crate::entity::mask::Shape;
use crate::entity::pii;
use crate::entity::platform::{Platform, Platforms};
use crate::entity::role::MessageRole;
use crate::entity::{agent, chat_user, deletion, session, subscription, token};
use crate::error::{ANSWER_TOO_LARGE, ANSWERS_TOO_LARGE, Result};

/// A set of columns of a noun; its id is always among them.
#[derive_where(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Columns<N> {
    /// One bit per column, in the order of the entity.
    bits: u64,
    noun: PhantomData<fn() -> N>,
}

impl<N: Noun> Columns<N> {
    /// The id alone.
    pub fn id() -> Self {
        Self {
            bits: 0,
            noun: PhantomData,
        }
        .with("id")
    }

    /// Every column.
    pub fn all() -> Self {
        let count = u32::try_from(N::Column::iter().count()).unwrap_or(u64::BITS);
        Self {
            bits: u64::MAX >> (u64::BITS - count.clamp(1, u64::BITS)),
            noun: PhantomData,
        }
    }

    /// The column of this name too; every column when there is none of this name, for then nobody knows what is needed.
    #[must_use]
    pub fn with(self, name: &str) -> Self {
        self.with_where(|column| column == name)
    }

    /// The column of a field of the graph too: `createdAt` is `created_at`. Every column when no column has this name.
    #[must_use]
    pub fn with_field(self, field: &str) -> Self {
        let letters = field.bytes().map(|byte| byte.to_ascii_lowercase());
        let first = field.as_bytes().first();
        self.with_where(|column| {
            let column = column.as_bytes();
            // Most have another one, and fields are looked up with each request.
            column.first() == first && {
                let column = column.iter().copied().filter(|byte| *byte != b'_');
                column.eq(letters.clone())
            }
        })
    }

    fn with_where(self, found: impl Fn(&str) -> bool) -> Self {
        N::Column::iter()
            .position(|column| found(column.as_str()))
            .map_or_else(Self::all, |at| Self {
                bits: self.bits | 1 << at,
                ..self
            })
    }

    /// The columns of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            bits: self.bits | other.bits,
            ..self
        }
    }

    /// The columns for whoever reads: what they may not see is masked, or not read at all.
    pub fn seen_by(self, reader: &Reader) -> MaskedColumns<'_, N> {
        let mask = Mask::of::<N>(reader);
        let (mut columns, mut plain) = match &mask {
            None => (self, self.bits),
            Some(mask) => {
                let columns = mask.besides::<N>(self);
                let read = columns.bits & !mask.bits(|shape| matches!(shape, Shape::Unread(_)));
                (Self { bits: read, ..self }, read & !mask.bits(|_| true))
            }
        };
        let disclosed = reader.disclosed().filter(|_| discloses::<N>(plain));
        if let (Some(_), Some(user)) = (disclosed, N::USER) {
            columns = columns.with(user);
            plain |= Self::id().with(user).bits;
        }
        MaskedColumns {
            columns,
            plain,
            mask,
            disclosed,
            is_shown: true,
        }
    }

    /// The rows of a query, with these columns.
    pub async fn fetch(self, reader: &Reader, query: SelectStatement) -> Result<Vec<N::Model>> {
        let columns = self.seen_by(reader);
        let rows: Vec<N::Model> = columns.read(reader, query).await?;
        columns.note(&rows);
        Ok(rows)
    }

    /// The page that a query is cut to, with these columns.
    pub async fn slice(
        self,
        reader: &Reader,
        query: SelectStatement,
        page: &Page,
    ) -> Result<Slice<N>> {
        let columns = self.seen_by(reader);
        Ok(columns.slice(columns.read(reader, query).await?, page))
    }

    const fn has(self, at: usize) -> bool {
        self.bits >> at & 1 == 1
    }
}

/// Whether there is something among these columns, by their place in the entity, that not everybody may see.
fn discloses<N: Noun>(plain: u64) -> bool {
    let personal = pii::columns(N::TABLE).iter();
    personal
        .filter(|column| column.is_masked())
        .filter_map(|column| N::Column::iter().position(|one| one.as_str() == column.name))
        .any(|place| plain >> place & 1 == 1)
}

/// Every column of a noun by its name, in the order of the entity, as a statement written by hand lists them.
pub fn listed<N: Noun>() -> String {
    list::<N>(N::Column::iter().map(|column| column.as_str()))
}

fn list<N: Noun>(names: impl Iterator<Item = &'static str>) -> String {
    let mut list = String::with_capacity(1 << 10);
    for name in names {
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.extend([N::TABLE, ".", name]);
    }
    list
}

/// A row that begins with the columns that are [`listed`], as it is stored: for the program, and for nobody's eyes.
fn stored<N: Noun>(result: &dyn Values) -> Result<N::Model, DbErr> {
    let all = Columns::<N>::all();
    let seen = MaskedColumns {
        columns: all,
        plain: all.bits,
        mask: None,
        disclosed: None,
        is_shown: false,
    };
    seen.decode(result)
}

macro_rules! from_stored {
    ($($noun:ident),+) => {
        $(impl FromRow for $noun::Model {
            fn from_row(row: &db::Row) -> Result<Self, DbErr> {
                stored::<$noun::Entity>(row)
            }
        })+
    };
}

from_stored!(agent, chat_user, deletion, session, subscription, token);

/// Texts that are no longer than this are not counted: the number of rows bounds them.
const SHORT: usize = 256;

/// Counts a text for the answer, unless that has no room for it.
#[cold]
fn room_for(text: &str) -> Result<(), DbErr> {
    query_stats::make_room(text.len()).map_err(|full| {
        let why = match full {
            Full::Answer => ANSWER_TOO_LARGE,
            Full::Memory => ANSWERS_TOO_LARGE,
        };
        DbErr::Custom(why.to_owned())
    })
}

/// A set of columns, as somebody sees them.
#[derive_where(Debug)]
pub struct MaskedColumns<'a, N> {
    /// Those that are read.
    columns: Columns<N>,
    /// Those of them that are shown as they are.
    plain: u64,
    mask: Option<Mask>,
    /// Told whose rows they are, when there is something personal in them.
    disclosed: Option<&'a DisclosureLog>,
    /// Whether it is read for an answer, whose texts are counted.
    is_shown: bool,
}

impl<N: Noun> MaskedColumns<'_, N> {
    /// The names of those that are read, in the order of the entity.
    pub fn names(&self) -> Vec<&'static str> {
        N::Column::iter()
            .enumerate()
            .filter(|(at, _)| self.columns.has(*at))
            .map(|(_, column)| column.as_str())
            .collect()
    }

    /// The row of a result that has these columns first, in this order.
    pub fn decode(&self, result: &dyn Values) -> Result<N::Model, DbErr> {
        N::decode(&Row {
            result,
            bits: self.columns.bits,
            plain: self.plain,
            mask: self.mask.as_ref(),
            is_shown: self.is_shown,
            place: Cell::default(),
            read: Cell::default(),
        })
    }

    async fn read<T: From<N::Model> + Send>(
        &self,
        reader: &Reader,
        query: SelectStatement,
    ) -> Result<Vec<T>> {
        let statement = self.statement(reader, query);
        reader
            .each(statement, |row| self.decode(row).map(T::from))
            .await
    }

    /// The statement that brings these columns of the rows of a query.
    pub fn statement(&self, reader: &Reader, mut query: SelectStatement) -> Statement {
        // As one piece of text: built one by one, they would be a tenth of what a page of users costs here.
        query.expr(Expr::cust(list::<N>(self.names().into_iter())));
        reader.dialect().statement(&query)
    }

    /// The rows that such a statement brought somewhere else.
    pub fn brought(&self, rows: &[db::Row]) -> Result<Vec<N::Model>> {
        let rows = rows.iter().map(|row| self.decode(row));
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        self.note(&rows);
        Ok(rows)
    }

    /// The page of rows that were read for it. The one beyond it, which tells that there are more, is shown to nobody.
    pub fn slice(&self, rows: Vec<Arc<N::Model>>, page: &Page) -> Slice<N> {
        let slice = Slice::new(rows, page);
        self.note(slice.rows.iter().map(AsRef::as_ref));
        slice
    }

    /// Notes that somebody is shown these rows.
    pub fn note<'r>(&self, rows: impl IntoIterator<Item = &'r N::Model>) {
        if let Some(disclosed) = self.disclosed {
            disclosed.add(rows.into_iter().filter_map(N::user));
        }
    }
}

/// How the columns of a noun are masked for somebody.
#[derive(Debug)]
struct Mask {
    /// Columns by their place in the entity.
    shapes: Vec<(usize, Shape)>,
    permissions: Permissions,
    /// The platforms whose ids are personal.
    platforms: Platforms,
}

impl Mask {
    /// `None` where there is nothing that they may not see.
    fn of<N: Noun>(reader: &Reader) -> Option<Self> {
        let permissions = reader.principal().permissions;
        let masked = |column: &pii::Column| {
            let (_, shape) = column.mask(permissions)?;
            let place = N::Column::iter().position(|one| one.as_str() == column.name)?;
            Some((place, shape))
        };
        let shapes: Vec<_> = pii::columns(N::TABLE).iter().filter_map(masked).collect();
        (!shapes.is_empty()).then(|| Self {
            shapes,
            permissions,
            platforms: reader.personal(),
        })
    }

    fn bits(&self, which: impl Fn(Shape) -> bool) -> u64 {
        let which = self.shapes.iter().filter(|(_, shape)| which(*shape));
        which.fold(0, |bits, (place, _)| bits | 1 << place)
    }

    /// Those columns, and others on which depends how they are masked.
    fn besides<N: Noun>(&self, columns: Columns<N>) -> Columns<N> {
        let asked = self.shapes.iter().filter(|(place, _)| columns.has(*place));
        asked
            .filter_map(|(_, shape)| shape.companion())
            .fold(columns, Columns::with)
    }

    fn shape(&self, place: u32) -> Option<Shape> {
        let found = self.shapes.iter().find(|(at, _)| *at == place as usize);
        found.map(|(_, shape)| *shape)
    }
}

/// A row on its way from the database: its values, one after the other, in the order of the entity's columns.
#[derive_where(Debug)]
pub struct Row<'a> {
    #[derive_where(skip)]
    result: &'a dyn Values,
    /// The columns that were read, and those of them that are shown as they are.
    bits: u64,
    plain: u64,
    mask: Option<&'a Mask>,
    is_shown: bool,
    /// The next column of the entity, and the next value of the row.
    place: Cell<u32>,
    read: Cell<usize>,
}

impl Row<'_> {
    /// The value of the next column; nothing (empty, zero) for a column that was not asked for, and for one that may not be
    /// seen no more than its shape.
    #[inline]
    pub fn next<T: Maskable>(&self) -> Result<T, DbErr> {
        let place = self.place.replace(self.place.get().wrapping_add(1));
        if self.plain.wrapping_shr(place) & 1 == 1 {
            self.value()
        } else if self.mask.is_none() {
            Ok(T::default())
        } else {
            self.masked(place)
        }
    }

    /// Whether whoever reads lacks a permission.
    pub fn lacks(&self, permission: Permission) -> bool {
        self.mask
            .is_some_and(|mask| !mask.permissions.has(permission))
    }

    fn value<T: Readable>(&self) -> Result<T, DbErr> {
        let at = self.read.replace(self.read.get() + 1);
        self.result.try_get_if(at, |cell| match cell {
            db::Cell::Text(text) if text.len() > SHORT && self.is_shown => room_for(text),
            _ => Ok(()),
        })
    }

    fn masked<T: Maskable>(&self, place: u32) -> Result<T, DbErr> {
        let Some((mask, shape)) = self.mask.and_then(|mask| Some((mask, mask.shape(place)?)))
        else {
            return Ok(T::default());
        };
        if let Shape::Unread(instead) = shape {
            return Ok(T::instead(instead));
        }
        if self.bits >> place & 1 == 0 {
            return Ok(T::default());
        }
        let value: T = self.value()?;
        Ok(if self.may_be_told(mask, shape) {
            value
        } else {
            value.masked(shape)
        })
    }

    /// Whether what stands beside a value says that it is not personal.
    fn may_be_told(&self, mask: &Mask, shape: Shape) -> bool {
        let Some(beside) = shape.companion() else {
            return false;
        };
        match shape {
            Shape::PlatformId => {
                let platform = self.result.try_get::<Platform>("", beside);
                platform.is_ok_and(|platform| !mask.platforms.has(platform))
            }
            Shape::Changes => {
                let user = self.result.try_get::<Option<Uuid>>("", beside);
                user.is_ok_and(|user| user.is_none())
            }
            _ => false,
        }
    }
}

/// What a column can hold. Only texts have shapes; of anything else nothing is left.
pub trait Maskable: Readable + Default {
    /// What takes the place of a value that is not read.
    fn instead(_text: &'static str) -> Self {
        Self::default()
    }

    /// The shape of a value.
    #[must_use]
    fn masked(self, _shape: Shape) -> Self {
        Self::default()
    }
}

impl Maskable for String {
    fn instead(text: &'static str) -> Self {
        text.to_owned()
    }

    fn masked(self, shape: Shape) -> Self {
        shape.of(&self)
    }
}

impl Maskable for Option<String> {
    fn masked(self, shape: Shape) -> Self {
        self.map(|text| shape.of(&text))
    }
}

impl Maskable for i64 {}
impl Maskable for Option<i64> {}
impl Maskable for Timestamp {}
impl Maskable for Option<Timestamp> {}
impl Maskable for Uuid {}
impl Maskable for Option<Uuid> {}
impl Maskable for Platform {}
impl Maskable for MessageRole {}
impl Maskable for AuditAction {}
impl Maskable for DeletionMode {}

//! What an operation costs: what it may read at most, known before it reads anything.
//!
//! An object costs 1, and a list as many of its objects as its page has room for. Pages, edges and other wrappers are free.
//! What else a field makes the database do has its price, too (`work`).

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::{self, Formatter};

use apollo_compiler::Name;
use apollo_compiler::executable::{
    ExecutableDocument, Field, FragmentMap, Operation, Selection, SelectionSet, Value,
};
use async_graphql::Value as Json;
use axum::http::StatusCode;
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::negotiate::Variables;
use super::query_limits;
use super::respond::Refusal;
use super::work::{Varying, Work};
use crate::graphql::PageLimits;

/// What an operation may cost at most, with these variables.
pub(super) fn requested(
    document: &ExecutableDocument,
    operation: &Operation,
    variables: &Variables,
    pages: PageLimits,
) -> u64 {
    Estimate::new(document, variables, pages).selection(&operation.selection_set, 1)
}

/// The same, when it does not depend on variables.
pub(super) fn fixed(
    document: &ExecutableDocument,
    operation: &Operation,
    pages: PageLimits,
) -> Option<u64> {
    let none = Variables::default();
    let mut estimate = Estimate::new(document, &none, pages);
    let cost = estimate.selection(&operation.selection_set, 1);
    (!estimate.asked.get()).then_some(cost)
}

/// The refusal of what would cost too much.
pub(super) fn too_much(cost: u64, max: u64) -> Refusal {
    let cost = if cost == u64::MAX {
        "more than can be counted".to_owned()
    } else {
        cost.to_string()
    };
    let message = format!(
        "this costs {cost}, and {max} is the most (cost-limit); ask for smaller pages or fewer levels"
    );
    Refusal::graphql_new(StatusCode::BAD_REQUEST, query_limits::COST, message)
        .limit("cost-limit", max)
}

struct Estimate<'a> {
    fragments: &'a FragmentMap,
    variables: &'a Variables,
    pages: PageLimits,
    /// Fragments are looked at once for each size of page that they stand in.
    known: HashMap<(&'a str, u64), u64>,
    /// Whether the value of a variable was asked for.
    asked: Cell<bool>,
}

impl<'a> Estimate<'a> {
    fn new(document: &'a ExecutableDocument, variables: &'a Variables, pages: PageLimits) -> Self {
        Self {
            fragments: &document.fragments,
            variables,
            pages,
            known: HashMap::new(),
            asked: Cell::new(false),
        }
    }

    /// The cost of a selection; `rows` is the size of the page when the selection is on a list by pages, else 1.
    fn selection(&mut self, set: &'a SelectionSet, rows: u64) -> u64 {
        let mut cost = 0_u64;
        for selection in &set.selections {
            cost = cost.saturating_add(match selection {
                Selection::Field(field) => self.field(field, rows),
                Selection::InlineFragment(fragment) => {
                    self.selection(&fragment.selection_set, rows)
                }
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name, rows),
            });
        }
        cost
    }

    fn fragment(&mut self, name: &str, rows: u64) -> u64 {
        let Some((name, fragment)) = self.fragments.get_key_value(name) else {
            return 0;
        };
        if let Some(known) = self.known.get(&(name.as_str(), rows)) {
            return *known;
        }
        let cost = self.selection(&fragment.selection_set, rows);
        self.known.insert((name.as_str(), rows), cost);
        cost
    }

    fn field(&mut self, field: &'a Field, rows: u64) -> u64 {
        if field.name.starts_with("__") {
            return 0;
        }
        let inside = self.selection(&field.selection_set, self.rows(field));
        let each = price(field).saturating_add(inside);
        let times = if is_page(field) {
            rows
        } else {
            self.given(field, "ids")
        };
        each.saturating_mul(times).saturating_add(self.work(field))
    }

    /// What a field costs besides its objects.
    fn work(&self, field: &Field) -> u64 {
        let work = Work::of(field);
        if !work.varying.is_empty() {
            self.asked.set(true);
        }
        let varying = work.varying.iter().map(|one| one.cost(self.variables));
        varying.fold(work.fixed, u64::saturating_add)
    }

    /// The size of the page that a field asks for.
    fn rows(&self, field: &Field) -> u64 {
        if !is_connection(field) {
            return 1;
        }
        let asked = ["first", "last"]
            .into_iter()
            .filter_map(|name| match self.argument(field, name) {
                Argument::Int(size) => Some(u64::try_from(size).unwrap_or(0)),
                Argument::Absent => None,
                Argument::Other(_) => Some(self.pages.cap),
            })
            .max();
        asked.unwrap_or(self.pages.default).min(self.pages.cap)
    }

    /// How many values a list argument has; 1 when the field has no such argument.
    fn given(&self, field: &Field, name: &str) -> u64 {
        match self.argument(field, name) {
            Argument::Other(values) => values.max(1),
            Argument::Absent | Argument::Int(_) => 1,
        }
    }

    fn argument(&self, field: &Field, name: &str) -> Argument {
        match field.specified_argument_by_name(name).map(|value| &**value) {
            None => Argument::Absent,
            Some(Value::Variable(variable)) => {
                self.asked.set(true);
                let value = self.variables.get(variable.as_str());
                value.map_or(Argument::Absent, Argument::from)
            }
            Some(value) => Argument::from(value),
        }
    }
}

/// As much of an argument's value as a price depends on.
enum Argument {
    Absent,
    Int(i64),
    /// Something else: so many values, when it is a list.
    Other(u64),
}

impl From<&Value> for Argument {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Absent,
            Value::Int(int) => int
                .try_to_i32()
                .map_or(Self::Other(1), |int| Self::Int(int.into())),
            Value::List(values) => Self::Other(values.len() as u64),
            _ => Self::Other(1),
        }
    }
}

impl From<&Json> for Argument {
    fn from(value: &Json) -> Self {
        match value {
            Json::Null => Self::Absent,
            Json::Number(number) => number.as_i64().map_or(Self::Other(1), Self::Int),
            Json::List(values) => Self::Other(values.len() as u64),
            _ => Self::Other(1),
        }
    }
}

/// What the answer of an operation is priced by.
#[derive(Debug)]
pub(super) struct Prices {
    fields: Vec<Priced>,
    /// The arguments whose price depends on variables.
    varying: Vec<Varying>,
}

/// The same, when the variables are known.
pub(super) struct KnownPrices<'a> {
    fields: &'a [Priced],
    varying: Vec<u64>,
}

impl Prices {
    pub(super) fn of(document: &ExecutableDocument, operation: &Operation) -> Self {
        let mut varying = Vec::new();
        let sets = [&operation.selection_set];
        let fields = Priced::within(&document.fragments, &sets, &mut varying);
        Self { fields, varying }
    }

    pub(super) fn with(&self, variables: &Variables) -> KnownPrices<'_> {
        let varying = self.varying.iter().map(|one| one.cost(variables));
        KnownPrices {
            fields: &self.fields,
            varying: varying.collect(),
        }
    }
}

impl KnownPrices<'_> {
    /// What an answer cost: the objects that are in it, and the work that it took.
    pub(super) fn actual(&self, data: &Json) -> u64 {
        object(self.fields, &self.varying, data)
    }
}

/// A field that costs something, or has such within it. Made once, however many objects have it: what is answered of it then is a
/// look at each of these, and not at every field.
#[derive(Debug)]
pub(super) struct Priced {
    key: Name,
    price: u64,
    extra: u64,
    /// The places of its arguments whose price depends on variables.
    varying: Vec<usize>,
    within: Vec<Priced>,
}

/// A field, and what arguments with variables cost.
#[derive(Clone, Copy)]
struct Pricing<'a> {
    priced: &'a Priced,
    varying: &'a [u64],
}

impl Priced {
    fn within(
        fragments: &FragmentMap,
        sets: &[&SelectionSet],
        varying: &mut Vec<Varying>,
    ) -> Vec<Self> {
        let mut fields: Vec<(&Name, Vec<&Field>)> = Vec::new();
        for set in sets {
            collect(fragments, set, &mut fields);
        }
        let mut priced = |(key, fields): (&Name, Vec<&Field>)| {
            let first = *fields.first()?;
            if first.name.starts_with("__") {
                return None;
            }
            let sets: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
            let work = Work::of(first);
            let places = (varying.len()..varying.len() + work.varying.len()).collect();
            varying.extend(work.varying);
            let priced = Self {
                key: key.clone(),
                price: price(first),
                extra: work.fixed,
                varying: places,
                within: Self::within(fragments, &sets, varying),
            };
            let free = priced.price == 0
                && priced.extra == 0
                && priced.varying.is_empty()
                && priced.within.is_empty();
            (!free).then_some(priced)
        };
        fields.into_iter().filter_map(&mut priced).collect()
    }

    /// What it costs besides its objects.
    fn extra(&self, varying: &[u64]) -> u64 {
        let costs = self.varying.iter().filter_map(|place| varying.get(*place));
        costs.fold(self.extra, |sum, cost| sum.saturating_add(*cost))
    }
}

fn object(priced: &[Priced], varying: &[u64], value: &Json) -> u64 {
    let Json::Object(object) = value else {
        return 0;
    };
    priced.iter().fold(0, |cost, priced| {
        let Some(value) = object.get(priced.key.as_str()) else {
            return cost;
        };
        cost.saturating_add(priced.extra(varying))
            .saturating_add(values(Pricing { priced, varying }, value))
    })
}

fn values(field: Pricing<'_>, value: &Json) -> u64 {
    let Pricing { priced, varying } = field;
    match value {
        Json::List(list) => list
            .iter()
            .fold(0, |cost, value| cost.saturating_add(values(field, value))),
        Json::Object(_) => {
            let within = object(&priced.within, varying, value);
            priced.price.saturating_add(within)
        }
        Json::Binary(text) => written(field, text),
        _ => 0,
    }
}

/// The cost of what was written at once: its text is walked, and nothing is kept of it.
fn written(field: Pricing<'_>, text: &[u8]) -> u64 {
    let mut text = serde_json::Deserializer::from_slice(text);
    field.deserialize(&mut text).unwrap_or(0)
}

impl<'de> DeserializeSeed<'de> for Pricing<'_> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<u64, D::Error> {
        value.deserialize_any(self)
    }
}

/// The cost of a value, as `input_coercion` has it.
impl<'de> Visitor<'de> for Pricing<'_> {
    type Value = u64;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field of an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<u64, A::Error> {
        let Self { priced, varying } = self;
        let mut cost = priced.price;
        // Keys are names, of which none is escaped.
        while let Some(key) = object.next_key::<&str>()? {
            let Some(priced) = priced.within.iter().find(|priced| priced.key == key) else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            let within = object.next_value_seed(Pricing { priced, varying })?;
            let extra = priced.extra(varying);
            cost = cost.saturating_add(extra).saturating_add(within);
        }
        Ok(cost)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u64, A::Error> {
        let mut cost = 0_u64;
        while let Some(item) = list.next_element_seed(self)? {
            cost = cost.saturating_add(item);
        }
        Ok(cost)
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_bool<E>(self, _: bool) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_i64<E>(self, _: i64) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_u64<E>(self, _: u64) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_f64<E>(self, _: f64) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_str<E>(self, _: &str) -> Result<u64, E> {
        Ok(0)
    }
}

/// The fields of a selection by the key they are answered under.
fn collect<'a>(
    fragments: &'a FragmentMap,
    set: &'a SelectionSet,
    fields: &mut Vec<(&'a Name, Vec<&'a Field>)>,
) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => {
                let key = field.response_key();
                match fields.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, same)) => same.push(field),
                    None => fields.push((key, vec![field])),
                }
            }
            Selection::InlineFragment(fragment) => {
                collect(fragments, &fragment.selection_set, fields);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = fragments.get(&spread.fragment_name) {
                    collect(fragments, &fragment.selection_set, fields);
                }
            }
        }
    }
}

/// What one object of a field costs by itself.
fn price(field: &Field) -> u64 {
    let noun = field.definition.ty.inner_named_type().as_str();
    let free = field.selection_set.selections.is_empty()
        || ["Connection", "Edge", "PageInfo", "Facets", "Count"]
            .iter()
            .any(|ending| noun.ends_with(ending));
    u64::from(!free)
}

/// Whether the field is a list by pages.
fn is_connection(field: &Field) -> bool {
    let noun = field.definition.ty.inner_named_type();
    noun.as_str().ends_with("Connection")
}

/// Whether the field holds the rows of a page.
fn is_page(field: &Field) -> bool {
    field.definition.ty.is_list()
        && matches!(field.name.as_str(), "edges" | "nodes")
        && field.definition.arguments.is_empty()
}

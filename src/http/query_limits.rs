//! How large an operation is once its fragments are written out: counted without writing them out.

use std::collections::HashMap;

use apollo_compiler::executable::{FragmentMap, Operation, Selection, SelectionSet};
use axum::http::StatusCode;

use super::respond::Refusal;
use crate::config::Limits;

/// Sizes of a selection, each of them an upper bound that cannot overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Fields at the top of the selection.
    top: u64,
    fields: u64,
    aliases: u64,
    directives: u64,
    /// Levels of fields below introspection do not count: its depth has its own check.
    depth: u64,
    /// Bytes of the longest key in the answer.
    key: u64,
    /// Whether it asks about the schema.
    pub(super) introspects: bool,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.top = self.top.saturating_add(other.top);
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.depth = self.depth.max(other.depth);
        self.key = self.key.max(other.key);
        self.introspects |= other.introspects;
    }
}

/// Bytes of a field's name or alias at most: answers repeat it for every row.
const MAX_KEY: u64 = 256;

/// The size of an operation, unless it is larger than the limits; the refusal names the limit.
pub(super) fn check(
    operation: &Operation,
    fragments: &FragmentMap,
    limits: &Limits,
) -> Result<Size, Refusal> {
    let mut counter = Counter {
        fragments,
        known: HashMap::new(),
    };
    let mut size = counter.selection(&operation.selection_set);
    size.directives = size
        .directives
        .saturating_add(operation.directives.len() as u64);
    for (what, code, size, limit, max) in [
        (
            "levels of fields",
            DEPTH,
            size.depth,
            "depth-limit",
            limits.depth,
        ),
        ("fields", COST, size.fields, "field-limit", limits.fields),
        (
            "fields at its top",
            COST,
            size.top,
            "root-field-limit",
            limits.root_fields,
        ),
        ("aliases", COST, size.aliases, "alias-limit", limits.aliases),
        (
            "directives",
            COST,
            size.directives,
            "directive-limit",
            limits.directives,
        ),
    ] {
        if size > max {
            return Err(too_large(what, code, size, limit, max));
        }
    }
    if size.key > MAX_KEY {
        let message = format!(
            "a name or alias has {} bytes, and {MAX_KEY} are the most",
            size.key
        );
        return Err(Refusal::graphql_new(StatusCode::BAD_REQUEST, COST, message));
    }
    Ok(size)
}

/// How often an answer has the value of one field of one object at most: how often it stands in one selection, under whatever aliases.
pub(super) fn copies(operation: &Operation, fragments: &FragmentMap) -> u64 {
    let mut copies = Copies {
        fragments,
        known: HashMap::new(),
        most: 1,
    };
    copies.selection(&operation.selection_set);
    copies.most
}

/// Counts fields without a selection by their names, selection by selection.
struct Copies<'a> {
    fragments: &'a FragmentMap,
    known: HashMap<&'a str, HashMap<&'a str, u64>>,
    most: u64,
}

impl<'a> Copies<'a> {
    fn selection(&mut self, set: &'a SelectionSet) -> HashMap<&'a str, u64> {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        let mut add = |name: &'a str, count: u64| {
            let sum = counts.entry(name).or_default();
            *sum = sum.saturating_add(count);
        };
        for selection in &set.selections {
            match selection {
                Selection::Field(field) if field.selection_set.is_empty() => add(&field.name, 1),
                Selection::Field(field) => {
                    self.selection(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => {
                    let inner = self.selection(&fragment.selection_set);
                    for (name, count) in inner {
                        add(name, count);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let inner = self.fragment(&spread.fragment_name);
                    for (name, count) in inner {
                        add(name, count);
                    }
                }
            }
        }
        self.most = counts.values().copied().fold(self.most, u64::max);
        counts
    }

    /// A fragment, looked at once however often it is spread.
    fn fragment(&mut self, name: &str) -> HashMap<&'a str, u64> {
        let Some((name, fragment)) = self.fragments.get_key_value(name) else {
            return HashMap::new();
        };
        if let Some(known) = self.known.get(name.as_str()) {
            return known.clone();
        }
        let counts = self.selection(&fragment.selection_set);
        self.known.insert(name.as_str(), counts.clone());
        counts
    }
}

pub(super) const DEPTH: &str = "DEPTH_LIMIT_EXCEEDED";
pub(super) const COST: &str = "COST_LIMIT_EXCEEDED";

/// The refusal of something that has too much of something.
pub(super) fn too_large(
    what: &str,
    code: &'static str,
    size: u64,
    limit: &'static str,
    max: u64,
) -> Refusal {
    let has = if size == u64::MAX {
        "more than can be counted".to_owned()
    } else {
        size.to_string()
    };
    let message = format!("the operation has {has} {what}, and {max} are the most ({limit})");
    Refusal::graphql_new(StatusCode::BAD_REQUEST, code, message).limit(limit, max)
}

struct Counter<'a> {
    fragments: &'a FragmentMap,
    known: HashMap<&'a str, Size>,
}

impl<'a> Counter<'a> {
    fn selection(&mut self, set: &'a SelectionSet) -> Size {
        let mut size = Size::default();
        for selection in &set.selections {
            size.directives = size
                .directives
                .saturating_add(selection.directives().len() as u64);
            size.add(match selection {
                Selection::Field(field) => {
                    let mut inner = self.selection(&field.selection_set);
                    inner.top = 1;
                    inner.key = inner.key.max(field.response_key().len() as u64);
                    inner.introspects |= matches!(field.name.as_str(), "__schema" | "__type");
                    inner.fields = inner.fields.saturating_add(1);
                    inner.aliases = inner.aliases.saturating_add(field.alias.is_some().into());
                    inner.depth = if field.name.starts_with("__") {
                        0
                    } else {
                        inner.depth.saturating_add(1)
                    };
                    inner
                }
                Selection::InlineFragment(fragment) => self.selection(&fragment.selection_set),
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name),
            });
        }
        size
    }

    /// A fragment, looked at once however often it is spread.
    fn fragment(&mut self, name: &str) -> Size {
        let Some((name, fragment)) = self.fragments.get_key_value(name) else {
            return Size::default();
        };
        if let Some(known) = self.known.get(name.as_str()) {
            return *known;
        }
        let size = self.selection(&fragment.selection_set);
        self.known.insert(name.as_str(), size);
        size
    }
}

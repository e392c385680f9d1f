//! The part of a cost that is no object: what a field makes the database do besides. A count, facets, a search, the conditions that rows
//! are held against, and the rows that a mutation changes.

use apollo_compiler::Node;
use apollo_compiler::ast::Value;
use apollo_compiler::executable::Field;
use async_graphql::Value as Json;

use super::negotiate::Variables;
use crate::graphql::MAX_CHANGED;

/// What counting a list costs, or what is left of a user.
const COUNT: u64 = 10;
/// What the facets of a list cost.
const FACETS: u64 = 20;
/// What a search costs.
const SEARCH: u64 = 20;
/// What a condition costs that looks into texts: no index has what is in them.
const TEXT: u64 = 20;
/// What any other condition costs.
const COMPARISON: u64 = 2;

/// What a field costs besides its objects.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Whatever the variables are.
    pub(super) fixed: u64,
    /// What it costs more for arguments with variables in them.
    pub(super) varying: Vec<Varying>,
}

/// An argument whose price depends on variables.
#[derive(Debug)]
pub(super) struct Varying {
    purpose: Purpose,
    value: Node<Value>,
}

/// What an argument is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Search,
    Condition,
    /// The input of a mutation.
    Change,
}

impl Work {
    /// That of a field.
    pub(super) fn of(field: &Field) -> Self {
        let mut work = Self {
            fixed: match field.name.as_str() {
                "totalCount" | "erasureCheck" => COUNT,
                "facets" => FACETS,
                _ => 0,
            },
            varying: Vec::new(),
        };
        for argument in &field.arguments {
            let purpose = match argument.name.as_str() {
                "search" => Purpose::Search,
                "where" => Purpose::Condition,
                "input" => Purpose::Change,
                _ => continue,
            };
            let value = argument.value.clone();
            if has_variables(&value) {
                work.varying.push(Varying { purpose, value });
            } else {
                let value = resolved(&value, &Variables::default());
                work.fixed = work.fixed.saturating_add(purpose.cost(&value));
            }
        }
        work
    }
}

impl Varying {
    /// What the argument costs with these variables.
    pub(super) fn cost(&self, variables: &Variables) -> u64 {
        self.purpose.cost(&resolved(&self.value, variables))
    }
}

impl Purpose {
    fn cost(self, value: &Json) -> u64 {
        match (self, value) {
            (_, Json::Null) => 0,
            (Self::Search, _) => SEARCH,
            (Self::Condition, value) => condition(value),
            (Self::Change, value) => change(value),
        }
    }
}

fn has_variables(value: &Value) -> bool {
    match value {
        Value::Variable(_) => true,
        Value::List(items) => items.iter().any(|item| has_variables(item)),
        Value::Object(fields) => fields.iter().any(|(_, value)| has_variables(value)),
        _ => false,
    }
}

/// A value with what its variables are, as far as a price depends on it.
fn resolved(value: &Value, variables: &Variables) -> Json {
    match value {
        Value::Variable(name) => variables.get(name.as_str()).cloned().unwrap_or_default(),
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Boolean(*value),
        Value::Int(value) => value.try_to_i32().map_or(Json::Boolean(true), Json::from),
        Value::List(items) => items.iter().map(|item| resolved(item, variables)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| {
                let key = async_graphql::Name::new(key.as_str());
                (key, resolved(value, variables))
            });
            Json::Object(fields.collect())
        }
        // Whatever it is, it is there.
        _ => Json::Boolean(true),
    }
}

/// The price of a condition.
fn condition(value: &Json) -> u64 {
    match value {
        Json::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value {
                Json::Object(_) => condition(value),
                Json::List(_) if !is_operator(key) => condition(value),
                Json::Null => 0,
                _ => price(key),
            })
            .fold(0, u64::saturating_add),
        Json::List(items) => items.iter().map(condition).fold(0, u64::saturating_add),
        _ => 0,
    }
}

/// The price of a mutation's input.
fn change(input: &Json) -> u64 {
    let Json::Object(fields) = input else {
        return 0;
    };
    let mut change = Change::default();
    let mut cost = 0;
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("where", value @ Json::Object(_)) => {
                change.has_condition = true;
                cost = condition(value);
            }
            ("events" | "ids", Json::List(items)) => change.items(items.len()),
            ("dryRun", value) => change.is_dry = *value == Json::Boolean(true),
            ("expectedCount", Json::Number(count)) => change.expected = count.as_f64().map(whole),
            _ => {}
        }
    }
    change.cost().saturating_add(cost)
}

/// What a mutation changes, as far as its input says it.
#[derive(Default)]
struct Change {
    /// What it names one by one.
    items: u64,
    /// Whether it names what it changes by a condition.
    has_condition: bool,
    is_dry: bool,
    /// How many rows the condition is expected to hold for.
    expected: Option<u64>,
}

impl Change {
    fn items(&mut self, count: usize) {
        self.items = self.items.saturating_add(count as u64);
    }

    /// What it costs: 1 for each row, and what is found by a condition may be as many as one change may be for.
    fn cost(&self) -> u64 {
        let found = match self.expected {
            _ if !self.has_condition => 0,
            _ if self.is_dry => COUNT,
            Some(expected) => expected.min(MAX_CHANGED),
            None => MAX_CHANGED,
        };
        self.items.saturating_add(found)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is below zero counts as zero, and what is beyond is cut"
)]
const fn whole(number: f64) -> u64 {
    number as u64
}

/// Whether a key of a condition is an operator, and not a field or a connective.
fn is_operator(key: &str) -> bool {
    const OPERATORS: [&str; 13] = [
        "contains",
        "eq",
        "gt",
        "gte",
        "has",
        "hasAll",
        "hasAny",
        "in",
        "isNull",
        "lt",
        "lte",
        "notIn",
        "startsWith",
    ];
    OPERATORS.contains(&key)
}

fn price(operator: &str) -> u64 {
    match operator {
        "contains" | "startsWith" => TEXT,
        _ => COMPARISON,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::{change, condition};

    #[test]
    fn conditions_cost_what_is_in_them() {
        assert_eq!(condition(&value!({})), 0);
        assert_eq!(condition(&value!({ "name": { "contains": "a" } })), 20);
        let some = value!({
            "or": [
                { "name": { "startsWith": "a", "eq": null } },
                { "tags": { "hasAny": ["a", "b"] } },
            ],
            "not": { "totalSessions": { "gt": 1, "lt": 5 } },
        });
        assert_eq!(condition(&some), 20 + 2 + 4);
    }

    #[test]
    fn changes_cost_what_they_may_change() {
        let all = value!({ "where": { "isAnonymous": { "eq": true } } });
        assert_eq!(change(&all), 10_002);
        let some = value!({ "where": { "isAnonymous": { "eq": true } }, "expectedCount": 7, "tags": ["a"] });
        assert_eq!(change(&some), 9);
        let none = value!({ "where": { "isAnonymous": { "eq": true } }, "dryRun": true });
        assert_eq!(change(&none), 12);
        assert_eq!(change(&value!({ "ids": ["a", "b"] })), 2);
        assert_eq!(change(&value!({ "events": [{}, {}, {}] })), 3);
        let beyond = value!({ "where": {}, "expectedCount": (-5) });
        assert_eq!(change(&beyond), 0);
    }
}

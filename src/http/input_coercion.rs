//! Values of arguments and variables: whether they fit their types, and where in the arguments one stands that does not.
//!
//! The validator knows the types of literals, but not what a `DateTime` is, nor that a field is to be given once. Values of
//! variables come as JSON and are looked at here altogether (specification of GraphQL, 6.1.2 and 3.5 to 3.12).

use std::collections::HashSet;

use apollo_compiler::ast::{InputValueDefinition, Type};
use apollo_compiler::executable::{Argument, Operation, Selection, SelectionSet, Value};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{ExecutableDocument, Name, Node, Schema};
use async_graphql::{Name as Key, Number, Value as Json};

use super::negotiate::Variables;
use crate::clock::Timestamp;
use crate::decimal::Decimal;
use crate::exact;

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoercionError {
    /// Where it stands, dotted: `where.and.0.startedAt.gt`.
    pub(super) argument: String,
    pub(super) reason: String,
    pub(super) place: Option<SourceSpan>,
    /// The document itself is wrong, and not only a value.
    pub(super) invalid: bool,
}

/// What the validator does not see in the literals of a document.
pub(super) fn literals(schema: &Schema, document: &ExecutableDocument) -> Vec<CoercionError> {
    let mut reader = Literals {
        schema,
        document,
        path: Vec::new(),
        found: Vec::new(),
    };
    each_argument(document, &mut |argument, definition| {
        let ty = definition.map(|definition| &*definition.ty);
        reader.within(argument.name.to_string(), |reader| {
            reader.read(ty, &argument.value);
        });
    });
    for operation in document.operations.iter() {
        for variable in &operation.variables {
            if let Some(value) = &variable.default_value {
                reader.within(format!("${}", variable.name), |reader| {
                    reader.read(Some(&variable.ty), value);
                });
            }
        }
    }
    reader.found
}

struct Literals<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    path: Vec<String>,
    found: Vec<CoercionError>,
}

impl Literals<'_> {
    fn within(&mut self, step: String, read: impl FnOnce(&mut Self)) {
        self.path.push(step);
        read(self);
        self.path.pop();
    }

    fn add(&mut self, value: &Node<Value>, invalid: bool, reason: impl Into<String>) {
        self.found.push(CoercionError {
            argument: self.path.join("."),
            reason: reason.into(),
            place: value.location(),
            invalid,
        });
    }

    fn read(&mut self, ty: Option<&Type>, value: &Node<Value>) {
        match &**value {
            Value::List(values) => {
                for (at, value) in values.iter().enumerate() {
                    self.within(at.to_string(), |reader| {
                        reader.read(ty.map(Type::item_type), value);
                    });
                }
            }
            Value::Object(fields) => self.object(ty, fields),
            Value::Null => {}
            Value::Variable(name) => self.variable(ty, name, value),
            other => {
                let read = match ty.map(named) {
                    Some("DateTime") => literal_time(other),
                    Some("Decimal") => literal_decimal(other),
                    // Whatever number it is, it is nobody's.
                    Some("ID") => Ok(()),
                    _ => literal_number(other),
                };
                if let Err(reason) = read {
                    self.add(value, false, reason);
                }
            }
        }
    }

    fn object(&mut self, ty: Option<&Type>, fields: &[(Name, Node<Value>)]) {
        let schema = self.schema;
        let input = ty.and_then(|ty| schema.get_input_object(ty.inner_named_type()));
        let mut names = HashSet::with_capacity(fields.len());
        for (name, value) in fields {
            let ty = input.and_then(|input| Some(&*input.fields.get(name)?.ty));
            self.within(name.to_string(), |reader| {
                if !names.insert(name) {
                    reader.add(value, true, "is given more than once");
                }
                if value.is_null() && input.is_some_and(|input| is_condition(&input.name)) {
                    reader.add(value, false, NULL_CONDITION);
                }
                reader.read(ty, value);
            });
        }
    }

    /// A variable inside a list or an object: one that may be null has no place where nothing may be.
    fn variable(&mut self, ty: Option<&Type>, name: &str, value: &Node<Value>) {
        let Some(ty) = ty.filter(|ty| self.path.len() > 1 && ty.is_non_null()) else {
            return;
        };
        let document = self.document;
        let mut declared = document
            .operations
            .iter()
            .filter_map(|operation| operation.variables.iter().find(|one| one.name == name));
        if let Some(variable) =
            declared.find(|one| !one.ty.is_non_null() && one.default_value.is_none())
        {
            let reason = format!("is ${name}, a {}, and must be a {ty}", variable.ty);
            self.add(value, true, reason);
        }
    }
}

/// Whether null in a field of an input asks for nothing that a row could answer: the conditions of `where` and their operators.
fn is_condition(input: &str) -> bool {
    input.ends_with("Filter") || input.ends_with("Where")
}

const NULL_CONDITION: &str =
    "is null, and no operator takes null: leave it out, or find missing values with `isNull: true`";

/// The places in conditions where an operation has a variable that may be null, dotted, with the variable's name.
pub(super) fn null_conditions(
    schema: &Schema,
    document: &ExecutableDocument,
    operation: &Operation,
) -> Vec<(Name, String)> {
    let nullable: Vec<_> = operation
        .variables
        .iter()
        .filter(|variable| !variable.ty.is_non_null())
        .map(|variable| &variable.name)
        .collect();
    let mut places = Vec::new();
    if nullable.is_empty() {
        return places;
    }
    each_argument_of(document, operation, &mut |argument, definition| {
        let ty = definition.map(|definition| &*definition.ty);
        let mut path = vec![argument.name.to_string()];
        conditions_with_variables(schema, ty, &argument.value, &mut path, &mut |name, path| {
            if nullable.contains(&name) {
                places.push((name.clone(), path.join(".")));
            }
        });
    });
    places
}

fn conditions_with_variables(
    schema: &Schema,
    ty: Option<&Type>,
    value: &Value,
    path: &mut Vec<String>,
    found: &mut dyn FnMut(&Name, &[String]),
) {
    match value {
        Value::List(values) => {
            for (at, value) in values.iter().enumerate() {
                path.push(at.to_string());
                let ty = ty.map(Type::item_type);
                conditions_with_variables(schema, ty, value, path, found);
                path.pop();
            }
        }
        Value::Object(fields) => {
            let input = ty.and_then(|ty| schema.get_input_object(ty.inner_named_type()));
            for (name, value) in fields {
                path.push(name.to_string());
                if let (Some(input), Value::Variable(variable)) = (input, &**value)
                    && is_condition(&input.name)
                {
                    found(variable, path);
                }
                let ty = input.and_then(|input| Some(&*input.fields.get(name)?.ty));
                conditions_with_variables(schema, ty, value, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn literal_time(value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => Timestamp::parse(text).map(drop),
        _ => Err("must be a DateTime: a text as in \"2026-01-31T12:00:00Z\"".to_owned()),
    }
}

fn literal_number(value: &Value) -> Result<(), String> {
    let is_kept = match value {
        Value::Int(number) => exact::is_kept(number.as_str()),
        Value::Float(number) => exact::is_kept(number.as_str()),
        _ => true,
    };
    if is_kept {
        Ok(())
    } else {
        Err(exact::TOO_LONG.to_owned())
    }
}

fn literal_decimal(value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => Decimal::parse(text).map(drop),
        Value::Int(number) => Decimal::parse(number.as_str()).map(drop),
        Value::Float(number) => {
            let number = Number::from_f64(number.try_to_f64().unwrap_or(f64::MAX));
            json_decimal(&number.map_or(Json::Null, Json::Number))
        }
        _ => Err("must be a Decimal: a text as in \"12.5\", or a number".to_owned()),
    }
}

fn json_decimal(value: &Json) -> Result<(), String> {
    match value {
        Json::Number(number) => Decimal::try_from(number),
        value => Decimal::parse(text(value).unwrap_or_default()),
    }
    .map(drop)
}

fn text(value: &Json) -> Option<&str> {
    match value {
        Json::String(text) => Some(text),
        _ => None,
    }
}

fn named(ty: &Type) -> &str {
    ty.inner_named_type().as_str()
}

/// The innermost value of an argument around a place in a document, dotted.
pub(super) fn argument_at(document: &ExecutableDocument, place: SourceSpan) -> Option<String> {
    let mut found = None;
    each_argument(document, &mut |argument, _| {
        let mut path = vec![argument.name.to_string()];
        if descend(&argument.value, place, &mut path) {
            found = Some(path.join("."));
        }
    });
    found
}

fn descend(value: &Node<Value>, place: SourceSpan, path: &mut Vec<String>) -> bool {
    let inside = value.location().is_some_and(|span| {
        span.offset() <= place.offset() && place.end_offset() <= span.end_offset()
    });
    if !inside {
        return false;
    }
    let parts: Vec<(String, &Node<Value>)> = match &**value {
        Value::List(values) => values
            .iter()
            .enumerate()
            .map(|(at, value)| (at.to_string(), value))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    for (step, part) in parts {
        path.push(step);
        if descend(part, place, path) {
            return true;
        }
        path.pop();
    }
    true
}

type Visit<'a> = dyn FnMut(&Argument, Option<&InputValueDefinition>) + 'a;

/// Every argument of every field and directive of a document, with its definition where that is known.
fn each_argument(document: &ExecutableDocument, visit: &mut Visit<'_>) {
    for operation in document.operations.iter() {
        in_selection(&operation.selection_set, visit);
    }
    for fragment in document.fragments.values() {
        in_selection(&fragment.selection_set, visit);
    }
}

/// Every argument of an operation, those in its fragments included.
fn each_argument_of(document: &ExecutableDocument, operation: &Operation, visit: &mut Visit<'_>) {
    in_selection(&operation.selection_set, visit);
    let mut seen = HashSet::new();
    let mut open = vec![&operation.selection_set];
    while let Some(set) = open.pop() {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => open.push(&field.selection_set),
                Selection::InlineFragment(fragment) => open.push(&fragment.selection_set),
                Selection::FragmentSpread(spread) => {
                    if seen.insert(&spread.fragment_name)
                        && let Some(fragment) = document.fragments.get(&spread.fragment_name)
                    {
                        in_selection(&fragment.selection_set, visit);
                        open.push(&fragment.selection_set);
                    }
                }
            }
        }
    }
}

fn in_selection(set: &SelectionSet, visit: &mut Visit<'_>) {
    for selection in &set.selections {
        for directive in selection.directives() {
            directive
                .arguments
                .iter()
                .for_each(|argument| visit(argument, None));
        }
        match selection {
            Selection::Field(field) => {
                for argument in &field.arguments {
                    let definition = field.definition.argument_by_name(&argument.name);
                    visit(argument, definition.map(|definition| &**definition));
                }
                in_selection(&field.selection_set, visit);
            }
            Selection::InlineFragment(fragment) => in_selection(&fragment.selection_set, visit),
            Selection::FragmentSpread(_) => {}
        }
    }
}

/// The values of variables, if they fit what the operation declares, and its defaults for those that are not given. Those of
/// [`null_conditions`] must not be null.
pub(super) fn variables(
    schema: &Schema,
    operation: &Operation,
    null_conditions: &[(Name, String)],
    mut given: Variables,
) -> Result<Variables, CoercionError> {
    for variable in &operation.variables {
        let name = variable.name.as_str();
        let fits = match given.get(name) {
            Some(value) => json(schema, &variable.ty, value),
            None => match &variable.default_value {
                Some(default) => {
                    given.insert(Key::new(name), plain(default));
                    Ok(())
                }
                None if variable.ty.is_non_null() => Err(missing(&variable.ty)),
                None => Ok(()),
            },
        };
        fits.map_err(|unfit| CoercionError {
            argument: unfit.path(&format!("${name}")),
            reason: unfit.reason,
            place: variable.location(),
            invalid: false,
        })?;
    }
    let is_null = |(name, _): &&(Name, String)| given.get(name.as_str()) == Some(&Json::Null);
    match null_conditions.iter().find(is_null) {
        None => Ok(given),
        Some((name, path)) => Err(CoercionError {
            argument: path.clone(),
            reason: format!("is ${name}, which {NULL_CONDITION}"),
            place: None,
            invalid: false,
        }),
    }
}

/// Why a value does not fit, and the way to it, from its end to its start.
struct Unfit {
    reason: String,
    way: Vec<String>,
}

impl From<String> for Unfit {
    fn from(reason: String) -> Self {
        let way = Vec::new();
        Self { reason, way }
    }
}

impl Unfit {
    /// The same, a step further up.
    fn within(mut self, step: &(impl ToString + ?Sized)) -> Self {
        self.way.push(step.to_string());
        self
    }

    /// The way from here, dotted.
    fn path(&self, start: &str) -> String {
        let steps = self.way.iter().rev().map(String::as_str);
        let all: Vec<_> = std::iter::once(start).chain(steps).collect();
        all.join(".")
    }
}

fn missing(ty: &Type) -> Unfit {
    format!("is missing, and must be a {ty}").into()
}

/// A literal as JSON.
fn plain(value: &Value) -> Json {
    match value {
        Value::Null | Value::Variable(_) => Json::Null,
        Value::Enum(word) => word.as_str().into(),
        Value::String(text) => text.as_str().into(),
        Value::Boolean(yes) => (*yes).into(),
        Value::Int(int) => int.try_to_i32().map_or(Json::Null, Json::from),
        Value::Float(float) => float.try_to_f64().map_or(Json::Null, Json::from),
        Value::List(values) => Json::List(values.iter().map(|value| plain(value)).collect()),
        Value::Object(fields) => {
            let fields = fields.iter();
            Json::Object(
                fields
                    .map(|(name, value)| (Key::new(name), plain(value)))
                    .collect(),
            )
        }
    }
}

/// Whether a value fits a type.
fn json(schema: &Schema, ty: &Type, value: &Json) -> Result<(), Unfit> {
    if *value == Json::Null {
        return if ty.is_non_null() {
            Err(format!("is null, and must be a {ty}").into())
        } else {
            Ok(())
        };
    }
    if !ty.is_list() {
        return json_named(schema, named(ty), value);
    }
    let Json::List(values) = value else {
        // A single value stands for a list of it.
        return json(schema, ty.item_type(), value);
    };
    for (at, value) in values.iter().enumerate() {
        json(schema, ty.item_type(), value).map_err(|unfit| unfit.within(&at))?;
    }
    Ok(())
}

fn json_named(schema: &Schema, name: &str, value: &Json) -> Result<(), Unfit> {
    let number = number(value);
    let fits = match schema.types.get(name) {
        Some(ExtendedType::Enum(words)) => {
            text(value).is_some_and(|word| words.values.contains_key(word))
        }
        Some(ExtendedType::InputObject(input)) => return json_object(schema, input, value),
        _ => match name {
            "Int" => whole(value).is_some(),
            "Float" => number.is_some(),
            "Boolean" => matches!(value, Json::Boolean(_)),
            "String" => text(value).is_some(),
            "ID" => text(value).is_some() || number.is_some_and(|number| !number.is_f64()),
            "DateTime" => {
                let text = text(value).unwrap_or_default();
                return Timestamp::parse(text).map(drop).map_err(Unfit::from);
            }
            "Decimal" => return json_decimal(value).map_err(Unfit::from),
            _ => true,
        },
    };
    if fits {
        Ok(())
    } else {
        Err(format!("is {}, and must be a {name}", shown(value)).into())
    }
}

fn number(value: &Json) -> Option<&Number> {
    match value {
        Json::Number(number) => Some(number),
        _ => None,
    }
}

/// A 32-bit integer, also one that is written with a fraction of zero.
fn whole(value: &Json) -> Option<i32> {
    let number = number(value)?;
    if let Some(number) = number.as_i64() {
        return i32::try_from(number).ok();
    }
    number.to_string().strip_suffix(".0")?.parse().ok()
}

fn json_object(
    schema: &Schema,
    input: &apollo_compiler::schema::InputObjectType,
    value: &Json,
) -> Result<(), Unfit> {
    let Json::Object(fields) = value else {
        return Err(format!("is {}, and must be a {}", shown(value), input.name).into());
    };
    for (name, value) in fields {
        let fits = match input.fields.get(name.as_str()) {
            Some(_) if *value == Json::Null && is_condition(&input.name) => {
                Err(NULL_CONDITION.to_owned().into())
            }
            Some(field) => json(schema, &field.ty, value),
            None => Err(format!("is no field of {}", input.name).into()),
        };
        fits.map_err(|unfit| unfit.within(name))?;
    }
    for (name, field) in &input.fields {
        if field.is_required() && !fields.contains_key(name.as_str()) {
            return Err(missing(&field.ty).within(name));
        }
    }
    Ok(())
}

/// A value as a message shows it: short.
fn shown(value: &Json) -> String {
    const MOST: usize = 60;
    let text = match value {
        Json::Object(_) => return "an object".to_owned(),
        Json::List(_) => return "a list".to_owned(),
        other => serde_json::to_string(other).unwrap_or_default(),
    };
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

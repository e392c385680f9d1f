//! Whether whoever asks may ask for it: what a document takes, found once and kept with it, against what they may.
//!
//! Nothing of a document that asks for too much is answered, so nothing has to be taken out of an answer.

use std::collections::HashSet;

use apollo_compiler::ast::{Type, VariableDefinition};
use apollo_compiler::executable::{Operation, Selection, SelectionSet, Value};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{ExecutableDocument, Name, Node, Schema};
use async_graphql::{Pos, ServerError, Value as Json};

use super::negotiate::Variables;
use super::respond::Refusal;
use crate::caller::{Permission, Permissions, Principal};
use crate::graphql::access::{of_member, of_type};

/// One of some permissions, and what first takes it in an operation.
#[derive(Clone, Debug)]
pub(super) struct Need {
    any: Permissions,
    /// As in `ChatUser.totalCost`.
    what: String,
    place: Option<Pos>,
}

/// What an operation takes, whatever its variables are.
pub(super) fn needs(
    schema: &Schema,
    document: &ExecutableDocument,
    operation: &Operation,
) -> Vec<Need> {
    let mut search = Search {
        schema,
        document: Some(document),
        fragments: HashSet::new(),
        found: Vec::new(),
    };
    search.selection(&operation.selection_set);
    search.found
}

/// Whether values of a type may take something: inputs, and words that orders are made of.
pub(super) fn may_take(schema: &Schema, ty: &Type) -> bool {
    let name = ty.inner_named_type();
    is_order(name) || schema.get_input_object(name).is_some()
}

/// Refuses what takes what somebody may not: by itself, or with the values of these variables.
pub(super) fn check(
    schema: &Schema,
    needs: &[Need],
    telling: &[Node<VariableDefinition>],
    variables: &Variables,
    principal: &Principal,
) -> Result<(), Refusal> {
    let mut search = Search {
        schema,
        document: None,
        fragments: HashSet::new(),
        found: Vec::new(),
    };
    for variable in telling {
        if let Some(value) = variables.get(variable.name.as_str()) {
            search.json(&variable.ty, value);
        }
    }
    let mut missing: Vec<&Need> = Vec::new();
    for need in needs.iter().chain(&search.found) {
        let known = missing.iter().any(|other| other.any == need.any);
        if !known && !need.any.meet(principal.permissions) {
            missing.push(need);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::forbidden(
        missing.into_iter().map(Need::refused).collect(),
    ))
}

impl Need {
    fn refused(&self) -> ServerError {
        let names: Vec<_> = self.any.iter().map(Permission::name).collect();
        let takes = match names.as_slice() {
            [one] => format!("the permission {one}"),
            several => format!("one of the permissions {}", several.join(", ")),
        };
        let mut error = ServerError::new(format!("{} takes {takes}", self.what), self.place);
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("field", self.what.as_str());
        extensions.set("permissions", names);
        error
    }
}

fn is_order(name: &Name) -> bool {
    name.ends_with("OrderField")
}

struct Search<'a> {
    schema: &'a Schema,
    /// Where places are told in, and fragments looked up.
    document: Option<&'a ExecutableDocument>,
    /// Those that have been looked at.
    fragments: HashSet<&'a Name>,
    found: Vec<Need>,
}

impl<'a> Search<'a> {
    fn selection(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) if field.name.starts_with("__") => {}
                Selection::Field(field) => {
                    let place = field.name.location();
                    self.member(&set.ty, &field.name, place);
                    let leads_to = field.definition.ty.inner_named_type();
                    if !field.selection_set.selections.is_empty() {
                        let what = || format!("{}.{}", set.ty, field.name);
                        self.takes(&of_type(leads_to), what, place);
                    }
                    for argument in &field.arguments {
                        if let Some(definition) = field.definition.argument_by_name(&argument.name)
                        {
                            self.literal(&definition.ty, &argument.value, place);
                        }
                    }
                    self.selection(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => self.selection(&fragment.selection_set),
                Selection::FragmentSpread(spread) => {
                    let fragments = self.document.map(|document| &document.fragments);
                    let found = fragments.and_then(|all| all.get_key_value(&spread.fragment_name));
                    if let Some((name, fragment)) = found
                        && self.fragments.insert(name)
                    {
                        self.selection(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn literal(&mut self, ty: &Type, value: &Value, place: Option<SourceSpan>) {
        let name = ty.inner_named_type();
        match value {
            Value::List(values) => {
                for value in values {
                    self.literal(ty.item_type(), value, place);
                }
            }
            Value::Enum(word) => self.word(name, word, place),
            Value::Object(fields) => {
                for (field, value) in fields {
                    if let Some(ty) = self.input(name, field, place) {
                        self.literal(&ty, value, place);
                    }
                }
            }
            _ => {}
        }
    }

    fn json(&mut self, ty: &Type, value: &Json) {
        let name = ty.inner_named_type();
        match value {
            Json::List(values) => {
                for value in values {
                    self.json(ty.item_type(), value);
                }
            }
            Json::String(word) => {
                if matches!(self.schema.types.get(name), Some(ExtendedType::Enum(_))) {
                    self.word(name, word, None);
                }
            }
            Json::Object(fields) => {
                for (field, value) in fields {
                    if let Some(ty) = self.input(name, field.as_str(), None) {
                        self.json(&ty, value);
                    }
                }
            }
            _ => {}
        }
    }

    /// A field of an input: its type. Objects that are no inputs, but whole values, have no such fields.
    fn input(&mut self, name: &Name, field: &str, place: Option<SourceSpan>) -> Option<Node<Type>> {
        let ty = self
            .schema
            .get_input_object(name)?
            .fields
            .get(field)?
            .ty
            .clone();
        self.member(name, field, place);
        Some(ty)
    }

    /// A value of an enum. Only orders have rules: what else a value names has one as a field.
    fn word(&mut self, name: &Name, word: &str, place: Option<SourceSpan>) {
        if is_order(name) {
            self.member(name, word, place);
        }
    }

    fn member(&mut self, name: &Name, member: &str, place: Option<SourceSpan>) {
        let what = || format!("{name}.{member}");
        self.takes(&of_member(name, member), what, place);
    }

    fn takes(
        &mut self,
        sets: &[Permissions],
        what: impl Fn() -> String,
        place: Option<SourceSpan>,
    ) {
        for &any in sets {
            if self.found.iter().any(|need| need.any == any) {
                continue;
            }
            let place = place.zip(self.document).and_then(|(place, document)| {
                let start = place.line_column(&document.sources)?;
                Some(Pos {
                    line: start.line,
                    column: start.column,
                })
            });
            self.found.push(Need {
                any,
                what: what(),
                place,
            });
        }
    }
}

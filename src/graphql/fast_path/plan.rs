//! What is asked of the objects of a list: found out once, however many they are.

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{Context, ContextSelectionSet, InputType, Positioned};

use super::plain::{Fallback, FastField, FastFields, Of, Write};

/// More fields than this in one object are left to the executor: the look for repeated ones is made for few.
const MAX_FIELDS: usize = 64;

/// What a request brings along, wherever in its answer one is.
#[derive(Clone, Copy)]
pub(super) struct Base<'a>(&'a ContextSelectionSet<'a>);

impl<'a> Base<'a> {
    pub(super) const fn new(context: &'a ContextSelectionSet<'a>) -> Self {
        Self(context)
    }

    /// The context of a field. It does not know where in the answer that field is.
    pub(super) fn context(self, field: &'a Positioned<Field>) -> Context<'a> {
        let Self(ContextSelectionSet {
            query_env,
            schema_env,
            execute_data,
            ..
        }) = self;
        query_env.create_context(schema_env, None, field, *execute_data)
    }

    /// Whether a fragment on this type is on objects of that one too.
    fn applies(self, on: &str, object: &str) -> bool {
        on == object || {
            let types = &self.0.schema_env.registry.types;
            types.get(on).is_some_and(|on| on.is_possible_type(object))
        }
    }
}

/// A field, and what is asked of its value.
pub(in crate::graphql) struct FieldContext<'a> {
    pub(super) base: Base<'a>,
    pub(super) field: &'a Positioned<Field>,
    context: Context<'a>,
}

impl<'a> FieldContext<'a> {
    /// Where the field's method finds what the request brings along.
    pub(in crate::graphql) const fn context(&self) -> &Context<'a> {
        &self.context
    }

    /// An argument of the field.
    pub(in crate::graphql) fn argument<T: InputType>(&self, name: &str) -> Result<T, Fallback> {
        let value = self.context.param_value(name, None);
        value.map(|(_, value)| value).map_err(|_| Fallback)
    }

    /// What is asked of the value.
    pub(super) fn selection(&self) -> &'a SelectionSet {
        &self.field.node.selection_set.node
    }

    /// The name of the field.
    pub(super) fn name(&self) -> &'a str {
        &self.field.node.name.node
    }
}

/// A field of an object, and how its value is come by.
pub(super) struct Selected<'a, T> {
    /// Its key in the answer, as it is written before the value.
    pub(super) key: String,
    pub(super) asked: FieldContext<'a>,
    pub(super) step: Step<T>,
}

/// How a value is come by.
pub(super) enum Step<T> {
    Typename,
    Value(Write<T>),
    Children(Of<T>),
    /// The executor resolves it, object by object.
    Waiting,
}

/// The fields that are asked of objects of a type.
pub(super) fn plan<'a, T: FastFields>(
    base: Base<'a>,
    selection: &'a SelectionSet,
) -> Result<Vec<Selected<'a, T>>, Fallback> {
    let selected = |asked: FieldContext<'a>| {
        let step = match T::fast_field(asked.name()) {
            _ if asked.name() == "__typename" => Step::Typename,
            Some(FastField::Value { is_plain, write }) if is_plain(&asked) => Step::Value(write),
            Some(FastField::Children { is_plain, of }) if is_plain(&asked) => Step::Children(of),
            _ => Step::Waiting,
        };
        Selected {
            key: key(&asked),
            asked,
            step,
        }
    };
    let asked = selections(base, &T::type_name(), selection)?;
    Ok(asked.into_iter().map(selected).collect())
}

/// The key of a field in the answer, as it is written before the value.
pub(super) fn key(asked: &FieldContext<'_>) -> String {
    // Names need no escapes.
    format!("\"{}\":", asked.field.node.response_key().node)
}

/// The fields of a selection on an object of this type, out of fragments too, each key once, in the order of the answer
/// (`CollectFields`, specification of GraphQL, 6.3.2). What is skipped by a directive is not in it any more.
pub(super) fn selections<'a>(
    base: Base<'a>,
    object: &str,
    selection: &'a SelectionSet,
) -> Result<Vec<FieldContext<'a>>, Fallback> {
    let mut fields = Vec::new();
    collect(base, object, selection, &mut fields)?;
    Ok(fields)
}

fn collect<'a>(
    base: Base<'a>,
    object: &str,
    selection: &'a SelectionSet,
    fields: &mut Vec<FieldContext<'a>>,
) -> Result<(), Fallback> {
    for item in &selection.items {
        let inner = match &item.node {
            Selection::Field(field) => {
                add(base, field, fields)?;
                continue;
            }
            Selection::InlineFragment(fragment) => {
                let fragment = &fragment.node;
                let on = fragment.type_condition.as_ref();
                on.is_none_or(|on| base.applies(&on.node.on.node, object))
                    .then_some(&fragment.selection_set.node)
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                let fragment = &base.0.query_env.fragments.get(name).ok_or(Fallback)?.node;
                base.applies(&fragment.type_condition.node.on.node, object)
                    .then_some(&fragment.selection_set.node)
            }
        };
        if let Some(inner) = inner {
            collect(base, object, inner, fields)?;
        }
    }
    Ok(())
}

fn add<'a>(
    base: Base<'a>,
    field: &'a Positioned<Field>,
    fields: &mut Vec<FieldContext<'a>>,
) -> Result<(), Fallback> {
    let key = &field.node.response_key().node;
    let is_same = |other: &&FieldContext<'_>| other.field.node.response_key().node == *key;
    if let Some(same) = fields.iter().find(is_same) {
        // Parts of one object are put together by the executor; a value is the same value.
        let is_value = same.selection().items.is_empty();
        return if is_value { Ok(()) } else { Err(Fallback) };
    }
    if fields.len() == MAX_FIELDS || !field.node.directives.is_empty() {
        return Err(Fallback);
    }
    fields.push(FieldContext {
        base,
        field,
        context: base.context(field),
    });
    Ok(())
}

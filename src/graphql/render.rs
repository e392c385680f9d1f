//! Rows without detours: a field that needs no waiting is answered on the spot.
//!
//! The stock executor puts every field of every row into a future of its own on the heap and then waits for all of them.
//! Most fields of a row just hand over a value. Here such a field is asked once, in place, and only those that wait for the
//! database become futures (docs/decisions/0011).

use std::borrow::Cow;
use std::pin::pin;
use std::task::{self, Poll};

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::{
    ContextSelectionSet, Name, ObjectType, OutputType, Positioned, ServerResult, Value,
};
use futures_util::future::try_join_all;

/// More fields than this in one object are left to the stock executor: the look for repeated ones is made for few.
const MAX_FIELDS: usize = 64;

/// The objects of a list.
pub(super) struct Rows<T>(pub(super) Vec<Row<T>>);

impl<T> FromIterator<T> for Rows<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Self(rows.into_iter().map(Row).collect())
    }
}

impl<T: ObjectType> OutputType for Rows<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    /// Unlike the stock list, leaves the path of an error as it is: it ends at the field that failed.
    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let rows = self.0.iter().enumerate().map(async |(at, row)| {
            let context = context.with_index(at);
            row.resolve(&context, field).await
        });
        Ok(Value::List(try_join_all(rows).await?))
    }
}

/// An object that is one of many in a list.
pub(super) struct Row<T>(T);

impl<T> From<T> for Row<T> {
    fn from(object: T) -> Self {
        Self(object)
    }
}

impl<T: ObjectType> OutputType for Row<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let mut fields = Vec::new();
        if !collect(context, &T::type_name(), &context.item.node, &mut fields) {
            return self.0.resolve(context, field).await;
        }
        let mut object = IndexMap::with_capacity(fields.len());
        let mut waiting = Vec::new();
        for field in fields {
            let value = if let Some(value) = self.at_once(context, field) {
                value?
            } else {
                waiting.push(self.later(context, field));
                Value::Null
            };
            object.insert(field.node.response_key().node.clone(), value);
        }
        if !waiting.is_empty() {
            object.extend(try_join_all(waiting).await?);
        }
        Ok(Value::Object(object))
    }
}

impl<T: ObjectType> Row<T> {
    /// The value of a field that has neither arguments nor fields of its own, unless it has to wait.
    fn at_once(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> Option<ServerResult<Value>> {
        let Field {
            name,
            arguments,
            selection_set,
            ..
        } = &field.node;
        if !arguments.is_empty() || !selection_set.node.items.is_empty() {
            return None;
        }
        if name.node == "__typename" {
            return Some(Ok(Value::String(T::type_name().into_owned())));
        }
        let context = context.with_field(field);
        // In place: moved about, these futures cost more than what they do.
        let asked = pin!(self.0.resolve_field(&context));
        match asked.poll(&mut task::Context::from_waker(task::Waker::noop())) {
            Poll::Ready(value) => Some(value.map(Option::unwrap_or_default)),
            Poll::Pending => None,
        }
    }

    async fn later(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<(Name, Value)> {
        let value = self.0.resolve_field(&context.with_field(field)).await?;
        let name = field.node.response_key().node.clone();
        Ok((name, value.unwrap_or_default()))
    }
}

/// The fields of a selection on an object of this type, out of fragments too. False when it takes the stock executor to tell:
/// answers are to be merged, or a fragment is on another type.
fn collect<'a>(
    context: &ContextSelectionSet<'a>,
    noun: &str,
    selection: &'a SelectionSet,
    fields: &mut Vec<&'a Positioned<Field>>,
) -> bool {
    selection.items.iter().all(|item| match &item.node {
        Selection::Field(field) => {
            let key = &field.node.response_key().node;
            let same = fields
                .iter()
                .find(|other| &other.node.response_key().node == key);
            if let Some(same) = same {
                return same.node.selection_set.node.items.is_empty();
            }
            fields.push(field);
            fields.len() <= MAX_FIELDS
        }
        Selection::InlineFragment(fragment) => {
            let fragment = &fragment.node;
            let on = fragment.type_condition.as_ref();
            on.is_none_or(|on| on.node.on.node == noun)
                && collect(context, noun, &fragment.selection_set.node, fields)
        }
        Selection::FragmentSpread(spread) => {
            let fragments = &context.query_env.fragments;
            fragments
                .get(&spread.node.fragment_name.node)
                .is_some_and(|fragment| {
                    let fragment = &fragment.node;
                    fragment.type_condition.node.on.node == noun
                        && collect(context, noun, &fragment.selection_set.node, fields)
                })
        }
    })
}

//! What can be written at once: values, and the fields of objects that are nothing but values.

use async_graphql::resolver_utils::EnumType;
use async_graphql::{ID, ObjectType};

use super::Children;
use super::plan::{FieldContext, Selected, Step, plan};
use crate::clock::Timestamp;
use crate::decimal::Decimal;
use crate::entity::audit_entry::AuditAction;
use crate::entity::deletion::DeletionMode;
use crate::entity::platform::Platform;
use crate::entity::role::MessageRole;
use crate::graphql::deletion::DeletionStatus;
use crate::graphql::json::Json;
use crate::graphql::scalar::{self, JsonObject};
use crate::read::filter::SessionStatus;

/// Something cannot be written at once, or went wrong: the executor is to resolve it, and to tell what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graphql) struct Fallback;

/// A value that can be written at once.
pub(in crate::graphql) trait Plain {
    /// Whether all that is asked of such values can be.
    fn is_plain(_asked: &FieldContext<'_>) -> bool {
        true
    }

    /// Writes it.
    fn write(&self, asked: &FieldContext<'_>, json: &mut Json) -> Result<(), Fallback>;
}

/// An object of which some fields can be written at once.
pub(in crate::graphql) trait FastFields: ObjectType {
    /// The field of this name, if it is one of these.
    fn fast_field(name: &str) -> Option<FastField<Self>>;
}

/// Writes a field of an object.
pub(in crate::graphql) type Write<T> = fn(&T, &FieldContext<'_>, &mut Json) -> Result<(), Fallback>;
/// The list of an object.
pub(in crate::graphql) type Of<T> =
    fn(&T, &FieldContext<'_>) -> Result<Box<dyn Children>, Fallback>;

/// A field that needs no waiting.
pub(in crate::graphql) enum FastField<T: ?Sized> {
    /// A value.
    Value {
        /// Whether all that is asked of it can be written at once.
        is_plain: fn(&FieldContext<'_>) -> bool,
        /// Writes it.
        write: Write<T>,
    },
    /// A list that belongs to the object.
    Children {
        /// Whether all that is asked of it can be read for many objects together and then be written at once.
        is_plain: fn(&FieldContext<'_>) -> bool,
        /// The list of one object.
        of: Of<T>,
    },
}

/// Writes an object.
pub(super) fn object<T: FastFields>(
    object: &T,
    fields: &[Selected<'_, T>],
    json: &mut Json,
) -> Result<(), Fallback> {
    let mut written = Ok(());
    json.object(fields, |json, field| {
        json.raw(field.key.as_bytes());
        let done = match &field.step {
            Step::Typename => {
                json.plain(&T::type_name());
                Ok(())
            }
            Step::Value(write) => write(object, &field.asked, json),
            Step::Children(_) | Step::Waiting => Err(Fallback),
        };
        written = written.and(done);
    });
    written
}

impl<T: FastFields> Plain for T {
    fn is_plain(asked: &FieldContext<'_>) -> bool {
        let fields = plan::<T>(asked.base, asked.selection());
        let is_value =
            |field: &Selected<'_, T>| matches!(field.step, Step::Typename | Step::Value(_));
        fields.is_ok_and(|fields| fields.iter().all(is_value))
    }

    fn write(&self, asked: &FieldContext<'_>, json: &mut Json) -> Result<(), Fallback> {
        object(self, &plan(asked.base, asked.selection())?, json)
    }
}

impl<T: Plain> Plain for Option<T> {
    fn is_plain(asked: &FieldContext<'_>) -> bool {
        T::is_plain(asked)
    }

    fn write(&self, asked: &FieldContext<'_>, json: &mut Json) -> Result<(), Fallback> {
        if let Some(value) = self {
            value.write(asked, json)
        } else {
            json.raw(b"null");
            Ok(())
        }
    }
}

impl<T: Plain, E> Plain for Result<T, E> {
    fn is_plain(asked: &FieldContext<'_>) -> bool {
        T::is_plain(asked)
    }

    fn write(&self, asked: &FieldContext<'_>, json: &mut Json) -> Result<(), Fallback> {
        self.as_ref().map_err(|_| Fallback)?.write(asked, json)
    }
}

impl<T: Plain> Plain for Vec<T> {
    fn is_plain(asked: &FieldContext<'_>) -> bool {
        T::is_plain(asked)
    }

    fn write(&self, asked: &FieldContext<'_>, json: &mut Json) -> Result<(), Fallback> {
        let mut written = Ok(());
        json.list(self, |json, value| {
            written = written.and_then(|()| value.write(asked, json));
        });
        written
    }
}

/// Values that are written as their type says, whatever is asked.
macro_rules! plain {
    ($($value:ty: $write:expr,)*) => {
        $(impl Plain for $value {
            fn write(&self, _: &FieldContext<'_>, json: &mut Json) -> Result<(), Fallback> {
                let write: fn(&Self, &mut Json) = $write;
                write(self, json);
                Ok(())
            }
        })*
    };
}

plain! {
    bool: |value, json| json.write(value),
    i64: |value, json| json.write(value),
    f64: |value, json| json.write(value),
    &str: |value, json| json.write(value),
    String: |value, json| json.write(value),
    // Ids of the graph: a word and base32.
    ID: |value, json| json.plain(value),
    Timestamp: |value, json| json.time(*value),
    Decimal: |value, json| json.plain(&value.to_string()),
    scalar::Json: |value, json| json.write(&value.0),
    JsonObject: |value, json| json.write(&value.0),
    AuditAction: |value, json| name(value, json),
    DeletionMode: |value, json| name(value, json),
    DeletionStatus: |value, json| name(value, json),
    MessageRole: |value, json| name(value, json),
    Platform: |value, json| name(value, json),
    SessionStatus: |value, json| name(value, json),
}

/// The name of a value of an enum.
fn name<T: EnumType + Copy>(value: &T, json: &mut Json) {
    let item = T::items().iter().find(|item| item.value == *value);
    json.plain(item.map_or("", |item| item.name));
}

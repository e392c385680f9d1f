//! Values on their way to PostgreSQL: each is sent as the type that SeaORM would send it as.

use std::error::Error;
use std::fmt;

use bytes::BytesMut;
use sea_orm::sea_query::ArrayType;
use sea_orm::{DbErr, Value};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A value as a parameter of a statement.
pub(super) struct Parameter<'a>(pub(super) &'a Value);

/// The types that a statement is prepared with for these values.
pub(super) fn types(values: &[Value]) -> Result<Vec<Type>, DbErr> {
    values.iter().map(type_of).collect()
}

/// Whether a statement that was prepared with these types takes these values.
pub(super) fn fits(types: &[Type], values: &[Value]) -> bool {
    types.len() == values.len()
        && values
            .iter()
            .zip(types)
            .all(|(value, wanted)| type_of(value).is_ok_and(|is| is == *wanted))
}

fn type_of(value: &Value) -> Result<Type, DbErr> {
    Ok(match value {
        Value::Bool(_) => Type::BOOL,
        Value::TinyInt(_) | Value::SmallInt(_) | Value::TinyUnsigned(_) => Type::INT2,
        Value::Int(_) | Value::SmallUnsigned(_) => Type::INT4,
        Value::BigInt(_) | Value::Unsigned(_) | Value::BigUnsigned(_) => Type::INT8,
        Value::Float(_) => Type::FLOAT4,
        Value::Double(_) => Type::FLOAT8,
        Value::String(_) | Value::Char(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
        Value::Uuid(_) => Type::UUID,
        Value::Array(ArrayType::BigInt, _) => Type::INT8_ARRAY,
        Value::Array(ArrayType::String, _) => Type::TEXT_ARRAY,
        Value::Array(ArrayType::Uuid, _) => Type::UUID_ARRAY,
        other => {
            let kind = other.array_type();
            return Err(DbErr::Type(format!(
                "a value of the type {kind:?} is not sent to PostgreSQL"
            )));
        }
    })
}

impl ToSql for Parameter<'_> {
    fn to_sql(
        &self,
        is: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            Value::Bool(value) => value.to_sql(is, out),
            Value::TinyInt(value) => value.map(i16::from).to_sql(is, out),
            Value::SmallInt(value) => value.to_sql(is, out),
            Value::Int(value) => value.to_sql(is, out),
            Value::BigInt(value) => value.to_sql(is, out),
            Value::TinyUnsigned(value) => value.map(i16::from).to_sql(is, out),
            Value::SmallUnsigned(value) => value.map(i32::from).to_sql(is, out),
            Value::Unsigned(value) => value.map(i64::from).to_sql(is, out),
            Value::BigUnsigned(value) => value.map(i64::try_from).transpose()?.to_sql(is, out),
            Value::Float(value) => value.to_sql(is, out),
            Value::Double(value) => value.to_sql(is, out),
            Value::String(value) => value.to_sql(is, out),
            Value::Char(value) => value.map(String::from).to_sql(is, out),
            Value::Bytes(value) => value.to_sql(is, out),
            Value::Uuid(value) => value.to_sql(is, out),
            Value::Array(_, None) => Ok(IsNull::Yes),
            Value::Array(_, Some(values)) => {
                let values: Vec<_> = values.iter().map(Parameter).collect();
                values.as_slice().to_sql(is, out)
            }
            other => Err(type_of(other).err().map_or_else(
                || "a value that is not sent".into(),
                |error| error.to_string().into(),
            )),
        }
    }

    /// Statements are prepared with the types of their values, and looked at again when these come: [`fits`].
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The driver tells its log what it sends; what is sent may be personal.
impl fmt::Debug for Parameter<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

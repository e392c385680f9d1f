//! Scalars of the graph that the specification does not have.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

use crate::clock::Timestamp;
use crate::decimal::Decimal;

/// An instant: RFC 3339 in UTC, such as `2026-01-31T09:30:00Z`, with a fraction of up to six digits where there is one.
/// On input any offset is accepted.
#[Scalar(
    name = "DateTime",
    specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html"
)]
impl ScalarType for Timestamp {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Self::parse(text).map_err(InputValueError::custom),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(text) if Self::parse(text).is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_rfc3339())
    }
}

/// A decimal number, exact: a text of digits with up to six after the point, such as `"12.5"`. On input a number is as good
/// as a text, up to 15 digits.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Self::parse(text).map_err(InputValueError::custom),
            Value::Number(number) => Self::try_from(number).map_err(InputValueError::custom),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

/// Any value, as JSON has it.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Json(pub(super) serde_json::Value);

/// Any value, as JSON has it.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

/// A JSON object, as an object of the answer.
#[derive(Debug)]
pub(super) struct JsonObject(pub(super) serde_json::Map<String, serde_json::Value>);

/// A JSON object with any keys.
#[Scalar(name = "JSONObject")]
impl ScalarType for JsonObject {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value.into_json() {
            Ok(serde_json::Value::Object(object)) => Ok(Self(object)),
            _ => Err(InputValueError::custom("is a JSON object")),
        }
    }

    fn to_value(&self) -> Value {
        Value::from_json(serde_json::Value::Object(self.0.clone())).unwrap_or_default()
    }
}

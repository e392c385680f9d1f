//! JSON whose names are unique. Of two values under one name every reader takes another, and a token must not say different
//! things to different readers.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// An object without duplicates, at any depth.
#[derive(Clone, Debug)]
pub(super) struct Object(pub(super) Map<String, Value>);

/// A value without duplicates.
struct Unique(Value);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Unique::deserialize(deserializer)?.0 {
            Value::Object(object) => Ok(Self(object)),
            _ => Err(D::Error::custom("not an object")),
        }
    }
}

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading).map(Self)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = entries.next_entry::<String, _>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "`{name}` stands there twice"
                )));
            }
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn a_name_stands_once() {
        let read = |text: &str| serde_json::from_str::<Object>(text).map(|object| object.0);
        let kept = read(r#"{"a": [1, -2, 0.5, null, true, "b"], "c": {"a": {}}}"#).unwrap();
        assert_eq!(kept["c"]["a"], serde_json::json!({}));
        for twice in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": [{"b": 1, "b": 2}]}"#,
            r#"{"a": 1, "\u0061": 2}"#,
        ] {
            assert!(read(twice).is_err(), "{twice}");
        }
        assert!(read("[]").is_err());
        assert!(read(&("{\"a\":".repeat(10_000) + "1")).is_err());
    }
}

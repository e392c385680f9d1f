//! JSON on its way to the client: text that grows, and is never looked at again.

use async_graphql::Value;
use bytes::Bytes;
use serde::Serialize;

use crate::clock::Timestamp;

/// JSON text, written from its start to its end.
#[derive(Debug, Default)]
pub struct Json(Vec<u8>);

impl Json {
    /// Text for which there is room before it grows, in bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// JSON text as a value of an answer. The graph has no other binary values.
    pub(super) fn into_value(self) -> Value {
        Value::Binary(Bytes::from(self.0))
    }

    /// The bytes of the text.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The text.
    pub fn into_text(self) -> String {
        String::from_utf8(self.0).unwrap_or_default()
    }

    /// Anything that is written as its own type says.
    pub fn write(&mut self, value: &(impl Serialize + ?Sized)) {
        // Nothing that is written here can fail: the text is in memory, and no key is anything but a text.
        serde_json::to_writer(&mut self.0, value).ok();
    }

    /// A text of which no character needs an escape.
    pub fn plain(&mut self, text: &str) {
        self.raw(b"\"");
        self.raw(text.as_bytes());
        self.raw(b"\"");
    }

    /// A time.
    pub fn time(&mut self, time: Timestamp) {
        self.raw(b"\"");
        time.write_rfc3339(&mut self.0);
        self.raw(b"\"");
    }

    /// Text that is JSON already.
    pub fn raw(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
    }

    /// A value of an answer.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Binary(text) => self.raw(text),
            Value::List(list) => self.list(list, Self::value),
            Value::Object(object) => self.object(object, |json, (key, value)| {
                json.write(key.as_str());
                json.raw(b":");
                json.value(value);
            }),
            other => self.write(other),
        }
    }

    /// A list of what `each` writes.
    pub fn list<T>(&mut self, items: impl IntoIterator<Item = T>, each: impl FnMut(&mut Self, T)) {
        self.within([b'[', b']'], items, each);
    }

    /// An object of what `each` writes: a key, a colon and a value.
    pub fn object<T>(
        &mut self,
        fields: impl IntoIterator<Item = T>,
        each: impl FnMut(&mut Self, T),
    ) {
        self.within([b'{', b'}'], fields, each);
    }

    fn within<T>(
        &mut self,
        [start, end]: [u8; 2],
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.0.push(start);
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.0.push(b',');
            }
            each(self, item);
        }
        self.0.push(end);
    }
}

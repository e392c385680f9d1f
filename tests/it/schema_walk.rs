//! Questions for everything that there is, made from the schema itself: a field that is added is asked for from then on.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::harness::World;

/// How often a type may be on the way to a field.
const REPEATS: usize = 2;
/// How many nouns may be on the way to a field.
const NOUNS: usize = 3;
/// Rows of a page.
const PAGE: usize = 3;

const SCHEMA: &str = "{ __schema { queryType { name } mutationType { name } types { name kind possibleTypes { name } enumValues { name }
    fields { name args { ...input } type { ...type } } inputFields { ...input } } } }
    fragment input on __InputValue { name defaultValue type { ...type } }
    fragment type on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// The schema.
pub(crate) struct Schema {
    types: BTreeMap<String, Value>,
}

/// Values for arguments, by the name of the root field and of the argument. Whatever is not named and has to be given, gets a
/// value of its type.
pub(crate) type Given = BTreeMap<(&'static str, &'static str), Value>;

/// A question for all that a root field can tell.
pub(crate) struct Question {
    pub(crate) field: String,
    pub(crate) query: String,
    pub(crate) variables: Value,
}

impl Schema {
    pub(crate) async fn of(world: &World) -> Self {
        let mut data = world.ask(SCHEMA, Value::Null).await;
        let types = data["__schema"]["types"].take();
        let named = |one: &Value| (one["name"].as_str().unwrap().to_owned(), one.clone());
        Self {
            types: types.as_array().unwrap().iter().map(named).collect(),
        }
    }

    /// The names of the fields of a type.
    pub(crate) fn fields(&self, name: &str) -> Vec<String> {
        let part = if self.types[name]["fields"].is_array() {
            "fields"
        } else {
            "inputFields"
        };
        let fields = self.types[name][part].as_array().unwrap();
        let name = |field: &Value| field["name"].as_str().unwrap().to_owned();
        fields.iter().map(name).collect()
    }

    /// A question for each field of `Query`, or of `Mutation`, with all that it leads to.
    pub(crate) fn questions(&self, root: &str, given: &Given) -> Vec<Question> {
        let fields = self.types[root]["fields"].as_array().unwrap();
        fields
            .iter()
            .map(|field| self.question(root, field, given))
            .collect()
    }

    fn question(&self, root: &str, field: &Value, given: &Given) -> Question {
        let name = field["name"].as_str().unwrap();
        let (mut declared, mut passed) = (Vec::new(), Vec::new());
        let mut variables = Map::new();
        for argument in field["args"].as_array().unwrap() {
            let key = argument["name"].as_str().unwrap();
            let found = given
                .iter()
                .find(|((field, argument), _)| (*field, *argument) == (name, key));
            let value = match found {
                Some((_, value)) => value.clone(),
                None if is_required(argument) => self.value(&argument["type"]),
                None => continue,
            };
            declared.push(format!("${key}: {}", spelled(&argument["type"])));
            passed.push(format!("{key}: ${key}"));
            variables.insert(key.to_owned(), value);
        }
        let word = if root == "Query" { "query" } else { "mutation" };
        let inside = self.selection(named(&field["type"]), &mut Vec::new());
        Question {
            field: name.to_owned(),
            query: format!(
                "{word} {} {{ {name}{}{inside} }}",
                bracketed(&declared),
                bracketed(&passed)
            ),
            variables: variables.into(),
        }
    }

    /// All fields of a type, each with all of its own; nothing for a value without fields.
    fn selection(&self, name: &str, way: &mut Vec<String>) -> String {
        let kind = &self.types[name];
        if kind["kind"] == "INTERFACE" || kind["kind"] == "UNION" {
            let possible = kind["possibleTypes"].as_array().unwrap().iter();
            let parts = possible.map(|one| {
                let name = one["name"].as_str().unwrap();
                format!("... on {name}{}", self.selection(name, way))
            });
            let parts: Vec<_> = parts.collect();
            return format!(" {{ __typename {} }}", parts.join(" "));
        }
        let Some(fields) = kind["fields"].as_array() else {
            return String::new();
        };
        way.push(name.to_owned());
        let nouns = way.iter().filter(|one| self.is_noun(one)).count();
        let mut chosen = vec!["__typename".to_owned()];
        for field in fields {
            let inner = named(&field["type"]);
            let is_object = self.types[inner]["fields"].is_array();
            let repeats = way.iter().filter(|one| *one == inner).count();
            let leads_on = self.is_noun(inner) || inner.ends_with("Connection");
            if is_object && (repeats >= REPEATS || (leads_on && nouns >= NOUNS)) {
                continue;
            }
            let arguments = field["args"].as_array().unwrap();
            let mut passed: Vec<String> = arguments
                .iter()
                .filter(|argument| is_required(argument))
                .map(|argument| {
                    let value = self.value(&argument["type"]);
                    format!("{}: {value}", argument["name"].as_str().unwrap())
                })
                .collect();
            if arguments.iter().any(|argument| argument["name"] == "first") {
                passed.push(format!("first: {PAGE}"));
            }
            let passed = bracketed(&passed);
            let name = field["name"].as_str().unwrap();
            // The types of an interface may have fields of the same name and of other types.
            let alias = match &way[..] {
                [noun] => format!("{noun}_{name}: "),
                _ => String::new(),
            };
            chosen.push(format!(
                "{alias}{name}{passed}{}",
                self.selection(inner, way)
            ));
        }
        way.pop();
        format!(" {{ {} }}", chosen.join(" "))
    }

    /// Whether a type has an id.
    fn is_noun(&self, name: &str) -> bool {
        let fields = self.types[name]["fields"].as_array();
        fields.is_some_and(|fields| fields.iter().any(|field| field["name"] == "id"))
    }

    /// Some value of a type.
    fn value(&self, kind: &Value) -> Value {
        match kind["kind"].as_str().unwrap() {
            "NON_NULL" => self.value(&kind["ofType"]),
            "LIST" => json!([self.value(&kind["ofType"])]),
            "ENUM" => {
                let name = kind["name"].as_str().unwrap();
                self.types[name]["enumValues"][0]["name"].clone()
            }
            "INPUT_OBJECT" => {
                let name = kind["name"].as_str().unwrap();
                let fields = self.types[name]["inputFields"].as_array().unwrap();
                let required = fields.iter().filter(|field| is_required(field));
                required
                    .map(|field| {
                        let name = field["name"].as_str().unwrap().to_owned();
                        (name, self.value(&field["type"]))
                    })
                    .collect::<Map<_, _>>()
                    .into()
            }
            _ => match kind["name"].as_str().unwrap() {
                "Int" => json!(1),
                "Float" => json!(0.5),
                "Boolean" => json!(true),
                "DateTime" => json!("2030-01-01T00:00:00Z"),
                "JSONObject" => json!({}),
                _ => json!("some"),
            },
        }
    }
}

/// Arguments, if there are any.
fn bracketed(parts: &[String]) -> String {
    if parts.is_empty() {
        String::new()
    } else {
        format!("({})", parts.join(", "))
    }
}

/// Whether a value has to be given.
fn is_required(input: &Value) -> bool {
    input["type"]["kind"] == "NON_NULL" && input["defaultValue"].is_null()
}

/// The name of a type without its wrappings.
fn named(kind: &Value) -> &str {
    match kind["name"].as_str() {
        Some(name) => name,
        None => named(&kind["ofType"]),
    }
}

/// A type as a document spells it.
fn spelled(kind: &Value) -> String {
    match kind["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", spelled(&kind["ofType"])),
        "LIST" => format!("[{}]", spelled(&kind["ofType"])),
        _ => named(kind).to_owned(),
    }
}

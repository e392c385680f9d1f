//! A field's value does not depend on which fields stand beside it: a query that reads the columns of one field alone
//! gives what a query for all fields gives.

use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};

/// A way to a list, and the type of its nodes; `%` stands for the fields of a node.
const LISTS: [(&str, &str); 6] = [
    ("agents { nodes { % } }", "Agent"),
    (
        "chatUsers(first: 100) { edges { node { % } } nodes { id } }",
        "ChatUser",
    ),
    (
        "chatUsers(search: \"a\") { nodes { ...node } } } fragment node on ChatUser { %",
        "ChatUser",
    ),
    (
        "sessions { edges { cursor node { id } } nodes { % } }",
        "Session",
    ),
    (
        "agents { nodes { chatUsers { nodes { sessions { nodes { % } } } } } }",
        "Session",
    ),
    (
        "agents { nodes { chatUsers { nodes { messages { nodes { % } } } } } }",
        "Message",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_the_same_alone_and_in_company() {
    everywhere(Start::Audience, async |world| {
        for (list, noun) in LISTS {
            let fields = fields(world, noun).await;
            assert!(fields.len() > 5, "{noun}: {fields:?}");
            let all = format!("{{ {} }}", list.replace('%', &fields.join(" ")));
            let all = world.ask(&all, json!({})).await;
            let first = fields.iter().find(|field| field.starts_with("id")).unwrap();
            assert!(holds(&all, first), "{list} finds no {noun}: {all:#}");
            for field in &fields {
                let alone = format!("{{ {} }}", list.replace('%', field));
                let alone = world.ask(&alone, json!({})).await;
                assert!(is_part(&alone, &all), "{noun}.{field} in {list}: {alone:#}");
            }
        }
    })
    .await;
}

/// All fields of a type that need no argument, each with as much of a selection as it needs.
async fn fields(world: &World, noun: &str) -> Vec<String> {
    let query = "query($noun: String!) { __type(name: $noun) { fields { name type { kind ofType { kind fields { name } ofType { kind } } fields { name } } } } }";
    let answer = world.ask(query, json!({ "noun": noun })).await;
    let fields = answer["__type"]["fields"].as_array().unwrap();
    fields
        .iter()
        .map(|field| {
            let name = field["name"].as_str().unwrap();
            let inner = [&field["type"], &field["type"]["ofType"]]
                .into_iter()
                .find_map(|kind| kind["fields"].as_array());
            let has = |wanted: &str| {
                inner.is_some_and(|fields| fields.iter().any(|field| field["name"] == wanted))
            };
            match inner {
                None if name == "attachments" => format!("{name} {{ kind url }}"),
                None if name == "subscriptions" => format!("{name} {{ tag }}"),
                None => name.to_owned(),
                Some(_) if has("totalCount") => format!("{name} {{ totalCount nodes {{ id }} }}"),
                Some(_) if has("id") => format!("{name} {{ id }}"),
                Some(_) => format!("{name} {{ __typename }}"),
            }
        })
        .collect()
}

/// Whether an object with this field is somewhere in an answer.
fn holds(answer: &Value, field: &str) -> bool {
    match answer {
        Value::Object(fields) => {
            fields.contains_key(field) || fields.values().any(|value| holds(value, field))
        }
        Value::Array(values) => values.iter().any(|value| holds(value, field)),
        _ => false,
    }
}

/// Whether everything in `part` is in `whole`, at its place.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, part)| whole.get(key).is_some_and(|whole| is_part(part, whole))),
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len()
                && part
                    .iter()
                    .zip(whole)
                    .all(|(part, whole)| is_part(part, whole))
        }
        (part, whole) => part == whole,
    }
}

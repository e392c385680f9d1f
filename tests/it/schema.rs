//! The public contract: committed, fresh, described.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Kind, Start, World};

#[test]
fn committed_schema_is_fresh() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let actual = parlour::graphql::Graph::default().sdl();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &actual).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == actual,
        "schema.graphql is stale: run UPDATE=1 cargo test committed_schema, then read the diff"
    );
}

#[tokio::test]
async fn everything_is_described() {
    let world = World::new(Kind::Sqlite, Start::Empty).await;
    let query = "{ __schema { types { name kind description
        fields(includeDeprecated: true) { name description args { name description } }
        inputFields { name description } enumValues(includeDeprecated: true) { name description } } } }";
    let data = world.ask(query, json!({})).await;
    let mut missing = Vec::new();
    for kind in data["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        let built_in = matches!(name, "ID" | "String" | "Int" | "Float" | "Boolean");
        if built_in || name.starts_with("__") {
            continue;
        }
        lacks(&mut missing, name, kind);
        for part in ["fields", "inputFields", "enumValues"] {
            for member in kind[part].as_array().into_iter().flatten() {
                let path = format!("{name}.{}", member["name"].as_str().unwrap());
                lacks(&mut missing, &path, member);
                for argument in member["args"].as_array().into_iter().flatten() {
                    lacks(
                        &mut missing,
                        &format!("{path}({})", argument["name"].as_str().unwrap()),
                        argument,
                    );
                }
            }
        }
    }
    assert!(missing.is_empty(), "not described: {}", missing.join(", "));
    world.end().await;
}

fn lacks(missing: &mut Vec<String>, path: &str, element: &Value) {
    if element["description"]
        .as_str()
        .unwrap_or_default()
        .is_empty()
    {
        missing.push(path.to_owned());
    }
}

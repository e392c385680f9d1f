//! The queries that GraphiQL starts with are answered, and find something.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Start, everywhere};

#[tokio::test(flavor = "multi_thread")]
async fn starter_queries_find_rows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/src/starters");
    let queries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(queries.len() >= 5);
    everywhere(Start::Audience, async |world| {
        for query in &queries {
            let answer = world.ask(query, json!({})).await;
            for (field, value) in answer.as_object().unwrap() {
                assert!(has_rows(value), "{field} is empty: {query}\n{answer:#}");
            }
        }
    })
    .await;
}

/// Whether a value of a root field is something: an object, or a list with a row.
fn has_rows(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(rows) => !rows.is_empty(),
        Value::Object(fields) => ["nodes", "edges"]
            .into_iter()
            .filter_map(|list| fields.get(list))
            .all(has_rows),
        _ => true,
    }
}

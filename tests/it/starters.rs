//! The queries that GraphiQL starts with are answered.

use std::path::Path;

use serde_json::json;

use crate::harness::{Start, everywhere};

#[tokio::test(flavor = "multi_thread")]
async fn starter_queries_are_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/src/starters");
    let queries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(queries.len() >= 5);
    everywhere(Start::Audience, async |world| {
        for query in &queries {
            world.ask(query, json!({})).await;
        }
    })
    .await;
}

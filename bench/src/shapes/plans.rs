//! How the databases run Parlour's statements: their text with what EXPLAIN says.

use std::fmt::Write;

use parlour::db::query_stats::QueryStats;

use crate::Result;
use crate::store::{Kind, Store};

/// The statements of one request, as Markdown.
pub(crate) async fn explain(store: &Store, tally: &QueryStats) -> Result<String> {
    let column = match store.kind {
        Kind::Sqlite => "detail",
        Kind::Postgres => "QUERY PLAN",
    };
    let mut text = String::new();
    for statement in tally.statements() {
        let reader = &store.database.reader;
        let rows = reader.rows(reader.dialect().explain(&statement)).await?;
        write!(text, "```sql\n{}\n```\n\n```text\n", statement.sql)?;
        for row in rows {
            let line: String = row
                .try_get("", column)
                .map_err(|error| format!("{error:?}"))?;
            writeln!(text, "{line}")?;
        }
        text.push_str("```\n\n");
    }
    Ok(text)
}

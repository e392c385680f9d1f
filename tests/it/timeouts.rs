//! A statement that takes too long ends, in the database itself, and its connection goes on.

use std::time::{Duration, Instant};

use parlour::db::{Database, DatabaseOptions};

use crate::harness::{Start, everywhere};

const LIMIT: Duration = Duration::from_millis(200);
/// Counts for minutes, and has no row before it is through.
const ENDLESS: &str = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000) SELECT count(*) AS count FROM n";

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_ends_at_its_timeout() {
    everywhere(Start::Empty, async |world| {
        let options = DatabaseOptions {
            readers: 1,
            statement_timeout: LIMIT,
            ..DatabaseOptions::new(&world.url)
        };
        let database = Database::open(&options).await.unwrap();
        let planned = database.reader.custom_plan();
        let dialect = planned.dialect();
        for _ in 0..2 {
            let start = Instant::now();
            let error = planned.rows(dialect.raw(ENDLESS, [])).await.unwrap_err();
            assert_eq!(error.code(), "TIMEOUT", "{error:?}");
            // Far from the minutes that it would take; how far beyond the limit is the machine's affair.
            assert!(start.elapsed() > LIMIT && start.elapsed() < LIMIT * 100);
            // The time of the next statement starts anew, on the same connection.
            tokio::time::sleep(LIMIT).await;
            let rows = planned.rows(dialect.raw("SELECT 1 AS one", [])).await;
            assert_eq!(rows.unwrap().len(), 1);
        }
        database.close().await.unwrap();
    })
    .await;
}

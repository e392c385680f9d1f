//! The connections that read `SQLite`: what they hand over is what is stored, they are shared fairly, and they cannot write.

use std::ops::RangeBounds;
use std::time::{Duration, Instant};

use parlour::db::{Database, DatabaseOptions, Reader, Row};
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{Kind, Start, World};

/// Far more than anything here takes, and far less than [`count`] to a thousand million.
const SOON: Duration = Duration::from_secs(20);
const ENDLESS: u64 = 1_000_000_000;

/// Takes a time that grows with `last`, and has no row before it is through.
fn count(reader: &Reader, last: u64) -> Statement {
    let sql = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < $1) SELECT count(*) AS count FROM n";
    reader.dialect().raw(sql, [last.into()])
}

async fn world() -> World {
    World::new(Kind::Sqlite, Start::Empty).await
}

/// The world's database once more, with so many connections.
async fn open(world: &World, readers: u32) -> Database {
    let options = DatabaseOptions {
        readers,
        acquire_timeout: Duration::from_millis(100),
        ..DatabaseOptions::new(&world.url)
    };
    Database::open(&options).await.unwrap()
}

fn open_and_idle(database: &Database, pool: &str) -> (u32, usize) {
    let pools = database.connections();
    let found = pools.iter().find(|(name, ..)| *name == pool);
    found.map(|&(_, open, idle)| (open, idle)).unwrap()
}

/// Waits until there are so many connections in use for statements that may run long.
async fn in_use(database: &Database, range: impl RangeBounds<usize>) {
    let waiting = async {
        loop {
            let (open, idle) = open_and_idle(database, "searchers");
            if range.contains(&(open as usize - idle)) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, waiting).await.unwrap();
}

fn shown(row: &Row) -> Result<(String, String), DbErr> {
    Ok((row.try_get("", "kind")?, row.try_get("", "bytes")?))
}

#[tokio::test]
async fn values_are_bound_as_sea_orm_binds_them() {
    let world = world().await;
    let other = world.by_sea_orm().await;
    let id = Uuid::from_u128(7);
    let values: Vec<Value> = vec![
        Value::BigInt(None),
        Value::String(None),
        Value::Uuid(None),
        i64::MIN.into(),
        i64::MAX.into(),
        u64::from(u32::MAX).into(),
        (-1_i32).into(),
        true.into(),
        false.into(),
        0.1_f64.into(),
        f64::MAX.into(),
        "".into(),
        "with \0 in it, ünïcödé, 🦀".into(),
        'x'.into(),
        Value::Bytes(Some(Vec::new())),
        Value::Bytes(Some(vec![0, 255])),
        id.into(),
    ];
    for value in values {
        let sql = "SELECT typeof($1) AS kind, hex($1) AS bytes";
        let statement = world.database.reader.dialect().raw(sql, [value.clone()]);
        let rows = world.database.reader.rows(statement.clone()).await.unwrap();
        let read: Vec<_> = rows.iter().map(|row| shown(row).unwrap()).collect();
        let row = other.query_one_raw(statement).await.unwrap().unwrap();
        let there = |name| row.try_get::<String>("", name).unwrap();
        assert_eq!(read, [(there("kind"), there("bytes"))], "{value:?}");
    }
    other.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn values_come_back_as_they_went() {
    let world = world().await;
    let reader = &world.database.reader;
    let id = Uuid::from_u128(u128::MAX - 1);
    let text = "with \0 in it, ünïcödé, 🦀";
    let values = [
        Value::String(None),
        i64::MIN.into(),
        i64::MAX.into(),
        "".into(),
        text.into(),
        id.into(),
        0.1_f64.into(),
        Value::Bytes(Some(vec![0, 255])),
        true.into(),
    ];
    let sql = "SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d, $5 AS e, $6 AS f, $7 AS g, $8 AS h, $9 AS i UNION ALL \
               SELECT $6, 1, 2, 'x', 'y', $6, 1.5, x'', 0";
    let rows = reader
        .rows(reader.dialect().raw(sql, values))
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    let row = &rows[0];
    assert_eq!(row.try_get::<Option<String>>("", "a").unwrap(), None);
    assert_eq!(row.try_get::<Option<Uuid>>("", "a").unwrap(), None);
    assert_eq!(row.try_get::<Option<i64>>("", "a").unwrap(), None);
    assert_eq!(row.try_get::<i64>("", "b").unwrap(), i64::MIN);
    assert_eq!(
        row.try_get_by_index::<Option<i64>>(2).unwrap(),
        Some(i64::MAX)
    );
    assert_eq!(row.try_get::<String>("", "d").unwrap(), "");
    assert_eq!(
        row.try_get::<Option<String>>("", "e").unwrap().unwrap(),
        text
    );
    assert_eq!(row.try_get::<Uuid>("", "f").unwrap(), id);
    assert_eq!(
        row.try_get::<f64>("", "g").unwrap().to_bits(),
        0.1_f64.to_bits()
    );
    assert_eq!(row.try_get::<Vec<u8>>("", "h").unwrap(), [0, 255]);
    assert!(row.try_get::<bool>("", "i").unwrap());
    assert_eq!(rows[1].try_get::<Uuid>("", "a").unwrap(), id);
    assert_eq!(rows[1].try_get::<Vec<u8>>("", "h").unwrap(), [0_u8; 0]);

    // What is not there or of another kind is an error, never a guess.
    for error in [
        row.try_get::<i64>("", "a").unwrap_err(),
        row.try_get::<i64>("", "nobody").unwrap_err(),
        row.try_get_by_index::<i64>(9).unwrap_err(),
        row.try_get::<String>("", "b").unwrap_err(),
        row.try_get::<i32>("", "b").unwrap_err(),
        row.try_get::<Uuid>("", "h").unwrap_err(),
        row.try_get::<parlour::entity::platform::Platform>("", "e")
            .unwrap_err(),
    ] {
        assert!(matches!(error, DbErr::Type(_)), "{error:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn parameters_are_found_by_number_or_in_order() {
    let world = world().await;
    let reader = &world.database.reader;
    for (sql, expected) in [
        ("SELECT $2 || $1 || $2 AS text", "bab"),
        ("SELECT ?2 || ?1 AS text", "ba"),
        ("SELECT ? || ? AS text", "ab"),
        ("SELECT ? AS text", "a"),
    ] {
        let statement = reader.dialect().raw(sql, ["a".into(), "b".into()]);
        let rows = reader.rows(statement).await.unwrap();
        assert_eq!(
            rows[0].try_get::<String>("", "text").unwrap(),
            expected,
            "{sql}"
        );
    }
    let missing = reader.dialect().raw("SELECT $3 AS text", ["a".into()]);
    assert_eq!(
        reader.rows(missing).await.unwrap_err().code(),
        "INTERNAL_SERVER_ERROR"
    );
    world.end().await;
}

#[tokio::test]
async fn nothing_is_written_by_who_reads() {
    let world = world().await;
    let reader = &world.database.reader;
    for reader in [reader.clone(), reader.custom_plan()] {
        for sql in [
            "CREATE TABLE t (x)",
            "DELETE FROM agents",
            "PRAGMA user_version = 7",
        ] {
            let error = reader
                .rows(reader.dialect().raw(sql, []))
                .await
                .unwrap_err();
            assert!(
                format!("{error:?}").contains("readonly"),
                "{sql}: {error:?}"
            );
        }
        let rows = reader
            .rows(reader.dialect().raw("SELECT 1 AS one", []))
            .await;
        assert_eq!(rows.unwrap().len(), 1);
    }
    world.end().await;
}

#[tokio::test]
async fn who_finds_no_connection_is_told_so_soon() {
    let world = world().await;
    let database = open(&world, 1).await;
    let planned = database.reader.custom_plan();
    let counting = tokio::spawn({
        let planned = planned.clone();
        async move { planned.rows(count(&planned, ENDLESS)).await }
    });
    in_use(&database, 1..).await;
    let start = Instant::now();
    let error = planned.rows(count(&planned, 1)).await.unwrap_err();
    assert_eq!(error.code(), "UNAVAILABLE");
    assert!(start.elapsed() < SOON);
    // The others are not affected.
    let reader = &database.reader;
    assert_eq!(reader.rows(count(reader, 1)).await.unwrap().len(), 1);
    assert_eq!(open_and_idle(&database, "readers"), (1, 1));

    // Whoever hangs up makes room.
    counting.abort();
    in_use(&database, ..1).await;
    assert_eq!(planned.rows(count(&planned, 1)).await.unwrap().len(), 1);
    assert_eq!(open_and_idle(&database, "searchers"), (1, 1));
    database.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn hanging_up_ends_no_statement_but_ones_own() {
    let world = world().await;
    let database = open(&world, 2).await;
    let planned = database.reader.custom_plan();
    let others = tokio::spawn({
        let planned = planned.clone();
        async move {
            let mut counts = Vec::new();
            for _ in 0..8 {
                let rows = planned.rows(count(&planned, 300_000)).await.unwrap();
                counts.push(rows[0].try_get::<i64>("", "count").unwrap());
            }
            counts
        }
    });
    while !others.is_finished() {
        let own = planned.rows(count(&planned, ENDLESS));
        timeout(Duration::from_millis(5), own).await.unwrap_err();
        // The connection that was left goes to the next one.
        in_use(&database, ..=1).await;
    }
    assert_eq!(others.await.unwrap(), [300_000; 8]);
    database.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn connections_are_made_when_they_are_needed() {
    let world = world().await;
    let database = open(&world, 3).await;
    assert_eq!(open_and_idle(&database, "readers"), (1, 1));
    let reader = &database.reader;
    let statement = || reader.rows(count(reader, 100_000));
    let (a, b) = tokio::join!(statement(), statement());
    assert_eq!((a.unwrap().len(), b.unwrap().len()), (1, 1));
    let (open, idle) = open_and_idle(&database, "readers");
    assert_eq!((open as usize, open <= 2), (idle, true));
    database.clone().close().await.unwrap();
    assert_eq!(open_and_idle(&database, "readers"), (0, 0));
    assert_eq!(statement().await.unwrap_err().code(), "UNAVAILABLE");
    world.end().await;
}

#[tokio::test]
async fn a_file_that_is_gone_is_noticed() {
    let world = world().await;
    let database = open(&world, 1).await;
    database.reader.ping().await.unwrap();
    let file = world.url.trim_start_matches("sqlite://");
    let aside = format!("{file}.aside");
    std::fs::rename(file, &aside).unwrap();
    assert_eq!(
        database.reader.ping().await.unwrap_err().code(),
        "UNAVAILABLE"
    );
    std::fs::rename(&aside, file).unwrap();
    database.reader.ping().await.unwrap();
    database.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_file_can_be_opened_read_only_and_memory_not_at_all() {
    let world = world().await;
    let options = DatabaseOptions::new(format!("{}?mode=ro", world.url));
    let database = Database::open(&options).await.unwrap();
    let reader = &database.reader;
    let rows = reader
        .rows(reader.dialect().raw("SELECT id FROM agents", []))
        .await;
    assert_eq!(rows.unwrap().len(), 0);
    database.close().await.unwrap();
    for url in [
        "sqlite::memory:",
        "sqlite://",
        "sqlite://x.db?mode=memory",
        "sqlite://x.db?immutable=1",
        "sqlite://x.db?vfs=unix",
    ] {
        let error = Database::open(&DatabaseOptions::new(url))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "BAD_USER_INPUT", "{url}");
        assert!(error.to_string().starts_with("database-url: "), "{error}");
    }
    world.end().await;
}

/// On threads of a server a statement starts where it is asked for, and goes elsewhere when it takes its time.
#[tokio::test(flavor = "multi_thread")]
async fn long_statements_hold_up_nobody() {
    let world = world().await;
    let database = open(&world, 2).await;
    let reader = &database.reader;
    for last in [1, 100_000] {
        let rows = reader.rows(count(reader, last)).await.unwrap();
        assert_eq!(
            rows[0].try_get::<i64>("", "count").unwrap(),
            i64::try_from(last).unwrap()
        );
    }
    let sql = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000) SELECT x FROM n";
    let rows = reader.rows(reader.dialect().raw(sql, [])).await.unwrap();
    let sum: i64 = rows
        .iter()
        .map(|row| row.try_get::<i64>("", "x").unwrap())
        .sum();
    assert_eq!((rows.len(), sum), (100_000, 5_000_050_000));

    // Even on the very thread that asked: whoever waits there is heard, and the statement ends with them.
    let endless = reader.rows(count(reader, ENDLESS));
    timeout(Duration::from_millis(50), endless)
        .await
        .unwrap_err();
    timeout(SOON, database.clone().close())
        .await
        .unwrap()
        .unwrap();
    world.end().await;
}

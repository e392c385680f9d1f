//! The connections that read PostgreSQL: what they hand over is what is stored, statements share them without waiting for
//! each other, and what breaks is replaced. On PostgreSQL alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parlour::db::{
    Cell, Database, DatabaseOptions, Reader, Row, Transaction, TransactionError, UnitOfWork,
};
use parlour::entity::platform::Platform;
use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{Kind, Start, World, postgres_url};
use crate::tcp_proxy::TcpProxy;

/// Far more than anything here takes, and far less than [`sleep`] for an age.
const SOON: Duration = Duration::from_secs(20);
const AGE: f64 = 600.0;

fn sleep(reader: &Reader, seconds: f64) -> Statement {
    let sql = "SELECT 1 AS one FROM (SELECT pg_sleep($1)) AS slept";
    reader.dialect().raw(sql, [seconds.into()])
}

async fn world() -> Option<World> {
    postgres_url()?;
    Some(World::new(Kind::Postgres, Start::Empty).await)
}

/// Another way to a database, with so many connections.
async fn open(url: &str, readers: u32) -> Database {
    Database::open(&options(url, readers)).await.unwrap()
}

fn options(url: &str, readers: u32) -> DatabaseOptions {
    DatabaseOptions {
        readers,
        acquire_timeout: SOON,
        ..DatabaseOptions::new(url)
    }
}

async fn rows(reader: &Reader, sql: &str) -> Vec<Row> {
    let rows = reader.rows(reader.dialect().raw(sql, [])).await;
    rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
}

async fn number(reader: &Reader, sql: &str) -> i64 {
    let rows = rows(reader, sql).await;
    rows[0].try_get_by_index(0).unwrap()
}

async fn text(reader: &Reader, sql: &str) -> String {
    let rows = rows(reader, sql).await;
    rows[0].try_get_by_index(0).unwrap()
}

/// The process that serves a statement.
async fn backend(reader: &Reader) -> i64 {
    number(reader, "SELECT pg_backend_pid()").await
}

/// How many processes of the server are at a statement with this word in it, as somebody else sees it.
async fn at_work(world: &World, statement: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%{statement}%'"
    );
    number(&world.database.reader, &sql).await
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

/// Ends the processes that serve these.
async fn kill(world: &World, backends: &[i64]) {
    for backend in backends {
        let sql = format!("SELECT pg_terminate_backend({backend})");
        world.database.writer.execute(&sql).await.unwrap();
    }
}

fn values() -> Vec<Value> {
    let id = Uuid::from_u128(u128::MAX - 1);
    vec![
        Value::BigInt(None),
        Value::String(None),
        Value::Uuid(None),
        Value::Bool(None),
        i64::MIN.into(),
        i64::MAX.into(),
        u64::from(u32::MAX).into(),
        u32::MAX.into(),
        (-1_i32).into(),
        i16::MIN.into(),
        true.into(),
        false.into(),
        0.1_f64.into(),
        f64::MAX.into(),
        f64::MIN_POSITIVE.into(),
        "".into(),
        "\u{1}'\"\\ ünïcödé 🦀".into(),
        "long ".repeat(1 << 20).into(),
        'x'.into(),
        Value::Bytes(Some(Vec::new())),
        Value::Bytes(Some(vec![0, 255])),
        id.into(),
        vec![id, Uuid::nil()].into(),
        Vec::<Uuid>::new().into(),
        vec!["a,b".to_owned(), "{\"".to_owned(), String::new()].into(),
        vec![i64::MIN, 0, i64::MAX].into(),
        Value::Array(ArrayType::String, None),
    ]
}

#[tokio::test]
async fn values_are_bound_as_sea_orm_binds_them() {
    let Some(world) = world().await else { return };
    let other = world.by_sea_orm().await;
    let reader = &world.database.reader;
    for (at, value) in values().into_iter().enumerate() {
        // SeaORM keeps a statement with the types that it first had.
        let sql = format!("SELECT pg_typeof($1)::text AS kind, $1::text AS shown, {at} AS at");
        let statement = reader.dialect().raw(sql, [value.clone()]);
        let row = other.query_one_raw(statement.clone()).await;
        let row = row.unwrap().unwrap();
        let kind: String = row.try_get("", "kind").unwrap();
        let shown: Option<String> = row.try_get("", "shown").unwrap();
        let rows = reader.rows(statement).await.unwrap();
        let what = format!("{value:.60?}");
        assert_eq!(
            rows[0].try_get::<String>("", "kind").unwrap(),
            kind,
            "{what}"
        );
        let read: Option<String> = rows[0].try_get("", "shown").unwrap();
        assert!(read == shown, "{what}");
        // A text of a statement may come with values of other types.
        let sql = "SELECT pg_typeof($1)::text AS kind";
        let rows = reader
            .rows(reader.dialect().raw(sql, [value]))
            .await
            .unwrap();
        assert_eq!(
            rows[0].try_get::<String>("", "kind").unwrap(),
            kind,
            "{what}"
        );
    }
    other.close().await.unwrap();
    let json = reader
        .dialect()
        .raw("SELECT $1", [serde_json::json!({}).into()]);
    let error = reader.rows(json).await.unwrap_err();
    assert!(format!("{error:?}").contains("not sent to PostgreSQL"));
    world.end().await;
}

#[tokio::test]
async fn values_come_back_as_they_went() {
    let Some(world) = world().await else { return };
    let reader = &world.database.reader;
    let id = Uuid::from_u128(u128::MAX - 1);
    let long = "ünïcödé 🦀 ".repeat(1 << 18);
    let values = [
        Value::String(None),
        i64::MIN.into(),
        i64::MAX.into(),
        "".into(),
        long.clone().into(),
        id.into(),
        0.1_f64.into(),
        Value::Bytes(Some(vec![0, 255])),
        true.into(),
        "GOOGLE_CHAT".into(),
    ];
    let sql = "SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d, $5 AS e, $6 AS f, $7 AS g, $8 AS h, $9 AS i, $10 AS j";
    let rows = reader
        .rows(reader.dialect().raw(sql, values))
        .await
        .unwrap();
    let row = &rows[0];
    assert_eq!(row.try_get::<Option<String>>("", "a").unwrap(), None);
    assert_eq!(row.try_get::<Option<i64>>("", "a").unwrap(), None);
    assert_eq!(row.try_get::<i64>("", "b").unwrap(), i64::MIN);
    assert_eq!(
        row.try_get_by_index::<Option<i64>>(2).unwrap(),
        Some(i64::MAX)
    );
    assert_eq!(row.try_get::<String>("", "d").unwrap(), "");
    assert!(row.try_get::<Option<String>>("", "e").unwrap() == Some(long));
    assert_eq!(row.try_get::<Uuid>("", "f").unwrap(), id);
    let real: f64 = row.try_get("", "g").unwrap();
    assert_eq!(real.to_bits(), 0.1_f64.to_bits());
    assert_eq!(row.try_get::<Vec<u8>>("", "h").unwrap(), [0, 255]);
    assert!(row.try_get::<bool>("", "i").unwrap());
    let platform: Platform = row.try_get("", "j").unwrap();
    assert_eq!(platform, Platform::GoogleChat);
    assert_eq!(row.cell(9).unwrap(), Cell::Text("GOOGLE_CHAT"));
    assert_eq!(row.cell(0).unwrap(), Cell::Null);

    // What is not there or of another kind is an error, never a guess.
    for error in [
        row.try_get::<i64>("", "a").unwrap_err(),
        row.try_get::<i64>("", "nobody").unwrap_err(),
        row.try_get_by_index::<i64>(10).unwrap_err(),
        row.try_get::<String>("", "b").unwrap_err(),
        row.try_get::<i32>("", "b").unwrap_err(),
        row.try_get::<Uuid>("", "h").unwrap_err(),
        row.try_get::<Platform>("", "e").unwrap_err(),
    ] {
        assert!(matches!(error, DbErr::Type(_)), "{error:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn nothing_is_written_by_who_reads() {
    let Some(world) = world().await else { return };
    let reader = &world.database.reader;
    for reader in [reader.clone(), reader.custom_plan()] {
        for sql in ["CREATE TABLE t (x int)", "DELETE FROM agents"] {
            let statement = reader.dialect().raw(sql, []);
            let error = reader.rows(statement).await.unwrap_err();
            assert!(format!("{error:?}").contains("25006"), "{sql}: {error:?}");
        }
        assert_eq!(number(&reader, "SELECT 1").await, 1);
    }
    world.end().await;
}

#[tokio::test]
async fn connections_have_their_settings() {
    let Some(world) = world().await else { return };
    let reader = &world.database.reader;
    for (reader, plans, sort) in [
        (reader.clone(), "force_generic_plan", "off"),
        (reader.dedicated(), "force_generic_plan", "on"),
        (reader.custom_plan(), "force_custom_plan", "on"),
        // The same connection, for another kind of statement.
        (reader.dedicated(), "force_generic_plan", "on"),
    ] {
        for (setting, expected) in [
            ("application_name", "parlour"),
            ("default_transaction_read_only", "on"),
            ("idle_in_transaction_session_timeout", "1min"),
            ("jit", "off"),
            ("lock_timeout", "10s"),
            ("plan_cache_mode", plans),
            ("enable_sort", sort),
            ("statement_timeout", "10s"),
        ] {
            assert_eq!(
                text(&reader, &format!("SHOW {setting}")).await,
                expected,
                "{setting}"
            );
        }
    }
    world.end().await;
}

/// The answers of a server are kept back until it has got many statements: nobody waits for an answer before they ask.
#[tokio::test]
async fn statements_do_not_wait_for_the_answers_of_others() {
    let Some(world) = world().await else { return };
    let gate = TcpProxy::before(&world.url).await;
    let database = open(&gate.url, 1).await;
    let reader = &database.reader;
    assert_eq!(number(reader, "SELECT 1 AS one").await, 1);
    let before = gate.asked();
    gate.keep_back(true);
    let asked = join_all((0..40).map(|_| number(reader, "SELECT 1 AS one")));
    let opened = async {
        until("all of them are sent", async || gate.asked() == before + 40).await;
        gate.keep_back(false);
    };
    let (answers, ()) = tokio::join!(asked, opened);
    assert_eq!(answers, [1; 40]);
    database.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn who_comes_behind_a_long_statement_goes_elsewhere() {
    let Some(world) = world().await else { return };
    let database = open(&world.url, 2).await;
    let reader = database.reader.clone();
    let first = backend(&reader).await;
    let long = async {
        let rows = reader.rows(sleep(&reader, 4.0)).await;
        rows.unwrap().len()
    };
    let others = async {
        until("it sleeps", async || at_work(&world, "pg_sleep").await == 1).await;
        let start = Instant::now();
        // Some come at once, and some when it is known to be long.
        for _ in 0..3 {
            let others = join_all((0..20).map(|_| backend(&reader))).await;
            assert!(others.iter().all(|other| *other != first));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(start.elapsed() < Duration::from_secs(3));
    };
    assert_eq!(tokio::join!(long, others).0, 1);
    database.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn who_does_not_come_to_their_turn_is_told_so_soon() {
    let Some(world) = world().await else { return };
    let options = DatabaseOptions {
        acquire_timeout: Duration::from_millis(300),
        ..options(&world.url, 1)
    };
    let database = Database::open(&options).await.unwrap();
    for reader in [database.reader.clone(), database.reader.custom_plan()] {
        let long = tokio::spawn({
            let reader = reader.clone();
            async move { reader.rows(sleep(&reader, AGE)).await }
        });
        until("it sleeps", async || at_work(&world, "pg_sleep").await == 1).await;
        let start = Instant::now();
        let error = reader.rows(sleep(&reader, 0.0)).await.unwrap_err();
        assert_eq!(error.code(), "UNAVAILABLE");
        assert!(start.elapsed() < SOON);
        long.abort();
        if long.await.is_err_and(|error| error.is_cancelled()) {
            world
                .database
                .writer
                .execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND datname = current_database() AND pid <> pg_backend_pid()",
                )
                .await
                .unwrap();
        }
        until("it is over", async || {
            at_work(&world, "pg_sleep").await == 0
        })
        .await;
    }
    database.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_search_ends_in_the_server_when_its_caller_hangs_up() {
    let Some(world) = world().await else { return };
    let database = open(&world.url, 1).await;
    let planned = database.reader.custom_plan();
    for _ in 0..3 {
        let asked = tokio::spawn({
            let planned = planned.clone();
            async move { planned.rows(sleep(&planned, AGE)).await }
        });
        until("it sleeps", async || at_work(&world, "pg_sleep").await == 1).await;
        asked.abort();
        until("it is over", async || {
            at_work(&world, "pg_sleep").await == 0
        })
        .await;
        // The only connection is free again, and nothing ends the next statement.
        until("there is room", async || {
            planned.rows(sleep(&planned, 0.0)).await.is_ok()
        })
        .await;
        assert_eq!(number(&planned, "SELECT 1 FROM pg_sleep(0.05)").await, 1);
    }
    database.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn there_are_no_more_connections_than_may_be() {
    let Some(world) = world().await else { return };
    let database = open(&world.url, 3).await;
    for (pool, reader) in [
        ("readers", database.reader.clone()),
        ("searchers", database.reader.custom_plan()),
    ] {
        let asked = join_all((0..12).map(|_| reader.rows(sleep(&reader, 0.03))));
        assert!(asked.await.iter().all(Result::is_ok));
        // What was sent twice, because it was held up, may be at work still.
        until("all of them are idle", async || {
            let pools = database.connections();
            let &(_, open, idle) = pools.iter().find(|(name, ..)| *name == pool).unwrap();
            assert!((1..=3).contains(&open), "{pool}: {open}");
            open as usize == idle
        })
        .await;
    }
    database.clone().close().await.unwrap();
    let error = database.reader.rows(sleep(&database.reader, 0.0)).await;
    assert_eq!(error.unwrap_err().code(), "UNAVAILABLE");
    world.end().await;
}

#[tokio::test]
async fn what_breaks_is_replaced_and_its_statement_tried_again() {
    let Some(world) = world().await else { return };
    let database = open(&world.url, 2).await;
    for reader in [database.reader.clone(), database.reader.custom_plan()] {
        // Between two statements, and under one.
        let first = backend(&reader).await;
        kill(&world, &[first]).await;
        assert_ne!(backend(&reader).await, first);
        let asked = async {
            let rows = reader.rows(sleep(&reader, 1.5)).await;
            rows.unwrap().len()
        };
        let killed = async {
            let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND datname = current_database() AND pid <> pg_backend_pid()";
            until("it sleeps and is ended", async || {
                number(&world.database.reader, sql).await == 1
            })
            .await;
        };
        assert_eq!(tokio::join!(asked, killed).0, 1);
    }
    // Many of them at once.
    let reader = &database.reader;
    for _ in 0..5 {
        let first = backend(reader).await;
        let asked = join_all((0..30).map(|_| number(reader, "SELECT 1 AS one")));
        let backends = [first];
        let ((), answers) = tokio::join!(kill(&world, &backends), asked);
        assert_eq!(answers, [1; 30]);
    }
    database.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_noticed_and_one_that_is_back_is_used() {
    let Some(world) = world().await else { return };
    let mut gate = TcpProxy::before(&world.url).await;
    let database = open(&gate.url, 2).await;
    let reader = &database.reader;
    for _ in 0..2 {
        reader.ping().await.unwrap();
        gate.close();
        for _ in 0..2 {
            assert_eq!(reader.ping().await.unwrap_err().code(), "UNAVAILABLE");
            let planned = reader.custom_plan();
            let error = planned.rows(sleep(&planned, 0.0)).await.unwrap_err();
            assert_eq!(error.code(), "UNAVAILABLE");
        }
        gate.open().await;
        reader.ping().await.unwrap();
    }
    // A network that says nothing at all: whoever waits is told after their time.
    gate.keep_back(true);
    let silent = Instant::now();
    let first = timeout(Duration::from_millis(200), reader.ping());
    assert!(first.await.is_err());
    gate.close();
    gate.keep_back(false);
    gate.open().await;
    reader.ping().await.unwrap();
    assert!(silent.elapsed() < SOON);
    database.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn tables_may_change_while_they_are_read() {
    let Some(world) = world().await else { return };
    let writer = &world.database.writer;
    let change = async |sql: &str| writer.execute(sql).await.unwrap();
    change("CREATE TABLE t (a bigint); INSERT INTO t VALUES (1)").await;
    let reader = &world.database.reader;
    for reader in [reader.clone(), reader.custom_plan()] {
        assert_eq!(number(&reader, "SELECT * FROM t").await, 1);
        change("ALTER TABLE t ALTER a TYPE text").await;
        assert_eq!(text(&reader, "SELECT * FROM t").await, "1");
        change("ALTER TABLE t ADD b uuid").await;
        let all = rows(&reader, "SELECT * FROM t").await;
        assert_eq!(all[0].try_get::<Option<Uuid>>("", "b").unwrap(), None);
        change("ALTER TABLE t DROP b; ALTER TABLE t ALTER a TYPE bigint USING a::bigint").await;
        // Many at once meet the change.
        let all = join_all((0..20).map(|_| number(&reader, "SELECT * FROM t"))).await;
        assert_eq!(all, [1; 20]);
    }
    world.end().await;
}

#[tokio::test]
async fn prepared_statements_are_bounded_on_the_server_too() {
    let Some(world) = world().await else { return };
    let database = open(&world.url, 1).await;
    let reader = &database.reader;
    for at in 0..400 {
        assert_eq!(number(reader, &format!("SELECT {at}::bigint")).await, at);
    }
    let kept = number(reader, "SELECT count(*) FROM pg_prepared_statements").await;
    assert!((100..=260).contains(&kept), "{kept}");
    database.close().await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_get_each_their_own_answer() {
    let Some(world) = world().await else { return };
    let database = Arc::new(open(&world.url, 4).await);
    let tasks = (0..8).map(|task: i64| {
        let database = Arc::clone(&database);
        tokio::spawn(async move {
            let reader = &database.reader;
            for at in 0..200 {
                let sent = task * 1_000 + at;
                let sql = "SELECT $1 AS sent, repeat('x', ($1 % 97)::int) AS text";
                let statement = reader.dialect().raw(sql, [sent.into()]);
                let asked = reader.rows(statement);
                // Some do not wait for their answer.
                if at % 7 == 0 {
                    timeout(Duration::ZERO, asked).await.ok();
                    continue;
                }
                let rows = asked.await.unwrap();
                assert_eq!(rows[0].try_get::<i64>("", "sent").unwrap(), sent);
                let text: String = rows[0].try_get("", "text").unwrap();
                assert_eq!(i64::try_from(text.len()), Ok(sent % 97));
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let database = Arc::into_inner(database).unwrap();
    timeout(SOON, database.close()).await.unwrap().unwrap();
    world.end().await;
}

/// Fails in the first of several statements that go out together.
struct FailFirst;

impl UnitOfWork for FailFirst {
    type Output = ();

    async fn run(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        let say = |sql: &str| transaction.dialect().raw(sql, []);
        transaction.enqueue(say("SELECT 1 / 0 AS nothing")).await?;
        for _ in 0..20 {
            transaction.enqueue(say("SELECT 1 AS one")).await?;
        }
        transaction.rows(say("SELECT 2 AS two")).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_statements_that_go_out_together_the_first_that_fails_is_told() {
    let Some(world) = world().await else { return };
    let tasks = (0..4).map(|_| {
        let writer = world.database.writer.clone();
        tokio::spawn(async move {
            for _ in 0..200 {
                let error = writer.transaction(&FailFirst).await.unwrap_err();
                // division_by_zero, and not that the transaction is aborted.
                assert!(format!("{error:?}").contains("22012"), "{error:?}");
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    world.end().await;
}

#[tokio::test]
async fn connection_strings_say_what_sea_orm_reads_in_them() {
    let Some(world) = world().await else { return };
    let url = url::Url::parse(&world.url).unwrap();
    let name = url.path().trim_start_matches('/');
    let authority = &url[url::Position::BeforeUsername..url::Position::AfterPort];
    let (host, port) = (url.host_str().unwrap(), url.port().unwrap_or(5432));
    let user = url.username();
    let encoded = name.bytes().map(|byte| format!("%{byte:02X}"));
    let encoded = encoded.collect::<Vec<_>>().concat();
    for (url, setting, expected) in [
        (format!("postgresql://{authority}/{name}"), "jit", "off"),
        (format!("postgres://{authority}/{encoded}"), "jit", "off"),
        (
            format!("postgres://{authority}?dbname={name}"),
            "jit",
            "off",
        ),
        (
            format!("postgres://nobody:x@nowhere:1/{name}?host={host}&port={port}&user={user}"),
            "jit",
            "off",
        ),
        (
            format!("postgres://{authority}/{name}?sslmode=disable"),
            "jit",
            "off",
        ),
        (
            format!("postgres://{authority}/{name}?ssl-mode=prefer&application_name=other"),
            "application_name",
            "parlour",
        ),
        (
            format!("postgres://{authority}/{name}?options=-c%20work_mem%3D1234kB"),
            "work_mem",
            "1234kB",
        ),
        (
            format!("postgres://{authority}/{name}?options[custom.setting]=a\\b%20c"),
            "custom.setting",
            "a\\b c",
        ),
        (
            format!("postgres://{authority}/{name}?statement-cache-capacity=1"),
            "jit",
            "off",
        ),
    ] {
        // A user with a password in a file or none at all, as this one may be, is known by no other address.
        if url.contains("nobody") && world.url.contains(&format!("{user}:")) {
            continue;
        }
        let database = open(&url, 1).await;
        let reader = &database.reader;
        assert_eq!(text(reader, "SELECT current_database()::text").await, name);
        let shown = text(reader, &format!("SHOW {setting}")).await;
        assert_eq!(shown, expected, "{url}");
        database.close().await.unwrap();
    }
    world.end().await;
}

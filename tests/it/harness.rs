//! Worlds to test in: an own database per test, copied from a template, with the router over it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use parlour::caller::Principal;
use parlour::config::{LimitSettings, Limits, ServeSettings};
use parlour::db::query_stats::{QUERY_STATS, QueryStats};
use parlour::db::{Database, DatabaseOptions};
use parlour::http::Server;
use parlour::write::event::Event;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tower::ServiceExt;

/// What is in a world at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Not even tables.
    Nothing,
    /// Tables without rows.
    Empty,
    /// The people of `fixtures/audience.ndjson`.
    Audience,
}

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A database of its own, with the router over it.
pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    pub(crate) database: Database,
    pub(crate) server: Server,
}

/// An answer, and what it took.
pub(crate) struct Answer {
    pub(crate) body: Value,
    pub(crate) tally: Arc<QueryStats>,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Runs a test in a fresh world of each kind of database.
pub(crate) async fn everywhere(start: Start, test: impl AsyncFn(&World)) {
    let mut kinds = vec![Kind::Sqlite];
    if postgres_url().is_some() {
        kinds.push(Kind::Postgres);
    }
    for kind in kinds {
        eprintln!("on {kind:?}");
        let world = World::new(kind, start).await;
        test(&world).await;
        world.end().await;
    }
}

impl World {
    pub(crate) async fn new(kind: Kind, start: Start) -> Self {
        let name = format!(
            "parlour_{}_{}",
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        );
        let template = template(kind, start).await;
        let url = match kind {
            Kind::Sqlite => {
                let file = scratch().join(format!("{name}.db"));
                std::fs::copy(template, &file).unwrap();
                sqlite_url(&file)
            }
            Kind::Postgres => {
                static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
                let _turn = ONE_AT_A_TIME.lock().await;
                administer(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
                postgres_database(&name)
            }
        };
        let database = open(&url).await;
        let server = Server::new(database.clone(), &ServeSettings::default(), limits()).unwrap();
        Self {
            kind,
            url,
            database,
            server,
        }
    }

    /// The same world for somebody.
    pub(crate) fn seen_by(&self, principal: Principal) -> Self {
        let (database, settings) = (self.database.clone(), ServeSettings::default());
        self.served_by(Server::open_to(principal, database, &settings, limits()).unwrap())
    }

    /// The same world behind another server.
    pub(crate) fn served_by(&self, server: Server) -> Self {
        Self {
            kind: self.kind,
            url: self.url.clone(),
            database: self.database.clone(),
            server,
        }
    }

    /// Asks over HTTP, and counts what it takes.
    pub(crate) async fn ask_with(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("x-request-id", "test")
            .body(Body::from(body))
            .unwrap();
        let tally = Arc::new(QueryStats::recording());
        let response = QUERY_STATS
            .scope(tally.clone(), self.server.routes().oneshot(request))
            .await
            .unwrap();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer {
            body: serde_json::from_slice(&bytes).unwrap(),
            tally,
        }
    }

    /// Asks over HTTP: the status, and every byte that comes back, headers first.
    pub(crate) async fn ask_for_bytes(&self, query: &str, variables: Value) -> (u16, String) {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("x-request-id", "test")
            .header("x-graphql-cost", "1")
            .body(Body::from(body))
            .unwrap();
        let response = self.server.routes().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let head = format!("{:?}", response.headers());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = String::from_utf8(bytes.to_vec()).unwrap();
        (status, format!("{head}\n{body}"))
    }

    /// The data of an answer without errors.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Value {
        let mut body = self.ask_with(query, variables).await.body;
        assert!(body.get("errors").is_none(), "{query}: {body:#}");
        body["data"].take()
    }

    /// The database by SeaORM's own driver.
    #[expect(
        clippy::disallowed_methods,
        reason = "what the program's own connections do is compared with it"
    )]
    pub(crate) async fn by_sea_orm(&self) -> sea_orm::DatabaseConnection {
        sea_orm::Database::connect(&self.url).await.unwrap()
    }

    pub(crate) async fn end(self) {
        let Self {
            kind,
            url,
            database,
            ..
        } = self;
        database.close().await.unwrap();
        match kind {
            Kind::Sqlite => std::fs::remove_file(url.trim_start_matches("sqlite://")).unwrap(),
            Kind::Postgres => {
                administer(&format!(
                    "DROP DATABASE {}",
                    url.rsplit('/').next().unwrap()
                ))
                .await;
            }
        }
    }
}

/// Room for the large documents in which tests ask many things at once.
pub(crate) fn limits() -> Limits {
    Limits {
        cost: u64::MAX,
        tokens: 1_000_000,
        fields: 1_000_000,
        aliases: 10_000,
        root_fields: 10_000,
        ..LimitSettings::default().limits()
    }
}

/// The events of the fixture.
pub(crate) fn audience() -> Vec<Event> {
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audience.ndjson"),
    )
    .unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The template that worlds are copied from: a file, or the name of a database.
async fn template(kind: Kind, start: Start) -> String {
    static TEMPLATES: [OnceCell<String>; 6] = [const { OnceCell::const_new() }; 6];
    let make = async || {
        let name = format!("parlour_{}_{start:?}", std::process::id()).to_lowercase();
        let (template, url) = match kind {
            Kind::Sqlite => {
                let file = scratch().join(format!("{name}.db"));
                (file.display().to_string(), sqlite_url(&file))
            }
            Kind::Postgres => {
                administer(&format!("CREATE DATABASE {name}")).await;
                let url = postgres_database(&name);
                (name, url)
            }
        };
        let database = open(&url).await;
        if start != Start::Nothing {
            database.migrate_up().await.unwrap();
        }
        if start == Start::Audience {
            parlour::write::apply(&database.writer, &audience())
                .await
                .unwrap();
            // SQLite without statistics takes every table for a big one, as plans are to be tested; PostgreSQL has to be told
            // how values are spread before it prefers one index to another.
            if kind == Kind::Postgres {
                database.analyze().await.unwrap();
            }
        }
        database.close().await.unwrap();
        template
    };
    TEMPLATES[kind as usize * 3 + start as usize]
        .get_or_init(make)
        .await
        .clone()
}

async fn open(url: &str) -> Database {
    let options = DatabaseOptions {
        readers: 4,
        acquire_timeout: std::time::Duration::from_secs(20),
        ..DatabaseOptions::new(url)
    };
    Database::open(&options).await.unwrap()
}

/// A folder of this run.
pub(crate) fn scratch() -> &'static Path {
    static FOLDER: std::sync::LazyLock<PathBuf> = std::sync::LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(std::process::id().to_string());
        std::fs::create_dir_all(&folder).unwrap();
        folder
    });
    &FOLDER
}

fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// The PostgreSQL to test on, if there is one.
pub(crate) fn postgres_url() -> Option<String> {
    std::env::var("TEST_DATABASE_URL")
        .ok()
        .filter(|url| !url.is_empty())
}

/// The address of another database on the same server.
fn postgres_database(name: &str) -> String {
    let url = postgres_url().unwrap();
    format!("{}/{name}", url.rsplit_once('/').unwrap().0)
}

async fn administer(sql: &str) {
    let database = open(&postgres_url().unwrap()).await;
    database
        .writer
        .execute(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    database.close().await.unwrap();
}

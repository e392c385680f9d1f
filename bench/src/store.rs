//! Databases to measure on: made, kept under a name that says what is in them, thrown away.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parlour::db::{Database, DatabaseOptions};
use parlour::demo::Size;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::Result;
use crate::bare::{CONNECTIONS, Pool};
use crate::load::{self, Loading};

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Where databases may be made.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Home {
    /// Databases to measure on
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "sqlite,postgres"
    )]
    pub(crate) databases: Vec<Kind>,
    #[arg(
        long,
        env = "BENCH_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        help = "A database on the PostgreSQL server that may be used; others are made beside it"
    )]
    pub(crate) database_url: Option<String>,
    /// Keep the audience for the next run, and use the one that was kept
    #[arg(long)]
    pub(crate) keep: bool,
    /// Where database files go
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    pub(crate) folder: PathBuf,
}

/// Which audience.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) size: Size,
    /// With someone who has thousands of sessions, and the word of the silent.
    pub(crate) additions: bool,
}

impl Wanted {
    fn name(&self) -> String {
        let Size {
            users,
            sessions,
            messages,
            seed,
        } = self.size;
        let sessions = sessions.map_or_else(String::new, |sessions| format!("_{sessions}"));
        let end = if self.additions { "" } else { "_plain" };
        format!("parlour_bench_{users}{sessions}_{messages}_{seed}{end}")
    }
}

/// A database with an audience in it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) kind: Kind,
    pub(crate) database: Database,
    pub(crate) pool: Pool,
    /// How loading went, when this run loaded it.
    pub(crate) loading: Option<Loading>,
    place: Place,
}

/// Where a database is.
#[derive(Clone, Debug)]
struct Place {
    kind: Kind,
    /// The server that the database is on, or the folder that its file is in.
    home: String,
    name: String,
}

/// Opens the database of this size and seed, and makes it first unless it is kept from another run.
pub(crate) async fn open(kind: Kind, wanted: &Wanted, home: &Home) -> Result<Store> {
    let place = Place::new(kind, wanted.name(), home)?;
    let unfinished = Place {
        name: format!("{}_unfinished", place.name),
        ..place.clone()
    };
    unfinished.remove().await?;
    if !home.keep {
        place.remove().await?;
    }
    let mut loading = None;
    if !place.exists().await? {
        unfinished.create().await?;
        loading = Some(load::load(kind, &unfinished.url(), wanted).await?);
        unfinished.rename(&place.name).await?;
    }
    Ok(Store {
        kind,
        database: database(&place.url(), false).await?,
        pool: Pool::open(kind, &place.url()).await?,
        loading,
        place,
    })
}

/// A database with tables and no rows, beside the large one. It is not kept.
pub(crate) async fn empty(kind: Kind, home: &Home) -> Result<Store> {
    let place = Place::new(kind, "parlour_bench_recording".to_owned(), home)?;
    place.remove().await?;
    place.create().await?;
    let database = database(&place.url(), false).await?;
    database.migrate_up().await?;
    Ok(Store {
        kind,
        database,
        pool: Pool::open(kind, &place.url()).await?,
        loading: None,
        place,
    })
}

/// Parlour's way to a database, as `serve` opens it, or as `import` does.
pub(crate) async fn database(url: &str, bulk: bool) -> Result<Database> {
    let options = DatabaseOptions {
        readers: CONNECTIONS,
        acquire_timeout: Duration::from_mins(1),
        statement_timeout: Duration::from_mins(1),
        bulk,
        ..DatabaseOptions::new(url)
    };
    Ok(Database::open(&options).await?)
}

impl Store {
    /// Its address.
    pub(crate) fn url(&self) -> String {
        self.place.url()
    }

    /// Ends the connections, and throws the database away unless it is to be kept.
    pub(crate) async fn close(self, keep: bool) -> Result<()> {
        self.pool.close().await;
        self.database.close().await?;
        if !keep {
            self.place.remove().await?;
        }
        Ok(())
    }
}

impl Place {
    fn new(kind: Kind, name: String, home: &Home) -> Result<Self> {
        let home = match kind {
            Kind::Sqlite => {
                std::fs::create_dir_all(&home.folder)?;
                home.folder.display().to_string()
            }
            Kind::Postgres => home
                .database_url
                .clone()
                .ok_or("PostgreSQL is measured on the server of BENCH_DATABASE_URL, which is not set (make bench starts one)")?,
        };
        Ok(Self { kind, home, name })
    }

    fn file(&self) -> PathBuf {
        Path::new(&self.home).join(format!("{}.db", self.name))
    }

    fn url(&self) -> String {
        match self.kind {
            Kind::Sqlite => format!("sqlite://{}", self.file().display()),
            Kind::Postgres => {
                let (address, options) = self.home.split_once('?').unwrap_or((&self.home, ""));
                let server = address
                    .rsplit_once('/')
                    .map_or(address, |(server, _)| server);
                let mark = if options.is_empty() { "" } else { "?" };
                format!("{server}/{}{mark}{options}", self.name)
            }
        }
    }

    async fn exists(&self) -> Result<bool> {
        match self.kind {
            Kind::Sqlite => Ok(self.file().exists()),
            Kind::Postgres => {
                let mut connection = PgConnection::connect(&self.home).await?;
                let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1")
                    .bind(&self.name)
                    .fetch_optional(&mut connection)
                    .await?;
                Ok(found.is_some())
            }
        }
    }

    /// On `PostgreSQL`; a file of `SQLite` is made when it is opened.
    async fn create(&self) -> Result<()> {
        self.administer(format!("CREATE DATABASE {}", self.name))
            .await
    }

    async fn rename(&self, name: &str) -> Result<()> {
        if self.kind == Kind::Sqlite {
            let to = Self {
                name: name.to_owned(),
                ..self.clone()
            };
            if Path::new(&format!("{}-wal", self.file().display())).exists() {
                return Err("the log of the loaded database was not folded into its file".into());
            }
            std::fs::rename(self.file(), to.file())?;
        }
        self.administer(format!("ALTER DATABASE {} RENAME TO {name}", self.name))
            .await
    }

    async fn remove(&self) -> Result<()> {
        if self.kind == Kind::Sqlite {
            for end in ["", "-wal", "-shm", "-bare", "-bare-wal", "-bare-shm"] {
                let file = format!("{}{end}", self.file().display());
                if Path::new(&file).exists() {
                    std::fs::remove_file(file)?;
                }
            }
        }
        self.administer(format!("DROP DATABASE IF EXISTS {}", self.name))
            .await
    }

    async fn administer(&self, sql: String) -> Result<()> {
        if self.kind == Kind::Postgres {
            let mut connection = PgConnection::connect(&self.home).await?;
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await?;
        }
        Ok(())
    }
}

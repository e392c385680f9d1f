//! Instructions of a request, which do not depend on the machine's mood: both sides' routers in process, over a small
//! audience in `SQLite`, under callgrind.
//!
//! A run with a few requests is taken from a run with more, so that neither the start nor the end counts.

use std::fmt::Write;
use std::process::{Command, Stdio};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use parlour::config::{LimitSettings, ServeSettings};
use parlour::demo::Size as Audience;
use parlour::http::Server;
use tower::ServiceExt;

use super::choice;
use super::clients::Requests;
use super::list::Workload;
use super::report::number;
use crate::bare::Pool;
use crate::store::{self, Home, Kind, Wanted};
use crate::{Result, limit};

/// Requests of the two runs.
const FEW: u32 = 20;
const MORE: u32 = 60;
/// What is counted.
const WORKLOADS: [Workload; 3] = [Workload::W1, Workload::W3, Workload::W4];
const WANTED: Wanted = Wanted {
    size: Audience {
        users: 500,
        messages: 40_000,
        sessions: Some(3_000),
        seed: 1,
    },
    additions: false,
};

/// Where the small audience is, and what is asked about it, in this process.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The workload
    #[arg(value_enum)]
    workload: Workload,
    /// Who answers
    #[arg(value_enum)]
    side: Side,
    /// How often it is asked
    #[arg(value_name = "N")]
    requests: u32,
    /// A SQLite database with an audience
    #[arg(long, env = "PARLOUR_DATABASE_URL", value_name = "URL")]
    database_url: String,
}

/// Whose router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Side {
    Limit,
    Parlour,
}

impl Side {
    const fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Parlour => "parlour",
        }
    }
}

/// Asks a router in this process so often, and looks at nothing.
pub(crate) async fn ask(arguments: &Arguments) -> Result<()> {
    let url = &arguments.database_url;
    let pool = Pool::open(Kind::Sqlite, url).await?;
    let requests = Requests::of(arguments.workload, &choice::choose(&pool, 1).await?);
    let router = match arguments.side {
        Side::Limit => limit::router(url).await?,
        Side::Parlour => {
            let database = store::database(url, false).await?;
            let limits = LimitSettings::default().limits();
            Server::new(database, &ServeSettings::default(), limits)?.routes()
        }
    };
    let requests = requests.sides()[usize::from(arguments.side == Side::Parlour)].clone();
    for (request, _) in requests
        .iter()
        .cycle()
        .take(usize::try_from(arguments.requests)?)
    {
        once(&router, request).await?;
    }
    Ok(())
}

/// Sends the bytes of a request, as far as a router sees them.
async fn once(router: &Router, bytes: &[u8]) -> Result<()> {
    let mut fields = [httparse::EMPTY_HEADER; 8];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(end) = head.parse(bytes)? else {
        return Err("half a request".into());
    };
    let request = Request::builder()
        .method(head.method.unwrap_or_default())
        .uri(head.path.unwrap_or_default())
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, bytes.len() - end)
        .body(Body::from(bytes[end..].to_vec()))?;
    let answer = router.clone().oneshot(request).await?;
    let body = to_bytes(answer.into_body(), usize::MAX).await?;
    if body.starts_with(b"{\"data\":{") {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&body).into())
    }
}

/// The section of the report; a sentence where there is no valgrind.
pub(super) async fn section(home: &Home) -> Result<String> {
    let mut text = "\n## Instructions of a request, in thousands\n\n".to_owned();
    let has_valgrind = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !has_valgrind.is_ok_and(|status| status.success()) {
        text.push_str("Not counted: valgrind is not installed.\n");
        return Ok(text);
    }
    let home = Home {
        keep: true,
        ..home.clone()
    };
    let store = store::open(Kind::Sqlite, &WANTED, &home).await?;
    let url = store.url();
    writeln!(
        text,
        "Both routers in process, from a request to the bytes of its answer, over {} users in SQLite, counted by callgrind.\n\n\
         | | limit | Parlour | Parlour by limit |\n|---|---:|---:|---:|",
        WANTED.size.users
    )?;
    for workload in WORKLOADS {
        eprintln!("instructions: {}", workload.title());
        let limit = thousands(workload, Side::Limit, &url)?;
        let parlour = thousands(workload, Side::Parlour, &url)?;
        writeln!(
            text,
            "| {} | {} | {} | {:.2} |",
            workload.title(),
            number(limit),
            number(parlour),
            parlour / limit
        )?;
    }
    store.close(true).await?;
    Ok(text)
}

fn thousands(workload: Workload, side: Side, url: &str) -> Result<f64> {
    let (few, more) = (
        count(workload, side, FEW, url)?,
        count(workload, side, MORE, url)?,
    );
    Ok((more - few) / f64::from(MORE - FEW) / 1_000.0)
}

/// Instructions of a whole run.
fn count(workload: Workload, side: Side, requests: u32, url: &str) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([
            "in-process",
            &workload.word(),
            side.word(),
            &requests.to_string(),
        ])
        .env("PARLOUR_DATABASE_URL", url)
        .stdout(Stdio::null())
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    let collected = told
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    match collected {
        Some((_, count)) if output.status.success() => Ok(count.trim().parse()?),
        _ => Err(format!("callgrind failed: {told}").into()),
    }
}

//! Whose processor time it took, as Linux counts it: of a process, and of all processes of a PostgreSQL server.

use std::time::Duration;

use crate::Result;
use crate::bare::Pool;

/// What `/proc` counts in, on every Linux: hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used, and who started it.
#[derive(Clone, Copy, Debug)]
struct Stat {
    parent: u32,
    own: u64,
    /// Of processes that it started and that have ended.
    ended: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses can hold anything; what counts comes after it, the state first.
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(field(1)?).ok()?,
        own: field(11)? + field(12)?,
        ended: field(13)? + field(14)?,
    })
}

fn time(ticks: u64) -> Duration {
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// What a process has used so far.
pub(super) fn of_process(pid: u32) -> Result<Duration> {
    Ok(time(stat(pid).ok_or("no such process")?.own))
}

/// The first process of the PostgreSQL server, if it runs on this machine.
pub(super) async fn postmaster(pool: &Pool) -> Option<u32> {
    let Pool::Postgres(_) = pool else {
        return None;
    };
    let (backend,): (i32,) = pool.one("SELECT pg_backend_pid()", []).await.ok()?;
    let parent = stat(u32::try_from(backend).ok()?)?.parent;
    let name = std::fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
    name.starts_with("postgres").then_some(parent)
}

/// What all processes of a PostgreSQL server have used so far.
pub(super) fn of_server(postmaster: u32) -> Result<Duration> {
    let first = stat(postmaster).ok_or("PostgreSQL has ended")?;
    let mut ticks = first.own + first.ended;
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(stat) = stat(pid)
            && stat.parent == postmaster
        {
            ticks += stat.own;
        }
    }
    Ok(time(ticks))
}

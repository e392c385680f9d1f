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

/// A PostgreSQL server on this machine, as far as it works for one database.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    /// Its first process, which started all others.
    postmaster: u32,
    database: String,
}

/// The server of a database, if it runs on this machine.
pub(super) async fn cluster(pool: &Pool) -> Option<Cluster> {
    let Pool::Postgres(_) = pool else {
        return None;
    };
    let (backend, database): (i32, String) = pool
        .one("SELECT pg_backend_pid(), current_database()::text", [])
        .await
        .ok()?;
    let parent = stat(u32::try_from(backend).ok()?)?.parent;
    let name = std::fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
    name.starts_with("postgres").then_some(Cluster {
        postmaster: parent,
        database,
    })
}

impl Cluster {
    /// What its processes have used so far: those that work for all, and those of connections to this database.
    pub(super) fn used(&self) -> Result<Duration> {
        let first = stat(self.postmaster).ok_or("PostgreSQL has ended")?;
        let mut ticks = first.own + first.ended;
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if let Some(stat) = stat(pid)
                && stat.parent == self.postmaster
                && !self.is_for_another(pid)
            {
                ticks += stat.own;
            }
        }
        Ok(time(ticks))
    }

    /// Whether a process belongs to a connection to another database: it says `user database address(port)` of itself.
    fn is_for_another(&self, pid: u32) -> bool {
        let title = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = title.split(' ');
        title.contains('(') && !words.any(|word| word == self.database)
    }
}

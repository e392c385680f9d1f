//! One side, then the other, again and again: the machine's mood is the same for both.

use std::time::Duration;

use super::clients::{self, Came, Requests};
use super::cpu::{self, Cluster};
use super::list::Workload;
use super::server::Server;
use crate::Result;

/// How it is measured.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    pub(super) count: usize,
    /// How long a turn is.
    pub(super) turn: Duration,
    /// The PostgreSQL server, if there is one here.
    pub(super) cluster: Option<Cluster>,
}

/// What came of a workload at a number of connections.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) workload: Workload,
    pub(super) connections: usize,
    pub(super) limit: Side,
    pub(super) parlour: Side,
    /// Parlour's answers a second by the limit's, in the middle of the rounds.
    pub(super) ratio: f64,
}

/// What came of one side.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Answers a second, by round.
    rates: Vec<f64>,
    /// How long answers took, in microseconds, sorted.
    times: Vec<u32>,
    cpu: Cpu,
}

/// Processor time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    pub(super) server: Duration,
    pub(super) database: Duration,
    pub(super) client: Duration,
}

impl Cpu {
    /// What has been used so far.
    pub(super) fn now(server: &Server, rounds: &Rounds) -> Result<Self> {
        let database = rounds.cluster.as_ref().map(Cluster::used).transpose()?;
        Ok(Self {
            server: cpu::of_process(server.pid())?,
            database: database.unwrap_or_default(),
            client: cpu::of_process(std::process::id())?,
        })
    }

    /// What has been used since, on top of what there was.
    pub(super) fn add(&mut self, since: Self, now: Self) {
        self.server += now.server.saturating_sub(since.server);
        self.database += now.database.saturating_sub(since.database);
        self.client += now.client.saturating_sub(since.client);
    }
}

impl Side {
    fn take(&mut self, came: Came) {
        self.rates.push(came.rate());
        self.times.extend(came.times);
    }

    /// Answers a second, in the middle of the rounds.
    pub(super) fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    /// How long so many of a hundred answers took at most, in milliseconds.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let last = self.times.len().saturating_sub(1);
        f64::from(self.times.get(last * percent / 100).copied().unwrap_or(0)) / 1_000.0
    }

    /// Processor time of an answer, in microseconds: of the server, of the database, of the client.
    pub(super) fn cpu(&self) -> [f64; 3] {
        let count = f64::from(u32::try_from(self.times.len().max(1)).unwrap_or(u32::MAX));
        let Cpu {
            server,
            database,
            client,
        } = self.cpu;
        [server, database, client].map(|time| time.as_secs_f64() * 1e6 / count)
    }
}

/// Measures one workload at a number of connections.
pub(super) async fn measure(
    workload: Workload,
    connections: usize,
    requests: &Requests,
    servers: &[Server; 2],
    rounds: &Rounds,
) -> Result<Measured> {
    let requests = requests.sides();
    let mut sides = [Side::default(), Side::default()];
    // Caches are warm and statements are prepared then, and PostgreSQL has settled on plans.
    for (server, requests) in servers.iter().zip(&requests) {
        clients::ask(server.address, requests, connections, rounds.turn / 2).await?;
    }
    for round in 0..rounds.count {
        for at in 0..2 {
            // Forth and back, so that nobody always comes after the same one.
            let at = if round % 2 == 0 { at } else { 1 - at };
            let before = Cpu::now(&servers[at], rounds)?;
            let came =
                clients::ask(servers[at].address, &requests[at], connections, rounds.turn).await?;
            sides[at].cpu.add(before, Cpu::now(&servers[at], rounds)?);
            sides[at].take(came);
        }
    }
    let [mut limit, mut parlour] = sides;
    limit.times.sort_unstable();
    parlour.times.sort_unstable();
    let ratios = limit.rates.iter().zip(&parlour.rates);
    let ratio = median(ratios.map(|(limit, parlour)| parlour / limit).collect());
    Ok(Measured {
        workload,
        connections,
        limit,
        parlour,
        ratio,
    })
}

/// The one in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

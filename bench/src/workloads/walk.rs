//! A walk through all users of an agent with their sessions: each page starts where the one before ended.

use std::time::{Duration, Instant};

use super::check;
use super::choice::Chosen;
use super::list::Workload;
use super::server::Server;
use super::turns::{Cpu, Rounds, median};
use crate::Result;
use crate::wire::Wire;

/// Walks at most, and the time after which none is begun.
const WALKS: usize = 3;
const TIME: Duration = Duration::from_mins(1);

/// What came of the walks.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) pages: usize,
    /// Users and sessions of one walk.
    pub(super) rows: usize,
    /// By side: seconds of each walk, and processor time of all.
    taken: [Vec<f64>; 2],
    cpu: [Cpu; 2],
}

impl Walk {
    /// Rows a second, in the middle of the walks.
    pub(super) fn rate(&self, side: usize) -> f64 {
        f64::from(u32::try_from(self.rows).unwrap_or(u32::MAX)) / median(self.taken[side].clone())
    }

    /// Processor time of a row, in microseconds: of the server, of the database, of the client.
    pub(super) fn cpu(&self, side: usize) -> [f64; 3] {
        let rows = self.rows * self.taken[side].len();
        let rows = f64::from(u32::try_from(rows.max(1)).unwrap_or(u32::MAX));
        let Cpu {
            server,
            database,
            client,
        } = self.cpu[side];
        [server, database, client].map(|time| time.as_secs_f64() * 1e6 / rows)
    }
}

/// Walks through the largest agent: once to see that both answer the same, then in turns.
pub(super) async fn walk(servers: &[Server; 2], chosen: &Chosen, rounds: &Rounds) -> Result<Walk> {
    let agent = chosen.agents.first().ok_or("no agent")?;
    let mut wires = [
        Wire::connect(servers[0].address).await?,
        Wire::connect(servers[1].address).await?,
    ];
    let mut walk = Walk::default();
    let mut steps = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let step = Workload::step(agent, after.as_deref());
        let answer = check::both(&step, &mut wires).await?;
        steps.push(step);
        let list = &answer["data"]["chatUsers"];
        let users = list["nodes"].as_array().ok_or("a page without nodes")?;
        let sessions = users
            .iter()
            .filter_map(|user| user["sessions"]["nodes"].as_array());
        walk.rows += users.len() + sessions.map(Vec::len).sum::<usize>();
        if list["pageInfo"]["hasNextPage"] != true {
            break;
        }
        after = list["pageInfo"]["endCursor"].as_str().map(str::to_owned);
    }
    walk.pages = steps.len();
    let start = Instant::now();
    for round in 0..WALKS.min(rounds.count) {
        if start.elapsed() > TIME {
            break;
        }
        for at in 0..2 {
            let at = if round % 2 == 0 { at } else { 1 - at };
            let before = Cpu::now(&servers[at], rounds)?;
            let began = Instant::now();
            for step in &steps {
                let request = if at == 0 { &step.limit } else { &step.parlour };
                std::hint::black_box(wires[at].ask(request).await?);
            }
            walk.taken[at].push(began.elapsed().as_secs_f64());
            walk.cpu[at].add(before, Cpu::now(&servers[at], rounds)?);
        }
    }
    Ok(walk)
}

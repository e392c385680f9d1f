//! Who asks: clients on kept connections, on one thread, each of which asks again as soon as it is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::list::COUNTER;
use crate::Result;
use crate::wire::Wire;

/// The same request, as either side is sent it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) limit: Vec<u8>,
    pub(super) parlour: Vec<u8>,
}

/// What is asked in turn.
#[derive(Clone, Debug)]
pub(super) struct Requests(pub(super) Vec<Request>);

/// The requests to one side, each with the place of its counter, if it has one.
pub(super) type Sent = Arc<[(Vec<u8>, Option<usize>)]>;

impl Requests {
    /// By side: the limit's, Parlour's.
    pub(super) fn sides(&self) -> [Sent; 2] {
        let sent = |bytes: &Vec<u8>| (bytes.clone(), place_of_counter(bytes));
        let limit = self.0.iter().map(|request| sent(&request.limit));
        let parlour = self.0.iter().map(|request| sent(&request.parlour));
        [limit.collect(), parlour.collect()]
    }
}

/// What came of some clients asking for a while.
#[derive(Debug, Default)]
pub(super) struct Came {
    /// How long each answer took, in microseconds.
    pub(super) times: Vec<u32>,
    /// From the first request to the last answer.
    pub(super) taken: Duration,
}

impl Came {
    /// Answers a second.
    pub(super) fn rate(&self) -> f64 {
        let count = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        f64::from(count) / self.taken.as_secs_f64()
    }
}

/// Lets so many clients ask one side for a time.
pub(super) async fn ask(
    address: SocketAddr,
    requests: &Sent,
    connections: usize,
    time: Duration,
) -> Result<Came> {
    let requests = requests.clone();
    // One thread of its own: what the clients cost is not spread over the cores that the servers need.
    let thread = tokio::task::spawn_blocking(move || -> Result<Came> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(crowd(address, &requests, connections, time))
    });
    thread.await?
}

async fn crowd(
    address: SocketAddr,
    requests: &Sent,
    connections: usize,
    time: Duration,
) -> Result<Came> {
    let mut wires = Vec::with_capacity(connections);
    for _ in 0..connections {
        wires.push(Wire::connect(address).await?);
    }
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for (number, wire) in wires.into_iter().enumerate() {
        // Each starts elsewhere, so that they do not all ask the same at the same time.
        let first = number * requests.len() / connections;
        clients.spawn(client(wire, requests.clone(), first, start + time));
    }
    let mut came = Came::default();
    while let Some(times) = clients.join_next().await {
        came.times.extend(times??);
    }
    came.taken = start.elapsed();
    Ok(came)
}

async fn client(mut wire: Wire, requests: Sent, first: usize, end: Instant) -> Result<Vec<u32>> {
    let mut times = Vec::with_capacity(1 << 14);
    let mut asked = Instant::now();
    for (request, place) in requests.iter().cycle().skip(first) {
        if asked >= end {
            break;
        }
        let answer = match place {
            Some(place) => wire.ask(&counted(request, *place)).await?,
            None => wire.ask(request).await?,
        };
        if !answer.starts_with(b"{\"data\":{") {
            return Err(String::from_utf8_lossy(answer).into());
        }
        let answered = Instant::now();
        times.push(u32::try_from((answered - asked).as_micros()).unwrap_or(u32::MAX));
        asked = answered;
    }
    Ok(times)
}

/// Where a request has the counter, if it has one: none of those without has ten zeros in a row.
pub(super) fn place_of_counter(request: &[u8]) -> Option<usize> {
    let counter = COUNTER.as_bytes();
    request
        .windows(counter.len())
        .position(|part| part == counter)
}

/// The request with a number that no other has had.
pub(super) fn counted(request: &[u8], place: usize) -> Vec<u8> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = format!("{:010}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut request = request.to_vec();
    request[place..place + number.len()].copy_from_slice(number.as_bytes());
    request
}

//! What a server does when three times as much is asked of it as it can answer. It reports; it is not a test.

#![expect(clippy::print_stdout, reason = "a report is printed")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Clients with which the peak is looked for.
const CLIENTS: [u32; 5] = [4, 8, 16, 32, 64];
/// Connections that the overload comes by.
const CROWD: u32 = 600;
/// How many times the peak is asked for.
const TIMES: f64 = 3.0;

/// Twenty users with five sessions of ten messages each.
const QUESTION: &str = "{ chatUsers { nodes { id displayName platform totalSessions sessions(first: 5) { nodes { id startedAt messages(first: 10) { nodes { id role text sentAt } } } } } } }";

/// Asks a server of its own for three times what it can answer.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program
    #[arg(long, value_name = "FILE", default_value = "target/release/parlour")]
    binary: PathBuf,
    /// A database with an audience
    #[arg(
        long,
        env = "PARLOUR_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    database_url: String,
    /// What is asked
    #[arg(long, default_value = QUESTION, hide_default_value = true)]
    query: String,
    /// The server on the first core and the clients on the others (by `taskset`), which never sleep, so that neither takes the
    /// other's time
    #[arg(long)]
    apart: bool,
    /// The crowd asks again as soon as it is answered or refused, instead of three times as much as the peak
    #[arg(long)]
    retry: bool,
    /// How long each step takes
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How often the peak and the overload are measured in turns
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.apart {
        leave_the_first_core()?;
        stay_awake()?;
    }
    let (mut server, address) = serve(&arguments)?;
    let asked_for = Asked::new(&address, &arguments.query);
    let time = Duration::from_secs(arguments.seconds);
    let pid = server.id();
    let idle = memory(pid)?;
    let mut peak = (0.0, 0);
    for clients in CLIENTS {
        let came = crowd(&asked_for, clients, None, time).await?;
        let rate = came.rate(200, time);
        println!("{clients} clients: {rate:.0} answers/s, {}", came.told(200));
        if rate > peak.0 {
            peak = (rate, clients);
        }
    }
    println!("peak: {:.0} answers/s with {} clients", peak.0, peak.1);
    let mut shares = Vec::new();
    for _ in 0..arguments.rounds {
        shares.push(round(&asked_for, peak.1, arguments.retry, time).await?);
    }
    shares.sort_unstable_by(f64::total_cmp);
    println!(
        "shares of the peak: {shares:.2?}, **{:.2}** in the middle",
        shares[shares.len() / 2]
    );
    println!("memory: {idle} MiB idle, {} MiB at most", memory(pid)?);
    server.kill()?;
    server.wait()?;
    Ok(())
}

/// The overload between two peaks; what it answered as a share of what these did, on a machine that has its moods.
async fn round(asked_for: &Asked, clients: u32, retry: bool, time: Duration) -> Result<f64> {
    let before = crowd(asked_for, clients, None, time).await?.rate(200, time);
    let asked = (!retry).then_some(before * TIMES);
    let came = crowd(asked_for, CROWD, asked, time).await?;
    let after = crowd(asked_for, clients, None, time).await?.rate(200, time);
    let (good, refused) = (came.rate(200, time), came.rate(503, time));
    let share = good / f64::midpoint(before, after);
    println!(
        "asked for {} on {CROWD} connections: {good:.0} answers/s between {before:.0} and {after:.0}, **{share:.2}**, {}; \
         refused {refused:.0}/s, {}; anything else: {}",
        asked.map_or_else(
            || "all that is answered".to_owned(),
            |rate| format!("{rate:.0}/s")
        ),
        came.told(200),
        came.told(503),
        came.others()
    );
    Ok(share)
}

fn serve(arguments: &Arguments) -> Result<(Child, String)> {
    let mut server = program(arguments)
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "error"])
        .env("PARLOUR_DATABASE_URL", &arguments.database_url)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = server.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address = line
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    Ok((server, address.ok_or("no address")?.to_owned()))
}

fn program(arguments: &Arguments) -> Command {
    if !arguments.apart {
        return Command::new(&arguments.binary);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(&arguments.binary);
    command
}

fn leave_the_first_core() -> Result<()> {
    let last = std::thread::available_parallelism()?.get() - 1;
    let (cores, own) = (format!("1-{last}"), std::process::id().to_string());
    let moved = Command::new("taskset")
        .args(["-acp", &cores, &own])
        .stdout(Stdio::null())
        .status()?;
    if moved.success() {
        Ok(())
    } else {
        Err("taskset failed".into())
    }
}

/// Keeps the clients' cores awake: waking them for each answer would cost the server's core, as no network card does.
fn stay_awake() -> Result<()> {
    for _ in 1..std::thread::available_parallelism()?.get() {
        tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
    }
    Ok(())
}

/// Most memory that a process has had, in MiB.
fn memory(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = most
        .and_then(|most| most.split_whitespace().next())
        .ok_or("no VmHWM")?;
    Ok(kilobytes.parse::<u64>()? / 1024)
}

/// Status and time of each answer; status 0 for a connection that broke.
#[derive(Debug, Default)]
struct Came(Vec<(u16, Duration)>);

impl Came {
    fn rate(&self, status: u16, time: Duration) -> f64 {
        let count = self.0.iter().filter(|(came, _)| *came == status).count();
        f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / time.as_secs_f64()
    }

    fn told(&self, status: u16) -> String {
        let mut times: Vec<_> = self
            .0
            .iter()
            .filter(|(came, _)| *came == status)
            .map(|(_, time)| *time)
            .collect();
        times.sort_unstable();
        let at = |percent: usize| {
            times
                .get(times.len() * percent / 100)
                .copied()
                .unwrap_or_default()
        };
        format!("p50 {:.1?}, p99 {:.1?}", at(50), at(99))
    }

    fn others(&self) -> usize {
        self.0
            .iter()
            .filter(|(status, _)| ![200, 503].contains(status))
            .count()
    }
}

/// A request and where it goes.
struct Asked {
    address: String,
    request: Arc<[u8]>,
}

impl Asked {
    fn new(address: &str, query: &str) -> Self {
        let body = serde_json::json!({ "query": query }).to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self {
            address: address.to_owned(),
            request: request.into_bytes().into(),
        }
    }
}

/// Lets a crowd ask for some time: each as soon as it is answered, or together at a rate.
async fn crowd(asked: &Asked, clients: u32, rate: Option<f64>, time: Duration) -> Result<Came> {
    let pause = rate.map(|rate| Duration::from_secs_f64(f64::from(clients) / rate));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let (address, request) = (asked.address.clone(), asked.request.clone());
        let first = pause
            .unwrap_or_default()
            .mul_f64(f64::from(client) / f64::from(clients));
        tasks.spawn(async move { ask(&address, &request, start, first, pause, time).await });
    }
    let mut came = Came::default();
    while let Some(answers) = tasks.join_next().await {
        came.0.extend(answers?);
    }
    Ok(came)
}

/// One client. When it is behind its times it asks at once.
async fn ask(
    address: &str,
    request: &[u8],
    start: Instant,
    first: Duration,
    pause: Option<Duration>,
    time: Duration,
) -> Vec<(u16, Duration)> {
    let mut came = Vec::new();
    let mut next = start + first;
    let (mut connection, mut answer) = (None, Vec::with_capacity(16 << 10));
    while start.elapsed() < time {
        if pause.is_some() {
            tokio::time::sleep_until(next.into()).await;
        }
        let asked = Instant::now();
        let status = once(&mut connection, &mut answer, address, request).await;
        if status.is_err() {
            connection = None;
        }
        let status = status.unwrap_or(0);
        came.push((status, asked.elapsed()));
        next = (next + pause.unwrap_or_default()).max(Instant::now());
    }
    came
}

async fn once(
    connection: &mut Option<TcpStream>,
    answer: &mut Vec<u8>,
    address: &str,
    request: &[u8],
) -> Result<u16> {
    if connection.is_none() {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        *connection = Some(stream);
    }
    let Some(stream) = connection else {
        return Err("no connection".into());
    };
    stream.write_all(request).await?;
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err("the server hung up".into());
        }
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(end) = head.parse(answer)? else {
            continue;
        };
        let length = head
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case("content-length"))
            .ok_or("no length")?;
        let length: usize = str::from_utf8(length.value)?.parse()?;
        let status = head.code.ok_or("no status")?;
        if answer.len() >= end + length {
            return Ok(status);
        }
    }
}

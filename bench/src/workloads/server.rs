//! A side: a server as a process of its own, how soon it is ready, how much memory it has.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// How often a start is measured.
const STARTS: usize = 7;

/// A program that can be started over a database.
#[derive(Clone, Debug)]
pub(super) struct Program {
    file: PathBuf,
    arguments: &'static [&'static str],
}

impl Program {
    /// The hand-written endpoint, which is in this program.
    pub(super) fn limit() -> Result<Self> {
        Ok(Self {
            file: std::env::current_exe()?,
            arguments: &["limit"],
        })
    }

    pub(super) fn parlour(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            arguments: &["serve", "--listen", "127.0.0.1:0", "--log", "error"],
        }
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    process: Child,
    pub(super) address: SocketAddr,
    /// From the start of the process to the line that says where it answers.
    ready: Duration,
}

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) now: u64,
    pub(super) most: u64,
}

impl Server {
    pub(super) fn start(program: &Program, url: &str) -> Result<Self> {
        let start = Instant::now();
        let mut process = Command::new(&program.file)
            .args(program.arguments)
            .env("PARLOUR_DATABASE_URL", url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.file.display()))?;
        let mut output = BufReader::new(process.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let ready = start.elapsed();
        let address = line
            .split_once("http://")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .ok_or_else(|| format!("{} did not start: {line}", program.file.display()))?;
        let address = address.trim_end_matches('/').parse()?;
        // A pipe that nobody reads would fill up and hold the server.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Ok(Self {
            process,
            address,
            ready,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn memory(&self) -> Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok())
                .ok_or_else(|| format!("no {name}"))
        };
        Ok(Memory {
            now: of("VmRSS:")?,
            most: of("VmHWM:")?,
        })
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop().ok();
    }
}

/// How soon each is ready over a database whose tables are as they are to be: in the middle of some starts.
pub(super) async fn start_up(programs: &[Program; 2], url: &str) -> Result<[Duration; 2]> {
    // The first brings the tables up to date, if they are not.
    for program in programs {
        Server::start(program, url)?.stop()?;
    }
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..STARTS {
        for (program, times) in programs.iter().zip(&mut times) {
            let mut server = Server::start(program, url)?;
            times.push(server.ready);
            server.stop()?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(times.map(|mut times| {
        times.sort_unstable();
        times[STARTS / 2]
    }))
}

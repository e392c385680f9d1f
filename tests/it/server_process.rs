//! The real binary, serving on a real socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::World;

/// The binary, knowing nothing of the settings of who runs the test.
pub(crate) fn parlour() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlour"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PARLOUR_") {
            command.env_remove(name);
        }
    }
    command.env("COLUMNS", "100").stdin(Stdio::null());
    command
}

/// The binary, on the database of a world.
pub(crate) fn at(world: &World) -> Command {
    let mut command = parlour();
    command.env("PARLOUR_DATABASE_URL", &world.url);
    command
}

/// A server that runs until it is stopped, or dropped.
pub(crate) struct ServerProcess {
    pub(crate) process: Child,
    output: BufReader<std::process::ChildStdout>,
    pub(crate) address: String,
    /// What it printed when it was ready.
    pub(crate) line: String,
}

impl ServerProcess {
    /// Starts a server on a free port.
    pub(crate) fn start(command: Command) -> Self {
        Self::launch(command).ready()
    }

    pub(crate) fn launch(mut command: Command) -> Self {
        if command.get_args().next().is_none() {
            command.args(["serve", "--listen", "127.0.0.1:0"]);
        }
        command.env("PARLOUR_LOG", "error").stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            output,
            address: String::new(),
            line: String::new(),
        }
    }

    /// Waits for the line that tells the address.
    pub(crate) fn ready(mut self) -> Self {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        address
            .unwrap_or_else(|| panic!("no address in {line:?}"))
            .clone_into(&mut self.address);
        self.line = line;
        self
    }

    /// Asks it to stop; what it printed after its first line.
    pub(crate) fn stop(mut self) -> String {
        let asked = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(asked.success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "ended with {status}");
        rest
    }

    /// Bytes of memory that it has.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        kilobytes.unwrap().parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn get(&self, address: &str) -> Answer {
        self.send(&format!("GET {address} HTTP/1.1\r\n"), "")
    }

    pub(crate) fn post(&self, content_type: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n");
        self.send(&format!("POST /graphql HTTP/1.1\r\n{head}"), body)
    }

    pub(crate) fn send(&self, head: &str, body: &str) -> Answer {
        exchange(&self.address, head, body).unwrap()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

/// Sends a request on a connection of its own. `None` when there is no complete answer, because nobody is there any more.
pub(crate) fn exchange(address: &str, head: &str, body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!("{head}Host: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    // A body that is too large may be refused before it is read.
    stream.write_all(body.as_bytes()).ok();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok();
    Answer::parse(&String::from_utf8_lossy(&text))
}

/// Sends a question to a server that may not live long enough to answer it.
pub(crate) fn post(address: &str, body: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    stream.read_to_end(&mut Vec::new()).ok();
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// An answer over HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// An answer that came to its end.
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let answer = Self {
            status: head.split(' ').nth(1)?.parse().ok()?,
            head: head.to_owned(),
            body: body.to_owned(),
        };
        let length = answer.header("content-length");
        let complete = length.is_none_or(|length| length.parse() == Ok(answer.body.len()));
        complete.then_some(answer)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

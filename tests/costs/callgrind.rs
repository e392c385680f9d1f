//! Instructions, counted by valgrind: this program runs itself in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::question::Question;
use crate::server::{Server, check, request};

/// Tells the program inside which file it is to serve.
const FILE: &str = "PARLOUR_COSTS_FILE";

/// Times that a question is counted; the least counts. Waiting for another thread takes a few instructions more or less.
const TIMES: usize = 9;
/// Inside, the C library copies no memory by `rep movsb`: of it each turn is counted, and how many those are depends on where the
/// memory lies and on the processor. In a short request that is more than a tenth.
const COPIES: &str = "glibc.cpu.hwcaps=-ERMS,-FSRM";
/// What is counted, as valgrind calls it.
const COUNTED: &str = concat!(module_path!(), "::counted");

/// The file to serve, when this is the program inside.
pub(crate) fn file() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

/// The instructions of so many questions, one by one. None where valgrind is not installed.
pub(crate) fn instructions(file: &Path, questions: usize) -> Option<Vec<u64>> {
    let known = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !known.is_ok_and(|status| status.success()) {
        eprintln!("instructions are not counted: valgrind is not installed (dev/valgrind.sh)");
        return None;
    }
    let out = file.with_extension("callgrind");
    // Each time that `counted` is left, what it took is written to a file of its own.
    let told = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--dump-after={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "requests_cost_what_they_did", "--nocapture"])
        .env(FILE, file)
        .env("GLIBC_TUNABLES", COPIES)
        .output()
        .unwrap();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let count = |place: usize| -> u64 {
        let file = out.with_extension(format!("callgrind.{}", place + 1));
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("valgrind has not seen `{COUNTED}`: {error}"));
        std::fs::remove_file(&file).unwrap();
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        total.unwrap().trim().parse().unwrap()
    };
    let counts: Vec<_> = (0..questions * TIMES).map(count).collect();
    let least = counts.chunks(TIMES).map(|times| times.iter().min());
    let counts = least.map(|least| *least.unwrap()).collect();
    std::fs::remove_file(&out).unwrap();
    Some(counts)
}

/// Inside: answers each question under the eyes of valgrind.
pub(crate) fn answer(server: &Server) {
    for question in Question::all(server) {
        server.warm(&question);
        for time in 0..TIMES {
            let request = request(question.body(usize::MAX - time));
            check(&question.name, &counted(server, request));
        }
    }
}

/// What valgrind counts.
#[inline(never)]
fn counted(
    server: &Server,
    request: axum::http::Request<axum::body::Body>,
) -> (axum::http::StatusCode, axum::body::Bytes) {
    server.ask(request)
}

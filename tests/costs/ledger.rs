//! `costs.toml`: what requests may cost, and by how much they may differ from it.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fmt::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Allocations may differ by this much, in percent.
const MARGIN: u64 = 3;
/// Instructions by this much: a few depend on the machine, as those that copy memory.
const MARGIN_OF_INSTRUCTIONS: u64 = 5;
/// And by so many: the request is polled once more or less, as the thread that asks the database is faster or slower. In a build
/// for tests a poll goes through the whole stack of layers, which takes some 20,000.
const POLLS: u64 = 50_000;

const HEAD: &str = "\
# What fixed requests (tests/costs/questions) cost in a build for tests, on SQLite, when they have been asked before.
# `UPDATE=1 cargo test --test costs` writes this file; read the diff. A figure that grows needs a reason.

";

/// What one request costs.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Entry {
    /// Statements sent.
    pub(crate) statements: u64,
    /// Allocations of the thread that answers.
    pub(crate) allocations: u64,
    /// Bytes that these asked for.
    pub(crate) bytes: u64,
    /// Instructions of the thread that answers. None where nobody could count them.
    pub(crate) instructions: Option<u64>,
}

/// All of them.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Ledger {
    /// Another compiler makes other instructions, and another processor has others.
    rustc: String,
    costs: BTreeMap<String, Entry>,
}

impl Ledger {
    /// What this build costs.
    pub(crate) fn of(costs: BTreeMap<String, Entry>) -> Self {
        let rustc = std::process::Command::new("rustc")
            .arg("--version")
            .output();
        let rustc = rustc.map(|told| String::from_utf8_lossy(&told.stdout).trim().to_owned());
        Self {
            rustc: format!("{} for {ARCH}", rustc.unwrap_or_default()),
            costs,
        }
    }

    /// What is committed.
    pub(crate) fn read() -> Self {
        toml::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap()
    }

    /// Commits these figures. Instructions that nobody could count stay as they were.
    pub(crate) fn write(&self) {
        let text = std::fs::read_to_string(file()).unwrap_or_default();
        let before: Option<Self> = toml::from_str(&text).ok();
        let mut text = HEAD.to_owned();
        let counted = self
            .costs
            .values()
            .all(|entry| entry.instructions.is_some());
        let rustc = match &before {
            Some(before) if !counted => &before.rustc,
            _ => &self.rustc,
        };
        writeln!(text, "rustc = \"{rustc}\"").unwrap();
        for (name, entry) in &self.costs {
            let Entry {
                statements,
                allocations,
                bytes,
                ..
            } = entry;
            let kept = || before.as_ref()?.costs.get(name)?.instructions;
            write!(text, "\n[costs.{name}]\nstatements = {statements}\nallocations = {allocations}\nbytes = {bytes}\n").unwrap();
            if let Some(instructions) = entry.instructions.or_else(kept) {
                writeln!(text, "instructions = {instructions}").unwrap();
            }
        }
        std::fs::write(file(), text).unwrap();
    }

    /// What has become dearer than it may.
    pub(crate) fn compare(&self, now: &Self) -> Vec<String> {
        let mut complaints = Vec::new();
        let same_names = self.costs.keys().eq(now.costs.keys());
        if !same_names {
            complaints.push(
                "costs.toml has other requests: run UPDATE=1 cargo test --test costs".to_owned(),
            );
        }
        for (name, now_entry) in &now.costs {
            let Some(entry) = self.costs.get(name) else {
                continue;
            };
            let Entry {
                statements,
                allocations,
                bytes,
                instructions,
            } = *entry;
            for (what, then, now, margin) in [
                ("statements", statements, now_entry.statements, 0),
                ("allocations", allocations, now_entry.allocations, MARGIN),
                ("bytes", bytes, now_entry.bytes, MARGIN),
            ] {
                complaints.extend(judged(name, what, then, now, then * margin / 100));
            }
            if let (Some(then), Some(counted)) = (instructions, now_entry.instructions)
                && self.rustc == now.rustc
            {
                let margin = then * MARGIN_OF_INSTRUCTIONS / 100 + POLLS;
                complaints.extend(judged(name, "instructions", then, counted, margin));
            }
        }
        if self.rustc != now.rustc {
            eprintln!(
                "instructions are not compared: they were counted with {}, and this is {}",
                self.rustc, now.rustc
            );
        }
        complaints
    }
}

fn judged(name: &str, what: &str, then: u64, now: u64, margin: u64) -> Option<String> {
    eprintln!("{name}: {now} {what}, committed {then}");
    let most = then + margin;
    if now > most {
        return Some(format!(
            "{name} takes {now} {what}, and {then} are committed (at most {most}): make it cheaper, or give the reason with \
             UPDATE=1 cargo test --test costs"
        ));
    }
    if now < then.saturating_sub(margin) {
        eprintln!("{name} has become cheaper: keep that with UPDATE=1 cargo test --test costs");
    }
    None
}

fn file() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "costs", "costs.toml"]
        .iter()
        .collect()
}

//! Limits: how much one request may ask for, and how much the server does at once.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

/// Settings of the limits. Each refusal names the limit as it is written here.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitSettings {
    /// Size of a request at most [default: 1048576]
    #[arg(long, env = "PARLOUR_BODY_LIMIT", value_name = "BYTES")]
    pub body_limit: Option<usize>,
    /// Tokens of a document at most [default: 10000]
    #[arg(long, env = "PARLOUR_TOKEN_LIMIT", value_name = "N")]
    pub token_limit: Option<usize>,
    /// Levels of fields at most, introspection aside [default: 20]
    #[arg(long, env = "PARLOUR_DEPTH_LIMIT", value_name = "N")]
    pub depth_limit: Option<u64>,
    /// Fields of an operation at most, fragments written out [default: 5000]
    #[arg(long, env = "PARLOUR_FIELD_LIMIT", value_name = "N")]
    pub field_limit: Option<u64>,
    /// Fields at the top of an operation at most [default: 50]
    #[arg(long, env = "PARLOUR_ROOT_FIELD_LIMIT", value_name = "N")]
    pub root_field_limit: Option<u64>,
    /// Aliases in an operation at most, fragments written out [default: 200]
    #[arg(long, env = "PARLOUR_ALIAS_LIMIT", value_name = "N")]
    pub alias_limit: Option<u64>,
    /// Directives in an operation at most, fragments written out [default: 200]
    #[arg(long, env = "PARLOUR_DIRECTIVE_LIMIT", value_name = "N")]
    pub directive_limit: Option<u64>,
    /// Operations in a document at most [default: 20]
    #[arg(long, env = "PARLOUR_OPERATION_LIMIT", value_name = "N")]
    pub operation_limit: Option<u64>,
    /// What a request may cost at most: an object costs 1, see docs/operations.md [default: 50000]
    #[arg(long, env = "PARLOUR_COST_LIMIT", value_name = "COST")]
    pub cost_limit: Option<u64>,
    /// Cost that somebody may spend a second, in the long run; 0 is no limit [default: 2000, 0 where nobody has to say who they are]
    #[arg(long, env = "PARLOUR_RATE_LIMIT", value_name = "COST")]
    pub rate_limit: Option<u64>,
    /// Cost that somebody may spend at once [default: 100000]
    #[arg(long, env = "PARLOUR_RATE_BURST", value_name = "COST")]
    pub rate_burst: Option<u64>,
    /// Copies of the program that share the work, and the rates with it [default: 1]
    #[arg(long, env = "PARLOUR_RATE_COPIES", value_name = "N")]
    pub rate_copies: Option<u64>,
    /// Cost of a second that the database works for somebody, charged when the request is answered; 0 charges objects alone [default: 10000]
    #[arg(long, env = "PARLOUR_RATE_DATABASE", value_name = "COST")]
    pub rate_database: Option<u64>,
    /// Requests in one batch at most; 0 refuses batches [default: 0]
    #[arg(long, env = "PARLOUR_BATCH_LIMIT", value_name = "N")]
    pub batch_limit: Option<usize>,
    /// Errors in an answer at most [default: 20]
    #[arg(long, env = "PARLOUR_ERROR_LIMIT", value_name = "N")]
    pub error_limit: Option<usize>,
    /// Requests taken at once; more are refused with 503 [default: 128]
    #[arg(long, env = "PARLOUR_CONCURRENCY_LIMIT", value_name = "N")]
    pub concurrency_limit: Option<usize>,
    /// Requests worked on at once, the others wait for their turn [default: 8 for each core]
    #[arg(long, env = "PARLOUR_PARALLEL_LIMIT", value_name = "N")]
    pub parallel_limit: Option<usize>,
    /// Time that a request may take [default: 10000]
    #[arg(long, env = "PARLOUR_REQUEST_TIMEOUT", value_name = "MS")]
    pub request_timeout: Option<u64>,
    /// Time that a request's body may take to arrive [default: 10000]
    #[arg(long, env = "PARLOUR_BODY_TIMEOUT", value_name = "MS")]
    pub body_timeout: Option<u64>,
    /// Connections at once; more wait in the queue of the operating system [default: 4096]
    #[arg(long, env = "PARLOUR_CONNECTION_LIMIT", value_name = "N")]
    pub connection_limit: Option<usize>,
    /// Time that a connection may be without a complete head of a request [default: 30000]
    #[arg(long, env = "PARLOUR_IDLE_TIMEOUT", value_name = "MS")]
    pub idle_timeout: Option<u64>,
    /// Time that a client may go without reading what it is sent [default: 10000]
    #[arg(long, env = "PARLOUR_WRITE_TIMEOUT", value_name = "MS")]
    pub write_timeout: Option<u64>,
    /// Size of an answer at most, and of the texts that are read for it [default: 16777216]
    #[arg(long, env = "PARLOUR_ANSWER_LIMIT", value_name = "BYTES")]
    pub answer_limit: Option<u64>,
    /// Memory for the texts of all answers together, while they are made and sent [default: 268435456]
    #[arg(long, env = "PARLOUR_ANSWER_MEMORY", value_name = "BYTES")]
    pub answer_memory: Option<u64>,
    /// How far ahead of the server's clock the times of recorded events may be [default: 86400]
    #[arg(long, env = "PARLOUR_CLOCK_AHEAD_LIMIT", value_name = "SECONDS")]
    pub clock_ahead_limit: Option<u64>,
    /// Memory for documents that are kept parsed and checked, each about a hundred times its text [default: 67108864]
    #[arg(long, env = "PARLOUR_DOCUMENT_CACHE", value_name = "BYTES")]
    pub document_cache: Option<u64>,
}

/// The limits as they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request.
    pub body: usize,
    /// Tokens of a document.
    pub tokens: usize,
    /// Levels of fields.
    pub depth: u64,
    /// Fields of an operation.
    pub fields: u64,
    /// Fields at the top of an operation.
    pub root_fields: u64,
    /// Aliases in an operation.
    pub aliases: u64,
    /// Directives in an operation.
    pub directives: u64,
    /// Operations in a document.
    pub operations: u64,
    /// Cost of a request.
    pub cost: u64,
    /// Cost that somebody may spend a second; `None` when nothing was said.
    pub rate: Option<u64>,
    /// Cost that somebody may spend at once.
    pub rate_burst: u64,
    /// Copies of the program that share the rates.
    pub rate_copies: u64,
    /// Cost of a second that the database works.
    pub rate_database: u64,
    /// Requests in a batch; 0 refuses batches.
    pub batch: usize,
    /// Errors in an answer.
    pub errors: usize,
    /// Requests taken at once.
    pub concurrency: usize,
    /// Requests worked on at once.
    pub parallel: usize,
    /// Time that a request may take.
    pub request_timeout: Duration,
    /// Time that a body may take to arrive.
    pub body_timeout: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Time that a connection may be without a complete head of a request.
    pub idle_timeout: Duration,
    /// Time that a client may go without reading what it is sent.
    pub write_timeout: Duration,
    /// Bytes of an answer, and of the texts that are read for it.
    pub answer: u64,
    /// Bytes of the texts of all answers together.
    pub answer_memory: u64,
    /// How far ahead of the server's clock the times of recorded events may be.
    pub clock_ahead: Duration,
    /// Bytes of memory for documents that are kept checked.
    pub document_cache: u64,
}

/// How far ahead of the clock the times of events may be, unless told otherwise, in seconds: a day.
pub const CLOCK_AHEAD: u64 = 24 * 60 * 60;

impl LimitSettings {
    /// The limits, with the defaults where nothing was said.
    pub fn limits(&self) -> Limits {
        Limits {
            body: self.body_limit.unwrap_or(1 << 20),
            tokens: self.token_limit.unwrap_or(10_000),
            depth: self.depth_limit.unwrap_or(20),
            fields: self.field_limit.unwrap_or(5_000),
            root_fields: self.root_field_limit.unwrap_or(50),
            aliases: self.alias_limit.unwrap_or(200),
            directives: self.directive_limit.unwrap_or(200),
            operations: self.operation_limit.unwrap_or(20),
            cost: self.cost_limit.unwrap_or(50_000),
            rate: self.rate_limit,
            rate_burst: self.rate_burst.unwrap_or(100_000),
            rate_copies: self.rate_copies.unwrap_or(1),
            rate_database: self.rate_database.unwrap_or(10_000),
            batch: self.batch_limit.unwrap_or(0),
            errors: self.error_limit.unwrap_or(20),
            concurrency: self.concurrency_limit.unwrap_or(128),
            parallel: self.parallel_limit.unwrap_or_else(several_per_core).max(1),
            request_timeout: Duration::from_millis(self.request_timeout.unwrap_or(10_000)),
            body_timeout: Duration::from_millis(self.body_timeout.unwrap_or(10_000)),
            connections: self.connection_limit.unwrap_or(4_096).max(1),
            idle_timeout: Duration::from_millis(self.idle_timeout.unwrap_or(30_000)),
            write_timeout: Duration::from_millis(self.write_timeout.unwrap_or(10_000)),
            answer: self.answer_limit.unwrap_or(16 << 20),
            answer_memory: self.answer_memory.unwrap_or(256 << 20),
            clock_ahead: Duration::from_secs(self.clock_ahead_limit.unwrap_or(CLOCK_AHEAD)),
            document_cache: self.document_cache.unwrap_or(64 << 20),
        }
    }
}

/// How much somebody may spend: a leaky bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What it leaks in a second; not 0.
    pub per_second: u64,
    /// What it holds.
    pub burst: u64,
    /// Cost of a second that the database works.
    pub database: u64,
}

impl Limits {
    /// How much each principal may spend here. Where nobody has to say who they are all would share one bucket, so there is none
    /// unless it is asked for.
    pub fn rate(&self, everybody_is_known: bool) -> Option<Rate> {
        let per_second = self
            .rate
            .unwrap_or(if everybody_is_known { 2_000 } else { 0 });
        let rate = Rate {
            per_second,
            burst: self.rate_burst,
            database: self.rate_database,
        };
        (per_second > 0).then(|| rate.divided(self.rate_copies, self.cost))
    }
}

impl Rate {
    /// The share of one copy. What holds the largest request is not divided: otherwise it could pass nowhere.
    #[must_use]
    pub fn divided(self, copies: u64, largest: u64) -> Self {
        let copies = copies.max(1);
        Self {
            per_second: (self.per_second / copies).max(1),
            burst: (self.burst / copies).max(self.burst.min(largest)),
            database: self.database,
        }
    }

    /// The time in which a cost leaks.
    pub fn time(self, cost: u64) -> Duration {
        let nanos = u128::from(cost) * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The cost of work of the database that took so long.
    pub fn of_work(self, time: Duration) -> u64 {
        let cost = time.as_nanos() * u128::from(self.database) / 1_000_000_000;
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// The cost that leaks in a time.
    pub fn cost(self, time: Duration) -> u64 {
        let cost = time.as_nanos() * u128::from(self.per_second) / 1_000_000_000;
        u64::try_from(cost).unwrap_or(u64::MAX)
    }
}

/// Enough to keep every core and the database busy; more would only keep each other from coming to an end.
fn several_per_core() -> usize {
    std::thread::available_parallelism().map_or(8, |cores| 8 * cores.get())
}

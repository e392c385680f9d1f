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
    /// Documents that are kept parsed and checked, in bytes of their text [default: 4194304]
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
    /// Bytes of documents that are kept checked.
    pub document_cache: u64,
}

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
            batch: self.batch_limit.unwrap_or(0),
            errors: self.error_limit.unwrap_or(20),
            concurrency: self.concurrency_limit.unwrap_or(128),
            parallel: self.parallel_limit.unwrap_or_else(several_per_core).max(1),
            request_timeout: Duration::from_millis(self.request_timeout.unwrap_or(10_000)),
            body_timeout: Duration::from_millis(self.body_timeout.unwrap_or(10_000)),
            document_cache: self.document_cache.unwrap_or(4 << 20),
        }
    }
}

/// Enough to keep every core and the database busy; more would only keep each other from coming to an end.
fn several_per_core() -> usize {
    std::thread::available_parallelism().map_or(8, |cores| 8 * cores.get())
}

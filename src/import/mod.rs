//! Reads the exchange format: from the bytes of files to batches of events, with a reason for every line that is none.
//!
//! `source` opens, `decompress` unpacks, `foreign` knows files of other kinds, `lines` splits, `parse` reads one line, `batch` does all that on a thread of its own, and
//! `reject` is what becomes of the lines that were not taken. Nothing here knows of the database, nothing is kept between runs, and
//! memory does not grow with the input.

mod batch;
mod decompress;
mod foreign;
mod lines;
mod parse;
mod reject;
mod source;
mod strict;

pub use batch::{Allowed, Batch, Broken, Reading};
pub use decompress::{MAX_WINDOW_LOG, WINDOW_LOG};
pub use reject::{Position, Reject, RejectsFile};
pub use source::{Source, total_bytes};

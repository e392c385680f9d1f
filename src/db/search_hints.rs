//! What was learned lately about questions: a hint which way to their answer is short, and never an answer.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

/// How long it holds.
const KEPT: Duration = Duration::from_mins(1);
/// About how many questions it is known of.
const QUESTIONS: usize = 1_000;

/// Questions of which the same was learned, by a hash: two that share one share a hint.
#[derive(Debug)]
pub struct Learned(Cache<u64, Instant>);

impl Default for Learned {
    fn default() -> Self {
        Self(Cache::new(QUESTIONS))
    }
}

impl Learned {
    /// Whether it was learned of a question, and not too long ago.
    pub fn has(&self, question: &impl Hash) -> bool {
        let learned = self.0.get(&hash(question));
        learned.is_some_and(|at| at.elapsed() < KEPT)
    }

    /// Notes that it was learned of a question.
    pub fn note(&self, question: &impl Hash) {
        self.0.insert(hash(question), Instant::now());
    }
}

fn hash(question: &impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(question)
}

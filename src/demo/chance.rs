//! Chance: every draw of the made-up audience, from a stream that is the same on every machine and in every version.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A multiplier that is odd, so that multiplying by it modulo a power of two meets every number once.
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A source of draws. Whole numbers only: floating point may differ between machines.
#[derive(Clone, Debug)]
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of this number under this seed. Streams know nothing of each other: what one user
    /// draws changes nothing for the next.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Any number.
    pub(super) fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `limit`; 0 when there is none.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.any() % limit.max(1)
    }

    /// A number from `low` up to and including `high`; `low` when `high` is not above it.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = if high > low { high.abs_diff(low) } else { 0 };
        low.saturating_add_unsigned(self.below(span.saturating_add(1)))
    }

    /// Yes, so many times in a thousand.
    pub(super) fn per_mille(&mut self, share: u32) -> bool {
        self.0.next_u32() % 1_000 < share
    }

    /// A place in a list of this length, which is not 0.
    fn place(&mut self, length: usize) -> usize {
        self.0.next_u32() as usize % length
    }

    /// One of a list that is not empty.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.place(list.len())]
    }

    /// One word of a list that is not empty.
    pub(super) fn word(&mut self, words: &[&'static str]) -> &'static str {
        words[self.place(words.len())]
    }

    /// One of a list that is not empty, each as often as its weight says.
    pub(super) fn weigh<'a, T>(&mut self, list: &'a [T], weight: impl Fn(&T) -> u32) -> &'a T {
        let total: u32 = list.iter().map(&weight).sum();
        let mut left = self.0.next_u32() % total.max(1);
        for item in list {
            match left.checked_sub(weight(item)) {
                Some(rest) => left = rest,
                None => return item,
            }
        }
        &list[0]
    }
}

/// The number, moved about below 2^`bits`: no two numbers below that land in one place, and neighbours land far apart.
pub(super) const fn scatter(number: u64, bits: u32) -> u64 {
    number.wrapping_mul(SCATTER) & (u64::MAX >> (64 - bits))
}

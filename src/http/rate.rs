//! How much somebody may ask for over time: a leaky bucket of cost for each principal. Between steps three and four, when the cost is
//! known and nothing has been read yet.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::{HeaderName, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};

use super::respond::{Answer, Refusal};
use crate::clock::Timestamp;
use crate::config::Rate;
use crate::db::query_stats::QueryStats;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
/// The headers that an answer may have, for pages of other origins.
pub(super) const HEADERS: [HeaderName; 5] = [POLICY, STATE, LIMIT, REMAINING, RESET];
/// What every request costs at least: one that reads nothing is work too.
const LEAST: u64 = 1;
/// Buckets that are kept before the empty ones are looked for.
const FEW: usize = 1 << 10;
/// Buckets that are kept at most. Whoever comes then shares one with the others who do.
const MOST: usize = 1 << 16;

/// The buckets of everybody who has asked lately.
///
/// `governor` counts in the same way, but takes nothing back: what a request did not use could not be returned.
pub(super) struct Rates {
    rate: Rate,
    policy: HeaderValue,
    start: Instant,
    buckets: Mutex<Buckets>,
}

/// What a request has paid. When it is dropped without an answer, nothing of that is returned, and work of the database beyond it is
/// charged.
pub(super) struct Charge<'a> {
    rates: &'a Rates,
    name: &'a str,
    paid: u64,
    /// What the request asked of the database.
    tally: Arc<QueryStats>,
    settled: AtomicBool,
}

impl Rates {
    pub(super) fn new(rate: Rate) -> Self {
        let whole = seconds(rate.time(rate.burst));
        let policy = format!("\"cost\";q={};w={whole};qu=\"cost\"", rate.burst);
        Self {
            rate,
            policy: HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("")),
            start: Instant::now(),
            buckets: Mutex::default(),
        }
    }

    /// Lets a request pay its cost, or refuses it.
    pub(super) fn charge<'a>(
        &'a self,
        name: &'a str,
        cost: u64,
        tally: Arc<QueryStats>,
    ) -> Result<Charge<'a>, Refusal> {
        let cost = cost.max(LEAST);
        if cost > self.rate.burst {
            return Err(never(cost, self.rate.burst));
        }
        let (time, burst) = (self.rate.time(cost), self.rate.time(self.rate.burst));
        let now = self.start.elapsed();
        match self.buckets().pay(name, time, burst, now) {
            Ok(()) => Ok(Charge {
                rates: self,
                name,
                paid: cost,
                tally,
                settled: AtomicBool::new(false),
            }),
            Err(wait) => Err(later(cost, self.rate.burst, wait)),
        }
    }

    /// What somebody may spend right now, and the time until they may spend all again.
    fn state(&self, name: &str) -> (u64, Duration) {
        let full = self.buckets().full_in(name, self.start.elapsed());
        let left = self.rate.time(self.rate.burst).saturating_sub(full);
        (self.rate.cost(left), full)
    }

    /// Tells somebody where they are, on every answer: as the IETF's draft has it
    /// (draft-ietf-httpapi-ratelimit-headers-10), and in the three headers of its first editions.
    pub(super) fn tell(&self, name: &str, headers: &mut HeaderMap) {
        let (remaining, full) = self.state(name);
        // What is told to come again at one time is not told another here.
        let told = headers
            .get(RETRY_AFTER)
            .and_then(|after| after.to_str().ok()?.parse().ok());
        // The draft asks when there is more: right away, in a bucket that leaks. Its first editions asked when all is there.
        let more: u64 = told.unwrap_or_else(|| seconds(full).min(1));
        let reset: u64 = told.unwrap_or_else(|| seconds(full));
        headers.insert(POLICY, self.policy.clone());
        if let Ok(state) = HeaderValue::from_str(&format!("\"cost\";r={remaining};t={more}")) {
            headers.insert(STATE, state);
        }
        headers.insert(LIMIT, self.rate.burst.into());
        headers.insert(REMAINING, remaining.into());
        headers.insert(RESET, reset.into());
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charge<'_> {
    /// Charges what the request used, which is what its answer costs or the work of the database for it, whichever is more. Returns
    /// the rest of what it has paid. Only the first time.
    pub(super) fn settle(&self, actual: u64) {
        if self.settled.swap(true, Ordering::Relaxed) {
            return;
        }
        let rate = self.rates.rate;
        let work = rate.of_work(self.tally.figures().worked);
        let used = actual.max(work).max(LEAST);
        if let Some(unused) = self.paid.checked_sub(used) {
            let time = rate.time(unused);
            self.rates.buckets().give_back(self.name, time);
        } else {
            let time = rate.time(used - self.paid);
            let (burst, now) = (rate.time(rate.burst), self.rates.start.elapsed());
            self.rates
                .buckets()
                .charge_more(self.name, time, burst, now);
        }
    }

    /// Tells in the answer what is left.
    pub(super) fn tell(&self, answer: &mut Answer) {
        let (remaining, full) = self.rates.state(self.name);
        let full = i64::try_from(full.as_micros()).unwrap_or(i64::MAX);
        let reset = Timestamp(Timestamp::now().0.saturating_add(full));
        answer.tell_rate(self.rates.rate.burst, remaining, &reset.to_rfc3339());
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.settle(self.paid);
    }
}

/// For each name the time at which its bucket is empty again, since the server's start: one number is all that a leaky bucket needs
/// (the generic cell rate algorithm). Time comes in as a value.
#[derive(Default)]
struct Buckets {
    empty_at: HashMap<String, Duration>,
    /// How many there may be before the empty ones are dropped.
    room: usize,
}

impl Buckets {
    /// Fills a bucket by `time`; or tells how long to wait until that has room.
    fn pay(
        &mut self,
        name: &str,
        time: Duration,
        burst: Duration,
        now: Duration,
    ) -> Result<(), Duration> {
        let name = self.shared(name);
        let filled = self.empty_at.get(name).map_or(now, |at| *at.max(&now)) + time;
        match filled.checked_sub(now + burst) {
            Some(wait) if !wait.is_zero() => return Err(wait),
            _ => {}
        }
        if let Some(at) = self.empty_at.get_mut(name) {
            *at = filled;
        } else {
            self.make_room(now);
            let name = self.shared(name).to_owned();
            self.empty_at.insert(name, filled);
        }
        Ok(())
    }

    fn give_back(&mut self, name: &str, time: Duration) {
        let name = self.shared(name);
        if let Some(at) = self.empty_at.get_mut(name) {
            *at = at.saturating_sub(time);
        }
    }

    /// Fills a bucket by `time`, also beyond what it holds: as much again at most, so that everybody may go on in a time that can be
    /// foreseen.
    fn charge_more(&mut self, name: &str, time: Duration, burst: Duration, now: Duration) {
        let name = self.shared(name);
        if let Some(at) = self.empty_at.get_mut(name) {
            let filled = (*at).max(now);
            *at = (filled + time).min(filled.max(now + 2 * burst));
        }
    }

    /// The time until the bucket is empty.
    fn full_in(&self, name: &str, now: Duration) -> Duration {
        let at = self.empty_at.get(self.shared(name));
        at.map_or(Duration::ZERO, |at| at.saturating_sub(now))
    }

    /// The bucket of a name: its own, or when there are too many, the one of all others.
    fn shared<'a>(&self, name: &'a str) -> &'a str {
        if self.empty_at.len() >= MOST && !self.empty_at.contains_key(name) {
            ""
        } else {
            name
        }
    }

    /// Drops the buckets that are empty, now and then.
    fn make_room(&mut self, now: Duration) {
        if self.empty_at.len() >= self.room.max(FEW) {
            self.empty_at.retain(|_, at| *at > now);
            self.room = (2 * self.empty_at.len()).min(MOST);
        }
    }
}

/// The refusal of what costs more than anybody may ever spend at once. Coming again is no use.
fn never(cost: u64, burst: u64) -> Refusal {
    let message = format!(
        "this costs {cost}, and {burst} is the most that anybody may spend at once (rate-burst); \
         ask for smaller pages or fewer levels"
    );
    Refusal::graphql_new(StatusCode::BAD_REQUEST, super::query_limits::COST, message)
        .limit("rate-burst", burst)
}

/// The refusal of what somebody may ask for later.
fn later(cost: u64, burst: u64, wait: Duration) -> Refusal {
    let wait = seconds(wait);
    let message = format!(
        "this costs {cost}, and you have asked for much lately (rate-limit); try again in {wait} s"
    );
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message)
        .limit("rate-limit", burst)
        .retry_after(wait)
}

/// Whole seconds, rather too many than too few.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Buckets, FEW, MOST};
    use crate::config::Rate;

    /// Ten a second, a hundred at once.
    const RATE: Rate = Rate {
        per_second: 10,
        burst: 100,
        database: 0,
    };

    fn pay(buckets: &mut Buckets, name: &str, cost: u64, now: Duration) -> Result<(), Duration> {
        buckets.pay(name, RATE.time(cost), RATE.time(RATE.burst), now)
    }

    #[test]
    fn a_bucket_takes_a_burst_and_then_its_rate() {
        let mut buckets = Buckets::default();
        let at = Duration::from_secs;
        assert_eq!(pay(&mut buckets, "a", 100, at(5)), Ok(()));
        assert_eq!(
            pay(&mut buckets, "a", 1, at(5)),
            Err(Duration::from_millis(100))
        );
        assert_eq!(pay(&mut buckets, "a", 50, at(5)), Err(at(5)));
        // Refusals cost nothing.
        assert_eq!(pay(&mut buckets, "a", 50, at(10)), Ok(()));
        assert_eq!(
            pay(&mut buckets, "a", 1, at(10)),
            Err(Duration::from_millis(100))
        );
        // Everybody has their own.
        assert_eq!(pay(&mut buckets, "b", 100, at(10)), Ok(()));
        // However long somebody was away, they have no more than a burst.
        assert_eq!(pay(&mut buckets, "a", 100, at(100_000)), Ok(()));
        assert!(pay(&mut buckets, "a", 1, at(100_000)).is_err());
    }

    #[test]
    fn what_was_not_used_comes_back() {
        let mut buckets = Buckets::default();
        let now = Duration::from_secs(1);
        pay(&mut buckets, "a", 100, now).unwrap();
        buckets.give_back("a", RATE.time(60));
        assert_eq!(buckets.full_in("a", now), Duration::from_secs(4));
        assert_eq!(pay(&mut buckets, "a", 60, now), Ok(()));
        assert!(pay(&mut buckets, "a", 1, now).is_err());
        // What comes back late makes no bucket larger than it is.
        let later = Duration::from_mins(1);
        buckets.give_back("a", RATE.time(100));
        buckets.give_back("nobody", RATE.time(100));
        assert_eq!(buckets.full_in("a", later), Duration::ZERO);
        assert_eq!(pay(&mut buckets, "a", 100, later), Ok(()));
        assert!(pay(&mut buckets, "a", 1, later).is_err());
    }

    #[test]
    fn work_beyond_what_was_paid_is_charged_and_debts_are_bounded() {
        let mut buckets = Buckets::default();
        let (now, burst) = (Duration::from_secs(1), RATE.time(RATE.burst));
        pay(&mut buckets, "a", 1, now).unwrap();
        buckets.charge_more("a", RATE.time(109), burst, now);
        // 10 more than a burst: after a second there is room for nothing yet, after two for ten.
        assert!(pay(&mut buckets, "a", 1, Duration::from_secs(2)).is_err());
        assert_eq!(pay(&mut buckets, "a", 10, Duration::from_secs(3)), Ok(()));
        buckets.charge_more("a", RATE.time(1_000_000), burst, now);
        assert_eq!(buckets.full_in("a", now), 2 * burst);
        // What leaked meanwhile is not charged for.
        let later = Duration::from_secs(100);
        buckets.charge_more("a", RATE.time(5), burst, later);
        assert_eq!(buckets.full_in("a", later), RATE.time(5));
    }

    #[test]
    fn work_of_the_database_has_a_price() {
        let rate = Rate {
            database: 10_000,
            ..RATE
        };
        assert_eq!(rate.of_work(Duration::from_micros(1_500)), 15);
        assert_eq!(rate.of_work(Duration::ZERO), 0);
        assert_eq!(RATE.of_work(Duration::from_secs(9)), 0);
    }

    #[test]
    fn buckets_that_are_empty_are_dropped() {
        let mut buckets = Buckets::default();
        for number in 0..100_000_u32 {
            let now = Duration::from_millis(number.into());
            pay(&mut buckets, &number.to_string(), 1, now).unwrap();
        }
        assert!(buckets.empty_at.len() <= FEW, "{}", buckets.empty_at.len());
    }

    #[test]
    fn there_are_no_more_than_may_be() {
        let mut buckets = Buckets::default();
        let now = Duration::ZERO;
        let refused = (0..2 * MOST)
            .filter(|number| pay(&mut buckets, &number.to_string(), 1, now).is_err())
            .count();
        assert_eq!(buckets.empty_at.len(), MOST + 1);
        // Those who were there have their own; the newcomers share what one may spend.
        assert_eq!(refused, MOST - 100);
        assert_eq!(pay(&mut buckets, "0", 1, now), Ok(()));
    }

    #[test]
    fn a_rate_is_divided_among_copies_and_still_lets_the_largest_request_pass() {
        let divided = RATE.divided(4, 50);
        assert_eq!((divided.per_second, divided.burst), (2, 50));
        let divided = RATE.divided(4, 10);
        assert_eq!((divided.per_second, divided.burst), (2, 25));
        assert_eq!(RATE.divided(1_000, 1).per_second, 1);
        assert_eq!(RATE.divided(0, 1), RATE);
    }
}

//! Load shedding: a request that arrives when `concurrency-limit` requests are being answered is refused with 503, at next to no cost, so
//! that an overloaded server spends its time on answers. Where callers are authenticated, each has half of the places at most.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::metrics::{Metrics, Refused};
use super::negotiate::MediaType;
use super::respond::{Answer, Refusal, content_type};
use crate::db::query_stats::Figures;
use crate::telemetry::RequestLine;

/// The limit's name.
const LIMIT: &str = "concurrency-limit";
const STATUS: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
const CODE: &str = "UNAVAILABLE";
/// Stands for the request id in the refusal that is kept.
const ID: &str = "request-id";

/// A permit for each request that may be answered at once, half of them for one caller at most.
pub(super) struct LoadShedder {
    places: Semaphore,
    /// Places that one caller may have.
    share: usize,
    /// How many each caller has.
    taken: Mutex<HashMap<String, usize>>,
    /// The refusal as JSON, before and after the request id.
    refusal: (String, String),
    refused: Refused,
}

impl LoadShedder {
    /// Admits this many requests at once.
    pub(super) fn new(places: usize, metrics: &Metrics) -> Self {
        Self {
            places: Semaphore::new(places),
            share: places.div_ceil(2),
            taken: Mutex::default(),
            refusal: refusal(places),
            refused: metrics.refused(STATUS, CODE, LIMIT),
        }
    }

    /// A place, if there is one. It is given back when it is dropped.
    pub(super) fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    /// One of a caller's share of the places, if there is one left. It is given back when it is dropped.
    pub(super) fn share(&self, caller: &str) -> Option<Share<'_>> {
        let mut taken = lock(&self.taken);
        match taken.get_mut(caller) {
            Some(count) if *count >= self.share => return None,
            Some(count) => *count += 1,
            None => {
                taken.insert(caller.to_owned(), 1);
            }
        }
        Some(Share {
            load_shedder: self,
            caller: caller.to_owned(),
        })
    }

    /// Refuses a request, counts it and leaves its line.
    pub(super) fn refuse(&self, form: MediaType, id: &str, start: Instant) -> Response {
        self.refused.inc();
        let line = RequestLine {
            id,
            caller: "",
            cause: None,
            operation_type: "",
            operation_name: "",
            status: STATUS.as_u16(),
            errors: CODE,
            figures: Figures::default(),
            duration: start.elapsed(),
        };
        line.log();
        let (before, after) = &self.refusal;
        let body = [before, id, after].concat();
        let again = (RETRY_AFTER, HeaderValue::from_static("1"));
        (STATUS, content_type(form), [again], body).into_response()
    }
}

/// A place of a caller's share.
pub(super) struct Share<'a> {
    load_shedder: &'a LoadShedder,
    caller: String,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut taken = lock(&self.load_shedder.taken);
        if let Some(count) = taken.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.caller);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The refusal as any other would be written, cut where the request id stands.
fn refusal(places: usize) -> (String, String) {
    let message =
        format!("{places} requests are being answered, which is the most ({LIMIT}); try again");
    let refusal = Refusal::new(STATUS, CODE, message).limit(LIMIT, places as u64);
    let mut answer = Answer::from(refusal);
    answer.complete(ID, 1);
    let text = answer.body();
    let (before, after) = text.split_once(ID).unwrap_or((&text, ""));
    (before.to_owned(), after.to_owned())
}

//! Step five: codes for every error, the status, and bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{ErrorExtensionValues, ServerError};
use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::negotiate::MediaType;
use crate::authentication::Cause;
use crate::config::{Limits, StatusProfile};
use crate::db::query_stats::QueryStats;
use crate::error::{Client, Error, Internal};
use crate::graphql::json::Json;

/// A request that was not answered, and why.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    errors: Vec<ServerError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The request reached GraphQL: as plain JSON its refusal is an answer.
    graphql: bool,
    /// The limit that it is beyond.
    limit: Option<&'static str>,
    /// Why nobody knows who asks.
    cause: Option<Cause>,
}

impl Refusal {
    /// The refusal of an HTTP request.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            graphql: false,
            ..Self::graphql_new(status, code, message)
        }
    }

    /// The refusal of a document or an operation.
    pub(super) fn graphql_new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            ..Self::graphql(code, vec![ServerError::new(message, None)])
        }
    }

    /// The refusal of a document or an operation for mistakes in it.
    pub(super) fn graphql(code: &'static str, mut errors: Vec<ServerError>) -> Self {
        for error in &mut errors {
            extensions(error).set("code", code);
        }
        Self {
            status: StatusCode::BAD_REQUEST,
            errors,
            headers: Vec::new(),
            graphql: true,
            limit: None,
            cause: None,
        }
    }

    /// The refusal of what somebody may not ask for.
    pub(super) fn forbidden(errors: Vec<ServerError>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            graphql: false,
            ..Self::graphql("FORBIDDEN", errors)
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", message)
    }

    /// Something broke that is no fault of the request.
    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_SERVER_ERROR",
            "something went wrong on our side",
        )
    }

    pub(super) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// Keeps why nobody knows who asks, for the log.
    pub(super) fn cause(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Tells when to come again, in seconds.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        for error in &mut self.errors {
            extensions(error).set("retryAfter", seconds);
        }
        self.headers.push((RETRY_AFTER, seconds.into()));
        self
    }

    /// Tells which limit it is, and its value.
    pub(super) fn limit(mut self, name: &'static str, max: u64) -> Self {
        for error in &mut self.errors {
            extensions(error).set("limit", name);
            extensions(error).set("max", max);
        }
        self.limit = Some(name);
        self
    }
}

/// What goes back, before it has a form.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) response: async_graphql::Response,
    headers: Vec<(HeaderName, HeaderValue)>,
    graphql: bool,
    pub(super) limit: Option<&'static str>,
    pub(super) cause: Option<Cause>,
    /// The codes of its errors, once they have them.
    codes: Option<String>,
    /// What has memory for it.
    held: Option<Arc<QueryStats>>,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            status,
            errors,
            headers,
            graphql,
            limit,
            cause,
        } = refusal;
        Self {
            status,
            response: async_graphql::Response::from_errors(errors),
            headers,
            graphql,
            limit,
            cause,
            codes: None,
            held: None,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Client(Client::KeyTaken) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Client(Client::Forbidden(_) | Client::ForbiddenToLimited) => {
                StatusCode::FORBIDDEN
            }
            Error::Client(_) => StatusCode::BAD_REQUEST,
            Error::Internal(
                Internal::TimedOut(_) | Internal::Unavailable(_) | Internal::NoMemory,
            ) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut refusal = Self::new(status, error.code(), error.to_string());
        for told in &mut refusal.errors {
            told.source = Some(Arc::new(error.clone()));
        }
        refusal
    }
}

impl From<async_graphql::Response> for Answer {
    fn from(response: async_graphql::Response) -> Self {
        // Errors without a path and no data: nothing was executed.
        let refused = response.data == async_graphql::Value::Null
            && response.errors.iter().all(|error| error.path.is_empty())
            && !response.errors.is_empty();
        let status = if refused {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        Self {
            status,
            response,
            headers: Vec::new(),
            graphql: true,
            limit: None,
            cause: None,
            codes: None,
            held: None,
        }
    }
}

impl Answer {
    pub(super) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// Has memory for itself until it is sent. Refused when it is larger than one may be, or all together may be.
    pub(super) fn hold(&mut self, tally: &Arc<QueryStats>, limits: Limits) -> Result<(), Refusal> {
        let size = size(&self.response.data) as u64;
        if size > limits.answer {
            let refusal = Refusal::from(Error::from(Client::AnswerTooLarge));
            return Err(refusal.limit("answer-limit", limits.answer));
        }
        if size > SHORT {
            if !tally.hold(size) {
                let refusal = Refusal::from(Error::from(Internal::NoMemory));
                let refusal = refusal.limit("answer-memory", limits.answer_memory);
                return Err(refusal.retry_after(1));
            }
            self.held = Some(Arc::clone(tally));
        }
        Ok(())
    }

    /// Its body.
    pub(super) fn body(&self) -> String {
        self.json().into_text()
    }

    fn json(&self) -> Json {
        let mut json = Json::with_room(size(&self.response.data) + ROOM);
        write(self, &mut json);
        json
    }

    /// Gives every error its code and the request id, and keeps no more errors than may be shown. The codes, each once.
    pub(super) fn complete(&mut self, request_id: &str, most: usize) -> String {
        if let Some(codes) = &self.codes {
            return codes.clone();
        }
        let mut codes: Vec<String> = Vec::new();
        for error in &mut self.response.errors {
            let code = complete(error, request_id);
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        self.response.errors.truncate(most);
        for error in &mut self.response.errors {
            shorten(&mut error.message);
        }
        let codes = codes.join(",");
        self.codes = Some(codes.clone());
        codes
    }

    /// Adds what the answer cost.
    pub(super) fn tell_cost(&mut self, requested: u64, actual: u64, limit: u64) {
        let cost = async_graphql::value!({
            "requested": requested,
            "actual": actual,
            "limit": limit,
        });
        self.response.extensions.insert("cost".to_owned(), cost);
    }

    /// Adds what may be spent, what is left of it, and when all of it is there again.
    pub(super) fn tell_rate(&mut self, limit: u64, remaining: u64, reset_at: &str) {
        let rate = async_graphql::value!({
            "limit": limit,
            "remaining": remaining,
            "resetAt": reset_at,
        });
        self.response
            .extensions
            .insert("rateLimit".to_owned(), rate);
    }

    /// Its status in a form.
    pub(super) fn status(&self, form: MediaType, profile: StatusProfile) -> StatusCode {
        let unanswered = self.response.data == async_graphql::Value::Null;
        match (form, profile) {
            (MediaType::Json, _) if self.graphql => StatusCode::OK,
            (MediaType::GraphqlResponse, StatusProfile::Draft) if self.graphql => {
                let errors = !self.response.errors.is_empty();
                match self.status {
                    StatusCode::OK if errors && !unanswered => PARTIAL,
                    StatusCode::BAD_REQUEST if !self.is_syntax() => {
                        StatusCode::UNPROCESSABLE_ENTITY
                    }
                    status => status,
                }
            }
            _ => self.status,
        }
    }

    fn is_syntax(&self) -> bool {
        self.response.errors.iter().any(|error| {
            let code = error.extensions.as_ref().and_then(|all| all.get("code"));
            code.is_some_and(|code| *code == async_graphql::Value::from("GRAPHQL_PARSE_FAILED"))
        })
    }
}

/// Cuts a message that repeats too much of the request.
fn shorten(message: &mut String) {
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        message.push('…');
    }
}

/// Bytes of a message at most.
const MAX_MESSAGE: usize = 1_000;

/// "Partial success" of the draft's profile.
const PARTIAL: StatusCode = match StatusCode::from_u16(294) {
    Ok(status) => status,
    Err(_) => StatusCode::OK,
};

/// Gives one answer its form.
pub(super) fn single(answer: Answer, form: MediaType, profile: StatusProfile) -> Response {
    let status = answer.status(form, profile);
    let body = answer.json().into_bytes();
    let body = body_with(body, Vec::from_iter(answer.held));
    let mut response = (status, content_type(form), body).into_response();
    response.headers_mut().extend(answer.headers);
    response
}

/// Gives the answers of a batch their form.
pub(super) fn batch(answers: Vec<Answer>, form: MediaType) -> Response {
    let mut json = Json::default();
    json.list(&answers, |json, answer| write(answer, json));
    let held = answers.into_iter().filter_map(|answer| answer.held);
    let body = body_with(json.into_bytes(), held.collect());
    (StatusCode::OK, content_type(form), body).into_response()
}

/// A body that has memory until the last byte of it is sent.
fn body_with(body: Vec<u8>, held: Vec<Arc<QueryStats>>) -> Bytes {
    if held.is_empty() {
        body.into()
    } else {
        Bytes::from_owner(Held {
            body,
            _memory: held,
        })
    }
}

/// See [`body_with`].
struct Held {
    body: Vec<u8>,
    _memory: Vec<Arc<QueryStats>>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// Answers that are no longer than this are not counted in the memory of all, in bytes: the number of requests bounds them.
const SHORT: u64 = 64 * 1_024;

/// Writes an answer. A request that was not executed has no `data` at all.
fn write(answer: &Answer, json: &mut Json) {
    let response = &answer.response;
    let parts = [
        (answer.status == StatusCode::OK).then_some(Part::Data(&response.data)),
        (!response.errors.is_empty()).then_some(Part::Errors(&response.errors)),
        (!response.extensions.is_empty()).then_some(Part::Extensions(&response.extensions)),
    ];
    json.object(parts.into_iter().flatten(), |json, part| match part {
        Part::Data(data) => {
            json.raw(b"\"data\":");
            json.value(data);
        }
        Part::Errors(errors) => {
            json.raw(b"\"errors\":");
            json.write(errors);
        }
        Part::Extensions(extensions) => {
            json.raw(b"\"extensions\":");
            json.write(extensions);
        }
    });
}

/// How long data is as text that was written before: nearly all of it where an answer is long, in bytes.
fn size(data: &async_graphql::Value) -> usize {
    match data {
        async_graphql::Value::Binary(text) => text.len(),
        async_graphql::Value::Object(fields) => fields.values().map(size).sum(),
        _ => 0,
    }
}

/// Bytes for the rest of an answer.
const ROOM: usize = 256;

/// A part of an answer.
enum Part<'a> {
    Data(&'a async_graphql::Value),
    Errors(&'a [ServerError]),
    Extensions(&'a BTreeMap<String, async_graphql::Value>),
}

/// The header that names a form.
pub(super) fn content_type(form: MediaType) -> [(HeaderName, HeaderValue); 1] {
    [(
        CONTENT_TYPE,
        HeaderValue::from_static(match form {
            MediaType::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            MediaType::Json => "application/json; charset=utf-8",
        }),
    )]
}

/// Gives an error its code and the request id; logs what is our fault. The code.
fn complete(error: &mut ServerError, request_id: &str) -> String {
    let ours = error.source::<Error>().cloned();
    if let Some(Error::Internal(internal)) = &ours {
        tracing::error!(request.id = request_id, error = %internal, "internal error");
    }
    let known = error
        .extensions
        .as_ref()
        .and_then(|extensions| extensions.get("code"))
        .map(|code| code.to_string().trim_matches('"').to_owned());
    let argument = match (&ours, &known) {
        (
            Some(Error::Client(
                Client::BadUserInput { argument, .. } | Client::ForbiddenArgument { argument, .. },
            )),
            _,
        ) => Some(argument.clone()),
        (Some(_), _) | (None, Some(_)) => None,
        (None, None) => refused_argument(&error.message),
    };
    let code = match (&ours, known) {
        (Some(error), _) => error.code().to_owned(),
        (None, Some(code)) => code,
        (None, None) => library_code(error).to_owned(),
    };
    let extensions = extensions(error);
    extensions.set("code", code.as_str());
    extensions.set("requestId", request_id);
    if let Some(mut argument) = argument {
        shorten(&mut argument);
        extensions.set("argument", argument);
    }
    match ours {
        Some(Error::Client(Client::AnswerTooLarge)) => extensions.set("limit", "answer-limit"),
        Some(Error::Internal(Internal::NoMemory)) => extensions.set("limit", "answer-memory"),
        _ => {}
    }
    code
}

/// The code of an error that the GraphQL library found: a value that does not fit its type is bad input, whether it
/// stood in the document or in a variable; anything else without a path is a document that is not valid.
fn library_code(error: &ServerError) -> &'static str {
    if !error.path.is_empty() || refused_argument(&error.message).is_some() {
        "BAD_USER_INPUT"
    } else {
        "GRAPHQL_VALIDATION_FAILED"
    }
}

/// The argument or variable whose value the library refused, as its message names it.
fn refused_argument(message: &str) -> Option<String> {
    let rest = message
        .strip_prefix("Invalid value for argument \"")
        .or_else(|| message.strip_prefix("Variable \"$"))?;
    rest.split('"').next().map(str::to_owned)
}

/// Tells which argument an error is about.
pub(super) fn name_argument(error: &mut ServerError, argument: &str) {
    let mut argument = argument.to_owned();
    shorten(&mut argument);
    extensions(error).set("argument", argument);
}

fn extensions(error: &mut ServerError) -> &mut ErrorExtensionValues {
    error.extensions.get_or_insert_default()
}

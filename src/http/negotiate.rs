//! Step one: what is asked, in which form, and in which form the answer is wanted.

use std::hash::{BuildHasher, RandomState};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Query, Request};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::respond::Refusal;
use crate::config::Limits;
use crate::exact;

/// Values of variables by their names.
pub(super) type Variables = async_graphql::Variables;

/// The header with the request's id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header of a request whose answer is to tell what it cost.
pub(super) const COST: HeaderName = HeaderName::from_static("x-graphql-cost");

/// How much of a path in a body is quoted, in characters.
const LONGEST_PATH: usize = 200;
/// The methods that `/graphql` knows.
const METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// A question to the graph. Keys that nobody knows are ignored, and null is as good as nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct GraphqlRequest {
    pub(super) query: Option<String>,
    /// The id of a document that the server holds.
    pub(super) document_id: Option<String>,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
    #[serde(deserialize_with = "object_or_default")]
    pub(super) extensions: Extensions,
}

/// What a client adds to a question.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Extensions {
    pub(super) persisted_query: Option<PersistedQuery>,
}

/// A document by its hash (automatic persisted queries).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PersistedQuery {
    pub(super) version: u32,
    /// SHA-256 of the text, in hexadecimal.
    pub(super) sha256_hash: String,
}

/// Null is as good as nothing, and a list is no object, whatever serde makes of it.
fn object_or_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Extensions, D::Error> {
    let object: Option<serde_json::Map<String, serde_json::Value>> =
        Option::deserialize(deserializer)?;
    let object = serde_json::Value::Object(object.unwrap_or_default());
    Extensions::deserialize(object).map_err(serde::de::Error::custom)
}

/// What a request asks.
#[derive(Debug)]
pub(super) enum RequestBody {
    One(GraphqlRequest),
    /// Several questions, answered one after the other.
    Batch(Vec<GraphqlRequest>),
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: the status tells of request errors.
    GraphqlResponse,
    /// `application/json`: 200 whenever there is a GraphQL answer.
    Json,
}

impl MediaType {
    const ALL: [Self; 2] = [Self::Json, Self::GraphqlResponse];

    /// Its media type.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json",
            Self::Json => "application/json",
        }
    }
}

/// The form that `Accept` likes best; `None` when it likes neither. Anything goes where nothing is said, and then it is JSON.
pub(super) fn answer_form(headers: &HeaderMap) -> Option<MediaType> {
    let mut given = headers.get_all(ACCEPT).iter();
    // What most programs say.
    if let (Some(only), None) = (given.next(), given.next())
        && (only == "*/*" || only == "application/json")
    {
        return Some(MediaType::Json);
    }
    let accepted = headers.get_all(ACCEPT).iter();
    let accepted: Vec<_> = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .collect();
    if accepted.is_empty() {
        return (!headers.contains_key(ACCEPT)).then_some(MediaType::Json);
    }
    let quality = |form: &MediaType| Range::quality(&accepted, form.media_type());
    let mut best = None;
    for form in MediaType::ALL {
        if quality(&form) > best.as_ref().map_or(0, quality) {
            best = Some(form);
        }
    }
    best
}

/// A media range of `Accept` (RFC 9110, 12.5.1).
struct Range<'a> {
    media: &'a str,
    /// Weight in thousandths.
    weight: u32,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().filter(|media| media.contains('/'))?;
        let mut weight = 1_000;
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case("q") {
                weight = thousandths(value.trim())?;
            } else if name.eq_ignore_ascii_case("charset") && !is_utf8(value) {
                // Answers are UTF-8 and nothing else.
                return None;
            }
        }
        Some(Self { media, weight })
    }

    /// How much a media type is liked, by the most exact range that speaks of it.
    fn quality(ranges: &[Self], media: &str) -> u32 {
        [media, "application/*", "*/*"]
            .into_iter()
            .find_map(|exact| {
                ranges
                    .iter()
                    .find(|range| range.media.eq_ignore_ascii_case(exact))
            })
            .map_or(0, |range| range.weight)
    }
}

fn thousandths(weight: &str) -> Option<u32> {
    let weight: f32 = weight.parse().ok()?;
    (0.0..=1.0)
        .contains(&weight)
        .then(|| (0..=1_000).rfind(|&part| f64::from(part) / 1e3 <= f64::from(weight) + 1e-6))?
}

fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim().trim_matches('"');
    ["utf-8", "utf8"]
        .iter()
        .any(|name| charset.eq_ignore_ascii_case(name))
}

/// The caller's request id when it is a sensible one, else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let given = headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let sensible = |id: &&str| {
        (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given.filter(sensible).map_or_else(
        || format!("{:016x}", RandomState::new().hash_one(0)),
        str::to_owned,
    )
}

/// Whether the caller wants to know what the answer cost.
pub(super) fn wants_cost(headers: &HeaderMap) -> bool {
    headers.get(COST).is_some_and(|value| value == "1")
}

/// Waits for all of a request to be there.
pub(super) async fn arrived(request: Request, limits: &Limits) -> Result<Request, Refusal> {
    if *request.method() != Method::POST {
        return Ok(request);
    }
    let (head, rest) = request.into_parts();
    let bytes = body(rest, limits).await?;
    Ok(Request::from_parts(head, bytes.into()))
}

/// Reads what is asked: from the address on GET, from a JSON body on POST.
pub(super) async fn request_body(
    request: Request,
    limits: &Limits,
) -> Result<RequestBody, Refusal> {
    match *request.method() {
        Method::GET | Method::HEAD => from_address(&request).map(RequestBody::One),
        Method::POST => from_body(request, limits).await,
        _ => {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let refusal = Refusal::new(status, "BAD_USER_INPUT", "ask with GET or POST");
            Err(refusal.header(ALLOW, METHODS))
        }
    }
}

fn from_address(request: &Request) -> Result<GraphqlRequest, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Parameters {
        query: Option<String>,
        document_id: Option<String>,
        operation_name: Option<String>,
        variables: Option<String>,
        extensions: Option<String>,
    }
    let Query(parameters) = Query::<Parameters>::try_from_uri(request.uri())
        .map_err(|error| Refusal::bad_request(error.body_text()))?;
    let present = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(GraphqlRequest {
        query: present(parameters.query),
        document_id: present(parameters.document_id),
        operation_name: present(parameters.operation_name),
        variables: object("variables", parameters.variables.as_deref())?,
        extensions: object("extensions", parameters.extensions.as_deref())?,
    })
}

fn object<T: Default + DeserializeOwned>(name: &str, json: Option<&str>) -> Result<T, Refusal> {
    match json {
        None | Some("" | "null") => Ok(T::default()),
        Some(json) => {
            let value = serde_json::from_str(json).map_err(|error| {
                Refusal::bad_request(format!(
                    "`{name}` is not a JSON object as it should be: {error}"
                ))
            })?;
            exact::check(json)
                .map_err(|found| inexact(&format!("{name}.{}", found.path), found.reason))?;
            Ok(value)
        }
    }
}

async fn from_body(request: Request, limits: &Limits) -> Result<RequestBody, Refusal> {
    if !is_json(request.headers()) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let message = "send `Content-Type: application/json`, in UTF-8";
        return Err(Refusal::new(status, "BAD_USER_INPUT", message));
    }
    let body = body(request.into_body(), limits).await?;
    let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if start == Some(&b'[') {
        return batch(&body, limits.batch);
    }
    let question = serde_json::from_slice(&body).map_err(|error| not_json(&error))?;
    is_kept(&body)?;
    Ok(RequestBody::One(question))
}

/// Refuses values that reading changes: keys that are there twice, and numbers that are too long.
fn is_kept(body: &[u8]) -> Result<(), Refusal> {
    // JSON that could be read is UTF-8.
    let text = std::str::from_utf8(body).unwrap_or_default();
    exact::check(text).map_err(|found| inexact(&found.path, found.reason))
}

fn inexact(path: &str, reason: &str) -> Refusal {
    let path: String = path.chars().take(LONGEST_PATH).collect();
    Refusal::bad_request(format!("`{path}` {reason}"))
}

fn not_json(error: &serde_json::Error) -> Refusal {
    Refusal::bad_request(format!(
        "the body is not a GraphQL request in JSON: {error}"
    ))
}

fn batch(body: &[u8], most: usize) -> Result<RequestBody, Refusal> {
    if most == 0 {
        let message = "send one request at a time: batches are switched off here (batch-limit)";
        return Err(Refusal::bad_request(message));
    }
    // Counted before any of them is read.
    let parts: Vec<&serde_json::value::RawValue> =
        serde_json::from_slice(body).map_err(|error| not_json(&error))?;
    if parts.is_empty() || parts.len() > most {
        let count = parts.len();
        let message =
            format!("a batch has 1 to {most} requests (batch-limit), and this has {count}");
        return Err(Refusal::bad_request(message).limit("batch-limit", most as u64));
    }
    let questions = parts
        .iter()
        .map(|part| serde_json::from_str(part.get()))
        .collect::<Result<_, _>>()
        .map_err(|error| not_json(&error))?;
    is_kept(body)?;
    Ok(RequestBody::Batch(questions))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(content_type)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let mut parts = content_type.split(';').map(str::trim);
    parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case("application/json"))
        && parts.all(|part| {
            part.split_once('=').is_none_or(|(name, value)| {
                !name.trim().eq_ignore_ascii_case("charset") || is_utf8(value)
            })
        })
}

async fn body(body: Body, limits: &Limits) -> Result<Bytes, Refusal> {
    let max = limits.body;
    match tokio::time::timeout(limits.body_timeout, whole(Limited::new(body, max))).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_long(&*error) => {
            let message = format!("the body is larger than {max} bytes (body-limit)");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            let refusal = Refusal::new(status, "BAD_USER_INPUT", message);
            Err(refusal.limit("body-limit", max as u64))
        }
        Ok(Err(_)) => Err(Refusal::bad_request(
            "the body ended before it was complete",
        )),
        Err(_) => {
            let time = limits.body_timeout.as_millis();
            let message = format!("the body took longer than {time} ms to arrive (body-timeout)");
            Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "TIMEOUT",
                message,
            ))
        }
    }
}

/// All bytes of a body. One that has come already is not waited for: a body that says how long it is is at its end with the last
/// of its bytes, and not when somebody says so.
async fn whole(mut body: Limited<Body>) -> Result<Bytes, BoxError> {
    let mut parts = Vec::new();
    while !body.is_end_stream()
        && let Some(frame) = body.frame().await
    {
        parts.extend(frame?.into_data());
    }
    Ok(match parts.as_slice() {
        [only] => only.clone(),
        _ => parts.concat().into(),
    })
}

fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use axum::http::header::ACCEPT;
    use axum::http::{HeaderMap, HeaderValue};

    use super::{MediaType, answer_form};

    #[test]
    fn the_form_is_what_accept_likes_best() {
        for (accept, form) in [
            ("*/*", Some(MediaType::Json)),
            ("application/*", Some(MediaType::Json)),
            ("application/json", Some(MediaType::Json)),
            ("application/json; charset=utf-8", Some(MediaType::Json)),
            (
                "APPLICATION/GraphQL-Response+JSON",
                Some(MediaType::GraphqlResponse),
            ),
            (
                "application/graphql-response+json, application/json;q=0.9",
                Some(MediaType::GraphqlResponse),
            ),
            (
                "application/json;q=0.1, */*;q=0.5",
                Some(MediaType::GraphqlResponse),
            ),
            ("application/json, multipart/mixed", Some(MediaType::Json)),
            (
                "application/graphql-response+json;q=0, */*",
                Some(MediaType::Json),
            ),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json;charset=utf-16", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(answer_form(&headers), form, "{accept}");
        }
        assert_eq!(answer_form(&HeaderMap::new()), Some(MediaType::Json));
    }
}

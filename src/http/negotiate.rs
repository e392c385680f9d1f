//! Step one: what is asked, in which form, and in which form the answer is wanted.

use std::hash::{BuildHasher, RandomState};

use axum::body::to_bytes;
use axum::extract::{Query, Request};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::respond::Refusal;

/// A request to the graph.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Question {
    pub(super) query: Option<String>,
    #[serde(rename = "operationName")]
    pub(super) operation_name: Option<String>,
    #[serde(deserialize_with = "object")]
    pub(super) variables: Map<String, Value>,
}

fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/graphql-response+json`: the status tells of request errors.
    GraphqlResponse,
    /// `application/json`: 200 whenever there is a GraphQL answer.
    Json,
}

/// The form that `Accept` asks for.
pub(super) fn answer_form(headers: &HeaderMap) -> Form {
    let accept = headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if accept.contains("application/graphql-response+json") {
        Form::GraphqlResponse
    } else {
        Form::Json
    }
}

/// The caller's request id when it is a sensible one, else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let given = headers
        .get("x-request-id")
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

/// Reads what is asked: from the address on GET, from a JSON body on POST.
pub(super) async fn question(request: Request, body_limit: usize) -> Result<Question, Refusal> {
    match *request.method() {
        Method::GET => from_address(&request),
        Method::POST => from_body(request, body_limit).await,
        _ => {
            let refusal = Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "BAD_USER_INPUT",
                "ask with GET or POST",
            );
            Err(refusal.header(ALLOW, "GET, POST"))
        }
    }
}

fn from_address(request: &Request) -> Result<Question, Refusal> {
    #[derive(Deserialize)]
    struct Parameters {
        query: Option<String>,
        #[serde(rename = "operationName")]
        operation_name: Option<String>,
        variables: Option<String>,
    }
    let Query(Parameters {
        query,
        operation_name,
        variables,
    }) = Query::try_from_uri(request.uri())
        .map_err(|error| Refusal::bad_request(error.body_text()))?;
    let variables = match variables.as_deref() {
        None | Some("" | "null") => Map::new(),
        Some(json) => serde_json::from_str(json).map_err(|error| {
            Refusal::bad_request(format!("`variables` is not a JSON object: {error}"))
        })?,
    };
    Ok(Question {
        query,
        operation_name,
        variables,
    })
}

async fn from_body(request: Request, body_limit: usize) -> Result<Question, Refusal> {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "BAD_USER_INPUT",
            "send `Content-Type: application/json`",
        ));
    }
    let body = to_bytes(request.into_body(), body_limit)
        .await
        .map_err(|_| {
            let message =
                format!("the body is larger than {body_limit} bytes (body-limit), or was cut off");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "BAD_USER_INPUT", message)
        })?;
    serde_json::from_slice(&body).map_err(|error| {
        Refusal::bad_request(format!(
            "the body is not a GraphQL request in JSON: {error}"
        ))
    })
}

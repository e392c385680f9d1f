//! Step five: codes for every error, the status, and bytes.

use async_graphql::{ErrorExtensionValues, ServerError};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::negotiate::Form;
use crate::error::{Client, Error};

/// A request that was not answered, and why.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: Box<ServerError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The request reached GraphQL: as plain JSON its refusal is an answer.
    graphql: bool,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let mut error = ServerError::new(message, None);
        extensions(&mut error).set("code", code);
        Self {
            status,
            error: Box::new(error),
            headers: Vec::new(),
            graphql: false,
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", message)
    }

    pub(super) fn graphql(code: &'static str, mut error: ServerError) -> Self {
        extensions(&mut error).set("code", code);
        Self {
            status: StatusCode::BAD_REQUEST,
            error: Box::new(error),
            headers: Vec::new(),
            graphql: true,
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }
}

/// What goes back, before it has a form.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    response: async_graphql::Response,
    headers: Vec<(HeaderName, HeaderValue)>,
    graphql: bool,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            status,
            error,
            headers,
            graphql,
        } = refusal;
        Self {
            status,
            response: async_graphql::Response::from_errors(vec![*error]),
            headers,
            graphql,
        }
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
        }
    }
}

/// An answer in its form, and what the log tells of it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) status: u16,
    /// The codes of its errors, each once.
    pub(super) codes: String,
    response: Response,
}

impl IntoResponse for Sent {
    fn into_response(self) -> Response {
        self.response
    }
}

/// Gives an answer its form.
pub(super) fn respond(mut answer: Answer, form: Form, request_id: &str) -> Sent {
    let mut codes: Vec<String> = Vec::new();
    for error in &mut answer.response.errors {
        let code = complete(error, request_id);
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    let status = if answer.graphql && form == Form::Json {
        StatusCode::OK
    } else {
        answer.status
    };
    let content_type = match form {
        Form::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        Form::Json => "application/json; charset=utf-8",
    };
    let body = serde_json::to_vec(&answer.response).unwrap_or_default();
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("x-request-id"),
            HeaderValue::from_str(request_id).unwrap_or(HeaderValue::from_static("-")),
        ),
    ];
    let mut response = (status, headers, body).into_response();
    response.headers_mut().extend(answer.headers);
    Sent {
        status: status.as_u16(),
        codes: codes.join(","),
        response,
    }
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
    let code = match (&ours, known) {
        (Some(error), _) => error.code().to_owned(),
        (None, Some(code)) => code,
        (None, None) => library_code(error).to_owned(),
    };
    let argument = match &ours {
        Some(Error::Client(Client::BadUserInput { argument, .. })) => Some(argument.clone()),
        Some(_) => None,
        None => refused_argument(&error.message),
    };
    let extensions = extensions(error);
    extensions.set("code", code.as_str());
    extensions.set("requestId", request_id);
    if let Some(argument) = argument {
        extensions.set("argument", argument);
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

fn extensions(error: &mut ServerError) -> &mut ErrorExtensionValues {
    error.extensions.get_or_insert_default()
}

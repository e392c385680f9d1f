//! Step three: from text to a document, and to the operation in it that is meant.

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationType};
use axum::http::header::ALLOW;
use axum::http::{Method, StatusCode};

use super::negotiate::Question;
use super::respond::Refusal;

/// What is told of an operation in the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Operation {
    pub(super) kind: &'static str,
    pub(super) name: String,
}

/// Parses the document.
pub(super) fn parse(question: &Question) -> Result<ExecutableDocument, Refusal> {
    let text = question.query.as_deref().unwrap_or_default();
    parse_query(text).map_err(|error| Refusal::graphql("GRAPHQL_PARSE_FAILED", error.into()))
}

/// The operation that runs; a mutation only by POST.
pub(super) fn operation(
    document: &ExecutableDocument,
    name: Option<&str>,
    method: &Method,
) -> Result<Operation, Refusal> {
    let unresolved = |message: &str| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "OPERATION_RESOLUTION_FAILURE",
            message.to_owned(),
        )
    };
    let (name, operation) = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => (String::new(), operation),
        (DocumentOperations::Single(_), Some(_)) => {
            return Err(unresolved(
                "the document has no operation of this `operationName`",
            ));
        }
        (DocumentOperations::Multiple(operations), Some(name)) => match operations.get(name) {
            Some(operation) => (name.to_owned(), operation),
            None => {
                return Err(unresolved(
                    "the document has no operation of this `operationName`",
                ));
            }
        },
        (DocumentOperations::Multiple(operations), None) => {
            match (operations.len(), operations.iter().next()) {
                (1, Some((name, operation))) => (name.to_string(), operation),
                _ => {
                    return Err(unresolved(
                        "the document has several operations: say which with `operationName`",
                    ));
                }
            }
        }
    };
    let kind = match operation.node.ty {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    };
    if method == Method::GET && kind != "query" {
        let refusal = Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "BAD_USER_INPUT",
            format!("a {kind} cannot be asked for with GET"),
        );
        return Err(refusal.header(ALLOW, "POST"));
    }
    Ok(Operation { kind, name })
}

//! Step three: from text to a document that is valid and within limits, and to the operation in it that is meant.
//!
//! The text is parsed and validated by `apollo-compiler`, which follows the specification and cannot be made to recurse
//! without end; only then the executor's parser sees it. What has been checked once is kept.

use std::sync::Arc;

use apollo_compiler::ast::{Definition, Document};
use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::executable::{Operation as Typed, OperationType};
use apollo_compiler::parser::{LineColumn, Parser};
use apollo_compiler::request::RequestError;
use apollo_compiler::response::GraphQLError;
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Schema, introspection};
use async_graphql::parser::parse_query;
use async_graphql::{Pos, ServerError};
use axum::http::StatusCode;
use axum::http::header::ALLOW;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::guard;
use super::input_coercion::{self, CoercionError};
use super::negotiate::Variables;
use super::operation::Operation;
use super::query_limits::{self, Size};
use super::respond::{self, Refusal};
use super::suggest::suggestion;
use crate::caller::Principal;
use crate::config::Limits;
use crate::error::{Internal, Result};
use crate::graphql::PageLimits;

/// Documents longer than this are parsed beside the threads that answer requests.
const LONG: usize = 16 << 10;
/// What a kept document weighs besides its text, in bytes.
const OVERHEAD: u64 = 1 << 10;
/// What a kept document weighs, parsed and checked, for each byte of its text: measured, 2.4 MB for one of 25 kB.
const WEIGHT: u64 = 100;
/// Nesting that the parser follows.
const RECURSION: usize = 128;

/// A document that is valid and within limits.
#[derive(Debug)]
pub(super) struct ValidatedDocument {
    pub(super) typed: Valid<ExecutableDocument>,
    operations: Vec<Arc<Operation>>,
}

/// Checks documents, and keeps those that are good.
#[derive(Debug)]
pub(super) struct Documents {
    schema: Valid<Schema>,
    limits: Limits,
    pages: PageLimits,
    introspection: bool,
    suggestions: bool,
    kept: Cache<Box<str>, Arc<ValidatedDocument>, Bytes>,
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<Box<str>, Arc<ValidatedDocument>> for Bytes {
    fn weight(&self, text: &Box<str>, _: &Arc<ValidatedDocument>) -> u64 {
        WEIGHT * text.len() as u64 + OVERHEAD
    }
}

impl Documents {
    /// Without introspection, questions about the schema are refused; without suggestions, messages about unknown names
    /// tell of no others.
    pub(super) fn new(
        sdl: &str,
        limits: Limits,
        pages: PageLimits,
        introspection: bool,
        suggestions: bool,
    ) -> Result<Self> {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql")
            .map_err(|error| Internal::Corrupt(format!("the schema: {}", error.errors)))?;
        let documents = usize::try_from(limits.document_cache / (2 * OVERHEAD)).unwrap_or(0);
        Ok(Self {
            schema,
            limits,
            pages,
            introspection,
            suggestions,
            kept: Cache::with_weighter(documents.max(1), limits.document_cache, Bytes),
        })
    }

    /// Whether questions about the schema are answered.
    pub(super) const fn introspection(&self) -> bool {
        self.introspection
    }

    /// How many documents are kept, and their weight in bytes.
    pub(super) fn kept(&self) -> (usize, u64) {
        (self.kept.len(), self.kept.weight())
    }

    /// The checked document of a text, and whether it was kept.
    pub(super) async fn check(
        self: &Arc<Self>,
        text: &str,
        meant: &OperationSelector,
    ) -> Result<(Arc<ValidatedDocument>, bool), Refusal> {
        if let Some(checked) = self.kept.get(text) {
            return Ok((checked, true));
        }
        guard::check(text)?;
        let checked = if text.len() > LONG {
            let (documents, text, meant) = (self.clone(), text.to_owned(), meant.clone());
            tokio::task::spawn_blocking(move || documents.examine(&text, &meant))
                .await
                .map_err(|_| Refusal::internal())??
        } else {
            self.examine(text, meant)?
        };
        let checked = Arc::new(checked);
        self.kept.insert(text.into(), checked.clone());
        Ok((checked, false))
    }

    fn examine(&self, text: &str, meant: &OperationSelector) -> Result<ValidatedDocument, Refusal> {
        let mut parser = Parser::new()
            .recursion_limit(RECURSION)
            .token_limit(self.limits.tokens);
        let document = match parser.parse_ast(text, "document") {
            Ok(document) => document,
            Err(refused) => return Err(self.not_parsed(&parser, &refused.errors)),
        };
        self.count_operations(&document)?;
        meant.check(&document)?;
        let typed = document
            .to_executable_validate(&self.schema)
            .map_err(|refused| self.not_valid(&refused.partial, &refused.errors))?;
        for operation in typed.operations.iter() {
            let size = query_limits::check(operation, &typed.fragments, &self.limits)?;
            self.check_introspection(&typed, operation, size)?;
        }
        let misfits = input_coercion::literals(&self.schema, &typed);
        if !misfits.is_empty() {
            return Err(unfit(&typed, misfits));
        }
        // The executor's parser does not know all escapes in a text; written plainly it knows any.
        let executable = parse_query(text)
            .or_else(|error| {
                if text.contains("\\u") {
                    parse_query(document.to_string())
                } else {
                    Err(error)
                }
            })
            .map_err(|error| Refusal::graphql("GRAPHQL_PARSE_FAILED", vec![error.into()]))?;
        let operation = |operation| {
            Operation::new(&self.schema, &typed, &executable, operation, self.pages)
                .ok_or_else(Refusal::internal)
        };
        let operations = typed.operations.iter().map(operation);
        Ok(ValidatedDocument {
            operations: operations.collect::<Result<_, _>>()?,
            typed,
        })
    }

    fn not_parsed(&self, parser: &Parser, errors: &DiagnosticList) -> Refusal {
        let max = self.limits.tokens;
        if parser.tokens_reached() > max {
            return query_limits::too_large(
                "tokens or more",
                query_limits::COST,
                max as u64 + 1,
                "token-limit",
                max as u64,
            );
        }
        if parser.recursion_reached() > RECURSION {
            return Refusal::graphql_new(
                StatusCode::BAD_REQUEST,
                query_limits::DEPTH,
                format!("the document nests deeper than {RECURSION} levels"),
            );
        }
        Refusal::graphql("GRAPHQL_PARSE_FAILED", self.listed(errors))
    }

    fn count_operations(&self, document: &Document) -> Result<(), Refusal> {
        let is_operation =
            |definition: &&Definition| matches!(definition, Definition::OperationDefinition(_));
        let count = document.definitions.iter().filter(is_operation).count() as u64;
        let max = self.limits.operations;
        if count > max {
            let what = "operations in its document";
            return Err(query_limits::too_large(
                what,
                query_limits::COST,
                count,
                "operation-limit",
                max,
            ));
        }
        Ok(())
    }

    fn check_introspection(
        &self,
        document: &Valid<ExecutableDocument>,
        operation: &Typed,
        size: Size,
    ) -> Result<(), Refusal> {
        if !self.introspection && size.introspects {
            let message = "introspection is switched off here (introspection)";
            return Err(invalid(vec![ServerError::new(message, None)]));
        }
        introspection::check_max_depth(document, operation).map_err(|error| {
            Refusal::graphql(query_limits::DEPTH, vec![request_error(document, &error)])
        })
    }

    fn listed(&self, errors: &DiagnosticList) -> Vec<ServerError> {
        errors
            .iter()
            .take(self.limits.errors)
            .map(|error| {
                let kind = error.error.unstable_error_name().unwrap_or_default();
                let mut error = located(error.unstable_to_json_compat());
                if self.suggestions
                    && let Some(meant) = suggestion(&self.schema, kind, &error.message)
                {
                    error.message.push_str(&meant);
                }
                error
            })
            .collect()
    }

    /// Refuses a document that breaks rules. Where only values are wrong it is bad input, with the arguments at fault.
    fn not_valid(&self, document: &ExecutableDocument, errors: &DiagnosticList) -> Refusal {
        let is_value = |name: Option<&str>| name.is_some_and(|name| VALUE_ERRORS.contains(&name));
        let mut listed = self.listed(errors);
        if !errors
            .iter()
            .all(|error| is_value(error.error.unstable_error_name()))
        {
            return invalid(listed);
        }
        for (error, found) in listed.iter_mut().zip(errors.iter()) {
            let place = found.error.location();
            if let Some(argument) =
                place.and_then(|place| input_coercion::argument_at(document, place))
            {
                respond::name_argument(error, &argument);
            }
        }
        Refusal::graphql("BAD_USER_INPUT", listed)
    }

    /// Refuses an operation that asks, with these variables, for what somebody may not have.
    pub(super) fn permit(
        &self,
        operation: &Operation,
        variables: &Variables,
        principal: &Principal,
    ) -> Result<(), Refusal> {
        operation.permit(&self.schema, variables, principal)
    }

    /// The variables with the operation's defaults, if they fit what it declares.
    pub(super) fn variables(
        &self,
        checked: &ValidatedDocument,
        operation: &Operation,
        given: Variables,
    ) -> Result<Variables, Refusal> {
        let null_conditions = &operation.null_conditions;
        input_coercion::variables(&self.schema, &operation.typed, null_conditions, given)
            .map_err(|misfit| unfit(&checked.typed, vec![misfit]))
    }
}

/// The operation that is meant, and whether it has to be a query.
#[derive(Clone, Debug)]
pub(super) struct OperationSelector {
    pub(super) name: Option<String>,
    pub(super) query: bool,
}

impl OperationSelector {
    /// Refuses what only POST may ask for, whether it is valid or not.
    fn check(&self, document: &Document) -> Result<(), Refusal> {
        let mut operations = document
            .definitions
            .iter()
            .filter_map(|definition| definition.as_operation_definition())
            .filter(|operation| match &self.name {
                Some(name) => operation
                    .name
                    .as_ref()
                    .is_some_and(|given| given.as_str() == name),
                None => true,
            });
        let other = operations.find(|operation| operation.operation_type != OperationType::Query);
        match other {
            Some(operation) if self.query => Err(only_by_post(operation.operation_type)),
            _ => Ok(()),
        }
    }
}

fn only_by_post(kind: OperationType) -> Refusal {
    let kind = kind.name();
    let message = format!("a {kind} cannot be asked for with GET: send it with POST");
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", message);
    refusal.header(ALLOW, "POST")
}

impl ValidatedDocument {
    /// The operation that runs; only a query by GET.
    pub(super) fn operation(&self, meant: &OperationSelector) -> Result<&Arc<Operation>, Refusal> {
        let found = match (&meant.name, self.operations.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(name), all) => all.iter().find(|one| is_named(one, name)),
        };
        let operation = found.ok_or_else(|| self.not_found(meant.name.as_deref()))?;
        if meant.query && !operation.typed.is_query() {
            return Err(only_by_post(operation.typed.operation_type));
        }
        Ok(operation)
    }

    fn not_found(&self, name: Option<&str>) -> Refusal {
        let Err(error) = self.typed.operations.get(name) else {
            return Refusal::internal();
        };
        let error = request_error(&self.typed, &error);
        Refusal::graphql("OPERATION_RESOLUTION_FAILURE", vec![error])
    }
}

fn is_named(operation: &Operation, name: &str) -> bool {
    let own = operation.typed.name.as_deref();
    own.is_some_and(|own| own == name)
}

/// What the validator calls mistakes in values.
const VALUE_ERRORS: [&str; 4] = [
    "UndefinedEnumValue",
    "UnsupportedValueType",
    "IntCoercionError",
    "FloatCoercionError",
];

fn unfit(document: &ExecutableDocument, misfits: Vec<CoercionError>) -> Refusal {
    let code = if misfits.iter().any(|misfit| misfit.invalid) {
        "GRAPHQL_VALIDATION_FAILED"
    } else {
        "BAD_USER_INPUT"
    };
    let errors = misfits.into_iter().map(|misfit| {
        let CoercionError {
            argument,
            reason,
            place,
            ..
        } = misfit;
        let mut error = ServerError::new(format!("{argument}: {reason}"), None);
        let place = place.and_then(|place| place.line_column(&document.sources));
        error.locations.extend(place.map(position));
        respond::name_argument(&mut error, &argument);
        error
    });
    Refusal::graphql(code, errors.collect())
}

fn invalid(errors: Vec<ServerError>) -> Refusal {
    Refusal::graphql("GRAPHQL_VALIDATION_FAILED", errors)
}

fn request_error(document: &ExecutableDocument, error: &RequestError) -> ServerError {
    located(error.to_graphql_error(&document.sources))
}

fn located(error: GraphQLError) -> ServerError {
    let mut located = ServerError::new(error.message, None);
    located.locations = error.locations.into_iter().map(position).collect();
    located
}

fn position(LineColumn { line, column }: LineColumn) -> Pos {
    Pos { line, column }
}

//! Runs operations of documents that have been checked, without a copy of them and without another look at their rules.
//!
//! The stock executor takes a document by value, so that each request needs one of its own, validates it, and only then asks the
//! fields. Here requests share the document, and the asking is all that is left (docs/decisions/0025).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_graphql::extensions::Extensions;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition,
    OperationType, Selection, SelectionSet,
};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::{resolve_container, resolve_container_serial};
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Data, EmptySubscription, IntrospectionMode, Name,
    ObjectType, OutputType, Positioned, QueryEnv, QueryEnvInner, Request, Response, Schema,
    SchemaEnv, ServerResult, ValidationMode, Value, Variables,
};
use futures_util::FutureExt;

use super::fast_path::repeats;
use super::mutation::Mutation;
use super::query::Query;

/// The schema, with nothing but types in it: the database comes with each request.
pub struct Graph {
    schema: Schema<Root, Mutation, EmptySubscription>,
    surroundings: Arc<OnceLock<SchemaContext>>,
    no_session: Arc<Data>,
}

/// What the library's contexts stand in. It shows them to fields alone.
struct SchemaContext {
    schema: SchemaEnv,
    /// None, in the form in which the library has them.
    extensions: Extensions,
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Graph").finish_non_exhaustive()
    }
}

impl Default for Graph {
    fn default() -> Self {
        let surroundings = Arc::default();
        let root = Root(Arc::clone(&surroundings));
        let schema = Schema::build(root, Mutation, EmptySubscription)
            // Documents come here checked (http/document).
            .validation_mode(ValidationMode::Fast)
            .with_sorted_fields()
            .with_sorted_enums()
            .finish();
        // A field that is not there: what is wanted is that it is asked for.
        schema.execute("{ surroundings }").now_or_never();
        Self {
            schema,
            surroundings,
            no_session: Arc::default(),
        }
    }
}

impl Graph {
    /// The schema in SDL: what `schema.graphql` holds.
    pub fn sdl(&self) -> String {
        let options = async_graphql::SDLExportOptions::new()
            .sorted_fields()
            .sorted_arguments()
            .sorted_enum_items();
        self.schema.sdl_with_options(options)
    }

    /// Runs an operation.
    pub(super) async fn run(
        &self,
        operation: &Operation,
        variables: Variables,
        data: Data,
    ) -> Response {
        match self.surroundings.get() {
            Some(surroundings) if !operation.needs_stock_executor => {
                let inner = self.environment(surroundings, operation, variables, data);
                let environment = QueryEnv::new(inner);
                answer(operation, &environment, &surroundings.schema).await
            }
            // Few are: the others are not to carry the room for it.
            _ => Box::pin(self.run_special(operation, variables, data)).await,
        }
    }

    async fn run_special(
        &self,
        operation: &Operation,
        variables: Variables,
        data: Data,
    ) -> Response {
        let mut request = Request::new("").variables(variables);
        request.data = data;
        request.set_parsed_query(operation.document());
        self.schema.execute(request).await
    }

    fn environment(
        &self,
        surroundings: &SchemaContext,
        operation: &Operation,
        variables: Variables,
        data: Data,
    ) -> QueryEnvInner {
        QueryEnvInner {
            extensions: surroundings.extensions.clone(),
            variables,
            operation_name: None,
            operation: operation.head.clone(),
            fragments: operation.fragments.clone(),
            uploads: Vec::new(),
            session_data: Arc::clone(&self.no_session),
            query_data: Arc::new(data),
            http_headers: Mutex::default(),
            introspection_mode: IntrospectionMode::Enabled,
            errors: Mutex::default(),
        }
    }
}

/// Asks the fields.
async fn answer(operation: &Operation, environment: &QueryEnv, schema: &SchemaEnv) -> Response {
    let context = environment.create_context(schema, None, &operation.selection, None);
    let answered = match operation.head.node.ty {
        OperationType::Mutation => resolve_container_serial(&context, &Mutation).await,
        _ => resolve_container(&context, &Query).await,
    };
    let mut response = match answered {
        Ok(data) => Response::new(data),
        Err(error) => Response::from_errors(vec![error]),
    };
    let errors = environment.errors.lock();
    let mut errors = errors.unwrap_or_else(PoisonError::into_inner);
    response.errors.append(&mut errors);
    response
}

/// `Query` as the schema has it: it also keeps what a field of it sees first.
struct Root(Arc<OnceLock<SchemaContext>>);

impl ContainerType for Root {
    async fn resolve_field(&self, context: &Context<'_>) -> ServerResult<Option<Value>> {
        self.0.get_or_init(|| SchemaContext {
            schema: context.schema_env.clone(),
            extensions: context.query_env.extensions.clone(),
        });
        Query.resolve_field(context).await
    }
}

impl OutputType for Root {
    fn type_name() -> Cow<'static, str> {
        <Query as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Query as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        resolve_container(context, self).await
    }
}

impl ObjectType for Root {}

pub(super) type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// An operation of a document that has been checked.
#[derive(Debug)]
pub struct Operation {
    /// All of it but the selection.
    head: Positioned<OperationDefinition>,
    selection: Positioned<SelectionSet>,
    fragments: Fragments,
    /// The stock executor has to see to it: to directives, which change a selection from one request to the next, to questions
    /// about the schema, and to what nests deeper than it would follow.
    needs_stock_executor: bool,
    /// Whether it asks for an object twice under one key.
    pub(super) repeats: bool,
}

/// How deep the stock executor follows selections.
const MAX_DEPTH: usize = 32;

impl Operation {
    /// The operation of this name of a document, or its only one.
    pub fn of(document: &ExecutableDocument, name: Option<&str>) -> Option<Self> {
        let operation = match (&document.operations, name) {
            (DocumentOperations::Single(operation), None) => operation,
            (DocumentOperations::Multiple(all), Some(name)) => all.get(name)?,
            (DocumentOperations::Multiple(all), None) if all.len() == 1 => all.values().next()?,
            _ => return None,
        };
        let mut head = operation.clone();
        let selection = std::mem::take(&mut head.node.selection_set);
        let fragments = document.fragments.clone();
        Some(Self {
            needs_stock_executor: needs_stock_executor(&selection.node, &fragments, 0),
            repeats: repeats(&selection.node, &fragments),
            head,
            selection,
            fragments,
        })
    }

    /// It as a document of its own.
    fn document(&self) -> ExecutableDocument {
        let mut operation = self.head.clone();
        operation.node.selection_set = self.selection.clone();
        ExecutableDocument {
            operations: DocumentOperations::Single(operation),
            fragments: self.fragments.clone(),
        }
    }
}

fn needs_stock_executor(set: &SelectionSet, fragments: &Fragments, depth: usize) -> bool {
    depth > MAX_DEPTH
        || set.items.iter().any(|selection| {
            let within = match &selection.node {
                Selection::Field(field) => {
                    if matches!(field.node.name.node.as_str(), "__schema" | "__type") {
                        return true;
                    }
                    Some(&field.node.selection_set)
                }
                Selection::InlineFragment(fragment) => Some(&fragment.node.selection_set),
                Selection::FragmentSpread(spread) => fragments
                    .get(&spread.node.fragment_name.node)
                    .map(|fragment| &fragment.node.selection_set),
            };
            !selection.node.directives().is_empty()
                || within.is_some_and(|set| needs_stock_executor(&set.node, fragments, depth + 1))
        })
}

#[cfg(test)]
mod tests {
    use super::Graph;

    #[test]
    fn the_surroundings_are_seen_at_once() {
        assert!(Graph::default().surroundings.get().is_some());
    }
}

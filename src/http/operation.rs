//! An operation of a checked document, with all that is known of it before anybody asks: kept with the document, so that a request
//! only adds what it brings itself.

use std::sync::{Arc, OnceLock};

use apollo_compiler::ast::VariableDefinition;
use apollo_compiler::executable::Operation as Typed;
use apollo_compiler::{ExecutableDocument, Name, Node, Schema};
use async_graphql::parser::types::ExecutableDocument as Executable;

use super::access::{self, Need};
use super::cost::{self, Prices};
use super::metrics::Series;
use super::negotiate::Variables;
use super::respond::Refusal;
use super::{input_coercion, query_limits};
use crate::caller::Principal;
use crate::graphql::{self, PageLimits};

/// How much of a name is kept, in characters.
const MAX_NAME: usize = 100;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) typed: Node<Typed>,
    /// For the executor.
    pub(super) executable: graphql::Operation,
    /// `query` or `mutation`.
    pub(super) kind: &'static str,
    /// The permissions that it takes, whatever its variables are.
    needs: Vec<Need>,
    /// The variables that must not be null, because they are operators of a condition, and where.
    pub(super) null_conditions: Vec<(Name, String)>,
    /// The variables whose values may take more.
    telling: Vec<Node<VariableDefinition>>,
    /// What it may cost at most, where no variable changes that.
    cost: Option<u64>,
    /// How often its answer has one text at most.
    pub(super) copies: u64,
    /// What its answer is priced by.
    pub(super) prices: Prices,
    /// Its figures, once it has been answered.
    pub(super) series: OnceLock<Series>,
}

impl Operation {
    /// An operation of a document. None if the executor does not find it.
    pub(super) fn new(
        schema: &Schema,
        document: &ExecutableDocument,
        executable: &Executable,
        typed: &Node<Typed>,
        pages: PageLimits,
    ) -> Option<Arc<Self>> {
        let name = typed.name.as_ref().map(Name::as_str);
        let telling = typed.variables.iter();
        let telling = telling.filter(|variable| access::may_take(schema, &variable.ty));
        Some(Arc::new(Self {
            executable: graphql::Operation::of(executable, name)?,
            kind: typed.operation_type.name(),
            needs: access::needs(schema, document, typed),
            null_conditions: input_coercion::null_conditions(schema, document, typed),
            telling: telling.cloned().collect(),
            cost: cost::fixed(document, typed, pages),
            copies: query_limits::copies(typed, &document.fragments),
            prices: Prices::of(document, typed),
            series: OnceLock::new(),
            typed: typed.clone(),
        }))
    }

    /// Its name, as it is kept in logs, figures and traces: cut to [`MAX_NAME`]. Empty when it has none.
    pub(super) fn name(&self) -> &str {
        let name = self.typed.name.as_deref().unwrap_or_default();
        name.get(..MAX_NAME).unwrap_or(name)
    }

    /// Refuses it to who may not have what it asks for with these variables.
    pub(super) fn permit(
        &self,
        schema: &Schema,
        variables: &Variables,
        principal: &Principal,
    ) -> Result<(), Refusal> {
        access::check(schema, &self.needs, &self.telling, variables, principal)
    }

    /// What it may cost at most, with these variables.
    pub(super) fn cost(
        &self,
        document: &ExecutableDocument,
        variables: &Variables,
        pages: PageLimits,
    ) -> u64 {
        self.cost
            .unwrap_or_else(|| cost::requested(document, &self.typed, variables, pages))
    }
}

//! A list in the graph: at once where that can be, else as the executor resolves it.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, OutputType, Positioned, ServerError, ServerResult,
    Value,
};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join, try_join_all};
use uuid::Uuid;

use super::children::{Children, Lists};
use super::list_plan::{InfoPart, ListPlan};
use super::pages::{Page, Pages};
use super::plain::Fallback;
use super::plan::{Base, FieldContext};
use crate::error::Result;
use crate::graphql::connection::{Connection, Listed, PageArguments};
use crate::graphql::json::Json;
use crate::graphql::loader::within_budget;
use crate::graphql::{reader, repeats};
use crate::read::page::Order;
use crate::read::{Scope, batch};

/// Bytes of a value with its key, about.
const VALUE: usize = 48;

/// A list by pages.
pub(in crate::graphql) struct List<N: Listed>(Connection<N>);

impl<N: Listed> List<N> {
    /// A list of the whole graph or of one agent, read by itself.
    pub(in crate::graphql) fn new(
        context: &Context<'_>,
        scope: Scope,
        filter: N::Filter,
        order: Order<N::Field>,
        page: PageArguments,
    ) -> Result<Self> {
        Connection::new(context, scope, filter, order, page).map(Self)
    }

    /// The list of one parent among many, read in one statement for all of them.
    pub(in crate::graphql) fn batched(self) -> Self {
        Self(self.0.batched())
    }

    async fn at_once(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> Result<Json, Fallback> {
        let base = Base::new(context);
        let plan = ListPlan::<N>::new(base, &context.item.node)?;
        let waiting = plan.waiting.clone();
        let values = try_join_all(waiting.into_iter().map(async |field| {
            let value = self.0.resolve_field(&context.with_field(field)).await;
            Ok(value.map_err(|_| Fallback)?.unwrap_or_default())
        }));
        let pages = async {
            let page = if plan.needs_page() {
                self.page(&base.context(field), &plan).await?
            } else {
                Page {
                    slice: Arc::default(),
                    other_side: None,
                }
            };
            let query = self.0.query().clone();
            Pages::read(plan, query, vec![page], Some(context)).await
        };
        let (values, mut pages) = try_join(values, pages).await?;
        pages.values = values;
        let mut json = Json::with_room(pages.values() * VALUE);
        pages.write(0, &mut json)?;
        Ok(json)
    }

    async fn page(
        &self,
        context: &Context<'_>,
        plan: &ListPlan<'_, N>,
    ) -> Result<Page<N>, Fallback> {
        let list = &self.0;
        let slice = list.slice(context).await.map_err(|_| Fallback)?.clone();
        let wanted = if list.query().page.backward {
            InfoPart::HasNext
        } else {
            InfoPart::HasPrevious
        };
        let other_side = if plan.asks(wanted) {
            Some(list.has_other_side(context).await.map_err(|_| Fallback)?)
        } else {
            None
        };
        Ok(Page { slice, other_side })
    }
}

impl<N: Listed> Children for List<N> {
    fn is_plain(asked: &FieldContext<'_>) -> bool {
        let plan = ListPlan::<N>::new(asked.base, asked.selection());
        plan.is_ok_and(|plan| plan.is_plain())
    }

    fn scope(&self) -> Scope {
        self.0.scope()
    }

    fn read<'f, 'a: 'f>(
        &'f self,
        asked: &'f FieldContext<'a>,
        parents: &'f [Uuid],
    ) -> BoxFuture<'f, Result<Box<dyn Lists + 'a>, Fallback>> {
        async move {
            let Scope::Of(parent, _) = self.0.scope() else {
                return Err(Fallback);
            };
            let plan = ListPlan::<N>::new(asked.base, asked.selection())?;
            let query = self.0.query();
            let pages = async {
                within_budget((query.page.size + 1).saturating_mul(parents.len() as u64))?;
                batch::pages(
                    reader(asked.context()),
                    parent,
                    parents,
                    query,
                    self.0.columns(),
                )
                .await
            };
            let pages = pages.await.map_err(|_| Fallback)?;
            let pages = pages.into_iter().map(|slice| Page {
                other_side: query.other_side(&slice).err(),
                slice: Arc::new(slice),
            });
            let pages = pages.collect();
            let pages = Pages::read(plan, query.clone(), pages, None).await?;
            Ok(Box::new(pages) as Box<dyn Lists + 'a>)
        }
        .boxed()
    }
}

impl<N: Listed> OutputType for List<N> {
    fn type_name() -> Cow<'static, str> {
        <Connection<N> as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Connection::<N>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        if !repeats(context) {
            // On the heap, as what is below: in place, it would be moved about with all the futures around it.
            if let Ok(json) = Box::pin(self.at_once(context, field)).await {
                return Ok(json.into_value());
            }
            forget_errors(context);
        }
        Box::pin(self.0.resolve(context, field)).await
    }
}

/// Forgets errors that were noted inside a list: it is resolved again, and they with it.
fn forget_errors(context: &ContextSelectionSet<'_>) {
    let path = context.set_error_path(ServerError::new("", None)).path;
    let mut errors = context
        .query_env
        .errors
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    errors.retain(|error| !error.path.starts_with(&path));
}

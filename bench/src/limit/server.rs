//! The routes, each for one workload.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::json::{Json, Place, id_in};
use crate::Result;

/// Where in the list of users.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    First,
    After(Place),
    Offset(i64),
}

/// Users of an agent on a platform with a text in what identifies them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search<'a> {
    pub(super) agent: u128,
    pub(super) platform: &'a str,
    pub(super) term: &'a str,
}

/// The answers, out of either database.
pub(super) trait Answers: Send + Sync + 'static {
    /// A page of an agent's users, or of all.
    fn users(&self, agent: Option<u128>, start: Start)
    -> impl Future<Output = Result<Json>> + Send;
    /// The first page of those who are searched for.
    fn search(&self, search: Search<'_>) -> impl Future<Output = Result<Json>> + Send;
    /// How many there are of those.
    fn count(&self, search: Search<'_>) -> impl Future<Output = Result<Json>> + Send;
    /// A user with sessions and messages.
    fn conversations(&self, user: u128) -> impl Future<Output = Result<Json>> + Send;
    /// Users of an agent with sessions and messages.
    fn audience(&self, agent: u128) -> impl Future<Output = Result<Json>> + Send;
    /// A long page of an agent's users with their sessions.
    fn walk(&self, agent: u128, after: Option<Place>) -> impl Future<Output = Result<Json>> + Send;
    /// Gives a user a name.
    fn rename(&self, user: u128, name: &str) -> impl Future<Output = Result<Json>> + Send;
}

/// What the routes are asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    agent: Option<String>,
    user: Option<String>,
    platform: Option<String>,
    search: Option<String>,
    after: Option<String>,
    offset: Option<i64>,
    name: Option<String>,
}

impl Asked {
    fn agent(&self) -> Result<u128> {
        let agent = self.agent.as_deref().and_then(id_in);
        Ok(agent.ok_or("an agent is needed")?)
    }

    fn user(&self) -> Result<u128> {
        let user = self.user.as_deref().and_then(id_in);
        Ok(user.ok_or("a user is needed")?)
    }

    fn place(&self) -> Result<Option<Place>> {
        let place =
            |cursor| Place::of_cursor(cursor).ok_or("a cursor of the default order is needed");
        Ok(self.after.as_deref().map(place).transpose()?)
    }

    fn search(&self) -> Result<Search<'_>> {
        Ok(Search {
            agent: self.agent()?,
            platform: self.platform.as_deref().ok_or("a platform is needed")?,
            term: self.search.as_deref().ok_or("a term is needed")?,
        })
    }
}

/// All routes.
pub(super) fn routes<A: Answers>(answers: A) -> Router {
    Router::new()
        .route("/users", get(users::<A>))
        .route("/search", get(search::<A>))
        .route("/count", get(count::<A>))
        .route("/conversations", get(conversations::<A>))
        .route("/audience", get(audience::<A>))
        .route("/walk", get(walk::<A>))
        .route("/rename", post(rename::<A>))
        .with_state(Arc::new(answers))
}

/// The answers, and what is asked.
type Of<A> = State<Arc<A>>;

async fn users<A: Answers>(State(of): Of<A>, Query(asked): Query<Asked>) -> Response {
    let answer = async {
        let agent = asked.agent.is_some().then(|| asked.agent()).transpose()?;
        let start = match (asked.place()?, asked.offset) {
            (Some(place), _) => Start::After(place),
            (None, Some(offset)) => Start::Offset(offset),
            (None, None) => Start::First,
        };
        of.users(agent, start).await
    };
    respond(answer.await)
}

async fn search<A: Answers>(State(of): Of<A>, Query(asked): Query<Asked>) -> Response {
    respond(async { of.search(asked.search()?).await }.await)
}

async fn count<A: Answers>(State(of): Of<A>, Query(asked): Query<Asked>) -> Response {
    respond(async { of.count(asked.search()?).await }.await)
}

async fn conversations<A: Answers>(State(of): Of<A>, Query(asked): Query<Asked>) -> Response {
    respond(async { of.conversations(asked.user()?).await }.await)
}

async fn audience<A: Answers>(State(of): Of<A>, Query(asked): Query<Asked>) -> Response {
    respond(async { of.audience(asked.agent()?).await }.await)
}

async fn walk<A: Answers>(State(of): Of<A>, Query(asked): Query<Asked>) -> Response {
    respond(async { of.walk(asked.agent()?, asked.place()?).await }.await)
}

async fn rename<A: Answers>(State(of): Of<A>, Query(asked): Query<Asked>) -> Response {
    let answer = async {
        let name = asked.name.as_deref().ok_or("a name is needed")?;
        of.rename(asked.user()?, name).await
    };
    respond(answer.await)
}

fn respond(answer: Result<Json>) -> Response {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    match answer {
        Ok(json) => ([(CONTENT_TYPE, JSON)], json.into_bytes()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

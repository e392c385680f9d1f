//! The HTTP server. A request to `/graphql` goes through these files: `load_shed` → authenticate → negotiate → guard → document →
//! `input_coercion` → access → cost → rate → execute → respond, and a mutation with an `Idempotency-Key` through idempotency around execute.

mod access;
mod authenticate;
mod connections;
mod cost;
mod document;
mod execute;
mod guard;
mod health;
mod idempotency;
mod input_coercion;
mod load_shed;
mod metrics;
mod middleware;
mod negotiate;
mod operation;
mod origin_guard;
mod pace;
mod persisted;
mod playground;
mod query_limits;
mod rate;
mod respond;
mod suggest;
mod work;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::authentication::{Authentication, Cause};
use crate::caller::Principal;
use crate::config::{Limits, ServeSettings, StatusProfile};
use crate::db::Database;
use crate::db::query_stats::{Memory, QUERY_STATS, QueryStats};
use crate::error::Result;
use crate::graphql::{Graph, GraphqlServices, ReadAuditWriter, ReadLog};
use crate::span;
use crate::telemetry::RequestLine;
use document::{Documents, OperationSelector};
use load_shed::LoadShedder;
use metrics::Metrics;
use negotiate::{GraphqlRequest, MediaType, RequestBody};
use operation::Operation;
use pace::Pace;
use persisted::Persisted;
use rate::{Charge, Rates};
use respond::{Answer, Refusal};

/// What every request needs.
#[derive(Clone)]
pub struct Server(Arc<AppState>);

struct AppState {
    services: GraphqlServices,
    graph: Graph,
    limits: Limits,
    /// None where nobody's spending is limited.
    rates: Option<Rates>,
    documents: Arc<Documents>,
    persisted: Persisted,
    metrics: Metrics,
    load_shedder: LoadShedder,
    pace: Pace,
    /// For the texts of all answers.
    memory: Arc<Memory>,
    /// One permit for each request that may be worked on at once.
    execution_permits: Semaphore,
    idempotency_locks: idempotency::Locks,
    /// What writes down whose personal data was read, until it is finished.
    keeper: Mutex<Option<ReadAuditWriter>>,
    profile: StatusProfile,
    playground: bool,
    open_metrics: bool,
    cors: Vec<HeaderValue>,
    drain_timeout: Duration,
    draining: AtomicBool,
    authentication: Authentication,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// A server over a database, where everybody may do everything.
    pub fn new(database: Database, settings: &ServeSettings, limits: Limits) -> Result<Self> {
        Self::open_to(Principal::anyone(), database, settings, limits)
    }

    /// A server that takes everybody for the same.
    pub fn open_to(
        anyone: Principal,
        database: Database,
        settings: &ServeSettings,
        limits: Limits,
    ) -> Result<Self> {
        let authentication = Authentication::Open(Arc::new(anyone));
        Self::with(authentication, database, settings, limits)
    }

    /// A server that knows who asks in this way.
    pub fn with(
        authentication: Authentication,
        mut database: Database,
        settings: &ServeSettings,
        limits: Limits,
    ) -> Result<Self> {
        let personal = settings.personal_platforms()?;
        database.reader = database.reader.with_personal(personal);
        let metrics = Metrics::default();
        let (graph, pages) = (Graph::default(), settings.pages());
        let documents = Documents::new(
            &graph.sdl(),
            limits,
            pages,
            settings.introspection(),
            settings.suggestions(),
        )?;
        let (reads, keeper) = settings
            .audit_reads
            .unwrap_or(!authentication.is_open())
            .then(|| ReadLog::start(database.writer.clone()))
            .unzip();
        Ok(Self(Arc::new(AppState {
            load_shedder: LoadShedder::new(limits.concurrency, &metrics),
            pace: Pace::new(),
            memory: Arc::new(Memory::of(limits.answer_memory)),
            services: GraphqlServices {
                database,
                pages,
                currency: settings.currency()?,
                roles: settings.roles()?,
                clock_ahead: limits.clock_ahead,
                reads,
            },
            keeper: Mutex::new(keeper),
            graph,
            limits,
            rates: limits.rate(!authentication.is_open()).map(Rates::new),
            documents: Arc::new(documents),
            persisted: Persisted::new(settings.trusted_documents.as_deref())?,
            metrics,
            execution_permits: Semaphore::new(limits.parallel),
            idempotency_locks: idempotency::Locks::default(),
            profile: settings.status_profile(),
            playground: settings.graphiql(),
            open_metrics: settings.open_metrics == Some(true),
            cors: settings.cors_origins()?,
            drain_timeout: settings.drain_timeout(),
            draining: AtomicBool::new(false),
            authentication,
        })))
    }

    /// Every route there is.
    pub fn routes(&self) -> Router {
        let routes = Router::new()
            .route("/graphql", any(graphql_request))
            .route("/schema.graphql", get(schema))
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/metrics", get(metrics::show));
        let routes = if self.0.playground {
            routes.merge(playground::routes())
        } else {
            routes
        };
        middleware::around(routes, self).with_state(self.clone())
    }

    /// Serves until `stop` resolves; then requests under way have their time to end.
    pub async fn run(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        let (stopping, stopped) = tokio::sync::oneshot::channel();
        let shared = self.0.clone();
        let stop = async move {
            stop.await;
            shared.draining.store(true, Ordering::Relaxed);
            stopping.send(()).ok();
        };
        let serving = connections::serve(listener, self.routes(), &self.0.limits, stop);
        // Connections that never end must not keep the process: the deadline counts from the signal.
        let deadline = async {
            stopped.await.ok();
            tokio::time::sleep(self.0.drain_timeout).await;
        };
        tokio::select! {
            () = serving => {}
            () = deadline => tracing::warn!("requests were still under way at the end of the drain timeout"),
        }
        self.finish().await;
        Ok(())
    }

    /// Writes down what is still to be written about requests that have been answered. None may come any more.
    pub async fn finish(&self) {
        let keeper = self
            .0
            .keeper
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(keeper) = keeper
            && tokio::time::timeout(self.0.drain_timeout, keeper.finish())
                .await
                .is_err()
        {
            tracing::warn!("reads of personal data could not be written to the audit log in time");
        }
    }
}

/// The schema as text, for whoever may ask about it.
async fn schema(State(server): State<Server>, headers: HeaderMap) -> Response {
    if let Err(refusal) = authenticate::principal(&server.0, &headers).await {
        return refuse_outside(&server.0, &headers, refusal);
    }
    if server.0.documents.introspection() {
        let content_type = "text/plain; charset=utf-8";
        ([(CONTENT_TYPE, content_type)], server.0.graph.sdl()).into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// Refuses a request to another route than the graph's.
fn refuse_outside(shared: &AppState, headers: &HeaderMap, refusal: Refusal) -> Response {
    let id = negotiate::request_id(headers);
    let mut response = refuse(shared, MediaType::Json, Asker::unknown(&id), refusal);
    complete(&mut response, &id);
    response
}

/// The headers that every answer of ours has.
fn complete(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(negotiate::REQUEST_ID, id);
    }
}

/// One request to the graph, in its span.
async fn graphql_request(State(server): State<Server>, request: Request) -> Response {
    let span = span::request(request.headers());
    respond_to(&server.0, request).instrument(span).await
}

/// One request to the graph, step by step.
async fn respond_to(shared: &AppState, request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return (
            StatusCode::NO_CONTENT,
            [(ALLOW, "GET, HEAD, POST, OPTIONS")],
        )
            .into_response();
    }
    let id = negotiate::request_id(request.headers());
    let form = negotiate::answer_form(request.headers());
    let start = Instant::now();
    let mut response = match form {
        None => refuse(shared, MediaType::Json, Asker::unknown(&id), unacceptable()),
        Some(form) => received(shared, request, form, &id, start).await,
    };
    // It holds no place any more.
    if response.headers().contains_key(RETRY_AFTER) {
        shared.pace.wait().await;
    }
    complete(&mut response, &id);
    response
}

/// Finds out who asks, waits for the rest of the request, and answers it. It has a place for the first and for the last: one that comes
/// slowly holds none meanwhile.
async fn received(
    shared: &AppState,
    request: Request,
    form: MediaType,
    id: &str,
    start: Instant,
) -> Response {
    let Some(place) = shared.load_shedder.enter() else {
        return shared.load_shedder.refuse(form, id, start);
    };
    let principal = match authenticate::principal(shared, request.headers()).await {
        Ok(principal) => principal,
        Err(refusal) => return refuse(shared, form, Asker::unknown(id), refusal),
    };
    drop(place);
    let request = match negotiate::arrived(request, &shared.limits).await {
        Ok(request) => request,
        Err(refusal) => {
            let name = &principal.name;
            return refuse(shared, form, Asker { id, name }, refusal);
        }
    };
    let share =
        (!shared.authentication.is_open()).then(|| shared.load_shedder.share(&principal.name));
    let Some(_place) = shared
        .load_shedder
        .enter()
        .filter(|_| !matches!(share, Some(None)))
    else {
        return shared.load_shedder.refuse(form, id, start);
    };
    shared.metrics.in_flight.inc();
    let _leaving = Leaving(shared);
    all(shared, request, form, id, principal).await
}

/// Counts a request out, also when its client has hung up.
struct Leaving<'a>(&'a AppState);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.dec();
    }
}

fn unacceptable() -> Refusal {
    let message = "accept `application/graphql-response+json` or `application/json`";
    Refusal::new(StatusCode::NOT_ACCEPTABLE, "BAD_USER_INPUT", message)
}

/// Answers what a request asks: one question, or several.
async fn all(
    shared: &AppState,
    request: Request,
    form: MediaType,
    id: &str,
    principal: Arc<Principal>,
) -> Response {
    let method = request.method().clone();
    let mut caller = Caller {
        id,
        principal,
        method: &method,
        key: idempotency::Given::of(request.headers()),
        wants_cost: negotiate::wants_cost(request.headers()),
    };
    let start = Instant::now();
    let mut response = match negotiate::request_body(request, &shared.limits).await {
        Err(refusal) => refuse(shared, form, caller.asker(), refusal),
        Ok(RequestBody::One(question)) => {
            let answer = one(shared, question, &caller, start, &mut 0).await;
            respond::single(answer, form, shared.profile)
        }
        Ok(RequestBody::Batch(questions)) => {
            caller.key.batched = true;
            let mut answers = Vec::with_capacity(questions.len());
            let mut spent = 0;
            for question in questions {
                answers.push(one(shared, question, &caller, Instant::now(), &mut spent).await);
            }
            respond::batch(answers, form)
        }
    };
    if let Some(rates) = &shared.rates {
        rates.tell(&caller.principal.name, response.headers_mut());
    }
    response
}

/// Who asks, and how.
struct Caller<'a> {
    id: &'a str,
    principal: Arc<Principal>,
    method: &'a Method,
    key: idempotency::Given,
    wants_cost: bool,
}

/// What is told of a request and of who sent it.
#[derive(Clone, Copy)]
struct Asker<'a> {
    id: &'a str,
    /// Their name; empty while nobody knows it.
    name: &'a str,
}

impl<'a> Asker<'a> {
    const fn unknown(id: &'a str) -> Self {
        Self { id, name: "" }
    }
}

impl Caller<'_> {
    fn asker(&self) -> Asker<'_> {
        Asker {
            id: self.id,
            name: &self.principal.name,
        }
    }
}

/// Answers a question, and leaves a line and figures of it. `spent` is what the questions before it in a batch have cost.
async fn one(
    shared: &AppState,
    question: GraphqlRequest,
    caller: &Caller<'_>,
    start: Instant,
    spent: &mut u64,
) -> Answer {
    // A test that counts statements brings its own tally.
    let tally = QUERY_STATS.try_with(Arc::clone).unwrap_or_default();
    let mut operation = None;
    let answering = answer(shared, question, caller, spent, &tally, &mut operation);
    let answer = QUERY_STATS.scope(tally.clone(), answering).await;
    finish(
        shared,
        caller.asker(),
        answer.unwrap_or_else(Answer::from),
        operation.as_deref(),
        &tally,
        start,
    )
}

/// Refuses a request of which nothing is known yet.
fn refuse(shared: &AppState, form: MediaType, asker: Asker<'_>, refusal: Refusal) -> Response {
    let (tally, start) = (QueryStats::default(), Instant::now());
    let answer = finish(shared, asker, refusal.into(), None, &tally, start);
    respond::single(answer, form, shared.profile)
}

/// Completes an answer, logs and counts it.
fn finish(
    shared: &AppState,
    asker: Asker<'_>,
    mut answer: Answer,
    operation: Option<&Operation>,
    tally: &QueryStats,
    start: Instant,
) -> Answer {
    let codes = answer.complete(asker.id, shared.limits.errors);
    let line = RequestLine {
        id: asker.id,
        caller: asker.name,
        cause: answer.cause.map(Cause::as_str),
        operation_type: operation.map_or("", |operation| operation.kind),
        operation_name: operation.map_or("", Operation::name),
        status: answer.status.as_u16(),
        errors: &codes,
        figures: tally.figures(),
        duration: start.elapsed(),
    };
    line.log();
    let unknown = OnceLock::new();
    let series = operation.map_or(&unknown, |operation| &operation.series);
    shared.metrics.answered(&line, answer.limit, series);
    answer
}

async fn answer(
    shared: &AppState,
    mut question: GraphqlRequest,
    caller: &Caller<'_>,
    spent: &mut u64,
    tally: &Arc<QueryStats>,
    found: &mut Option<Arc<Operation>>,
) -> Result<Answer, Refusal> {
    let documents = &shared.documents;
    let (text, new) = shared.persisted.text(&mut question)?;
    let meant = OperationSelector {
        name: question.operation_name.take(),
        query: caller.method != Method::POST,
    };
    let (checked, kept) = documents.check(&text, &meant).await?;
    shared.metrics.document(kept);
    if let Some(hash) = new {
        shared.persisted.keep(hash, &text);
    }
    let operation = checked.operation(&meant)?;
    *found = Some(operation.clone());
    let once = if operation.typed.is_mutation() {
        caller.key.once(
            &caller.principal,
            &text,
            meant.name.as_deref(),
            &question.variables,
        )?
    } else {
        None
    };
    let variables = documents.variables(&checked, operation, question.variables)?;
    documents.permit(operation, &variables, &caller.principal)?;
    let cost = operation.cost(&checked.typed, &variables, shared.services.pages);
    *spent = spent.saturating_add(cost);
    let max = shared.limits.cost;
    if *spent > max {
        return Err(cost::too_much(*spent, max));
    }
    let rates = shared.rates.as_ref();
    let charge = rates
        .map(|rates| rates.charge(&caller.principal.name, cost, tally.clone()))
        .transpose()?;
    tally.limit_text(
        shared.limits.answer,
        operation.copies,
        shared.memory.clone(),
    );
    let wants_actual = charge.is_some() || caller.wants_cost;
    let prices = wants_actual.then(|| operation.prices.with(&variables));
    let running = async |once| {
        let running = execute::execute(shared, operation, variables, caller, once);
        let mut answer = running.await?;
        answer.hold(tally, shared.limits)?;
        if let Some(prices) = &prices {
            let used = prices.actual(&answer.response.data);
            let actual = used.saturating_sub(tally.figures().spared).min(cost);
            tell_cost(&mut answer, caller, charge.as_ref(), [cost, actual, max]);
        }
        Ok(answer)
    };
    match once {
        None => running(None).await,
        Some(once) => {
            // Few requests have a key: the others are not to carry the room for it.
            let running = Box::pin(running(Some(once.clone())));
            Box::pin(idempotency::once(shared, &once, running)).await
        }
    }
}

/// Returns what was not used, and tells the cost to who wants to know.
fn tell_cost(
    answer: &mut Answer,
    caller: &Caller<'_>,
    charge: Option<&Charge<'_>>,
    [requested, actual, max]: [u64; 3],
) {
    if let Some(charge) = charge {
        charge.settle(actual);
    }
    if caller.wants_cost {
        answer.tell_cost(requested, actual, max);
        if let Some(charge) = charge {
            charge.tell(answer);
        }
    }
}

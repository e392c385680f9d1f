//! The measurement: four ways to the same answer, taken in turns, so that the machine's mood is the same for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use parlour::config::{LimitSettings, ServeSettings};
use parlour::db::query_stats::{Figures, QUERY_STATS, QueryStats};
use parlour::http::Server;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use crate::Result;
use crate::shapes::list::Shape;
use crate::shapes::task::Task;
use crate::shapes::{by_hand, endpoint, plans, question};
use crate::store::Store;
use crate::wire::{Wire, post};

/// Rounds before the measurement: caches are warm and statements are prepared then (`PostgreSQL` settles on a plan after five).
const WARM_UP: usize = 8;
/// Rounds at least.
const FEWEST: usize = 5;

/// Both sides over one database, ready to be asked.
pub(crate) struct Sides {
    router: Router,
    parlour: Wire,
    by_hand: Wire,
    servers: Vec<JoinHandle<()>>,
}

/// What came of one shape.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) shape: Shape,
    pub(crate) figures: Figures,
    /// Parlour's router, from the bytes of a request to the bytes of the answer, without a socket.
    pub(crate) ours: Times,
    /// The statements by hand, every column decoded.
    pub(crate) bare: Times,
    /// Parlour over HTTP.
    pub(crate) ours_http: Times,
    /// The hand-written endpoint over HTTP.
    pub(crate) hand_http: Times,
    /// How long Parlour waited for the database.
    pub(crate) waited: Times,
    /// Whether both sides answered the same.
    pub(crate) same: bool,
    /// Parlour's statements with their plans, as Markdown.
    pub(crate) plans: String,
}

/// Durations, sorted.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0
            .get(last * percent / 100)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn p50(&self) -> Duration {
        self.percentile(50)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.percentile(99)
    }

    pub(crate) fn most(&self) -> Duration {
        self.percentile(100)
    }

    pub(crate) const fn rounds(&self) -> usize {
        self.0.len()
    }
}

impl Sides {
    /// Starts both servers over a database.
    pub(crate) async fn start(store: &Store) -> Result<Self> {
        let server = Server::new(
            store.database.clone(),
            &ServeSettings::default(),
            LimitSettings::default().limits(),
        )?;
        let router = server.routes();
        let ours = TcpListener::bind("127.0.0.1:0").await?;
        let theirs = TcpListener::bind("127.0.0.1:0").await?;
        let addresses = (ours.local_addr()?, theirs.local_addr()?);
        let hand = endpoint::routes(store.pool.clone());
        let servers = vec![
            tokio::spawn(async move {
                server.run(ours, std::future::pending()).await.ok();
            }),
            tokio::spawn(async move {
                axum::serve(theirs, hand).await.ok();
            }),
        ];
        Ok(Self {
            router,
            parlour: Wire::connect(addresses.0).await?,
            by_hand: Wire::connect(addresses.1).await?,
            servers,
        })
    }

    pub(crate) async fn stop(self) {
        for server in self.servers {
            server.abort();
            server.await.ok();
        }
    }

    /// Asks Parlour without a socket.
    pub(crate) async fn ask(&self, body: &str, tally: Arc<QueryStats>) -> Result<Vec<u8>> {
        let request = Request::post("/graphql")
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_owned()))?;
        let asked = self.router.clone().oneshot(request);
        let answer = QUERY_STATS.scope(tally, asked).await?;
        Ok(to_bytes(answer.into_body(), usize::MAX).await?.to_vec())
    }

    /// Asks Parlour over HTTP.
    pub(crate) async fn ask_parlour(&mut self, body: &str) -> Result<&[u8]> {
        self.parlour.ask(&post("/graphql", body)).await
    }

    /// Asks the hand-written endpoint.
    pub(crate) async fn ask_by_hand(&mut self, task: &Task) -> Result<&[u8]> {
        let request = post(endpoint::PATH, &serde_json::to_string(task)?);
        self.by_hand.ask(&request).await
    }
}

/// Measures a shape for about this long.
pub(crate) async fn measure(
    store: &Store,
    sides: &mut Sides,
    shape: Shape,
    time: Duration,
) -> Result<Measured> {
    let body = question::body(&shape.task);
    let tally = Arc::new(QueryStats::recording());
    let ours: Value = serde_json::from_slice(&sides.ask(&body, tally.clone()).await?)?;
    if let Some(errors) = ours.get("errors") {
        return Err(format!("{}: {errors} in answer to {body}", shape.name).into());
    }
    let theirs: Value = serde_json::from_slice(sides.ask_by_hand(&shape.task).await?)?;
    let mut measured = Measured {
        same: ours == theirs,
        figures: tally.figures(),
        plans: plans::explain(store, &tally).await?,
        shape,
        ours: Times::default(),
        bare: Times::default(),
        ours_http: Times::default(),
        hand_http: Times::default(),
        waited: Times::default(),
    };
    let requests = (
        post("/graphql", &body),
        post(
            endpoint::PATH,
            &serde_json::to_string(&measured.shape.task)?,
        ),
    );
    let start = Instant::now();
    for round in 0.. {
        if round == WARM_UP {
            measured.clear();
        }
        // Forth and back, so that nobody always comes after the same one.
        for at in 0..4 {
            match if round % 2 == 0 { at } else { 3 - at } {
                0 => {
                    let tally = Arc::new(QueryStats::default());
                    let asked = Instant::now();
                    std::hint::black_box(sides.ask(&body, tally.clone()).await?);
                    measured.ours.0.push(asked.elapsed());
                    measured.waited.0.push(tally.figures().waited);
                }
                1 => {
                    let asked = Instant::now();
                    std::hint::black_box(by_hand::answer(&store.pool, &measured.shape.task).await?);
                    measured.bare.0.push(asked.elapsed());
                }
                2 => {
                    let asked = Instant::now();
                    std::hint::black_box(sides.parlour.ask(&requests.0).await?);
                    measured.ours_http.0.push(asked.elapsed());
                }
                _ => {
                    let asked = Instant::now();
                    std::hint::black_box(sides.by_hand.ask(&requests.1).await?);
                    measured.hand_http.0.push(asked.elapsed());
                }
            }
        }
        if start.elapsed() > time && measured.ours.rounds() >= FEWEST && round >= WARM_UP {
            break;
        }
    }
    measured.sort();
    Ok(measured)
}

impl Measured {
    fn all(&mut self) -> [&mut Times; 5] {
        [
            &mut self.ours,
            &mut self.bare,
            &mut self.ours_http,
            &mut self.hand_http,
            &mut self.waited,
        ]
    }

    fn clear(&mut self) {
        for times in self.all() {
            times.0.clear();
        }
    }

    fn sort(&mut self) {
        for times in self.all() {
            times.0.sort_unstable();
        }
    }
}

//! Connections: taken one by one, each within bounds. A client that sends slowly, reads slowly or says nothing holds a connection for
//! a bounded time, and there are only so many of them.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use crate::config::Limits;

/// Requests that one connection of HTTP/2 may have under way.
const STREAMS: u32 = 100;
/// Bytes of answers that one stream of HTTP/2 keeps ready for a client that does not read.
const SEND_BUFFER: usize = 256 << 10;
/// Between two questions whether the client of a silent connection of HTTP/2 is still there, and how long it has to answer.
const ASK: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(10);
/// How long no connection is taken after the machine refused one, as it does when no more files may be open.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two lines of the log about refused connections.
const TELL: Duration = Duration::from_secs(10);

/// Serves connections until `stop` resolves; then requests under way have as long as they take.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) {
    let builder = builder(limits);
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut refused = Refused::default();
    tokio::pin!(stop);
    loop {
        // Whoever comes when all places are taken waits in the queue of the operating system.
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        let (Ok(place), stream) = (place, accepted) else {
            break;
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                refused.tell(&error);
                sleep(PAUSE).await;
                continue;
            }
        };
        // Or else the end of a long answer waits until its start has been acknowledged.
        stream.set_nodelay(true).ok();
        let io = TokioIo::new(Paced::new(stream, limits));
        let activity = Arc::new(Activity::default());
        let service = Counted {
            inner: routes.clone(),
            activity: Arc::clone(&activity),
        };
        let service = TowerToHyperService::new(service);
        let connection = builder.serve_connection(io, service).into_owned();
        let connection = graceful.watch(connection);
        let idle = limits.idle_timeout;
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                },
                () = activity.unused_for(idle * 2) => tracing::debug!("a connection was not used any more"),
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(ASK)
        .keep_alive_timeout(ANSWER);
    builder
}

/// Connections that could not be taken: told now and then, and counted in between.
#[derive(Default)]
struct Refused {
    count: u64,
    told: Option<Instant>,
}

impl Refused {
    fn tell(&mut self, error: &io::Error) {
        self.count += 1;
        if self.told.is_none_or(|told| told.elapsed() >= TELL) {
            tracing::error!(%error, count = self.count, "connections cannot be taken");
            *self = Self {
                count: 0,
                told: Some(Instant::now()),
            };
        }
    }
}

/// The requests of a connection.
#[derive(Debug, Default)]
struct Activity(Mutex<Uses>);

/// How a connection is used: requests being answered, and since when there is none.
#[derive(Debug)]
struct Uses {
    active: usize,
    since: Instant,
}

impl Default for Uses {
    fn default() -> Self {
        Self {
            active: 0,
            since: Instant::now(),
        }
    }
}

impl Activity {
    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when no request was answered for so long: neither a client that only keeps the connection alive nor one that does not
    /// take its answer holds it for longer.
    async fn unused_for(&self, time: Duration) {
        loop {
            let left = {
                let uses = self.uses();
                match uses.active {
                    0 => time.saturating_sub(uses.since.elapsed()),
                    _ => time,
                }
            };
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }
}

/// A request that is being answered, until it is dropped.
struct Active(Arc<Activity>);

impl Active {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.uses().active += 1;
        Self(Arc::clone(activity))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let mut uses = self.0.uses();
        uses.active -= 1;
        uses.since = Instant::now();
    }
}

/// A service whose requests are counted.
#[derive(Clone)]
struct Counted<S> {
    inner: S,
    activity: Arc<Activity>,
}

impl<S, R> Service<R> for Counted<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let active = Active::begin(&self.activity);
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await;
            drop(active);
            answer
        })
    }
}

/// How a connection of HTTP/2 begins. What could still become this says nothing yet.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose client has to say something soon after it came, and to read on while it is written to.
struct Paced {
    stream: TcpStream,
    /// When something has to be said; nothing once it is.
    first: Option<Pin<Box<Sleep>>>,
    /// Bytes of [`PREFACE`] that were read so far.
    preface: usize,
    /// When the next byte has to be taken; nothing while nothing waits to be.
    write: Option<Pin<Box<Sleep>>>,
    write_timeout: Duration,
}

impl Paced {
    fn new(stream: TcpStream, limits: &Limits) -> Self {
        Self {
            stream,
            first: Some(Box::pin(sleep(limits.idle_timeout))),
            preface: 0,
            write: None,
            write_timeout: limits.write_timeout,
        }
    }

    /// What came of writing, unless the client has not read for too long.
    fn paced<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write = None;
            return written;
        }
        let timeout = self.write_timeout;
        let timer = self.write.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(late("the client does not read")))
    }
}

fn late(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what.to_owned())
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            let new = buffer.filled().get(before..).unwrap_or_default();
            let rest = PREFACE.get(self.preface..).unwrap_or_default();
            self.preface += new.len();
            if new.len() >= rest.len() || !rest.starts_with(new) {
                self.first = None;
            }
            return read;
        }
        if let Some(first) = &mut self.first {
            ready!(first.as_mut().poll(context));
            return Poll::Ready(Err(late("the client says nothing")));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.paced(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.paced(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.paced(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

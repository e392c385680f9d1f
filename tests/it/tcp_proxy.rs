//! A gate before a database: it counts what is asked, keeps answers back, and can be shut as if the server were gone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

/// The message of the protocol that ends each statement.
const SYNC: &[u8] = b"S\0\0\0\x04";

/// A gate before a database.
pub(crate) struct TcpProxy {
    /// The database's address, through the gate.
    pub(crate) url: String,
    here: SocketAddr,
    there: String,
    asked: Arc<AtomicUsize>,
    kept_back: watch::Sender<bool>,
    task: tokio::task::AbortHandle,
}

impl TcpProxy {
    pub(crate) async fn before(url: &str) -> Self {
        let mut url = Url::parse(url).unwrap();
        let there = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(here.port())).unwrap();
        let (asked, kept_back) = (Arc::default(), watch::Sender::new(false));
        let task = serve(listener, there.clone(), Arc::clone(&asked), &kept_back);
        Self {
            url: url.to_string(),
            here,
            there,
            asked,
            kept_back,
            task,
        }
    }

    /// How many statements came through, and how many were prepared.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Whether answers are kept back.
    pub(crate) fn keep_back(&self, kept_back: bool) {
        self.kept_back.send_replace(kept_back);
    }

    /// Ends all connections, and lets no other in.
    pub(crate) fn close(&self) {
        self.task.abort();
    }

    /// Lets in again who comes.
    pub(crate) async fn open(&mut self) {
        let listener = loop {
            match TcpListener::bind(self.here).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let (asked, there) = (Arc::clone(&self.asked), self.there.clone());
        self.task = serve(listener, there, asked, &self.kept_back);
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn serve(
    listener: TcpListener,
    there: String,
    asked: Arc<AtomicUsize>,
    kept_back: &watch::Sender<bool>,
) -> tokio::task::AbortHandle {
    let kept_back = kept_back.subscribe();
    let task = tokio::spawn(async move {
        let mut ways = JoinSet::new();
        while let Ok((from, _)) = listener.accept().await {
            let to = TcpStream::connect(&there).await.unwrap();
            ways.spawn(way(from, to, Arc::clone(&asked), kept_back.clone()));
        }
    });
    task.abort_handle()
}

async fn way(
    from: TcpStream,
    to: TcpStream,
    asked: Arc<AtomicUsize>,
    mut kept_back: watch::Receiver<bool>,
) {
    let (mut questions, mut answer) = from.into_split();
    let (mut answers, mut question) = to.into_split();
    let there = async {
        let mut bytes = vec![0; 1 << 16];
        // The end of what came last: a message may be cut in two.
        let mut text = Vec::new();
        loop {
            let length = questions.read(&mut bytes).await?;
            text.extend_from_slice(&bytes[..length]);
            let found = text
                .windows(SYNC.len())
                .filter(|part| *part == SYNC)
                .count();
            asked.fetch_add(found, Ordering::SeqCst);
            text.drain(..text.len().saturating_sub(SYNC.len() - 1));
            if length == 0 {
                return question.shutdown().await;
            }
            question.write_all(&bytes[..length]).await?;
        }
    };
    let back = async {
        let mut bytes = vec![0; 1 << 16];
        loop {
            let length = answers.read(&mut bytes).await?;
            kept_back.wait_for(|kept_back| !kept_back).await.ok();
            if length == 0 {
                return answer.shutdown().await;
            }
            answer.write_all(&bytes[..length]).await?;
        }
    };
    let ended: (std::io::Result<()>, std::io::Result<()>) = tokio::join!(there, back);
    drop(ended);
}

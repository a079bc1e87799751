//! Work that is done behind the answer, so that the answer's time does not tell what was found: a request for a new
//! password takes as long for an address that nobody has.
//!
//! One piece at a time and in order; what waits when the process is killed is lost, and may be asked for again.

use std::pin::Pin;
use std::time::Duration;

use engify_core::{Error, Result};
use tokio::sync::{mpsc, oneshot};

/// How many pieces may wait.
const WAITING: usize = 1024;
/// How long the end of the process waits for them.
const PATIENCE: Duration = Duration::from_secs(10);

enum Piece {
    Work(Pin<Box<dyn Future<Output = ()> + Send>>),
    Flush(oneshot::Sender<()>),
}

/// The queue's near end.
pub(crate) struct Behind {
    queue: mpsc::Sender<Piece>,
}

impl Behind {
    pub(crate) fn start() -> Self {
        let (queue, mut pieces) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            while let Some(piece) = pieces.recv().await {
                match piece {
                    Piece::Work(work) => work.await,
                    // Whoever asked may have given up.
                    Piece::Flush(done) => drop(done.send(())),
                }
            }
        });
        Self { queue }
    }

    /// Queues a piece of work.
    ///
    /// # Errors
    /// `busy` while too much waits.
    pub(crate) fn put(&self, work: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        self.queue.try_send(Piece::Work(Box::pin(work))).map_err(|_| {
            Error::unavailable("busy", "Too many requests wait for their turn here. Try again shortly.")
                .retry_after(Duration::from_secs(5))
        })
    }

    /// Waits until everything before is done.
    pub(crate) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.queue.send(Piece::Flush(done)).await.is_ok() {
            // An error means that the worker ended, and with it everything it had.
            let _ = wait.await;
        }
    }

    /// Waits, at most 10 seconds, until everything is done.
    pub(crate) async fn stop(&self) {
        if tokio::time::timeout(PATIENCE, self.flush()).await.is_err() {
            tracing::error!("behind.undone: what was still to be done behind answers is dropped");
        }
    }
}

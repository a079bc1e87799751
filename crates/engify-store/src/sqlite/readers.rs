//! A small pool of reading connections. Each read runs on a thread where waiting is allowed, under a deadline.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use engify_core::{Error, Result};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connect::{Place, reader};
use super::fault::fault;
use crate::adapter::closed;
use crate::adapter::unavailable;

/// Reads that may wait for a connection; the next one is refused.
const QUEUE: usize = 4096;
/// Virtual machine steps between two looks at the clock.
const STEPS: i32 = 5_000;

/// The pool. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    place: Place,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Connections without a job. They are opened when they are first needed.
    idle: Mutex<Vec<Connection>>,
    deadline: Duration,
}

impl Readers {
    /// At most `count` connections; a read takes at most `deadline`.
    pub(crate) fn new(place: Place, count: usize, deadline: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(count.max(1)));
        let shared =
            Shared { place, permits, waiting: AtomicUsize::new(0), idle: Mutex::default(), deadline };
        Self { shared: Arc::new(shared) }
    }

    /// Runs one read. It goes on to its end even where the caller stops waiting.
    pub(crate) async fn run<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let permit = {
            let waiting = Waiting::enter(&self.shared.waiting)?;
            let permit = Arc::clone(&self.shared.permits).acquire_owned().await.map_err(|_| closed())?;
            drop(waiting);
            permit
        };
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || {
            let mut connection = shared.take()?;
            let end = Instant::now() + shared.deadline;
            connection.progress_handler(STEPS, Some(move || Instant::now() > end)).map_err(fault)?;
            let result = read(&connection);
            shared.give_back(connection);
            drop(permit);
            result
        });
        done.await.map_err(Error::internal)?
    }

    /// Refuses further reads; connections close as they become idle.
    pub(crate) fn close(&self) {
        self.shared.permits.close();
        self.shared.idle().clear();
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Connection> {
        let idle = self.idle().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => reader(&self.place).map_err(fault),
        }
    }

    fn give_back(&self, connection: Connection) {
        if !self.permits.is_closed() {
            self.idle().push(connection);
        }
    }
}

/// Counts a waiting read for as long as it waits, even where its caller gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Result<Self> {
        let entered = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            return Err(unavailable(
                "The database has more to read than it can keep up with. Try again in a moment.",
            ));
        }
        Ok(entered)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

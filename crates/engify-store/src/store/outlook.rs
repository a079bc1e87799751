//! What is known of the database from following it: since when every commit is known, and whether it answers at all.
//!
//! The follower asks every 250 ms anyway, so it is also the one who finds out that the database is away and that it is
//! back. Between the two nobody else waits for it: calls fail at once, with a time to try again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use engify_core::{Error, Kind, Result};
use tokio::sync::Notify;

use crate::adapter::unavailable;

/// When another try makes sense while the database is away: longer than the follower takes to notice that it is back.
const AGAIN: Duration = Duration::from_secs(2);

/// What the follower found out.
#[derive(Debug)]
pub(super) struct Outlook {
    opened: Instant,
    /// Up to when every commit is known, microseconds after `opened`.
    known: AtomicU64,
    away: AtomicBool,
    why: Mutex<String>,
    wake: Notify,
    left: Notify,
}

impl Outlook {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            known: AtomicU64::new(0),
            away: AtomicBool::new(false),
            why: Mutex::default(),
            wake: Notify::new(),
            left: Notify::new(),
        }
    }

    /// How long ago it was that every commit was known.
    pub(super) fn lag(&self) -> Duration {
        self.opened.elapsed().saturating_sub(Duration::from_micros(self.known.load(Ordering::Acquire)))
    }

    /// Lets the follower look at once.
    pub(super) fn look(&self) {
        self.wake.notify_one();
    }

    /// Waits for the next time to look.
    pub(super) async fn next_look(&self, pause: Duration) {
        // Either is a reason to look.
        let _ = tokio::time::timeout(pause, self.wake.notified()).await;
    }

    /// Fails at once while the database is known to be away.
    pub(super) fn reachable(&self) -> Result<()> {
        if !self.away.load(Ordering::Acquire) {
            return Ok(());
        }
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Err(unavailable(why).retry_after(AGAIN).told())
    }

    /// Waits until the database is known to be away, for those who asked it before; the failure to give them.
    pub(super) async fn gone(&self) -> Error {
        loop {
            let left = self.left.notified();
            if let Err(away) = self.reachable() {
                return away;
            }
            left.await;
        }
    }

    /// Notes what came of a look that began at `begun`: whether it saw all commits. The log has one line when the
    /// database goes and one when it is back, none in between.
    pub(super) fn looked(&self, begun: Instant, followed: Result<bool>) {
        match followed {
            Ok(complete) => {
                if self.away.swap(false, Ordering::AcqRel) {
                    tracing::info!("database.back");
                }
                if complete {
                    let known = begun.saturating_duration_since(self.opened).as_micros();
                    self.known.store(u64::try_from(known).unwrap_or(u64::MAX), Ordering::Release);
                }
            }
            Err(fault) if matches!(fault.kind(), Kind::Unavailable | Kind::Timeout) => {
                fault.message().clone_into(&mut self.why.lock().unwrap_or_else(PoisonError::into_inner));
                if !self.away.swap(true, Ordering::AcqRel) {
                    tracing::warn!(error = %fault, "database.away: nobody waits for it until it answers again");
                    self.left.notify_waiters();
                }
            }
            Err(fault) => tracing::error!(error = %fault, "database.not_followed"),
        }
    }
}

/// The database did not say what others committed.
pub(super) fn silent() -> Error {
    unavailable(
        "The database does not answer. Check that it runs, its load, its network access list and the connection string \
         (MONGODB_URI).",
    )
}

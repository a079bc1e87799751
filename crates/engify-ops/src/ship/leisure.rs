//! Work that keeps a processor busy, done by threads that give way as long as they get along.

use std::time::Duration;

use engify_core::Result;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

/// How long such threads may take for all the work of one round. It takes some milliseconds where the machine is not busy; what
/// waits longer would be missing after a loss.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long nothing is left to them after they took longer.
const BUSY: Duration = Duration::from_secs(10);

/// Where work is done.
#[derive(Debug, Default)]
pub(super) struct Leisure {
    /// Threads that give way to all others; without them nothing does.
    quiet: Option<Handle>,
    /// When this round's patience ends; none between rounds, where nothing is left to them.
    until: Option<Instant>,
    busy_until: Option<Instant>,
}

impl Leisure {
    pub(super) fn with(quiet: Option<Handle>) -> Self {
        Self { quiet, ..Self::default() }
    }

    /// Begins a round.
    pub(super) fn begin(&mut self) {
        let now = Instant::now();
        let is_rested = self.busy_until.is_none_or(|until| now >= until);
        self.until = is_rested.then_some(now + PATIENCE);
    }

    /// Does what `work` begins. Where the threads that give way do not get to it in time, it is begun a second time where it is
    /// its turn at once: it must be harmless to do it twice.
    pub(super) async fn spend<T, W>(&mut self, work: impl Fn() -> W) -> Result<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        if let (Some(quiet), Some(until)) = (&self.quiet, self.until) {
            let begun = AbortOnDropHandle::new(quiet.spawn(work()));
            match timeout_at(until, begun).await {
                Ok(Ok(done)) => return done,
                // They are gone: the program ends.
                Ok(Err(_)) => self.quiet = None,
                Err(_) => {
                    self.until = None;
                    self.busy_until = Some(Instant::now() + BUSY);
                }
            }
        }
        work().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::runtime::Builder;

    use super::*;

    /// Counts how often it was begun.
    async fn spend(leisure: &mut Leisure) -> usize {
        let begun = Arc::new(AtomicUsize::new(0));
        let work = || {
            begun.fetch_add(1, Ordering::Relaxed);
            async { Ok(()) }
        };
        leisure.spend(work).await.unwrap();
        begun.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn who_gets_no_processor_is_not_waited_for() {
        // Nobody drives it: what it is given is never begun.
        let starved = Builder::new_current_thread().build().unwrap();
        let mut leisure = Leisure::with(Some(starved.handle().clone()));
        assert_eq!(spend(&mut leisure).await, 1, "no round has begun");
        leisure.begin();
        assert_eq!((spend(&mut leisure).await, spend(&mut leisure).await), (2, 1), "once a round");
        leisure.begin();
        assert_eq!(spend(&mut leisure).await, 1, "it was busy a moment ago");
        leisure.busy_until = Some(Instant::now());
        leisure.begin();
        assert_eq!(spend(&mut leisure).await, 2, "and is asked again later");
        starved.shutdown_background();
        leisure.busy_until = None;
        leisure.begin();
        assert_eq!((spend(&mut leisure).await, spend(&mut leisure).await), (2, 1), "it is gone");
    }

    #[tokio::test]
    async fn work_is_done_by_those_who_give_way_where_they_can() {
        let quiet = Builder::new_multi_thread().worker_threads(1).thread_name("quiet").build().unwrap();
        let name = || async { Ok(std::thread::current().name().map(str::to_owned)) };
        let mut leisure = Leisure::with(Some(quiet.handle().clone()));
        leisure.begin();
        assert_eq!(leisure.spend(name).await.unwrap().as_deref(), Some("quiet"));
        let here = Leisure::default().spend(name).await.unwrap();
        assert_eq!(here.as_deref(), std::thread::current().name());
        quiet.shutdown_background();
    }
}

//! The feed of commits: every commit on the database, ours or another process's, delivered once and in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engify_core::Result;
use engify_core::tenancy::Scope;
use tokio::sync::{Mutex, MutexGuard, broadcast, watch};

use crate::adapter::Find;
use crate::journal::Change;
use crate::mongo::Mongo;
use crate::queries;
use crate::search::Catalogue;

/// Documents or changes that are read at a time.
const PAGE: u32 = 200;

/// How many commits a receiver may be behind before it gets `Lagged` and has to drop what it derived.
const BACKLOG: usize = 1024;

/// The sending side. Adapters see to the order and to "once"; this passes on.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    sender: broadcast::Sender<Arc<Vec<Change>>>,
    /// The last position that was passed on.
    end: watch::Sender<u64>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG), end: watch::Sender::new(0) }
    }

    /// A receiver of every commit from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Vec<Change>>> {
        self.sender.subscribe()
    }

    /// Where the feed is, for those who need not see what was changed. It holds nothing for them.
    pub(crate) fn end(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// Passes one commit on to everybody who listens.
    pub(crate) fn deliver(&self, changes: Arc<Vec<Change>>) {
        let Some(last) = changes.last() else { return };
        let position = last.position;
        // An error only says that nobody listens.
        let _ = self.sender.send(changes);
        self.end.send_replace(position);
    }
}

/// Follows the journal of a database whose commits other processes make too. For MongoDB; the embedded database's
/// writer thread does the same in its own order.
#[derive(Debug)]
pub(crate) struct Follower {
    /// The last position that was delivered. Held while delivering, so that commits keep their order.
    seen: Mutex<u64>,
    /// Whether the catalogue was filled. Changed only while `seen` is held.
    filled: AtomicBool,
}

impl From<u64> for Follower {
    fn from(position: u64) -> Self {
        Self { seen: Mutex::new(position), filled: AtomicBool::new(false) }
    }
}

impl Follower {
    /// A commit of our own: delivered as it is where it is the next one, else read from the journal with what came
    /// before it.
    pub(crate) async fn own(
        &self,
        mongo: &Mongo,
        catalogue: &Catalogue,
        feed: &Feed,
        changes: Vec<Change>,
    ) -> Result<()> {
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return Ok(()) };
        let (first, last) = (first.position, last.position);
        let mut seen = self.seen.lock().await;
        if first == *seen + 1 {
            self.pass_on(catalogue, feed, changes).await?;
            *seen = last;
        } else if last > *seen {
            self.catch_up(mongo, catalogue, feed, &mut seen).await?;
        }
        Ok(())
    }

    /// Delivers what others committed since; says whether that was all.
    pub(crate) async fn follow(&self, mongo: &Mongo, catalogue: &Catalogue, feed: &Feed) -> Result<bool> {
        let mut seen = self.seen.lock().await;
        self.catch_up(mongo, catalogue, feed, &mut seen).await
    }

    /// Fills the catalogue unless that was done.
    pub(crate) async fn fill_once(&self, mongo: &Mongo, catalogue: &Catalogue) -> Result<()> {
        if self.filled.load(Ordering::Acquire) {
            return Ok(());
        }
        let held = self.seen.lock().await;
        if self.filled.load(Ordering::Acquire) {
            return Ok(());
        }
        self.fill_held(mongo, catalogue, held).await
    }

    /// Fills the catalogue anew.
    pub(crate) async fn fill(&self, mongo: &Mongo, catalogue: &Catalogue) -> Result<()> {
        let held = self.seen.lock().await;
        self.filled.store(false, Ordering::Release);
        self.fill_held(mongo, catalogue, held).await
    }

    /// No commit is delivered while this walks: what is committed meanwhile is applied after it, a second time at worst.
    async fn fill_held(
        &self,
        mongo: &Mongo,
        catalogue: &Catalogue,
        _held: MutexGuard<'_, u64>,
    ) -> Result<()> {
        catalogue.clear().await?;
        let everything = Scope::Everything("the catalogue holds every prompt and filters by audience itself");
        let mut find = Find { limit: PAGE, ..queries::prompts_all(everything).erased() };
        loop {
            let page = mongo.find(&find).await?;
            find.after = page.last().map(|last| find.cursor_at(last));
            let full = page.len() == PAGE as usize;
            catalogue.add(page).await?;
            if !full {
                break;
            }
        }
        self.filled.store(true, Ordering::Release);
        Ok(())
    }

    async fn catch_up(
        &self,
        mongo: &Mongo,
        catalogue: &Catalogue,
        feed: &Feed,
        seen: &mut u64,
    ) -> Result<bool> {
        loop {
            let (changes, all) = mongo.journal_after(*seen, PAGE).await?;
            let Some(last) = changes.last().map(|change| change.position) else { return Ok(all) };
            self.pass_on(catalogue, feed, changes).await?;
            *seen = last;
            if all {
                return Ok(true);
            }
        }
    }

    async fn pass_on(&self, catalogue: &Catalogue, feed: &Feed, changes: Vec<Change>) -> Result<()> {
        let changes = Arc::new(changes);
        if self.filled.load(Ordering::Acquire) {
            catalogue.follow(Arc::clone(&changes)).await?;
        }
        feed.deliver(changes);
        Ok(())
    }
}

//! The sealer: adds the lines of the audit log to the chain, in the order of their commits, at most a second later.
//!
//! Use cases write their lines unsealed, in their own transactions, and wait for nothing here. The sealer follows the
//! journal's feed, which is the one order of commits that every process sees, so that no clock decides. The number of a
//! block is its id: of two processes that seal at once one wins, and the other goes on behind what the winner sealed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engify_core::audit::{AuditBlock, AuditEntry, SealedLine};
use engify_core::{Clock, Result};
use engify_store::journal::Change;
use engify_store::{Batch, Entity, Store, queries};
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::chain::{ChainKey, Head};

/// The most lines of one block.
const BLOCK: usize = 1000;
/// How long lines are gathered for a block.
const GATHER: Duration = Duration::from_millis(500);
/// How long to wait where the database does not take a block.
const AGAIN: Duration = Duration::from_secs(2);
/// Changes that are read from the journal at a time.
const PAGE: u32 = 500;
/// How often the end of the chain is told to the log, where it is out of the database's reach.
const TELL: Duration = Duration::from_secs(3600);

/// The way to the sealer.
#[derive(Debug, Clone)]
pub(crate) struct Sealer {
    asks: mpsc::Sender<oneshot::Sender<()>>,
}

impl Sealer {
    /// Starts it. It ends with the store, or with the last handle.
    pub(crate) fn start(store: Store, key: ChainKey, clock: Clock) -> Self {
        let (asks, asked) = mpsc::channel(8);
        // Subscribed before anything is read, so that nothing falls between the journal and the feed.
        let feed = store.changes();
        let work =
            Work { store, key, clock, feed, head: None, seen: 0, waiting: VecDeque::new(), told: None };
        tokio::spawn(work.run(asked));
        Self { asks }
    }

    /// Waits until everything that was committed before is sealed; gives up after five seconds, as without a database.
    pub(crate) async fn settle(&self) {
        let (done, wait) = oneshot::channel();
        if self.asks.send(done).await.is_ok() {
            // Both errors say the same: it is not sealed now, and will be when the next process starts.
            let _ = tokio::time::timeout(Duration::from_secs(5), wait).await;
        }
    }
}

/// A line that is to be sealed.
struct Waiting {
    position: u64,
    line: SealedLine,
}

struct Work {
    store: Store,
    key: ChainKey,
    clock: Clock,
    feed: broadcast::Receiver<Arc<Vec<Change>>>,
    /// The end of the chain; none while it has to be read.
    head: Option<Head>,
    /// The last position of the journal that was looked at.
    seen: u64,
    waiting: VecDeque<Waiting>,
    told: Option<Instant>,
}

impl Work {
    async fn run(mut self, mut asked: mpsc::Receiver<oneshot::Sender<()>>) {
        let mut due = Instant::now();
        let mut away = false;
        loop {
            let came = tokio::select! {
                change = self.feed.recv() => Came::Feed(change),
                ask = asked.recv() => Came::Ask(ask),
                () = tokio::time::sleep_until(due), if self.head.is_none() || !self.waiting.is_empty() => Came::Due,
            };
            let worked = match came {
                Came::Feed(Err(RecvError::Closed)) | Came::Ask(None) => return,
                Came::Feed(change) => {
                    let fresh = self.waiting.is_empty();
                    self.take(change);
                    if fresh && self.head.is_some() {
                        due = Instant::now() + GATHER;
                    }
                    if self.waiting.len() < BLOCK { continue } else { self.seal_all().await }
                }
                Came::Ask(Some(done)) => {
                    let worked = self.finish().await;
                    // Whoever asked may have given up.
                    let _ = done.send(());
                    worked
                }
                Came::Due => self.seal_all().await,
            };
            // One line when it breaks, none while it stays so.
            match worked {
                Ok(()) => (due, away) = (Instant::now() + GATHER, false),
                Err(fault) => {
                    if !away && !fault.is_told() {
                        tracing::error!(error = %fault, waiting = self.waiting.len(), "audit.unsealed: trying again");
                    }
                    (due, away) = (Instant::now() + AGAIN, true);
                }
            }
        }
    }

    /// Takes everything that the feed has, and seals it.
    async fn finish(&mut self) -> Result<()> {
        loop {
            match self.feed.try_recv() {
                Ok(changes) => self.take(Ok(changes)),
                Err(TryRecvError::Lagged(missed)) => self.take(Err(RecvError::Lagged(missed))),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return self.seal_all().await,
            }
        }
    }

    fn take(&mut self, change: Result<Arc<Vec<Change>>, RecvError>) {
        match change {
            Ok(changes) if self.head.is_some() => changes.iter().for_each(|change| self.look(change)),
            // What came before the head was read is in the journal.
            Ok(_) | Err(RecvError::Closed) => {}
            Err(RecvError::Lagged(missed)) => {
                tracing::debug!(missed, "audit.feed_lagged: reading the journal instead");
                self.head = None;
            }
        }
    }

    fn look(&mut self, change: &Change) {
        if change.position <= self.seen {
            return;
        }
        self.seen = change.position;
        let Some(doc) = &change.document else { return };
        if change.collection == AuditEntry::COLLECTION.name {
            let line = SealedLine { id: change.id.clone(), hash: self.key.line(doc), gone: false };
            self.waiting.push_back(Waiting { position: change.position, line });
        } else if change.collection == AuditBlock::COLLECTION.name {
            let block = serde_json::from_value::<AuditBlock>(serde_json::Value::Object(doc.clone()));
            if let Ok(block) = block {
                self.pass(&block);
            }
        }
    }

    /// A block is in the chain, ours or another process's.
    fn pass(&mut self, block: &AuditBlock) {
        if self.head.as_ref().is_some_and(|head| head.number < block.number) {
            self.waiting.retain(|waiting| waiting.position > block.position);
            self.head = Some(block.into());
        }
    }

    async fn seal_all(&mut self) -> Result<()> {
        if self.head.is_none() {
            self.catch_up().await?;
        }
        while !self.waiting.is_empty() {
            self.seal().await?;
        }
        Ok(())
    }

    /// Reads where the chain ends, and what was committed since.
    async fn catch_up(&mut self) -> Result<()> {
        let head = self.read_head().await?;
        // Beyond the journal's end only where an older copy of the database was put back.
        self.seen = head.position.min(self.store.journal_position().await?);
        self.waiting.clear();
        self.head = Some(head);
        let caught_up = self.read_journal().await;
        if caught_up.is_err() {
            self.head = None;
        }
        caught_up
    }

    async fn read_journal(&mut self) -> Result<()> {
        loop {
            let changes = self.store.journal_after(self.seen, PAGE).await?;
            if changes.is_empty() {
                return Ok(());
            }
            changes.iter().for_each(|change| self.look(change));
            while self.waiting.len() >= BLOCK {
                self.seal().await?;
            }
        }
    }

    async fn read_head(&self) -> Result<Head> {
        let newest = self.store.first(&queries::audit_head()).await?;
        Ok(newest.as_ref().map_or_else(Head::none, Head::from))
    }

    /// Seals one block, or finds that another process was quicker.
    async fn seal(&mut self) -> Result<()> {
        let Some(head) = &self.head else { return Ok(()) };
        let lines: Vec<SealedLine> =
            self.waiting.iter().take(BLOCK).map(|waiting| waiting.line.clone()).collect();
        // Up to here everything is sealed; of several lines in one place of the journal there are none.
        let Some(last) = self.waiting.get(lines.len().saturating_sub(1)) else { return Ok(()) };
        let block = self.key.block(head, lines, last.position, self.clock.now());
        match self.store.write(Batch::new().insert(&block)?).await {
            Ok(_) => {
                self.pass(&block);
                self.tell(&block);
                Ok(())
            }
            Err(fault) if fault.code() == "duplicate" => {
                let head = self.read_head().await?;
                self.waiting.retain(|waiting| waiting.position > head.position);
                // The winner may have seen more of the journal than the feed has brought us.
                self.seen = self.seen.max(head.position);
                self.head = Some(head);
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    /// Whoever keeps the log elsewhere can prove later that the chain still holds this block.
    fn tell(&mut self, block: &AuditBlock) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL) {
            self.told = Some(Instant::now());
            tracing::info!(
                audit.block = block.number,
                audit.hash = block.hash,
                audit.lines = block.total,
                "audit.head"
            );
        }
    }
}

enum Came {
    Feed(Result<Arc<Vec<Change>>, RecvError>),
    Ask(Option<oneshot::Sender<()>>),
    Due,
}

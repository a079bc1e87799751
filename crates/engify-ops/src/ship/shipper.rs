//! Shipping the journal to one target: what is new since the last time, as sealed segments.

use std::sync::Arc;

use engify_clients::objects::Objects;
use engify_core::{Clock, Error, Kind, Result, Time};
use engify_store::journal::Change;
use engify_store::{LIMIT, Store};
use tokio::runtime::Handle;

use super::leisure::Leisure;
use super::segment::{self, Content, Name, Previous, Span};
use super::trail;
use crate::seal::Key;

/// Bytes of changes after which a segment is closed.
const SEGMENT_BYTES: usize = 4 << 20;

/// Changes after which a segment is closed.
const SEGMENT_CHANGES: usize = 5_000;

/// What one round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Changes that were shipped.
    pub changes: usize,
    /// Segments that were written.
    pub segments: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// The last position that is at the target.
    pub position: u64,
    /// When the oldest change of this round was made; none where there was nothing to ship.
    pub oldest: Option<Time>,
}

/// Ships to one target. There should be one for a target at a time; two waste space and harm nothing, because what they
/// write is the same.
#[derive(Debug)]
pub struct Shipper {
    store: Store,
    objects: Objects,
    key: Option<Key>,
    clock: Clock,
    head: Option<Head>,
    leisure: Leisure,
}

/// The last segment at the target.
#[derive(Debug, Clone)]
struct Head {
    /// Its last position.
    to: u64,
    day: String,
    /// None where there is no segment yet.
    previous: Option<Previous>,
}

impl Shipper {
    /// Ships this store's journal to this target. Nobody is called yet.
    pub fn new(store: Store, objects: Objects, key: Option<Key>, clock: Clock) -> Self {
        Self { store, objects, key, clock, head: None, leisure: Leisure::default() }
    }

    /// Leaves what keeps a processor busy to threads that give way, as long as they get along.
    pub(super) fn with_quiet(self, quiet: Option<Handle>) -> Self {
        Self { leisure: Leisure::with(quiet), ..self }
    }

    /// Where it ships to.
    pub fn target(&self) -> String {
        self.objects.place().to_string()
    }

    /// The last position that is known to be at the target.
    pub(super) fn position(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.to)
    }

    /// Looks anew where the target's journal ends: another process ships meanwhile.
    pub(super) fn forget(&mut self) {
        self.head = None;
    }

    /// Ships everything that is not there yet. Where nothing is new, the target is not called.
    ///
    /// # Errors
    /// `journal_foreign` where the target has another database's journal; how the database or the target fails. The next
    /// round goes on where this one stopped.
    pub async fn round(&mut self) -> Result<Round> {
        self.leisure.begin();
        let mut round = Round::default();
        let end = self.store.journal_position().await?;
        let mut head = match self.head.take() {
            Some(head) => head,
            None => self.found().await?,
        };
        round.position = head.to;
        if end < head.to {
            return Err(behind(head.to, end));
        }
        if end > head.to {
            head = self.bridge(head).await?;
        }
        while head.to < end {
            let content = self.gather(head.to).await?;
            let Some(Span { to, first, earliest, latest }) = content.span else { break };
            round.oldest = round.oldest.or(Some(first));
            let day = self.clock.now().day().max(head.day.clone());
            let name = Name { day, after: head.to, to, earliest, latest, is_break: false };
            round.changes += content.changes;
            round.segments += 1;
            let (next, bytes) = self.put(name, head.previous.clone(), content).await?;
            head = next;
            round.bytes += bytes;
            round.position = head.to;
            // What is there is there, even if the next segment fails.
            self.head = Some(head.clone());
        }
        self.head = Some(head);
        Ok(round)
    }

    /// The end of what is at the target. It must be a piece of this database's journal.
    async fn found(&self) -> Result<Head> {
        let Some(name) = trail::last(&self.objects, self.clock.now()).await? else {
            return Ok(Head { to: self.store.journal_trimmed().await?, day: String::new(), previous: None });
        };
        let segment = trail::fetch(&self.objects, &name, self.key.as_ref()).await?;
        if let Some(theirs) = segment.changes.last() {
            let ours = self.store.journal_after(theirs.position - 1, 1).await?;
            let differs = |ours: &Change| {
                ours.position == theirs.position
                    && (&ours.collection, &ours.id, ours.at) != (&theirs.collection, &theirs.id, theirs.at)
            };
            if ours.first().is_some_and(differs) {
                return Err(foreign(&self.target()));
            }
        }
        let previous = Some(Previous { to: name.to, sha256: segment.sha256 });
        Ok(Head { to: name.to, day: name.day, previous })
    }

    /// Where the journal was shortened before it was shipped, a break stands for what is missing.
    async fn bridge(&mut self, head: Head) -> Result<Head> {
        let trimmed = self.store.journal_trimmed().await?;
        if trimmed <= head.to {
            return Ok(head);
        }
        tracing::warn!(
            journal.shipped = head.to,
            journal.begins = trimmed,
            "journal.gap: changes were removed before they were shipped; take a backup, points in time begin behind it"
        );
        self.mark_break(head, trimmed).await
    }

    /// Says that what is behind the next position does not follow from what was shipped before: after a restore into a
    /// database that goes on elsewhere. Answers that position.
    ///
    /// # Errors
    /// How the target fails.
    pub async fn break_here(&mut self) -> Result<u64> {
        let name = trail::last(&self.objects, self.clock.now()).await?;
        let Some(name) = name else { return Ok(0) };
        let segment = trail::fetch(&self.objects, &name, self.key.as_ref()).await?;
        let previous = Some(Previous { to: name.to, sha256: segment.sha256 });
        let head = Head { to: name.to, day: name.day, previous };
        let to = head.to + 1;
        self.head = Some(self.mark_break(head, to).await?);
        Ok(to)
    }

    async fn mark_break(&mut self, head: Head, to: u64) -> Result<Head> {
        let now = self.clock.now();
        let day = now.day().max(head.day);
        let name = Name { day, after: head.to, to, earliest: now, latest: now, is_break: true };
        self.put(name, head.previous, Content::default()).await.map(|(head, _)| head)
    }

    async fn gather(&mut self, after: u64) -> Result<Content> {
        let mut content = Content::default();
        let mut position = after;
        while content.len() < SEGMENT_BYTES && content.changes < SEGMENT_CHANGES {
            let read = || {
                let store = self.store.clone();
                async move { store.journal_encoded_after(position, LIMIT).await }
            };
            let page = self.leisure.spend(read).await?;
            let Some(last) = page.last() else { break };
            position = last.position;
            content.extend(&page);
        }
        Ok(content)
    }

    async fn put(&mut self, name: Name, previous: Option<Previous>, content: Content) -> Result<(Head, u64)> {
        let parts = Arc::new((name.clone(), previous, content, self.key.clone()));
        let pack = || {
            let parts = Arc::clone(&parts);
            away(move || {
                let (name, previous, content, key) = &*parts;
                segment::write(name, previous.clone(), content, key.as_ref())
            })
        };
        let (bytes, sha256) = self.leisure.spend(pack).await?;
        let size = bytes.len() as u64;
        self.objects.put(&name.key(self.key.is_some()), bytes).await?;
        let previous = Some(Previous { to: name.to, sha256 });
        Ok((Head { to: name.to, day: name.day, previous }, size))
    }
}

/// Does work that keeps a processor busy where it holds up nobody.
async fn away<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

fn behind(shipped: u64, end: u64) -> Error {
    Error::new(
        Kind::Conflict,
        "journal_behind",
        format!(
            "The journal at the backup target goes on to {shipped}, that of this database ends at {end}: an older file was put \
             in its place, or two installations share a target. Bring it back with `engify db restore`, or give it a target \
             of its own."
        ),
    )
}

fn foreign(target: &str) -> Error {
    Error::new(
        Kind::Conflict,
        "journal_foreign",
        format!(
            "{target} holds the journal of another database. Give this installation a BACKUP_TARGET of its own."
        ),
    )
}

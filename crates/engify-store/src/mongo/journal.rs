//! The journal on MongoDB: positions, what is settled, and reading in order.
//!
//! A writer takes its positions from one counter document (`meta`, `_id: "journal"`) by an atomic `$inc` *outside* its
//! transaction, after all of its other writes have succeeded and right before it inserts its entries and commits.
//! So the counter is never part of a transaction (no write conflicts on it), positions of one document grow in the
//! order of its commits (the second writer's transaction succeeds only after the first's commit), and a gap is open
//! only for as long as one insert and one commit take. Readers keep the promise of order: they stop at a gap. Whoever
//! knows that its transaction failed fills its gap with a void entry; a gap that a crashed process left is passed over
//! once the entry behind it is [`PATIENCE`] old, which is longer than a transaction of ours may live
//! ([`super::DEADLINE`]), the clocks of the writers being at most 20 s apart.
//!
//! So: every committed change is read exactly once and in one order by everybody, positions have gaps, and a process
//! that dies between counting and committing delays readers by at most [`PATIENCE`].
//!
//! How it compares with a counter inside the transaction: see [`super`].

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engify_core::{Clock, Time};
use futures_util::TryStreamExt;
use mongodb::bson::raw::cstr;
use mongodb::bson::{Bson, DateTime, Document, RawBsonRef, RawDocument, RawDocumentBuf, doc, rawdoc};
use mongodb::options::{Acknowledgment, ReturnDocument, WriteConcern};
use mongodb::{Collection, Database};
use tokio::sync::Notify;

use super::fault;
use crate::held::Held;
use crate::journal::{Change, PAGE_BYTES};

/// How old the entry behind a gap must be for the gap to count as abandoned.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Positions that are looked at together when the end of the settled part is sought.
const WINDOW: u64 = 500;

/// The journal's collections and who is between counting and committing.
#[derive(Debug)]
pub(super) struct Journal {
    entries: Collection<RawDocumentBuf>,
    voids: Collection<Document>,
    counter: Collection<Document>,
    clock: Clock,
    under_way: UnderWay,
}

impl Journal {
    pub(super) fn of(database: &Database, clock: Clock) -> Self {
        Self {
            entries: database.collection("journal"),
            voids: database.collection("journal"),
            counter: database.collection("meta"),
            clock,
            under_way: UnderWay::default(),
        }
    }

    /// Takes `count` positions. The ticket is to be held until they are committed or given up.
    pub(super) async fn take(&self, count: usize) -> Result<(Time, Ticket<'_>), mongodb::error::Error> {
        let ticket = self.under_way.enter();
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let at = self.clock.now();
        let counted = self
            .counter
            .find_one_and_update(
                doc! { "_id": "journal" },
                doc! { "$inc": { "position": count }, "$set": { "at": DateTime::from_millis(at.millis()) } },
            )
            .upsert(true)
            .return_document(ReturnDocument::After)
            // Whoever commits by majority later in the log takes this along.
            .write_concern(WriteConcern::builder().w(Acknowledgment::Nodes(1)).build())
            .await?;
        let last = counted.as_ref().map_or(0, |counted| whole(counted.get("position")));
        if last < count.unsigned_abs() {
            return Err(mongodb::error::Error::custom("the counter of the journal was not answered"));
        }
        let first = last.saturating_sub(count.unsigned_abs()) + 1;
        Ok((at, ticket.at(first, last)))
    }

    /// The entry of one change.
    pub(super) fn entry(
        position: u64,
        at: Time,
        collection: &str,
        id: &str,
        document: Option<&RawDocument>,
    ) -> RawDocumentBuf {
        let mut entry = rawdoc! {
            "_id": signed(position), "at": DateTime::from_millis(at.millis()), "collection": collection, "id": id,
        };
        entry.append(cstr!("document"), document.map_or(RawBsonRef::Null, RawBsonRef::Document));
        entry
    }

    /// Fills the gap of a transaction that surely failed. Where that fails too, readers wait for [`PATIENCE`].
    pub(super) async fn give_up(&self, at: Time, ticket: Ticket<'_>) {
        let void = |position| doc! { "_id": signed(position), "at": DateTime::from_millis(at.millis()), "void": true };
        let voids: Vec<Document> = ticket.range().map(void).collect();
        if let Err(failure) = self.voids.insert_many(voids).await {
            tracing::debug!(error = %fault::of("journal", failure), "a gap in the journal stays open for a while");
        }
    }

    /// Makes positions go on behind this one. The void entry tells readers that nothing before it is still to come.
    pub(super) async fn continue_behind(&self, position: u64) -> Result<(), mongodb::error::Error> {
        let long_ago = DateTime::from_millis(0);
        let raise = doc! { "$max": { "position": signed(position) }, "$set": { "at": long_ago } };
        self.counter.update_one(doc! { "_id": "journal" }, raise).upsert(true).await?;
        let void = doc! { "$setOnInsert": { "at": long_ago, "void": true } };
        self.voids.update_one(doc! { "_id": signed(position) }, void).upsert(true).await.map(drop)
    }

    /// Waits until no writer of this process is between counting and committing before `position`, at most a second.
    pub(super) async fn settle(&self, position: u64) {
        let settled = self.under_way.until_passed(position);
        // Longer than that, and the reader's own patience takes over.
        let _ = tokio::time::timeout(Duration::from_secs(1), settled).await;
    }

    /// What was committed behind `after`, in order, at most `limit`, and whether that is all there is.
    pub(super) async fn behind<D: Held>(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<(Vec<Change<D>>, bool), mongodb::error::Error> {
        let (top, _) = self.top().await?;
        let settled = self.clock.now().minus(PATIENCE);
        let (mut changes, mut trimmed) = (Vec::new(), None);
        let mut seen = after;
        while seen < top && changes.is_empty() {
            let end = top.min(seen.saturating_add(u64::from(limit)));
            let ids: Vec<i64> = (seen + 1..=end).map(signed).collect();
            let mut entries = self.read(doc! { "_id": { "$in": ids } }, limit).await?;
            if entries.is_empty() && end < top {
                // A long stretch is gone: the journal was trimmed.
                entries = self.read(doc! { "_id": { "$gt": signed(end) } }, limit).await?;
            }
            if entries.is_empty() {
                // Whoever holds these positions has not committed yet.
                return Ok((changes, true));
            }
            for entry in entries {
                if entry.position != seen + 1 && entry.at > settled {
                    let trimmed = match trimmed {
                        Some(known) => known,
                        None => *trimmed.insert(self.trimmed().await?),
                    };
                    if entry.position > trimmed + 1 {
                        return Ok((changes, false));
                    }
                }
                seen = entry.position;
                changes.extend(entry.into_change()?);
            }
        }
        Ok((changes, seen >= top))
    }

    /// The last position with nothing unsettled before it; 0 for an empty journal.
    pub(super) async fn position(&self) -> Result<u64, mongodb::error::Error> {
        let (top, mut newest) = self.top().await?;
        let settled = self.clock.now().minus(PATIENCE);
        let (mut end, mut position) = (top, top);
        let mut trimmed = None;
        for window in 0.. {
            let start = end.saturating_sub(WINDOW);
            let ids: Vec<i64> = (start + 1..=end).map(signed).collect();
            let found = self.stamps(doc! { "_id": { "$in": ids } }).await?;
            let mut gaps = false;
            for number in (start + 1..=end).rev() {
                match found.get(&number) {
                    Some(at) => newest = *at,
                    None => {
                        gaps = true;
                        if newest > settled && trimmed.is_none() {
                            trimmed = Some(self.trimmed().await?);
                        }
                        if newest > settled && trimmed.is_none_or(|trimmed| number > trimmed) {
                            position = number - 1;
                        }
                    }
                }
            }
            end = start;
            if end == 0 || newest <= settled || (!gaps && window > 0) {
                break;
            }
        }
        Ok(position)
    }

    /// The last position that was given out, and when.
    pub(super) async fn top(&self) -> Result<(u64, Time), mongodb::error::Error> {
        let counted = self.counter.find_one(doc! { "_id": "journal" }).await?.unwrap_or_default();
        Ok((whole(counted.get("position")), time(counted.get("at"))))
    }

    /// Up to where the old end was taken away: a gap in there is none.
    async fn trimmed(&self) -> Result<u64, mongodb::error::Error> {
        let noted = self.counter.find_one(doc! { "_id": "journal_trimmed" }).await?;
        Ok(noted.map_or(0, |noted| whole(noted.get("position"))))
    }

    async fn read(&self, filter: Document, limit: u32) -> Result<Vec<Entry>, mongodb::error::Error> {
        let mut cursor = self
            .entries
            .find(filter)
            .sort(doc! { "_id": 1 })
            .limit(i64::from(limit))
            .max_time(super::DEADLINE)
            .await?;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while let Some(raw) = cursor.try_next().await? {
            bytes += raw.as_bytes().len();
            entries.push(Entry::of(&raw)?);
            if bytes > PAGE_BYTES {
                break;
            }
        }
        Ok(entries)
    }

    async fn stamps(&self, filter: Document) -> Result<BTreeMap<u64, Time>, mongodb::error::Error> {
        let cursor = self.voids.find(filter).projection(doc! { "at": 1 }).max_time(super::DEADLINE).await?;
        cursor.map_ok(|entry| (whole(entry.get("_id")), time(entry.get("at")))).try_collect().await
    }
}

/// One entry as it is read.
struct Entry {
    position: u64,
    at: Time,
    collection: String,
    id: String,
    document: Option<RawDocumentBuf>,
    void: bool,
}

impl Entry {
    fn of(raw: &RawDocument) -> Result<Self, mongodb::error::Error> {
        let mut entry = Self {
            position: 0,
            at: Time::from_millis(0),
            collection: String::new(),
            id: String::new(),
            document: None,
            void: false,
        };
        for field in raw {
            match field.map(|(name, value)| (name.as_str(), value))? {
                ("_id", RawBsonRef::Int64(position)) => entry.position = position.unsigned_abs(),
                ("at", RawBsonRef::DateTime(at)) => entry.at = Time::from_millis(at.timestamp_millis()),
                ("collection", RawBsonRef::String(name)) => name.clone_into(&mut entry.collection),
                ("id", RawBsonRef::String(id)) => id.clone_into(&mut entry.id),
                ("document", RawBsonRef::Document(document)) => entry.document = Some(document.to_owned()),
                ("void", RawBsonRef::Boolean(void)) => entry.void = void,
                _ => {}
            }
        }
        Ok(entry)
    }

    fn into_change<D: Held>(self) -> Result<Option<Change<D>>, mongodb::error::Error> {
        let Self { position, at, collection, id, document, void } = self;
        if void {
            return Ok(None);
        }
        let document = document.map(D::of_bson).transpose().map_err(mongodb::error::Error::custom)?;
        Ok(Some(Change { position, at, collection, id, document }))
    }
}

pub(super) fn whole(value: Option<&Bson>) -> u64 {
    match value {
        Some(Bson::Int64(number)) => u64::try_from(*number).unwrap_or(0),
        Some(Bson::Int32(number)) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}

pub(super) fn time(value: Option<&Bson>) -> Time {
    match value {
        Some(Bson::DateTime(at)) => Time::from_millis(at.timestamp_millis()),
        _ => Time::from_millis(0),
    }
}

pub(super) fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// Who is between counting and committing in this process. None: the answer of the counter is not there yet.
#[derive(Debug, Default)]
struct UnderWay {
    tickets: Mutex<(u64, BTreeMap<u64, Option<u64>>)>,
    left: Notify,
}

/// A place among those under way; leaves when dropped.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    under_way: &'a UnderWay,
    number: u64,
    first: u64,
    last: u64,
}

impl UnderWay {
    fn enter(&self) -> Ticket<'_> {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.0 += 1;
        let number = tickets.0;
        tickets.1.insert(number, None);
        Ticket { under_way: self, number, first: 0, last: 0 }
    }

    /// Only who is under way now can hold a smaller position: later ones count later.
    async fn until_passed(&self, position: u64) {
        let newest = self.tickets.lock().unwrap_or_else(PoisonError::into_inner).0;
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            let waits = {
                let tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
                tickets.1.range(..=newest).any(|(_, first)| first.is_none_or(|first| first < position))
            };
            if !waits {
                return;
            }
            left.await;
        }
    }
}

impl Ticket<'_> {
    fn at(mut self, first: u64, last: u64) -> Self {
        (self.first, self.last) = (first, last);
        let mut tickets = self.under_way.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.1.insert(self.number, Some(first));
        drop(tickets);
        self.under_way.left.notify_waiters();
        self
    }

    /// The positions.
    pub(super) fn range(&self) -> std::ops::RangeInclusive<u64> {
        self.first..=self.last
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.under_way.tickets.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
        self.under_way.left.notify_waiters();
    }
}

//! One moment of a MongoDB: a session with snapshot reads where the server has them, else what is there when it is read.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use engify_core::{Error, Kind, Result, Time};
use futures_util::{Stream, TryStreamExt};
use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::error::Error as Fault;
use mongodb::options::ReturnDocument;
use mongodb::{ClientSession, Database};

use super::journal::{PATIENCE, signed, time, whole};
use super::{DEADLINE, Inner, convert, fault, within};
use crate::Doc;
use crate::collection::Collection;
use crate::snapshot::{PAGE, PAGE_BYTES};

/// A moment at which no writer is between counting and committing is looked for so often.
const TRIES: u32 = 50;

/// The wait between two such looks; a writer is between the two for about as long.
const PAUSE: Duration = Duration::from_millis(20);

/// Positions that are looked at for gaps, from the last one back. No more writers than that commit at once.
const WINDOW: u64 = 500;

/// Where pages are read.
pub(crate) struct View {
    database: Database,
    session: Option<ClientSession>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("one_moment", &self.session.is_some()).finish_non_exhaustive()
    }
}

impl View {
    /// The view, the journal's position in it, and whether nothing behind that is in it.
    pub(super) async fn open(inner: &Inner) -> Result<(Self, u64, bool)> {
        let database = inner.writer.database.clone();
        for attempt in 0..TRIES {
            let session = inner.writer.client.start_session().snapshot(true).await;
            let mut session = session.map_err(|failure| fault::of("session", failure))?;
            // A server that is away says so again below, in the words that are meant for it.
            let Ok(Ok(seen)) = tokio::time::timeout(DEADLINE, seen(&database, &mut session)).await else {
                break;
            };
            // A server that names no moment, or does not keep to it, reads whatever is there.
            if session.snapshot_time().is_none() || !keeps_still(&database, &mut session).await? {
                break;
            }
            let settled = seen.settled(inner.clock.now().minus(PATIENCE));
            if settled == seen.top || attempt + 1 == TRIES {
                let exact = settled == seen.top;
                return Ok((Self { database, session: Some(session) }, settled, exact));
            }
            tokio::time::sleep(PAUSE).await;
        }
        let position = inner.journal.position();
        let position = tokio::time::timeout(DEADLINE, position).await.map_err(|_| fault::timeout())?;
        let position = position.map_err(|failure| fault::of("journal", failure))?;
        Ok((Self { database, session: None }, position, false))
    }

    pub(crate) async fn page(&mut self, collection: &Collection, after: Option<&str>) -> Result<Vec<Doc>> {
        // Compared with a text, only texts are found.
        let filter = match after {
            Some(id) => doc! { "_id": { "$gt": id } },
            None => doc! { "_id": { "$gte": "" } },
        };
        let page = self.read(collection.name, filter).await?;
        if page.is_empty() {
            let foreign = doc! { "_id": { "$not": { "$type": "string" } } };
            if !self.read(collection.name, foreign).await?.is_empty() {
                return Err(foreign_documents(collection.name));
            }
        }
        Ok(page)
    }

    async fn read(&mut self, collection: &'static str, filter: Document) -> Result<Vec<Doc>> {
        let handle = self.database.collection::<RawDocumentBuf>(collection);
        let query = handle.find(filter).sort(doc! { "_id": 1 }).limit(i64::from(PAGE)).max_time(DEADLINE);
        let session = self.session.as_mut();
        let reading = async {
            match session {
                Some(session) => {
                    let mut cursor = query.session(&mut *session).await?;
                    bounded(cursor.stream(session)).await
                }
                None => bounded(query.await?).await,
            }
        };
        match tokio::time::timeout(DEADLINE, reading).await.map_err(|_| fault::timeout())? {
            Ok(docs) => Ok(docs),
            Err(failure) if is_forgotten(&failure) => Err(too_old().because(failure)),
            Err(failure) => Err(fault::of(collection, failure)),
        }
    }
}

/// Takes documents until the page is full.
async fn bounded(stream: impl Stream<Item = Result<RawDocumentBuf, Fault>>) -> Result<Vec<Doc>, Fault> {
    let mut stream = pin!(stream);
    let (mut docs, mut bytes) = (Vec::new(), 0);
    while let Some(raw) = stream.try_next().await? {
        bytes += raw.as_bytes().len();
        docs.push(convert::doc(Document::try_from(raw)?));
        if bytes > PAGE_BYTES {
            break;
        }
    }
    Ok(docs)
}

/// The end of the journal as a session sees it.
struct Seen {
    /// The last position that was given out.
    top: u64,
    /// When the last ones were committed.
    stamps: BTreeMap<u64, Time>,
}

impl Seen {
    /// The last position with no gap before it but those that are given up: the entry behind them is older than `limit`.
    fn settled(&self, limit: Time) -> u64 {
        let (mut settled, mut newest) = (self.top, None);
        for position in (self.top.saturating_sub(WINDOW) + 1..=self.top).rev() {
            match self.stamps.get(&position) {
                Some(at) => newest = Some(*at),
                None if newest.is_none_or(|at| at > limit) => settled = position - 1,
                None => {}
            }
        }
        settled
    }
}

async fn seen(database: &Database, session: &mut ClientSession) -> Result<Seen, Fault> {
    let (meta, journal) =
        (database.collection::<Document>("meta"), database.collection::<Document>("journal"));
    let counter = meta.find_one(doc! { "_id": "journal" });
    let counter = counter.session(&mut *session).max_time(DEADLINE).await?.unwrap_or_default();
    let top = whole(counter.get("position"));
    let ids: Vec<i64> = (top.saturating_sub(WINDOW) + 1..=top).map(signed).collect();
    let entries = journal.find(doc! { "_id": { "$in": ids } });
    let mut cursor = entries.projection(doc! { "at": 1 }).max_time(DEADLINE).session(&mut *session).await?;
    let entries: Vec<Document> = cursor.stream(session).try_collect().await?;
    let stamps = entries.iter().map(|entry| (whole(entry.get("_id")), time(entry.get("at")))).collect();
    Ok(Seen { top, stamps })
}

/// Whether what is written now stays out of the session's sight. Some servers that speak the protocol accept snapshot reads,
/// name a moment and read whatever is there.
async fn keeps_still(database: &Database, session: &mut ClientSession) -> Result<bool> {
    let meta = database.collection::<Document>("meta");
    let name = doc! { "_id": "snapshots" };
    let written = meta
        .find_one_and_update(name.clone(), doc! { "$inc": { "count": 1_i64 } })
        .upsert(true)
        .return_document(ReturnDocument::After);
    let written = within(DEADLINE, "meta", written).await?.unwrap_or_default();
    let read = meta.find_one(name).session(session).max_time(DEADLINE);
    let read = within(DEADLINE, "meta", read).await?.unwrap_or_default();
    Ok(whole(read.get("count")) < whole(written.get("count")))
}

/// The server has no trace of the moment any more: snapshot too old, snapshot unavailable.
fn is_forgotten(failure: &Fault) -> bool {
    matches!(fault::code(failure), Some((239 | 246, _)))
}

fn too_old() -> Error {
    Error::new(
        Kind::Timeout,
        "snapshot_too_old",
        "MongoDB keeps a moment for 5 minutes, and reading all of it took longer. Raise minSnapshotHistoryWindowInSeconds \
         (db.adminCommand({setParameter: 1, minSnapshotHistoryWindowInSeconds: 3600})) and try again.",
    )
}

fn foreign_documents(collection: &str) -> Error {
    Error::new(
        Kind::Conflict,
        "foreign_documents",
        format!(
            "{collection} holds documents whose _id is not text: another program wrote them, and Engify cannot read them. \
             Export them with mongoexport, remove them, and bring them in with engify db import."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts_until_the_entry_behind_it_is_old() {
        let (old, new) = (Time::from_millis(0), Time::from_millis(100_000));
        let limit = Time::from_millis(50_000);
        let seen = |stamps: &[(u64, Time)]| {
            let top = stamps.last().map_or(0, |(position, _)| *position);
            Seen { top, stamps: stamps.iter().copied().collect() }.settled(limit)
        };
        assert_eq!(seen(&[]), 0);
        assert_eq!(seen(&[(1, old), (2, new)]), 2);
        assert_eq!(seen(&[(1, old), (3, new)]), 1, "2 may still come");
        assert_eq!(seen(&[(1, old), (3, old), (4, new)]), 4, "2 was given up");
        let uncommitted = Seen { top: 3, stamps: [(1, old), (2, old)].into() };
        assert_eq!(uncommitted.settled(limit), 2, "the last one was counted and is not there");
    }
}

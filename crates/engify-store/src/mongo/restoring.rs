//! A restore into MongoDB: too large for one transaction, so a marker says that it is under way. Every start refuses
//! while the marker is there; whoever runs the restore again finishes it.

use std::time::Duration;

use engify_core::{Clock, Error, Kind, Result, Time};
use mongodb::Database;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::WriteConcern;

use super::journal::{signed, whole};
use super::{DEADLINE, fault, within};

/// Without a sign of life for this long, a restore counts as killed and may be taken up by another one.
const STALE: Duration = Duration::from_secs(60);

/// Entries that go at once.
const STEP: i64 = 5_000;

fn now(clock: &Clock) -> DateTime {
    DateTime::from_millis(clock.now().millis())
}

/// Sets the marker, or takes over one that nobody looks after.
///
/// # Errors
/// `restore_running` where somebody does.
pub(super) async fn begin(database: &Database, clock: &Clock) -> Result<()> {
    let stale = DateTime::from_millis(clock.now().minus(STALE).millis());
    let meta = database.collection::<Document>("meta");
    let taken = meta
        .update_one(doc! { "_id": "restore", "at": { "$lt": stale } }, doc! { "$set": { "at": now(clock) } })
        .upsert(true)
        .write_concern(WriteConcern::majority());
    match tokio::time::timeout(DEADLINE, taken.into_future()).await.map_err(|_| fault::timeout())? {
        Ok(_) => Ok(()),
        Err(failure) if matches!(fault::code(&failure), Some((11_000, _))) => Err(Error::new(
            Kind::Conflict,
            "restore_running",
            "Another restore into this database is under way. Wait until it ends; if it was killed, try again in a minute.",
        )),
        Err(failure) => Err(fault::of("meta", failure)),
    }
}

/// A sign of life.
pub(super) async fn beat(database: &Database, clock: &Clock) -> Result<()> {
    let meta = database.collection::<Document>("meta");
    let beat = meta.update_one(doc! { "_id": "restore" }, doc! { "$set": { "at": now(clock) } });
    within(DEADLINE, "meta", beat).await.map(drop)
}

/// Takes the marker away: the restore is complete.
pub(super) async fn end(database: &Database) -> Result<()> {
    let meta = database.collection::<Document>("meta");
    let gone = meta.delete_one(doc! { "_id": "restore" }).write_concern(WriteConcern::majority());
    within(DEADLINE, "meta", gone).await.map(drop)
}

/// Refuses a database that a killed restore left half-way.
pub(super) async fn refuse_unfinished(database: &Database) -> Result<()> {
    let meta = database.collection::<Document>("meta");
    if within(DEADLINE, "meta", meta.find_one(doc! { "_id": "restore" })).await?.is_none() {
        return Ok(());
    }
    Err(Error::unavailable(
        "restore_unfinished",
        "A restore into this database was interrupted, or is under way: what is in it is neither the old nor the new. Run \
         the same `engify db restore` again; it goes on and finishes.",
    ))
}

/// Removes the oldest entries up to `position` that were made before this moment, a step of them.
pub(super) async fn trim(database: &Database, position: u64, before: Time) -> Result<u64> {
    let journal = database.collection::<Document>("journal");
    let before = DateTime::from_millis(before.millis());
    let oldest = journal
        .find(doc! { "_id": { "$lte": signed(position) } })
        .sort(doc! { "_id": 1 })
        .limit(STEP)
        .projection(doc! { "at": 1 });
    let read = async { futures_util::TryStreamExt::try_collect::<Vec<Document>>(oldest.await?).await };
    let entries: Vec<Document> = within(DEADLINE, "journal", read).await?;
    let old = |entry: &&Document| entry.get_datetime("at").is_ok_and(|at| *at < before);
    let Some(last) = entries.iter().rev().find(old) else { return Ok(0) };
    let last = whole(last.get("_id"));
    // The note first: a crash between the two leaves entries that nobody counts on, never a hole that nobody knows.
    note(database, last).await?;
    let gone = journal.delete_many(doc! { "_id": { "$lte": signed(last) } });
    Ok(within(DEADLINE, "journal", gone).await?.deleted_count)
}

/// Remembers where the journal begins.
pub(super) async fn note(database: &Database, last: u64) -> Result<()> {
    let meta = database.collection::<Document>("meta");
    let note = meta
        .update_one(doc! { "_id": "journal_trimmed" }, doc! { "$max": { "position": signed(last) } })
        .upsert(true);
    within(DEADLINE, "meta", note).await.map(drop)
}

/// The last position that was removed; 0 where the journal is complete.
pub(super) async fn trimmed(database: &Database) -> Result<u64> {
    let meta = database.collection::<Document>("meta");
    let noted = within(DEADLINE, "meta", meta.find_one(doc! { "_id": "journal_trimmed" })).await?;
    Ok(noted.map_or(0, |noted| whole(noted.get("position"))))
}

//! The end of a restore, on either database; and the journal's old end.

use engify_core::{Error, Result, Time};

use super::{Backend, Store};
use crate::batch::Batch;
use crate::collection::Collection;
use crate::comparison::Comparison;

/// Writes of one transaction on MongoDB, which takes 16 MB of them.
const TOGETHER: usize = 50;

/// What making a database equal to another one did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replaced {
    /// Documents that were not there.
    pub inserted: u64,
    /// Documents that were there otherwise.
    pub replaced: u64,
    /// Documents that are not in the other one.
    pub removed: u64,
    /// The journal's position afterwards.
    pub position: u64,
}

impl Store {
    /// Makes these collections equal to those of `side`, an embedded database, and journals what it changes.
    ///
    /// The embedded database does it in one transaction: killed at any moment, it is as before or as `side`. MongoDB
    /// gets a marker first, then what differs, then loses the marker: killed in between, every [`Store::open`] refuses
    /// until the same is done again.
    ///
    /// # Errors
    /// `restore_running` where another one is under way; else as [`Store::write`].
    pub async fn replace_with(&self, side: &Store, collections: &[&'static Collection]) -> Result<Replaced> {
        let Backend::Sqlite(other) = &side.inner.backend else {
            return Err(Error::internal("a side database is an embedded one"));
        };
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => {
                let collections = collections.iter().map(|collection| **collection).collect();
                sqlite.replace_with(other, self.inner.clock.now(), collections).await
            }
            Backend::Mongo(mongo, _) => {
                Box::pin(mongo.begin_restore()).await?;
                let replaced = self.replace_in_steps(side, collections).await?;
                Box::pin(mongo.end_restore()).await?;
                Ok(replaced)
            }
        }
    }

    /// Whether the database itself holds together; the embedded one is read whole. MongoDB looks after itself.
    ///
    /// # Errors
    /// `database_damaged`, `database_unavailable`.
    pub async fn check(&self) -> Result<()> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.check().await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.ping()).await,
        }
    }

    /// How many bytes the embedded database's file may still grow, as if the disk had no more; none for no bound. MongoDB's
    /// server has bounds of its own. For drills.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn set_room(&self, bytes: Option<u64>) -> Result<()> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.set_room(bytes).await,
            Backend::Mongo(..) => Ok(()),
        }
    }

    /// Removes entries from the journal's old end: up to `position`, made before this moment; at most 5000 at a time.
    /// Says how many went.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn trim_journal(&self, position: u64, before: Time) -> Result<u64> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.trim_journal(position, before).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.trim_journal(position, before)).await,
        }
    }

    /// The last position that was removed from the journal: whatever is behind it is there. 0 where all of it is.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn journal_trimmed(&self) -> Result<u64> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.journal_trimmed().await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.journal_trimmed()).await,
        }
    }

    /// First whatever is too much or otherwise goes, so that values that must be unique are free; then what is missing
    /// comes. Done again after a kill, it goes on where it was.
    async fn replace_in_steps(&self, side: &Store, collections: &[&'static Collection]) -> Result<Replaced> {
        let mut replaced = Replaced::default();
        for collection in collections {
            let (mut gone, mut back) = (0, 0);
            for removing in [true, false] {
                // A moment of its own for each: MongoDB keeps one for minutes only.
                let (mut live, mut wanted) = (self.snapshot().await?, side.snapshot().await?);
                let mut walk = Comparison::new(collection, &mut live, &mut wanted);
                let mut batch = Batch::new();
                while let Some(difference) = walk.next().await? {
                    match (removing, difference.before, difference.after) {
                        (true, Some(_), after) => {
                            gone += u64::from(after.is_none());
                            replaced.replaced += u64::from(after.is_some());
                            batch = batch.document(collection, difference.id, None);
                        }
                        (false, _, Some(doc)) => {
                            back += 1;
                            batch = batch.document(collection, difference.id, Some(doc));
                        }
                        _ => {}
                    }
                    if batch.len() >= TOGETHER {
                        self.step(std::mem::take(&mut batch)).await?;
                    }
                }
                self.step(batch).await?;
            }
            replaced.removed += gone;
            replaced.inserted += back;
        }
        replaced.inserted = replaced.inserted.saturating_sub(replaced.replaced);
        replaced.position = self.journal_position().await?;
        Ok(replaced)
    }

    async fn step(&self, batch: Batch) -> Result<()> {
        self.write(batch).await?;
        match &self.inner.backend {
            Backend::Mongo(mongo, _) => Box::pin(mongo.beat_restore()).await,
            Backend::Sqlite(_) => Ok(()),
        }
    }
}

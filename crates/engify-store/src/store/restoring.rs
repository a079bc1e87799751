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

    /// Documents that are otherwise or missing come first, each in one step; then whatever is too much goes. So none that stays is
    /// away in between, and whoever looks again after a kill finds the same to be done. Only where a value that must be unique
    /// is still somewhere else, that makes room first.
    async fn replace_in_steps(&self, side: &Store, collections: &[&'static Collection]) -> Result<Replaced> {
        let mut done = Done::default();
        for collection in collections {
            let mut put = self.pass(side, collection, Pass::Put, &mut done).await;
            for room in [Pass::Remove, Pass::Clear] {
                if put.as_ref().is_err_and(|taken| taken.code() == "duplicate") {
                    self.pass(side, collection, room, &mut done).await?;
                    put = self.pass(side, collection, Pass::Put, &mut done).await;
                }
            }
            put?;
            self.pass(side, collection, Pass::Remove, &mut done).await?;
        }
        Ok(Replaced {
            inserted: done.inserted.saturating_sub(done.cleared),
            replaced: done.replaced + done.cleared,
            removed: done.removed,
            position: self.journal_position().await?,
        })
    }

    /// One walk through a collection of both.
    async fn pass(&self, side: &Store, collection: &Collection, pass: Pass, done: &mut Done) -> Result<()> {
        // A moment of its own for each: MongoDB keeps one for minutes only.
        let (mut live, mut wanted) = (self.snapshot().await?, side.snapshot().await?);
        let mut walk = Comparison::new(collection, &mut live, &mut wanted);
        let (mut batch, mut step) = (Batch::new(), *done);
        while let Some(difference) = walk.next().await? {
            let document = match (pass, &difference.before, difference.after) {
                (Pass::Put, before, Some(doc)) => {
                    let count = if before.is_some() { &mut step.replaced } else { &mut step.inserted };
                    *count += 1;
                    Some(doc)
                }
                (Pass::Remove, Some(_), None) => {
                    step.removed += 1;
                    None
                }
                (Pass::Clear, Some(_), Some(_)) => {
                    step.cleared += 1;
                    None
                }
                _ => continue,
            };
            batch = batch.document(collection, difference.id, document);
            if batch.len() >= TOGETHER {
                self.step(std::mem::take(&mut batch)).await?;
                *done = step;
            }
        }
        self.step(batch).await?;
        *done = step;
        Ok(())
    }

    async fn step(&self, batch: Batch) -> Result<()> {
        self.write(batch).await?;
        match &self.inner.backend {
            Backend::Mongo(mongo, _) => Box::pin(mongo.beat_restore()).await,
            Backend::Sqlite(_) => Ok(()),
        }
    }
}

/// What a walk through both databases does.
#[derive(Debug, Clone, Copy)]
enum Pass {
    /// What is missing or otherwise becomes as it should be.
    Put,
    /// What is too much goes.
    Remove,
    /// What is otherwise goes, to come again.
    Clear,
}

/// What was written by now.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    inserted: u64,
    replaced: u64,
    removed: u64,
    /// Counted again when they come.
    cleared: u64,
}

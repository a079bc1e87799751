//! Whole documents and whole databases: snapshots, and the way back from them.

use engify_core::Result;
use engify_core::tenancy::Scope;

use super::{Backend, Store};
use crate::Doc;
use crate::collection::Collection;
use crate::journal::Change;
use crate::snapshot::{Snapshot, View};

impl Store {
    /// The document with this id as it is, if it is in scope: for imports, which know no entities.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn document(&self, collection: &Collection, scope: &Scope, id: &str) -> Result<Option<Doc>> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.get(collection, scope, id).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.get(collection, scope, id)).await,
        }
    }

    /// The whole database at one moment, while others write on; what it promises is in [`crate::snapshot`].
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn snapshot(&self) -> Result<Snapshot> {
        // The clock first: everything in the snapshot was committed by then, or its position says so.
        let at = self.inner.clock.now();
        let (position, exact, view) = match &self.inner.backend {
            Backend::Sqlite(sqlite) => {
                let (view, position) = sqlite.snapshot().await?;
                (position, true, View::Sqlite(view))
            }
            Backend::Mongo(mongo, _) => {
                let (view, position, exact) = Box::pin(mongo.snapshot()).await?;
                (position, exact, View::Mongo(Box::new(view)))
            }
        };
        Ok(Snapshot { at, position, exact, view })
    }

    /// Inserts or replaces whole documents as they are: no journal entry, nothing in the feed, and beside MongoDB nothing
    /// in the search catalogue. For databases that nobody else has open yet; a page of [`Snapshot::page`] at a time.
    ///
    /// # Errors
    /// `invalid_request` for a document without a text as `_id`; `duplicate` where a unique index is violated. The
    /// embedded database has then taken nothing of the page, MongoDB what came before.
    pub async fn load(&self, collection: &Collection, docs: Vec<Doc>) -> Result<()> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.load(collection, docs).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.load(collection, docs)).await,
        }
    }

    /// Does again what the changes say, in their order; else as [`Store::load`]. Doing it twice changes nothing.
    ///
    /// # Errors
    /// As [`Store::load`]; `database_newer` for a collection that this program does not know.
    pub async fn apply(&self, changes: Vec<Change>) -> Result<()> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.apply(changes).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.apply(changes)).await,
        }
    }

    /// A position that covers everything that anybody can have read by now; all of it can be read from the journal. Waits
    /// for commits that are under way, on MongoDB up to 40 s where a writer died in the middle of one.
    ///
    /// # Errors
    /// As [`Store::get`]; `database_timeout`.
    pub async fn journal_settled(&self) -> Result<u64> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.journal_position().await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.journal_settled()).await,
        }
    }

    /// Makes the journal go on behind `position`, as if everything up to it were in it; never moves it back.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn continue_journal(&self, position: u64) -> Result<()> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.continue_journal(position).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.continue_journal(position)).await,
        }
    }
}

//! What is noted about a database in the database itself: no documents of ours, in no journal, in no backup. Whoever copies
//! into it keeps their place here.

use engify_core::Result;

use super::{Backend, Store};

impl Store {
    /// The note of this name.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn note(&self, name: &'static str) -> Result<Option<String>> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.note(name).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.note(name)).await,
        }
    }

    /// Writes the note of this name, in place of the one before.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn set_note(&self, name: &'static str, text: String) -> Result<()> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.set_note(name, text).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.set_note(name, text)).await,
        }
    }
}

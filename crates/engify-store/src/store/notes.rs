//! What is noted about a database in the database itself: no documents of ours, in no journal, in no backup. Whoever copies
//! into it keeps their place here, and says here that it is not whole yet.

use engify_core::{Error, Result};

use super::{Backend, Store};

/// The note that a database is being filled from another one; its text names that.
const FILLING: &str = "filling";

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

    /// The note of this name, with this text where there was none: whoever asks gets the text of the first.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn note_once(&self, name: &'static str, text: String) -> Result<String> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.note_once(name, text).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.note_once(name, text)).await,
        }
    }

    /// Removes the note of this name.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn drop_note(&self, name: &'static str) -> Result<()> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.drop_note(name).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.drop_note(name)).await,
        }
    }

    /// From now on this database is half a copy of another one, whose name this is: every [`Store::open`] refuses it until
    /// [`Store::filled`], but the one that goes on with it ([`super::Options::unfinished_migration`]).
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn filling(&self, from: &str) -> Result<()> {
        self.set_note(FILLING, from.to_owned()).await
    }

    /// It is whole, or empty again.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn filled(&self) -> Result<()> {
        self.drop_note(FILLING).await
    }

    /// Which database this one is half a copy of; none where it is whole.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn half_of(&self) -> Result<Option<String>> {
        self.note(FILLING).await
    }

    pub(super) async fn refuse_half(&self) -> Result<()> {
        let Some(from) = self.half_of().await? else { return Ok(()) };
        let message = format!(
            "This database is half a copy: a migration of {from} into it was interrupted, or is under way. Run the same \
             `engify db migrate --to … --yes` again, with the settings of {from}: it goes on and finishes. To have none of it, \
             add --give-up: what was copied is deleted."
        );
        Err(Error::unavailable("migration_unfinished", message))
    }
}

//! The whole database at one moment, page by page, while others write on; and the way back: loading of whole documents.
//!
//! # What a snapshot promises
//!
//! - **Embedded database.** One read transaction on a connection of its own: exactly what was committed up to its
//!   position, and nothing else. Writers are not held up. As long as it is open the write-ahead log cannot be emptied,
//!   so it grows by what is written meanwhile; the next checkpoint after the end shrinks it to 32 MiB again.
//! - **MongoDB with snapshot reads** (5.0 and newer, replica set or sharded cluster, Atlas): one cluster time for all
//!   pages. The server keeps that moment for `minSnapshotHistoryWindowInSeconds` (5 minutes by default): a walk that
//!   takes longer fails, and says so.
//! - **Any other MongoDB**, and one where a writer died in the middle of a commit in the last 30 s: [`Snapshot::is_exact`]
//!   is false. A page then shows what is there when it is read, all of it at least as new as the position. Whoever applies
//!   the journal behind the position to what the walk found ([`crate::Store::apply`]) has the exact state at the journal's
//!   end, because changes are whole documents.

use engify_core::{Error, Kind, Result, Time};

use crate::Doc;
use crate::collection::Collection;
use crate::mongo::snapshot::View as MongoView;
use crate::sqlite::snapshot::View as SqliteView;

/// Documents of one page at most.
pub(crate) const PAGE: u32 = 1000;

/// Bytes of one page, after which no further document joins it.
pub(crate) const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// One moment of the database. Drop it as soon as everything is read: the database keeps the moment for it.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) at: Time,
    pub(crate) position: u64,
    pub(crate) exact: bool,
    pub(crate) view: View,
}

#[derive(Debug)]
pub(crate) enum View {
    Sqlite(SqliteView),
    Mongo(Box<MongoView>),
}

impl Snapshot {
    /// When it was taken, by our clock.
    pub fn at(&self) -> Time {
        self.at
    }

    /// The journal's position: everything up to it is in the snapshot.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether nothing behind the position is in the snapshot.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// The documents of a collection behind the id `after`, in the order of the ids' bytes: at most 1000, and about 4 MiB
    /// unless one document is larger. An empty page is the end.
    ///
    /// # Errors
    /// `database_unavailable`, `database_timeout`; `snapshot_too_old` where MongoDB has forgotten the moment;
    /// `foreign_documents` where MongoDB holds documents whose id is not text.
    pub async fn page(&mut self, collection: &Collection, after: Option<&str>) -> Result<Vec<Doc>> {
        match &mut self.view {
            View::Sqlite(view) => view.page(collection, after).await,
            View::Mongo(view) => Box::pin(view.page(collection, after)).await,
        }
    }

    /// All pages of a collection, one after the other.
    pub fn pages<'a>(&'a mut self, collection: &'a Collection) -> Pages<'a> {
        Pages { snapshot: self, collection, after: None }
    }
}

/// The pages of a collection that are still to be read.
#[derive(Debug)]
pub struct Pages<'a> {
    snapshot: &'a mut Snapshot,
    collection: &'a Collection,
    after: Option<String>,
}

impl Pages<'_> {
    /// The next page; none behind the last.
    ///
    /// # Errors
    /// As [`Snapshot::page`].
    pub async fn next(&mut self) -> Result<Option<Vec<Doc>>> {
        let page = self.snapshot.page(self.collection, self.after.as_deref()).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some(id_of(self.collection.name, last)?);
        Ok(Some(page))
    }
}

/// The id of a document that is loaded.
pub(crate) fn id_of(collection: &str, doc: &Doc) -> Result<String> {
    match doc.get("_id").and_then(serde_json::Value::as_str) {
        Some(id) if !id.is_empty() => Ok(id.to_owned()),
        _ => Err(Error::field(
            format!("{collection}._id"),
            "is missing or is not text; every document has one",
        )),
    }
}

/// The collection of a change that is applied.
pub(crate) fn collection_of(name: &str) -> Result<&'static Collection> {
    crate::collections::named(name).ok_or_else(|| {
        let message = format!(
            "The data has a collection {name}, which this Engify does not know. It was written by a newer one; use that."
        );
        Error::new(Kind::Invalid, "database_newer", message)
    })
}

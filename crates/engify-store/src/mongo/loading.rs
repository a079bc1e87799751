//! What restoring and moving ask of a MongoDB: whole documents as they are, without journal entries; marks, notes, the
//! journal's ends.

use std::time::Duration;

use engify_core::{Result, Time};
use mongodb::Database;
use mongodb::bson::raw::RawArrayBuf;
use mongodb::bson::{Bson, Document, RawDocumentBuf, rawdoc};

use super::journal::PATIENCE;
use super::{DEADLINE, Mongo, encode, fault, notes, restoring, snapshot, within};
use crate::Doc;
use crate::collection::Collection;
use crate::journal::Change;
use crate::snapshot::{PAGE_BYTES, collection_of, id_of};

/// The longest that one command with whole documents may take.
const LOAD: Duration = Duration::from_secs(60);

/// The wait between two looks at whether the journal is settled; a writer commits in about that time.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Mongo {
    /// One moment, the journal's position in it, and whether nothing behind that is in it.
    pub(crate) async fn snapshot(&self) -> Result<(snapshot::View, u64, bool)> {
        let _open = self.enter().await?;
        snapshot::View::open(&self.inner).await
    }

    /// Inserts or replaces documents of one collection, without journal entries.
    pub(crate) async fn load(&self, collection: &Collection, docs: Vec<Doc>) -> Result<()> {
        let _open = self.enter().await?;
        let write = |doc: Doc| Ok((id_of(collection.name, &doc)?, Some(encode::raw(&doc)?)));
        let writes = docs.into_iter().map(write).collect::<Result<Vec<_>>>()?;
        write_all(&self.inner.writer.database, collection.name, writes).await
    }

    /// Does what the changes say, in order, without journal entries.
    pub(crate) async fn apply(&self, changes: Vec<Change>) -> Result<()> {
        let _open = self.enter().await?;
        let mut rest = changes.into_iter().peekable();
        while let Some(first) = rest.peek() {
            let collection = collection_of(&first.collection)?.name;
            let mut writes = Vec::new();
            while let Some(change) = rest.next_if(|change| change.collection == collection) {
                writes.push((change.id, change.document.as_ref().map(encode::raw).transpose()?));
            }
            write_all(&self.inner.writer.database, collection, writes).await?;
        }
        Ok(())
    }

    /// The last position that was given out, once nothing before it is still to come.
    pub(crate) async fn journal_settled(&self) -> Result<u64> {
        let _open = self.enter().await?;
        let failed = |failure| fault::of("journal", failure);
        let end = self.inner.journal.top().await.map_err(failed)?.0;
        let settled = async {
            while self.inner.journal.position().await.map_err(failed)? < end {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Ok(end)
        };
        tokio::time::timeout(PATIENCE + DEADLINE, settled).await.map_err(|_| fault::timeout())?
    }

    /// Makes the journal go on behind `position`; never moves it back.
    pub(crate) async fn continue_journal(&self, position: u64) -> Result<()> {
        let _open = self.enter().await?;
        let journal = &self.inner.journal;
        let end = journal.position().await.map_err(|failure| fault::of("journal", failure))?;
        if position <= end {
            return Ok(());
        }
        restoring::note(&self.inner.writer.database, position).await?;
        journal.continue_behind(position).await.map_err(|failure| fault::of("journal", failure))
    }

    /// Marks the database as half-way.
    pub(crate) async fn begin_restore(&self) -> Result<()> {
        let _open = self.enter().await?;
        restoring::begin(&self.inner.writer.database, &self.inner.clock).await
    }

    /// Says that the restore is still under way.
    pub(crate) async fn beat_restore(&self) -> Result<()> {
        let _open = self.enter().await?;
        restoring::beat(&self.inner.writer.database, &self.inner.clock).await
    }

    /// Takes the mark away.
    pub(crate) async fn end_restore(&self) -> Result<()> {
        let _open = self.enter().await?;
        restoring::end(&self.inner.writer.database).await
    }

    pub(crate) async fn trim_journal(&self, position: u64, before: Time) -> Result<u64> {
        let _open = self.enter().await?;
        restoring::trim(&self.inner.writer.database, position, before).await
    }

    pub(crate) async fn note(&self, name: &str) -> Result<Option<String>> {
        let _open = self.enter().await?;
        notes::read(&self.inner.writer.database, name).await
    }

    pub(crate) async fn set_note(&self, name: &str, text: String) -> Result<()> {
        let _open = self.enter().await?;
        notes::write(&self.inner.writer.database, name, &text).await
    }

    pub(crate) async fn note_once(&self, name: &str, text: String) -> Result<String> {
        let _open = self.enter().await?;
        notes::once(&self.inner.writer.database, name, text).await
    }

    pub(crate) async fn drop_note(&self, name: &str) -> Result<()> {
        let _open = self.enter().await?;
        notes::remove(&self.inner.writer.database, name).await
    }

    pub(crate) async fn journal_trimmed(&self) -> Result<u64> {
        let _open = self.enter().await?;
        restoring::trimmed(&self.inner.writer.database).await
    }
}

/// Writes whole documents, in order, without journal entries.
async fn write_all(
    database: &Database,
    collection: &'static str,
    writes: Vec<(String, Option<RawDocumentBuf>)>,
) -> Result<()> {
    let mut rest = writes.into_iter().peekable();
    while let Some((_, first)) = rest.peek() {
        let removes = first.is_none();
        let mut same = RawArrayBuf::new();
        let mut bytes = 0;
        // One command holds what the server takes at once: 48 MB, and documents of up to 16 MB each.
        while bytes < 2 * PAGE_BYTES
            && let Some((id, document)) = rest.next_if(|(_, document)| document.is_none() == removes)
        {
            bytes += document.as_ref().map_or(0, |document| document.as_bytes().len());
            same.push(match document {
                Some(document) => rawdoc! { "q": { "_id": id }, "u": document, "upsert": true },
                None => rawdoc! { "q": { "_id": id }, "limit": 1 },
            });
        }
        let concern = rawdoc! { "w": "majority", "j": true };
        let command = if removes {
            rawdoc! { "delete": collection, "deletes": same, "ordered": true, "writeConcern": concern }
        } else {
            rawdoc! { "update": collection, "updates": same, "ordered": true, "writeConcern": concern }
        };
        let reply = within(LOAD, collection, database.run_raw_command(command)).await?;
        refused(collection, &reply)?;
    }
    Ok(())
}

/// What the server says of single writes.
fn refused(collection: &str, reply: &Document) -> Result<()> {
    let first = |list: &str| reply.get_array(list).ok().and_then(|list| list.first()?.as_document());
    if let Some(error) = first("writeErrors") {
        let text = error.get_str("errmsg").unwrap_or_default();
        let code = match error.get("code") {
            Some(Bson::Int32(code)) => *code,
            _ => 0,
        };
        return Err(fault::of_write(collection, code, text));
    }
    match reply.get_document("writeConcernError") {
        Ok(_) => Err(fault::timeout()),
        Err(_) => Ok(()),
    }
}

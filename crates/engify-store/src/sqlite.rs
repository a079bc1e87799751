//! The embedded database: SQLite in one file, a table of JSONB documents for each collection.
//!
//! One thread writes ([`writer`]), a few connections read ([`readers`]). Several processes may use the file at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engify_core::tenancy::Scope;
use engify_core::{Error, Result, Time};
use rusqlite::{Connection, params_from_iter};

use crate::Doc;
use crate::adapter::{CollectionStats, Find, IndexReport, QueryPlan, unavailable};
use crate::batch::Batch;
use crate::collection::Collection;
use crate::feed::Feed;
use crate::held::Held;
use crate::journal::Change;
use crate::search::Catalogue;
use crate::search::catalogue;
use crate::search::generations::Generations;
use crate::store::{Options, Replaced};

mod apply;
pub(crate) mod connect;
#[cfg(test)]
mod cost;
pub(crate) mod fault;
mod format;
mod indexes;
mod journal;
mod load;
mod notes;
pub(crate) mod readers;
pub(crate) mod snapshot;
mod sql;
mod switch;
mod trim;
mod writer;

pub(crate) use apply::document;
use connect::Place;
use fault::fault;
use readers::Readers;
use writer::{Desk, Writer};

/// The file inside the data folder.
const FILE: &str = "engify.db";

/// An open embedded database.
#[derive(Debug)]
pub(crate) struct Sqlite {
    place: Place,
    readers: Readers,
    writer: Writer,
    generations: Arc<Generations>,
}

impl Sqlite {
    /// Opens the database in a folder; makes the folder, the file, the tables and the indexes where they are missing.
    pub(crate) async fn open(dir: PathBuf, options: &Options, feed: Feed) -> Result<Self> {
        let file = dir.join(FILE);
        let (path, scratch) = (file.clone(), options.scratch);
        let open = move || {
            let connection = open_file(&dir, &path)?;
            if scratch {
                connect::unsynced(&connection).map_err(fault)?;
            }
            Ok::<_, Error>(connection)
        };
        let connection = tokio::task::spawn_blocking(open).await.map_err(Error::internal)??;
        let generations = Arc::new(Generations::default());
        let desk =
            Desk { connection, clock: options.clock.clone(), feed, generations: Arc::clone(&generations) };
        let writer = Writer::start(desk)?;
        let place = Place::File(file);
        let readers = Readers::new(place.clone(), options.readers, options.read_deadline);
        Ok(Self { place, readers, writer, generations })
    }

    /// The search catalogue, which lives in the same file.
    pub(crate) fn catalogue(&self) -> Catalogue {
        Catalogue::beside(self.readers.clone(), Arc::clone(&self.generations))
    }

    pub(crate) async fn get(&self, collection: &Collection, scope: &Scope, id: &str) -> Result<Option<Doc>> {
        let statement = sql::get(collection, scope, id);
        self.readers.run(move |connection| Ok(docs(connection, &statement)?.pop())).await
    }

    pub(crate) async fn find(&self, find: &Find) -> Result<Vec<Doc>> {
        let find = find.clone();
        self.readers.run(move |connection| page(connection, &find)).await
    }

    pub(crate) async fn count(&self, find: &Find) -> Result<u64> {
        let statement = sql::count(find);
        self.readers
            .run(move |connection| {
                let mut counting = connection.prepare_cached(&statement.text).map_err(fault)?;
                let count: i64 = counting
                    .query_row(params_from_iter(&statement.values), |row| row.get(0))
                    .map_err(fault)?;
                Ok(count.unsigned_abs())
            })
            .await
    }

    /// Writes a batch and feeds its commit. The answer is the position of its last change.
    pub(crate) async fn write(&self, batch: Batch) -> Result<u64> {
        let prepared = batch.writes.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
        self.writer.write(prepared).await
    }

    /// Looks for commits of other processes and feeds them.
    pub(crate) async fn follow(&self) -> Result<()> {
        self.writer.follow().await
    }

    pub(crate) async fn ensure_indexes(&self, collections: &[Collection]) -> Result<Vec<IndexReport>> {
        let collections = collections.to_vec();
        self.writer
            .task(move |connection| {
                let mut reports = Vec::new();
                for collection in &collections {
                    reports.extend(indexes::ensure(connection, collection)?);
                }
                Ok(reports)
            })
            .await
    }

    pub(crate) async fn explain(&self, find: &Find) -> Result<QueryPlan> {
        let (collection, statements) = (find.collection, sql::find(find));
        self.readers
            .run(move |connection| {
                indexes::explain(connection, &collection, statements.iter().flatten()).map_err(fault)
            })
            .await
    }

    pub(crate) async fn stats(&self, collections: &[Collection]) -> Result<Vec<CollectionStats>> {
        let collections = collections.to_vec();
        self.readers
            .run(move |connection| {
                collections.iter().map(|collection| stats(connection, collection)).collect()
            })
            .await
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        self.readers
            .run(|connection| {
                connection.query_row("SELECT 1 FROM meta LIMIT 1", [], |_| Ok(())).map_err(fault)
            })
            .await
    }

    pub(crate) async fn journal_after<D: Held>(&self, position: u64, limit: u32) -> Result<Vec<Change<D>>> {
        self.readers.run(move |connection| journal::after(connection, position, limit)).await
    }

    pub(crate) async fn journal_position(&self) -> Result<u64> {
        self.readers.run(journal::position).await
    }

    /// One moment, and the journal's position in it.
    pub(crate) async fn snapshot(&self) -> Result<(snapshot::View, u64)> {
        snapshot::View::open(self.place.clone()).await
    }

    pub(crate) async fn load(&self, collection: &Collection, docs: Vec<Doc>) -> Result<()> {
        let collection = *collection;
        self.writer.task(move |connection| load::load(connection, &collection, &docs)).await?;
        self.generations.note(catalogue::Touched::Content);
        Ok(())
    }

    pub(crate) async fn apply(&self, changes: Vec<Change>) -> Result<()> {
        self.writer.task(move |connection| load::apply(connection, &changes)).await?;
        self.generations.note(catalogue::Touched::Content);
        Ok(())
    }

    pub(crate) async fn continue_journal(&self, position: u64) -> Result<()> {
        self.writer.task(move |connection| load::continue_behind(connection, position)).await
    }

    /// Makes collections equal to those of another file, in one transaction.
    pub(crate) async fn replace_with(
        &self,
        side: &Self,
        at: Time,
        collections: Vec<Collection>,
    ) -> Result<Replaced> {
        let Place::File(side) = side.place.clone() else {
            return Err(Error::internal("a side database is a file"));
        };
        let replaced =
            self.writer.task(move |connection| switch::replace(connection, at, &side, &collections)).await?;
        self.generations.note(catalogue::Touched::Content);
        Ok(replaced)
    }

    pub(crate) async fn set_room(&self, bytes: Option<u64>) -> Result<()> {
        self.writer.task(move |connection| trim::set_room(connection, bytes)).await
    }

    pub(crate) async fn trim_journal(&self, position: u64, before: Time) -> Result<u64> {
        self.writer.task(move |connection| trim::trim(connection, position, before)).await
    }

    pub(crate) async fn note(&self, name: &'static str) -> Result<Option<String>> {
        self.readers.run(move |connection| notes::read(connection, name)).await
    }

    pub(crate) async fn set_note(&self, name: &'static str, text: String) -> Result<()> {
        self.writer.task(move |connection| notes::write(connection, name, &text)).await
    }

    pub(crate) async fn note_once(&self, name: &'static str, text: String) -> Result<String> {
        self.writer.task(move |connection| notes::make(connection, name, text)).await
    }

    pub(crate) async fn drop_note(&self, name: &'static str) -> Result<()> {
        self.writer.task(move |connection| notes::remove(connection, name)).await
    }

    pub(crate) async fn journal_trimmed(&self) -> Result<u64> {
        self.readers.run(trim::trimmed).await
    }

    /// Reads the whole file, on a connection of its own: it may take longer than a read may.
    pub(crate) async fn check(&self) -> Result<()> {
        let place = self.place.clone();
        let check = move || trim::check(&connect::reader(&place).map_err(fault)?);
        tokio::task::spawn_blocking(check).await.map_err(Error::internal)?
    }

    /// Builds the search catalogue anew.
    pub(crate) async fn reindex(&self) -> Result<()> {
        self.writer
            .task(|connection| {
                let transaction = connection
                    .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
                    .map_err(fault)?;
                catalogue::rebuild(&transaction).map_err(fault)?;
                transaction.commit().map_err(fault)
            })
            .await?;
        self.generations.note(catalogue::Touched::Content);
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.readers.close();
        self.writer.close().await;
    }
}

fn open_file(dir: &Path, file: &Path) -> Result<Connection> {
    make_dir(dir).map_err(|error| {
        unavailable(format!(
            "The data folder {} cannot be made. Choose another with ENGIFY_DATA_DIR, or give the account that runs Engify the right to make it.",
            dir.display()
        ))
        .because(error)
    })?;
    let mut connection = connect::writer(&Place::File(file.to_owned())).map_err(fault)?;
    format::prepare(&mut connection, file)?;
    Ok(connection)
}

/// Makes the folder for its owner alone where it is missing.
fn make_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn docs(connection: &Connection, statement: &sql::Statement) -> Result<Vec<Doc>> {
    let mut prepared = connection.prepare_cached(&statement.text).map_err(fault)?;
    let mut rows = prepared.query(params_from_iter(&statement.values)).map_err(fault)?;
    let mut docs = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        let text = row.get_ref(0).map_err(fault)?;
        docs.push(document(text.as_str().map_err(Error::internal)?)?);
    }
    Ok(docs)
}

/// One page: the walks of each tenant in turn until the limit is reached, and the tenants merged.
fn page(connection: &Connection, find: &Find) -> Result<Vec<Doc>> {
    let limit = find.limit as usize;
    let mut tenants = Vec::new();
    for walks in sql::find(find) {
        let mut found = Vec::new();
        for mut walk in walks {
            if let Some(left) = walk.values.last_mut() {
                *left = rusqlite::types::Value::Integer(i64::try_from(limit - found.len()).unwrap_or(0));
            }
            found.extend(docs(connection, &walk)?);
            if found.len() >= limit {
                break;
            }
        }
        tenants.push(found);
    }
    if tenants.len() == 1 {
        return Ok(tenants.pop().unwrap_or_default());
    }
    let mut all: Vec<Doc> = tenants.into_iter().flatten().collect();
    all.sort_by(|a, b| find.order(a, b));
    all.truncate(limit);
    Ok(all)
}

/// The length of a document is in the row's header: its pages are not read.
fn stats(connection: &Connection, collection: &Collection) -> Result<CollectionStats> {
    let sql = format!("SELECT count(*), coalesce(sum(length(doc)), 0) FROM \"{}\"", collection.name);
    let (documents, bytes): (i64, i64) =
        connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(fault)?;
    Ok(CollectionStats {
        collection: collection.name,
        documents: documents.unsigned_abs(),
        bytes: bytes.unsigned_abs(),
    })
}

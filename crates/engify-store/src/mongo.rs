//! MongoDB: the same promises as the embedded database, kept by the official driver.
//!
//! # What it promises
//!
//! - **Writes.** On a replica set or a sharded cluster (Atlas is one) a batch is one transaction with majority write
//!   concern: all of it or nothing, its journal entries included. Attempts that meet another writer are repeated with
//!   growing, uneven waits for as long as [`DEADLINE`] lasts. A write goes on to its end when its caller goes away.
//! - **A single server without a replica set** offers no transactions. There, conditions are checked before the first
//!   write, writes happen in order, and each is followed by its journal entry; a fault in the middle leaves the earlier
//!   writes in place, and a crash between a write and its entry loses that entry. One warning at start says so.
//! - **Journal.** Positions grow in the order in which any reader sees them, and per document in the order of its
//!   commits; they have gaps. How, and the bound of 30 s after a crash: [`journal`].
//! - **Reads** go to the primary and see every acknowledged write. Each has the deadline of the options.
//! - **Nothing of the connection string** is ever printed; failures go through [`fault`].
//!
//! # Why the journal's counter is outside of the transaction
//!
//! Inserts per second with 1 and 16 writers (SecantusDB on two busy cores; in brackets with 8 ms on the wire): as it is
//! 230–400 and 250 (19 and 148); with the counter inside the transaction 360 and 66, worst wait 3 s (23 and timeouts);
//! with one writer at a time in the process 315–400 and 270–400 (21 and 19). All writers patching one document
//! conflict with each other in every design: 130 (18).

use std::sync::Arc;
use std::time::Duration;

use engify_core::tenancy::Scope;
use engify_core::{Clock, Error, Result, Secret};
use futures_util::TryStreamExt;
use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::Error as Fault;
use mongodb::options::{ClientOptions, Hint, WriteConcern};
use tokio::runtime::Handle;
use tokio::sync::{OwnedRwLockReadGuard, RwLock};
use tracing::{debug, warn};

use self::filter::Ask;
use self::indexes::Known;
use self::journal::Journal;
use self::sight::Sight;
use self::write::Writer;
use crate::adapter::{CollectionStats, Find, IndexReport, QueryPlan, closed, covers};
use crate::batch::Batch;
use crate::collection::Collection;
use crate::held::Held;
use crate::journal::Change;
use crate::store::Options;
use crate::{Doc, collections};

mod clause;
pub(crate) mod convert;
pub(crate) mod encode;
mod fault;
mod filter;
pub(crate) mod indexes;
mod journal;
mod loading;
mod notes;
mod plan;
mod restoring;
mod sight;
pub(crate) mod snapshot;
mod write;

/// The longest that a write, or looking at an index, may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a server is looked for before the database counts as away.
const SELECTION: Duration = Duration::from_secs(5);

/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Connections at most, unless the connection string says otherwise (`maxPoolSize`).
const POOL: u32 = 64;

/// The database where the connection string names none.
const DATABASE: &str = "engify";

/// A MongoDB database.
#[derive(Debug)]
pub(crate) struct Mongo {
    inner: Arc<Inner>,
    /// Held for reading by whoever works; true once closed.
    gate: Arc<RwLock<bool>>,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    journal: Journal,
    known: Known,
    read_deadline: Duration,
    clock: Clock,
    sight: Sight,
    /// Where it was opened: a caller's own may end before its write does.
    runtime: Handle,
}

impl Mongo {
    /// Connects, checks the schema's version, and makes the indexes where the database is empty.
    ///
    /// # Errors
    /// `database_unavailable` with the remedy, `database_newer` where a newer program wrote the data.
    pub(crate) async fn open(uri: &Secret<String>, options: &Options) -> Result<Self> {
        let (client, sight) = client(uri).await?;
        let name = client
            .default_database()
            .map_or_else(|| DATABASE.to_owned(), |database| database.name().to_owned());
        let database = client.database(&name);
        let hello = within(DEADLINE, "hello", database.run_command(doc! { "hello": 1 })).await?;
        let transactions = hello.contains_key("setName") || matches!(hello.get_str("msg"), Ok("isdbgrid"));
        if !transactions {
            warn!(
                db.name = %name,
                "this MongoDB server is not part of a replica set and offers no transactions: a crash in the middle of a \
                 batch may leave half of it. Start it with --replSet and run rs.initiate() once, or use Atlas"
            );
        }
        notes::prepare(&database, &options.clock).await?;
        if !options.unfinished_restore {
            restoring::refuse_unfinished(&database).await?;
        }
        let inner = Inner {
            journal: Journal::of(&database, options.clock.clone()),
            writer: Writer { client, database, transactions },
            known: Known::default(),
            read_deadline: options.read_deadline,
            clock: options.clock.clone(),
            sight,
            runtime: Handle::current(),
        };
        let mongo = Self { inner: Arc::new(inner), gate: Arc::default() };
        mongo.prepare().await?;
        Ok(mongo)
    }

    /// An empty database gets its indexes; of another one it is learnt which are there.
    async fn prepare(&self) -> Result<()> {
        let Inner { writer, known, .. } = &*self.inner;
        let there = within(DEADLINE, "collections", writer.database.list_collection_names()).await?;
        if collections::ALL.iter().any(|collection| there.iter().any(|name| name == collection.name)) {
            return indexes::learn(&writer.database, collections::ALL, known).await;
        }
        indexes::ensure(&writer.database, collections::ALL, known).await.map(|_| ())
    }

    /// The document, if it is in scope.
    pub(crate) async fn get(&self, collection: &Collection, scope: &Scope, id: &str) -> Result<Option<Doc>> {
        let _open = self.enter().await?;
        let handle = self.inner.writer.database.collection::<Document>(collection.name);
        let found = handle.find_one(doc! { "_id": id }).max_time(self.inner.read_deadline);
        let found = within(self.inner.read_deadline, collection.name, found).await?;
        Ok(found.map(convert::doc).filter(|doc| covers(scope, doc)))
    }

    /// At most `limit` documents in order, behind `after`.
    pub(crate) async fn find(&self, find: &Find) -> Result<Vec<Doc>> {
        let _open = self.enter().await?;
        self.inner.retried(find, || self.inner.find(find)).await
    }

    /// How many match.
    pub(crate) async fn count(&self, find: &Find) -> Result<u64> {
        let _open = self.enter().await?;
        self.inner.retried(find, || self.inner.count(find)).await
    }

    /// All or nothing, journaled in the same transaction; in the order of positions.
    pub(crate) async fn write(&self, batch: Batch) -> Result<Vec<Change>> {
        let open = self.enter().await?;
        let inner = Arc::clone(&self.inner);
        // On its own task: a caller that goes away leaves no half-done transaction and no gap in the journal.
        let written = self.inner.runtime.spawn(async move {
            let written = tokio::time::timeout(DEADLINE, inner.writer.write(&inner.journal, batch)).await;
            drop(open);
            written.unwrap_or_else(|_| Err(fault::timeout()))
        });
        written.await.map_err(Error::internal)?
    }

    /// Makes what is missing; a refusal is a report, not an error.
    pub(crate) async fn ensure_indexes(&self, collections: &[Collection]) -> Result<Vec<IndexReport>> {
        let _open = self.enter().await?;
        indexes::ensure(&self.inner.writer.database, collections, &self.inner.known).await
    }

    /// The database's own plan. Of a page behind a cursor: the plans of all its parts.
    pub(crate) async fn explain(&self, find: &Find) -> Result<QueryPlan> {
        let _open = self.enter().await?;
        let mut replies = Vec::new();
        for ask in filter::asks(find, &self.inner.known)? {
            let reply = self.inner.writer.database.run_command(plan::command(find, &ask));
            replies.push(within(self.inner.read_deadline, find.collection.name, reply).await?);
        }
        Ok(plan::read(&replies))
    }

    /// How much each collection holds.
    pub(crate) async fn stats(&self, collections: &[Collection]) -> Result<Vec<CollectionStats>> {
        let _open = self.enter().await?;
        let mut all = Vec::new();
        for collection in collections {
            all.push(self.inner.stats(collection).await?);
        }
        Ok(all)
    }

    /// Waits until the driver has seen no server that takes writes for a while.
    pub(crate) async fn lost(&self) {
        self.inner.sight.lost().await;
    }

    /// One round trip.
    pub(crate) async fn ping(&self) -> Result<()> {
        let _open = self.enter().await?;
        within(DEADLINE, "ping", self.inner.writer.database.run_command(doc! { "ping": 1 })).await.map(|_| ())
    }

    /// What was committed behind a position, in order, and whether that is all there is; see [`journal`] on gaps.
    pub(crate) async fn journal_after<D: Held>(
        &self,
        position: u64,
        limit: u32,
    ) -> Result<(Vec<Change<D>>, bool)> {
        let _open = self.enter().await?;
        within(DEADLINE, "journal", self.inner.journal.behind(position, limit)).await
    }

    /// The last position with nothing under way before it; 0 for an empty journal.
    pub(crate) async fn journal_position(&self) -> Result<u64> {
        let _open = self.enter().await?;
        within(DEADLINE, "journal", self.inner.journal.position()).await
    }

    /// Nothing is accepted any more; what was accepted is answered, then the connections are closed.
    pub(crate) async fn close(&self) {
        let mut is_closed = self.gate.write().await;
        if !std::mem::replace(&mut *is_closed, true) {
            self.inner.writer.client.clone().shutdown().immediate(true).await;
            debug!("the connections to MongoDB are closed");
        }
    }

    async fn enter(&self) -> Result<OwnedRwLockReadGuard<bool>> {
        let is_closed = Arc::clone(&self.gate).read_owned().await;
        if *is_closed { Err(closed()) } else { Ok(is_closed) }
    }
}

/// Why reading failed: in a way that may be repeated without index hints, or for good.
enum Unread {
    BadHint,
    Failed(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Inner {
    /// Runs a read; where an index that it names was dropped meanwhile, runs it again without naming any.
    async fn retried<T, F: Future<Output = Result<T, Unread>>>(
        &self,
        find: &Find,
        read: impl Fn() -> F,
    ) -> Result<T> {
        for _ in 0..2 {
            match read().await {
                Ok(answer) => return Ok(answer),
                Err(Unread::Failed(error)) => return Err(error),
                Err(Unread::BadHint) => {
                    let collection = find.collection.name;
                    warn!(db.collection = collection, "an index was dropped; run engify db create-indexes");
                    self.known.forget(collection);
                }
            }
        }
        Err(Error::internal("MongoDB refuses an index hint although none was given"))
    }

    async fn find(&self, find: &Find) -> Result<Vec<Doc>, Unread> {
        let mut docs = Vec::new();
        for ask in filter::asks(find, &self.known)? {
            let left = (find.limit as usize).saturating_sub(docs.len());
            if left == 0 {
                break;
            }
            let found = self.ask(find, &ask, left).await?.into_iter().map(convert::doc);
            docs.extend(found.filter(|doc| !ask.check_scope || covers(&find.scope, doc)));
        }
        Ok(docs)
    }

    async fn ask(&self, find: &Find, ask: &Ask, limit: usize) -> Result<Vec<Document>, Unread> {
        let handle = self.writer.database.collection::<Document>(find.collection.name);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut query =
            handle.find(ask.filter.clone()).sort(ask.sort.clone()).limit(limit).max_time(self.read_deadline);
        if let Some(hint) = &ask.hint {
            query = query.hint(Hint::Name(hint.clone()));
        }
        if let Some(fields) = find.fields {
            let wanted = fields.iter().chain([&find.sort.0, &"_id"]);
            query = query
                .projection(wanted.map(|field| ((*field).to_owned(), Bson::Int32(1))).collect::<Document>());
        }
        self.read(find, async { query.await?.try_collect().await }).await
    }

    async fn count(&self, find: &Find) -> Result<u64, Unread> {
        let handle = self.writer.database.collection::<Document>(find.collection.name);
        let ask = filter::count(find, &self.known)?;
        if ask.filter.is_empty() {
            // The server keeps this number; counting would read everything.
            return self
                .read(find, handle.estimated_document_count().max_time(self.read_deadline).into_future())
                .await;
        }
        let mut query = handle.count_documents(ask.filter).max_time(self.read_deadline);
        if let Some(hint) = ask.hint {
            query = query.hint(Hint::Name(hint));
        }
        self.read(find, query.into_future()).await
    }

    async fn read<T>(&self, find: &Find, read: impl Future<Output = Result<T, Fault>>) -> Result<T, Unread> {
        let deadline = self.read_deadline;
        match tokio::time::timeout(deadline, read).await.map_err(|_| fault::timeout())? {
            Ok(answer) => Ok(answer),
            Err(failure) if fault::is_bad_hint(&failure) => Err(Unread::BadHint),
            Err(failure) => Err(fault::of(find.collection.name, failure).into()),
        }
    }

    async fn stats(&self, collection: &Collection) -> Result<CollectionStats> {
        let database = &self.writer.database;
        let reply = database.run_command(doc! { "collStats": collection.name });
        let number = |reply: &Document, name: &str| match reply.get(name) {
            Some(Bson::Int32(number)) => u64::try_from(*number).unwrap_or(0),
            Some(Bson::Int64(number)) => u64::try_from(*number).unwrap_or(0),
            Some(Bson::Double(number)) => *number as u64,
            _ => 0,
        };
        match tokio::time::timeout(DEADLINE, reply.into_future()).await.map_err(|_| fault::timeout())? {
            Ok(reply) => {
                let (documents, bytes) = (number(&reply, "count"), number(&reply, "size"));
                Ok(CollectionStats { collection: collection.name, documents, bytes })
            }
            // Some users may not ask for statistics; how many documents there are they may.
            Err(_) => {
                let handle = database.collection::<Document>(collection.name);
                let documents = within(DEADLINE, collection.name, handle.estimated_document_count()).await?;
                Ok(CollectionStats { collection: collection.name, documents, bytes: 0 })
            }
        }
    }
}

async fn client(uri: &Secret<String>) -> Result<(Client, Sight)> {
    // SRV and TXT records are asked for here, so this has a deadline too.
    let parsing = tokio::time::timeout(DEADLINE, ClientOptions::parse(uri.reveal()).into_future()).await;
    let mut options = parsing.map_err(|_| fault::timeout())?.map_err(|failure| fault::of_uri(&failure))?;
    options.app_name.get_or_insert_with(|| "engify".to_owned());
    options.server_selection_timeout.get_or_insert(SELECTION);
    options.connect_timeout.get_or_insert(CONNECT);
    options.max_pool_size.get_or_insert(POOL);
    options.write_concern.get_or_insert_with(|| {
        let mut concern = WriteConcern::majority();
        concern.journal = Some(true);
        concern
    });
    let (sight, handler) = Sight::new();
    options.sdam_event_handler = Some(handler);
    let client = Client::with_options(options).map_err(|failure| fault::of_uri(&failure))?;
    Ok((client, sight))
}

/// Runs an operation of the driver with a deadline and reads its failure.
async fn within<T>(
    deadline: Duration,
    collection: &str,
    work: impl IntoFuture<Output = Result<T, Fault>>,
) -> Result<T> {
    match tokio::time::timeout(deadline, work.into_future()).await {
        Ok(result) => result.map_err(|failure| fault::of(collection, failure)),
        Err(_) => Err(fault::timeout()),
    }
}

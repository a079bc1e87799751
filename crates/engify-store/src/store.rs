//! The store itself: typed reads and writes over one of two databases, the feed of commits, and search.
//!
//! Refuses to know what a document means. A private enum picks the database; nothing of a driver shows. The MongoDB
//! driver's futures are some 20 kB each, so they are boxed: callers' futures stay small on either database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engify_core::tenancy::Scope;
use engify_core::{Clock, Error, Result};
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use tracing::warn;

use crate::adapter::{CollectionStats, Find, IndexReport, QueryPlan};
use crate::batch::Batch;
use crate::bson::Encoded;
use crate::collection::Entity;
use crate::feed::{Feed, Follower};
use crate::held::Held;
use crate::journal::Change;
use crate::mongo::Mongo;
use crate::queries::Sample;
use crate::query::{LIMIT, Page, Query, invalid_cursor};
use crate::search::{Catalogue, Facets, Hits, Search};
use crate::sqlite::Sqlite;
use crate::{Doc, collections};
use outlook::Outlook;

mod notes;
mod options;
mod others;
mod outlook;
mod restoring;
mod whole;

pub use options::{Options, Target};
pub use restoring::Replaced;

/// An open database. Cheap to clone; the last clone's end, or [`Store::close`], ends its threads and connections.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    backend: Backend,
    catalogue: Catalogue,
    feed: Feed,
    clock: Clock,
    outlook: Arc<Outlook>,
    slow_query: Duration,
    closed: AtomicBool,
}

#[derive(Debug)]
enum Backend {
    /// Delivers commits to the feed from its writer thread.
    Sqlite(Sqlite),
    /// Its commits are delivered by the follower, which reads the journal.
    Mongo(Mongo, Follower),
}

impl Store {
    /// Opens a database; makes it, with its indexes, where there is none yet.
    ///
    /// # Errors
    /// `database_unavailable` with the remedy where it cannot be opened or reached; `database_newer` where a newer
    /// program wrote it; `restore_unfinished`, `migration_unfinished` where what is in it is neither the old nor the new.
    pub async fn open(target: Target, options: Options) -> Result<Self> {
        let (clock, slow_query, half) =
            (options.clock.clone(), options.slow_query, options.unfinished_migration);
        let feed = Feed::new();
        let (backend, catalogue) = match target {
            Target::Embedded { dir } => {
                let sqlite = Sqlite::open(dir, &options, feed.clone()).await?;
                let catalogue = sqlite.catalogue();
                (Backend::Sqlite(sqlite), catalogue)
            }
            Target::Mongo { uri } => {
                let mongo = Box::pin(Mongo::open(&uri, &options)).await?;
                let follower = Follower::from(Box::pin(mongo.journal_position()).await?);
                (Backend::Mongo(mongo, follower), Catalogue::in_memory(&options)?)
            }
        };
        let outlook = Arc::new(Outlook::new());
        let store = Self {
            inner: Arc::new(Inner {
                backend,
                catalogue,
                feed,
                clock,
                outlook,
                slow_query,
                closed: AtomicBool::new(false),
            }),
        };
        if !half {
            store.refuse_half().await?;
        }
        store.follow_others();
        Ok(store)
    }

    /// The document with this id, if it is in scope.
    ///
    /// # Errors
    /// `database_unavailable`, `database_timeout`.
    pub async fn get<E: Entity>(&self, scope: &Scope, id: &str) -> Result<Option<E>> {
        let doc = self
            .timed(E::COLLECTION.name, async {
                match &self.inner.backend {
                    Backend::Sqlite(sqlite) => sqlite.get(&E::COLLECTION, scope, id).await,
                    Backend::Mongo(mongo, _) => Box::pin(mongo.get(&E::COLLECTION, scope, id)).await,
                }
            })
            .await?;
        doc.map(typed).transpose()
    }

    /// The documents with these ids that are in scope, in the order of `ids`; at most [`LIMIT`] ids.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn get_many<E: Entity>(&self, scope: &Scope, ids: &[impl AsRef<str>]) -> Result<Vec<E>> {
        let wanted = ids.iter().take(LIMIT as usize).map(AsRef::as_ref);
        let query = Query::<E>::new("get_many", scope.clone()).one_of("_id", wanted.clone()).limit(LIMIT);
        let mut found: std::collections::HashMap<String, Doc> = self
            .docs(&query.erased())
            .await?
            .into_iter()
            .filter_map(|doc| doc.get("_id").and_then(Value::as_str).map(str::to_owned).map(|id| (id, doc)))
            .collect();
        wanted.filter_map(|id| found.remove(id)).map(typed).collect()
    }

    /// One page of a query, as typed documents. Not for queries that return some fields only.
    ///
    /// # Errors
    /// `invalid_cursor` for a cursor of another query; else as [`Store::get`].
    pub async fn find<E: Entity>(&self, query: &Query<E>) -> Result<Page<E>> {
        let Page { items, next } = self.find_docs(query).await?;
        Ok(Page { items: items.into_iter().map(typed).collect::<Result<_>>()?, next })
    }

    /// One page of a query, as plain documents.
    ///
    /// # Errors
    /// As [`Store::find`].
    pub async fn find_docs<E: Entity>(&self, query: &Query<E>) -> Result<Page<Doc>> {
        let mut find = query.erased();
        if find.after.as_ref().is_some_and(|cursor| cursor.query != find.name) {
            return Err(invalid_cursor());
        }
        // One more than asked for tells whether there is a next page.
        let limit = find.limit as usize;
        find.limit += 1;
        let mut items = self.docs(&find).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| find.cursor_at(last));
        Ok(Page { items, next })
    }

    /// The first document of a query.
    ///
    /// # Errors
    /// As [`Store::find`].
    pub async fn first<E: Entity>(&self, query: &Query<E>) -> Result<Option<E>> {
        let find = Find { limit: 1, ..query.erased() };
        self.docs(&find).await?.into_iter().next().map(typed).transpose()
    }

    /// How many documents match; the query's limit and cursor play no part.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn count<E: Entity>(&self, query: &Query<E>) -> Result<u64> {
        let find = query.erased();
        self.timed(find.name, async {
            match &self.inner.backend {
                Backend::Sqlite(sqlite) => sqlite.count(&find).await,
                Backend::Mongo(mongo, _) => Box::pin(mongo.count(&find)).await,
            }
        })
        .await
    }

    /// Writes a batch: all of it or nothing. When this returns, the batch is on disk (MongoDB: as far as the server's
    /// write concern promises) and its commit is in the feed. Returns the journal position of the last change, 0 where
    /// nothing was journaled.
    ///
    /// # Errors
    /// `duplicate` with `details[0].field` = `<collection>.<index>`; `stale` where a patch matched nothing;
    /// `database_unavailable`.
    pub async fn write(&self, batch: Batch) -> Result<u64> {
        if batch.is_empty() {
            return Ok(0);
        }
        self.timed("write", async {
            match &self.inner.backend {
                Backend::Sqlite(sqlite) => sqlite.write(batch).await,
                Backend::Mongo(mongo, follower) => {
                    let changes = Box::pin(mongo.write(batch)).await?;
                    let position = changes.last().map_or(0, |change| change.position);
                    Box::pin(follower.own(mongo, &self.inner.catalogue, &self.inner.feed, changes)).await?;
                    Ok(position)
                }
            }
        })
        .await
    }

    /// Every commit from now on: own ones at once, those of other processes on the same database within 250 ms, each
    /// once and in order. A receiver that gets `Lagged` must drop what it derived from earlier ones. Commits stay in memory
    /// until every receiver has seen them: whoever rests holds none, or waits for [`Store::written`].
    pub fn changes(&self) -> broadcast::Receiver<Arc<Vec<Change>>> {
        self.inner.feed.subscribe()
    }

    /// The journal position of the last commit in the feed; changes with every commit.
    pub fn written(&self) -> watch::Receiver<u64> {
        self.inner.feed.end()
    }

    /// Looks for other processes' commits now rather than at the next turn.
    pub fn look(&self) {
        self.inner.outlook.look();
    }

    /// How long ago it was that every commit was known to be in the feed: under 250 ms while all is well.
    pub fn lag(&self) -> Duration {
        self.inner.outlook.lag()
    }

    /// One page of the library that matches.
    ///
    /// # Errors
    /// `invalid_cursor` for a cursor of another question; else as [`Store::get`]. No text is an error.
    pub async fn search(&self, search: &Search) -> Result<Hits> {
        self.warm_search().await?;
        self.timed("search", self.inner.catalogue.search(search)).await
    }

    /// How many prompts of each kind match.
    ///
    /// # Errors
    /// As [`Store::get`]. No text is an error.
    pub async fn facets(&self, search: &Search) -> Result<Facets> {
        self.warm_search().await?;
        self.timed("facets", self.inner.catalogue.facets(search)).await
    }

    /// Fills the search catalogue where it lives in memory (beside MongoDB); returns at once where that is done. The
    /// first search does it otherwise, and takes that much longer.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn warm_search(&self) -> Result<()> {
        match &self.inner.backend {
            Backend::Sqlite(_) => Ok(()),
            Backend::Mongo(mongo, follower) => {
                self.timed("catalogue", Box::pin(follower.fill_once(mongo, &self.inner.catalogue))).await
            }
        }
    }

    /// Builds the search catalogue anew from the documents.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn reindex_search(&self) -> Result<()> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.reindex().await,
            Backend::Mongo(mongo, follower) => Box::pin(follower.fill(mongo, &self.inner.catalogue)).await,
        }
    }

    /// Makes the indexes of every collection where they are missing. A refusal is in the report.
    ///
    /// # Errors
    /// `database_unavailable`.
    pub async fn ensure_indexes(&self) -> Result<Vec<IndexReport>> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.ensure_indexes(collections::ALL).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.ensure_indexes(collections::ALL)).await,
        }
    }

    /// How the database would answer a query.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn explain<E: Entity>(&self, query: &Query<E>) -> Result<QueryPlan> {
        self.explain_find(&query.erased()).await
    }

    /// How the database would answer one of [`crate::queries::samples`].
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn explain_sample(&self, sample: &Sample) -> Result<QueryPlan> {
        self.explain_find(&sample.find).await
    }

    /// How much every collection holds.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn stats(&self) -> Result<Vec<CollectionStats>> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.stats(collections::ALL).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.stats(collections::ALL)).await,
        }
    }

    /// How long one round trip to the database takes.
    ///
    /// # Errors
    /// `database_unavailable`.
    pub async fn ping(&self) -> Result<Duration> {
        let begun = Instant::now();
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.ping().await?,
            Backend::Mongo(mongo, _) => Box::pin(mongo.ping()).await?,
        }
        Ok(begun.elapsed())
    }

    /// `sqlite` or `mongodb`.
    pub fn kind(&self) -> &'static str {
        match &self.inner.backend {
            Backend::Sqlite(_) => "sqlite",
            Backend::Mongo(..) => "mongodb",
        }
    }

    /// The journal behind a position: at most `limit` (up to [`LIMIT`]) changes in order, and fewer where they are long: up
    /// to 8 MiB and one document more. None: there is nothing more that is settled.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn journal_after(&self, position: u64, limit: u32) -> Result<Vec<Change>> {
        self.journal_as(position, limit).await
    }

    /// As [`Store::journal_after`], with documents as BSON: for whoever passes them on unread.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn journal_encoded_after(&self, position: u64, limit: u32) -> Result<Vec<Change<Encoded>>> {
        self.journal_as(position, limit).await
    }

    async fn journal_as<D: Held>(&self, position: u64, limit: u32) -> Result<Vec<Change<D>>> {
        let limit = limit.clamp(1, LIMIT);
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.journal_after(position, limit).await,
            Backend::Mongo(mongo, _) => Ok(Box::pin(mongo.journal_after(position, limit)).await?.0),
        }
    }

    /// The last position of the journal; 0 while it is empty.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn journal_position(&self) -> Result<u64> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.journal_position().await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.journal_position()).await,
        }
    }

    /// Answers what was accepted, then closes the database. Every later call fails with `database_unavailable`.
    pub async fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.close()).await,
        }
    }

    async fn docs(&self, find: &Find) -> Result<Vec<Doc>> {
        self.timed(find.name, async {
            match &self.inner.backend {
                Backend::Sqlite(sqlite) => sqlite.find(find).await,
                Backend::Mongo(mongo, _) => Box::pin(mongo.find(find)).await,
            }
        })
        .await
    }

    async fn explain_find(&self, find: &Find) -> Result<QueryPlan> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.explain(find).await,
            Backend::Mongo(mongo, _) => Box::pin(mongo.explain(find)).await,
        }
    }

    /// Runs one operation and says so when it was slow. A MongoDB that is known to be away is not asked, and not waited
    /// for: a write that was under way then goes on to its end, which nobody is told.
    async fn timed<T>(&self, name: &'static str, operation: impl Future<Output = Result<T>>) -> Result<T> {
        let begun = Instant::now();
        let result = match &self.inner.backend {
            Backend::Sqlite(_) => operation.await,
            Backend::Mongo(..) => {
                self.inner.outlook.reachable()?;
                tokio::select! {
                    biased;
                    result = operation => result,
                    away = self.inner.outlook.gone() => Err(away),
                }
            }
        };
        let elapsed = begun.elapsed();
        if elapsed > self.inner.slow_query {
            warn!(db.query = name, db.kind = self.kind(), db.elapsed_ms = elapsed.as_millis(), "slow query");
        }
        result
    }
}

fn typed<E: Entity>(doc: Doc) -> Result<E> {
    let id = doc.get("_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    serde_json::from_value(Value::Object(doc)).map_err(|fault| {
        Error::internal(format!("document {id} of {} is not one of ours: {fault}", E::COLLECTION.name))
    })
}

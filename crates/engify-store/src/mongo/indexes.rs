//! The indexes: what each collection should have, what it has, and making the difference.
//!
//! **Names and keys** are the guide's. An index that ends in a descending field serves a list; a list's order is
//! completed by `_id`, so such an index gets a companion with `_id` behind (`createdAt_-1__id_-1`), which lets a page
//! be read without sorting. The guide's own index stays beside it, so that `createIndex` by the guide finds it there.
//!
//! **Unique** indexes are partial: they hold documents whose ascending fields are texts (`{$gte: ""}`), so that
//! documents without a value do not collide, as on the embedded database. `$exists` would let null in, and the planner
//! makes no use of `$type`. A descending field of a unique index is not part of that condition: it must have a value
//! in every document (it is a version number). A unique index of the same name without that condition, as the guide
//! makes it, counts as the same.
//!
//! **A refusal** (no text indexes on this server, duplicates in the data, the name taken by other keys) is a report
//! and a warning, and never a failure: everything works without, only slower.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use engify_core::Result;
use futures_util::TryStreamExt;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Database, IndexModel};
use tracing::warn;

use super::fault;
use crate::adapter::{IndexReport, IndexState};
use crate::collection::{Collection, Direction, Index, IndexKind};

/// How long one index may take to build; a large collection takes minutes.
const BUILD: Duration = Duration::from_secs(1_800);

/// An index as the server should have it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spec {
    /// Its name, which is also the hint.
    pub(super) name: String,
    /// Fields in order, 1 or -1 for each.
    pub(super) keys: Vec<(&'static str, i32)>,
    kind: IndexKind,
}

impl Spec {
    /// All of a collection, companions behind their index.
    pub(super) fn all(collection: &Collection) -> Vec<Self> {
        collection.indexes.iter().flat_map(Self::of).collect()
    }

    fn of(index: &Index) -> Vec<Self> {
        let way = |direction: Direction| if direction == Direction::Ascending { 1 } else { -1 };
        let keys: Vec<_> = index.fields.iter().map(|(field, direction)| (*field, way(*direction))).collect();
        let own = Self { name: index.name(), keys, kind: index.kind };
        let list = own.keys.last().is_some_and(|(_, way)| *way == -1) && own.kind != IndexKind::Text;
        let companion = list.then(|| {
            let keys = own.keys.iter().copied().chain([("_id", -1)]).collect();
            Self { name: format!("{}__id_-1", own.name), keys, kind: IndexKind::Plain }
        });
        // The companion first: it also gives the order.
        companion.into_iter().chain([own]).collect()
    }

    /// Whether a query with these equalities may use it: a text index never, a partial one where they imply its filter.
    pub(super) fn is_usable(&self, equal: &[&str]) -> bool {
        match self.kind {
            IndexKind::Plain => true,
            IndexKind::Text => false,
            IndexKind::Unique => self.texts().all(|field| equal.contains(&field)),
        }
    }

    /// Whether it is unique and every one of its fields is `pinned`.
    pub(super) fn is_unique_over(&self, pinned: impl Fn(&str) -> bool) -> bool {
        self.kind == IndexKind::Unique && self.keys.iter().all(|(field, _)| pinned(field))
    }

    fn texts(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.keys.iter().filter(|(_, way)| *way == 1).map(|(field, _)| *field)
    }

    fn model(&self) -> IndexModel {
        let keys: Document = match self.kind {
            IndexKind::Text => {
                self.keys.iter().map(|(field, _)| ((*field).to_owned(), Bson::from("text"))).collect()
            }
            _ => self.document(),
        };
        let mut options = IndexOptions::default();
        options.name = Some(self.name.clone());
        if self.kind == IndexKind::Unique {
            options.unique = Some(true);
            let condition = self.texts().map(|field| (field.to_owned(), Bson::from(doc! { "$gte": "" })));
            options.partial_filter_expression = Some(condition.collect());
        }
        IndexModel::builder().keys(keys).options(options).build()
    }

    /// As MongoDB lists it, in Extended JSON. The order of the keys counts, which JSON maps of ours do not keep.
    fn json(&self) -> String {
        let keys: Vec<String> = match self.kind {
            IndexKind::Text => self.keys.iter().map(|(field, _)| format!(r#""{field}":"text""#)).collect(),
            _ => self.keys.iter().map(|(field, way)| format!(r#""{field}":{way}"#)).collect(),
        };
        let mut more = String::new();
        if self.kind == IndexKind::Unique {
            let texts: Vec<String> =
                self.texts().map(|field| format!(r#""{field}":{{"$gte":""}}"#)).collect();
            more = format!(r#","unique":true,"partialFilterExpression":{{{}}}"#, texts.join(","));
        }
        format!(r#"{{"v":2,"key":{{{}}},"name":"{}"{more}}}"#, keys.join(","), self.name)
    }

    fn document(&self) -> Document {
        self.keys.iter().map(|(field, way)| ((*field).to_owned(), Bson::from(*way))).collect()
    }

    /// Whether an index that is there under this name keeps the same promise.
    fn is_kept_by(&self, there: &IndexModel) -> bool {
        if self.kind == IndexKind::Text {
            // The server lists a text index by its inner keys; its fields are the weights.
            let weights = there.options.as_ref().and_then(|options| options.weights.as_ref());
            return weights
                .is_none_or(|weights| self.keys.iter().all(|(field, _)| weights.contains_key(*field)));
        }
        let unique = there.options.as_ref().and_then(|options| options.unique).unwrap_or(false);
        unique == (self.kind == IndexKind::Unique) && same_keys(&there.keys, &self.document())
    }
}

/// Servers answer with 1, 1.0 or a 64-bit 1.
fn same_keys(left: &Document, right: &Document) -> bool {
    let plain = |keys: &Document| -> Vec<(String, Option<f64>)> {
        let number = |value: &Bson| match value {
            Bson::Int32(way) => Some(f64::from(*way)),
            Bson::Int64(way) => Some(if *way < 0 { -1.0 } else { 1.0 }),
            Bson::Double(way) => Some(*way),
            _ => None,
        };
        keys.iter().map(|(field, way)| (field.clone(), number(way))).collect()
    };
    plain(left) == plain(right)
}

/// The indexes that are known to exist, by collection and name: the only ones that a query names.
#[derive(Debug, Default)]
pub(super) struct Known(RwLock<HashSet<(&'static str, String)>>);

impl Known {
    /// Whether the collection has an index of this name that keeps our promise.
    pub(super) fn has(&self, collection: &'static str, name: &str) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.contains(&(collection, name.to_owned()))
    }

    /// Forgets what is known of a collection: one of its indexes is gone.
    pub(super) fn forget(&self, collection: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|(name, _)| *name != collection);
    }

    fn add(&self, collection: &'static str, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert((collection, name.to_owned()));
    }

    #[cfg(test)]
    pub(super) fn all_of(collections: &[Collection]) -> Self {
        let known = Self::default();
        for collection in collections {
            Spec::all(collection).iter().for_each(|spec| known.add(collection.name, &spec.name));
        }
        known
    }
}

/// The indexes that a collection should have, as MongoDB would list them.
pub(crate) fn listing(collection: &Collection) -> Vec<String> {
    let own = r#"{"v":2,"key":{"_id":1},"name":"_id_"}"#.to_owned();
    [own].into_iter().chain(Spec::all(collection).iter().map(Spec::json)).collect()
}

/// Learns which of our indexes are there, and makes none.
///
/// # Errors
/// `database_unavailable`, `database_timeout`.
pub(super) async fn learn(database: &Database, collections: &[Collection], known: &Known) -> Result<()> {
    for collection in collections {
        let there = listed(database, collection.name).await?;
        for spec in Spec::all(collection) {
            if named(&there, &spec.name).is_some_and(|there| spec.is_kept_by(there)) {
                known.add(collection.name, &spec.name);
            }
        }
    }
    Ok(())
}

/// Makes what is missing and reports every index; its companion is reported with it.
///
/// # Errors
/// `database_unavailable`, `database_timeout`.
pub(super) async fn ensure(
    database: &Database,
    collections: &[Collection],
    known: &Known,
) -> Result<Vec<IndexReport>> {
    let mut reports = Vec::new();
    for collection in collections {
        let there = listed(database, collection.name).await?;
        for index in collection.indexes {
            let mut state = IndexState::Existed;
            for spec in Spec::of(index) {
                let one = one(database, collection.name, &spec, &there).await?;
                if !matches!(one, IndexState::Refused(_)) {
                    known.add(collection.name, &spec.name);
                }
                state = graver(state, one);
            }
            let name = index.name();
            if let IndexState::Refused(reason) = &state {
                warn!(db.collection = collection.name, db.index = %name, reason = %reason, "MongoDB refused an index");
            }
            reports.push(IndexReport { collection: collection.name, index: name, state });
        }
    }
    Ok(reports)
}

/// What an index and its companion come to together.
fn graver(left: IndexState, right: IndexState) -> IndexState {
    match (left, right) {
        (refused @ IndexState::Refused(_), _) | (_, refused @ IndexState::Refused(_)) => refused,
        (IndexState::Made, _) | (_, IndexState::Made) => IndexState::Made,
        (IndexState::Existed, IndexState::Existed) => IndexState::Existed,
    }
}

async fn one(
    database: &Database,
    collection: &'static str,
    spec: &Spec,
    there: &[IndexModel],
) -> Result<IndexState> {
    match named(there, &spec.name) {
        Some(there) if spec.is_kept_by(there) => Ok(IndexState::Existed),
        Some(_) => Ok(refused_name(collection, spec)),
        None => make(database, collection, spec).await,
    }
}

fn refused_name(collection: &str, spec: &Spec) -> IndexState {
    let name = &spec.name;
    let wanted = spec.model().keys;
    IndexState::Refused(format!(
        "{collection} has another index of the name {name}; this one would be {wanted}. Drop it with \
         db.{collection}.dropIndex(\"{name}\") and run engify db create-indexes again."
    ))
}

async fn make(database: &Database, collection: &'static str, spec: &Spec) -> Result<IndexState> {
    let handle = database.collection::<Document>(collection);
    let made = tokio::time::timeout(BUILD, handle.create_index(spec.model()).into_future());
    let Err(failure) = made.await.map_err(|_| fault::timeout())? else { return Ok(IndexState::Made) };
    match fault::code(&failure) {
        // Duplicates in the data.
        Some((11_000, _)) => Ok(IndexState::Refused(format!(
            "{collection} holds documents with the same {}; find and merge them, then run engify db create-indexes again.",
            spec.keys.iter().map(|(field, _)| *field).collect::<Vec<_>>().join(" and ")
        ))),
        // Cannot create index, not supported, conflicts with another index, bad value, bad specification.
        Some((67 | 115 | 85 | 86 | 2 | 9 | 72 | 197 | 238, message)) => Ok(IndexState::Refused(message)),
        _ => Err(fault::of(collection, failure)),
    }
}

async fn listed(database: &Database, collection: &str) -> Result<Vec<IndexModel>> {
    let handle = database.collection::<Document>(collection);
    let listing = async { handle.list_indexes().await?.try_collect().await };
    match tokio::time::timeout(super::DEADLINE, listing).await.map_err(|_| fault::timeout())? {
        Ok(indexes) => Ok(indexes),
        // The collection does not exist yet.
        Err(failure) if matches!(fault::code(&failure), Some((26, _))) => Ok(Vec::new()),
        Err(failure) => Err(fault::of(collection, failure)),
    }
}

fn named<'a>(there: &'a [IndexModel], name: &str) -> Option<&'a IndexModel> {
    there
        .iter()
        .find(|model| model.options.as_ref().and_then(|options| options.name.as_deref()) == Some(name))
}

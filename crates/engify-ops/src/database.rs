//! Reports on the database: its indexes, and how much it holds.

use engify_core::Result;
use engify_store::{IndexState, Store};
use serde::Serialize;

/// What became of the indexes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Indexes {
    /// `sqlite` or `mongodb`.
    pub database: &'static str,
    /// How many were there already.
    pub existed: usize,
    /// How many were made now.
    pub made: usize,
    /// How many the database refused.
    pub refused: usize,
    /// How many of these are text indexes, which nothing here depends on.
    pub refused_text: usize,
    /// Each of them.
    pub indexes: Vec<OneIndex>,
}

/// What became of one index.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OneIndex {
    /// The collection.
    pub collection: &'static str,
    /// The index.
    pub index: String,
    /// `existed`, `made` or `refused`.
    pub state: &'static str,
    /// Why it was refused, in the database's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Makes the indexes that are missing.
///
/// # Errors
/// `database_unavailable`. What the database refuses is in the report.
pub async fn create_indexes(store: &Store) -> Result<Indexes> {
    let indexes: Vec<OneIndex> = store
        .ensure_indexes()
        .await?
        .into_iter()
        .map(|report| {
            let (state, reason) = match report.state {
                IndexState::Existed => ("existed", None),
                IndexState::Made => ("made", None),
                IndexState::Refused(reason) => ("refused", Some(reason)),
            };
            OneIndex { collection: report.collection, index: report.index, state, reason }
        })
        .collect();
    let count = |state: &str| indexes.iter().filter(|one| one.state == state).count();
    Ok(Indexes {
        database: store.kind(),
        existed: count("existed"),
        made: count("made"),
        refused: count("refused"),
        refused_text: indexes
            .iter()
            .filter(|one| one.state == "refused" && one.index.ends_with("_text"))
            .count(),
        indexes,
    })
}

/// How much the database holds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// `sqlite` or `mongodb`.
    pub database: &'static str,
    /// In all collections together.
    pub documents: u64,
    /// Of the documents as stored, without indexes.
    pub bytes: u64,
    /// The last position of the change journal.
    pub journal_position: u64,
    /// Milliseconds of one round trip.
    pub ping_ms: f64,
    /// Each collection.
    pub collections: Vec<Holding>,
}

/// How much one collection holds.
#[derive(Debug, Clone, Serialize)]
pub struct Holding {
    /// Its name.
    pub collection: &'static str,
    /// How many documents.
    pub documents: u64,
    /// How many bytes, without indexes.
    pub bytes: u64,
}

/// Counts what there is.
///
/// # Errors
/// `database_unavailable`, `database_timeout`.
pub async fn stats(store: &Store) -> Result<Stats> {
    let ping = store.ping().await?;
    let collections: Vec<Holding> = store
        .stats()
        .await?
        .into_iter()
        .map(|one| Holding { collection: one.collection, documents: one.documents, bytes: one.bytes })
        .collect();
    Ok(Stats {
        database: store.kind(),
        documents: collections.iter().map(|one| one.documents).sum(),
        bytes: collections.iter().map(|one| one.bytes).sum(),
        journal_position: store.journal_position().await?,
        ping_ms: (ping.as_secs_f64() * 1_000_000.0).round() / 1000.0,
        collections,
    })
}

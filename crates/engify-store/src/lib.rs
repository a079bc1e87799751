//! Our data at rest: one document port, SQLite and MongoDB behind it, typed collections, indexes, journal, search.
//!
//! This crate holds no business rule and shows no driver's type. What a document may contain is core's to say, what may
//! be done to it is app's.

mod adapter;
pub mod batch;
pub mod bson;
pub mod collection;
pub mod collections;
pub mod comparison;
mod feed;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod held;
pub mod journal;
mod mongo;
pub mod queries;
pub mod query;
pub mod search;
pub mod snapshot;
mod sqlite;
mod store;

pub use adapter::{CollectionStats, IndexReport, IndexState, QueryPlan};
pub use batch::{Batch, Patch};
pub use collection::{Collection, Entity};
pub use query::{Cursor, LIMIT, Page, Query};
pub use snapshot::Snapshot;
pub use store::{Options, Replaced, Store, Target};

/// A document: what is stored, whichever database stores it. Fields whose name ends in `At` hold RFC 3339 times with
/// milliseconds; the MongoDB adapter keeps them as BSON dates, and nothing else as one.
pub type Doc = serde_json::Map<String, serde_json::Value>;

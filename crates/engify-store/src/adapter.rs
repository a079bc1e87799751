//! The seam between the store and its databases: what every adapter is asked, in types without type parameters but one: how a document
//! of the journal is [held](crate::held).
//!
//! An adapter is a plain struct with these functions (the private enum of [`crate::store`] picks one; there is no trait):
//!
//! | function | promise |
//! |---|---|
//! | `get(&Collection, &Scope, id) -> Result<Option<Doc>>` | the document, if it is in scope |
//! | `find(&Find) -> Result<Vec<Doc>>` | at most `limit` documents in order, behind `after` |
//! | `count(&Find) -> Result<u64>` | how many match; `sort`, `after` and `limit` play no part |
//! | `write(Batch) -> Result<Vec<Change>>` | all or nothing, journaled in the same transaction; in the order of positions |
//! | `ensure_indexes(&[Collection]) -> Result<Vec<IndexReport>>` | idempotent; a refusal is a report, not an error |
//! | `explain(&Find) -> Result<QueryPlan>` | the database's own plan |
//! | `stats(&[Collection]) -> Result<Vec<CollectionStats>>` | one for each collection |
//! | `ping() -> Result<()>` | one round trip |
//! | `journal_after<D>(position, limit) -> Result<Vec<Change<D>>>` | what was committed behind `position`, in order, up to [`PAGE_BYTES`](crate::journal::PAGE_BYTES) and one document more; MongoDB's also says whether it is all |
//! | `journal_position() -> Result<u64>` | the last position; 0 for an empty journal |
//! | `snapshot() -> Result<(View, u64)>` | one moment and its position; MongoDB's also says whether it is exact |
//! | `load(&Collection, docs)`, `apply(changes)` | whole documents as they are, unjournaled |
//! | `continue_journal(position)` | later positions are behind this one |
//! | `close()` | nothing is accepted any more, what was accepted is answered |
//!
//! `open` makes the indexes itself where the database is empty. Changes of collections that are not journaled are not
//! in the answer of `write`.

use std::cmp::Ordering;

use engify_core::tenancy::Scope;
use engify_core::{Error, Kind};
use serde_json::Value;

use crate::Doc;
use crate::collection::{Collection, Direction, Entity};
use crate::query::{Condition, Cursor, Query};

/// A query without its document type: what adapters see.
#[derive(Debug, Clone)]
pub(crate) struct Find {
    /// For slow-query lines and plans.
    pub(crate) name: &'static str,
    pub(crate) collection: Collection,
    pub(crate) scope: Scope,
    /// All must hold.
    pub(crate) conditions: Vec<Condition>,
    /// By this field, then by `_id` in the same direction; `("_id", Ascending)` where the query names no order.
    pub(crate) sort: (&'static str, Direction),
    /// Strictly behind this place in the order.
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: u32,
    /// These top-level fields only; `_id` and the sort field always come along. A missing field may come as null.
    pub(crate) fields: Option<&'static [&'static str]>,
}

impl<E: Entity> Query<E> {
    /// The same question without the document type.
    pub(crate) fn erased(&self) -> Find {
        Find {
            name: self.name,
            collection: E::COLLECTION,
            scope: self.scope.clone(),
            conditions: self.conditions.clone(),
            sort: self.sort.unwrap_or(("_id", Direction::Ascending)),
            after: self.after.clone(),
            limit: self.limit,
            fields: self.fields,
        }
    }
}

impl Find {
    /// The order of two documents that were found: by texts or numbers, then by id.
    pub(crate) fn order(&self, a: &Doc, b: &Doc) -> Ordering {
        let by = |field: &str| match (a.get(field), b.get(field)) {
            (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
            (a, b) => {
                let number =
                    |value: Option<&Value>| value.and_then(Value::as_f64).unwrap_or(f64::NEG_INFINITY);
                number(a).total_cmp(&number(b))
            }
        };
        let order = by(self.sort.0).then_with(|| by("_id"));
        if self.sort.1 == Direction::Descending { order.reverse() } else { order }
    }

    /// Where the page that ends with `last` ended.
    pub(crate) fn cursor_at(&self, last: &Doc) -> Cursor {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        Cursor {
            query: self.name.to_owned(),
            value: last.get(self.sort.0).cloned().unwrap_or(Value::Null),
            id: text(last.get("_id")),
        }
    }
}

/// Whether a document is in scope, for adapters that hold it already.
pub(crate) fn covers(scope: &Scope, doc: &Doc) -> bool {
    let is = |field: &str, wanted: &str| doc.get(field).and_then(Value::as_str) == Some(wanted);
    match scope {
        Scope::Audiences(audiences) => audiences.iter().any(|audience| is("audience", &audience.to_string())),
        Scope::Owner(user) => is("userId", user.as_str()),
        Scope::Organization(organization) => is("organizationId", organization.as_str()),
        Scope::Everything(_) => true,
    }
}

/// What became of one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexReport {
    /// The collection's name.
    pub collection: &'static str,
    /// The index's name, as in [`crate::collection::Index::name`].
    pub index: String,
    /// What became of it.
    pub state: IndexState,
}

/// Whether an index is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexState {
    /// It was there already.
    Existed,
    /// It was made now.
    Made,
    /// The database refused it, in its own words.
    Refused(String),
}

/// How a database would answer a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryPlan {
    /// The name of the index it walks or searches; several are joined by `, `.
    pub index: Option<String>,
    /// Whether it reads documents that no index led it to.
    pub full_scan: bool,
    /// The plan in the database's own words.
    pub text: String,
}

/// How much a collection holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionStats {
    /// The collection's name.
    pub collection: &'static str,
    /// Documents.
    pub documents: u64,
    /// Bytes of the documents as stored, without indexes.
    pub bytes: u64,
}

/// A unique index is violated: `duplicate`, and `details[0].field` names the index as `<collection>.<index>`.
pub(crate) fn duplicate(index: &str) -> Error {
    Error::new(Kind::Conflict, "duplicate", "Something with the same unique value exists already.")
        .detail(index, "is taken by another document")
}

/// A patch found no document that meets its conditions: `stale`.
pub(crate) fn stale(collection: &str, id: &str) -> Error {
    Error::new(
        Kind::Conflict,
        "stale",
        "It was changed or removed in the meantime; read it again and repeat your change.",
    )
    .because(format!("no document {id} of {collection} meets the conditions of the patch"))
}

/// A document is longer than either database takes: `document_too_large`.
pub(crate) fn too_large() -> Error {
    Error::new(Kind::TooLarge, "document_too_large", "The document is larger than 16 MB; store less in one.")
}

/// The database cannot be used: `database_unavailable` with a sentence that names the remedy.
pub(crate) fn unavailable(remedy: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::unavailable("database_unavailable", remedy)
}

/// What every adapter answers after `Store::close`.
pub(crate) fn closed() -> Error {
    unavailable("The database is closed because the program is ending. Try again once it runs.")
}

//! The change journal: what changed, in which order, written in the same transaction as the change itself.
//!
//! It feeds cache invalidation, search and point-in-time recovery.

use engify_core::Time;

use crate::Doc;

/// One answer holds at most this many bytes of documents, and one document more, so that large ones do not add up.
pub(crate) const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// One change of one document, which is held as a [`Doc`], or [`Encoded`](crate::bson::Encoded) by whoever only passes it on.
#[derive(Debug, Clone)]
pub struct Change<D = Doc> {
    /// Grows with every change; the embedded database has no gaps, MongoDB's documents it as weaker (see the adapter).
    pub position: u64,
    /// When it was committed, by the writer's clock.
    pub at: Time,
    /// The collection's name.
    pub collection: String,
    /// The document's `_id`.
    pub id: String,
    /// The document after the change; none when it was removed.
    pub document: Option<D>,
}

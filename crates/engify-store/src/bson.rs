//! Documents as BSON bytes and back, with the conventions of the database on MongoDB: a time in a field whose name ends in
//! `At` is a date. For archives and for files that other programs read; no driver's type shows.

use engify_core::{Error, Kind, Result};
use mongodb::bson::{Document, RawDocument};

use crate::Doc;
use crate::collection::Collection;
use crate::mongo::{convert, indexes};

/// The shortest document there is: its length and its end.
pub const SHORTEST: usize = 5;

/// The longest that is read: MongoDB's 16 MiB and a margin. A longer one is damage.
pub const LONGEST: usize = 17 * 1024 * 1024;

/// A document as BSON.
///
/// # Errors
/// `invalid_request` for a NUL in a field name, and for nesting deeper than MongoDB takes.
pub fn encode(doc: &Doc) -> Result<Vec<u8>> {
    convert::document(doc)?.to_vec().map_err(Error::internal)
}

/// A document from BSON. Types that JSON has no word for become text, as when a database is read that others fill.
///
/// # Errors
/// `not_bson` where the bytes are not exactly one document.
pub fn decode(bytes: &[u8]) -> Result<Doc> {
    let document = RawDocument::from_bytes(bytes).and_then(Document::try_from);
    document.map(convert::doc).map_err(|fault| {
        Error::new(Kind::Invalid, "not_bson", "The data is damaged: a document is not BSON.")
            .because(fault.to_string())
    })
}

/// How long the document is that begins with these bytes; none where no document begins so.
pub fn length(beginning: [u8; 4]) -> Option<usize> {
    usize::try_from(i32::from_le_bytes(beginning)).ok().filter(|length| (SHORTEST..=LONGEST).contains(length))
}

/// The `metadata.json` that `mongodump` writes beside a collection: its indexes, as MongoDB would list them.
pub fn metadata(collection: &Collection) -> String {
    let indexes = indexes::listing(collection).join(",");
    let name = collection.name;
    format!(
        r#"{{"options":{{}},"indexes":[{indexes}],"uuid":"","collectionName":"{name}","type":"collection"}}"#
    )
}

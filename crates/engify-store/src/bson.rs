//! Documents as BSON bytes and back, with the conventions of the database on MongoDB: a time in a field whose name ends in
//! `At` is a date. For archives and for files that other programs read; no driver's type shows.

use engify_core::{Error, Kind, Result};
use mongodb::bson::raw::cstr;
use mongodb::bson::{Document, RawBsonRef, RawDocument, RawDocumentBuf};

use crate::Doc;
use crate::collection::Collection;
use crate::journal::Change;
use crate::mongo::{convert, encode, indexes};

/// A document as BSON, for whoever passes it on unread.
#[derive(Debug, Clone)]
pub struct Encoded(pub(crate) RawDocumentBuf);

impl TryFrom<&Doc> for Encoded {
    type Error = Error;

    /// As [`encode`].
    fn try_from(doc: &Doc) -> Result<Self> {
        encode::raw(doc).map(Self)
    }
}

/// The shortest document there is: its length and its end.
pub const SHORTEST: usize = 5;

/// The longest that is read: MongoDB's 16 MiB and a margin. A longer one is damage.
pub const LONGEST: usize = encode::LONGEST + 1024 * 1024;

/// Room for what an entry of the journal has around its document; more where its id is long.
const FRAME: usize = 160;

/// How deep a document may nest that is read. More than MongoDB takes is damage, or meant to do some: the library reads what
/// nests by recursion, and the machine's stack would end before a file of nothing but beginnings does.
const DEPTH: usize = 200;

/// A document as BSON.
///
/// # Errors
/// `invalid_request` for a NUL in a field name, and for nesting deeper than MongoDB takes; `document_too_large` beyond 16 MiB.
pub fn encode(doc: &Doc) -> Result<Vec<u8>> {
    Encoded::try_from(doc).map(|Encoded(raw)| raw.into_bytes())
}

/// Whether either database takes a document, and every backup of it.
///
/// # Errors
/// As [`encode`].
pub fn check(doc: &Doc) -> Result<()> {
    encode::raw(doc).map(drop)
}

/// A change as one document: `_id`, which is its position; `at`, in milliseconds; `collection`; `id`; and `document`, null where
/// it was removed.
pub fn change(change: &Change<Encoded>) -> Vec<u8> {
    let position = i64::try_from(change.position).unwrap_or(i64::MAX);
    let mut entry =
        encode::empty(change.document.as_ref().map_or(0, |Encoded(raw)| raw.as_bytes().len()) + FRAME);
    entry.append(cstr!("_id"), position);
    entry.append(cstr!("at"), change.at.millis());
    entry.append(cstr!("collection"), change.collection.as_str());
    entry.append(cstr!("id"), change.id.as_str());
    match &change.document {
        Some(Encoded(document)) => entry.append(cstr!("document"), document.as_ref()),
        None => entry.append(cstr!("document"), RawBsonRef::Null),
    }
    entry.into_bytes()
}

/// A document from BSON. Types that JSON has no word for become text, as when a database is read that others fill.
///
/// # Errors
/// `not_bson` where the bytes are not exactly one document, or one that nests without end.
pub fn decode(bytes: &[u8]) -> Result<Doc> {
    let fault = |why: String| {
        Error::new(Kind::Invalid, "not_bson", "The data is damaged: a document is not BSON.").because(why)
    };
    let raw = RawDocument::from_bytes(bytes).map_err(|error| fault(error.to_string()))?;
    if !is_bounded(RawBsonRef::Document(raw), DEPTH) {
        return Err(fault(format!("it is damaged, or nests deeper than {DEPTH} levels")));
    }
    Document::try_from(raw).map(convert::doc).map_err(|error| fault(error.to_string()))
}

/// Whether a value can be read, and nests no deeper than `left` levels.
fn is_bounded(value: RawBsonRef<'_>, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return false };
    match value {
        RawBsonRef::Document(doc) => {
            doc.into_iter().all(|field| field.is_ok_and(|(_, value)| is_bounded(value, left)))
        }
        RawBsonRef::Array(items) => {
            items.into_iter().all(|item| item.is_ok_and(|item| is_bounded(item, left)))
        }
        RawBsonRef::JavaScriptCodeWithScope(code) => is_bounded(RawBsonRef::Document(code.scope), left),
        _ => true,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_without_end_is_damage_and_not_the_end_of_the_program() {
        for (levels, readable) in [(50, true), (100_000, false)] {
            // From the inside out: a document without a name inside another, and an empty one in the middle.
            let mut bytes = vec![5, 0, 0, 0, 0];
            let mut head = Vec::new();
            for level in 0..levels {
                let length = i32::try_from(5 + 7 * (level + 1)).unwrap();
                head.push(length);
            }
            let mut whole = Vec::with_capacity(7 * levels + 5);
            for length in head.iter().rev() {
                whole.extend_from_slice(&length.to_le_bytes());
                whole.extend_from_slice(&[3, 0]);
            }
            whole.append(&mut bytes);
            whole.extend(std::iter::repeat_n(0, levels));
            let read = decode(&whole);
            assert_eq!(read.is_ok(), readable, "{levels} levels: {:?}", read.err());
        }
    }
}

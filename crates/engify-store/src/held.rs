//! How a document that lies in the journal is held by whoever reads it.

use engify_core::{Error, Result};
use mongodb::bson::{Document, RawDocumentBuf};

use crate::Doc;
use crate::bson::Encoded;
use crate::mongo::{convert, encode};
use crate::sqlite::document;

/// What both databases make of a document of the journal.
pub(crate) trait Held: Sized + Send + 'static {
    /// From the JSON text that the embedded database gives.
    fn of_text(text: &str) -> Result<Self>;

    /// From the bytes that MongoDB gives.
    fn of_bson(raw: RawDocumentBuf) -> Result<Self>;

    /// How many bytes of a page it takes; it was `read` as so many.
    fn takes(&self, read: usize) -> usize {
        read
    }
}

impl Held for Doc {
    fn of_text(text: &str) -> Result<Self> {
        document(text)
    }

    fn of_bson(raw: RawDocumentBuf) -> Result<Self> {
        Document::try_from(raw).map(convert::doc).map_err(Error::internal)
    }
}

impl Held for Encoded {
    fn of_text(text: &str) -> Result<Self> {
        encode::raw_of_text(text).map(Self)
    }

    fn of_bson(raw: RawDocumentBuf) -> Result<Self> {
        Ok(Self(raw))
    }

    fn takes(&self, _read: usize) -> usize {
        self.0.as_bytes().len()
    }
}

//! What fuzzers and property tests feed with bytes: the parsers of this crate that read what strangers send. See the module
//! of the same name in `engify-core`.

use engify_core::fuzzing::Target;

pub use crate::query::fuzzing::cursor;
pub use crate::search::fuzzing::search_question;

use crate::bson;

/// Every target of this crate.
pub const TARGETS: &[Target] =
    &[("cursor", cursor), ("document", document), ("search_question", search_question)];

/// BSON of any origin: whatever is read can be written, and then reads back the same.
pub fn document(bytes: &[u8]) {
    if let Some(beginning) = bytes.first_chunk() {
        assert!(bson::length(*beginning).is_none_or(|length| length >= bson::SHORTEST));
    }
    let Ok(doc) = bson::decode(bytes) else { return };
    // Names and depths that we do not write are still read.
    let Ok(written) = bson::encode(&doc) else { return };
    assert_eq!(bson::decode(&written).ok(), Some(doc));
}

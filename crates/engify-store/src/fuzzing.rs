//! What fuzzers and property tests feed with bytes: the parsers of this crate that read what strangers send. See the module
//! of the same name in `engify-core`.

pub use crate::query::fuzzing::cursor;
pub use crate::search::fuzzing::search_question;

/// Every target of this crate.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[("cursor", cursor), ("search_question", search_question)];

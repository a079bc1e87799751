//! What fuzzers and property tests feed with bytes: the parsers of this crate that read what strangers send. See the module
//! of the same name in `engify-core`.

use engify_core::fuzzing::Target;

use crate::extract;
pub use crate::guard::fuzzing::request_headers;
use crate::markdown::{self, is_executable};
pub use crate::site::fuzzing::query;

/// Every target of this crate.
pub const TARGETS: &[Target] = &[
    ("json_body", json_body),
    ("markdown", markdown),
    ("query", query),
    ("request_headers", request_headers),
];

/// A body of JSON: what is wrong with it is told by a field that is in it, or known to us.
pub fn json_body(bytes: &[u8]) {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[expect(dead_code, reason = "what is read is of no interest, only whether it can be")]
    struct Body {
        title: String,
        tags: Option<Vec<String>>,
        max_tokens: Option<u32>,
        nested: Option<Box<Body>>,
    }
    if let Err(failure) = extract::parse::<Body>(bytes) {
        let error = failure.0;
        assert!(matches!(error.code(), "invalid_json" | "invalid_request"), "{error}");
        assert!(!error.message().contains(['<', '\n']) || !error.details().is_empty(), "{error}");
    }
}

/// Markdown of any origin leaves nothing that a browser would run.
pub fn markdown(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for html in [markdown::text(&text).0, markdown::answer(&text).0, markdown::prompt(&text).0] {
        assert!(!is_executable(&html), "{text:?} became {html}");
    }
}

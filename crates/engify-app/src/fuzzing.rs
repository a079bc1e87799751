//! What fuzzers and property tests feed with bytes: the parsers of this crate that read what strangers send. See the module
//! of the same name in `engify-core`.

use engify_core::cells;
use engify_core::error::Faults;
use engify_core::fuzzing::Target;

pub use crate::exchange::fuzzing::import;
pub use crate::jobs::fuzzing::schedule;

use crate::keys::terms;
use crate::token;

/// Every target of this crate.
pub const TARGETS: &[Target] = &[
    ("allow_list", allow_list),
    ("cells", cells),
    ("import", import),
    ("schedule", schedule),
    ("token", token),
];

/// The lines of an allow-list: bounded, without repetition, faults named by their line.
pub fn allow_list(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut faults = Faults::default();
    let ranges = terms::addresses(&mut faults, &lines);
    assert!(ranges.len() <= 50 && (1..ranges.len()).all(|at| !ranges[..at].contains(&ranges[at])), "{text}");
    let details = faults.into_details();
    assert!(details.iter().all(|detail| detail.field.starts_with("allowedAddresses")), "{details:?}");
}

/// A cell of CSV is no formula, does not leave its quotes, and reads back.
pub fn cells(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let written = cells::cell(&text);
    let inside = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    assert!(inside.is_some() || !written.contains(['"', ',', '\n', '\r', ';']), "{written:?}");
    let inside = inside.map_or_else(|| written.clone(), |inside| inside.replace("\"\"", "\""));
    assert!(!inside.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{written:?}");
    assert_eq!(cells::read(inside), text);
}

/// What has the form of a token is safe in an address and in a log's pattern, and is never what the store keeps.
pub fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if token::has_form(&text) {
        assert!(text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(token::hash(&text), text);
    }
}

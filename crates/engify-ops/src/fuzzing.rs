//! What fuzzers and property tests feed with bytes: the parsers of this crate that read what lies at backup targets, where others
//! may write, and what operators type. See the module of the same name in `engify-core`.

use engify_core::fuzzing::Target;

pub use crate::backup::fuzzing::manifest;

use crate::restore::Moment;
use crate::ship::segment::{self, Name};

/// Every target of this crate.
pub const TARGETS: &[Target] = &[("manifest", manifest), ("moment", moment), ("segment", segment)];

/// What somebody types as the moment to go back to.
pub fn moment(bytes: &[u8]) {
    if let Ok(Moment::Time(time)) = Moment::parse(&String::from_utf8_lossy(bytes)) {
        assert_eq!(Moment::parse(&time.to_string()), Ok(Moment::Time(time)));
    }
}

/// A line with an object's name, then its bytes. Names of segments read back as they are written; a segment is what its name
/// says, its changes in order.
pub fn segment(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (name, rest) = bytes.split_at(end);
    let Some(name) = Name::parse(&String::from_utf8_lossy(name)) else { return };
    assert!(name.after < name.to);
    let written = name.key(false);
    assert!(Name::parse(&written).is_some_and(|again| again.key(false) == written), "{written}");
    if let Ok(segment) = segment::read(&name, rest.get(1..).unwrap_or_default(), None) {
        let positions: Vec<u64> = segment.changes.iter().map(|change| change.position).collect();
        assert!(positions.is_sorted() && positions.iter().all(|at| (name.after..=name.to).contains(at)));
    }
}

//! Whether what is kept is still true, by positions in the journal instead of trust in messages.
//!
//! A kept value carries the position up to which its maker had seen the journal before the value was read. It is true for
//! every replica that knows of no change of the library behind that position. So a value in shared memory needs nobody to
//! delete it: a message that is lost, or a replica that does not hear, costs time and never truth.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A replica that has not heard the whole journal for so long trusts nothing that it keeps. The rest of the second that
/// is promised is for passing the news on.
const TRUST: Duration = Duration::from_millis(750);

/// What one replica knows of the library's changes.
pub(crate) struct Freshness {
    /// Whether the positions below are known at all.
    known: AtomicBool,
    /// Everything up to here was seen.
    seen: AtomicU64,
    /// The last change of the library.
    changed: AtomicU64,
    /// The last change that may have taken something out of strangers' sight.
    withdrawn: AtomicU64,
    lag: Box<dyn Fn() -> Duration + Send + Sync>,
}

impl Freshness {
    /// Knows nothing yet. `lag` says how long ago the whole journal was known.
    pub(crate) fn new(lag: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            known: AtomicBool::new(false),
            seen: zero(),
            changed: zero(),
            withdrawn: zero(),
            lag: Box::new(lag),
        }
    }

    /// Takes up following at a position, the library having changed last at `changed`; what was made before that is not
    /// trusted.
    pub(crate) fn begin(&self, position: u64, changed: u64) {
        self.withdrawn(changed);
        self.saw(position);
        self.known.store(true, Ordering::Release);
    }

    /// Changes were missed: nothing is trusted until [`Freshness::begin`].
    pub(crate) fn lost(&self) {
        self.known.store(false, Ordering::Release);
    }

    /// The library changed.
    pub(crate) fn changed(&self, position: u64) {
        self.changed.fetch_max(position, Ordering::AcqRel);
    }

    /// The library changed, and something may not be for strangers any more.
    pub(crate) fn withdrawn(&self, position: u64) {
        self.withdrawn.fetch_max(position, Ordering::AcqRel);
        self.changed(position);
    }

    /// Everything up to here is noted.
    pub(crate) fn saw(&self, position: u64) {
        self.seen.fetch_max(position, Ordering::AcqRel);
    }

    /// What a value that is read from now on carries; none while nothing is known.
    pub(super) fn stamp(&self) -> Option<u64> {
        self.is_known().then(|| self.seen.load(Ordering::Acquire))
    }

    /// Whether a value is true.
    pub(super) fn is_fresh(&self, stamp: u64) -> bool {
        self.is_known() && stamp >= self.changed.load(Ordering::Acquire) && (self.lag)() <= TRUST
    }

    /// Whether a value may be shown, as one that is perhaps not true any more, while nothing better can be had.
    pub(super) fn is_bearable(&self, stamp: u64) -> bool {
        self.is_known() && stamp >= self.withdrawn.load(Ordering::Acquire)
    }

    fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Freshness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Freshness").field("seen", &self.seen).field("changed", &self.changed).finish()
    }
}

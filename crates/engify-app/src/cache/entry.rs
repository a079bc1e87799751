//! One kept value, and its form in shared memory: stamp, making, end of freshness, eight bytes each, then the value.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Whoever makes a value anew has so long before the next one tries, milliseconds.
const RENEWAL: i64 = 5_000;
/// What stands before the value, bytes.
const HEAD: usize = 24;

/// A value with what must be known to use it. Times are milliseconds since the Unix epoch.
pub(super) struct Entry<V> {
    pub(super) value: V,
    /// Up to which position of the journal its maker had seen.
    pub(super) stamp: u64,
    made: i64,
    until: i64,
    /// Until when somebody is making it anew.
    renewing: AtomicI64,
}

impl<V> Entry<V> {
    /// A value that was just made. Its time is up to a tenth shorter than `ttl`, by its key, so that what was made
    /// together is not made anew together.
    pub(super) fn new(value: V, stamp: u64, key: &str, ttl: Duration, now: i64) -> Self {
        let mut hasher = DefaultHasher::new();
        (key, now).hash(&mut hasher);
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let less = ttl / 10 * i64::try_from(hasher.finish() % 100).unwrap_or(0) / 100;
        Self { value, stamp, made: now, until: now.saturating_add(ttl - less), renewing: AtomicI64::new(0) }
    }

    /// Whether its time is not up.
    pub(super) fn is_young(&self, now: i64) -> bool {
        now < self.until
    }

    /// Whether its time is not up, or somebody is at work on that; of those who ask then, one is told no and does the work.
    pub(super) fn is_young_or_renewed(&self, now: i64) -> bool {
        if self.is_young(now) {
            return true;
        }
        let until = self.renewing.load(Ordering::Acquire);
        now < until
            || self
                .renewing
                .compare_exchange(until, now + RENEWAL, Ordering::AcqRel, Ordering::Acquire)
                .is_err()
    }

    /// How long ago it was made.
    pub(super) fn age(&self, now: i64) -> Duration {
        Duration::from_millis(u64::try_from(now - self.made).unwrap_or(0))
    }

    /// With the value encoded, for shared memory.
    pub(super) fn packed(&self, value: &[u8]) -> Bytes {
        let mut packed = BytesMut::with_capacity(HEAD + value.len());
        packed.put_u64(self.stamp);
        packed.put_i64(self.made);
        packed.put_i64(self.until);
        packed.put_slice(value);
        packed.freeze()
    }

    /// What [`Entry::packed`] made, if it is whole and its value can be read.
    pub(super) fn unpacked(mut packed: Bytes, decode: impl FnOnce(Bytes) -> Option<V>) -> Option<Self> {
        if packed.len() < HEAD {
            return None;
        }
        let (stamp, made, until) = (packed.get_u64(), packed.get_i64(), packed.get_i64());
        Some(Self { value: decode(packed)?, stamp, made, until, renewing: AtomicI64::new(0) })
    }
}

//! The sliding window that limits rates: the count of this window, and of the last one the share that still lies inside.
//!
//! Windows begin at multiples of their length, so that all who count agree where they begin. At most `max` pass in one
//! window, exactly `max` when nothing was taken in the one before. The decision stands twice, here for
//! memory and in `scripts/window.lua` for servers; everything else about a window is computed here, from what either kept.

use std::time::Duration;

/// So much in this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// At most this much, up to 100 million.
    pub max: u64,
    /// In this time, from 1 ms to 31 days.
    pub window: Duration,
}

impl Quota {
    /// Milliseconds of a window.
    pub(super) fn length(self) -> i64 {
        i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX).clamp(1, 31 * 86_400_000)
    }

    /// What is allowed, small enough for a script's numbers.
    pub(super) fn most(self) -> u64 {
        self.max.min(100_000_000)
    }
}

/// How a caller stands after asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether the cost fitted, and was taken.
    pub allowed: bool,
    /// How much more fits now.
    pub remaining: u64,
    /// How long until this window ends.
    pub reset: Duration,
    /// How long until the same cost fits; zero where it was allowed. A cost above `max` never fits: then a whole window.
    pub wait: Duration,
}

/// A caller's window as it is kept; for those who keep windows of their own beside the shared ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What was taken in this window.
    pub(super) count: u64,
    /// What was taken in the one before.
    pub(super) last: u64,
    /// The last moment at which it was looked at, milliseconds since the Unix epoch.
    pub(super) at: i64,
}

impl Window {
    /// A window in which nothing was taken.
    pub fn empty(now: i64) -> Self {
        Self { count: 0, last: 0, at: now }
    }

    /// The same window as it stands at `now`. A clock that was set back does not turn it back.
    #[must_use]
    pub fn turned(self, now: i64, quota: Quota) -> Self {
        let (at, length) = (now.max(self.at), quota.length());
        match at.div_euclid(length) - self.at.div_euclid(length) {
            0 => Self { at, ..self },
            1 => Self { count: 0, last: self.count, at },
            _ => Self::empty(at),
        }
    }

    /// Takes `cost` if it fits, or in any case if it must be taken; says whether it fitted.
    pub fn take(&mut self, quota: Quota, cost: u64, anyway: bool) -> bool {
        let fits = self.used(quota.length()).saturating_add(cost) <= quota.most();
        if fits || anyway {
            self.count = self.count.saturating_add(cost);
        }
        fits
    }

    /// How the caller stands, after asking for `cost` with this outcome.
    pub fn standing(self, quota: Quota, cost: u64, allowed: bool) -> Standing {
        let length = quota.length();
        Standing {
            allowed,
            remaining: quota.most().saturating_sub(self.used(length)),
            reset: millis(self.left(length)),
            wait: if allowed { Duration::ZERO } else { millis(self.wait(length, quota.most(), cost)) },
        }
    }

    /// Whether nothing of it counts any more at `now`.
    pub fn is_over(self, now: i64, quota: Quota) -> bool {
        let Self { count, last, .. } = self.turned(now, quota);
        count == 0 && last == 0
    }

    /// What was taken in this window and the one before.
    pub fn taken(self) -> u64 {
        self.count.saturating_add(self.last)
    }

    /// Milliseconds until this window ends.
    fn left(self, length: i64) -> u64 {
        u64::try_from(length - self.at.rem_euclid(length)).unwrap_or(0)
    }

    /// What counts against the limit now.
    fn used(self, length: i64) -> u64 {
        self.count.saturating_add(share(self.last, self.left(length), length))
    }

    /// Milliseconds until `cost` fits, if nothing more is taken.
    fn wait(self, length: i64, most: u64, cost: u64) -> u64 {
        let (left, whole) = (self.left(length), length.unsigned_abs());
        let Some(room) = most.checked_sub(cost) else { return whole };
        match room.checked_sub(self.count) {
            // As the last window slides out, room appears in this one.
            Some(room) => left.saturating_sub(fits_from(self.last, room, whole)),
            // This window is full; it must itself slide out for a while.
            None => left + whole - fits_from(self.count, room, whole),
        }
    }
}

/// The share of `count` that still lies inside when `left` of `length` is left.
fn share(count: u64, left: u64, length: i64) -> u64 {
    let share = u128::from(count) * u128::from(left) / u128::from(length.unsigned_abs().max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// The most that may be left of a window so that the share of `count` in it is at most `room`.
fn fits_from(count: u64, room: u64, length: u64) -> u64 {
    if count <= room {
        return length;
    }
    let bound = (u128::from(room) + 1) * u128::from(length);
    let left = bound.div_ceil(u128::from(count)) - 1;
    u64::try_from(left).unwrap_or(length).min(length)
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn quota(max: u64) -> Quota {
        Quota { max, window: Duration::from_secs(60) }
    }

    #[test]
    fn exactly_the_limit_passes_in_a_window() {
        let mut window = Window::empty(5 * MINUTE + 1_000);
        let passed = (0..10).filter(|_| window.take(quota(3), 1, false)).count();
        let standing = window.standing(quota(3), 1, false);
        assert_eq!((passed, standing.remaining, standing.reset), (3, 0, Duration::from_secs(59)));
    }

    #[test]
    fn the_last_window_counts_for_the_share_that_still_lies_inside() {
        let mut window = Window::empty(0);
        window.take(quota(4), 4, false);
        let at = |now: i64| window.turned(now, quota(4)).standing(quota(4), 1, true).remaining;
        assert_eq!([at(MINUTE), at(MINUTE + 15_001), at(MINUTE + 30_001), at(2 * MINUTE)], [0, 2, 3, 4]);
    }

    #[test]
    fn a_clock_that_is_set_back_gives_nothing_back() {
        let mut window = Window::empty(10 * MINUTE);
        window.take(quota(4), 4, false);
        assert!(!window.turned(8 * MINUTE, quota(4)).take(quota(4), 1, false));
    }

    #[test]
    fn what_never_fits_waits_a_window_and_takes_nothing() {
        let mut window = Window::empty(0);
        assert!(!window.take(quota(4), 5, false));
        assert_eq!(window.standing(quota(4), 5, false).wait, Duration::from_secs(60));
        assert_eq!(window.count, 0);
    }

    proptest! {
        /// The wait is right to the millisecond: then it fits, just before it does not.
        #[test]
        fn the_wait_is_exact(max in 1_u64..2_000, count in 0_u64..4_000, last in 0_u64..4_000,
                             cost in 1_u64..50, at in 0_i64..2 * MINUTE) {
            let (quota, window) = (quota(max), Window { count, last, at });
            prop_assume!(cost <= max);
            let fits = |now: i64| window.turned(now, quota).take(quota, cost, false);
            let wait = window.standing(quota, cost, fits(at)).wait;
            let then = at + i64::try_from(wait.as_millis()).unwrap();
            prop_assert!(fits(then), "not after {wait:?}");
            prop_assert!(wait.is_zero() || !fits(then - 1), "already before {wait:?}");
        }
    }
}

//! Guesses: each wrong try beyond the first few doubles the wait before the next.
//!
//! A try is counted when it begins, so that many at once are no way around, and the count is taken back when it turns out
//! right. What is counted is chosen so that a stranger cannot lock anybody out: wrong passwords count for an account
//! together with the address they come from, wrong codes only for somebody who has shown the password before. Counts are
//! kept in the memory of this process; with several replicas a guesser has that many times as many tries.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engify_core::{Clock, Error, Kind, Result, Time};

/// How many wrong tries are free, and how the wait grows behind them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// A name for the count: tries of different names do not add up.
    name: &'static str,
    /// So many without a wait.
    free: u32,
    /// Whether a right try wipes the slate; else it only does not count itself.
    forgives: bool,
}

/// Passwords of one account from one address.
pub(crate) const PASSWORD: Patience = Patience { name: "password", free: 5, forgives: true };
/// Codes and passkeys of one account, from wherever.
pub(crate) const FACTOR: Patience = Patience { name: "factor", free: 5, forgives: true };
/// Everything from one address. A right try of one's own must not free an address for tries at others.
pub(crate) const ADDRESS: Patience = Patience { name: "address", free: 20, forgives: false };

/// The first wait; each further wrong try doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Wrong tries are forgotten when the last one is this long ago.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// The most counts that are kept.
const MOST: usize = 100_000;

/// All counts.
pub(crate) struct Tries {
    clock: Clock,
    counts: Mutex<HashMap<Key, Count>>,
}

type Key = (&'static str, String);

#[derive(Debug, Clone, Copy)]
struct Count {
    wrong: u32,
    last: Time,
    free_at: Time,
}

/// A try that has begun. It counts as wrong until [`Try::right`].
#[must_use = "a try that is dropped counts as wrong"]
pub(crate) struct Try<'a> {
    tries: &'a Tries,
    keys: Vec<(Patience, Key)>,
}

impl Tries {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, counts: Mutex::new(HashMap::new()) }
    }

    /// Begins a try that counts for all of these.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait, the longest of them; nothing is counted then.
    pub(crate) fn begin(&self, who: &[(Patience, &str)]) -> Result<Try<'_>> {
        let now = self.clock.now();
        let keys: Vec<(Patience, Key)> =
            who.iter().map(|(patience, who)| (*patience, (patience.name, (*who).to_owned()))).collect();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let free_at = keys.iter().filter_map(|(_, key)| counts.get(key)).map(|count| count.free_at).max();
        if let Some(free_at) = free_at.filter(|free_at| *free_at > now) {
            let wait = free_at.since(now);
            let message = format!(
                "Too many wrong tries. Wait {} seconds; each further wrong try doubles the wait.",
                wait.as_secs().max(1)
            );
            return Err(Error::new(Kind::RateLimited, "rate_limited", message).retry_after(wait));
        }
        if counts.len() + keys.len() > MOST {
            make_room(&mut counts, now);
        }
        for (patience, key) in &keys {
            let count = counts.entry(key.clone()).or_insert(Count { wrong: 0, last: now, free_at: now });
            if now.since(count.last) > MEMORY {
                count.wrong = 0;
            }
            count.wrong = count.wrong.saturating_add(1);
            count.last = now;
            count.free_at = now.plus(wait(*patience, count.wrong));
        }
        Ok(Try { tries: self, keys })
    }
}

impl Try<'_> {
    /// It was right.
    pub(crate) fn right(self) {
        let mut counts = self.tries.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (patience, key) in self.keys {
            let Some(count) = counts.get_mut(&key) else { continue };
            count.wrong = if patience.forgives { 0 } else { count.wrong.saturating_sub(1) };
            count.free_at = count.last;
            if count.wrong == 0 {
                counts.remove(&key);
            }
        }
    }
}

/// How long to wait after so many wrong tries.
fn wait(patience: Patience, wrong: u32) -> Duration {
    match wrong.checked_sub(patience.free) {
        None => Duration::ZERO,
        Some(beyond) => {
            FIRST_WAIT.saturating_mul(1_u32.checked_shl(beyond).unwrap_or(u32::MAX)).min(LONGEST_WAIT)
        }
    }
}

/// Drops what is forgotten; where a crowd fills the memory within the hour, whoever has free tries left.
fn make_room(counts: &mut HashMap<Key, Count>, now: Time) {
    counts.retain(|_, count| now.since(count.last) <= MEMORY);
    if counts.len() >= MOST / 2 {
        counts.retain(|_, count| count.free_at > count.last);
    }
    if counts.len() >= MOST / 2 {
        counts.retain(|_, count| count.free_at > now);
    }
    if counts.len() >= MOST {
        counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries() -> (Tries, Clock) {
        let clock = Clock::fixed(Time::from_millis(1_800_000_000_000));
        (Tries::new(clock.clone()), clock)
    }

    /// The wait after a wrong try by `who`.
    fn wrong(tries: &Tries, who: &str) -> Option<Duration> {
        tries.begin(&[(FACTOR, who)]).err().and_then(|refusal| refusal.retry_wait())
    }

    #[test]
    fn five_are_free_then_each_doubles_the_wait_up_to_a_quarter_of_an_hour() {
        let (tries, clock) = tries();
        for _ in 0..5 {
            assert_eq!(wrong(&tries, "ana"), None);
        }
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = wrong(&tries, "ana").expect("a wait");
            waits.push(wait.as_secs());
            clock.advance(wait);
            assert_eq!(wrong(&tries, "ana"), None, "after the wait a try is taken");
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(wrong(&tries, "ben"), None, "others do not wait");
    }

    #[test]
    fn a_refused_try_does_not_make_the_wait_longer() {
        let (tries, clock) = tries();
        for _ in 0..5 {
            assert_eq!(wrong(&tries, "ana"), None);
        }
        for _ in 0..50 {
            assert_eq!(wrong(&tries, "ana"), Some(Duration::from_secs(2)));
        }
        clock.advance(MEMORY + Duration::from_secs(3));
        for _ in 0..5 {
            assert_eq!(wrong(&tries, "ana"), None, "after an hour all is forgotten");
        }
    }

    #[test]
    fn a_right_try_wipes_the_slate_of_the_account_and_not_that_of_the_address() {
        let (tries, _) = tries();
        for _ in 0..4 {
            assert_eq!(wrong(&tries, "ana"), None);
        }
        tries.begin(&[(FACTOR, "ana"), (ADDRESS, "here")]).map(Try::right).expect("a try");
        for _ in 0..5 {
            assert_eq!(wrong(&tries, "ana"), None);
        }
        for _ in 0..20 {
            drop(tries.begin(&[(ADDRESS, "here")]).expect("a free try"));
        }
        let refusal = tries.begin(&[(FACTOR, "carl"), (ADDRESS, "here")]).err().map(|refusal| refusal.code());
        assert_eq!(refusal, Some("rate_limited"));
        assert_eq!(wrong(&tries, "carl"), None, "what was refused was counted nowhere");
    }
}

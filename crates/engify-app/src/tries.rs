//! Guesses: each wrong try beyond the first few doubles the wait before the next.
//!
//! A try is counted when it begins, so that many at once are no way around, and the count is taken back when it turns out
//! right. What is counted is chosen so that a stranger cannot lock anybody out: wrong passwords count for an account
//! together with the address they come from, wrong codes only for somebody who has shown the password before. Counts are
//! kept in the memory that replicas share; without one, or while it is away, each replica counts for itself, and a guesser
//! has that many times as many tries.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use engify_clients::kv::{Failure, Kv};
use engify_core::{Clock, Error, Kind, Result, Time};
use serde::{Deserialize, Serialize};

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
/// The most counts that are kept in this process's memory.
const MOST: usize = 100_000;
/// How often a count is written again when others counted meanwhile; then the try is refused.
const ROUNDS: usize = 16;

/// All counts.
pub(crate) struct Tries {
    clock: Clock,
    shared: Option<Kv>,
    counts: Mutex<HashMap<Key, Count>>,
}

type Key = (&'static str, String);

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Count {
    wrong: u32,
    last: Time,
    free_at: Time,
}

impl Count {
    /// The count of somebody who has not tried yet.
    fn none(now: Time) -> Self {
        Self { wrong: 0, last: now, free_at: now }
    }

    /// The count with one more wrong try, or how long to wait before it is taken.
    fn begun(self, patience: Patience, now: Time) -> Result<Self, Duration> {
        if self.free_at > now {
            return Err(self.free_at.since(now));
        }
        let wrong = if now.since(self.last) > MEMORY { 1 } else { self.wrong.saturating_add(1) };
        Ok(Self { wrong, last: now, free_at: now.plus(wait(patience, wrong)) })
    }

    /// The count when the try that it holds turned out right.
    fn right(self, patience: Patience) -> Self {
        let wrong = if patience.forgives { 0 } else { self.wrong.saturating_sub(1) };
        Self { wrong, free_at: self.last, ..self }
    }
}

/// A try that has begun. It counts as wrong until [`Try::right`].
#[must_use = "a try that is dropped counts as wrong"]
pub(crate) struct Try<'a> {
    tries: &'a Tries,
    keys: Vec<(Patience, Key)>,
    /// Where it was counted, if not in this process.
    shared: Option<&'a Kv>,
}

impl Tries {
    pub(crate) fn new(clock: Clock, shared: Option<Kv>) -> Self {
        Self { clock, shared, counts: Mutex::new(HashMap::new()) }
    }

    /// Begins a try that counts for all of these.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait, the longest of them; nothing is counted then.
    pub(crate) async fn begin(&self, who: &[(Patience, &str)]) -> Result<Try<'_>> {
        let now = self.clock.now();
        let keys: Vec<(Patience, Key)> =
            who.iter().map(|(patience, who)| (*patience, (patience.name, (*who).to_owned()))).collect();
        if let Some(kv) = &self.shared
            && let Ok(begun) = Box::pin(begin_shared(kv, &keys, now)).await
        {
            return begun.map(|()| Try { tries: self, keys, shared: Some(kv) }).map_err(refused);
        }
        self.begin_here(&keys, now).map_err(refused)?;
        Ok(Try { tries: self, keys, shared: None })
    }

    fn begin_here(&self, keys: &[(Patience, Key)], now: Time) -> Result<(), Duration> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = |key: &Key| counts.get(key).copied().unwrap_or(Count::none(now));
        let begun = all_begun(keys.iter().map(|(patience, key)| (*patience, kept(key))), now)?;
        if counts.len() + keys.len() > MOST {
            make_room(&mut counts, now);
        }
        counts.extend(keys.iter().map(|(_, key)| key.clone()).zip(begun));
        Ok(())
    }
}

impl Try<'_> {
    /// It was right.
    pub(crate) async fn right(self) {
        if let Some(kv) = self.shared {
            for (patience, key) in &self.keys {
                // Who cannot be told that it was right finds one wrong try more: at worst a wait of seconds.
                let _ = Box::pin(change(kv, key, self.tries.clock.now(), |count| Ok(count.right(*patience))))
                    .await;
            }
            return;
        }
        let mut counts = self.tries.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (patience, key) in self.keys {
            let Some(count) = counts.get_mut(&key) else { continue };
            *count = count.right(patience);
            if count.wrong == 0 {
                counts.remove(&key);
            }
        }
    }
}

/// All these counts with one more wrong try, or the longest wait of them.
fn all_begun(counts: impl Iterator<Item = (Patience, Count)>, now: Time) -> Result<Vec<Count>, Duration> {
    let (mut begun, mut longest) = (Vec::new(), None);
    for (patience, count) in counts {
        match count.begun(patience, now) {
            Ok(count) => begun.push(count),
            Err(wait) => longest = longest.max(Some(wait)),
        }
    }
    longest.map_or(Ok(begun), Err)
}

/// Looks at all counts before the first is changed, so that what is refused is counted nowhere.
async fn begin_shared(kv: &Kv, keys: &[(Patience, Key)], now: Time) -> Result<Result<(), Duration>, Failure> {
    let mut kept = Vec::with_capacity(keys.len());
    for (patience, key) in keys {
        kept.push((*patience, read(kv, key, now).await?.1));
    }
    if let Err(wait) = all_begun(kept.into_iter(), now) {
        return Ok(Err(wait));
    }
    for (patience, key) in keys {
        if let Err(wait) = change(kv, key, now, |count| count.begun(*patience, now)).await? {
            return Ok(Err(wait));
        }
    }
    Ok(Ok(()))
}

/// Changes a count that others may change at the same time.
async fn change(
    kv: &Kv,
    key: &Key,
    now: Time,
    work: impl Fn(Count) -> Result<Count, Duration>,
) -> Result<Result<(), Duration>, Failure> {
    for _ in 0..ROUNDS {
        let (old, count) = read(kv, key, now).await?;
        let new = match work(count) {
            Ok(new) => Bytes::from(serde_json::to_vec(&new).unwrap_or_default()),
            Err(wait) => return Ok(Err(wait)),
        };
        if kv.swap(&name(key), old.as_ref(), new, MEMORY).await? {
            return Ok(Ok(()));
        }
    }
    Ok(Err(FIRST_WAIT))
}

/// A count as it is kept, and what it says.
async fn read(kv: &Kv, key: &Key, now: Time) -> Result<(Option<Bytes>, Count), Failure> {
    let kept = kv.get(&name(key)).await?;
    let count = kept.as_ref().and_then(|kept| serde_json::from_slice(kept).ok());
    Ok((kept, count.unwrap_or(Count::none(now))))
}

fn name((name, who): &Key) -> String {
    format!("tries:{name}:{who}")
}

fn refused(wait: Duration) -> Error {
    let message = format!(
        "Too many wrong tries. Wait {} seconds; each further wrong try doubles the wait.",
        wait.as_secs().max(1)
    );
    Error::new(Kind::RateLimited, "rate_limited", message).retry_after(wait)
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
        (Tries::new(clock.clone(), None), clock)
    }

    /// Two replicas that share a memory.
    fn replicas() -> (Tries, Tries) {
        let clock = Clock::fixed(Time::from_millis(1_800_000_000_000));
        let ids = engify_core::Ids::seeded(clock.clone(), 1);
        let kv = Kv::memory(&engify_clients::kv::KvOptions::default(), clock.clone(), ids);
        (Tries::new(clock.clone(), Some(kv.clone())), Tries::new(clock, Some(kv)))
    }

    #[tokio::test]
    async fn tries_at_one_replica_count_at_the_others_however_many_come_at_once() {
        let (one, other) = replicas();
        let crowd = (0..32).map(|number| {
            let tries = if number % 2 == 0 { &one } else { &other };
            async move { tries.begin(&[(FACTOR, "ana")]).await.is_ok() }
        });
        let taken = futures_util::future::join_all(crowd).await.into_iter().filter(|taken| *taken).count();
        assert_eq!(taken, 5, "the fifth begins the wait");
        assert_eq!(wrong(&other, "ana").await, Some(Duration::from_secs(2)));
        one.begin(&[(ADDRESS, "here")]).await.expect("a try").right().await;
        assert_eq!(other.begin(&[(ADDRESS, "here")]).await.err().map(|refusal| refusal.code()), None);
    }

    /// The wait after a wrong try by `who`.
    async fn wrong(tries: &Tries, who: &str) -> Option<Duration> {
        tries.begin(&[(FACTOR, who)]).await.err().and_then(|refusal| refusal.retry_wait())
    }

    #[tokio::test]
    async fn five_are_free_then_each_doubles_the_wait_up_to_a_quarter_of_an_hour() {
        let (tries, clock) = tries();
        for _ in 0..5 {
            assert_eq!(wrong(&tries, "ana").await, None);
        }
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = wrong(&tries, "ana").await.expect("a wait");
            waits.push(wait.as_secs());
            clock.advance(wait);
            assert_eq!(wrong(&tries, "ana").await, None, "after the wait a try is taken");
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(wrong(&tries, "ben").await, None, "others do not wait");
    }

    #[tokio::test]
    async fn a_refused_try_does_not_make_the_wait_longer() {
        let (tries, clock) = tries();
        for _ in 0..5 {
            assert_eq!(wrong(&tries, "ana").await, None);
        }
        for _ in 0..50 {
            assert_eq!(wrong(&tries, "ana").await, Some(Duration::from_secs(2)));
        }
        clock.advance(MEMORY + Duration::from_secs(3));
        for _ in 0..5 {
            assert_eq!(wrong(&tries, "ana").await, None, "after an hour all is forgotten");
        }
    }

    #[tokio::test]
    async fn a_right_try_wipes_the_slate_of_the_account_and_not_that_of_the_address() {
        let (tries, _) = tries();
        for _ in 0..4 {
            assert_eq!(wrong(&tries, "ana").await, None);
        }
        tries.begin(&[(FACTOR, "ana"), (ADDRESS, "here")]).await.expect("a try").right().await;
        for _ in 0..5 {
            assert_eq!(wrong(&tries, "ana").await, None);
        }
        for _ in 0..20 {
            drop(tries.begin(&[(ADDRESS, "here")]).await.expect("a free try"));
        }
        let refusal =
            tries.begin(&[(FACTOR, "carl"), (ADDRESS, "here")]).await.err().map(|refusal| refusal.code());
        assert_eq!(refusal, Some("rate_limited"));
        assert_eq!(wrong(&tries, "carl").await, None, "what was refused was counted nowhere");
    }
}

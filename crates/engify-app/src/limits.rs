//! Limits: how many requests in which time, per route preset, and what AI tiers allow.
//!
//! Requests are limited by a sliding window of two buckets: the count of the current window plus the share of the last
//! one that still lies inside. It lets at most `max` through per window for steady traffic, and never more than `max`
//! in one fixed window.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engify_core::permission::Role;
use engify_core::settings::{Tier, Tiers};
use engify_core::{Clock, Error, Kind, Result, Time};

/// So many in this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// A name for the bucket: callers of different names do not share.
    pub name: &'static str,
    /// At most this many.
    pub max: u64,
    /// In this time.
    pub window: Duration,
}

impl Limit {
    /// `max` in `seconds`.
    pub const fn new(name: &'static str, max: u64, seconds: u64) -> Self {
        Self { name, max, window: Duration::from_secs(seconds) }
    }
}

/// The presets that routes name.
pub mod presets {
    use super::Limit;

    /// Reads: 600 a minute.
    pub const READ: Limit = Limit::new("read", 600, 60);
    /// Writes: 600 a minute.
    pub const WRITE: Limit = Limit::new("write", 600, 60);
    /// The guide's `user-create`: 5 per 5 minutes.
    pub const USER_CREATE: Limit = Limit::new("user-create", 5, 300);
    /// Tries to sign in from one address: 20 per 5 minutes.
    pub const SIGN_IN: Limit = Limit::new("sign-in", 20, 300);
    /// Requests for a new password from one address: 10 per 15 minutes.
    pub const FORGOT: Limit = Limit::new("forgot-password", 10, 900);
    /// Requests for a new password of one account from one address: 3 per 15 minutes.
    pub const FORGOT_ACCOUNT: Limit = Limit::new("forgot-password-account", 3, 900);
    /// Links for a new password to one mailbox, from everywhere: 10 an hour; beyond it none is sent, and nobody is told.
    pub const FORGOT_MAILBOX: Limit = Limit::new("forgot-password-mailbox", 10, 3600);
    /// Uses of links that came by mail, from one address: 30 per 15 minutes.
    pub const LINK: Limit = Limit::new("link", 30, 900);
    /// Links that prove an address, asked for by one person: 5 per 15 minutes.
    pub const VERIFY: Limit = Limit::new("verify-email", 5, 900);
    /// Steps with second factors and passkeys: 60 per 5 minutes. Wrong ones wait longer and longer besides.
    pub const FACTOR: Limit = Limit::new("factor", 60, 300);
    /// Codes sent to a phone, each of which costs money: 5 per 15 minutes.
    pub const SMS: Limit = Limit::new("sms", 5, 900);
    /// Legs of sign-ins through identity providers from one address: 60 per 5 minutes.
    pub const OAUTH: Limit = Limit::new("oauth", 60, 300);
    /// API keys made: 20 an hour.
    pub const KEY_CREATE: Limit = Limit::new("key-create", 20, 3600);
    /// Invitations sent: 60 an hour.
    pub const INVITE: Limit = Limit::new("invite", 60, 3600);
    /// Links of invitations opened: 60 per 5 minutes.
    pub const INVITATION: Limit = Limit::new("invitation", 60, 300);
    /// Provider keys tried: 30 per 5 minutes, so that nobody sorts stolen keys here.
    pub const KEY_TEST: Limit = Limit::new("key-test", 30, 300);
    /// Imports: 30 an hour.
    pub const IMPORT: Limit = Limit::new("import", 30, 3600);
}

/// The tier of a role; none is a caller who is not signed in.
pub fn tier(tiers: &Tiers, role: Option<Role>) -> Tier {
    match role {
        None => tiers.anonymous,
        Some(Role::Free | Role::User) => tiers.user,
        Some(Role::Pro | Role::OrgMember | Role::OrgManager | Role::OrgAdmin | Role::SuperAdmin) => tiers.pro,
    }
}

/// What is left after a request.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// The limit itself.
    pub limit: u64,
    /// How many more fit now.
    pub remaining: u64,
    /// When the window ends.
    pub reset: Time,
}

/// Counts requests in memory, in 16 parts with a lock each; at most 200 000 callers, then the oldest windows go.
pub struct Limiter {
    clock: Clock,
    shards: Vec<Mutex<HashMap<(&'static str, String), Window>>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    start: i64,
    length: i64,
    count: u64,
    last: u64,
}

const SHARDS: usize = 16;
const PER_SHARD: usize = 12_500;

impl Limiter {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect() }
    }

    /// Takes `cost` from the caller's window, if that much is left.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait; nothing is taken then.
    pub fn take(&self, limit: Limit, caller: &str, cost: u64) -> Result<Standing> {
        let now = self.clock.now();
        self.with_window(limit, caller, now, |window| {
            let used = window.used(now);
            if used + cost > limit.max {
                let wait = Duration::from_millis(u64::try_from(window.start + window.length - now.millis()).unwrap_or(0).max(1));
                let message = format!(
                    "More than {} in {} seconds ({}). Wait and try again, or ask an administrator to raise the limit.",
                    limit.max,
                    limit.window.as_secs(),
                    limit.name
                );
                return Err(Error::new(Kind::RateLimited, "rate_limited", message).retry_after(wait));
            }
            window.count += cost;
            Ok(window.standing(limit, now))
        })
    }

    /// Adds what was used without asking whether it fits: tokens are known only afterwards.
    pub fn add(&self, limit: Limit, caller: &str, cost: u64) {
        let now = self.clock.now();
        self.with_window(limit, caller, now, |window| window.count += cost);
    }

    /// What is left, taking nothing.
    pub fn standing(&self, limit: Limit, caller: &str) -> Standing {
        let now = self.clock.now();
        self.with_window(limit, caller, now, |window| window.standing(limit, now))
    }

    fn with_window<T>(
        &self,
        limit: Limit,
        caller: &str,
        now: Time,
        work: impl FnOnce(&mut Window) -> T,
    ) -> T {
        let key = (limit.name, caller.to_owned());
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let shard = &self.shards[usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0)];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= PER_SHARD && !shard.contains_key(&key) {
            shard.retain(|_, window| window.start + 2 * window.length > now.millis());
            // Whoever asked once goes before whoever asks often: a crowd of new callers must not free a busy one.
            if shard.len() >= PER_SHARD {
                shard.retain(|_, window| window.count + window.last > 1);
            }
            if shard.len() >= PER_SHARD {
                shard.clear();
            }
        }
        let length = i64::try_from(limit.window.as_millis()).unwrap_or(i64::MAX).max(1);
        let start = now.millis().div_euclid(length) * length;
        let window = shard.entry(key).or_insert(Window { start, length, count: 0, last: 0 });
        if window.start != start {
            window.last = if window.start + length == start { window.count } else { 0 };
            window.count = 0;
            window.start = start;
        }
        work(window)
    }
}

impl Window {
    /// What counts against the limit now: this window's count and the part of the last window that still lies inside.
    fn used(&self, now: Time) -> u64 {
        let left = u64::try_from(self.start + self.length - now.millis()).unwrap_or(0);
        let length = u64::try_from(self.length).unwrap_or(1);
        self.count
            + u64::try_from(u128::from(self.last) * u128::from(left) / u128::from(length)).unwrap_or(u64::MAX)
    }

    fn standing(&self, limit: Limit, now: Time) -> Standing {
        Standing {
            limit: limit.max,
            remaining: limit.max.saturating_sub(self.used(now)),
            reset: Time::from_millis(self.start + self.length),
        }
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Limiter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit::new("test", 3, 60);

    fn limiter() -> (Limiter, Clock) {
        let clock = Clock::fixed(Time::from_millis(1_800_000_000_000));
        (Limiter::new(clock.clone()), clock)
    }

    #[test]
    fn exactly_the_limit_passes_and_the_refusal_says_how_long_to_wait() {
        let (limiter, _) = limiter();
        for left in [2, 1, 0] {
            assert_eq!(limiter.take(LIMIT, "ana", 1).unwrap().remaining, left);
        }
        let refusal = limiter.take(LIMIT, "ana", 1).unwrap_err();
        assert_eq!(refusal.code(), "rate_limited");
        assert!(refusal.retry_wait().unwrap() <= Duration::from_secs(60));
        assert!(limiter.take(LIMIT, "ben", 1).is_ok(), "callers do not share");
    }

    #[test]
    fn the_last_window_counts_for_the_part_that_still_lies_inside() {
        let (limiter, clock) = limiter();
        for _ in 0..3 {
            limiter.take(LIMIT, "ana", 1).unwrap();
        }
        clock.advance(Duration::from_secs(60));
        assert!(limiter.take(LIMIT, "ana", 1).is_err(), "the whole last window still counts");
        clock.advance(Duration::from_secs(30));
        assert!(limiter.take(LIMIT, "ana", 1).is_ok(), "half of it does");
        clock.advance(Duration::from_secs(120));
        assert_eq!(limiter.standing(LIMIT, "ana").remaining, 3);
    }
}

//! Limits: how many requests in which time, per route preset, and what AI tiers allow.
//!
//! Requests are limited by a sliding window of two buckets: the count of the current window plus the share of the last
//! one that still lies inside. It lets at most `max` through per window for steady traffic, and never more than `max`
//! in one fixed window. Where replicas share a memory, they share the windows too; while it is away each counts for
//! itself, so that at most `max` more pass at each replica.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engify_clients::kv::{Kv, Quota, Standing as Asked, Window};
use engify_core::permission::Role;
use engify_core::settings::{Tier, Tiers};
use engify_core::{Clock, Error, Kind, Result, Time};

pub use engify_core::error::Standing;

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

    fn quota(self) -> Quota {
        Quota { max: self.max, window: self.window }
    }
}

/// The presets that routes name.
pub mod presets {
    use super::Limit;

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
    /// Codes sent to a phone, each of which costs money, for one account: 5 per 15 minutes.
    pub const SMS: Limit = Limit::new("sms", 5, 900);
    /// Codes sent for one address, whoever signed in from there: 20 an hour.
    pub const SMS_ADDRESS: Limit = Limit::new("sms-address", 20, 3600);
    /// Codes sent to one number, for all accounts: 60 a day.
    pub const SMS_NUMBER: Limit = Limit::new("sms-number", 60, 86_400);
    /// Codes sent to one number that nobody has proven yet: 10 a day, so that its owner keeps most of the 60.
    pub const SMS_NEW_NUMBER: Limit = Limit::new("sms-new-number", 10, 86_400);
    /// Codes sent to numbers that nobody has proven yet, all together: 200 an hour, however many accounts and addresses
    /// somebody has.
    pub const SMS_NEW_NUMBERS: Limit = Limit::new("sms-new-numbers", 200, 3600);
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

/// Counts what callers take: in the memory that replicas share, or in this process's own.
pub struct Limiter {
    clock: Clock,
    shared: Option<Kv>,
    own: Own,
}

impl Limiter {
    pub(crate) fn new(clock: Clock, shared: Option<Kv>) -> Self {
        Self { clock, shared, own: Own::default() }
    }

    /// Takes `cost` from the caller's window, if that much is left.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait; nothing is taken then.
    pub async fn take(&self, limit: Limit, caller: &str, cost: u64) -> Result<Standing> {
        let asked = self.ask(limit, caller, cost, false).await;
        if asked.allowed {
            return Ok(self.standing_of(limit, asked));
        }
        let message = format!(
            "More than {} in {} seconds ({}). Wait and try again, or ask an administrator to raise the limit.",
            limit.max,
            limit.window.as_secs(),
            limit.name
        );
        let refusal = Error::new(Kind::RateLimited, "rate_limited", message).retry_after(asked.wait);
        Err(refusal.at_limit(self.standing_of(limit, asked)))
    }

    /// Adds what was used without asking whether it fits: tokens are known only afterwards.
    pub async fn add(&self, limit: Limit, caller: &str, cost: u64) {
        self.ask(limit, caller, cost, true).await;
    }

    /// What is left, taking nothing.
    pub async fn standing(&self, limit: Limit, caller: &str) -> Standing {
        let asked = self.ask(limit, caller, 0, true).await;
        self.standing_of(limit, asked)
    }

    async fn ask(&self, limit: Limit, caller: &str, cost: u64, anyway: bool) -> Asked {
        if let Some(kv) = &self.shared {
            let key = format!("limit:{}:{caller}", limit.name);
            // Boxed, so that requests do not carry a client's future where there is no such memory.
            let asked = Box::pin(async {
                let quota = limit.quota();
                if anyway {
                    kv.take_anyway(&key, quota, cost).await
                } else {
                    kv.take(&key, quota, cost).await
                }
            });
            // Why it does not answer is in the log and in health; the circuit breaker sees to it that few wait for that.
            if let Ok(asked) = asked.await {
                return asked;
            }
        }
        self.own.ask(limit, caller, cost, anyway, self.clock.now())
    }

    /// Windows begin at whole multiples of their length: the answer's way here must not move the second of the end.
    fn standing_of(&self, limit: Limit, asked: Asked) -> Standing {
        let end = self.clock.now().plus(asked.reset).millis();
        let end = if self.shared.is_some() { (end + 500).div_euclid(1000) * 1000 } else { end };
        Standing { limit: limit.max, remaining: asked.remaining, reset: Time::from_millis(end) }
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Limiter")
    }
}

/// Windows in this process's memory, in 16 parts with a lock each; at most 200 000 callers, then the oldest windows go.
struct Own(Vec<Mutex<Shard>>);

type Shard = HashMap<(&'static str, String), (Window, Quota)>;

const SHARDS: usize = 16;
const PER_SHARD: usize = 12_500;

impl Default for Own {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }
}

impl Own {
    fn ask(&self, limit: Limit, caller: &str, cost: u64, anyway: bool, now: Time) -> Asked {
        let (key, quota, now) = ((limit.name, caller.to_owned()), limit.quota(), now.millis());
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let shard = &self.0[usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0)];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= PER_SHARD && !shard.contains_key(&key) {
            make_room(&mut shard, now);
        }
        let (window, kept) = shard.entry(key).or_insert((Window::empty(now), quota));
        // A limit that was changed while it counted goes on with what was counted.
        *kept = quota;
        *window = window.turned(now, quota);
        let allowed = window.take(quota, cost, anyway);
        window.standing(quota, cost, allowed)
    }
}

/// Whoever asked once goes before whoever asks often: a crowd of new callers must not free a busy one.
fn make_room(shard: &mut Shard, now: i64) {
    shard.retain(|_, (window, quota)| !window.is_over(now, *quota));
    if shard.len() >= PER_SHARD {
        shard.retain(|_, (window, _)| window.taken() > 1);
    }
    if shard.len() >= PER_SHARD {
        shard.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit::new("test", 3, 60);

    fn limiter() -> (Limiter, Clock) {
        let clock = Clock::fixed(Time::from_millis(1_800_000_000_000));
        (Limiter::new(clock.clone(), None), clock)
    }

    #[tokio::test]
    async fn exactly_the_limit_passes_and_the_refusal_says_how_long_to_wait() {
        let (limiter, clock) = limiter();
        for left in [2, 1, 0] {
            assert_eq!(limiter.take(LIMIT, "ana", 1).await.unwrap().remaining, left);
        }
        let refusal = limiter.take(LIMIT, "ana", 1).await.unwrap_err();
        assert_eq!(refusal.code(), "rate_limited");
        assert!(limiter.take(LIMIT, "ben", 1).await.is_ok(), "callers do not share");
        clock.advance(refusal.retry_wait().unwrap());
        assert!(limiter.take(LIMIT, "ana", 1).await.is_ok(), "after the wait it fits");
    }

    #[tokio::test]
    async fn the_last_window_counts_for_the_part_that_still_lies_inside() {
        let (limiter, clock) = limiter();
        for _ in 0..3 {
            limiter.take(LIMIT, "ana", 1).await.unwrap();
        }
        clock.advance(Duration::from_secs(60));
        assert!(limiter.take(LIMIT, "ana", 1).await.is_err(), "the whole last window still counts");
        clock.advance(Duration::from_secs(30));
        assert!(limiter.take(LIMIT, "ana", 1).await.is_ok(), "half of it does");
        clock.advance(Duration::from_secs(120));
        assert_eq!(limiter.standing(LIMIT, "ana").await.remaining, 3);
    }
}

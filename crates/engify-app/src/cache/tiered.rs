//! Values in three levels: this process's memory, the memory that replicas share, and where they are made.
//!
//! A [`Family`] is a kind of value; its type carries prefix, form and size, so that two kinds cannot meet under one key.
//! What is kept is bounded in bytes, in time, and by [`Freshness`]. This module knows nothing of what a value means.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engify_clients::kv::{Failure, Kv, Lock};
use engify_core::Clock;
use metrics::{Counter, counter};
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::entry::Entry;
use super::flights::{Flights, Lead};
use super::freshness::Freshness;

/// How long a value is kept in either memory: that old it may be when it is shown because nothing better can be had.
pub const LIFE: Duration = Duration::from_secs(15 * 60);
/// The largest value that is put into shared memory, bytes.
const LARGEST_SHARED: usize = 256 * 1024;
/// Longer keys go by their hash.
const LONGEST_KEY: usize = 200;
/// How long one replica keeps others from making the same value.
const LOCK: Duration = Duration::from_secs(2);
/// How often, and at what pace, a replica looks whether another one has made the value: a quarter of a second in all.
const LOOKS: usize = 25;
const PACE: Duration = Duration::from_millis(10);

/// A kind of values.
pub trait Family: Send + Sync + 'static {
    /// What keys begin with, and what figures call it.
    const NAME: &'static str;
    /// The value; a clone is cheap.
    type Value: Clone + Send + Sync + 'static;

    /// How many bytes it takes in memory, roughly.
    fn weight(value: &Self::Value) -> usize;

    /// The value for other replicas; none where it is not for them.
    fn encode(value: &Self::Value) -> Option<Vec<u8>>;

    /// The value that another replica encoded; none where it cannot be read.
    fn decode(&self, bytes: Bytes) -> Option<Self::Value>;
}

/// What all families stand on: what is known of changes, the shared memory, the time.
#[derive(Debug, Clone)]
pub struct Backing {
    pub(crate) freshness: Arc<Freshness>,
    pub(crate) shared: Option<Kv>,
    pub(crate) clock: Clock,
}

/// The values of one family.
pub struct Tiered<F: Family> {
    family: F,
    backing: Backing,
    prefix: String,
    near: Cache<String, Arc<Entry<F::Value>>>,
    flights: Flights,
    figures: Figures,
}

/// How reads were answered.
struct Figures {
    near: Counter,
    shared: Counter,
    made: Counter,
    stale: Counter,
}

impl<F: Family> Tiered<F> {
    /// An empty one that holds at most `bytes`. `salt` is what values depend on beside the library: replicas share
    /// theirs with those of the same salt.
    pub fn new(family: F, backing: Backing, bytes: u64, salt: &str) -> Self {
        let weigh = |key: &String, entry: &Arc<Entry<F::Value>>| {
            u32::try_from(key.len() + F::weight(&entry.value)).unwrap_or(u32::MAX)
        };
        let near = Cache::builder().max_capacity(bytes).weigher(weigh).time_to_live(LIFE).build();
        let prefix = format!("cache:{}:{salt}:", F::NAME);
        Self { family, backing, prefix, near, flights: Flights::default(), figures: Figures::of(F::NAME) }
    }

    /// The value, if this replica has it and it is true. Of those who ask when its time is up, one gets nothing and makes
    /// it anew; the others get what is there.
    pub fn peek(&self, key: &str) -> Option<F::Value> {
        let entry = self.near.get(key)?;
        let good = self.backing.freshness.is_fresh(entry.stamp) && entry.is_young_or_renewed(self.now());
        good.then(|| {
            self.figures.near.increment(1);
            entry.value.clone()
        })
    }

    /// What [`Tiered::peek`] did not find: the value, if another caller or another replica has made it meanwhile, or the
    /// place for the one that this caller makes.
    ///
    /// # Errors
    /// The place is no error: it is what is left to do.
    pub async fn find(&self, key: &str) -> Result<F::Value, Slot<'_, F>> {
        let key: Arc<str> = key.into();
        let lead = self.flights.join(&key).await;
        if let Some(entry) = self.near.get(&*key)
            && self.backing.freshness.is_fresh(entry.stamp)
            && entry.is_young(self.now())
        {
            self.figures.near.increment(1);
            return Ok(entry.value.clone());
        }
        let mut slot = Slot { tier: self, key, stamp: None, lead, lock: None, old: None };
        if let Some(kv) = &self.backing.shared {
            // A server that does not answer is in the log and in health; here it is one level less.
            if let Ok(Some(value)) = Box::pin(slot.ask_others(kv)).await {
                self.figures.shared.increment(1);
                return Ok(value);
            }
        }
        slot.stamp = self.backing.freshness.stamp();
        Err(slot)
    }

    fn name(&self, key: &str) -> String {
        if key.len() <= LONGEST_KEY {
            return [&self.prefix, key].concat();
        }
        [&*self.prefix, "sha256:", &hex::encode(Sha256::digest(key))].concat()
    }

    fn now(&self) -> i64 {
        self.backing.clock.now().millis()
    }
}

/// The place for a value that nobody has: whoever holds it makes it, and others wait for that for a while.
pub struct Slot<'a, F: Family> {
    tier: &'a Tiered<F>,
    key: Arc<str>,
    stamp: Option<u64>,
    lead: Option<Lead<'a>>,
    lock: Option<Lock>,
    /// What shared memory has, which is not true any more.
    old: Option<Arc<Entry<F::Value>>>,
}

impl<F: Family> Slot<'_, F> {
    /// Keeps what was made, fresh for about `ttl`, and gives it to the others.
    pub async fn fill(mut self, value: F::Value, ttl: Duration) -> F::Value {
        let tier = self.tier;
        tier.figures.made.increment(1);
        let Some(stamp) = self.stamp else { return value };
        let entry = Entry::new(value.clone(), stamp, &self.key, ttl, tier.now());
        let copy = tier.backing.shared.as_ref().and_then(|kv| {
            let encoded = F::encode(&value).filter(|encoded| encoded.len() <= LARGEST_SHARED)?;
            Some((kv, entry.packed(&encoded)))
        });
        tier.near.insert(self.key.to_string(), Arc::new(entry));
        // Who waits here need not wait for the others' copy.
        self.lead = None;
        if let Some((kv, packed)) = copy {
            // Where it does not take it, the others make their own.
            let _ = Box::pin(kv.set(&tier.name(&self.key), packed, LIFE)).await;
        }
        value
    }

    /// What was there before and how old it is, for when nothing new can be made: at most [`LIFE`] old, and never what
    /// was taken out of strangers' sight.
    pub fn stale(&self) -> Option<(F::Value, Duration)> {
        let tier = self.tier;
        let now = tier.now();
        let bearable = |entry: &Arc<Entry<F::Value>>| {
            tier.backing.freshness.is_bearable(entry.stamp) && entry.age(now) <= LIFE
        };
        let near = tier.near.get(&*self.key).filter(bearable);
        let entry = near.or_else(|| self.old.clone().filter(bearable))?;
        tier.figures.stale.increment(1);
        Some((entry.value.clone(), entry.age(now)))
    }

    /// Asks shared memory, and where it has nothing true, takes the lock or waits a little for whoever has it.
    async fn ask_others(&mut self, kv: &Kv) -> Result<Option<F::Value>, Failure> {
        let name = self.tier.name(&self.key);
        let lock = format!("lock:{name}");
        for _ in 0..LOOKS {
            if let Some(value) = self.look(kv, &name).await? {
                return Ok(Some(value));
            }
            // Who does not lead here has waited already.
            if self.lead.is_none() || self.lock.is_some() {
                return Ok(None);
            }
            self.lock = kv.lock(&lock, LOCK).await?;
            // With the lock comes a last look: its holder before us may have been done between the look and the lock.
            if self.lock.is_none() {
                tokio::time::sleep(PACE).await;
            }
        }
        Ok(None)
    }

    async fn look(&mut self, kv: &Kv, name: &str) -> Result<Option<F::Value>, Failure> {
        let tier = self.tier;
        let Some(packed) = kv.get(name).await? else { return Ok(None) };
        let Some(entry) = Entry::unpacked(packed, |value| tier.family.decode(value)) else { return Ok(None) };
        let entry = Arc::new(entry);
        if !tier.backing.freshness.is_fresh(entry.stamp) || !entry.is_young(tier.now()) {
            self.old = Some(entry);
            return Ok(None);
        }
        tier.near.insert(self.key.to_string(), Arc::clone(&entry));
        Ok(Some(entry.value.clone()))
    }
}

impl<F: Family> Drop for Slot<'_, F> {
    fn drop(&mut self) {
        if let (Some(kv), Some(lock)) = (&self.tier.backing.shared, self.lock.take()) {
            let kv = kv.clone();
            // Nobody waits for it: it ends by itself soon enough.
            tokio::spawn(async move { drop(kv.unlock(lock).await) });
        }
    }
}

impl Figures {
    fn of(family: &'static str) -> Self {
        let level =
            |level: &'static str| counter!("engify_cache_reads_total", "family" => family, "level" => level);
        Self { near: level("l1"), shared: level("l2"), made: level("database"), stale: level("stale") }
    }
}

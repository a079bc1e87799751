//! The memory that replicas share: a closed type over Redis, Upstash's REST and the memory of this process.
//!
//! What a platform needs and no more: values that end, locks, counters, rate limits, messages, and forgetting what is
//! ours. Every key lives below one prefix and ends by itself; every call has a deadline and a circuit breaker. It knows
//! neither what is kept nor what a caller does without it.

mod circuit;
mod command;
mod failure;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod guard;
mod info;
mod memory;
mod place;
mod redis;
mod reply;
mod subscription;
mod upstash;
mod window;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engify_core::{Clock, Ids, settings};

pub use circuit::CircuitOptions;
pub use failure::{Failure, FailureKind};
pub use info::Info;
pub use place::Place;
pub use subscription::{Heard, Subscription};
pub use window::{Quota, Standing, Window};

use crate::http::ClientOptions;
use command::Command;
use guard::Guard;
use memory::Memory;
use redis::Redis;
use reply::Reply;
use upstash::Upstash;

/// The longest key, bytes, our prefix included.
pub const MAX_KEY: usize = 512;
/// The largest value or message, bytes: 1 MiB.
pub const MAX_VALUE: usize = 1 << 20;
/// The longest that anything is kept: 31 days.
pub const MAX_TTL: Duration = Duration::from_secs(31 * 86_400);

/// How a server is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvOptions {
    /// What every key and channel of ours begins with. Default `engify:`.
    pub prefix: String,
    /// How long one call may take with Redis, making the connection included. Default 500 ms.
    pub deadline: Duration,
    /// How long one call may take with Upstash's REST. Default 2 s.
    pub rest_deadline: Duration,
    /// How long a connection may take to be made; a call does not wait longer than its own deadline. Default 3 s.
    pub connect: Duration,
    /// How often a subscription checks that it still hears. Default 1 s.
    pub beat: Duration,
    /// The circuit breaker.
    pub circuit: CircuitOptions,
    /// The most bytes that the memory of this process holds. Default 64 MiB.
    pub memory_bytes: usize,
}

impl Default for KvOptions {
    fn default() -> Self {
        Self {
            prefix: "engify:".to_owned(),
            deadline: Duration::from_millis(500),
            rest_deadline: Duration::from_secs(2),
            connect: Duration::from_secs(3),
            beat: Duration::from_secs(1),
            circuit: CircuitOptions::default(),
            memory_bytes: 64 << 20,
        }
    }
}

impl KvOptions {
    /// The same for one of several environments that may share a server: keys begin with `engify:`, its name and a colon.
    pub fn named(environment: &str) -> Self {
        Self { prefix: format!("engify:{environment}:"), ..Self::default() }
    }

    /// The same for one of several databases of that environment, which has this name.
    #[must_use]
    pub fn of_database(self, name: &str) -> Self {
        Self { prefix: format!("{}{name}:", self.prefix), ..self }
    }
}

/// Shared memory. Clones share connections, circuits and what is kept.
#[derive(Debug, Clone)]
pub struct Kv {
    backend: Backend,
    ids: Ids,
    prefix: Arc<str>,
    beat: Duration,
}

#[derive(Debug, Clone)]
enum Backend {
    Redis(Redis),
    Upstash(Upstash),
    Memory(Memory, Place),
}

/// A lock that we hold until it ends by itself or [`Kv::unlock`] frees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    key: String,
    token: String,
}

/// A page of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The keys, without our prefix.
    pub keys: Vec<String>,
    /// Where to go on; none at the end.
    pub next: Option<String>,
}

impl Kv {
    /// What the settings say; none where they say nothing or switch it off. Nobody is called yet. Needs a tokio runtime.
    ///
    /// # Errors
    /// Says why TLS or the address cannot be used at all.
    pub fn new(settings: &settings::Redis, options: &KvOptions, ids: Ids) -> Result<Option<Self>, String> {
        let guard = |place: Place, deadline: Duration| Guard::new(place, deadline, options.circuit);
        let backend = match settings {
            settings::Redis::NotConfigured | settings::Redis::Disabled => return Ok(None),
            settings::Redis::Server(server) => {
                let guard = guard(Place::server(server), options.deadline);
                Backend::Redis(Redis::new(server, guard, options.connect)?)
            }
            settings::Redis::Upstash(rest) => {
                let guard = guard(Place::upstash(rest), options.rest_deadline);
                let client = ClientOptions { connect_timeout: options.connect, ..ClientOptions::default() };
                Backend::Upstash(Upstash::new(rest, guard, client)?)
            }
        };
        Ok(Some(Self::with(backend, options, ids)))
    }

    /// The memory of this process: the same for one process alone. Clones share it.
    pub fn memory(options: &KvOptions, clock: Clock, ids: Ids) -> Self {
        let memory = Memory::new(clock, options.memory_bytes);
        Self::with(Backend::Memory(memory, Place::memory()), options, ids)
    }

    fn with(backend: Backend, options: &KvOptions, ids: Ids) -> Self {
        Self { backend, ids, prefix: options.prefix.as_str().into(), beat: options.beat }
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        match &self.backend {
            Backend::Redis(redis) => redis.guard().place(),
            Backend::Upstash(upstash) => upstash.guard().place(),
            Backend::Memory(_, place) => place,
        }
    }

    /// What every key and channel of ours begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The value that [`Kv::set`] gave a key, if it has one. Locks, counters and windows are asked by their own verbs.
    ///
    /// # Errors
    /// See [`FailureKind`]; so for all that follow.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, Failure> {
        let value = self.ask(Command::Get { key: self.prefixed(key) }).await?.value(self.place())?;
        match value {
            Some(value) if value.len() > MAX_VALUE => {
                let what = format!("holds a value of {} bytes; {MAX_VALUE} is the most", value.len());
                Err(Failure::new(FailureKind::TooLarge, self.place(), &what))
            }
            value => Ok(value),
        }
    }

    /// Keeps a value for `ttl`.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), Failure> {
        let set = Command::Set { key: self.prefixed(key), value, ttl: millis(ttl) };
        self.ask(set).await?.done(self.place()).map(drop)
    }

    /// Forgets keys, and says how many there were.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn delete(&self, keys: &[&str]) -> Result<u64, Failure> {
        if keys.is_empty() {
            return Ok(0);
        }
        let keys = keys.iter().map(|key| self.prefixed(key)).collect();
        self.ask(Command::Delete { keys }).await?.count(self.place())
    }

    /// Forgets keys and tells all who listen, both or neither.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn delete_and_publish(
        &self,
        keys: &[&str],
        channel: &str,
        message: &str,
    ) -> Result<(), Failure> {
        let publish = Command::Publish { channel: self.prefixed(channel), message: message.to_owned() };
        if keys.is_empty() {
            return self.ask(publish).await?.count(self.place()).map(drop);
        }
        let keys = keys.iter().map(|key| self.prefixed(key)).collect();
        self.run(&[Command::Delete { keys }, publish]).await.map(drop)
    }

    /// Takes a lock for at most `ttl`; none while somebody else holds it.
    ///
    /// # Errors
    /// As [`Kv::get`]. After a [`FailureKind::Timeout`] nobody knows whether it was taken; it ends by itself.
    pub async fn lock(&self, key: &str, ttl: Duration) -> Result<Option<Lock>, Failure> {
        let lock = Lock { key: self.prefixed(key), token: self.fresh() };
        let take = Command::Lock { key: lock.key.clone(), token: lock.token.clone(), ttl: millis(ttl) };
        Ok(self.ask(take).await?.done(self.place())?.then_some(lock))
    }

    /// Frees a lock; false if it had ended, whoever holds it now.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn unlock(&self, lock: Lock) -> Result<bool, Failure> {
        let Lock { key, token } = lock;
        Ok(self.ask(Command::Unlock { key, token }).await?.count(self.place())? == 1)
    }

    /// Keeps `new` for `ttl` if the key still has the value `old`, or none where that is none; says whether it was so. Of
    /// several at once, one succeeds. Values that are swapped are not empty.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn swap(
        &self,
        key: &str,
        old: Option<&Bytes>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<bool, Failure> {
        let (key, old) = (self.prefixed(key), old.cloned().unwrap_or_default());
        let swap = Command::Swap { key, old, new, ttl: millis(ttl) };
        Ok(self.ask(swap).await?.count(self.place())? == 1)
    }

    /// Adds to a counter and says what it is now. It lives `ttl` from its first count on.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn increment(&self, key: &str, by: u64, ttl: Duration) -> Result<u64, Failure> {
        let increment = Command::Increment { key: self.prefixed(key), by, ttl: millis(ttl) };
        self.ask(increment).await?.count(self.place())
    }

    /// Takes `cost` from a sliding window if it fits.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn take(&self, key: &str, quota: Quota, cost: u64) -> Result<Standing, Failure> {
        let take = Command::Take { key: self.prefixed(key), quota, cost, anyway: false };
        self.ask(take).await?.standing(self.place(), quota, cost)
    }

    /// Takes `cost` from a sliding window whether it fits or not: what was used is known only afterwards.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn take_anyway(&self, key: &str, quota: Quota, cost: u64) -> Result<Standing, Failure> {
        let take = Command::Take { key: self.prefixed(key), quota, cost, anyway: true };
        self.ask(take).await?.standing(self.place(), quota, cost)
    }

    /// Tells all who listen to `channel`.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn publish(&self, channel: &str, message: &str) -> Result<(), Failure> {
        self.delete_and_publish(&[], channel, message).await
    }

    /// Listens to channels. None with Upstash's REST, which has no lasting connection.
    pub fn subscribe(&self, channels: &[&str]) -> Option<Subscription> {
        let channels: Vec<String> = channels.iter().map(|channel| self.prefixed(channel)).collect();
        match &self.backend {
            Backend::Redis(redis) => {
                Some(Subscription::at_server(self.clone(), redis.clone(), channels, self.beat))
            }
            Backend::Memory(memory, _) => {
                Some(Subscription::in_memory(memory.news(), self.prefix.to_string(), channels))
            }
            Backend::Upstash(_) => None,
        }
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn ping(&self) -> Result<(), Failure> {
        self.ask(Command::Ping).await?.done(self.place()).map(drop)
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn info(&self) -> Result<Info, Failure> {
        if let Backend::Memory(memory, _) = &self.backend {
            let (used, most) = memory.usage();
            let bytes = |count: usize| u64::try_from(count).ok();
            let memory_policy = Some("volatile-ttl".to_owned());
            return Ok(Info {
                memory_policy,
                used_memory: bytes(used),
                max_memory: bytes(most),
                ..Info::default()
            });
        }
        Ok(Info::read(&self.ask(Command::Info).await?.text(self.place())?))
    }

    /// Some of our keys that begin with `start`; the first page has no cursor. A key may come twice, and pages may be empty.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn scan(&self, start: &str, cursor: Option<&str>) -> Result<Page, Failure> {
        let scan = Command::Scan { prefix: self.prefixed(start), cursor: cursor.unwrap_or("0").to_owned() };
        let (next, keys) = self.ask(scan).await?.page(self.place())?;
        let ours = keys.iter().filter_map(|key| key.strip_prefix(&*self.prefix));
        Ok(Page { keys: ours.map(str::to_owned).collect(), next })
    }

    fn prefixed(&self, key: &str) -> String {
        [&*self.prefix, key].concat()
    }

    /// A word that nobody else has.
    fn fresh(&self) -> String {
        self.ids.uuid()
    }

    async fn ask(&self, command: Command) -> Result<Reply, Failure> {
        let replies = self.run(std::slice::from_ref(&command)).await?;
        replies.into_iter().next().ok_or_else(|| Failure::garbage(self.place(), "answered nothing at all"))
    }

    async fn run(&self, commands: &[Command]) -> Result<Vec<Reply>, Failure> {
        match &self.backend {
            Backend::Redis(redis) => {
                redis.guard().call(commands, async |until| redis.run(commands, until).await).await
            }
            Backend::Upstash(upstash) => {
                upstash.guard().call(commands, async |until| upstash.run(commands, until).await).await
            }
            Backend::Memory(memory, place) => {
                guard::check(place, commands)?;
                Ok(memory.run(commands))
            }
        }
    }
}

/// How long something is kept, milliseconds: at least one, at most [`MAX_TTL`].
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.min(MAX_TTL).as_millis()).unwrap_or(1).max(1)
}

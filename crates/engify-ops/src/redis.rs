//! Reports on the memory that replicas share: whether it answers, how quickly, how it is set up, and what of ours it holds.

use std::time::{Duration, Instant};

use engify_clients::kv::{Failure, Info, Kv, KvOptions, Quota};
use engify_core::settings::{Redis, Settings};
use engify_core::{Error, Ids, Result};
use serde::Serialize;

/// What each probe leaves behind ends after this long, should its deletion fail.
const BRIEF: Duration = Duration::from_secs(60);
/// The share of its memory from which a server that does not evict counts as full, percent.
const NEARLY_FULL: u64 = 90;
/// The oldest major version whose scripts may ask for the time and then write.
const OLDEST: u32 = 5;

/// What the settings lead to.
#[derive(Debug)]
pub enum Target {
    /// A server.
    Server(Kv),
    /// None: nothing is set.
    NotConfigured,
    /// None: `REDIS_ENABLED=false`.
    Disabled,
}

/// Opens what the settings say. Nobody is called yet.
///
/// # Errors
/// When TLS or the address cannot be used at all.
pub fn open(settings: &Settings, ids: Ids) -> Result<Target> {
    let options = KvOptions::named(settings.core.environment.as_str());
    Ok(match (Kv::new(&settings.redis, &options, ids).map_err(Error::internal)?, &settings.redis) {
        (Some(kv), _) => Target::Server(kv),
        (None, Redis::Disabled) => Target::Disabled,
        (None, _) => Target::NotConfigured,
    })
}

/// Whether it answers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `connected`, `not_configured`, `disabled` or `error`, as in `/api/health`.
    pub state: &'static str,
    /// `redis` or `upstash`; none without a server.
    pub kind: Option<&'static str>,
    /// Where it is, without user, password or token.
    pub address: Option<String>,
    /// Milliseconds until it answered, making the connection included.
    pub answer_ms: Option<f64>,
    /// The failure's word: `refused`, `auth`, `timeout`, `read_only`, `out_of_memory`, `garbage`, `too_large`.
    pub failure: Option<&'static str>,
    /// What is wrong and what to do.
    pub remedy: Option<String>,
}

impl Health {
    /// Whether something that is configured does not work.
    pub fn is_wanting(&self) -> bool {
        self.state == "error"
    }
}

/// Asks once.
pub async fn health(target: &Target) -> Health {
    let without =
        |state| Health { state, kind: None, address: None, answer_ms: None, failure: None, remedy: None };
    let kv = match target {
        Target::NotConfigured => return without("not_configured"),
        Target::Disabled => return without("disabled"),
        Target::Server(kv) => kv,
    };
    let begun = Instant::now();
    let answered = kv.set("health", "asked".into(), BRIEF).await;
    let answer_ms = millis(begun.elapsed());
    let failure = answered.err();
    Health {
        state: if failure.is_none() { "connected" } else { "error" },
        kind: Some(kv.place().kind),
        address: Some(kv.place().address.clone()),
        answer_ms: failure.is_none().then_some(answer_ms),
        failure: failure.as_ref().map(|failure| failure.kind.word()),
        remedy: failure.map(|failure| failure.message.to_string()),
    }
}

/// What a test of the server found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    /// `redis` or `upstash`.
    pub kind: &'static str,
    /// Where it is.
    pub address: String,
    /// Whether the way there is encrypted.
    pub tls: bool,
    /// What it says of itself.
    pub info: Info,
    /// How long one read takes.
    pub latency: Option<Latency>,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// Whether nothing is wanting.
    pub ok: bool,
}

/// How long one read takes, milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// How many were made, one after the other.
    pub rounds: usize,
    /// Half of them are quicker.
    pub p50_ms: f64,
    /// 95 of 100 are quicker.
    pub p95_ms: f64,
    /// 99 of 100 are quicker.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What: `round trip`, `locks`, `rate limits`, `version`, `role`, `memory`, `encryption`.
    pub name: &'static str,
    /// `good`, `note` (worth knowing, nothing is wrong) or `wanting`.
    pub state: &'static str,
    /// What was found, and what to do where it is wanting.
    pub found: String,
}

/// Tries everything that we use of a server, and reads `rounds` times to see how long it takes.
pub async fn test(kv: &Kv, ids: &Ids, rounds: usize) -> Test {
    let place = kv.place();
    // A key of this run's own, so that two tests at once do not meet.
    let key = format!("test:{}", ids.uuid());
    let trip = round_trip(kv, &key).await;
    let reachable = trip.state == "good";
    let mut checks = vec![trip];
    let (mut info, mut latency) = (Info::default(), None);
    if reachable {
        checks.push(locks(kv, &key).await);
        checks.push(limits(kv, &key).await);
        match kv.info().await {
            Ok(said) => info = said,
            Err(failure) => {
                checks.push(note("version", format!("It does not say what it is: {}", failure.message)))
            }
        }
        checks.extend(version(&info));
        checks.extend(role(&info));
        checks.extend(memory(&info));
        match read(kv, &key, rounds).await {
            Ok(read) => latency = Some(read),
            Err(failure) => checks.push(wanting("latency", &failure)),
        }
    }
    checks.push(encryption(kv));
    // What stays behind ends by itself within a minute.
    let _ = kv.delete(&[&key, &format!("{key}:lock"), &format!("{key}:limit")]).await;
    Test {
        kind: place.kind,
        address: place.address.clone(),
        tls: place.tls,
        info,
        latency,
        ok: checks.iter().all(|check| check.state != "wanting"),
        checks,
    }
}

async fn round_trip(kv: &Kv, key: &str) -> Check {
    let work = async {
        kv.set(key, "there and back".into(), BRIEF).await?;
        kv.get(key).await
    };
    match work.await {
        Ok(Some(value)) if value == "there and back" => {
            good("round trip", "what was written came back".to_owned())
        }
        Ok(_) => {
            let found = "What was written did not come back. Is this a cluster or a proxy that reads from a replica that \
                         lags? Name the primary."
                .to_owned();
            Check { name: "round trip", state: "wanting", found }
        }
        Err(failure) => wanting("round trip", &failure),
    }
}

async fn locks(kv: &Kv, key: &str) -> Check {
    let key = format!("{key}:lock");
    let work = async {
        let first = kv.lock(&key, BRIEF).await?;
        let second = kv.lock(&key, BRIEF).await?;
        let freed = match first {
            Some(lock) => kv.unlock(lock).await?,
            None => false,
        };
        Ok::<_, Failure>(freed && second.is_none())
    };
    match work.await {
        Ok(true) => good("locks", "one at a time holds a lock".to_owned()),
        Ok(false) => {
            let found = "Two held the same lock. Is this a server of Redis' protocol that knows `SET … NX`?"
                .to_owned();
            Check { name: "locks", state: "wanting", found }
        }
        Err(failure) => wanting("locks", &failure),
    }
}

async fn limits(kv: &Kv, key: &str) -> Check {
    let (key, quota) = (format!("{key}:limit"), Quota { max: 1, window: BRIEF });
    let work = async {
        let first = kv.take(&key, quota, 1).await?;
        let second = kv.take(&key, quota, 1).await?;
        Ok::<_, Failure>(first.allowed && !second.allowed)
    };
    match work.await {
        Ok(true) => good("rate limits", "exactly the limit passes".to_owned()),
        Ok(false) => {
            let found =
                "A limit of one let another number through. Does the server run Lua scripts as Redis does?"
                    .to_owned();
            Check { name: "rate limits", state: "wanting", found }
        }
        Err(failure) => wanting("rate limits", &failure),
    }
}

fn version(info: &Info) -> Option<Check> {
    let version = info.version.as_ref()?;
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    Some(match major {
        Some(major) if major < OLDEST => Check {
            name: "version",
            state: "wanting",
            found: format!("Redis {version} is too old for our scripts. Use {OLDEST} or newer."),
        },
        _ => good("version", format!("Redis {version}")),
    })
}

fn role(info: &Info) -> Option<Check> {
    match info.role.as_deref()? {
        "master" => Some(good("role", "primary".to_owned())),
        _ => Some(Check {
            name: "role",
            state: "wanting",
            found: "It is a replica and takes no writes. Point REDIS_URL at the primary.".to_owned(),
        }),
    }
}

fn memory(info: &Info) -> Option<Check> {
    let policy = info.memory_policy.as_ref()?;
    let (used, most) = (info.used_memory.unwrap_or(0), info.max_memory);
    let keeps = policy == "noeviction";
    Some(match most {
        Some(most) if keeps && used.saturating_mul(100) >= most.saturating_mul(NEARLY_FULL) => Check {
            name: "memory",
            state: "wanting",
            found: format!(
                "{} % of {} MiB are in use and nothing is evicted: soon it takes no writes. Give it more, or set \
                 `maxmemory-policy volatile-ttl`.",
                used.saturating_mul(100) / most.max(1),
                most >> 20
            ),
        },
        Some(most) if keeps => note(
            "memory",
            format!(
                "{} MiB at most, and nothing is evicted (noeviction): when it is full, it takes no writes",
                most >> 20
            ),
        ),
        Some(most) => good("memory", format!("{} MiB at most, then {policy}", most >> 20)),
        None => {
            note("memory", format!("no bound (maxmemory 0), {policy}: it may grow until the machine is full"))
        }
    })
}

fn encryption(kv: &Kv) -> Check {
    let place = kv.place();
    if place.tls {
        return good("encryption", "TLS".to_owned());
    }
    let here = ["127.0.0.1", "localhost", "[::1]", "http://127.0.0.1", "http://localhost"];
    if here.iter().any(|host| place.address.starts_with(host)) {
        return good("encryption", "none, and none is needed on one machine".to_owned());
    }
    note("encryption", "none: fine inside a network of its own, else use rediss://".to_owned())
}

async fn read(kv: &Kv, key: &str, rounds: usize) -> Result<Latency, Failure> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds.max(1) {
        let begun = Instant::now();
        kv.get(key).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |share: usize| {
        times.get((times.len() * share).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    };
    Ok(Latency {
        rounds: times.len(),
        p50_ms: millis(at(50)),
        p95_ms: millis(at(95)),
        p99_ms: millis(at(99)),
        max_ms: millis(at(100)),
    })
}

/// What of ours a server holds, and what became of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flush {
    /// Where it is.
    pub address: String,
    /// What our keys begin with; no others are touched.
    pub prefix: String,
    /// How many there were.
    pub found: u64,
    /// How many were deleted; 0 where only a plan was asked for.
    pub deleted: u64,
}

/// Counts our keys, and deletes them if `delete`. Keys that are made meanwhile may stay.
///
/// # Errors
/// The failure of the server's first call that failed; what was deleted before it is gone.
pub async fn flush(kv: &Kv, delete: bool) -> Result<Flush, Failure> {
    let mut flush =
        Flush { address: kv.place().address.clone(), prefix: kv.prefix().to_owned(), found: 0, deleted: 0 };
    let mut cursor = None;
    loop {
        let page = kv.scan("", cursor.as_deref()).await?;
        flush.found += u64::try_from(page.keys.len()).unwrap_or(0);
        if delete {
            let keys: Vec<&str> = page.keys.iter().map(String::as_str).collect();
            flush.deleted += kv.delete(&keys).await?;
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(flush);
        }
    }
}

fn good(name: &'static str, found: String) -> Check {
    Check { name, state: "good", found }
}

fn note(name: &'static str, found: String) -> Check {
    Check { name, state: "note", found }
}

fn wanting(name: &'static str, failure: &Failure) -> Check {
    Check { name, state: "wanting", found: failure.message.to_string() }
}

/// Milliseconds with three digits behind the point.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

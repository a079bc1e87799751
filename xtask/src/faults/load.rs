//! Callers at work: people who are signed in, read and write, and strangers who read. Each keeps what it saw, and what was
//! acknowledged to it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::http::{Client, Reply};

/// People, strangers. One address may make five accounts in five minutes.
const CALLERS: (usize, usize) = (4, 4);
/// From one request of a caller to the next: 4 × 40 requests a second, writes of one person well below their limit.
const PACE: Duration = Duration::from_millis(25);
/// Each so many-th request of a person is a write.
const WRITES: usize = 5;

/// All callers.
pub(super) struct Load {
    callers: Vec<JoinHandle<(Client, Vec<Write>)>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    seen: Mutex<Vec<Seen>>,
    last_failure: Mutex<Option<Instant>>,
    /// Which fault it is, counted from the first one that is taken.
    round: Mutex<usize>,
}

/// What a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// As it should.
    Good,
    /// 503 that says when to ask again.
    Refused,
    /// Another failure, or no reply.
    Broken,
    /// A reply that is not true: signed out, or nothing there.
    Untrue,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) begun: Instant,
    pub(super) took: Duration,
    /// Whether the caller is signed in.
    pub(super) signed_in: bool,
    pub(super) write: bool,
    pub(super) came: Came,
    /// What it was and what came, of those that are not good.
    pub(super) words: String,
}

/// A prompt that was acknowledged with 201.
struct Write {
    round: usize,
    slug: String,
    content: String,
}

impl Load {
    /// Makes the accounts, and begins.
    pub(super) fn start(url: &str) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut callers = Vec::new();
        for number in 0..CALLERS.0 + CALLERS.1 {
            let mut client = Client::of(url)?;
            let signed_in = number < CALLERS.0;
            if signed_in {
                sign_up(&mut client, number)?;
            }
            let caller =
                Caller { number, signed_in, client, writes: Vec::new(), shared: Arc::clone(&shared) };
            callers.push(std::thread::spawn(move || caller.work()));
        }
        Ok(Self { callers, shared })
    }

    /// When a request failed last.
    pub(super) fn last_failure(&self) -> Option<Instant> {
        *held(&self.shared.last_failure)
    }

    /// What was seen since the last time; what comes next belongs to the next round.
    pub(super) fn take(&self) -> Vec<Seen> {
        *held(&self.shared.round) += 1;
        std::mem::take(&mut *held(&self.shared.seen))
    }

    /// Ends the load and reads back everything that was acknowledged: how much of each round is lost.
    pub(super) fn stop_and_read_back(self) -> Result<Vec<(usize, usize)>> {
        self.shared.stop.store(true, Relaxed);
        let mut rounds = vec![(0, 0); *held(&self.shared.round) + 1];
        for caller in self.callers {
            let Ok((mut client, writes)) = caller.join() else { bail!("a caller broke; see above") };
            for write in writes {
                let reply = client.get(&format!("/api/prompts/{}", write.slug))?;
                let kept: Value = serde_json::from_str(&reply.body).unwrap_or_default();
                let (acknowledged, lost) = &mut rounds[write.round];
                *acknowledged += 1;
                if kept["content"] != write.content.as_str() {
                    eprintln!("faults: lost: {} answers {} {}", write.slug, reply.status, reply.body);
                    *lost += 1;
                }
            }
        }
        Ok(rounds)
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sign_up(client: &mut Client, number: usize) -> Result<()> {
    let account = json!({ "email": format!("caller{number}@example.com"), "name": format!("Caller {number}"),
        "password": "violet tractor hums at noon" });
    let reply = client.post("/api/auth/signup", &account.to_string())?;
    // Cookies are given in the case they were set in; ours has no upper case.
    let cookie = reply.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    let cookie = cookie.with_context(|| format!("no account: {} {}", reply.status, reply.body))?.to_owned();
    client.keep_cookie(&cookie);
    Ok(())
}

struct Caller {
    number: usize,
    signed_in: bool,
    client: Client,
    writes: Vec<Write>,
    shared: Arc<Shared>,
}

impl Caller {
    fn work(mut self) -> (Client, Vec<Write>) {
        let mut count = 0;
        while !self.shared.stop.load(Relaxed) {
            let begun = Instant::now();
            let write = self.signed_in && count % WRITES == 0;
            let (what, came, told) = if write { self.write(count) } else { self.read(count) };
            let took = begun.elapsed();
            let words = if came == Came::Good { String::new() } else { format!("{what}: {told}") };
            if came != Came::Good {
                *held(&self.shared.last_failure) = Some(Instant::now());
            }
            let seen = Seen { begun, took, signed_in: self.signed_in, write, came, words };
            held(&self.shared.seen).push(seen);
            super::pass(PACE.saturating_sub(took));
            count += 1;
        }
        (self.client, self.writes)
    }

    fn write(&mut self, count: usize) -> (&'static str, Came, String) {
        let round = *held(&self.shared.round);
        let title = format!("Written by {} as number {count}", self.number);
        let content = format!("What {} had to say the {count}th time.", self.number);
        let reply =
            self.client.post("/api/prompts", &json!({ "title": title, "content": content }).to_string());
        let slug = reply.as_ref().ok().filter(|reply| reply.status == 201).and_then(|reply| {
            let made: Value = serde_json::from_str(&reply.body).ok()?;
            Some(made["slug"].as_str()?.to_owned())
        });
        let came = judge(&reply, |_| slug.is_some());
        self.writes.extend(slug.map(|slug| Write { round, slug, content }));
        ("POST /api/prompts", came, told(&reply))
    }

    fn read(&mut self, count: usize) -> (&'static str, Came, String) {
        let lists_some = |body: &Value| body["data"].as_array().is_some_and(|list| !list.is_empty());
        let knows_me = |body: &Value| !body["user"].is_null();
        let path = match (self.signed_in, count % WRITES) {
            (true, 1) => "/api/auth/session",
            (_, 2) => "/api/prompts?limit=5",
            (true, 3) => "/api/prompts?q=review&limit=5",
            (_, 3) => "/api/prompts?limit=5&sort=used",
            _ => "/prompts",
        };
        let reply = self.client.get(path);
        let came = judge(&reply, |reply| match serde_json::from_str::<Value>(&reply.body) {
            Ok(body) if path.ends_with("session") => knows_me(&body),
            Ok(body) => lists_some(&body),
            Err(_) => reply.body.contains("</html>"),
        });
        (path, came, told(&reply))
    }
}

fn judge(reply: &std::io::Result<Reply>, is_true: impl Fn(&Reply) -> bool) -> Came {
    match reply {
        Ok(reply) if matches!(reply.status, 200 | 201) && is_true(reply) => Came::Good,
        Ok(reply) if matches!(reply.status, 200..=399 | 401 | 403 | 404) => Came::Untrue,
        Ok(reply) if reply.status == 503 && reply.header("retry-after").is_some() => Came::Refused,
        _ => Came::Broken,
    }
}

/// The beginning of what came, for a report.
fn told(reply: &std::io::Result<Reply>) -> String {
    match reply {
        Ok(reply) => format!("{} {}", reply.status, reply.body.chars().take(200).collect::<String>()),
        Err(error) => error.to_string(),
    }
}

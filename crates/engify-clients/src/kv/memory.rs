//! The memory of this process, with the same answers as a server's: for one process alone, and for tests.
//!
//! It knows commands and a clock. What it holds is bounded in bytes; when that is not enough, what ends soonest goes
//! first, as with Redis' policy `volatile-ttl`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use engify_core::Clock;
use tokio::sync::broadcast;

use super::command::Command;
use super::reply::Reply;
use super::window::Window;

/// What an entry costs beside its key and value, bytes, roughly.
const ENTRY: usize = 96;
/// Messages that one who listens may lag behind before it is told that it missed some.
const BACKLOG: usize = 1024;

/// Keeps what is asked of it. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    most: usize,
    shelf: Mutex<Shelf>,
    news: broadcast::Sender<(String, String)>,
}

#[derive(Debug, Default)]
struct Shelf {
    entries: HashMap<String, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    held: Held,
    /// When it ends, milliseconds since the Unix epoch.
    until: i64,
}

#[derive(Debug)]
enum Held {
    Value(Bytes),
    Count(i64),
    Window(Window),
}

impl Memory {
    /// An empty one of at most `bytes`.
    pub(super) fn new(clock: Clock, bytes: usize) -> Self {
        let (news, _) = broadcast::channel(BACKLOG);
        Self(Arc::new(Inner { clock, most: bytes, shelf: Mutex::new(Shelf::default()), news }))
    }

    /// What is published from now on.
    pub(super) fn news(&self) -> broadcast::Receiver<(String, String)> {
        self.0.news.subscribe()
    }

    /// How many bytes it holds, roughly, and may hold.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.shelf().bytes, self.0.most)
    }

    /// Does all of these; nobody sees some of them done and others not.
    pub(super) fn run(&self, commands: &[Command]) -> Vec<Reply> {
        let now = self.0.clock.now().millis();
        let mut shelf = self.shelf();
        let replies = commands.iter().map(|command| self.execute(&mut shelf, command, now)).collect();
        if shelf.bytes > self.0.most {
            shelf.make_room(self.0.most / 8 * 7, now);
        }
        replies
    }

    fn execute(&self, shelf: &mut Shelf, command: &Command, now: i64) -> Reply {
        match command {
            Command::Get { key } => match shelf.live(key, now) {
                Some(Entry { held: Held::Value(value), .. }) => Reply::Bytes(value.clone()),
                Some(Entry { held: Held::Count(count), .. }) => Reply::Bytes(count.to_string().into()),
                Some(Entry { held: Held::Window(_), .. }) => Reply::Refusal(
                    "WRONGTYPE Operation against a key holding the wrong kind of value".to_owned(),
                ),
                None => Reply::Nothing,
            },
            Command::Set { key, value, ttl } => {
                shelf.put(key, Held::Value(value.clone()), end(now, *ttl));
                Reply::Done
            }
            Command::Lock { key, token, ttl } => {
                if shelf.live(key, now).is_some() {
                    return Reply::Nothing;
                }
                shelf.put(key, Held::Value(token.clone().into()), end(now, *ttl));
                Reply::Done
            }
            Command::Unlock { key, token } => {
                let ours = matches!(shelf.live(key, now), Some(Entry { held: Held::Value(value), .. }) if value == token);
                Reply::Count(i64::from(ours && shelf.remove(key)))
            }
            Command::Swap { key, old, new, ttl } => {
                let kept = match shelf.live(key, now) {
                    Some(Entry { held: Held::Value(value), .. }) => value.clone(),
                    _ => Bytes::new(),
                };
                if kept == *old {
                    shelf.put(key, Held::Value(new.clone()), end(now, *ttl));
                }
                Reply::Count((kept == *old).into())
            }
            Command::Delete { keys } => {
                let there = keys.iter().filter(|key| shelf.live(key, now).is_some() && shelf.remove(key));
                Reply::Count(i64::try_from(there.count()).unwrap_or(i64::MAX))
            }
            Command::Increment { key, by, ttl } => {
                let by = i64::try_from(*by).unwrap_or(i64::MAX);
                let (count, until) = match shelf.live(key, now) {
                    Some(Entry { held: Held::Count(count), until }) => (count.saturating_add(by), *until),
                    _ => (by, end(now, *ttl)),
                };
                shelf.put(key, Held::Count(count), until);
                Reply::Count(count)
            }
            Command::Take { key, quota, cost, anyway } => {
                let length = quota.length();
                let window = match shelf.live(key, now) {
                    Some(Entry { held: Held::Window(window), .. }) => *window,
                    _ => Window::empty(now),
                };
                let mut window = window.turned(now, *quota);
                let fits = window.take(*quota, *cost, *anyway);
                if fits || *anyway {
                    shelf.put(key, Held::Window(window), window.at.saturating_add(2 * length));
                }
                let count = |count: u64| Reply::Count(i64::try_from(count).unwrap_or(i64::MAX));
                let counts = [count(window.count), count(window.last)];
                Reply::List(
                    [Reply::Count(fits.into()), Reply::Count(window.at)].into_iter().chain(counts).collect(),
                )
            }
            Command::Publish { channel, message } => {
                let heard = self.0.news.send((channel.clone(), message.clone())).unwrap_or(0);
                Reply::Count(i64::try_from(heard).unwrap_or(i64::MAX))
            }
            Command::Scan { prefix, .. } => {
                let live =
                    shelf.entries.iter().filter(|(key, entry)| key.starts_with(prefix) && entry.until > now);
                let keys = live.map(|(key, _)| Reply::Bytes(key.clone().into())).collect();
                Reply::List(vec![Reply::Bytes(Bytes::from_static(b"0")), Reply::List(keys)])
            }
            Command::Ping => Reply::Done,
            Command::Info => Reply::Bytes(Bytes::new()),
        }
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn live(&self, key: &str, now: i64) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.until > now)
    }

    fn put(&mut self, key: &str, held: Held, until: i64) {
        self.remove(key);
        self.bytes += size(key, &held);
        self.entries.insert(key.to_owned(), Entry { held, until });
    }

    fn remove(&mut self, key: &str) -> bool {
        let gone = self.entries.remove(key);
        self.bytes -= gone.as_ref().map_or(0, |entry| size(key, &entry.held));
        gone.is_some()
    }

    /// Drops what has ended, then what ends soonest, until it holds at most so many bytes.
    fn make_room(&mut self, most: usize, now: i64) {
        self.entries.retain(|_, entry| entry.until > now);
        self.bytes = self.entries.iter().map(|(key, entry)| size(key, &entry.held)).sum();
        if self.bytes <= most {
            return;
        }
        let mut ends: Vec<(i64, String)> =
            self.entries.iter().map(|(key, entry)| (entry.until, key.clone())).collect();
        ends.sort_unstable();
        for (_, key) in ends {
            if self.bytes <= most {
                return;
            }
            self.remove(&key);
        }
    }
}

fn size(key: &str, held: &Held) -> usize {
    let value = match held {
        Held::Value(value) => value.len(),
        Held::Count(_) | Held::Window(_) => 0,
    };
    key.len() + value + ENTRY
}

fn end(now: i64, ttl: u64) -> i64 {
    now.saturating_add(i64::try_from(ttl).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use engify_core::Time;

    use super::*;

    fn set(key: &str, bytes: usize, ttl: u64) -> Command {
        Command::Set { key: key.to_owned(), value: vec![0; bytes].into(), ttl }
    }

    #[test]
    fn what_ends_soonest_goes_first_when_it_is_full() {
        let memory = Memory::new(Clock::fixed(Time::from_millis(0)), 4 << 10);
        for (key, ttl) in [("long", 900), ("short", 100), ("middle", 500)] {
            memory.run(&[set(key, 1200, ttl)]);
        }
        memory.run(&[set("new", 1200, 700)]);
        let there = |key: &str| memory.run(&[Command::Get { key: key.to_owned() }]) != [Reply::Nothing];
        assert_eq!(["long", "short", "middle", "new"].map(there), [true, false, false, true]);
        assert!(memory.usage().0 <= memory.usage().1);
    }

    #[test]
    fn what_has_ended_is_not_there_and_goes_when_room_is_needed() {
        let clock = Clock::fixed(Time::from_millis(0));
        let memory = Memory::new(clock.clone(), 4 << 10);
        memory.run(&[set("a", 1000, 10), set("b", 1000, 10)]);
        clock.advance(std::time::Duration::from_millis(10));
        assert_eq!(memory.run(&[Command::Get { key: "a".to_owned() }]), [Reply::Nothing]);
        memory.run(&[set("c", 3000, 10)]);
        assert_eq!(memory.usage().0, 3000 + 1 + ENTRY);
    }
}

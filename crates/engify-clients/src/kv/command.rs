//! What can be asked of a key-value server, and how Redis says it.
//!
//! A closed list: what a platform needs and no more, so that memory can do the same. Commands are in capitals, because
//! Upstash's REST and its stand-ins tell some answers apart by that.

use std::sync::LazyLock;

use bytes::Bytes;

use super::window::Quota;

/// One thing to ask.
#[derive(Debug, Clone)]
pub(super) enum Command {
    /// The value, if there is one.
    Get { key: String },
    /// Keeps a value for `ttl` milliseconds.
    Set { key: String, value: Bytes, ttl: u64 },
    /// Keeps a token for `ttl` milliseconds if the key is free.
    Lock { key: String, token: String, ttl: u64 },
    /// Frees the key if it still holds the token.
    Unlock { key: String, token: String },
    /// Keeps `new` for `ttl` milliseconds if `old` is still there; an empty `old` is nothing.
    Swap { key: String, old: Bytes, new: Bytes, ttl: u64 },
    /// Forgets keys; how many there were.
    Delete { keys: Vec<String> },
    /// Adds to a counter that lives `ttl` milliseconds from its first count on.
    Increment { key: String, by: u64, ttl: u64 },
    /// Takes from a sliding window.
    Take { key: String, quota: Quota, cost: u64, anyway: bool },
    /// Tells all who listen.
    Publish { channel: String, message: String },
    /// Some of the keys that begin with `prefix`, from `cursor` on.
    Scan { prefix: String, cursor: String },
    /// Whether it answers.
    Ping,
    /// What it says of itself.
    Info,
}

/// A piece of a command as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Text.
    Text(String),
    /// A caller's bytes.
    Value(Bytes),
}

/// A script with the hash that servers know it by.
#[derive(Debug)]
pub(super) struct Lua {
    pub(super) code: &'static str,
    pub(super) hash: String,
}

impl Lua {
    fn new(code: &'static str) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned() }
    }
}

static WINDOW: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("scripts/window.lua")));
static INCREMENT: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("scripts/increment.lua")));
static SWAP: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("scripts/swap.lua")));
static RELEASE: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("scripts/release.lua")));

impl Command {
    /// Whether it puts something into memory: what a full or read-only server refuses. Deletions are always tried.
    pub(super) fn fills(&self) -> bool {
        matches!(
            self,
            Self::Set { .. }
                | Self::Lock { .. }
                | Self::Swap { .. }
                | Self::Increment { .. }
                | Self::Take { .. }
        )
    }

    /// Whether asking twice does no harm, so that a connection that broke on the way may be replaced and asked again.
    pub(super) fn may_repeat(&self) -> bool {
        match self {
            Self::Get { .. }
            | Self::Set { .. }
            | Self::Delete { .. }
            | Self::Publish { .. }
            | Self::Scan { .. }
            | Self::Ping
            | Self::Info => true,
            Self::Lock { .. }
            | Self::Unlock { .. }
            | Self::Swap { .. }
            | Self::Increment { .. }
            | Self::Take { .. } => false,
        }
    }

    /// The key and the value whose sizes are bounded.
    pub(super) fn sizes(&self) -> (usize, usize) {
        match self {
            Self::Set { key, value, .. } => (key.len(), value.len()),
            Self::Swap { key, new, .. } => (key.len(), new.len()),
            Self::Get { key }
            | Self::Lock { key, .. }
            | Self::Unlock { key, .. }
            | Self::Increment { key, .. }
            | Self::Take { key, .. } => (key.len(), 0),
            Self::Delete { keys } => (keys.iter().map(String::len).max().unwrap_or(0), 0),
            Self::Publish { channel, message } => (channel.len(), message.len()),
            Self::Scan { .. } | Self::Ping | Self::Info => (0, 0),
        }
    }

    /// The script that it runs, if it is one.
    pub(super) fn script(&self) -> Option<&'static Lua> {
        match self {
            Self::Take { .. } => Some(&WINDOW),
            Self::Increment { .. } => Some(&INCREMENT),
            Self::Unlock { .. } => Some(&RELEASE),
            Self::Swap { .. } => Some(&SWAP),
            _ => None,
        }
    }

    /// As Redis says it, scripts by their hash.
    pub(super) fn words(&self) -> Vec<Word> {
        let mut words = Vec::with_capacity(8);
        match self {
            Self::Get { key } => say(&mut words, ["GET", key]),
            Self::Set { key, value, ttl } => {
                say(&mut words, ["SET", key]);
                words.push(Word::Value(value.clone()));
                say(&mut words, ["PX", &ttl.to_string()]);
            }
            Self::Lock { key, token, ttl } => {
                say(&mut words, ["SET", key, token, "NX", "PX", &ttl.to_string()]);
            }
            Self::Swap { key, old, new, ttl } => {
                call(&mut words, &SWAP, key, []);
                words.extend([Word::Value(old.clone()), Word::Value(new.clone())]);
                say(&mut words, [&ttl.to_string()]);
            }
            Self::Delete { keys } => {
                say(&mut words, ["DEL"]);
                words.extend(keys.iter().cloned().map(Word::Text));
            }
            Self::Publish { channel, message } => say(&mut words, ["PUBLISH", channel, message]),
            Self::Scan { prefix, cursor } => {
                say(&mut words, ["SCAN", cursor, "MATCH", &format!("{}*", literal(prefix)), "COUNT", "500"]);
            }
            Self::Ping => say(&mut words, ["PING"]),
            Self::Info => say(&mut words, ["INFO"]),
            Self::Unlock { key, token } => call(&mut words, &RELEASE, key, [token]),
            Self::Increment { key, by, ttl } => {
                call(&mut words, &INCREMENT, key, [&by.to_string(), &ttl.to_string()]);
            }
            Self::Take { key, quota, cost, anyway } => {
                let (length, most) = (quota.length().to_string(), quota.most().to_string());
                let anyway = if *anyway { "1" } else { "0" };
                call(&mut words, &WINDOW, key, [&length, &most, &cost.to_string(), anyway]);
            }
        }
        words
    }

    /// The same with the script itself, for a server that has forgotten it.
    pub(super) fn words_in_full(&self) -> Vec<Word> {
        let mut words = self.words();
        if let (Some(script), [verb, hash, ..]) = (self.script(), words.as_mut_slice()) {
            *verb = Word::Text("EVAL".to_owned());
            *hash = Word::Text(script.code.to_owned());
        }
        words
    }
}

fn say<const N: usize>(words: &mut Vec<Word>, said: [&str; N]) {
    words.extend(said.map(|word| Word::Text(word.to_owned())));
}

fn call<const N: usize>(words: &mut Vec<Word>, script: &Lua, key: &str, args: [&str; N]) {
    say(words, ["EVALSHA", &script.hash, "1", key]);
    say(words, args);
}

/// A prefix in which no character stands for others.
fn literal(prefix: &str) -> String {
    let mut literal = String::with_capacity(prefix.len());
    for c in prefix.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_means_itself() {
        assert_eq!(literal("engify:a*[b]"), "engify:a\\*\\[b\\]");
    }

    #[test]
    fn a_script_goes_by_its_hash_and_in_full() {
        let command = Command::Increment { key: "k".to_owned(), by: 2, ttl: 5 };
        let text = |words: Vec<Word>, at: usize| match words.into_iter().nth(at) {
            Some(Word::Text(text)) => text,
            _ => String::new(),
        };
        assert_eq!(text(command.words(), 0), "EVALSHA");
        assert_eq!(text(command.words(), 1).len(), 40);
        assert_eq!(text(command.words_in_full(), 0), "EVAL");
        assert!(text(command.words_in_full(), 1).contains("INCRBY"));
    }
}

//! How a key-value server fails: seven words, each with a sentence that says what to do next.
//!
//! The remedies are the operations guide's. Foreign text is cut and cleaned here; a password or token never gets this far.

use std::fmt;
use std::sync::Arc;

use super::Place;
use crate::http::cleaned;

/// What went wrong, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Nobody listens there, the connection broke, or the server is not ready to serve.
    Refused,
    /// The password or token is not accepted, or the user may not do this.
    Auth,
    /// No answer within the deadline.
    Timeout,
    /// It answers, and takes no writes: a replica, or a primary that cannot save.
    ReadOnly,
    /// It answers, and has no room for more.
    OutOfMemory,
    /// What it answered is no answer.
    Garbage,
    /// A key or value is larger than the stated bound; nothing was sent, or nothing was kept of what came.
    TooLarge,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Refused,
        Self::Auth,
        Self::Timeout,
        Self::ReadOnly,
        Self::OutOfMemory,
        Self::Garbage,
        Self::TooLarge,
    ];

    /// The stable word: `refused`, `auth`, `timeout`, `read_only`, `out_of_memory`, `garbage`, `too_large`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Auth => "auth",
            Self::Timeout => "timeout",
            Self::ReadOnly => "read_only",
            Self::OutOfMemory => "out_of_memory",
            Self::Garbage => "garbage",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether reads may still work: the server answers, it only takes no writes.
    pub(super) fn concerns_writes(self) -> bool {
        matches!(self, Self::ReadOnly | Self::OutOfMemory)
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Refused => {
                "Check the address in REDIS_URL or UPSTASH_REDIS_REST_URL, that the server runs and that this machine may \
                 reach it, then `engify redis health`; REDIS_ENABLED=false runs without it."
            }
            Self::Auth => {
                "Check the user and password in REDIS_URL, or UPSTASH_REDIS_REST_TOKEN, then `engify redis health`."
            }
            Self::Timeout => {
                "Look at its load and at the network between, then `engify redis test`; REDIS_ENABLED=false runs without it."
            }
            Self::ReadOnly => {
                "Point REDIS_URL at the primary, or let it save again (disk space, `INFO persistence`)."
            }
            Self::OutOfMemory => {
                "Give it more memory, or let it evict: `maxmemory-policy allkeys-lru`; `engify redis flush` frees what is ours."
            }
            Self::Garbage => {
                "Check that REDIS_URL or UPSTASH_REDIS_REST_URL leads to a Redis and not to something else."
            }
            Self::TooLarge => "It is not kept there.",
        }
    }
}

/// A call that failed. Cheap to clone: an open circuit hands the same one to every caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, by what can be done about it.
    pub kind: FailureKind,
    /// A sentence that says what happened and one that says what to do. No control characters, never a password.
    pub message: Arc<str>,
}

impl Failure {
    /// A failure; `what` completes "Redis at host:port …" and ends without a full stop.
    pub(super) fn new(kind: FailureKind, place: &Place, what: &str) -> Self {
        Self { kind, message: format!("{place} {what}. {}", kind.remedy()).into() }
    }

    /// No answer within the deadline.
    pub(super) fn silent(place: &Place) -> Self {
        Self::new(FailureKind::Timeout, place, "did not answer in time")
    }

    /// An answer that is none; `what` says of what kind.
    pub(super) fn garbage(place: &Place, what: &str) -> Self {
        Self::new(FailureKind::Garbage, place, what)
    }

    /// The server answered with an error of its own: a word in capitals and a sentence.
    pub(super) fn said(place: &Place, text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let kind = match text.split_ascii_whitespace().next().unwrap_or_default() {
            "NOAUTH" | "WRONGPASS" | "NOPERM" => FailureKind::Auth,
            "READONLY" | "MISCONF" | "NOREPLICAS" => FailureKind::ReadOnly,
            "OOM" => FailureKind::OutOfMemory,
            "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" => FailureKind::Refused,
            _ if lower.contains("unauthorized") || lower.contains("invalid password") => FailureKind::Auth,
            _ if lower.contains("max number of clients") || lower.contains("limit exceeded") => {
                FailureKind::Refused
            }
            _ if lower.contains("max request size") => FailureKind::TooLarge,
            _ => FailureKind::Garbage,
        };
        Self::new(kind, place, &format!("says: {}", cleaned(text.trim_end_matches('.'))))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.word(), self.message)
    }
}

impl std::error::Error for Failure {}

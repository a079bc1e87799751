//! The memory that replicas share, and how it was when it was last asked.

use std::time::Duration;

use engify_clients::kv::{Failure, Kv};
use engify_core::settings::{Redis, Settings};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long an answer of the server counts for those who ask after its health.
const FRESH: Duration = Duration::from_secs(2);

/// The memory that replicas share.
#[derive(Debug)]
pub(crate) struct Shared {
    kv: Option<Kv>,
    disabled: bool,
    /// When it was last asked and why it did not answer. Held while it is asked, so that a crowd asks once.
    looked: Mutex<Option<(Instant, Option<Failure>)>>,
}

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// It answers.
    Connected,
    /// There is none.
    NotConfigured,
    /// There may be one; `REDIS_ENABLED=false`.
    Disabled,
    /// It does not answer, or takes no writes; what to do.
    Error(String),
}

impl Shared {
    /// Nobody is called yet.
    pub(crate) fn new(settings: &Settings, kv: Option<Kv>) -> Self {
        let disabled = matches!(settings.redis, Redis::Disabled);
        Self { kv, disabled, looked: Mutex::default() }
    }

    /// The memory itself.
    pub(crate) fn kv(&self) -> Option<&Kv> {
        self.kv.as_ref()
    }

    /// Writes a little and answers with what came of it; within the deadline of one call, and at most once in two seconds.
    pub(crate) async fn state(&self) -> State {
        let Some(kv) = &self.kv else {
            return if self.disabled { State::Disabled } else { State::NotConfigured };
        };
        let mut looked = self.looked.lock().await;
        let failure = match &*looked {
            Some((at, failure)) if at.elapsed() < FRESH => failure.clone(),
            _ => {
                // A write, because a server that is full or read-only still answers a ping.
                let failure = kv.set("health", "asked".into(), Duration::from_secs(60)).await.err();
                *looked = Some((Instant::now(), failure.clone()));
                failure
            }
        };
        failure.map_or(State::Connected, |failure| State::Error(failure.message.to_string()))
    }
}

impl State {
    /// The word in `/api/health`: `connected`, `not_configured`, `disabled`, `error`.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::NotConfigured => "not_configured",
            Self::Disabled => "disabled",
            Self::Error(_) => "error",
        }
    }
}

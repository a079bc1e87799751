//! How a call to a provider fails: six words that clients match on, each with a sentence that says what to do next.
//!
//! It refuses to know HTTP statuses of ours. Foreign text is cut and cleaned here, and a key never gets this far.

use std::fmt;
use std::time::Duration;

use super::Provider;
use crate::http::cleaned;

/// What went wrong, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The provider does not take the key.
    BadKey,
    /// Too many calls or tokens, or the account's money is used up.
    RateLimited,
    /// The provider's filter let nothing through.
    Refused,
    /// The prompt, or prompt and answer together, exceed what the model can hold.
    TooLong,
    /// No answer within the deadline, or a stream that fell silent.
    Timeout,
    /// Everything else on the provider's side: unreachable, broken off, an answer that makes no sense.
    Upstream,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::BadKey, Self::RateLimited, Self::Refused, Self::TooLong, Self::Timeout, Self::Upstream];

    /// The stable word: `bad_key`, `rate_limited`, `refused`, `too_long`, `timeout`, `upstream`.
    pub fn word(self) -> &'static str {
        match self {
            Self::BadKey => "bad_key",
            Self::RateLimited => "rate_limited",
            Self::Refused => "refused",
            Self::TooLong => "too_long",
            Self::Timeout => "timeout",
            Self::Upstream => "upstream",
        }
    }
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, by what can be done about it.
    pub kind: FailureKind,
    /// One or two sentences that are safe to show and say what to do next. No control characters, never a key.
    pub message: String,
    /// The provider's HTTP status; `None` if there was none or the failure came after it.
    pub status: Option<u16>,
    /// When the provider wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure with no status.
    pub(super) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, retry_after: None }
    }

    /// The provider does not take the key; `said` is its own text.
    pub(super) fn bad_key(provider: Provider, said: &str) -> Self {
        let label = provider.label();
        let remedy = match (provider.key_format(), provider.key_variable()) {
            (Some(format), Some(variable)) => {
                format!(
                    "its keys look like {format}. Put a valid one into {variable} or your provider settings."
                )
            }
            _ => "check the address and what the server there asks for.".to_owned(),
        };
        Self::new(
            FailureKind::BadKey,
            format!("{label} does not accept the key; {remedy}{}", quoted(label, said)),
        )
    }

    /// The provider's filter let nothing through.
    pub(super) fn refused(provider: Provider, said: &str) -> Self {
        let label = provider.label();
        Self::new(
            FailureKind::Refused,
            format!(
                "{label} refused to answer this prompt. Reword it, or try another model.{}",
                quoted(label, said)
            ),
        )
    }

    /// The prompt does not fit.
    pub(super) fn too_long(provider: Provider, said: &str) -> Self {
        let label = provider.label();
        Self::new(
            FailureKind::TooLong,
            format!(
                "The prompt is too long for this model of {label}. Shorten it, ask for fewer tokens, or choose a \
                 model with a larger context.{}",
                quoted(label, said)
            ),
        )
    }

    /// The provider wants fewer calls.
    pub(super) fn rate_limited(provider: Provider, said: &str, retry_after: Option<Duration>) -> Self {
        let label = provider.label();
        let remedy = match retry_after {
            Some(wait) => format!("Try again in {} s", wait.as_secs_f64().ceil()),
            None => "Try again in a minute".to_owned(),
        };
        let message = format!(
            "{label} allows no more calls right now. {remedy}, or raise the limit of your account there.{}",
            quoted(label, said)
        );
        Self { retry_after, ..Self::new(FailureKind::RateLimited, message) }
    }

    /// The whole call took longer than it may.
    pub(super) fn deadline(provider: Provider) -> Self {
        Self::new(
            FailureKind::Timeout,
            format!(
                "{} did not finish within the deadline. Try again, ask for a shorter answer, or choose a faster model.",
                provider.label()
            ),
        )
    }

    /// Nothing came for longer than the silence that is allowed.
    pub(super) fn silence(provider: Provider, idle: Duration) -> Self {
        Self::new(
            FailureKind::Timeout,
            format!("{} fell silent for {:.1} s. Try again.", provider.label(), idle.as_secs_f64()),
        )
    }

    /// Something else on the provider's side; `what` completes "Provider …" and ends without a full stop.
    pub(super) fn upstream(provider: Provider, what: &str) -> Self {
        Self::new(
            FailureKind::Upstream,
            format!("{} {what}. Try again, or choose another provider.", provider.label()),
        )
    }

    /// The same failure with the status it came with.
    #[must_use]
    pub(super) fn with_status(mut self, status: Option<u16>) -> Self {
        self.status = status;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.word(), self.message)
    }
}

impl std::error::Error for Failure {}

/// The provider's own words as the end of a sentence, or nothing.
fn quoted(label: &str, said: &str) -> String {
    let said = cleaned(said);
    if said.is_empty() { String::new() } else { format!(" {label} says: {said}") }
}

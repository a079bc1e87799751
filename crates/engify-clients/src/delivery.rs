//! How sending fails, by mail and by text message alike: seven words, each with a sentence that says what to do next; and
//! the one HTTP exchange that the senders over HTTP make.
//!
//! It refuses to know what is sent. Foreign text is cut and cleaned here, and no credential gets into a message.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use engify_core::Secret;
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout_at};

use crate::http::{chain, cleaned};

/// How long one try to send may take, connection and answer together.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// The most bytes of an answer that are read; what is beyond is of no use to anybody.
const MAX_BODY: usize = 64 << 10;

/// What went wrong, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The server does not take our credentials.
    BadKey,
    /// The server does not let us write under this sender.
    RefusedSender,
    /// The receiver's address or number is not taken.
    RefusedAddress,
    /// Too many messages, or the account's money is used up.
    RateLimited,
    /// The server takes the message itself for wrong.
    Rejected,
    /// The server cannot be reached, or has trouble of its own.
    Away,
    /// No answer within the deadline.
    Timeout,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::BadKey,
        Self::RefusedSender,
        Self::RefusedAddress,
        Self::RateLimited,
        Self::Rejected,
        Self::Away,
        Self::Timeout,
    ];

    /// The stable word: `bad_key`, `refused_sender`, `refused_address`, `rate_limited`, `rejected`, `away`, `timeout`.
    pub fn word(self) -> &'static str {
        match self {
            Self::BadKey => "bad_key",
            Self::RefusedSender => "refused_sender",
            Self::RefusedAddress => "refused_address",
            Self::RateLimited => "rate_limited",
            Self::Rejected => "rejected",
            Self::Away => "away",
            Self::Timeout => "timeout",
        }
    }

    /// Whether another try may succeed: by itself, or because an operator mended a setting meanwhile. What is wrong with
    /// one receiver or one message stays wrong.
    pub fn may_pass(self) -> bool {
        !matches!(self, Self::RefusedAddress | Self::Rejected)
    }
}

/// A message that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, by what can be done about it.
    pub kind: FailureKind,
    /// One or two sentences that are safe to show to an operator. No control characters, never a credential.
    pub message: String,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure of this kind; `what` says what happened and what to do.
    pub(crate) fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Self { kind, message: what.into(), retry_after: None }
    }

    /// The same with the server's own words behind it, if it said any.
    #[must_use]
    pub(crate) fn saying(mut self, server: &str, said: &str) -> Self {
        let said = cleaned(said);
        if !said.is_empty() {
            self.message.push_str(&format!(" {server} says: {said}"));
        }
        self
    }

    /// The same with a wish when to be asked again.
    #[must_use]
    pub(crate) fn after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// No answer in time.
    pub(crate) fn deadline(server: &str) -> Self {
        let seconds = DEADLINE.as_secs();
        Self::new(FailureKind::Timeout, format!("{server} did not answer within {seconds} s."))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.word(), self.message)
    }
}

impl std::error::Error for Failure {}

/// What became of a message that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handed {
    /// A server has it, and calls it so.
    Over(Option<String>),
    /// There is no server: whoever asked keeps it.
    Back,
}

/// Whom an HTTP exchange is with, in the words of its failures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server {
    /// `SendGrid`
    pub(crate) name: &'static str,
    /// The variable that names its address.
    pub(crate) setting: &'static str,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// When the server wants to be asked again: `Retry-After` in seconds.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// Sends a request once and reads the answer, whatever its status; `secret` is cut out of what comes back.
pub(crate) async fn exchange(
    server: Server,
    request: reqwest::RequestBuilder,
    secret: &Secret<String>,
) -> Result<Answer, Failure> {
    let until = Instant::now() + DEADLINE;
    let Server { name, setting } = server;
    let broken = |fault: &reqwest::Error| {
        let why = cleaned(&chain(fault).replace(secret.reveal().as_str(), "[key]"));
        let what = format!("{name} cannot be reached ({why}). Check the network and {setting}.");
        Failure::new(FailureKind::Away, what)
    };
    let mut answer = match timeout_at(until, request.send()).await {
        Err(_) => return Err(Failure::deadline(name)),
        Ok(Err(fault)) => return Err(broken(&fault)),
        Ok(Ok(answer)) => answer,
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    if status.is_redirection() {
        let what = format!("{name} sent us elsewhere ({}). Check {setting}.", status.as_u16());
        return Err(Failure::new(FailureKind::Away, what));
    }
    let mut body = BytesMut::new();
    while body.len() < MAX_BODY {
        match timeout_at(until, answer.chunk()).await {
            Err(_) => return Err(Failure::deadline(name)),
            Ok(Err(fault)) => return Err(broken(&fault)),
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => break,
        }
    }
    Ok(Answer { status, headers, body: body.freeze() })
}

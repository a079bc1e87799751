//! The one error type of the product: about a dozen kinds, a public message, an inner source.
//!
//! A kind says what the caller can do about it; `code` is the stable word that clients match on; `message` is a
//! sentence with the remedy and is safe to show. The source is for the log only. No HTTP status lives here: web
//! has the one match from kind to status.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::clock::Time;

/// The result of everything that can fail in a way a caller may see.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is malformed or breaks a rule; `details` names the fields.
    Invalid,
    /// Nobody is signed in, or the credential is wrong, expired or revoked.
    Unauthenticated,
    /// Signed in, but not allowed.
    Forbidden,
    /// It does not exist, or its existence is not the caller's to know.
    NotFound,
    /// It collides with what is there: a duplicate, a lost race, a replay.
    Conflict,
    /// The request is larger than the stated bound.
    TooLarge,
    /// Too many requests; try again after `retry_after`.
    RateLimited,
    /// Another server refused or failed; the message names it.
    Upstream,
    /// Another server, or this one, did not answer within its deadline.
    Timeout,
    /// A dependency is away; the message names it and the remedy.
    Unavailable,
    /// A defect of ours. The message is generic, the source is logged.
    Internal,
}

/// One field that is wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Detail {
    /// The field's name as the caller wrote it, dotted for nested ones; empty for the whole document.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub issue: String,
}

/// Where a caller stands with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The limit itself.
    pub limit: u64,
    /// How many more fit now.
    pub remaining: u64,
    /// When the window ends.
    pub reset: Time,
}

/// A failure with a public face and a private cause.
pub struct Error {
    kind: Kind,
    code: &'static str,
    message: Cow<'static, str>,
    details: Vec<Detail>,
    retry_after: Option<Duration>,
    standing: Option<Box<Standing>>,
    told: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of `kind`, with its stable `code` (`snake_case`) and a sentence that is safe to show.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
            standing: None,
            told: false,
            source: None,
        }
    }

    /// The request breaks a rule; say which with [`Error::detail`].
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, "invalid_request", message)
    }

    /// One field of the request is wrong.
    pub fn field(field: impl Into<String>, issue: impl Into<String>) -> Self {
        Self::invalid("Some fields are not as they should be; see details.").detail(field, issue)
    }

    /// Nobody is signed in.
    pub fn unauthenticated() -> Self {
        Self::new(Kind::Unauthenticated, "unauthenticated", "Sign in, or send a valid API key.")
    }

    /// The caller lacks the named permission.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Forbidden, "forbidden", message)
    }

    /// There is no such thing, as far as the caller may know.
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, "not_found", format!("There is no such {what}, or you may not see it."))
    }

    /// A dependency is away.
    pub fn unavailable(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unavailable, code, message)
    }

    /// A defect of ours; the caller learns only that it happened.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            Kind::Internal,
            "internal",
            "Something broke on our side. The request id leads to the log line.",
        )
        .because(source)
    }

    /// Adds a field and what is wrong with it.
    #[must_use]
    pub fn detail(mut self, field: impl Into<String>, issue: impl Into<String>) -> Self {
        self.details.push(Detail { field: field.into(), issue: issue.into() });
        self
    }

    /// Adds all `details`.
    #[must_use]
    pub fn with_details(mut self, details: Vec<Detail>) -> Self {
        self.details.extend(details);
        self
    }

    /// Says when another try makes sense.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Says which limit was reached.
    #[must_use]
    pub fn at_limit(mut self, standing: Standing) -> Self {
        self.standing = Some(Box::new(standing));
        self
    }

    /// The log tells of the cause already, once for all who meet it: whoever meets it adds no line.
    #[must_use]
    pub fn told(mut self) -> Self {
        self.told = true;
        self
    }

    /// Attaches the private cause, for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stable word that clients match on.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The public sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The fields that are wrong; empty when it is not about fields.
    pub fn details(&self) -> &[Detail] {
        &self.details
    }

    /// When another try makes sense.
    pub fn retry_wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The limit that was reached, where it is about one.
    pub fn standing(&self) -> Option<&Standing> {
        self.standing.as_deref()
    }

    /// Whether the log tells of the cause already.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// True for our own defects and missing dependencies: what an operator must see.
    pub fn is_ours(&self) -> bool {
        matches!(self.kind, Kind::Internal | Kind::Unavailable)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        for Detail { field, issue } in &self.details {
            write!(f, " [{field}: {issue}]")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {self}", self.kind)?;
        if let Some(source) = &self.source {
            write!(f, " because {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Why a file or a folder could not be used, in words for whoever named it.
pub fn why(fault: &std::io::Error) -> String {
    use std::io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, NotFound};
    match fault.kind() {
        NotFound => "there is no such file or folder".to_owned(),
        AlreadyExists => "a file has that name already".to_owned(),
        IsADirectory => "it is a folder".to_owned(),
        NotADirectory => "a part of its path is a file".to_owned(),
        kind => kind.to_string(),
    }
}

/// Gathers field faults so that a caller learns all of them at once.
#[derive(Debug, Default)]
pub struct Faults(Vec<Detail>);

impl Faults {
    /// Notes that `field` is wrong.
    pub fn push(&mut self, field: impl Into<String>, issue: impl Into<String>) {
        self.0.push(Detail { field: field.into(), issue: issue.into() });
    }

    /// Keeps the value, or notes the fault.
    pub fn take<T>(&mut self, field: &str, parsed: std::result::Result<T, String>) -> Option<T> {
        parsed.map_err(|issue| self.push(field, issue)).ok()
    }

    /// True while nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults themselves.
    pub fn into_details(self) -> Vec<Detail> {
        self.0
    }

    /// Fails with all faults, if there are any.
    ///
    /// # Errors
    /// `invalid_request` with one detail a fault.
    pub fn check(self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Error::invalid("Some fields are not as they should be; see details.").with_details(self.0))
    }
}

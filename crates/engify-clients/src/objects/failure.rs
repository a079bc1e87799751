//! How a place for objects fails: seven words, each with a sentence that says what to do next.

use std::error::Error as Cause;
use std::fmt;
use std::io::ErrorKind as Io;
use std::sync::Arc;

use engify_core::settings::ObjectPlace;
use engify_core::{Error, Kind};
use object_store::client::{HttpError, HttpErrorKind};

use crate::http::cleaned;

/// What went wrong, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Our credentials, or our account on this machine, may not do this.
    Denied,
    /// There is no room left, or a quota is used up.
    Full,
    /// The object, the bucket or the folder is not there.
    Missing,
    /// An object of this name is there already.
    Taken,
    /// It cannot be reached, or the connection broke, and went on breaking when tried again.
    Refused,
    /// No answer within the deadline.
    Timeout,
    /// It answers, and not as such a place should.
    Broken,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Denied, Self::Full, Self::Missing, Self::Taken, Self::Refused, Self::Timeout, Self::Broken];

    /// The stable word, which is also the code of the error: `storage_denied`, `storage_full`, …
    pub fn code(self) -> &'static str {
        match self {
            Self::Denied => "storage_denied",
            Self::Full => "storage_full",
            Self::Missing => "storage_missing",
            Self::Taken => "storage_taken",
            Self::Refused => "storage_refused",
            Self::Timeout => "storage_timeout",
            Self::Broken => "storage_broken",
        }
    }

    fn remedy(self, place: &ObjectPlace) -> &'static str {
        let s3 = matches!(place, ObjectPlace::S3 { .. });
        match self {
            Self::Denied if s3 => {
                "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and that they may read, write, list and delete there."
            }
            Self::Denied => "Give the account that runs Engify the right to read and write that folder.",
            Self::Full if s3 => "Raise the quota, or remove what is not needed there.",
            Self::Full => "Free some space on that disk, or point BACKUP_TARGET elsewhere.",
            Self::Missing if s3 => "Check the bucket's name, its region (AWS_REGION) and the object's name.",
            Self::Missing => "Check the path.",
            Self::Taken => "Another process has written it; nothing was overwritten.",
            Self::Refused if s3 => "Check the network and AWS_ENDPOINT_URL, then try again.",
            Self::Refused => "Check the disk and the system log.",
            Self::Timeout => "Check the network and the load of that place, then try again.",
            Self::Broken => "Check that the settings lead to an S3 server or a healthy disk.",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Denied => "does not let us in",
            Self::Full => "has no room left",
            Self::Missing => "does not have it",
            Self::Taken => "has it already",
            Self::Refused => "cannot be reached",
            Self::Timeout => "did not answer in time",
            Self::Broken => "answers with something else",
        }
    }
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, by what can be done about it.
    pub kind: FailureKind,
    /// What happened and what to do, safe to show: no credentials, no control characters.
    pub message: Arc<str>,
}

impl Failure {
    /// A failure about one object, or about the place itself where `key` is empty.
    pub(super) fn new(kind: FailureKind, place: &ObjectPlace, key: &str, why: &str) -> Self {
        let about = if key.is_empty() { String::new() } else { format!(" ({key})") };
        let why = if why.is_empty() { String::new() } else { format!(": {}", cleaned(why)) };
        let message = format!("{place}{about} {}{why}. {}", kind.words(), kind.remedy(place));
        Self { kind, message: message.into() }
    }

    /// No answer within the deadline.
    pub(super) fn silent(place: &ObjectPlace, key: &str) -> Self {
        Self::new(FailureKind::Timeout, place, key, "")
    }

    /// A failure of the disk.
    pub(super) fn io(place: &ObjectPlace, key: &str, error: &std::io::Error) -> Self {
        Self::new(of_io(error.kind()), place, key, &error.kind().to_string())
    }

    /// What the library reports.
    pub(super) fn of(place: &ObjectPlace, key: &str, error: &object_store::Error) -> Self {
        use object_store::Error as Fault;
        let text = innermost(error);
        let kind = match error {
            Fault::NotFound { .. } => FailureKind::Missing,
            Fault::AlreadyExists { .. } | Fault::Precondition { .. } => FailureKind::Taken,
            Fault::PermissionDenied { .. } | Fault::Unauthenticated { .. } => FailureKind::Denied,
            _ => by_cause(error).unwrap_or_else(|| by_words(&text)),
        };
        Self::new(kind, place, key, &text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Cause for Failure {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = match failure.kind {
            FailureKind::Missing => Kind::NotFound,
            FailureKind::Taken => Kind::Conflict,
            FailureKind::Timeout => Kind::Timeout,
            FailureKind::Denied | FailureKind::Full | FailureKind::Refused | FailureKind::Broken => {
                Kind::Unavailable
            }
        };
        Self::new(kind, failure.kind.code(), failure.message.to_string())
    }
}

fn of_io(kind: Io) -> FailureKind {
    match kind {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => FailureKind::Denied,
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => FailureKind::Full,
        Io::NotFound | Io::NotADirectory => FailureKind::Missing,
        Io::AlreadyExists => FailureKind::Taken,
        Io::TimedOut => FailureKind::Timeout,
        _ => FailureKind::Refused,
    }
}

/// By what the operating system or the connection said, if it is among the causes.
fn by_cause(error: &object_store::Error) -> Option<FailureKind> {
    let mut next: Option<&(dyn Cause + 'static)> = error.source();
    while let Some(cause) = next {
        if let Some(http) = cause.downcast_ref::<HttpError>() {
            return Some(match http.kind() {
                HttpErrorKind::Timeout => FailureKind::Timeout,
                HttpErrorKind::Decode => FailureKind::Broken,
                _ => FailureKind::Refused,
            });
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return Some(of_io(io.kind()));
        }
        next = cause.source();
    }
    None
}

/// By the status that S3 answered with, which the library has in words only.
fn by_words(text: &str) -> FailureKind {
    if ["507", "QuotaExceeded", "StorageFull"].iter().any(|word| text.contains(word)) {
        FailureKind::Full
    } else if text.contains("NoSuchBucket") {
        FailureKind::Missing
    } else if text.contains("status code: 5") || text.contains("SlowDown") {
        FailureKind::Refused
    } else {
        FailureKind::Broken
    }
}

/// The words of the innermost cause: the outer ones repeat addresses and tell of our own retries.
fn innermost(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = cause.to_string();
        next = cause.source();
    }
    text
}

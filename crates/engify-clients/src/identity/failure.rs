//! How a sign-in through an identity provider fails: a word, a sentence for the person, and a cause for the log.

use std::fmt;

/// What went wrong, by who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The provider does not answer, or answers that it cannot: try again later.
    Unreachable,
    /// The provider and our settings do not fit: an operator's business.
    Misconfigured,
    /// The provider does not take the code: it was used, it ended, or it was made for somebody else.
    CodeRefused,
    /// What the provider sent does not prove who it is about. Nobody is let in.
    Untrusted,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unreachable, Self::Misconfigured, Self::CodeRefused, Self::Untrusted];

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Misconfigured => "misconfigured",
            Self::CodeRefused => "code_refused",
            Self::Untrusted => "untrusted",
        }
    }
}

/// A sign-in that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// What people call the provider.
    pub provider: String,
    /// For the log: what exactly, without secrets, at most 300 characters.
    pub cause: String,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, provider: &str, cause: impl fmt::Display) -> Self {
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        Self {
            kind,
            provider: provider.to_owned(),
            cause: cause.to_string().chars().map(clean).take(300).collect(),
        }
    }

    /// One or two sentences that are safe to show and say what to do next.
    pub fn message(&self) -> String {
        let provider = &self.provider;
        match self.kind {
            FailureKind::Unreachable => {
                format!("{provider} does not answer. Try again in a minute, or sign in another way.")
            }
            FailureKind::Misconfigured => format!(
                "Sign-in with {provider} is not set up rightly. Ask an administrator of this installation; the log names the cause."
            ),
            FailureKind::CodeRefused => format!("{provider} did not confirm this sign-in. Begin again."),
            FailureKind::Untrusted => format!(
                "What {provider} sent does not prove who you are, so nobody was signed in. Begin again; if it stays so, tell an administrator."
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.kind.word(), self.provider, self.cause)
    }
}

impl std::error::Error for Failure {}

//! Ids and randomness, passed in. Every document's `_id` is a UUIDv7 as text, so that id order is creation order.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::{Clock, Time};

/// Declares an id type: a UUIDv7 as text that does not mix with the ids of other things.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A fresh id.
            pub fn make(ids: &Ids) -> Self {
                Self(ids.uuid())
            }

            /// Takes an id as it comes from a store or a caller; at most 64 characters of `a-z A-Z 0-9 - _ :`.
            ///
            /// # Errors
            /// Says what an id looks like.
            pub fn parse(text: &str) -> Result<Self, String> {
                let fits = !text.is_empty() && text.len() <= 64
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':'));
                if fits { Ok(Self(text.to_owned())) } else { Err("is not an id".to_owned()) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

id! {
    /// A person with an account.
    UserId,
    /// A team that shares prompts, keys and limits.
    OrganizationId,
    /// A prompt, whatever its version.
    PromptId,
    /// One immutable version of a prompt.
    VersionId,
    /// One execution on a provider.
    RunId,
    /// An API key of Engify's own.
    ApiKeyId,
    /// One line of the audit log.
    AuditId,
    /// An account at an identity provider, linked to one of ours.
    IdentityId,
    /// A message to somebody outside the browser.
    MessageId,
    /// An invitation into an organization.
    InvitationId,
    /// A key of an AI provider that a person or an organization brought.
    ProviderKeyId,
    /// A backup.
    BackupId,
    /// A drill of getting the data back.
    DrillId,
    /// A piece of work that is done outside of requests. Those that a schedule made are named `<kind>:<minute>`.
    JobId,
}

/// Where ids and random bytes come from: the operating system, or a seed for repeatable tests.
#[derive(Debug, Clone)]
pub struct Ids {
    clock: Clock,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    System,
    Seeded(Arc<(u64, AtomicU64)>),
}

impl Ids {
    /// Real randomness.
    pub fn system(clock: Clock) -> Self {
        Self { clock, source: Source::System }
    }

    /// Repeatable bytes from `seed`. For tests: nothing made from it is secret.
    pub fn seeded(clock: Clock, seed: u64) -> Self {
        Self { clock, source: Source::Seeded(Arc::new((seed, AtomicU64::new(0)))) }
    }

    /// A UUIDv7 as text, 36 characters.
    pub fn uuid(&self) -> String {
        let millis = u64::try_from(self.clock.now().millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random::<10>()).into_uuid().to_string()
    }

    /// The smallest id that could be made at a moment: what is made then or later has no smaller one.
    pub fn first_at(time: Time) -> String {
        let millis = u64::try_from(time.millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid().to_string()
    }

    /// `N` random bytes, fit for secrets when made with [`Ids::system`].
    #[expect(
        clippy::disallowed_methods,
        clippy::panic,
        reason = "the one place that asks the system for randomness; \
        without it no secret can be made, and going on would be worse than stopping"
    )]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.source {
            Source::System => {
                if let Err(fault) = getrandom::fill(&mut bytes) {
                    panic!("the operating system gives no randomness: {fault}");
                }
            }
            Source::Seeded(state) => {
                for chunk in bytes.chunks_mut(32) {
                    let count = state.1.fetch_add(1, Ordering::SeqCst);
                    let block = Sha256::new()
                        .chain_update(state.0.to_le_bytes())
                        .chain_update(count.to_le_bytes())
                        .finalize();
                    chunk.copy_from_slice(&block[..chunk.len()]);
                }
            }
        }
        bytes
    }
}

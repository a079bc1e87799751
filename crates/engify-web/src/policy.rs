//! What a route demands before its handler runs. One value a route, written where the route is.

use std::time::Duration;

use engify_app::limits::Limit;
use engify_core::permission::Permission;

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever is signed in, with whatever role, at a browser: API keys open what their scopes name.
    SignedIn,
    /// Whoever has this permission (and, with a key, this scope).
    Needs(Permission),
    /// Whoever shows `METRICS_TOKEN`, this machine, and administrators.
    Metrics,
    /// Whoever shows `CRON_SECRET`.
    Cron,
}

/// What a route demands and promises.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Who may come in.
    pub access: Access,
    /// How often one caller may.
    pub limit: Option<Limit>,
    /// How long its reply may be kept for callers who are not signed in; a change of the library ends it at once.
    pub cache: Option<Duration>,
    /// The largest body, bytes.
    pub body: usize,
    /// How long the reply may take to begin, the whole body read included.
    pub deadline: Duration,
    /// Whether an API key counts as signed in, whatever its scopes: for what is small and the caller's own.
    pub by_key: bool,
    /// Whether an administrator who must have a second factor and has none yet may come in: enrolment, their own session,
    /// and what is not about anybody.
    pub before_enrolment: bool,
    /// Whether it answers, as to a stranger, also while nobody can be recognised. Everywhere else that would be untrue:
    /// whoever shows a session or a key is told to come back.
    pub always: bool,
}

/// The largest JSON body: a prompt of a million characters, escaped.
pub(crate) const BODY: usize = 4 * 1024 * 1024;

impl Policy {
    /// Denies nobody. Said out loud, as every other choice.
    pub const PUBLIC: Self = Self::of(Access::Public);
    /// Demands a session.
    pub const SIGNED_IN: Self = Self::of(Access::SignedIn);

    const fn of(access: Access) -> Self {
        let deadline = Duration::from_secs(30);
        Self {
            access,
            limit: None,
            cache: None,
            body: BODY,
            deadline,
            by_key: false,
            before_enrolment: false,
            always: false,
        }
    }

    /// Demands a permission.
    pub const fn needs(permission: Permission) -> Self {
        Self::of(Access::Needs(permission))
    }

    /// Demands what `/metrics` demands.
    pub const fn metrics() -> Self {
        Self::of(Access::Metrics)
    }

    /// Demands `CRON_SECRET`.
    pub const fn cron() -> Self {
        Self::of(Access::Cron)
    }

    /// Limits how often one caller may.
    #[must_use]
    pub const fn limit(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Keeps replies for callers who are not signed in.
    #[must_use]
    pub const fn cache(self, seconds: u64) -> Self {
        Self { cache: Some(Duration::from_secs(seconds)), ..self }
    }

    /// May take this long to begin its reply.
    #[must_use]
    pub const fn deadline(self, seconds: u64) -> Self {
        Self { deadline: Duration::from_secs(seconds), ..self }
    }

    /// Takes bodies of at most this many bytes.
    #[must_use]
    pub const fn body(self, bytes: usize) -> Self {
        Self { body: bytes, ..self }
    }

    /// Lets in API keys where [`Access::SignedIn`] would not.
    #[must_use]
    pub const fn also_by_key(self) -> Self {
        Self { by_key: true, ..self }
    }

    /// Lets in administrators who must have a second factor and have none yet.
    #[must_use]
    pub const fn before_enrolment(self) -> Self {
        Self { before_enrolment: true, ..self }
    }

    /// Answers also while nobody can be recognised.
    #[must_use]
    pub const fn always(self) -> Self {
        Self { always: true, ..self }
    }
}

//! Which kinds of jobs there are: a name, who does them, and the rules for doing them, declared in one place.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use engify_core::ids::JobId;
use engify_core::job::CatchUp;
use engify_core::permission::Permission;
use engify_core::{Error, Result};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Cron, shipped};
use crate::Ctx;

/// The kinds of jobs that this program can do.
#[derive(Debug, Clone)]
pub struct Registry(Vec<JobKind>);

/// One kind of job.
#[derive(Clone)]
pub struct JobKind {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) needs: Permission,
    pub(crate) fresh: bool,
    pub(crate) whole: bool,
    pub(crate) attempts: u32,
    pub(crate) together: Option<u32>,
    pub(crate) longest: Duration,
    pub(crate) times: Option<Times>,
    work: Work,
}

/// When a kind of job is done by itself, unless an administrator says otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    pub(crate) cron: Cron,
    pub(crate) catch_up: CatchUp,
}

type Work = Arc<dyn Fn(Ctx, Task) -> BoxFuture<'static, Result<Value>> + Send + Sync>;

/// One try of a job, as its handler sees it.
#[derive(Debug, Clone)]
pub struct Task {
    /// The same for every try: what was done under it need not be done again.
    pub id: JobId,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// What the handler is told.
    pub payload: Value,
    /// Is cancelled when somebody calls the job off: then the handler has 5 s to leave things in order.
    pub stop: CancellationToken,
}

impl Task {
    /// The payload as a type.
    ///
    /// # Errors
    /// `invalid_request`: such a job is not tried again.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.payload).map_err(|fault| Error::field("payload", fault.to_string()))
    }
}

impl JobKind {
    /// A kind of job: its name (`snake_case`, at most 40 characters), what it does in a sentence, and who does it. What
    /// the handler returns is shown to administrators: a sentence, or an object; at most 16 KiB as JSON. It is tried
    /// 5 times, an hour at most each, any number at once, and started by whoever may change the installation's settings.
    pub fn new<F, W>(name: &'static str, about: &'static str, work: F) -> Self
    where
        F: Fn(Ctx, Task) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Value>> + Send + 'static,
    {
        Self {
            name,
            about,
            needs: Permission::SystemSettings,
            fresh: false,
            whole: false,
            attempts: 5,
            together: None,
            longest: Duration::from_secs(3600),
            times: None,
            work: Arc::new(move |ctx, task| work(ctx, task).boxed()),
        }
    }

    /// Who may start one by hand.
    #[must_use]
    pub fn needs(self, permission: Permission) -> Self {
        Self { needs: permission, ..self }
    }

    /// Whoever starts or retries one proves who they are first: for what would hurt if somebody else sat at the browser.
    #[must_use]
    pub fn fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// Once one runs, nobody calls it off: for what is worse half done than not at all.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// How often one is tried in all, at least once.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts: attempts.max(1), ..self }
    }

    /// How many may run at once, over all replicas; at least one.
    #[must_use]
    pub fn together(self, together: u32) -> Self {
        Self { together: Some(together.max(1)), ..self }
    }

    /// How long one try may take.
    #[must_use]
    pub fn longest(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// When it is done by itself, in cron's five fields, UTC; administrators may change it.
    ///
    /// # Errors
    /// When the expression is none: a defect.
    pub fn scheduled(self, cron: &str, catch_up: CatchUp) -> Result<Self> {
        let cron = Cron::parse(cron).map_err(Error::internal)?;
        Ok(Self { times: Some(Times { cron, catch_up }), ..self })
    }

    pub(crate) fn work(&self, ctx: Ctx, task: Task) -> BoxFuture<'static, Result<Value>> {
        (self.work)(ctx, task)
    }
}

impl fmt::Debug for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Registry {
    /// The kinds that need nothing but the application.
    ///
    /// # Errors
    /// Defects in their schedules.
    pub fn shipped() -> Result<Self> {
        shipped::kinds().map(Self)
    }

    /// A further kind; one of the same name gives way.
    #[must_use]
    pub fn with(mut self, kind: JobKind) -> Self {
        self.0.retain(|other| other.name != kind.name);
        self.0.push(kind);
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&JobKind> {
        self.0.iter().find(|kind| kind.name == name)
    }

    pub(crate) fn all(&self) -> &[JobKind] {
        &self.0
    }
}

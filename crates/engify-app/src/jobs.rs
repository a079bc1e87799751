//! Work outside of requests: a durable queue on the store, and schedules that fill it.
//!
//! A job is queued in the transaction of the change that asks for it ([`post`]), so neither happens without the other.
//! Every replica works: a job is claimed by a patch that only one of them can make, under a lease that runs out when the
//! worker dies. At least once, then: handlers recognize a job by its id. Which handler does which kind is said by the
//! [`Registry`]; what operators' work is made of is registered by the binary, so that this crate need not know it.

use std::sync::Arc;
use std::time::Duration;

use engify_core::audit::{Action, Outcome, Target};
use engify_core::ids::JobId;
use engify_core::job::{Job, JobState, Priority};
use engify_core::settings::Settings;
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, queries};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::{App, Ctx};
use handover::Handover;

mod administer;
mod cancel;
mod cron;
mod follow;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod handover;
mod lease;
mod registry;
mod schedules;
mod shipped;
mod worker;

pub use administer::{JobFilter, about, counts, discard, get, kinds, list, retry};
pub use cancel::cancel;
pub(crate) use cron::Cron;
pub use follow::{Follow, follow};
pub use handover::{Call, Called, by_qstash};
pub use registry::{JobKind, Registry, Task};
pub(crate) use schedules::declare;
pub use schedules::{Change, change, run_now, schedule, schedules};
pub use worker::{run_here, settle, start};

/// The largest payload and the largest outcome, bytes of JSON.
const MAX_PAYLOAD: usize = 64 * 1024;
const MAX_OUTCOME: usize = 16 * 1024;
/// How many jobs one process works on at once.
const TOGETHER: usize = 8;

/// What the application keeps of its jobs.
pub(crate) struct Jobs {
    registry: Registry,
    /// Places for jobs under way.
    places: Arc<Semaphore>,
    under_way: TaskTracker,
    handover: Option<Handover>,
}

/// A job to be.
#[derive(Debug, Clone)]
pub struct NewJob {
    kind: String,
    payload: Value,
    priority: Priority,
    delay: Duration,
    key: Option<String>,
}

/// What came of asking for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The job.
    pub id: JobId,
    /// Whether it is a new one; else one with the same key is open, or was made for the same time.
    pub fresh: bool,
}

impl NewJob {
    /// A job of this kind, due at once, with nothing to tell.
    pub fn of(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            payload: Value::Null,
            priority: Priority::Normal,
            delay: Duration::ZERO,
            key: None,
        }
    }

    /// What the handler is told; at most 64 KiB as JSON. No secrets: administrators see it.
    #[must_use]
    pub fn payload(self, payload: Value) -> Self {
        Self { payload, ..self }
    }

    /// How urgent it is.
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Not before this much later.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Of jobs with this key, one only is open at a time; 1 to 200 characters.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }
}

/// Adds a job to a batch: it is queued when the batch is written, and not at all where it is not. A job whose key is
/// taken fails the batch with `duplicate`.
///
/// # Errors
/// `invalid_request` for a kind that nobody does, or a payload over 64 KiB.
pub fn post(ctx: &Ctx, batch: Batch, new: NewJob) -> Result<(Batch, JobId)> {
    let job = made(ctx, new)?;
    Ok((batch.insert(&job)?, job.id))
}

/// Queues a job for somebody who asks for it: pages, the API, the command line.
///
/// # Errors
/// `invalid_request`; `forbidden` without the kind's permission; `fresh_factor_required`; those of the store.
pub async fn enqueue(ctx: &Ctx, new: NewJob) -> Result<Queued> {
    let kind = known(ctx.app(), &new.kind)?;
    ctx.require_for(kind.needs, Action::JobQueued, Target::new("job", kind.name)).await?;
    if kind.fresh {
        ctx.require_fresh()?;
    }
    let key = new.key.clone();
    let job = made(ctx, new)?;
    let line = ctx.audit(
        Action::JobQueued,
        Outcome::Success,
        Target::new("job", &job.id),
        json!({ "kind": kind.name }),
    );
    queue(ctx.app(), Batch::new().insert(&job)?.insert(&line)?, job.id, key.as_deref()).await
}

/// Writes a batch that holds a job; where one like it is there already, says which.
async fn queue(app: &App, batch: Batch, id: JobId, key: Option<&str>) -> Result<Queued> {
    let taken = match app.store().write(batch).await {
        Ok(_) => return Ok(Queued { id, fresh: true }),
        Err(fault) if fault.code() == "duplicate" => fault,
        Err(fault) => return Err(fault),
    };
    if app.store().get::<Job>(&EVERYTHING, id.as_str()).await?.is_some() {
        return Ok(Queued { id, fresh: false });
    }
    let Some(key) = key else { return Err(taken) };
    match app.store().first(&queries::job_by_key(key)).await? {
        Some(open) => Ok(Queued { id: open.id, fresh: false }),
        // It ended between the two looks: whoever asks again gets a new one.
        None => Err(taken),
    }
}

fn known<'a>(app: &'a App, kind: &str) -> Result<&'a JobKind> {
    let registry = &app.jobs().registry;
    registry.get(kind).ok_or_else(|| {
        let names: Vec<&str> = registry.all().iter().map(|kind| kind.name).collect();
        Error::field("kind", format!("is not a kind of job; there are {}", names.join(", ")))
    })
}

fn made(ctx: &Ctx, new: NewJob) -> Result<Job> {
    let kind = known(ctx.app(), &new.kind)?;
    let bytes = serde_json::to_vec(&new.payload).map_err(Error::internal)?.len();
    if bytes > MAX_PAYLOAD {
        let issue =
            format!("is {bytes} bytes of JSON; at most {MAX_PAYLOAD} fit. Store what is large and name it");
        return Err(Error::field("payload", issue));
    }
    if new.key.as_ref().is_some_and(|key| key.is_empty() || key.chars().count() > 200) {
        return Err(Error::field("key", "has 1 to 200 characters"));
    }
    let now = ctx.now();
    Ok(Job {
        id: JobId::make(ctx.app().ids()),
        kind: kind.name.to_owned(),
        payload: new.payload,
        state: JobState::Queued,
        priority: new.priority,
        lane: Some(new.priority),
        due_at: now.plus(new.delay),
        singleton: new.key,
        slot: None,
        lease: None,
        attempts: 0,
        schedule: None,
        asked_by: ctx.user_id().cloned(),
        handed_at: None,
        cancelled_at: None,
        failure: None,
        outcome: None,
        created_at: now,
        started_at: None,
        ended_at: None,
        expires_at: None,
    })
}

const EVERYTHING: Scope = Scope::Everything("jobs are the installation's");

fn not_found() -> Error {
    Error::new(
        Kind::NotFound,
        "not_found",
        "There is no such job. Records go 14 days after a job was done, 90 days after it failed.",
    )
}

impl Jobs {
    /// # Errors
    /// When the way to QStash cannot be set up at all.
    pub(crate) fn new(registry: Registry, settings: &Settings) -> Result<Self> {
        Ok(Self {
            registry,
            places: Arc::new(Semaphore::new(TOGETHER)),
            under_way: TaskTracker::new(),
            handover: Handover::new(settings)?,
        })
    }

    /// Waits until the jobs under way have ended or were given back, once the application leaves.
    pub(crate) async fn drain(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }
}

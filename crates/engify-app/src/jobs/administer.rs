//! Jobs as administrators see them: what became of each, another try, and an end to what nobody wants any more.

use engify_core::audit::{Action, Outcome, Target};
use engify_core::ids::JobId;
use engify_core::job::{Job, JobState};
use engify_core::permission::Permission;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, Cursor, Page, Patch, queries};
use serde_json::{Value, json};

use super::lease::as_read;
use super::{EVERYTHING, JobKind, known, not_found};
use crate::Ctx;

pub use engify_store::queries::JobFilter;

/// Jobs, newest first.
///
/// # Errors
/// `forbidden` without `system:read`; `invalid_cursor`.
pub async fn list(ctx: &Ctx, narrowed: &JobFilter, limit: u32, cursor: Option<&str>) -> Result<Page<Job>> {
    ctx.require(Permission::SystemRead)?;
    let query = queries::jobs(narrowed);
    let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// How many jobs are in each state, in the order of [`JobState::ALL`].
///
/// # Errors
/// `forbidden` without `system:read`; those of the store.
pub async fn counts(ctx: &Ctx) -> Result<Vec<(JobState, u64)>> {
    ctx.require(Permission::SystemRead)?;
    let mut counts = Vec::new();
    for state in JobState::ALL {
        let of_state = JobFilter { state: Some(*state), kind: None };
        counts.push((*state, ctx.app().store().count(&queries::jobs(&of_state)).await?));
    }
    Ok(counts)
}

/// One job.
///
/// # Errors
/// `forbidden` without `system:read`; `not_found`.
pub async fn get(ctx: &Ctx, id: &str) -> Result<Job> {
    ctx.require(Permission::SystemRead)?;
    find(ctx, id).await
}

/// The kinds of jobs that may be started by hand, with a sentence for each.
///
/// # Errors
/// `forbidden` without `system:read`.
pub fn kinds(ctx: &Ctx) -> Result<Vec<(&'static str, &'static str)>> {
    ctx.require(Permission::SystemRead)?;
    let all = ctx.app().jobs().registry.all().iter();
    Ok(all.filter(|kind| ctx.allows(kind.needs)).map(|kind| (kind.name, kind.about)).collect())
}

/// What a kind of job does, in a sentence; empty for a kind that this program does not know.
pub fn about(ctx: &Ctx, kind: &str) -> &'static str {
    ctx.app().jobs().registry.get(kind).map_or("", |kind| kind.about)
}

/// Has a dead letter done again, at once and with all its tries.
///
/// # Errors
/// `forbidden` without the kind's permission; `not_found`; `not_dead` where it is no dead letter.
pub async fn retry(ctx: &Ctx, id: &str) -> Result<Job> {
    let (job, target) = permitted(ctx, id, Action::JobRetried).await?;
    if job.state != JobState::Dead {
        let message = format!("Only a dead letter can be retried; this job is {}.", job.state);
        return Err(Error::new(Kind::Conflict, "not_dead", message));
    }
    let again = Job {
        state: JobState::Queued,
        lane: Some(job.priority),
        due_at: ctx.now(),
        attempts: 0,
        failure: None,
        ended_at: None,
        expires_at: None,
        ..job.clone()
    };
    let patch = Patch::new(EVERYTHING, &job.id)
        .when("state", JobState::Dead)?
        .set("state", again.state)?
        .set("lane", again.lane)?
        .set("dueAt", again.due_at)?
        .set("attempts", 0)?
        .set("handedAt", Value::Null)?
        .set("failure", Value::Null)?
        .set("endedAt", Value::Null)?
        .set("expiresAt", Value::Null)?;
    let line = ctx.audit(Action::JobRetried, Outcome::Success, target, json!({ "kind": job.kind }));
    ctx.app().store().write(Batch::new().patch::<Job>(patch).insert(&line)?).await?;
    Ok(again)
}

/// Removes a job that waits, or a dead letter.
///
/// # Errors
/// `forbidden` without the kind's permission; `not_found`; `not_discardable` for one that runs or was done; `stale` where
/// a worker was quicker.
pub async fn discard(ctx: &Ctx, id: &str) -> Result<()> {
    let (job, target) = permitted(ctx, id, Action::JobDiscarded).await?;
    if !matches!(job.state, JobState::Queued | JobState::Dead) {
        let message =
            format!("Only a job that waits or a dead letter can be discarded; this one is {}.", job.state);
        return Err(Error::new(Kind::Conflict, "not_discardable", message));
    }
    let details = json!({ "kind": job.kind, "was": job.state });
    let line = ctx.audit(Action::JobDiscarded, Outcome::Success, target, details);
    // The patch holds the job to what was read, so that none that began meanwhile is removed.
    let batch = Batch::new().patch::<Job>(as_read(&job)?.set("lane", Value::Null)?);
    let batch = batch.delete::<Job>(EVERYTHING, &job.id).insert(&line)?;
    ctx.app().store().write(batch).await.map(drop)
}

/// The job, where the caller may do this to jobs of its kind.
pub(super) async fn permitted(ctx: &Ctx, id: &str, action: Action) -> Result<(Job, Target)> {
    let target = Target::new("job", id);
    ctx.require_for(Permission::SystemRead, action, target.clone()).await?;
    let job = find(ctx, id).await?;
    let needs = known(ctx.app(), &job.kind).map_or(Permission::SystemSettings, |kind: &JobKind| kind.needs);
    ctx.require_for(needs, action, target.clone()).await?;
    if known(ctx.app(), &job.kind).is_ok_and(|kind| kind.fresh) {
        ctx.require_fresh()?;
    }
    Ok((job, target))
}

async fn find(ctx: &Ctx, id: &str) -> Result<Job> {
    let found = match JobId::parse(id) {
        Ok(id) => ctx.app().store().get::<Job>(&EVERYTHING, id.as_str()).await?,
        Err(_) => None,
    };
    found.ok_or_else(not_found)
}

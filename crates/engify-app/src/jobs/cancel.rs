//! Jobs that somebody calls off. One that waits ends at once. One that runs is asked to: its worker, wherever it is, hears of
//! that by the store's feed, tells the handler by its token, and gives the lease back when the handler has ended, or after a
//! moment without it. Where the worker died, whoever finds the lease run out ends the job instead of doing it again.

use std::sync::Arc;

use engify_core::audit::{Action, Outcome};
use engify_core::job::{Job, JobState};
use engify_core::{Error, Kind, Result};
use engify_store::journal::Change;
use engify_store::{Batch, Entity, Patch};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::administer::permitted;
use super::lease::{as_read, ended};
use super::{EVERYTHING, known};
use crate::{App, Ctx};

/// Ends a job that waits, or asks the worker of one that runs to end it. Asked again, it changes nothing.
///
/// # Errors
/// `forbidden` without the kind's permission; `not_found`; `not_cancellable` for one that has ended, and for one that runs
/// and whose kind must not be left half done; `stale` where a worker was quicker.
pub async fn cancel(ctx: &Ctx, id: &str) -> Result<Job> {
    let (job, target) = permitted(ctx, id, Action::JobCancelled).await?;
    let refused = |message: String| Err(Error::new(Kind::Conflict, "not_cancellable", message));
    if job.cancelled_at.is_some() {
        return Ok(job);
    }
    let now = ctx.now();
    let details = json!({ "kind": job.kind, "was": job.state });
    let line = ctx.audit(Action::JobCancelled, Outcome::Success, target, details);
    let batch = Batch::new().insert(&line)?;
    let (batch, after) = match job.state {
        JobState::Queued => {
            let patch = as_read(&job)?.set("cancelledAt", now)?;
            (ended(batch, patch, &job, (JobState::Cancelled, now))?, JobState::Cancelled)
        }
        JobState::Running if known(ctx.app(), &job.kind).is_ok_and(|kind| kind.whole) => {
            return refused(
                "Jobs of this kind go on to their end: half of it would be worse than none.".into(),
            );
        }
        JobState::Running => {
            let patch = Patch::new(EVERYTHING, &job.id).when("lease", &job.lease)?.set("cancelledAt", now)?;
            (batch.patch::<Job>(patch), JobState::Running)
        }
        state => {
            return refused(format!("Only a job that waits or runs can be cancelled; this one is {state}."));
        }
    };
    ctx.app().store().write(batch).await?;
    let ended_at = (after == JobState::Cancelled).then_some(now);
    Ok(Job { state: after, cancelled_at: Some(now), ended_at, ..job })
}

/// Returns when a job that runs here is called off. The changes are those since before it was claimed.
pub(super) async fn called_off(app: &App, job: &Job, changes: &mut Receiver<Arc<Vec<Change>>>) {
    let asks = |change: &Change| {
        change.collection == Job::COLLECTION.name
            && change.id == job.id.as_str()
            && change
                .document
                .as_ref()
                .is_some_and(|doc| doc.get("cancelledAt").is_some_and(|at| !at.is_null()))
    };
    loop {
        match changes.recv().await {
            Ok(commit) if commit.iter().any(asks) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => {
                let found = app.store().get::<Job>(&EVERYTHING, job.id.as_str()).await;
                if found.is_ok_and(|job| job.is_some_and(|job| job.cancelled_at.is_some())) {
                    return;
                }
            }
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

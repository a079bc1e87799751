//! Jobs as they change, for the eyes of administrators; and the figures that follow from them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engify_core::Result;
use engify_core::job::{Job, JobState, Priority};
use engify_core::permission::Permission;
use engify_store::journal::Change;
use engify_store::queries::JobFilter;
use engify_store::{Entity, queries};
use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;

use super::worker::is_news;
use crate::rounds::news;
use crate::{App, Ctx, accounts};

/// A reader comes back after so long by itself and is looked at anew.
const LIFE: Duration = Duration::from_secs(20);
/// How often the figures are measured while jobs come and go.
const MEASURE: Duration = Duration::from_secs(5);

/// Jobs, each as it is after a change.
pub struct Follow {
    ctx: Ctx,
    narrowed: JobFilter,
    feed: Receiver<Arc<Vec<Change>>>,
    ready: VecDeque<Job>,
    end: Instant,
}

/// Follows jobs from now on.
///
/// # Errors
/// `forbidden` without `system:read`.
pub fn follow(ctx: &Ctx, narrowed: JobFilter) -> Result<Follow> {
    ctx.require(Permission::SystemRead)?;
    let feed = ctx.app().store().changes();
    Ok(Follow { ctx: ctx.clone(), narrowed, feed, ready: VecDeque::new(), end: Instant::now() + LIFE })
}

impl Follow {
    /// The next change; none once this reader's time or the caller's session is over.
    pub async fn next(&mut self) -> Option<Job> {
        loop {
            if let Some(job) = self.ready.pop_front() {
                return Some(job);
            }
            let Ok(Ok(changes)) = tokio::time::timeout_at(self.end, self.feed.recv()).await else {
                return None;
            };
            let fresh: VecDeque<Job> = changes.iter().filter_map(job).filter(|job| self.shows(job)).collect();
            if !fresh.is_empty() && !accounts::still_holds(&self.ctx).await {
                return None;
            }
            self.ready = fresh;
        }
    }

    fn shows(&self, job: &Job) -> bool {
        self.narrowed.state.is_none_or(|state| job.state == state)
            && self.narrowed.kind.as_ref().is_none_or(|kind| &job.kind == kind)
    }
}

fn job(change: &Change) -> Option<Job> {
    let document = change.document.clone().filter(|_| change.collection == Job::COLLECTION.name)?;
    serde_json::from_value(serde_json::Value::Object(document)).ok()
}

/// Measures the queue whenever it has changed, until the application leaves.
pub(super) fn measured(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            // From before the measuring on, and let go for the rest after it: a receiver that rests holds commits.
            let mut changes = app.store().changes();
            // Figures of a database that is away stay as they were.
            let _ = measure(&app).await;
            let next = async {
                let open = news(&mut changes, is_news).await;
                drop(changes);
                tokio::time::sleep(MEASURE).await;
                open
            };
            tokio::select! {
                () = app.leaving().cancelled_owned() => return,
                open = next => if !open { return },
            }
        }
    });
}

#[expect(clippy::cast_precision_loss, reason = "figures of a queue, and seconds of this age")]
async fn measure(app: &App) -> Result<()> {
    for state in [JobState::Queued, JobState::Running, JobState::Dead] {
        let of_state = JobFilter { state: Some(state), kind: None };
        let count = app.store().count(&queries::jobs(&of_state)).await?;
        metrics::gauge!("engify_jobs", "state" => state.as_str()).set(count as f64);
    }
    for lane in Priority::ALL {
        // The time itself rather than an age: it stays right while nobody measures. 0: nothing waits.
        let oldest = app.store().first(&queries::jobs_in_lane(*lane)).await?;
        let due = oldest.map_or(0.0, |job| job.due_at.millis() as f64 / 1000.0);
        metrics::gauge!("engify_jobs_oldest_due_timestamp_seconds", "priority" => lane.as_str()).set(due);
    }
    Ok(())
}

//! The worker: does what is due, a bounded number at once, in every process that serves.
//!
//! It sleeps until the next job is due and is woken by the store's feed, so that an idle queue costs nothing. When the
//! process ends, jobs under way get a moment to end and are given back otherwise.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use engify_core::job::{Job, JobState, Priority, Schedule};
use engify_core::{Error, Kind, Result, Time};
use engify_store::journal::Change;
use engify_store::{Cursor, Entity, queries};
use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cancel::called_off;
use super::lease::{Claim, End, bury, claim, drop_cancelled, keep, note};
use super::{EVERYTHING, JobKind, TOGETHER, Task, follow, handover, known, not_found, schedules};
use crate::rounds::{self, REST, news};
use crate::{App, Ctx};

/// How long jobs under way may go on when the process ends, or when they are called off.
const GRACE: Duration = Duration::from_secs(5);
/// Jobs that are looked at in one go, and at most in one round.
const PAGE: u32 = 20;
const LOOKED_AT: usize = 1000;

/// Works until the application leaves: then no further job is begun.
pub fn start(app: &App) {
    follow::measured(app);
    rounds::start(app, app.leaving(), "jobs", is_news, |app| async move {
        let round = round(&app).await?;
        Ok(round.rest(app.clock().now()))
    });
}

/// Whether there may be something to do. A lease that is taken or renewed is nobody else's business.
pub(super) fn is_news(change: &Change) -> bool {
    let state = || change.document.as_ref().and_then(|doc| doc.get("state")).and_then(Value::as_str);
    change.collection == Schedule::COLLECTION.name
        || change.collection == Job::COLLECTION.name && state() != Some(JobState::Running.as_str())
}

/// What a round found.
#[derive(Default)]
struct Round {
    /// When the next job is due.
    next: Option<Time>,
    /// How many it began.
    begun: usize,
}

impl Round {
    fn due_at(&mut self, at: Time) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    fn rest(&self, now: Time) -> Duration {
        self.next.map_or(REST, |at| at.since(now)).clamp(Duration::from_millis(20), REST)
    }
}

/// Makes the jobs whose time has come and begins what is due, as far as there are places.
async fn round(app: &App) -> Result<Round> {
    let mut round = Round { next: schedules::tick(app).await?, begun: 0 };
    let mut full: HashSet<&'static str> = HashSet::new();
    for lane in Priority::ALL {
        if app.is_leaving() || !walk(app, *lane, &mut full, &mut round).await? {
            break;
        }
    }
    Ok(round)
}

/// Walks through the jobs of a priority; false when all places are taken.
async fn walk(
    app: &App,
    lane: Priority,
    full: &mut HashSet<&'static str>,
    round: &mut Round,
) -> Result<bool> {
    let mut after: Option<Cursor> = None;
    let mut looked_at = 0;
    loop {
        let page = app.store().find(&queries::jobs_in_lane(lane).limit(PAGE).after(after)).await?;
        looked_at += page.items.len();
        for job in page.items {
            if job.due_at > app.clock().now() {
                round.due_at(job.due_at);
                return Ok(true);
            }
            // What this program does not know, a newer replica may.
            let kind = app.jobs().registry.get(&job.kind).filter(|kind| !full.contains(kind.name));
            let Some(kind) = kind else { continue };
            // Without a place there is nothing to do until a job ends, which is news.
            let Ok(place) = Arc::clone(&app.jobs().places).try_acquire_owned() else { return Ok(false) };
            if app.jobs().handover.as_ref().is_some_and(|handover| handover.wants(&job)) {
                handover::pass(app, job, place).await?;
                round.begun += 1;
                continue;
            }
            match take(app, kind, job, place).await? {
                Took::Begun(_) => round.begun += 1,
                Took::Nothing => {}
                Took::Full => drop(full.insert(kind.name)),
            }
        }
        after = page.next;
        if after.is_none() || looked_at >= LOOKED_AT {
            return Ok(true);
        }
    }
}

/// What came of a job that is due.
pub(super) enum Took {
    /// It goes on by itself; the handle tells where the job is after this try.
    Begun(JoinHandle<Option<JobState>>),
    /// Somebody else has it, or nobody may any more.
    Nothing,
    /// As many of its kind run as may.
    Full,
}

/// Claims a job and lets it begin.
pub(super) async fn take(app: &App, kind: &JobKind, job: Job, place: OwnedSemaphorePermit) -> Result<Took> {
    if job.cancelled_at.is_some() {
        drop_cancelled(app, &job).await?;
        return Ok(Took::Nothing);
    }
    if job.attempts >= kind.attempts {
        bury(app, &job).await?;
        return Ok(Took::Nothing);
    }
    // From before the claim on: whoever calls it off does so after that.
    let changes = app.store().changes();
    match claim(app, kind, job).await? {
        Claim::Ours(job) => {
            let (app, kind) = (app.clone(), kind.clone());
            let tracker = app.jobs().under_way.clone();
            Ok(Took::Begun(tracker.spawn(async move {
                let _place = place;
                work(&app, &kind, &job, changes).await
            })))
        }
        Claim::Lost => Ok(Took::Nothing),
        Claim::Full => Ok(Took::Full),
    }
}

/// One try of a job that is ours, and what is written about it; says where the job is then, unless the lease was lost.
async fn work(
    app: &App,
    kind: &JobKind,
    job: &Job,
    mut changes: Receiver<Arc<Vec<Change>>>,
) -> Option<JobState> {
    let begun = Instant::now();
    let leaving = app.leaving();
    let stop = CancellationToken::new();
    let not_wanted = async {
        called_off(app, job, &mut changes).await;
        stop.cancel();
        tokio::time::sleep(GRACE).await;
    };
    let out_of_time = async {
        leaving.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let end = tokio::select! {
        end = handler(app, kind, job, stop.clone()) => end,
        () = not_wanted => End::Cancelled,
        () = keep(app, job) => {
            tracing::warn!(job.id = %job.id, job.kind = kind.name, "job.lease_lost: another worker does it");
            return None;
        }
        () = out_of_time => End::GivenBack,
    };
    // What was done is done; whatever else came of it, nobody wants another try.
    let end = if stop.is_cancelled() && !matches!(end, End::Done(_)) { End::Cancelled } else { end };
    let (word, why) = match &end {
        End::Done(_) => ("done", None),
        End::Failed(fault) => ("failed", Some(format!("{fault:?}"))),
        End::GivenBack => ("given_back", None),
        End::Cancelled => ("cancelled", None),
    };
    let took = begun.elapsed();
    metrics::counter!("engify_jobs_total", "kind" => kind.name, "outcome" => word).increment(1);
    metrics::histogram!("engify_job_duration_seconds", "kind" => kind.name).record(took.as_secs_f64());
    let noted = note(app, kind, job, end).await;
    let state = noted.as_ref().ok().copied().flatten();
    let (id, attempt, millis) = (&job.id, job.attempts, u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    match (noted, why) {
        (Err(fault), _) => {
            tracing::error!(job.id = %id, job.kind = kind.name, error = ?fault, "job.not_noted: it is done again when its lease ends");
        }
        (Ok(None), _) => {
            tracing::warn!(job.id = %id, job.kind = kind.name, "job.lease_lost: another worker does it")
        }
        (Ok(Some(JobState::Dead)), Some(why)) => {
            tracing::error!(job.id = %id, job.kind = kind.name, job.attempt = attempt, error = why, "job.dead: `engify jobs retry` does it again");
        }
        (Ok(Some(_)), Some(why)) => {
            tracing::warn!(job.id = %id, job.kind = kind.name, job.attempt = attempt, error = why, "job.failed: trying again");
        }
        (Ok(Some(_)), None) => {
            tracing::info!(job.id = %id, job.kind = kind.name, job.attempt = attempt, job.outcome = word, job.took_ms = millis, "job.ended");
        }
    }
    state
}

/// The handler, within its time; a handler that panics has failed.
async fn handler(app: &App, kind: &JobKind, job: &Job, stop: CancellationToken) -> End {
    let task = Task { id: job.id.clone(), attempt: job.attempts, payload: job.payload.clone(), stop };
    let work = AssertUnwindSafe(kind.work(Ctx::system(app, kind.name), task)).catch_unwind();
    match tokio::time::timeout(kind.longest, work).await {
        Ok(Ok(Ok(outcome))) => End::Done(outcome),
        Ok(Ok(Err(fault))) => End::Failed(fault),
        Ok(Err(_)) => End::Failed(Error::internal("the handler panicked")),
        Err(_) => {
            let message = format!("It was not done within {} s.", kind.longest.as_secs());
            End::Failed(Error::new(Kind::Timeout, "job_timeout", message))
        }
    }
}

/// Does everything that is due and waits until that is done: for tests.
///
/// # Errors
/// Those of the store.
pub async fn settle(app: &App) -> Result<()> {
    loop {
        let begun = round(app).await?.begun;
        // All places are free when all that was begun has ended.
        let all = u32::try_from(TOGETHER).map_err(Error::internal)?;
        drop(app.jobs().places.acquire_many(all).await.map_err(Error::internal)?);
        if begun == 0 {
            return Ok(());
        }
    }
}

/// Does one job here and now, whatever its time, and returns its record when it has ended; where another worker has it,
/// waits for that. For the command line, which works without a server.
///
/// # Errors
/// `not_found`; those of the store.
pub async fn run_here(ctx: &Ctx, id: &str) -> Result<Job> {
    let app = ctx.app();
    let mut changes = app.store().changes();
    loop {
        let job: Job = app.store().get(&EVERYTHING, id).await?.ok_or_else(not_found)?;
        ctx.require(known(app, &job.kind)?.needs)?;
        match job.state {
            JobState::Done | JobState::Dead | JobState::Cancelled => return Ok(job),
            JobState::Queued if job.attempts == 0 => {
                let kind = known(app, &job.kind)?;
                let calls = app.store().changes();
                if let Claim::Ours(job) = claim(app, kind, job).await? {
                    work(app, kind, &job, calls).await;
                    continue;
                }
            }
            // It failed once: its next try has its time.
            JobState::Queued if job.failure.is_some() => return Ok(job),
            JobState::Queued | JobState::Running => {}
        }
        if !news(&mut changes, is_news).await {
            return Err(not_found());
        }
    }
}

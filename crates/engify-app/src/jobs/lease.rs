//! Who works on a job: claiming it, keeping it, and what is written when a try has ended.
//!
//! Each of these is one conditional patch, so that of any number of replicas one wins. Where a kind may run so many times
//! at once, a job also takes one of that many numbered slots; a unique index sees to it that no slot is taken twice.

use std::time::Duration;

use engify_core::ids::JobId;
use engify_core::job::{Job, JobFailure, JobState, Schedule};
use engify_core::{Error, Kind, Result, Time};
use engify_store::{Batch, Patch};
use serde_json::Value;

use super::{EVERYTHING, JobKind, MAX_OUTCOME};
use crate::App;

/// How long a lease holds. A worker that dies keeps its job from others for no longer.
pub(super) const LEASE: Duration = Duration::from_secs(60);
/// How often it is renewed while the work goes on.
pub(super) const RENEW: Duration = Duration::from_secs(20);
/// How long to wait after the first try that failed; three times as long after each further one, within bounds.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long the records of jobs stay after they ended.
const DONE_KEPT: Duration = DAY.saturating_mul(14);
const DEAD_KEPT: Duration = DAY.saturating_mul(90);

/// What came of claiming a job.
pub(super) enum Claim {
    /// It is ours until its lease ends.
    Ours(Box<Job>),
    /// Somebody else was first.
    Lost,
    /// As many of this kind run as may.
    Full,
}

/// How a try ended.
pub(super) enum End {
    Done(Value),
    Failed(Error),
    /// The process ends; the try does not count.
    GivenBack,
    /// Somebody called the job off.
    Cancelled,
}

/// Claims a job that is due. `lane` and `dueAt` of `job` are as they were read.
pub(super) async fn claim(app: &App, kind: &JobKind, job: Job) -> Result<Claim> {
    let slots: Vec<Option<String>> = match (&job.slot, kind.together) {
        // Whoever had it died and cannot give its slot back: it stays with the job.
        (Some(slot), _) => vec![Some(slot.clone())],
        (None, None) => vec![None],
        (None, Some(count)) => (0..count).map(|slot| Some(format!("{}#{slot}", kind.name))).collect(),
    };
    for slot in slots {
        let now = app.clock().now();
        let ours = Job {
            state: JobState::Running,
            lease: Some(app.ids().uuid()),
            due_at: now.plus(LEASE),
            attempts: job.attempts + 1,
            started_at: Some(now),
            slot,
            ..job.clone()
        };
        let patch = as_read(&job)?
            .set("state", ours.state)?
            .set("lease", &ours.lease)?
            .set("dueAt", ours.due_at)?
            .set("attempts", ours.attempts)?
            .set("startedAt", ours.started_at)?
            .set("slot", &ours.slot)?;
        match app.store().write(Batch::new().patch::<Job>(patch)).await {
            Ok(_) => return Ok(Claim::Ours(Box::new(ours))),
            Err(fault) if fault.code() == "stale" => return Ok(Claim::Lost),
            Err(fault) if fault.code() == "duplicate" => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(Claim::Full)
}

/// A patch that only works while nobody has touched the job's lease since it was read.
pub(super) fn as_read(job: &Job) -> Result<Patch> {
    Patch::new(EVERYTHING, &job.id)
        .when("state", job.state)?
        .when("lease", &job.lease)?
        .when("dueAt", job.due_at)
}

/// Keeps a lease alive; returns when it is lost.
pub(super) async fn keep(app: &App, job: &Job) {
    loop {
        tokio::time::sleep(RENEW).await;
        let renewed = async {
            let until = app.clock().now().plus(LEASE);
            let patch = Patch::new(EVERYTHING, &job.id).when("lease", &job.lease)?.set("dueAt", until)?;
            app.store().write(Batch::new().patch::<Job>(patch)).await
        };
        match renewed.await {
            Err(fault) if fault.code() == "stale" => return,
            // The database is away: the work goes on, and what it cannot write it will say.
            Err(_) | Ok(_) => {}
        }
    }
}

/// Notes how a try ended; says where the job is now. None: the lease was lost, and whoever has it now writes about the job.
pub(super) async fn note(app: &App, kind: &JobKind, job: &Job, end: End) -> Result<Option<JobState>> {
    let now = app.clock().now();
    let patch = Patch::new(EVERYTHING, &job.id).when("lease", &job.lease)?;
    let (patch, state) = match end {
        End::Done(outcome) => {
            (patch.set("failure", Value::Null)?.set("outcome", bounded(outcome))?, JobState::Done)
        }
        End::Failed(fault) if job.attempts < kind.attempts && fault.kind() != Kind::Invalid => {
            let wait = wait(job.attempts, u64::from_le_bytes(app.ids().random::<8>()));
            let wait = wait.max(fault.retry_wait().unwrap_or_default());
            let patch = patch
                .set("failure", failure(&fault))?
                .set("dueAt", now.plus(wait))?
                .set("handedAt", Value::Null)?;
            (patch, JobState::Queued)
        }
        End::Failed(fault) => (patch.set("failure", failure(&fault))?, JobState::Dead),
        End::Cancelled => (patch, JobState::Cancelled),
        End::GivenBack => (patch.set("dueAt", now)?.add("attempts", -1), JobState::Queued),
    };
    let batch = match state {
        JobState::Queued => Batch::new().patch::<Job>(free(patch, state)?),
        _ => ended(Batch::new(), patch, job, (state, now))?,
    };
    Ok(won(app, batch).await?.then_some(state))
}

/// Adds the end of a job to a batch: its own, and what its schedule says of it.
pub(super) fn ended(batch: Batch, patch: Patch, job: &Job, (state, now): (JobState, Time)) -> Result<Batch> {
    let kept = if state == JobState::Dead { DEAD_KEPT } else { DONE_KEPT };
    let patch = free(patch, state)?
        .set("lane", Value::Null)?
        .set("singleton", Value::Null)?
        .set("endedAt", now)?
        .set("expiresAt", now.plus(kept))?;
    let batch = batch.patch::<Job>(patch);
    let Some(schedule) = &job.schedule else { return Ok(batch) };
    let told = Patch::new(EVERYTHING, schedule)
        .when("lastJob", &job.id)?
        .set("lastState", state)?
        .set("lastEndedAt", now)?;
    Ok(batch.patch::<Schedule>(told.or_skip()))
}

/// In this state nobody holds it.
fn free(patch: Patch, state: JobState) -> Result<Patch> {
    patch.set("state", state)?.set("lease", Value::Null)?.set("slot", Value::Null)
}

/// Whether nobody was quicker.
async fn won(app: &App, batch: Batch) -> Result<bool> {
    match app.store().write(batch).await {
        Ok(_) => Ok(true),
        Err(fault) if fault.code() == "stale" => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Ends a job that was called off and whose worker did not live to do it.
pub(super) async fn drop_cancelled(app: &App, job: &Job) -> Result<()> {
    let end = (JobState::Cancelled, app.clock().now());
    won(app, ended(Batch::new(), as_read(job)?, job, end)?).await.map(drop)
}

/// A job that was begun as often as it may and whose worker died each time.
pub(super) async fn bury(app: &App, job: &Job) -> Result<()> {
    let now = app.clock().now();
    let message = "Its worker ended before it did, each time: it was killed, or the job needs more memory than there is. The \
                   log of that time tells more; retry it when the cause is gone.";
    let failure = JobFailure { code: "job_lost".to_owned(), message: message.to_owned() };
    let patch = as_read(job)?.set("failure", failure)?;
    won(app, ended(Batch::new(), patch, job, (JobState::Dead, now))?).await.map(drop)
}

fn failure(fault: &Error) -> JobFailure {
    let details = fault.details().iter().map(|detail| format!(" {}: {}.", detail.field, detail.issue));
    let message = std::iter::once(fault.message().to_owned()).chain(details).collect();
    JobFailure { code: fault.code().to_owned(), message }
}

fn bounded(outcome: Value) -> Value {
    if outcome.to_string().len() <= MAX_OUTCOME {
        outcome
    } else {
        "What it says is too long to be kept.".into()
    }
}

/// The wait after so many tries, with a part that differs from job to job: what failed together does not come back together.
fn wait(attempts: u32, random: u64) -> Duration {
    let longest =
        FIRST_WAIT.saturating_mul(3_u32.saturating_pow(attempts.saturating_sub(1))).min(LONGEST_WAIT);
    longest.mul_f64(0.75 + 0.25 * (random % 1024) as f64 / 1024.0)
}

/// The key under which a schedule makes jobs: one of them is open at a time.
pub(super) fn schedule_key(name: &str) -> String {
    format!("schedule:{name}")
}

/// The id of the job that a schedule makes for the minute of this time: however many ask for it, there is one.
pub(super) fn tick_id(name: &str, at: Time) -> Result<JobId> {
    JobId::parse(&format!("{name}:{}", at.millis().div_euclid(60_000))).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_their_bounds() {
        let seconds = |attempts, random| wait(attempts, random).as_secs_f64();
        assert!((7.5..7.6).contains(&seconds(1, 0)) && (9.9..=10.0).contains(&seconds(1, 1023)));
        assert!((22.5..=30.0).contains(&seconds(2, 500)));
        assert!((2700.0..=3600.0).contains(&seconds(40, 7)));
    }

    #[test]
    fn the_same_minute_has_the_same_id() {
        let at = |text: &str| tick_id("digest", text.parse().unwrap()).unwrap();
        assert_eq!(at("2026-11-22T12:00:00.000Z"), at("2026-11-22T12:00:59.999Z"));
        assert_ne!(at("2026-11-22T12:00:00.000Z"), at("2026-11-22T12:01:00.000Z"));
    }
}

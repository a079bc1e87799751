//! Work that is done outside of requests: jobs, and the schedules that make them.
//!
//! A job is durable from the moment it is queued until it has ended. Whoever works on it holds a lease that runs out by
//! itself, so that a worker that dies loses nothing: another one does that job again. Handlers therefore meet the same
//! job twice now and then, and are written so that the second time changes nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Time;
use crate::ids::{JobId, UserId};
use crate::permission::words;

words! {
    /// Where a job is.
    JobState, "a state of a job", {
        /// Waits for its time or for a worker.
        Queued = "queued",
        /// A worker holds a lease on it.
        Running = "running",
        /// It was done.
        Done = "done",
        /// It failed and is not tried again by itself: a dead letter.
        Dead = "dead",
        /// Somebody called it off.
        Cancelled = "cancelled",
    }
}

words! {
    /// Which of the jobs that are due go first.
    Priority, "a priority", {
        /// Somebody waits for it.
        High = "high",
        /// Nothing special.
        Normal = "normal",
        /// May wait for all others.
        Low = "low",
    }
}

words! {
    /// What becomes of times of a schedule that passed while nobody was there.
    CatchUp, "a policy for missed times", {
        /// However many passed, the job is done once.
        Once = "once",
        /// They are left out; the job is done at its next time.
        Skip = "skip",
    }
}

/// One job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The document's id, and the key by which a handler recognizes a job that it meets again.
    #[serde(rename = "_id")]
    pub id: JobId,
    /// Which handler does it.
    pub kind: String,
    /// What the handler is told.
    pub payload: Value,
    /// Where it is.
    pub state: JobState,
    /// How urgent it is.
    pub priority: Priority,
    /// Its priority while it is open, none once it has ended: what workers look through.
    pub lane: Option<Priority>,
    /// When it is due; while it runs, when its lease ends and another worker may take over.
    pub due_at: Time,
    /// Of open jobs, one only has this key.
    pub singleton: Option<String>,
    /// The place that it takes of those that its kind has over all replicas: `backup#0`. None where there is no bound.
    pub slot: Option<String>,
    /// Names the lease; fresh with each one, so that a worker that lost its lease cannot write about the job any more.
    pub lease: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// The schedule that made it.
    pub schedule: Option<String>,
    /// Who asked for it, where somebody did.
    pub asked_by: Option<UserId>,
    /// When it was handed to a queue service that calls us about it.
    pub handed_at: Option<Time>,
    /// When somebody called it off; while it runs, its worker is still to hear of that.
    pub cancelled_at: Option<Time>,
    /// Why the last try failed.
    pub failure: Option<JobFailure>,
    /// What the handler says about what it did.
    pub outcome: Option<Value>,
    /// When it was queued.
    pub created_at: Time,
    /// When its last try began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// When this record goes; none while it is open.
    pub expires_at: Option<Time>,
}

/// Why a try failed, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobFailure {
    /// The stable word: `database_unavailable`, `job_lost`, …
    pub code: String,
    /// What happened and what to do, safe to show.
    pub message: String,
}

/// When a kind of job is done by itself. There is one for each kind that the program declares a schedule for; its id is
/// the kind's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// The document's id: the kind of job.
    #[serde(rename = "_id")]
    pub id: String,
    /// The times, in cron's five fields, UTC.
    pub cron: String,
    /// What becomes of missed times.
    pub catch_up: CatchUp,
    /// Whether it makes jobs.
    pub enabled: bool,
    /// Whether an administrator changed it: then a newer program's default does not.
    pub custom: bool,
    /// The next time; none while it is switched off.
    pub next_at: Option<Time>,
    /// The job that it made last.
    pub last_job: Option<JobId>,
    /// When that ended.
    pub last_ended_at: Option<Time>,
    /// How that ended.
    pub last_state: Option<JobState>,
    /// When it was changed last.
    pub updated_at: Time,
}

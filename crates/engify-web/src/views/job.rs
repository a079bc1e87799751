//! The JSON of jobs and schedules, as administrators see them.

use engify_core::Time;
use engify_core::job::{CatchUp, Job, JobState, Priority, Schedule};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A job.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobView {
    id: String,
    kind: String,
    state: JobState,
    priority: Priority,
    /// What the handler is told; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
    /// When it is due; while it runs, when its lease ends.
    due_at: Time,
    /// Of open jobs, one only has this key.
    key: Option<String>,
    /// How often it was begun.
    attempts: u32,
    /// The schedule that made it.
    schedule: Option<String>,
    /// Who asked for it, where somebody did.
    asked_by: Option<String>,
    /// Why the last try failed.
    failure: Option<JobFailureView>,
    /// What the handler says about what it did.
    outcome: Option<Value>,
    created_at: Time,
    started_at: Option<Time>,
    ended_at: Option<Time>,
    /// When somebody called it off; while it runs, its worker is still to hear of that.
    cancelled_at: Option<Time>,
}

/// Why a try failed, with the remedy.
#[derive(Debug, Serialize, JsonSchema)]
struct JobFailureView {
    code: String,
    message: String,
}

impl JobView {
    /// With what the handler is told.
    pub(crate) fn whole(job: &Job) -> Self {
        Self { payload: Some(job.payload.clone()), ..Self::from(job) }
    }
}

impl From<&Job> for JobView {
    fn from(job: &Job) -> Self {
        let failure = job.failure.as_ref();
        Self {
            id: job.id.to_string(),
            kind: job.kind.clone(),
            state: job.state,
            priority: job.priority,
            payload: None,
            due_at: job.due_at,
            key: job.singleton.clone(),
            attempts: job.attempts,
            schedule: job.schedule.clone(),
            asked_by: job.asked_by.as_ref().map(ToString::to_string),
            failure: failure.map(|failure| JobFailureView {
                code: failure.code.clone(),
                message: failure.message.clone(),
            }),
            outcome: job.outcome.clone(),
            created_at: job.created_at,
            started_at: job.started_at,
            ended_at: job.ended_at,
            cancelled_at: job.cancelled_at,
        }
    }
}

/// When a kind of job is done by itself.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleView {
    /// The kind of job.
    name: String,
    /// What that does.
    about: &'static str,
    /// Cron's five fields, UTC.
    cron: String,
    enabled: bool,
    /// What becomes of missed times.
    catch_up: CatchUp,
    /// Whether an administrator changed it.
    custom: bool,
    /// The next time; null while it is switched off.
    next_at: Option<Time>,
    /// The job that it made last.
    last_job: Option<String>,
    last_ended_at: Option<Time>,
    last_state: Option<JobState>,
}

impl ScheduleView {
    pub(crate) fn new(schedule: &Schedule, about: &'static str) -> Self {
        Self {
            name: schedule.id.clone(),
            about,
            cron: schedule.cron.clone(),
            enabled: schedule.enabled,
            catch_up: schedule.catch_up,
            custom: schedule.custom,
            next_at: schedule.next_at,
            last_job: schedule.last_job.as_ref().map(ToString::to_string),
            last_ended_at: schedule.last_ended_at,
            last_state: schedule.last_state,
        }
    }
}

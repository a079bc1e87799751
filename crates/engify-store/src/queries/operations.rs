//! Queries of operations: backups, drills, jobs and schedules, and sums over the whole installation.

use engify_core::backup::{Backup, BackupState, Drill, DrillKind};
use engify_core::ids::PromptId;
use engify_core::job::{Job, JobState, Priority, Schedule};
use engify_core::prompt::Rating;
use engify_core::run::Run;
use engify_core::tenancy::Scope;
use engify_core::{Ids, Time};

use crate::collection::Direction::{Ascending, Descending};
use crate::collection::Entity;
use crate::query::Query;

/// Backups, newest first; `state`: those in this one only.
pub fn backups(state: Option<BackupState>) -> Query<Backup> {
    let query = Query::new("backups", Scope::Everything("backups are of the whole installation"));
    let query = match state {
        Some(state) => query.equal("state", state.as_str()),
        None => query,
    };
    query.sorted("createdAt", Descending)
}

/// Drills, newest first; `kind`: those of this one only.
pub fn drills(kind: Option<DrillKind>) -> Query<Drill> {
    let query = Query::new("drills", Scope::Everything("drills are of the whole installation"));
    let query = match kind {
        Some(kind) => query.equal("kind", kind.as_str()),
        None => query,
    };
    query.sorted("startedAt", Descending)
}

const WORKERS: Scope = Scope::Everything("jobs are the installation's");

/// The open jobs of a priority, those that are due first.
pub fn jobs_in_lane(lane: Priority) -> Query<Job> {
    Query::new("jobs_in_lane", WORKERS).equal("lane", lane.as_str()).sorted("dueAt", Ascending)
}

/// The open job with this key.
pub fn job_by_key(key: &str) -> Query<Job> {
    Query::new("job_by_key", WORKERS).equal("singleton", key).limit(1)
}

/// Jobs, newest first, for administrators.
pub fn jobs(narrowed: &JobFilter) -> Query<Job> {
    Query::new("jobs", Scope::Everything("system:read is an administrator's permission"))
        .equal_if("state", narrowed.state.map(JobState::as_str))
        .equal_if("kind", narrowed.kind.as_deref())
        .sorted("createdAt", Descending)
}

/// Narrowing of the list of jobs.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// That are there.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<String>,
}

/// Jobs whose record is over, for clean-up.
pub fn jobs_expired(now: Time) -> Query<Job> {
    Query::new("jobs_expired", WORKERS).below("expiresAt", now.to_string()).sorted("expiresAt", Ascending)
}

/// The schedules that are switched on, the next first.
pub fn schedules_waiting() -> Query<Schedule> {
    Query::new("schedules_waiting", WORKERS)
        .at_least("nextAt", Time::from_millis(0).to_string())
        .sorted("nextAt", Ascending)
}

/// What was made since a moment, oldest first, for sums over the whole installation: ids begin with the time.
pub fn made_since<E: Entity>(since: Time) -> Query<E> {
    Query::new("made_since", Scope::Everything("sums over the whole installation"))
        .at_least("_id", Ids::first_at(since))
        .sorted("_id", Ascending)
}

/// The figures of all runs since a moment without their texts, oldest first.
pub fn run_figures_since(since: Time) -> Query<Run> {
    Query::new("run_figures_since", Scope::Everything("sums over the whole installation"))
        .at_least("_id", Ids::first_at(since))
        .sorted("_id", Ascending)
        .only(&["createdAt", "organizationId", "provider", "status", "usage", "cost"])
}

/// The stars that a prompt was given, to be added up anew.
pub fn ratings_on(prompt: &PromptId) -> Query<Rating> {
    Query::new("ratings_on", Scope::Everything("a sum over everybody's stars"))
        .equal("promptId", prompt.as_str())
}

//! `engify jobs` and `engify cron`: what is done outside of requests, and when.

use engify_app::Ctx;
use engify_app::jobs::{self, JobFilter, NewJob};
use engify_core::Time;
use engify_core::job::{Job, JobState, Schedule};
use serde::Serialize;
use serde_json::{Value, json};

use super::with_library;
use crate::cli::{Cron, How, Jobs, ListJobs, Report, RunCron, RunJob};
use crate::environment::Environment;
use crate::printer::{self, Printed};
use crate::stop::{Ended, Verdict};

/// Runs one of the `jobs` commands.
pub(super) async fn run(environment: &Environment, command: Jobs) -> Ended {
    with_library(environment, async |ctx| match command {
        Jobs::List(options) => list(ctx, options).await,
        Jobs::Run(options) => start(ctx, options).await,
        Jobs::Retry { id, how } => {
            let job = jobs::retry(ctx, &id).await?;
            carry(ctx, job.id.as_str(), how).await
        }
        Jobs::Cancel { id, report } => {
            let job = jobs::cancel(ctx, &id).await?;
            show(&job, report)?;
            Ok(Verdict::Done)
        }
    })
    .await
}

/// Runs one of the `cron` commands.
pub(super) async fn cron(environment: &Environment, command: Cron) -> Ended {
    with_library(environment, async |ctx| match command {
        Cron::List(report) => schedules(ctx, report).await,
        Cron::Run(RunCron { name, how }) => {
            let queued = jobs::run_now(ctx, &name).await?;
            carry(ctx, queued.id.as_str(), how).await
        }
    })
    .await
}

/// A job as a report shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: &'a str,
    kind: &'a str,
    state: JobState,
    attempts: u32,
    due_at: Time,
    created_at: Time,
    started_at: Option<Time>,
    ended_at: Option<Time>,
    cancelled_at: Option<Time>,
    failure: Option<Value>,
    outcome: Option<&'a Value>,
}

impl<'a> From<&'a Job> for Shown<'a> {
    fn from(job: &'a Job) -> Self {
        let failure = job.failure.as_ref();
        Self {
            id: job.id.as_str(),
            kind: &job.kind,
            state: job.state,
            attempts: job.attempts,
            due_at: job.due_at,
            created_at: job.created_at,
            started_at: job.started_at,
            ended_at: job.ended_at,
            cancelled_at: job.cancelled_at,
            failure: failure.map(|failure| json!({ "code": failure.code, "message": failure.message })),
            outcome: job.outcome.as_ref(),
        }
    }
}

async fn list(ctx: &Ctx, options: ListJobs) -> Ended {
    let narrowed = JobFilter { state: options.state, kind: options.kind };
    let found = jobs::list(ctx, &narrowed, options.limit, None).await?.items;
    if options.report.json {
        let shown: Vec<_> = found.iter().map(Shown::from).collect();
        printer::json(&json!({ "jobs": shown }))?;
    } else {
        let row = |job: &Job| {
            let when = job.ended_at.unwrap_or(job.due_at);
            [job.id.to_string(), job.kind.clone(), job.state.to_string(), when.to_string(), note(job)]
        };
        printer::table(["id", "kind", "state", "due or ended", "note"], found.iter().map(row))?;
    }
    Ok(Verdict::wanting_if(found.iter().any(|job| job.state == JobState::Dead)))
}

async fn start(ctx: &Ctx, options: RunJob) -> Ended {
    let mut new = NewJob::of(options.kind).payload(options.payload.unwrap_or_default());
    if let Some(key) = options.key {
        new = new.key(key);
    }
    let queued = jobs::enqueue(ctx, new).await?;
    if !queued.fresh {
        printer::talk(format_args!("A job with this key is open: {}.", queued.id));
    }
    carry(ctx, queued.id.as_str(), options.how).await
}

/// Does a job that is queued, unless servers shall.
async fn carry(ctx: &Ctx, id: &str, how: How) -> Ended {
    let job = if how.queue { jobs::get(ctx, id).await? } else { jobs::run_here(ctx, id).await? };
    show(&job, how.report)?;
    Ok(Verdict::wanting_if(!how.queue && job.state != JobState::Done))
}

fn show(job: &Job, report: Report) -> Printed {
    if report.json { printer::json(&Shown::from(job)) } else { tell(job) }
}

fn tell(job: &Job) -> Printed {
    match job.state {
        JobState::Running if job.cancelled_at.is_some() => printer::line(format_args!(
            "{} {}: called off; its worker ends it within seconds.",
            job.kind, job.id
        )),
        JobState::Queued if job.failure.is_none() => {
            printer::line(format_args!("{} {}: queued; a server does it.", job.kind, job.id))
        }
        JobState::Queued => printer::line(format_args!(
            "{} {}: failed, and is tried again by a server after {}. {}",
            job.kind,
            job.id,
            job.due_at,
            note(job)
        )),
        state => printer::line(format_args!("{} {}: {state}. {}", job.kind, job.id, note(job))),
    }
}

/// What a job says, or why it failed.
fn note(job: &Job) -> String {
    match (&job.failure, &job.outcome) {
        (Some(failure), _) => failure.message.clone(),
        (None, Some(Value::String(said))) => said.clone(),
        (None, Some(outcome)) => outcome.to_string(),
        (None, None) => String::new(),
    }
}

/// A schedule as a report shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Planned<'a> {
    name: &'a str,
    about: &'static str,
    cron: &'a str,
    enabled: bool,
    catch_up: &'static str,
    next_at: Option<Time>,
    last_state: Option<JobState>,
    last_ended_at: Option<Time>,
}

async fn schedules(ctx: &Ctx, report: Report) -> Ended {
    let all = jobs::schedules(ctx).await?;
    if report.json {
        let planned: Vec<_> = all.iter().map(|one| planned(ctx, one)).collect();
        printer::json(&json!({ "schedules": planned }))?;
    } else {
        let row = |one: &Schedule| {
            let next = one.next_at.map_or_else(|| "switched off".to_owned(), |at| at.to_string());
            let last = one.last_state.map_or_else(String::new, |state| {
                format!("{state} {}", one.last_ended_at.map(|at| at.to_string()).unwrap_or_default())
            });
            [one.id.clone(), one.cron.clone(), next, last]
        };
        printer::table(["name", "times (UTC)", "next", "last"], all.iter().map(row))?;
    }
    let failed = all.iter().any(|one| one.enabled && one.last_state == Some(JobState::Dead));
    Ok(Verdict::wanting_if(failed))
}

fn planned<'a>(ctx: &Ctx, schedule: &'a Schedule) -> Planned<'a> {
    Planned {
        name: &schedule.id,
        about: jobs::about(ctx, &schedule.id),
        cron: &schedule.cron,
        enabled: schedule.enabled,
        catch_up: schedule.catch_up.as_str(),
        next_at: schedule.next_at,
        last_state: schedule.last_state,
        last_ended_at: schedule.last_ended_at,
    }
}

//! Schedules: which jobs are made by themselves, and when. Declared in code beside their handlers, kept in the store so
//! that administrators can change them, and followed by every replica: the patch that moves a schedule to its next time
//! is won by one of them, in the transaction that queues the job.

use std::time::Duration;

use engify_core::audit::{Action, Outcome, Target, changed};
use engify_core::ids::JobId;
use engify_core::job::{CatchUp, Job, Schedule};
use engify_core::permission::Permission;
use engify_core::{Error, Result, Time};
use engify_store::{Batch, Patch, queries};
use serde_json::{Value, json};

use super::lease::{schedule_key, tick_id};
use super::registry::Times;
use super::{Cron, EVERYTHING, JobKind, NewJob, Queued, made, queue};
use crate::{App, Ctx};

/// How late a time may be met and still not count as missed.
const LATE: Duration = Duration::from_secs(60);

/// A change to a schedule; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Other times: cron's five fields, UTC.
    pub cron: Option<String>,
    /// On or off.
    pub enabled: Option<bool>,
    /// What becomes of missed times.
    pub catch_up: Option<CatchUp>,
}

/// Puts in what the program declares and follows its new defaults, as long as no administrator said otherwise.
pub(crate) async fn declare(app: &App) -> Result<()> {
    for kind in app.jobs().registry.all() {
        let Some(times) = &kind.times else { continue };
        let there: Option<Schedule> = app.store().get(&EVERYTHING, kind.name).await?;
        let batch = match there {
            None => Batch::new().insert(&declared(app, kind, times))?,
            Some(there)
                if there.custom
                    || there.cron == times.cron.to_string() && there.catch_up == times.catch_up =>
            {
                continue;
            }
            Some(there) => Batch::new().patch::<Schedule>(
                Patch::new(EVERYTHING, kind.name)
                    .when("custom", false)?
                    .when("cron", there.cron)?
                    .set("cron", times.cron.to_string())?
                    .set("catchUp", times.catch_up)?
                    .set("nextAt", times.cron.after(app.clock().now()))?,
            ),
        };
        match app.store().write(batch).await {
            // Another replica was first.
            Err(fault) if matches!(fault.code(), "duplicate" | "stale") => {}
            written => drop(written?),
        }
    }
    Ok(())
}

fn declared(app: &App, kind: &JobKind, times: &Times) -> Schedule {
    let now = app.clock().now();
    Schedule {
        id: kind.name.to_owned(),
        cron: times.cron.to_string(),
        catch_up: times.catch_up,
        enabled: true,
        custom: false,
        next_at: times.cron.after(now),
        last_job: None,
        last_ended_at: None,
        last_state: None,
        updated_at: now,
    }
}

/// Makes the jobs of every schedule whose time has come; says when the next time is.
pub(super) async fn tick(app: &App) -> Result<Option<Time>> {
    for schedule in app.store().find(&queries::schedules_waiting().limit(200)).await?.items {
        let Some(at) = schedule.next_at else { continue };
        if at > app.clock().now() {
            return Ok(Some(at));
        }
        // A kind that this program does not know is another's to follow.
        if app.jobs().registry.get(&schedule.id).is_some() {
            met(app, &schedule, at).await?;
        }
    }
    // The schedules that were met have moved on, which is news and leads to the next look.
    Ok(None)
}

/// Moves a schedule on, and queues its job unless its time was missed and missed times are left out.
async fn met(app: &App, schedule: &Schedule, at: Time) -> Result<()> {
    let now = app.clock().now();
    // What is in the store was checked on its way there; a time that never comes again switches the schedule off.
    let next = Cron::parse(&schedule.cron).ok().and_then(|cron| cron.after(now));
    let on = Patch::new(EVERYTHING, &schedule.id).when("nextAt", at)?.set("nextAt", next)?;
    let missed = now.since(at) > LATE;
    if missed {
        tracing::warn!(schedule = schedule.id, schedule.missed_at = %at, schedule.catch_up = schedule.catch_up.as_str(), "schedule.missed: nobody was there at its time");
    }
    let id = tick_id(&schedule.id, at)?;
    let moved = match schedule.catch_up {
        CatchUp::Skip if missed => Batch::new().patch::<Schedule>(on),
        CatchUp::Skip | CatchUp::Once => {
            let job = job_of(&Ctx::system(app, "schedule"), &schedule.id, id.clone())?;
            let on = on.clone().set("lastJob", &id)?;
            match app.store().write(Batch::new().patch::<Schedule>(on).insert(&job)?).await {
                // It was made already, or the last one is still open: this time is met.
                Err(fault) if fault.code() == "duplicate" => {}
                Err(fault) if fault.code() == "stale" => return Ok(()),
                written => return written.map(drop),
            }
            Batch::new().patch::<Schedule>(on_only(schedule, at, next)?)
        }
    };
    match app.store().write(moved).await {
        Err(fault) if fault.code() == "stale" => Ok(()),
        written => written.map(drop),
    }
}

fn on_only(schedule: &Schedule, at: Time, next: Option<Time>) -> Result<Patch> {
    Patch::new(EVERYTHING, &schedule.id).when("nextAt", at)?.set("nextAt", next)
}

fn job_of(ctx: &Ctx, name: &str, id: JobId) -> Result<Job> {
    let job = made(ctx, NewJob::of(name).key(schedule_key(name)))?;
    Ok(Job { id, schedule: Some(name.to_owned()), ..job })
}

/// All schedules, by name.
///
/// # Errors
/// `forbidden` without `system:read`; those of the store.
pub async fn schedules(ctx: &Ctx) -> Result<Vec<Schedule>> {
    ctx.require(Permission::SystemRead)?;
    Ok(ctx.app().store().find(&queries::all_of::<Schedule>().limit(200)).await?.items)
}

/// One schedule.
///
/// # Errors
/// `not_found`; `forbidden` without `system:read`; those of the store.
pub async fn schedule(ctx: &Ctx, name: &str) -> Result<Schedule> {
    ctx.require(Permission::SystemRead)?;
    named(ctx, name).await
}

/// Changes a schedule; returns it as it is now.
///
/// # Errors
/// `invalid_request` for what is no schedule; `not_found`; `forbidden` without `system:settings`.
pub async fn change(ctx: &Ctx, name: &str, change: Change) -> Result<Schedule> {
    let target = Target::new("schedule", name);
    ctx.require_for(Permission::SystemSettings, Action::ScheduleChanged, target.clone()).await?;
    let old = named(ctx, name).await?;
    let cron = change.cron.as_deref().unwrap_or(&old.cron);
    let cron = Cron::parse(cron).map_err(|issue| Error::field("cron", issue))?;
    let enabled = change.enabled.unwrap_or(old.enabled);
    let new = Schedule {
        cron: cron.to_string(),
        catch_up: change.catch_up.unwrap_or(old.catch_up),
        enabled,
        custom: true,
        next_at: if enabled { cron.after(ctx.now()) } else { None },
        updated_at: ctx.now(),
        ..old.clone()
    };
    let details = changed(&shown(&old), &shown(&new));
    let patch = Patch::new(EVERYTHING, name)
        .when("updatedAt", old.updated_at)?
        .set("cron", &new.cron)?
        .set("catchUp", new.catch_up)?
        .set("enabled", new.enabled)?
        .set("custom", true)?
        .set("nextAt", new.next_at)?
        .set("updatedAt", new.updated_at)?;
    let line = ctx.audit(Action::ScheduleChanged, Outcome::Success, target, details);
    ctx.app().store().write(Batch::new().patch::<Schedule>(patch).insert(&line)?).await?;
    Ok(new)
}

/// What of a schedule is told in the audit log.
fn shown(schedule: &Schedule) -> Value {
    json!({ "cron": schedule.cron, "catchUp": schedule.catch_up, "enabled": schedule.enabled })
}

/// Queues the job of a schedule now, whether or not that is switched on. Within a minute, and while the last one is open,
/// it is the same job.
///
/// # Errors
/// `not_found`; `forbidden` without the permission of its kind.
pub async fn run_now(ctx: &Ctx, name: &str) -> Result<Queued> {
    let needs = ctx.app().jobs().registry.get(name).map_or(Permission::SystemSettings, |kind| kind.needs);
    let target = Target::new("schedule", name);
    ctx.require_for(needs, Action::JobQueued, target.clone()).await?;
    named(ctx, name).await?;
    let id = tick_id(name, ctx.now())?;
    let told = Patch::new(EVERYTHING, name).set("lastJob", &id)?;
    let line = ctx.audit(Action::JobQueued, Outcome::Success, target, json!({ "job": id.as_str() }));
    let batch =
        Batch::new().insert(&job_of(ctx, name, id.clone())?)?.patch::<Schedule>(told).insert(&line)?;
    queue(ctx.app(), batch, id, Some(&schedule_key(name))).await
}

async fn named(ctx: &Ctx, name: &str) -> Result<Schedule> {
    let known = ctx.app().jobs().registry.get(name).is_some();
    let there = if known { ctx.app().store().get(&EVERYTHING, name).await? } else { None };
    there.ok_or_else(|| Error::not_found("schedule"))
}

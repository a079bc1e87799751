//! Jobs and schedules as pages.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::sse::Event;
use engify_app::jobs::{self, Change};
use engify_app::limits::presets;
use engify_core::job::{CatchUp, Schedule};
use engify_core::permission::Permission;
use engify_core::{Error, Result};
use futures_util::stream;
use maud::Markup;
use serde::Deserialize;

use super::form::{Fields, Wrong};
use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::api::jobs::narrowed;
use crate::extract::Query;
use crate::pages::jobs::{self as pages, JobsView};
use crate::pages::schedules::{self, ScheduleRow, ScheduleView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;
use crate::sse;

/// How many lines a page lists.
const PAGE: u32 = 50;

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::SystemRead);
    const WRITE: Policy = READ.limit(presets::WRITE);
    const SETTINGS: Policy = Policy::needs(Permission::SystemSettings).limit(presets::WRITE);
    vec![
        Route::get("/opshub/jobs", READ, list).page(),
        Route::get("/opshub/jobs/live", READ, live).page(),
        Route::get("/opshub/jobs/{id}", READ, one).page(),
        Route::post("/opshub/jobs/{id}/retry", WRITE, retry).page(),
        Route::post("/opshub/jobs/{id}/cancel", WRITE, cancel).page(),
        Route::post("/opshub/jobs/{id}/discard", WRITE, discard).page(),
        Route::get("/opshub/schedules", READ, all_schedules).page(),
        Route::get("/opshub/schedules/{name}", READ, schedule).page(),
        Route::post("/opshub/schedules/{name}", SETTINGS, change).page(),
        Route::post("/opshub/schedules/{name}/run", WRITE, run).page(),
    ]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    state: String,
    kind: String,
    cursor: Option<String>,
}

async fn list(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let filter = narrowed(Some(&asked.state), Some(asked.kind.clone()))?;
    let cursor = asked.cursor.filter(|cursor| !cursor.is_empty());
    let page = jobs::list(&visit.ctx, &filter, PAGE, cursor.as_deref()).await?;
    let view = JobsView {
        jobs: &page.items,
        counts: &jobs::counts(&visit.ctx).await?,
        state: filter.state,
        kind: asked.kind,
        cursor,
        next: page.next.map(|cursor| cursor.encode()),
    };
    Ok(ok(pages::list(&visit.frame(), &view)))
}

/// Rows as they change, as the table shows them.
async fn live(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let filter = narrowed(None, Some(asked.kind))?;
    let jobs = jobs::follow(&visit.ctx, filter)?;
    let events = stream::unfold((jobs, Arc::new(visit)), async |(mut jobs, visit)| {
        let job = jobs.next().await?;
        let row = pages::row(&visit.frame(), &job).into_string();
        let event =
            Event::default().event("line").id(job.id.to_string()).data(row.replace(['\r', '\n'], " "));
        Some((event, (jobs, visit)))
    });
    Ok(sse::events(events))
}

async fn one(visit: Visit, Path(id): Path<String>) -> Reply {
    let job = jobs::get(&visit.ctx, &id).await?;
    Ok(ok(pages::one(&visit.frame(), &job, jobs::about(&visit.ctx, &job.kind))))
}

async fn retry(visit: Visit, Path(id): Path<String>) -> Reply {
    let job = jobs::retry(&visit.ctx, &id).await?;
    Ok(Said::JobQueued.at(&format!("/opshub/jobs/{}", job.id)))
}

async fn cancel(visit: Visit, Path(id): Path<String>) -> Reply {
    let job = jobs::cancel(&visit.ctx, &id).await?;
    Ok(Said::JobCancelled.at(&format!("/opshub/jobs/{}", job.id)))
}

async fn discard(visit: Visit, Path(id): Path<String>) -> Reply {
    jobs::discard(&visit.ctx, &id).await?;
    Ok(Said::JobDiscarded.at("/opshub/jobs"))
}

async fn all_schedules(visit: Visit) -> Reply {
    let all = jobs::schedules(&visit.ctx).await?;
    let rows: Vec<_> = all.iter().map(|schedule| row(&visit, schedule)).collect();
    Ok(ok(schedules::list(&visit.frame(), &rows, may_change(&visit))))
}

fn row<'a>(visit: &Visit, schedule: &'a Schedule) -> ScheduleRow<'a> {
    ScheduleRow { schedule, about: jobs::about(&visit.ctx, &schedule.id) }
}

fn may_change(visit: &Visit) -> bool {
    visit.ctx.allows(Permission::SystemSettings)
}

async fn schedule(visit: Visit, Path(name): Path<String>) -> Reply {
    let schedule = jobs::schedule(&visit.ctx, &name).await?;
    let view = view(&visit, &schedule);
    Ok(ok(schedules::one(&visit.frame(), &view)))
}

fn view<'a>(visit: &Visit, schedule: &'a Schedule) -> ScheduleView<'a> {
    ScheduleView {
        row: row(visit, schedule),
        cron: schedule.cron.clone(),
        catch_up: schedule.catch_up.to_string(),
        enabled: schedule.enabled,
        may_change: may_change(visit),
        faults: Vec::new(),
        problem: None,
    }
}

async fn change(visit: Visit, Path(name): Path<String>, fields: Fields) -> Reply {
    let path = format!("/opshub/schedules/{name}");
    let Err(error) = changed(&visit, &name, &fields).await else { return Ok(Said::Saved.at(&path)) };
    let wrong = Wrong::of(error)?;
    let schedule = jobs::schedule(&visit.ctx, &name).await?;
    let visit = visit.at(&path);
    Ok(wrong.reply(again(&visit, &schedule, &fields, &wrong)))
}

async fn changed(visit: &Visit, name: &str, fields: &Fields) -> Result<()> {
    let catch_up = fields.given("catch_up").map(CatchUp::parse).transpose();
    let change = Change {
        cron: Some(fields.text("cron")),
        enabled: Some(fields.given("enabled").is_some()),
        catch_up: catch_up.map_err(|issue| Error::field("catch_up", issue))?,
    };
    jobs::change(&visit.ctx, name, change).await.map(drop)
}

/// The form with what was typed, and what is wrong with it.
fn again(visit: &Visit, schedule: &Schedule, fields: &Fields, wrong: &Wrong) -> Markup {
    let view = ScheduleView {
        cron: fields.text("cron"),
        catch_up: fields.text("catch_up"),
        enabled: fields.given("enabled").is_some(),
        faults: wrong.faults(&[]),
        problem: Some(wrong.problem(&["cron", "catch_up"])),
        ..view(visit, schedule)
    };
    schedules::one(&visit.frame(), &view)
}

async fn run(visit: Visit, Path(name): Path<String>) -> Reply {
    let queued = jobs::run_now(&visit.ctx, &name).await?;
    Ok(Said::JobQueued.at(&format!("/opshub/jobs/{}", queued.id)))
}

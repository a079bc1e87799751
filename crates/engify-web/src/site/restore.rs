//! The way back, step by step: choose, see the plan, confirm, look on.

use axum::extract::Path;
use engify_app::backups::{self, Asked, Restoration};
use engify_app::limits::presets;
use engify_core::Result;
use engify_core::permission::Permission;
use maud::Markup;
use serde::Deserialize;

use super::form::{Fields, Wrong};
use super::visit::Visit;
use super::{go, ok};
use crate::extract::Query;
use crate::pages::backups::restore::{self as pages, ChooseView, RestoreView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// Where it begins.
const PAGE: &str = "/opshub/backups/restore";

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::SystemBackup);
    const WRITE: Policy = READ.limit(presets::WRITE);
    vec![
        Route::get(PAGE, READ, choose).page(),
        Route::post(PAGE, WRITE, plan).page(),
        Route::get("/opshub/backups/restore/{id}", READ, look).page(),
        Route::post("/opshub/backups/restore/{id}", WRITE, confirm).page(),
    ]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct From {
    from: String,
}

async fn choose(visit: Visit, Query(from): Query<From>) -> Reply {
    Ok(ok(form(&visit, ChooseView { from: from.from, ..ChooseView::default() }).await?))
}

/// The first step, with what there is to choose from.
async fn form(visit: &Visit, typed: ChooseView) -> Result<Markup> {
    let recent = backups::recent(&visit.ctx).await?;
    let coverage = backups::coverage(&visit.ctx, &recent).await?;
    let view = ChooseView {
        backups: recent.into_iter().filter(backups::is_there).collect(),
        coverage: coverage.into_iter().next(),
        collections: backups::collections(),
        ..typed
    };
    Ok(pages::choose(&visit.frame(), &view))
}

async fn plan(visit: Visit, fields: Fields) -> Reply {
    let (date, time) = (fields.text("date"), fields.text("time"));
    let asked = Asked {
        from: fields.text("from"),
        at: moment(&date, &time),
        collections: fields.given("collection").map(str::to_owned).into_iter().collect(),
        revive: fields.given("revive").is_some(),
    };
    let error = match backups::plan_restore(&visit.ctx, &asked).await {
        Ok(queued) => return Ok(go(&format!("{PAGE}/{}", queued.id))),
        Err(error) => error,
    };
    let wrong = Wrong::of(error)?;
    let visit = visit.at(PAGE);
    let typed = ChooseView {
        from: asked.from,
        date,
        time,
        collection: fields.text("collection"),
        revive: asked.revive,
        faults: wrong.faults(&[("at", "date"), ("collections", "collection")]),
        problem: Some(wrong.problem(&["from", "date", "collection", "at", "collections"])),
        ..ChooseView::default()
    };
    Ok(wrong.reply(form(&visit, typed).await?))
}

/// A day and a time of it as one; whatever was typed, so that the use case says what is wrong with it.
fn moment(date: &str, time: &str) -> String {
    match (date.trim(), time.trim()) {
        ("", "") => String::new(),
        (date, "") => format!("{date}T00:00:00Z"),
        (date, time) => format!("{date}T{}Z", time.trim_end_matches(['Z', 'z'])),
    }
}

async fn look(visit: Visit, Path(id): Path<String>) -> Reply {
    Ok(ok(page(&visit, &id, None).await?))
}

async fn page(visit: &Visit, id: &str, wrong: Option<&Wrong>) -> Result<Markup> {
    let job = backups::restoration(&visit.ctx, id).await?;
    let view = RestoreView {
        came_to: Restoration::of(&job),
        confirm: backups::confirmation(&visit.ctx),
        faults: wrong.map(|wrong| wrong.faults(&[])).unwrap_or_default(),
        problem: wrong.map(|wrong| wrong.problem(&["confirm"])),
        job: &job,
    };
    Ok(pages::look(&visit.frame(), &view))
}

async fn confirm(visit: Visit, Path(id): Path<String>, fields: Fields) -> Reply {
    let error = match backups::restore(&visit.ctx, &id, &fields.text("confirm")).await {
        Ok(queued) => return Ok(go(&format!("{PAGE}/{}", queued.id))),
        Err(error) => error,
    };
    let wrong = Wrong::of(error)?;
    let visit = visit.at(&format!("{PAGE}/{id}"));
    Ok(wrong.reply(page(&visit, &id, Some(&wrong)).await?))
}

//! Backups and drills as pages. Whatever they start is a job, and its page is where the browser is sent.

use axum::extract::Path;
use engify_app::audit::Format;
use engify_app::backups;
use engify_app::jobs::Queued;
use engify_app::limits::presets;
use engify_core::Error;
use engify_core::backup::{BackupState, DrillKind};
use engify_core::permission::Permission;
use serde::Deserialize;

use super::form::Fields;
use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::api::backups::{file, sent, word};
use crate::extract::Query;
use crate::pages::backups::drills::{self, DrillsView};
use crate::pages::backups::{self as pages, BackupsView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// How many lines a page lists.
const PAGE: u32 = 50;

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::SystemBackup);
    const WRITE: Policy = READ.limit(presets::WRITE);
    vec![
        Route::get("/opshub/backups", READ, list).page(),
        Route::post("/opshub/backups/take", WRITE, take).page(),
        Route::get("/opshub/backups/drills", READ, all_drills).page(),
        Route::post("/opshub/backups/drills", WRITE, drill).page(),
        Route::get("/opshub/backups/drills/export", READ, export).page(),
        Route::get("/opshub/backups/{id}", READ, one).page(),
        Route::get("/opshub/backups/{id}/download", WRITE, download).page(),
        Route::post("/opshub/backups/{id}/verify", WRITE, verify).page(),
    ]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    state: String,
    kind: String,
    format: String,
    cursor: Option<String>,
}

async fn list(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let ctx = &visit.ctx;
    let state = word(Some(&asked.state), "state", BackupState::parse)?;
    let cursor = asked.cursor.filter(|cursor| !cursor.is_empty());
    let page = backups::list(ctx, state, PAGE, cursor.as_deref()).await?;
    let recent = backups::recent(ctx).await?;
    let settings = &visit.app().settings().backups;
    let view = BackupsView {
        backups: &page.items,
        recent: &recent,
        coverage: &backups::coverage(ctx, &recent).await?,
        endings: &backups::endings(&recent, &settings.keep, ctx.now()),
        last_drill: backups::newest_drill(ctx).await?,
        encrypted: settings.encryption_key.is_some(),
        state,
        cursor,
        next: page.next.map(|cursor| cursor.encode()),
    };
    Ok(ok(pages::list(&visit.frame(), &view)))
}

async fn one(visit: Visit, Path(id): Path<String>) -> Reply {
    let backup = backups::get(&visit.ctx, &id).await?;
    Ok(ok(pages::one(&visit.frame(), &backup)))
}

async fn download(visit: Visit, Path(id): Path<String>) -> Reply {
    Ok(sent(backups::download(&visit.ctx, &id).await?, &id))
}

async fn take(visit: Visit) -> Reply {
    queued(&backups::take(&visit.ctx).await?)
}

async fn verify(visit: Visit, Path(id): Path<String>) -> Reply {
    queued(&backups::verify(&visit.ctx, &id).await?)
}

async fn all_drills(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let ctx = &visit.ctx;
    let kind = word(Some(&asked.kind), "kind", DrillKind::parse)?;
    let cursor = asked.cursor.filter(|cursor| !cursor.is_empty());
    let page = backups::drills(ctx, kind, PAGE, cursor.as_deref()).await?;
    let view = DrillsView {
        drills: &page.items,
        goals: visit.app().settings().backups.goals,
        kind,
        cursor,
        next: page.next.map(|cursor| cursor.encode()),
    };
    Ok(ok(drills::page(&visit.frame(), &view)))
}

async fn drill(visit: Visit, fields: Fields) -> Reply {
    let kind = DrillKind::parse(&fields.text("kind")).map_err(|issue| Error::field("kind", issue))?;
    queued(&backups::drill(&visit.ctx, kind).await?)
}

async fn export(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let format = Format::parse(&asked.format).map_err(|issue| Error::field("format", issue))?;
    Ok(file(backups::export(&visit.ctx, format).await?, format))
}

fn queued(queued: &Queued) -> Reply {
    Ok(Said::JobQueued.at(&format!("/opshub/jobs/{}", queued.id)))
}

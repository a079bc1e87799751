//! Restores, for administrators: worked out first, then done by whoever proved who they are and typed which installation
//! they mean.

use axum::extract::Path;
use engify_app::backups::{self, Asked, PLAN, Restoration};
use engify_app::limits::presets;
use engify_core::Time;
use engify_core::job::{Job, JobState};
use engify_core::permission::Permission;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::jobs::{QueuedView, accepted};
use crate::extract::{Caller, Json};
use crate::policy::Policy;
use crate::reply::{Done, Reply, json};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::SystemBackup);
    const WRITE: Policy = READ.limit(presets::WRITE);
    vec![
        Route::post("/api/admin/restores", WRITE, plan)
            .named("Backups", "Work a restore out; nothing is touched")
            .takes::<PlanBody>()
            .gives::<Done<QueuedView>>(StatusCode::ACCEPTED, "the job, which is also the restore's id"),
        Route::get("/api/admin/restores/{id}", READ, one)
            .named("Backups", "What a restore would do, or did")
            .gives::<RestoreView>(StatusCode::OK, "the plan or the restore"),
        Route::post("/api/admin/restores/{id}/start", WRITE, start)
            .named("Backups", "Do what a plan showed; needs a proof of who one is within the last 10 minutes")
            .takes::<StartBody>()
            .gives::<Done<QueuedView>>(StatusCode::ACCEPTED, "the job that does it")
            .refuses(&[StatusCode::CONFLICT]),
    ]
}

/// What is to come back: a backup, a moment, or a moment behind a backup.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlanBody {
    /// A backup's id.
    from: Option<String>,
    /// RFC 3339.
    at: Option<String>,
    /// These collections only; all that go back where it is left out.
    #[serde(default)]
    collections: Vec<String>,
    /// Keys and accounts that were revoked or disabled since come back as they were.
    #[serde(default)]
    revive: bool,
}

async fn plan(caller: Caller, Json(body): Json<PlanBody>) -> Reply {
    let asked = Asked {
        from: body.from.unwrap_or_default(),
        at: body.at.unwrap_or_default(),
        collections: body.collections,
        revive: body.revive,
    };
    accepted(backups::plan_restore(&caller.0, &asked).await?)
}

/// A plan or a restore.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RestoreView {
    id: String,
    /// Whether nothing is touched by it.
    dry_run: bool,
    state: JobState,
    /// Why it failed, with the remedy.
    failure: Option<String>,
    /// What it came to; null until it has ended well.
    result: Option<Restoration>,
    /// What `start` wants typed, while this plan can be carried out.
    confirm: Option<String>,
    created_at: Time,
    ended_at: Option<Time>,
}

async fn one(caller: Caller, Path(id): Path<String>) -> Reply {
    let job: Job = backups::restoration(&caller.0, &id).await?;
    let dry_run = job.kind == PLAN;
    let ready = dry_run && job.state == JobState::Done;
    let view = RestoreView {
        id: job.id.to_string(),
        dry_run,
        state: job.state,
        result: Restoration::of(&job),
        failure: job.failure.map(|failure| failure.message),
        confirm: ready.then(|| backups::confirmation(&caller.0)),
        created_at: job.created_at,
        ended_at: job.ended_at,
    };
    Ok(json(StatusCode::OK, &view))
}

/// A confirmation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StartBody {
    /// The installation's host, as in its address: `engify.example.com`.
    confirm: String,
}

async fn start(caller: Caller, Path(id): Path<String>, Json(body): Json<StartBody>) -> Reply {
    accepted(backups::restore(&caller.0, &id, &body.confirm).await?)
}

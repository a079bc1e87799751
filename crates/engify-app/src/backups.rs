//! Backups and drills as administrators see them, and the jobs that take them, prove them and bring them back.
//!
//! What is shown is what the database remembers: the targets themselves are asked by jobs and by the command line. What is
//! started is a job of the same name as the command, done by whatever the binary registered for it.

use engify_core::audit::{Action, Target};
use engify_core::backup::{Backup, BackupState, DrillKind};
use engify_core::ids::BackupId;
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result};
use engify_store::{Cursor, Page, queries};
use serde_json::json;

use crate::Ctx;
use crate::jobs::{self, NewJob, Queued};

mod coverage;
mod download;
mod drills;
mod restore;
mod retention;
mod watch;

pub use coverage::{Coverage, coverage};
pub use download::{Download, download};
pub use drills::{drills, export, newest_drill};
pub use restore::{
    Asked, Differences, Kept, PLAN, PlanView, RESTORE, Restoration, Wish, Written, collections, confirmation,
    plan_restore, restoration, restore,
};
pub use retention::{Ending, Rule, endings};
pub(crate) use watch::watch;

/// The kinds of jobs that do it; the binary registers them.
const TAKE: &str = "backup";
const VERIFY: &str = "backup_verify";
const DRILL: &str = "drill";

/// How many records a page of charts looks at: those of about three months by the guide's table.
const CHARTED: u32 = 1000;

const EVERYTHING: Scope = Scope::Everything("backups are of the whole installation");

/// Backups, newest first; `state`: those in this one only.
///
/// # Errors
/// `forbidden` without `system:backup`; `invalid_cursor`.
pub async fn list(
    ctx: &Ctx,
    state: Option<BackupState>,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page<Backup>> {
    ctx.require(Permission::SystemBackup)?;
    let query = queries::backups(state);
    let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// The newest thousand, for charts and for what goes next.
///
/// # Errors
/// `forbidden` without `system:backup`; those of the store.
pub async fn recent(ctx: &Ctx) -> Result<Vec<Backup>> {
    Ok(list(ctx, None, CHARTED, None).await?.items)
}

/// One backup.
///
/// # Errors
/// `forbidden` without `system:backup`; `not_found`.
pub async fn get(ctx: &Ctx, id: &str) -> Result<Backup> {
    ctx.require(Permission::SystemBackup)?;
    find(ctx, id).await
}

/// Has a backup taken and proven. While one that was asked for is open, it is the same job.
///
/// # Errors
/// `forbidden` without `system:backup`; those of the store.
pub async fn take(ctx: &Ctx) -> Result<Queued> {
    ctx.require_for(Permission::SystemBackup, Action::JobQueued, Target::new("job", TAKE)).await?;
    jobs::enqueue(ctx, NewJob::of(TAKE).key(TAKE)).await
}

/// Has one backup restored into a scratch database and compared.
///
/// # Errors
/// `forbidden` without `system:backup`; `not_found`; `backup_gone` for one that was deleted or never got to its target.
pub async fn verify(ctx: &Ctx, id: &str) -> Result<Queued> {
    ctx.require_for(Permission::SystemBackup, Action::JobQueued, Target::new("backup", id)).await?;
    let backup = find(ctx, id).await?;
    if !is_there(&backup) {
        let message = "There is nothing to verify: this backup was deleted, or never got to its target.";
        return Err(Error::new(Kind::Conflict, "backup_gone", message));
    }
    let new = NewJob::of(VERIFY).payload(json!({ "id": backup.id })).key(format!("{VERIFY}:{}", backup.id));
    jobs::enqueue(ctx, new).await
}

/// Has a disaster practised against a copy. While one like it is open, it is the same job.
///
/// # Errors
/// `forbidden` without `system:backup`; those of the store.
pub async fn drill(ctx: &Ctx, kind: DrillKind) -> Result<Queued> {
    ctx.require_for(Permission::SystemBackup, Action::JobQueued, Target::new("job", DRILL)).await?;
    let new = NewJob::of(DRILL).payload(json!({ "kind": kind })).key(format!("{DRILL}:{kind}"));
    jobs::enqueue(ctx, new).await
}

/// Whether its parts are at the target, as far as the database remembers.
pub fn is_there(backup: &Backup) -> bool {
    match backup.state {
        BackupState::Taken | BackupState::Verified => true,
        // What could not be proven lies there all the same.
        BackupState::Failed => backup.sha256.is_some(),
        BackupState::Running | BackupState::Pruned => false,
    }
}

async fn find(ctx: &Ctx, id: &str) -> Result<Backup> {
    let found = match BackupId::parse(id) {
        Ok(id) => ctx.app().store().get::<Backup>(&EVERYTHING, id.as_str()).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| {
        let message =
            "The database remembers no such backup. `engify db backups` lists what lies at the target.";
        Error::new(Kind::NotFound, "not_found", message)
    })
}

//! Kinds of jobs that are made of operators' work, for the schedules of a server and the pages of administrators.

use std::time::Duration;

use engify_app::Ctx;
use engify_app::jobs::{JobKind, Registry, Task};
use engify_core::backup::{BackupKind, DrillKind, DrillOutcome};
use engify_core::ids::BackupId;
use engify_core::job::CatchUp;
use engify_core::permission::Permission;
use engify_core::{Error, Result};
use engify_ops::backup::{self, Setup};
use engify_ops::drill;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::background;

mod restore;

/// How long a backup may take, its proof and its copy included.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// All of them, behind those that need nothing but the application.
pub(crate) fn with_operations(mut registry: Registry) -> Result<Registry> {
    for kind in backups()?.into_iter().chain(restore::kinds()) {
        registry = registry.with(kind);
    }
    Ok(registry)
}

/// Backups by the operations guide's table.
fn backups() -> Result<Vec<JobKind>> {
    let taking = |name, about, kind| {
        job(JobKind::new(name, about, move |ctx, task| quietly(task.stop, move || take(ctx, kind))))
    };
    Ok(vec![
        taking("backup", "Takes a backup now, and proves that it can be restored.", BackupKind::Manual),
        taking(
            "backup_snapshot",
            "Takes the backup of every six hours, and deletes those whose time is over.",
            BackupKind::Snapshot,
        )
        .scheduled("0 */6 * * *", CatchUp::Once)?,
        taking("backup_daily", "Takes the backup of the day.", BackupKind::Daily)
            .scheduled("30 1 * * *", CatchUp::Once)?,
        taking("backup_weekly", "Takes the backup of the week.", BackupKind::Weekly)
            .scheduled("30 4 * * 0", CatchUp::Once)?,
        job(JobKind::new(
            "backup_verify",
            "Restores the newest backup of each target into a scratch database and compares every document; with the payload \
             {\"id\": …} that one of the first target.",
            |ctx, task| quietly(task.stop.clone(), || verify(ctx, task)),
        ))
        .scheduled("0 5 * * 1", CatchUp::Once)?,
        job(JobKind::new(
            "drill",
            "Practises a disaster against a copy and measures what it costs; payload {\"kind\": \"restore\"}.",
            |ctx, task| apart(task.stop.clone(), || practise(ctx, task)),
        ))
        .attempts(1),
        job(JobKind::new("drill_restore", "The drill of the month: the machine is lost with its disk.", |ctx, task| {
            apart(task.stop, || practised(ctx, DrillKind::Restore))
        }))
        .attempts(1)
        .scheduled("0 3 1 * *", CatchUp::Once)?,
    ])
}

/// What a drill is told.
#[derive(serde::Deserialize)]
struct Practice {
    kind: DrillKind,
}

async fn practise(ctx: Ctx, task: Task) -> Result<Value> {
    let Practice { kind } = task.parse()?;
    practised(ctx, kind).await
}

async fn practised(ctx: Ctx, kind: DrillKind) -> Result<Value> {
    let app = ctx.app();
    let settings = app.settings();
    let (folder, goals) = (&settings.core.data_dir, settings.backups.goals);
    let drilled = Box::pin(drill::drill(kind, app.store(), folder, goals, (app.clock(), app.ids()))).await?;
    if drilled.outcome != DrillOutcome::Passed {
        tracing::warn!(drill.kind = %kind, drill.outcome = %drilled.outcome, "drill.wanting: see its steps");
    }
    serde_json::to_value(drilled).map_err(Error::internal)
}

/// Does operators' work on a thread of its own: it takes long, and is not made to move from thread to thread. Called off, it is
/// dropped where it waits, as if it had been killed there. Where the try is given up, the work goes on to its end, and its lock
/// keeps a second one away.
async fn apart<T: Send + 'static, W: Future<Output = Result<T>>>(
    stop: CancellationToken,
    work: impl FnOnce() -> W + Send + 'static,
) -> Result<T> {
    let runtime = tokio::runtime::Handle::current();
    let worked = move || runtime.block_on(unless(stop, work()));
    tokio::task::spawn_blocking(worked).await.map_err(Error::internal)?
}

/// As [`apart`], and giving way to whatever serves people: a backup is in no hurry. A restore is, and a drill measures one.
async fn quietly<T: Send + 'static, W: Future<Output = Result<T>>>(
    stop: CancellationToken,
    work: impl FnOnce() -> W + Send + 'static,
) -> Result<T> {
    background::quietly(move || unless(stop, work())).await
}

async fn unless<T>(stop: CancellationToken, work: impl Future<Output = Result<T>>) -> Result<T> {
    let called_off = || Err(Error::unavailable("cancelled", "It was called off."));
    stop.run_until_cancelled(work).await.unwrap_or_else(called_off)
}

fn job(kind: JobKind) -> JobKind {
    kind.needs(Permission::SystemBackup).together(1).longest(LONGEST).attempts(3)
}

async fn take(ctx: Ctx, kind: BackupKind) -> Result<Value> {
    let app = ctx.app();
    let setup = Setup::of(app.settings())?;
    let by = (app.clock(), app.ids());
    let created = Box::pin(backup::create(app.store(), &setup.plan(kind), by, &|_, _, _| ())).await?;
    for warning in &created.warnings {
        tracing::warn!(backup.id = %created.id, backup.warning = warning, "backup.wanting");
    }
    serde_json::to_value(created).map_err(Error::internal)
}

/// Which backup is verified; none: the newest of each target.
#[derive(serde::Deserialize)]
struct Which {
    id: BackupId,
}

async fn verify(ctx: Ctx, task: Task) -> Result<Value> {
    let app = ctx.app();
    let setup = Setup::of(app.settings())?;
    let which: Option<Which> = task.parse()?;
    let mut wanted = Vec::new();
    match which {
        Some(Which { id }) => wanted.push((&setup.target, id)),
        None => {
            for target in std::iter::once(&setup.target).chain(&setup.replica) {
                wanted.push((target, backup::newest(target).await?.id));
            }
        }
    }
    let mut all = Vec::new();
    for (target, id) in wanted {
        let deep = Some((setup.folder.as_path(), app.clock()));
        let verified =
            Box::pin(backup::verify((target, &id), setup.key.as_ref(), deep, &|_, _, _| ())).await?;
        backup::note(app.store(), &verified, app.clock().now()).await?;
        all.push(verified);
    }
    if let Some(failure) = all.iter().find_map(|one| one.failure.clone()) {
        return Err(Error::unavailable("backup_not_proven", failure));
    }
    serde_json::to_value(all).map_err(Error::internal)
}

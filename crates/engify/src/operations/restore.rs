//! Restores that were asked for at a page: the same work as `engify db restore`, on the database that is open.

use engify_app::Ctx;
use engify_app::backups::{PLAN, RESTORE, Wish as Asked};
use engify_app::jobs::{JobKind, Task};
use engify_core::{Error, Result};
use engify_ops::backup::Setup;
use engify_ops::restore::{self, Live, Moment, Restored, Site, Wish};
use serde_json::Value;

use super::{apart, job};

/// The kind that works a restore out, and the kind that does it.
pub(super) fn kinds() -> [JobKind; 2] {
    [
        job(JobKind::new(
            PLAN,
            "Works a restore out: all of it but the switch, so that what would change is known. Nothing is touched.",
            |ctx, task| apart(task.stop.clone(), move || run(ctx, task, true)),
        ))
        .attempts(1),
        // A second try finishes what a killed one began.
        job(JobKind::new(
            RESTORE,
            "Brings a backup or a moment back, after a backup of how it is now.",
            |ctx, task| apart(task.stop.clone(), move || run(ctx, task, false)),
        ))
        .attempts(2)
        .fresh()
        .whole(),
    ]
}

async fn run(ctx: Ctx, task: Task, dry_run: bool) -> Result<Value> {
    let asked: Asked = task.parse()?;
    let app = ctx.app();
    let setup = Setup::of(app.settings())?;
    let site = Site::of(&setup, app.clock(), app.ids());
    let wish = Wish {
        from: asked.from.map(|id| id.to_string()),
        moment: asked.at.map_or(Moment::Newest, Moment::Time),
        collections: asked.collections,
        filter: Vec::new(),
        revive: asked.revive,
    };
    let live = Live::Open(app.store().clone());
    let mut restored: Restored =
        Box::pin(restore::restore(&site, &wish, live, dry_run, &|_, _, _| ())).await?;
    // A job's record is small: names of documents are what `engify db restore --dry-run` tells.
    restored.differences.iter_mut().for_each(|one| one.examples.clear());
    serde_json::to_value(restored).map_err(Error::internal)
}

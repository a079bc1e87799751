//! What goes wrong in each drill, and what somebody does about it.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use engify_core::account::Milestone;
use engify_core::backup::DrillKind;
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, Entity};
use tokio::sync::Notify;

use super::rig::Rig;
use crate::backup::Stage;
use crate::restore::{self, Live, Moment, Wish};

/// Writes on a full disk until one is refused, at most so many.
const UNTIL_FULL: usize = 100_000;

/// Runs one.
pub(super) async fn run(kind: DrillKind, rig: &mut Rig) -> Result<()> {
    match kind {
        DrillKind::Restore => lost_machine(rig).await,
        DrillKind::PointInTime => bad_edit(rig).await,
        DrillKind::DiskFull => disk_full(rig).await,
        DrillKind::Corruption => corruption(rig).await,
        DrillKind::LostTarget => lost_target(rig).await,
        DrillKind::KillDuringRestore => killed_restore(rig).await,
        DrillKind::Rollback => rollback(rig).await,
    }
}

async fn lost_machine(rig: &mut Rig) -> Result<()> {
    rig.back_up().await?;
    rig.be_busy().await?;
    rig.strike("the machine is lost with its disk", |data| std::fs::remove_dir_all(data)).await?;
    let target = rig.target.clone();
    rig.restore(&Wish::default(), &target).await?;
    rig.serve_again(rig.count()).await
}

async fn corruption(rig: &mut Rig) -> Result<()> {
    rig.back_up().await?;
    rig.be_busy().await?;
    rig.strike("pages of the database file are overwritten", |data| scribble(&data.join("engify.db")))
        .await?;
    let target = rig.target.clone();
    let restored = rig.restore(&Wish::default(), &target).await?;
    if restored.moved_aside.is_none() {
        return Err(missed("the damaged file was not recognized"));
    }
    rig.serve_again(rig.count()).await
}

async fn lost_target(rig: &mut Rig) -> Result<()> {
    rig.back_up().await?;
    rig.be_busy().await?;
    let gone = rig.data().with_file_name("target");
    rig.strike("the machine and the first backup target are lost", move |data| {
        std::fs::remove_dir_all(data)?;
        std::fs::remove_dir_all(gone)
    })
    .await?;
    let target = rig.target.clone();
    rig.restore(&Wish::default(), &target).await?;
    rig.serve_again(rig.count()).await
}

async fn bad_edit(rig: &mut Rig) -> Result<()> {
    rig.back_up().await?;
    rig.be_busy().await?;
    let store = rig.store()?.clone();
    let (count, position) = (rig.count(), store.journal_position().await?);
    let page = store.snapshot().await?.page(&Milestone::COLLECTION, None).await?;
    let everything = || Scope::Everything("the bad edit of a drill, in a copy");
    let deleted = page
        .iter()
        .filter_map(crate::contents::id)
        .fold(Batch::new(), |batch, id| batch.delete::<Milestone>(everything(), id));
    store.write(deleted).await?;
    rig.begin("everything in a collection is deleted by mistake");
    let wish = Wish {
        moment: Moment::Position(position),
        collections: vec![Milestone::COLLECTION.name.to_owned()],
        ..Wish::default()
    };
    let target = rig.target.clone();
    rig.restore(&wish, &target).await?;
    rig.serve_again(count).await
}

async fn disk_full(rig: &mut Rig) -> Result<()> {
    let store = rig.store()?.clone();
    store.set_room(Some(0)).await?;
    let mut refused = None;
    for _ in 0..UNTIL_FULL {
        if let Err(error) = rig.write().await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.ok_or_else(|| missed("a full disk took everything"))?;
    if refused.code() != "database_unavailable" || !refused.message().contains("full") {
        return Err(missed("a full disk is not told as one"));
    }
    let count = rig.count();
    rig.begin(refused.message());
    store.set_room(None).await?;
    rig.serve_again(count).await
}

async fn rollback(rig: &mut Rig) -> Result<()> {
    let before = rig.back_up().await?;
    rig.be_busy().await?;
    let store = rig.store()?.clone();
    let (count, position) = (rig.count(), store.journal_position().await?);
    rig.begin("an update turns out to be wrong: back to the backup before it");
    let target = rig.target.clone();
    let wish = Wish { from: Some(before.to_string()), ..Wish::default() };
    rig.restore(&wish, &target).await?;
    if written(rig).await? > 0 {
        return Err(missed("what was written after the backup is still there"));
    }
    rig.serve_again(0).await?;
    // And the rollback itself is taken back: nothing of what was written in between is lost.
    let wish = Wish { moment: Moment::Position(position), ..Wish::default() };
    rig.restore(&wish, &target).await?;
    rig.serve_again(count).await
}

async fn killed_restore(rig: &mut Rig) -> Result<()> {
    let before = rig.back_up().await?;
    rig.be_busy().await?;
    let store = rig.store()?.clone();
    let position = store.journal_position().await?;
    let count = rig.count();
    rig.begin("a restore is killed three times, each time later");
    let target = rig.target.clone();
    let wish = Wish { from: Some(before.to_string()), ..Wish::default() };
    for stage in [Stage::Loading, Stage::Comparing, Stage::Switching] {
        let reached = Notify::new();
        let watch = |now: Stage, _, _| {
            if now == stage {
                reached.notify_one();
            }
        };
        let site = rig.site(&target);
        let work = restore::restore(&site, &wish, Live::Open(store.clone()), false, &watch);
        tokio::select! {
            biased;
            () = reached.notified() => {}
            ended = Box::pin(work) => drop(ended?),
        }
        whole(rig, count).await?;
    }
    rig.restore(&wish, &target).await?;
    rig.serve_again(0).await?;
    let wish = Wish { moment: Moment::Position(position), ..Wish::default() };
    rig.restore(&wish, &target).await?;
    rig.serve_again(count).await
}

/// How many of the drill's own writes are there.
async fn written(rig: &Rig) -> Result<usize> {
    Ok(rig.milestones().await?.iter().filter(|id| id.starts_with("drill-")).count())
}

/// After a kill the database is as before or as restored: all of the writes, or none.
async fn whole(rig: &mut Rig, count: usize) -> Result<()> {
    rig.store()?.check().await?;
    let there = written(rig).await?;
    if there != 0 && there != count {
        return Err(missed("a killed restore left a mixture"));
    }
    rig.note("killed", 0.0, &format!("{there} of {count} writes: whole"));
    Ok(())
}

fn scribble(file: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::options().write(true).open(file)?;
    let length = file.metadata()?.len();
    for at in [0, length / 3, length / 2] {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&[0xA5; 8192])?;
    }
    file.sync_all()
}

fn missed(why: &str) -> Error {
    Error::new(Kind::Unavailable, "drill_failed", format!("The drill did not get there: {why}."))
}

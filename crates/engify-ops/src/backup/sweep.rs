//! Leftovers of runs that were killed: records, parts without a manifest, scratch databases, unfinished files.

use std::time::Duration;

use engify_clients::objects::Objects;
use engify_core::backup::{BACKUPS, Backup, BackupState, MANIFEST};
use engify_core::ids::BackupId;
use engify_core::{Result, Time};
use engify_store::{Store, queries};

use super::list::{Found, has, survey};
use super::{Plan, remember};
use crate::scratch;
use crate::ship::segment::FOLDER as JOURNAL;

/// Nobody writes to a backup, or waits for a scratch database, after that long without a sign of life.
const DEAD: Duration = Duration::from_secs(24 * 3600);

/// A backup that another machine takes gives a sign of life every minute.
const SILENT: Duration = Duration::from_secs(15 * 60);

/// An unfinished file of a folder that was not written to for that long is nobody's.
const STALE: Duration = Duration::from_secs(3600);

/// Removes leftovers. Whoever calls holds the lock of backups on this machine.
///
/// # Errors
/// How the database or the first target fails; the second one may be away.
pub(super) async fn sweep(store: &Store, plan: &Plan<'_>, now: Time) -> Result<()> {
    let found = survey(plan.target).await?;
    end_dead(store, plan.target, &found, now).await?;
    halves(plan.target, &found, now).await?;
    if let Some(replica) = plan.replica {
        let swept = async { halves(replica, &survey(replica).await?, now).await };
        if let Err(error) = swept.await {
            tracing::warn!(error = %error, backup.target = %replica.place(), "leftovers there are swept another time");
        }
    }
    scratch::sweep(plan.folder, now.minus(DEAD)).await
}

/// Ends the records of runs that are dead.
async fn end_dead(store: &Store, objects: &Objects, found: &Found, now: Time) -> Result<()> {
    let place = objects.place().to_string();
    for mut record in running(store).await? {
        // Only one machine uses an embedded database, and this one holds the lock: its runs are all dead. A record may
        // also have come back with a restore, beside the backup it tells of.
        let silent = record.alive_at.map_or(now.since(record.created_at) > DEAD, |at| now.since(at) > SILENT);
        if store.kind() != "sqlite" && !silent {
            continue;
        }
        if found.get(&record.id).is_some_and(|objects| has(objects, MANIFEST)) {
            record.state = BackupState::Taken;
        } else {
            record.state = BackupState::Failed;
            record.failure = Some("The program ended before the backup did.".to_owned());
            if record.target == place {
                discard(objects, &record.id).await?;
                // Nobody writes there any more, however young its unfinished files are.
                objects.sweep(&record.id.folder(), Time::from_millis(i64::MAX)).await?;
            }
        }
        remember(store, &record).await?;
    }
    Ok(())
}

/// Removes parts without a manifest, and unfinished files, that nobody has written to for long. Whatever else lies at the place
/// is not ours: a folder that somebody named may hold anything.
async fn halves(objects: &Objects, found: &Found, now: Time) -> Result<()> {
    for (id, parts) in found {
        let newest = parts.iter().map(|object| object.written_at).max();
        if !has(parts, MANIFEST) && newest.is_some_and(|at| now.since(at) > DEAD) {
            discard(objects, id).await?;
        }
    }
    for ours in [BACKUPS, JOURNAL] {
        objects.sweep(ours, now.minus(STALE)).await?;
    }
    Ok(())
}

pub(super) async fn running(store: &Store) -> Result<Vec<Backup>> {
    Ok(store.find(&queries::backups(Some(BackupState::Running))).await?.items)
}

/// Removes every object of a backup, the manifest first: half of one is none.
pub(super) async fn discard(objects: &Objects, id: &BackupId) -> Result<()> {
    objects.delete(&id.object(MANIFEST)).await?;
    let mut after: Option<String> = None;
    loop {
        let names = objects.list(&id.folder(), after.as_deref(), 1000).await?;
        let Some(last) = names.last() else { return Ok(()) };
        after = Some(last.key.clone());
        for object in &names {
            objects.delete(&object.key).await?;
        }
    }
}

//! Leftovers of runs that were killed: records, parts without a manifest, scratch databases, unfinished files.

use std::path::Path;
use std::time::Duration;

use engify_clients::objects::Objects;
use engify_core::backup::{Backup, BackupState, MANIFEST};
use engify_core::ids::BackupId;
use engify_core::{Clock, Result, Time};
use engify_store::{Store, queries};

use super::list::{has, survey};
use super::remember;
use crate::scratch;

/// Nobody writes to a backup, or waits for a scratch database, after that long without a sign of life.
const DEAD: Duration = Duration::from_secs(24 * 3600);

/// A backup that another machine takes gives a sign of life every minute.
const SILENT: Duration = Duration::from_secs(15 * 60);

/// An unfinished file of a folder that was not written to for that long is nobody's.
const STALE: Duration = Duration::from_secs(3600);

/// What was found and removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Backups that were begun and never finished.
    pub unfinished: usize,
    /// Scratch databases and unfinished files.
    pub files: usize,
}

/// Removes leftovers. Whoever calls holds the lock of backups on this machine.
///
/// # Errors
/// How the database or the target fails.
pub async fn sweep(store: &Store, objects: &Objects, folder: &Path, clock: &Clock) -> Result<Swept> {
    let now = clock.now();
    let mut swept = Swept::default();
    let found = survey(objects).await?;
    let whole = |id: &BackupId| found.get(id).is_some_and(|found| has(found, MANIFEST));
    let place = objects.place().to_string();
    for mut record in running(store).await? {
        // Only one machine uses an embedded database, and this one holds the lock: its runs are all dead. A record may
        // also have come back with a restore, beside the backup it tells of.
        let silent = record.alive_at.map_or(now.since(record.created_at) > DEAD, |at| now.since(at) > SILENT);
        let dead = store.kind() == "sqlite" || silent;
        if !dead {
            continue;
        }
        if whole(&record.id) {
            record.state = BackupState::Taken;
        } else {
            record.state = BackupState::Failed;
            record.failure = Some("The program ended before the backup did.".to_owned());
            if record.target == place {
                discard(objects, &record.id).await?;
                // Nobody writes there any more, however young its unfinished files are.
                objects.sweep(&record.id.folder(), Time::from_millis(i64::MAX)).await?;
            }
            swept.unfinished += 1;
        }
        remember(store, &record).await?;
    }
    for (id, parts) in &found {
        let newest = parts.iter().map(|object| object.written_at).max();
        if !whole(id) && newest.is_some_and(|at| now.since(at) > DEAD) {
            discard(objects, id).await?;
            swept.unfinished += 1;
        }
    }
    swept.files =
        objects.sweep("", now.minus(STALE)).await? + scratch::sweep(folder, now.minus(DEAD)).await?;
    Ok(swept)
}

pub(super) async fn running(store: &Store) -> Result<Vec<Backup>> {
    Ok(store.find(&queries::backups(Some(BackupState::Running))).await?.items)
}

/// Removes every object of a backup, the manifest first: half of one is none.
pub(super) async fn discard(objects: &Objects, id: &BackupId) -> Result<()> {
    objects.delete(&id.object(MANIFEST)).await?;
    loop {
        let names = objects.list(&id.folder(), None, 1000).await?;
        if names.is_empty() {
            return Ok(());
        }
        for object in names {
            objects.delete(&object.key).await?;
        }
    }
}

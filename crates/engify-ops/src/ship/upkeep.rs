//! Old pieces of the journal: at the target and in the database.

use std::time::Duration;

use engify_clients::objects::Objects;
use engify_core::{Clock, Result, Time};
use engify_store::Store;

use super::segment::{FOLDER, Name};
use crate::backup;

/// Names that are looked at together.
const NAMES: usize = 1_000;

/// What went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Segments at the target.
    pub segments: usize,
    /// Entries of the database's own journal.
    pub entries: u64,
}

/// Removes what is older than `keep_days`: segments only where a proven backup from before that time covers what they
/// hold, entries of the database only where they were shipped (up to `shipped`).
///
/// # Errors
/// How the database or the place fails; what went is gone.
pub async fn upkeep(
    store: &Store,
    objects: &Objects,
    (shipped, keep_days): (u64, u32),
    clock: &Clock,
) -> Result<Upkeep> {
    let oldest = clock.now().minus(Duration::from_secs(u64::from(keep_days) * 24 * 3600));
    let mut done = Upkeep { segments: prune(objects, oldest).await?, entries: 0 };
    loop {
        match store.trim_journal(shipped, oldest).await? {
            0 => return Ok(done),
            some => done.entries += some,
        }
    }
}

async fn prune(objects: &Objects, oldest: Time) -> Result<usize> {
    let mut names = objects.list(FOLDER, None, NAMES).await?;
    // Reading all manifests costs more than this look: where the oldest segment is young, nothing can go.
    if !names.iter().filter_map(|object| Name::parse(&object.key)).any(|name| name.latest < oldest) {
        return Ok(0);
    }
    let backups = backup::list(objects).await?.backups;
    let covered = backups
        .iter()
        .filter(|one| one.is_verified() && one.created_at < oldest)
        .map(|one| one.position)
        .max()
        .unwrap_or(0);
    let mut gone = 0;
    while let Some(last) = names.last().map(|object| object.key.clone()) {
        for object in &names {
            let Some(name) = Name::parse(&object.key) else { continue };
            if name.to > covered || name.latest >= oldest {
                return Ok(gone);
            }
            objects.delete(&object.key).await?;
            gone += 1;
        }
        names = objects.list(FOLDER, Some(&last), NAMES).await?;
    }
    Ok(gone)
}

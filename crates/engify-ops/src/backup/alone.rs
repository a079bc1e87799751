//! One backup at a time, also where several machines share a MongoDB: a record of one that is being taken keeps the next
//! one away for as long as whoever takes it gives a sign of life.

use std::convert::Infallible;
use std::time::Duration;

use engify_core::backup::Backup;
use engify_core::ids::BackupId;
use engify_core::{Clock, Error, Kind, Result};
use engify_store::{Batch, Patch, Store};

use super::{EVERYTHING, sweep};

/// How often a sign of life is given.
const BEAT: Duration = Duration::from_secs(60);

/// Refuses where another backup than `own` is being taken. Dead ones were swept.
pub(super) async fn check(store: &Store, own: Option<&BackupId>) -> Result<()> {
    let running = sweep::running(store).await?;
    let Some(other) = running.iter().find(|record| Some(&record.id) != own) else { return Ok(()) };
    let message = format!(
        "Another machine is taking a backup, since {}. Wait until it ends and try again; one that was killed counts as ended \
         after a quarter of an hour.",
        other.created_at
    );
    Err(Error::new(Kind::Conflict, "backup_running", message))
}

/// Does the work of a backup, and gives signs of life meanwhile.
pub(super) async fn alive<T>(
    store: &Store,
    id: &BackupId,
    clock: &Clock,
    work: impl Future<Output = T>,
) -> T {
    tokio::select! {
        done = work => done,
        never = beat(store, id, clock) => match never {},
    }
}

async fn beat(store: &Store, id: &BackupId, clock: &Clock) -> Infallible {
    loop {
        tokio::time::sleep(BEAT).await;
        let patch = Patch::new(EVERYTHING, id).set("aliveAt", clock.now());
        let written = async { store.write(Batch::new().patch::<Backup>(patch?)).await };
        // A database that is away is what the backup itself meets.
        let _ = written.await;
    }
}

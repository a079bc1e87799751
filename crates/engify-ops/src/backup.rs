//! Backups: taken, proven, listed, kept for as long as the table says. Format: `docs/backup-format.md`.
//!
//! A backup is a snapshot of the whole database as objects below `backups/<id>/` at a target: one part for each collection,
//! and the manifest, which is written last, so that half a backup is none. Right after it was taken it is read back,
//! restored into a scratch database and compared; only then it is marked as one that can be restored. What is listed is what
//! lies at the target, whatever the database remembers.

use std::path::Path;
use std::time::{Duration, Instant};

use engify_clients::objects::Objects;
use engify_core::backup::{Backup, BackupKind, BackupState, MANIFEST};
use engify_core::ids::BackupId;
use engify_core::settings::KeepDays;
use engify_core::tenancy::Scope;
use engify_core::{Clock, Error, Ids, Result, Time};
use engify_store::{Batch, Store, collections};
use serde::Serialize;

use crate::lock::Lock;
use crate::scratch;
use crate::seal::Key;

mod alone;
mod archive;
mod copy;
pub mod dump;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod layers;
mod list;
mod manifest;
mod pages;
mod place;
mod prune;
mod retention;
mod setup;
mod sweep;
#[cfg(test)]
mod tests;
mod verify;
mod write;

pub use archive::{Archive, Documents};
pub use list::{Listed, Listing, Unreadable, list, newest};
pub use manifest::{FORMAT, Manifest, Part};
pub use place::{Located, located};
pub use prune::{Pruned, prune};
pub use retention::ended;
pub use setup::Setup;
pub use verify::{Verified, note, verify};

use layers::Layers;

const EVERYTHING: Scope = Scope::Everything("backups are of the whole installation");

/// Hears how far a long work is: what is being done, how much of it, of how much.
pub type Progress<'a> = &'a (dyn Fn(Stage, u64, u64) + Send + Sync);

/// What is being done to a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Documents are read and written to the target.
    Taking,
    /// Bytes at the target are compared with the manifest.
    Checking,
    /// Documents are loaded into a database.
    Loading,
    /// What was loaded is compared with the manifest.
    Comparing,
    /// What was journaled behind a backup is done again.
    Replaying,
    /// The live database becomes what was restored.
    Switching,
}

/// What to take, and where to put it.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// Why.
    pub kind: BackupKind,
    /// Where it goes.
    pub target: &'a Objects,
    /// A second place that gets the same.
    pub replica: Option<&'a Objects>,
    /// What it is encrypted with.
    pub key: Option<&'a Key>,
    /// The data folder: for the lock and for scratch databases.
    pub folder: &'a Path,
    /// How long backups are kept; none to delete nothing.
    pub keep: Option<&'a KeepDays>,
}

/// A backup that was taken and proven.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// Its name.
    pub id: BackupId,
    /// Why it was taken.
    pub kind: BackupKind,
    /// Whether it was restored into a scratch database and compared. Always so: what cannot be proven is an error.
    pub verified: bool,
    /// The moment that it holds.
    pub created_at: Time,
    /// The journal's position at that moment.
    pub position: u64,
    /// Documents in it.
    pub documents: u64,
    /// Bytes at the target.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: String,
    /// Whether it can only be read with the key.
    pub encrypted: bool,
    /// Where it is.
    pub target: String,
    /// Where else it is; none where no second target is set, or where it could not be written.
    pub replica: Option<String>,
    /// How long taking it took, milliseconds.
    pub duration_millis: u64,
    /// How long proving it took, milliseconds.
    pub proof_millis: u64,
    /// The backups that were deleted because their time was over.
    pub pruned: Vec<BackupId>,
    /// What did not work although the backup itself did: the second target, deleting old ones.
    pub warnings: Vec<String>,
}

/// Takes a backup, proves it, copies it to the second target, and deletes those whose time is over.
///
/// # Errors
/// `backup_running` where another one is being taken, here or on another machine; how the database or the target fails while it
/// is taken, with nothing left at the target; `backup_damaged` where what came back is not what went in, and how the proof
/// fails otherwise: then it stays there, and is listed as not proven.
pub async fn create(
    store: &Store,
    plan: &Plan<'_>,
    (clock, ids): (&Clock, &Ids),
    progress: Progress<'_>,
) -> Result<Created> {
    let _lock = Lock::backup(plan.folder).await?;
    sweep::sweep(store, plan, clock.now()).await?;
    alone::check(store, None).await?;
    let begun = Instant::now();
    // The moment first: the record of a backup is not in the backup.
    let (snapshot, scratch) = Box::pin(scratch::settled(store, plan.folder, clock)).await?;
    let mut record = running(plan, &snapshot, BackupId::make(ids));
    record.alive_at = Some(clock.now());
    remember(store, &record).await?;
    // Of two that looked at one moment none goes on.
    if let Err(error) = alone::check(store, Some(&record.id)).await {
        return Err(failed(store, record, error).await);
    }
    let taking = Box::pin(take(store, plan, (snapshot, &record), clock, progress));
    let taken = alone::alive(store, &record.id, clock, taking).await;
    if let Some(scratch) = scratch {
        scratch.remove().await;
    }
    let manifest = match taken {
        Ok(manifest) => manifest,
        Err(error) => {
            // What cannot be removed now is swept later.
            let _ = sweep::discard(plan.target, &record.id).await;
            return Err(failed(store, record, error).await);
        }
    };
    record.state = BackupState::Taken;
    record.finished_at = Some(clock.now());
    record.duration_millis = millis(begun.elapsed());
    (record.documents, record.bytes) = (manifest.documents, manifest.bytes());
    record.sha256 = Some(manifest.sha256.clone());
    remember(store, &record).await?;
    let proving = Instant::now();
    let archive = match Box::pin(prove(plan, &record.id, clock, progress)).await {
        Ok(archive) => archive,
        Err(error) => return Err(failed(store, record, error).await),
    };
    record.state = BackupState::Verified;
    record.verified_at = Some(clock.now());
    let proof_millis = millis(proving.elapsed());
    let mut warnings = Vec::new();
    if let Some(replica) = plan.replica {
        match copy::copy(&archive, replica).await {
            Ok(()) => record.replicated_at = Some(clock.now()),
            Err(error) => {
                record.failure = Some(format!("The second target does not have it: {}", error.message()));
                warnings.extend(record.failure.clone());
            }
        }
    }
    remember(store, &record).await?;
    let pruned = match prune(store, plan, clock.now()).await {
        Ok(pruned) => pruned.ids,
        Err(error) => {
            warnings.push(format!("Old backups could not be deleted: {}", error.message()));
            Vec::new()
        }
    };
    measure(&record);
    Ok(Created {
        id: record.id,
        kind: record.kind,
        verified: true,
        created_at: record.created_at,
        position: record.position,
        documents: record.documents,
        bytes: record.bytes,
        sha256: manifest.sha256,
        encrypted: record.encrypted,
        target: record.target,
        replica: plan
            .replica
            .filter(|_| record.replicated_at.is_some())
            .map(|replica| replica.place().to_string()),
        duration_millis: record.duration_millis,
        proof_millis,
        pruned,
        warnings,
    })
}

/// Writes the parts and the manifest.
async fn take(
    store: &Store,
    plan: &Plan<'_>,
    (mut snapshot, record): (engify_store::Snapshot, &Backup),
    clock: &Clock,
    progress: Progress<'_>,
) -> Result<Manifest> {
    // Only for who watches: a count that takes too long stops no backup.
    let total = store.stats().await.map_or(0, |all| all.iter().map(|stats| stats.documents).sum());
    let layers = Layers { zstd: true, key: plan.key.cloned() };
    let mut manifest = Manifest {
        id: record.id.clone(),
        kind: record.kind,
        engify: env!("CARGO_PKG_VERSION").to_owned(),
        database: store.kind().to_owned(),
        created_at: snapshot.at(),
        finished_at: snapshot.at(),
        position: snapshot.position(),
        key: plan.key.map(|key| key.id().to_owned()),
        documents: 0,
        sha256: String::new(),
        parts: Vec::new(),
    };
    let seen = write::counted(total, progress);
    for collection in collections::ALL {
        let name = layers.name(collection.name);
        let key = record.id.object(&name);
        let sums = write::part(&mut snapshot, collection, &layers, (plan.target, &key), &seen).await?;
        manifest.parts.extend(sums.map(|sums| manifest::part(collection, name, sums)).transpose()?);
    }
    // The database need not keep the moment any longer.
    drop(snapshot);
    manifest.parts.sort_by(|a, b| a.collection.cmp(&b.collection));
    let contents = manifest.contents();
    (manifest.documents, manifest.sha256) = (contents.documents(), contents.sha256());
    manifest.finished_at = clock.now();
    let bytes = manifest.write(plan.key)?;
    plan.target.put(&record.id.object(MANIFEST), bytes.into()).await?;
    Ok(manifest)
}

/// Reads the backup back as a restore would, and says so at the target.
async fn prove(plan: &Plan<'_>, id: &BackupId, clock: &Clock, progress: Progress<'_>) -> Result<Archive> {
    let archive = Archive::open(plan.target, id, plan.key).await?;
    archive.prove(plan.folder, clock, progress).await?;
    list::write_proof(plan.target, archive.manifest(), clock.now()).await?;
    Ok(archive)
}

fn running(plan: &Plan<'_>, snapshot: &engify_store::Snapshot, id: BackupId) -> Backup {
    Backup {
        id,
        kind: plan.kind,
        state: BackupState::Running,
        created_at: snapshot.at(),
        finished_at: None,
        position: snapshot.position(),
        documents: 0,
        bytes: 0,
        sha256: None,
        target: plan.target.place().to_string(),
        encrypted: plan.key.is_some(),
        duration_millis: 0,
        verified_at: None,
        replicated_at: None,
        failure: None,
        alive_at: None,
    }
}

async fn remember(store: &Store, record: &Backup) -> Result<()> {
    store.write(Batch::new().put(record)?).await.map(drop)
}

/// Notes that it failed. Where not even that can be written, the first failure is the one to tell.
async fn failed(store: &Store, mut record: Backup, error: Error) -> Error {
    record.state = BackupState::Failed;
    record.failure = Some(error.message().to_owned());
    if let Err(unwritten) = remember(store, &record).await {
        tracing::warn!(error = %unwritten, backup.id = %record.id, "that a backup failed could not be noted");
    }
    metrics::counter!("engify_backup_failures_total", "kind" => record.kind.as_str()).increment(1);
    error
}

#[expect(clippy::cast_precision_loss, reason = "figures to look at")]
fn measure(record: &Backup) {
    let kind = record.kind.as_str();
    metrics::counter!("engify_backups_total", "kind" => kind).increment(1);
    metrics::gauge!("engify_backup_last_verified_timestamp_seconds")
        .set(record.created_at.millis() as f64 / 1000.0);
    metrics::gauge!("engify_backup_last_bytes").set(record.bytes as f64);
    metrics::gauge!("engify_backup_last_duration_seconds").set(record.duration_millis as f64 / 1000.0);
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

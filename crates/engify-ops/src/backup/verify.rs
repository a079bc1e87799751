//! Looking at a backup again: its sums, and whether it can still be restored.

use std::path::Path;
use std::time::Instant;

use engify_clients::objects::Objects;
use engify_core::backup::{Backup, BackupState};
use engify_core::ids::BackupId;
use engify_core::{Clock, Error, Result, Time};
use engify_store::Store;
use serde::Serialize;

use super::{Archive, EVERYTHING, Progress, list, millis, remember};
use crate::seal::Key;

/// What `db verify` found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// The backup.
    pub id: BackupId,
    /// Where it is.
    pub target: String,
    /// Whether nothing is wrong.
    pub ok: bool,
    /// Whether it was also restored into a scratch database and compared.
    pub deep: bool,
    /// The moment that it holds.
    pub created_at: Option<Time>,
    /// Documents in it.
    pub documents: u64,
    /// Bytes at the target.
    pub bytes: u64,
    /// What is wrong, and what to do.
    pub failure: Option<String>,
    /// How long it took, milliseconds.
    pub duration_millis: u64,
}

/// Checks the sums of a backup; with `deep` also restores it into a scratch database in that folder and compares. One that is
/// damaged counts as proven no longer.
///
/// # Errors
/// How the place fails. What is wrong with the backup itself is in the answer.
pub async fn verify(
    (objects, id): (&Objects, &BackupId),
    key: Option<&Key>,
    deep: Option<(&Path, &Clock)>,
    progress: Progress<'_>,
) -> Result<Verified> {
    let begun = Instant::now();
    let mut verified = Verified {
        id: id.clone(),
        target: objects.place().to_string(),
        ok: false,
        deep: deep.is_some(),
        created_at: None,
        documents: 0,
        bytes: 0,
        failure: None,
        duration_millis: 0,
    };
    let looked = async {
        let archive = Archive::open(objects, id, key).await?;
        let manifest = archive.manifest();
        verified.created_at = Some(manifest.created_at);
        (verified.documents, verified.bytes) = (manifest.documents, manifest.bytes());
        archive.check(progress).await?;
        if let Some((folder, clock)) = deep {
            archive.prove(folder, clock, progress).await?;
            // Who may only read there has proven it all the same.
            if let Err(error) = list::write_proof(objects, manifest, clock.now()).await {
                tracing::warn!(error = %error, backup.id = %id, "that a backup was proven could not be noted at its target");
            }
        }
        Ok::<_, Error>(())
    };
    match Box::pin(looked).await {
        Ok(()) => verified.ok = true,
        Err(error) if is_of_backup(&error) => {
            verified.failure = Some(error.message().to_owned());
            // Older ones that are good would be deleted because of it, and it would be restored before them.
            if let Err(error) = list::remove_proof(objects, id).await {
                tracing::warn!(error = %error, backup.id = %id, "a damaged backup still counts as proven at its target");
            }
        }
        Err(error) => return Err(error),
    }
    verified.duration_millis = millis(begun.elapsed());
    Ok(verified)
}

/// Notes in the database what a deep verification found of a backup that it remembers.
///
/// # Errors
/// How the database fails.
pub async fn note(store: &Store, verified: &Verified, now: Time) -> Result<()> {
    let found = store.get::<Backup>(&EVERYTHING, verified.id.as_str()).await?;
    let Some(mut record) = found.filter(|_| verified.deep) else { return Ok(()) };
    if verified.ok {
        record.state = BackupState::Verified;
        record.verified_at = Some(now);
    } else {
        record.state = BackupState::Failed;
    }
    record.failure.clone_from(&verified.failure);
    remember(store, &record).await
}

/// Whether something is wrong with the backup, and not with the way to it.
fn is_of_backup(error: &Error) -> bool {
    matches!(error.code(), "backup_damaged" | "not_a_backup" | "duplicate" | "invalid_request")
}

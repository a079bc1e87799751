//! A backup as one file: a tar of its objects as they lie at the target, piece by piece as the reader takes it. Unpacked,
//! it is a target of its own, which `engify db restore --from FOLDER` reads.

use std::collections::VecDeque;

use bytes::Bytes;
use engify_clients::objects::{Content, Object, Objects, ObjectsOptions};
use engify_core::audit::{Action, Outcome, Target};
use engify_core::backup::{Backup, MANIFEST};
use engify_core::permission::Permission;
use engify_core::{Error, Kind, Result};
use engify_store::Batch;
use futures_util::StreamExt as _;
use serde_json::json;

use super::find;
use crate::Ctx;

/// What a tar is made of, bytes.
const BLOCK: u64 = 512;

/// The most objects of a backup: a part for each collection, manifest and proof.
const MOST: usize = 1000;

/// A backup on its way out.
pub struct Download {
    objects: Objects,
    /// Those that are still to come.
    left: VecDeque<Object>,
    /// The one that is being read, and how many bytes of it are still to come.
    open: Option<(Content, u64, Object)>,
    bytes: u64,
    ended: bool,
}

/// Begins the download of a backup; that it was made is a line of the audit log.
///
/// # Errors
/// `forbidden` without `system:backup`; `fresh_factor_required`; `not_found`; `backup_gone` where it is at neither target of the
/// settings any more; how the target fails.
pub async fn download(ctx: &Ctx, id: &str) -> Result<Download> {
    let target = Target::new("backup", id);
    ctx.require_for(Permission::SystemBackup, Action::BackupDownloaded, target.clone()).await?;
    ctx.require_fresh()?;
    let backup = find(ctx, id).await?;
    let (objects, found) = located(ctx, &backup).await?.ok_or_else(|| {
        let message = "This backup is at neither target of the settings: it was deleted, never got there, or lies elsewhere.";
        Error::new(Kind::Conflict, "backup_gone", message)
    })?;
    let bytes = found.iter().map(|object| BLOCK + padded(object.bytes)).sum::<u64>() + 2 * BLOCK;
    let details = json!({ "target": objects.place().to_string(), "bytes": bytes });
    let line = ctx.audit(Action::BackupDownloaded, Outcome::Success, target, details);
    ctx.app().store().write(Batch::new().insert(&line)?).await?;
    Ok(Download { objects, left: found.into(), open: None, bytes, ended: false })
}

/// Its objects at the first target, or where they are gone there, at the second. The manifest is the last: half of a
/// download is no backup.
async fn located(ctx: &Ctx, backup: &Backup) -> Result<Option<(Objects, Vec<Object>)>> {
    let settings = &ctx.app().settings().backups;
    for place in std::iter::once(&settings.target).chain(&settings.replica) {
        let objects = Objects::new(place, &settings.s3, ObjectsOptions::default())?;
        let mut found = objects.list(&backup.id.folder(), None, MOST).await?;
        let name = backup.id.object(MANIFEST);
        let manifest = |object: &Object| object.key == name;
        if found.iter().any(manifest) {
            found.sort_by_key(manifest);
            return Ok(Some((objects, found)));
        }
    }
    Ok(None)
}

impl Download {
    /// How long the file is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// How the target fails; `backup_damaged` where an object is not as long as it was said to be.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some((content, left, object)) = &mut self.open {
            if let Some(piece) = content.next().await.transpose()? {
                let Some(rest) = left.checked_sub(piece.len() as u64) else { return Err(changed(object)) };
                *left = rest;
                return Ok(Some(piece));
            }
            if *left > 0 {
                return Err(changed(object));
            }
            let padding = padded(object.bytes) - object.bytes;
            self.open = None;
            return Ok(Some(zeros(padding)));
        }
        if let Some(object) = self.left.pop_front() {
            let content = self.objects.open(&object.key, 0).await?.1;
            let header = header(&object)?;
            self.open = Some((content, object.bytes, object));
            return Ok(Some(header));
        }
        if self.ended {
            return Ok(None);
        }
        self.ended = true;
        Ok(Some(zeros(2 * BLOCK)))
    }
}

fn changed(object: &Object) -> Error {
    let message = format!("{} changed while it was read. Try again, or verify the backup.", object.key);
    Error::new(Kind::Unavailable, "backup_damaged", message)
}

fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK)
}

fn zeros(count: u64) -> Bytes {
    vec![0; usize::try_from(count).unwrap_or_default()].into()
}

/// A header as POSIX's ustar has it.
fn header(object: &Object) -> Result<Bytes> {
    let mut header = tar::Header::new_ustar();
    header.set_path(&object.key).map_err(Error::internal)?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(object.bytes);
    header.set_mtime(object.written_at.millis().max(0).unsigned_abs() / 1000);
    header.set_cksum();
    Ok(Bytes::copy_from_slice(header.as_bytes()))
}

//! A backup a second time, at another place. Parts first, a few at a time; the manifest last, so that half a copy is none.

use engify_clients::objects::{FailureKind, Objects};
use engify_core::backup::{MANIFEST, PROOF};
use engify_core::ids::BackupId;
use engify_core::{Error, Result};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::manifest::{self, Manifest};

/// Objects that are copied together.
const AT_ONCE: usize = 3;

/// Copies what is not there yet; a copy that was interrupted goes on where it stopped.
///
/// # Errors
/// How either place fails.
pub(super) async fn copy(from: &Objects, to: &Objects, manifest: &Manifest) -> Result<()> {
    let id = &manifest.id;
    let parts = manifest.parts.iter().map(|part| async move {
        let key = id.object(&part.name);
        let there = to.head(&key).await?;
        if there.is_some_and(|object| object.bytes == part.stored_bytes) {
            return Ok(());
        }
        one(from, to, &key).await
    });
    stream::iter(parts).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    small(from, to, id, MANIFEST).await?;
    small(from, to, id, PROOF).await
}

async fn one(from: &Objects, to: &Objects, key: &str) -> Result<()> {
    let (_, content) = from.open(key, 0).await?;
    to.put_stream(key, content.map_err(Error::from)).await?;
    Ok(())
}

async fn small(from: &Objects, to: &Objects, id: &BackupId, name: &str) -> Result<()> {
    let key = id.object(name);
    match from.get(&key, manifest::LONGEST).await {
        Ok(bytes) => Ok(to.put(&key, bytes).await?),
        // A backup that was not proven has no proof.
        Err(failure) if failure.kind == FailureKind::Missing => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

//! A backup a second time, at another place. Parts first, a few at a time; the manifest last, so that half a copy is none. Every
//! byte is compared with the manifest on its way: what counts as proven here counts as proven there.

use engify_clients::objects::Objects;
use engify_core::backup::{MANIFEST, PROOF};
use engify_core::{Error, Result};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Archive, list, sweep};

/// Parts that are copied together; each takes up to 48 MiB of memory.
const AT_ONCE: usize = 2;

/// Copies a backup; where that fails, nothing is left at the second place.
///
/// # Errors
/// `backup_damaged`; how either place fails.
pub(super) async fn copy(archive: &Archive, to: &Objects) -> Result<()> {
    let copied = all(archive, to).await;
    if copied.is_err() {
        // What cannot be removed now is swept later.
        let _ = sweep::discard(to, &archive.manifest().id).await;
    }
    copied
}

async fn all(archive: &Archive, to: &Objects) -> Result<()> {
    let parts = archive.manifest().parts.iter().map(|part| async move {
        to.put_stream(&archive.key_of(part), archive.bytes(part).await?).await?;
        Ok::<_, Error>(())
    });
    stream::iter(parts).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    for name in [MANIFEST, PROOF] {
        let key = archive.manifest().id.object(name);
        if let Some(bytes) = list::small(archive.objects(), &key).await? {
            to.put(&key, bytes).await?;
        }
    }
    Ok(())
}

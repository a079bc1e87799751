//! Writing the parts of a backup: a page is encoded while the next one is read and the one before is uploaded.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use engify_clients::objects::Objects;
use engify_core::{Error, Result};
use engify_store::{Collection, Doc, Snapshot};
use futures_util::{Stream, stream};

use super::layers::{Encoder, Layers, Sums};
use super::{Progress, Stage};
use crate::contents;

/// Writes one collection under `key`; nothing at all where it is empty. `seen` hears how many documents more were read.
pub(super) async fn part(
    snapshot: &mut Snapshot,
    collection: &Collection,
    layers: &Layers,
    (objects, key): (&Objects, &str),
    seen: &(dyn Fn(u64) + Send + Sync),
) -> Result<Option<Sums>> {
    let page = snapshot.page(collection, None).await?;
    if page.is_empty() {
        return Ok(None);
    }
    let mut sums = None;
    let walk = Walk {
        snapshot,
        collection,
        page,
        encoder: Some(Encoder::new(layers).map_err(Error::internal)?),
        sums: &mut sums,
        seen,
    };
    objects.put_stream(key, Box::pin(bytes(walk))).await?;
    Ok(sums)
}

/// Tells how far the taking is: of `total` documents, those that were read by now.
pub(super) fn counted(total: u64, progress: Progress<'_>) -> impl Fn(u64) + Send + Sync + '_ {
    let done = AtomicU64::new(0);
    move |count| progress(Stage::Taking, done.fetch_add(count, Ordering::Relaxed) + count, total)
}

struct Walk<'a> {
    snapshot: &'a mut Snapshot,
    collection: &'a Collection,
    /// What is encoded next; empty at the end.
    page: Vec<Doc>,
    /// None once it has given its last bytes.
    encoder: Option<Encoder>,
    sums: &'a mut Option<Sums>,
    seen: &'a (dyn Fn(u64) + Send + Sync),
}

fn bytes(walk: Walk<'_>) -> impl Stream<Item = Result<Bytes>> + '_ {
    stream::try_unfold(walk, |mut walk| async move {
        let Some(encoder) = walk.encoder.take() else { return Ok(None) };
        let page = std::mem::take(&mut walk.page);
        let Some(last) = page.last().and_then(contents::id) else {
            let (bytes, sums) = blocking(move || encoder.finish()).await?;
            *walk.sums = Some(sums);
            return Ok(Some((bytes, walk)));
        };
        let count = page.len() as u64;
        let encoding = blocking(move || {
            let mut encoder = encoder;
            encoder.feed(&page).map(|bytes| (bytes, encoder))
        });
        let (encoded, next) = tokio::join!(encoding, walk.snapshot.page(walk.collection, Some(&last)));
        let (bytes, encoder) = encoded?;
        walk.page = next?;
        walk.encoder = Some(encoder);
        (walk.seen)(count);
        Ok(Some((bytes, walk)))
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

//! Uploading a stream of unknown length: in one request where it is small, else in parts, a few at a time.

use bytes::{Bytes, BytesMut};
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt as _};
use object_store::MultipartUpload;

use super::{Failure, Objects};

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// How many bytes.
    pub bytes: u64,
}

/// Why an upload of somebody's stream ended early.
#[derive(Debug)]
pub enum Unwritten<E> {
    /// The stream itself failed.
    Source(E),
    /// The place did.
    Place(Failure),
}

impl<E> From<Failure> for Unwritten<E> {
    fn from(failure: Failure) -> Self {
        Self::Place(failure)
    }
}

impl<E: Into<engify_core::Error>> From<Unwritten<E>> for engify_core::Error {
    fn from(unwritten: Unwritten<E>) -> Self {
        match unwritten {
            Unwritten::Source(fault) => fault.into(),
            Unwritten::Place(failure) => failure.into(),
        }
    }
}

/// Cuts what comes into parts of one size. The last one is whatever is left.
struct Parts<S> {
    source: S,
    held: BytesMut,
    size: usize,
}

impl<S: Stream<Item = Result<Bytes, E>> + Unpin, E> Parts<S> {
    /// The next part, and whether another one may follow.
    async fn next(&mut self) -> Result<(Bytes, bool), E> {
        while self.held.len() < self.size {
            match self.source.next().await {
                Some(chunk) => self.held.extend_from_slice(&chunk?),
                None => return Ok((self.held.split().freeze(), false)),
            }
        }
        Ok((self.held.split_to(self.size).freeze(), true))
    }
}

impl Objects {
    /// Writes a stream under a name, replacing what is there; it is there whole or not at all. At most
    /// [`super::ObjectsOptions::part_bytes`] × ([`super::ObjectsOptions::parts_at_once`] + 1) of it are in memory.
    ///
    /// # Errors
    /// The stream's own, or how the place fails; what was uploaded by then is removed again.
    pub async fn put_stream<S, E>(&self, key: &str, source: S) -> Result<Written, Unwritten<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let mut parts = Parts { source, held: BytesMut::new(), size: self.options.part_bytes };
        let (first, more) = parts.next().await.map_err(Unwritten::Source)?;
        if !more {
            let bytes = first.len() as u64;
            self.put(key, first).await?;
            return Ok(Written { bytes });
        }
        let mut upload = self.begin(key).await?;
        match self.upload(key, &mut *upload, first, parts).await {
            Ok(written) => Ok(written),
            Err(fault) => {
                // What cannot be removed now, the bucket's rule for unfinished uploads or the sweep removes.
                let _ = self.within(key, upload.abort()).await;
                Err(fault)
            }
        }
    }

    async fn upload<S, E>(
        &self,
        key: &str,
        upload: &mut dyn MultipartUpload,
        first: Bytes,
        mut parts: Parts<S>,
    ) -> Result<Written, Unwritten<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let mut bytes = first.len() as u64;
        let mut under_way = FuturesUnordered::new();
        under_way.push(self.within(key, upload.put_part(first.into())));
        loop {
            while under_way.len() >= self.options.parts_at_once {
                under_way.next().await.transpose()?;
            }
            let (part, more) = parts.next().await.map_err(Unwritten::Source)?;
            if !part.is_empty() {
                bytes += part.len() as u64;
                under_way.push(self.within(key, upload.put_part(part.into())));
            }
            if !more {
                break;
            }
        }
        while let Some(done) = under_way.next().await {
            done?;
        }
        self.within(key, upload.complete()).await?;
        Ok(Written { bytes })
    }
}

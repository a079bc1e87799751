//! Places for objects: a folder, or a bucket of S3 and of servers that speak as it does.
//!
//! An object is there whole or not at all: a folder gets it under a temporary name that is synced and renamed, S3 shows
//! it when the last part is confirmed; parts carry checksums. Every call has a deadline and bounded retries, every
//! failure names the remedy. It refuses to know what is kept, and reads no environment: settings are given in.

mod bucket;
mod failure;
mod folder;
mod upload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engify_core::Time;
use engify_core::settings::{ObjectPlace, S3};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::AmazonS3;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{
    GetOptions, GetRange, GetResult, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt as _,
    PutMode, PutOptions,
};

pub use failure::{Failure, FailureKind};
pub use upload::{Unwritten, Written};

/// How a place is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectsOptions {
    /// How long a connection may be silent before the attempt counts as failed. Default 30 s.
    pub stall: Duration,
    /// Further attempts after the first. Default 4.
    pub retries: usize,
    /// After this long no further attempt is begun. Default 60 s.
    pub patience: Duration,
    /// Bytes of one part of a large object, 5 MiB or more. Default 16 MiB, which makes 160 GB the largest object on S3.
    pub part_bytes: usize,
    /// Parts that are under way together. Default 2.
    pub parts_at_once: usize,
}

impl Default for ObjectsOptions {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            retries: 4,
            patience: Duration::from_secs(60),
            part_bytes: 16 << 20,
            parts_at_once: 2,
        }
    }
}

/// A place for objects. Clones share connections.
#[derive(Debug, Clone)]
pub struct Objects {
    place: ObjectPlace,
    backend: Arc<Backend>,
    s3: Arc<S3>,
    options: ObjectsOptions,
}

#[derive(Debug)]
enum Backend {
    Dir { root: PathBuf, files: PrefixStore<LocalFileSystem> },
    S3(PrefixStore<AmazonS3>),
}

/// What a place says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name, parts separated by `/`.
    pub key: String,
    /// How large it is.
    pub bytes: u64,
    /// When it was written, by the place's clock.
    pub written_at: Time,
}

/// The bytes of an object, as they come.
pub type Content = BoxStream<'static, Result<Bytes, Failure>>;

impl Objects {
    /// The place that the settings name. Nothing is made and nobody is called yet.
    ///
    /// # Errors
    /// Says which setting cannot be used.
    pub fn new(place: &ObjectPlace, s3: &S3, options: ObjectsOptions) -> Result<Self, Failure> {
        let wrong =
            |error: &dyn std::fmt::Display| Failure::new(FailureKind::Broken, place, "", &error.to_string());
        let backend = match place {
            ObjectPlace::Dir(path) => {
                let root = std::path::absolute(path).map_err(|error| Failure::io(place, "", &error))?;
                let prefix = Key::from_absolute_path(&root).map_err(|error| wrong(&error))?;
                let files = LocalFileSystem::new().with_fsync(true);
                Backend::Dir { root, files: PrefixStore::new(files, prefix) }
            }
            ObjectPlace::S3 { bucket, prefix } => {
                let bucket = bucket::open(bucket, s3, &options).map_err(|error| wrong(&error))?;
                let prefix = Key::parse(prefix).map_err(|error| wrong(&error))?;
                Backend::S3(PrefixStore::new(bucket, prefix))
            }
        };
        let s3 = Arc::new(s3.clone());
        Ok(Self { place: place.clone(), backend: Arc::new(backend), s3, options })
    }

    /// Another place, by the same settings.
    ///
    /// # Errors
    /// As [`Objects::new`].
    pub fn at(&self, place: &ObjectPlace) -> Result<Self, Failure> {
        Self::new(place, &self.s3, self.options)
    }

    /// Where it is.
    pub fn place(&self) -> &ObjectPlace {
        &self.place
    }

    /// Writes an object, replacing what is there.
    ///
    /// # Errors
    /// How the place fails.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Failure> {
        self.put_as(key, bytes, PutMode::Overwrite).await
    }

    /// Writes an object where there is none of this name yet.
    ///
    /// # Errors
    /// [`FailureKind::Taken`], or how else the place fails.
    pub async fn create(&self, key: &str, bytes: Bytes) -> Result<(), Failure> {
        self.put_as(key, bytes, PutMode::Create).await
    }

    async fn put_as(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<(), Failure> {
        let path = self.path(key)?;
        self.prepare(key).await?;
        let options = PutOptions::from(mode);
        self.within(key, self.store().put_opts(&path, bytes.into(), options)).await.map(drop)
    }

    /// A whole object, up to `limit` bytes.
    ///
    /// # Errors
    /// [`FailureKind::Broken`] where it is larger, or how else the place fails.
    pub async fn get(&self, key: &str, limit: u64) -> Result<Bytes, Failure> {
        let (object, content) = self.open(key, 0).await?;
        if object.bytes > limit {
            let why = format!("it is {} bytes long, {limit} are the most", object.bytes);
            return Err(Failure::new(FailureKind::Broken, &self.place, key, &why));
        }
        let whole = content
            .try_fold(bytes::BytesMut::new(), |mut whole, chunk| async move {
                whole.extend_from_slice(&chunk);
                Ok(whole)
            })
            .await?;
        Ok(whole.freeze())
    }

    /// The bytes of an object from `offset` on. A connection that breaks is made anew where it broke.
    ///
    /// # Errors
    /// How the place fails.
    pub async fn open(&self, key: &str, offset: u64) -> Result<(Object, Content), Failure> {
        let path = self.path(key)?;
        let range = (offset > 0).then_some(GetRange::Offset(offset));
        let options = GetOptions { range, ..GetOptions::default() };
        let found = self.within(key, self.store().get_opts(&path, options)).await?;
        Ok((object(&found.meta), self.content(key, found)))
    }

    fn content(&self, key: &str, found: GetResult) -> Content {
        let (place, key) = (self.place.clone(), key.to_owned());
        if let GetResultPayload::File(file, _) = found.payload {
            let left = found.range.end - found.range.start;
            let opened = (file, found.range.start, left, place, key);
            return stream::try_unfold(opened, |(file, at, left, place, key)| async move {
                if left == 0 {
                    return Ok(None);
                }
                let read = tokio::task::spawn_blocking(move || folder::read(file, at, left)).await;
                match read.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped))) {
                    Ok((file, chunk)) => {
                        let more = chunk.len() as u64;
                        Ok(Some((chunk, (file, at + more, left - more, place, key))))
                    }
                    Err(error) => Err(Failure::io(&place, &key, &error)),
                }
            })
            .boxed();
        }
        let stall = self.limit();
        let silent = Failure::silent(&place, &key);
        let broken = move |error| Failure::of(&place, &key, &error);
        stream::try_unfold(found.into_stream(), move |mut content| {
            let (silent, broken) = (silent.clone(), broken.clone());
            async move {
                match tokio::time::timeout(stall, content.next()).await {
                    Err(_) => Err(silent),
                    Ok(None) => Ok(None),
                    Ok(Some(chunk)) => chunk.map(|chunk| Some((chunk, content))).map_err(broken),
                }
            }
        })
        .boxed()
    }

    /// What the place says of an object; none where it is not there.
    ///
    /// # Errors
    /// How the place fails.
    pub async fn head(&self, key: &str) -> Result<Option<Object>, Failure> {
        let path = self.path(key)?;
        match self.within(key, self.store().head(&path)).await {
            Ok(meta) => Ok(Some(object(&meta))),
            Err(failure) if failure.kind == FailureKind::Missing => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// At most `limit` objects below `prefix` (whole parts of names; empty for everything) behind the name `after`, in
    /// the order of their names.
    ///
    /// # Errors
    /// How the place fails.
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Object>, Failure> {
        let below = self.path(prefix)?;
        let mut found = match after {
            Some(after) => self.store().list_with_offset(Some(&below), &self.path(after)?),
            None => self.store().list(Some(&below)),
        };
        // S3 lists in order and is asked no further than needed; a folder is walked in its own order to its end.
        let ordered = matches!(&*self.backend, Backend::S3(_));
        let mut page = BTreeMap::new();
        while let Some(meta) = self.next(prefix, &mut found).await? {
            let object = object(&meta);
            page.insert(object.key.clone(), object);
            if page.len() > limit {
                page.pop_last();
            }
            if ordered && page.len() == limit {
                break;
            }
        }
        Ok(page.into_values().collect())
    }

    async fn next<T>(
        &self,
        key: &str,
        from: &mut BoxStream<'_, object_store::Result<T>>,
    ) -> Result<Option<T>, Failure> {
        self.within(key, from.try_next()).await
    }

    /// Removes an object; one that is not there is removed already.
    ///
    /// # Errors
    /// How the place fails.
    pub async fn delete(&self, key: &str) -> Result<(), Failure> {
        let path = self.path(key)?;
        match self.within(key, self.store().delete(&path)).await {
            Err(failure) if failure.kind != FailureKind::Missing => Err(failure),
            _ => Ok(()),
        }
    }

    /// Removes what killed writers left in a folder below this prefix before this moment; answers how many files. Buckets have rules of
    /// their own for unfinished uploads (`AbortIncompleteMultipartUpload`).
    ///
    /// # Errors
    /// How the place fails.
    pub async fn sweep(&self, below: &str, before: Time) -> Result<usize, Failure> {
        let Backend::Dir { root, .. } = &*self.backend else { return Ok(0) };
        let root = root.join(below);
        let swept = tokio::task::spawn_blocking(move || folder::sweep(&root, before)).await;
        swept
            .unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)))
            .map_err(|error| Failure::io(&self.place, "", &error))
    }

    async fn begin(&self, key: &str) -> Result<Box<dyn MultipartUpload>, Failure> {
        let path = self.path(key)?;
        self.prepare(key).await?;
        self.within(key, self.store().put_multipart(&path)).await
    }

    /// A folder is made when something is put into it, for its owner alone: backups may hold everybody's data.
    async fn prepare(&self, key: &str) -> Result<(), Failure> {
        let Backend::Dir { root, .. } = &*self.backend else { return Ok(()) };
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        builder.mode(0o700);
        builder.create(root).await.map_err(|error| Failure::io(&self.place, key, &error))
    }

    fn store(&self) -> &dyn ObjectStore {
        match &*self.backend {
            Backend::Dir { files, .. } => files,
            Backend::S3(bucket) => bucket,
        }
    }

    fn path(&self, key: &str) -> Result<Key, Failure> {
        Key::parse(key)
            .map_err(|error| Failure::new(FailureKind::Broken, &self.place, "", &error.to_string()))
    }

    /// The longest that a call may take, its retries included.
    fn limit(&self) -> Duration {
        self.options.patience + self.options.stall * 2
    }

    async fn within<T>(
        &self,
        key: &str,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.limit(), call).await {
            Err(_) => Err(Failure::silent(&self.place, key)),
            Ok(answer) => answer.map_err(|error| Failure::of(&self.place, key, &error)),
        }
    }
}

fn object(meta: &object_store::ObjectMeta) -> Object {
    Object {
        key: meta.location.to_string(),
        bytes: meta.size,
        written_at: Time::from_millis(meta.last_modified.timestamp_millis()),
    }
}

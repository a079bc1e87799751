//! A backup that lies at a target: opened, checked, read.

use std::path::Path;

use bytes::Bytes;
use engify_clients::objects::{Content, FailureKind, Object, Objects};
use engify_core::backup::MANIFEST;
use engify_core::ids::BackupId;
use engify_core::{Clock, Error, Kind, Result};
use engify_store::{Doc, Store, collections};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use super::layers::{Layers, Sums, Undecoded};
use super::manifest::{Manifest, Part, damaged};
use super::pages::{Next, Pages};
use super::{Progress, Stage, list};
use crate::contents::{self, Contents};
use crate::scratch::Scratch;
use crate::seal::Key;

/// A backup whose manifest was checked.
#[derive(Debug, Clone)]
pub struct Archive {
    objects: Objects,
    manifest: Manifest,
    key: Option<Key>,
}

impl Archive {
    /// Opens a backup by its id. Nothing but the manifest is read.
    ///
    /// # Errors
    /// `backup_not_found`, `not_a_backup`, `backup_newer`, `backup_damaged`, `wrong_key`; how the place fails.
    pub async fn open(objects: &Objects, id: &BackupId, key: Option<&Key>) -> Result<Self> {
        let bytes = list::small(objects, &id.object(MANIFEST)).await?;
        let bytes = bytes.ok_or_else(|| missing(id, objects))?;
        let manifest = Manifest::read(id, &bytes)?.opened(key)?;
        Ok(Self { objects: objects.clone(), manifest, key: key.cloned() })
    }

    /// What it holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where it lies.
    pub(super) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Reads every byte of every part and compares its sum with the manifest's. Whoever does this before a restore touches
    /// nothing where something is wrong.
    ///
    /// # Errors
    /// `backup_damaged` with the part that is cut, changed, swapped or missing; how the place fails.
    pub async fn check(&self, progress: Progress<'_>) -> Result<()> {
        let total = self.manifest.bytes();
        let mut done = 0;
        for part in &self.manifest.parts {
            let mut bytes = self.bytes(part).await?;
            while let Some(piece) = bytes.try_next().await? {
                done += piece.len() as u64;
                progress(Stage::Checking, done, total);
            }
        }
        Ok(())
    }

    /// The bytes of a part as they lie there. The stream ends well only where their sum is the manifest's.
    ///
    /// # Errors
    /// `backup_damaged`; how the place fails.
    pub(super) async fn bytes(&self, part: &Part) -> Result<BoxStream<'static, Result<Bytes>>> {
        let (object, content) = self.open_part(part).await?;
        if object.bytes != part.stored_bytes {
            let why =
                format!("{} is {} bytes long instead of {}", part.name, object.bytes, part.stored_bytes);
            return Err(damaged(&self.manifest.id, &why));
        }
        let walk = (content, Sha256::new(), self.manifest.id.clone(), part.clone());
        let checked = stream::try_unfold(walk, |(mut content, hash, id, part)| async move {
            let Some(piece) = content.try_next().await? else {
                return if hex::encode(hash.finalize()) == part.stored_sha256 {
                    Ok(None)
                } else {
                    Err(damaged(&id, &format!("{} was changed", part.name)))
                };
            };
            let hashed = piece.clone();
            let hashing = tokio::task::spawn_blocking(move || hash.chain_update(&hashed));
            let hash = hashing.await.map_err(Error::internal)?;
            Ok(Some((piece, (content, hash, id, part))))
        });
        Ok(checked.boxed())
    }

    /// The documents of a collection; none where it is empty.
    ///
    /// # Errors
    /// How the place fails.
    pub async fn documents(&self, collection: &str) -> Result<Option<Documents>> {
        let Some(part) = self.manifest.parts.iter().find(|part| part.collection == collection) else {
            return Ok(None);
        };
        let (_, content) = self.open_part(part).await?;
        // Where the manifest names no key, a key that was set later plays no part.
        let key = self.manifest.key.as_ref().and(self.key.clone());
        let pages = Pages::of(content, Layers { zstd: true, key });
        Ok(Some(Documents { pages, id: self.manifest.id.clone(), part: part.clone() }))
    }

    /// Loads all of it into a database that nobody else has open, whose journal then goes on behind the backup's position.
    ///
    /// # Errors
    /// As [`Archive::documents`], [`Documents::next`] and [`Store::load`]; `backup_newer` for a collection that this
    /// program does not know, before anything is loaded.
    pub async fn load_into(&self, store: &Store, progress: Progress<'_>) -> Result<()> {
        let known = |part: &Part| {
            collections::named(&part.collection).ok_or_else(|| self.manifest.unknown(&part.collection))
        };
        let parts = self.manifest.parts.iter().map(known).collect::<Result<Vec<_>>>()?;
        let mut done = 0;
        for collection in parts {
            let Some(mut documents) = self.documents(collection.name).await? else { continue };
            while let Some(page) = documents.next().await? {
                done += page.len() as u64;
                store.load(collection, page).await?;
                progress(Stage::Loading, done, self.manifest.documents);
            }
        }
        store.continue_journal(self.manifest.position).await
    }

    /// Restores it into a scratch database below `folder` and compares what is there then with the manifest.
    ///
    /// # Errors
    /// `backup_damaged` where they differ; as [`Archive::load_into`] and [`Scratch::new`].
    pub async fn prove(&self, folder: &Path, clock: &Clock, progress: Progress<'_>) -> Result<Contents> {
        let scratch = Scratch::new(folder, clock).await?;
        let proven = self.prove_in(scratch.store(), progress).await;
        scratch.remove().await;
        proven
    }

    async fn prove_in(&self, store: &Store, progress: Progress<'_>) -> Result<Contents> {
        self.load_into(store, progress).await?;
        let total = self.manifest.documents;
        let seen = |done| progress(Stage::Comparing, done, total);
        let found = contents::of(&mut store.snapshot().await?, &seen).await?;
        let wanted = self.manifest.contents();
        if found != wanted || found.sha256() != self.manifest.sha256 {
            let why = format!("what came back differs in {}", wanted.differences(&found).join(", "));
            return Err(damaged(&self.manifest.id, &why));
        }
        Ok(found)
    }

    async fn open_part(&self, part: &Part) -> Result<(Object, Content)> {
        match self.objects.open(&self.key_of(part), 0).await {
            Err(failure) if failure.kind == FailureKind::Missing => {
                Err(damaged(&self.manifest.id, &format!("{} is missing", part.name)))
            }
            opened => Ok(opened?),
        }
    }

    /// The object of a part.
    pub(super) fn key_of(&self, part: &Part) -> String {
        self.manifest.id.object(&part.name)
    }
}

/// The documents of one collection in a backup, as they come.
#[derive(Debug)]
pub struct Documents {
    pages: Pages,
    id: BackupId,
    part: Part,
}

impl Documents {
    /// At most 1000 documents, in the order of their ids; none at the end, which is only reached where all sums are right.
    ///
    /// # Errors
    /// `backup_damaged`; how the place fails.
    pub async fn next(&mut self) -> Result<Option<Vec<Doc>>> {
        let damaged =
            |why: &str| damaged(&self.id, &format!("{} cannot be read to its end ({why})", self.part.name));
        match self.pages.next().await {
            Ok(Next::Page(page)) => Ok(Some(page)),
            Ok(Next::End(sums)) if sums == self.sums() => Ok(None),
            Ok(Next::End(_)) => Err(damaged("its sums are not those of the manifest")),
            Err(Undecoded::Damaged(why)) => Err(damaged(&why)),
            Err(Undecoded::Failed(error)) => Err(error),
        }
    }

    fn sums(&self) -> Sums {
        Sums {
            content: self.part.content.clone(),
            stored_bytes: self.part.stored_bytes,
            stored_sha256: self.part.stored_sha256.clone(),
        }
    }
}

fn missing(id: &BackupId, objects: &Objects) -> Error {
    let message = format!(
        "There is no backup {id} at {}. `engify db backups` lists those that there are.",
        objects.place()
    );
    Error::new(Kind::NotFound, "backup_not_found", message)
}

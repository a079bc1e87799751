//! A backup that lies at a target: opened, checked, read.

use std::path::Path;

use engify_clients::objects::{FailureKind, Objects};
use engify_core::backup::MANIFEST;
use engify_core::ids::BackupId;
use engify_core::{Clock, Error, Result};
use engify_store::{Doc, Store, collections};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};

use super::layers::{Layers, Sums, Undecoded};
use super::manifest::{self, Manifest, Part, damaged};
use super::pages::{Next, Pages};
use super::{Progress, Stage};
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
    /// `not_found`, `not_a_backup`, `backup_newer`, `backup_damaged`, `wrong_key`; how the place fails.
    pub async fn open(objects: &Objects, id: &BackupId, key: Option<&Key>) -> Result<Self> {
        let read = objects.get(&id.object(MANIFEST), manifest::LONGEST).await;
        let bytes = read.map_err(|failure| match failure.kind {
            FailureKind::Missing => missing(id, objects),
            _ => failure.into(),
        })?;
        let manifest = Manifest::read(id, &bytes)?.opened(key)?;
        Ok(Self { objects: objects.clone(), manifest, key: key.cloned() })
    }

    /// What it holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
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
            let (object, mut content) = match self.objects.open(&self.key_of(part), 0).await {
                Err(failure) if failure.kind == FailureKind::Missing => {
                    return Err(damaged(&self.manifest.id, &format!("{} is missing", part.name)));
                }
                opened => opened?,
            };
            if object.bytes != part.stored_bytes {
                let why =
                    format!("{} is {} bytes long instead of {}", part.name, object.bytes, part.stored_bytes);
                return Err(damaged(&self.manifest.id, &why));
            }
            let mut hash = Sha256::new();
            while let Some(piece) = content.next().await {
                let piece = piece?;
                done += piece.len() as u64;
                let hashing = tokio::task::spawn_blocking(move || hash.chain_update(&piece));
                hash = hashing.await.map_err(Error::internal)?;
                progress(Stage::Checking, done, total);
            }
            if hex::encode(hash.finalize()) != part.stored_sha256 {
                return Err(damaged(&self.manifest.id, &format!("{} was changed", part.name)));
            }
        }
        Ok(())
    }

    /// The documents of a collection; none where it is empty.
    ///
    /// # Errors
    /// How the place fails.
    pub async fn documents(&self, collection: &str) -> Result<Option<Documents>> {
        let Some(part) = self.manifest.parts.iter().find(|part| part.collection == collection) else {
            return Ok(None);
        };
        let content = match self.objects.open(&self.key_of(part), 0).await {
            Err(failure) if failure.kind == FailureKind::Missing => {
                return Err(damaged(&self.manifest.id, &format!("{} is missing", part.name)));
            }
            opened => opened?.1,
        };
        // Where the manifest names no key, a key that was set later plays no part.
        let key = self.manifest.key.as_ref().and(self.key.clone());
        let pages = Pages::of(content, Layers { zstd: true, key });
        Ok(Some(Documents { pages, id: self.manifest.id.clone(), part: part.clone() }))
    }

    /// Loads all of it into a database that nobody else has open, whose journal then goes on behind the backup's position.
    ///
    /// # Errors
    /// As [`Archive::documents`], [`Documents::next`] and [`Store::load`]; `database_newer` for a collection that this
    /// program does not know, before anything is loaded.
    pub async fn load_into(&self, store: &Store, progress: Progress<'_>) -> Result<()> {
        let known = |part: &Part| {
            collections::named(&part.collection).ok_or_else(|| {
                damaged(
                    &self.manifest.id,
                    &format!("it has a collection {} that is not ours", part.collection),
                )
            })
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

    fn key_of(&self, part: &Part) -> String {
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
    Error::new(engify_core::Kind::NotFound, "backup_not_found", message)
}

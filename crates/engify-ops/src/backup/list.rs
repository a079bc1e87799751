//! What lies at a target.

use std::collections::BTreeMap;

use engify_clients::objects::{FailureKind, Object, Objects};
use engify_core::backup::{BACKUPS, BackupKind, MANIFEST, PROOF};
use engify_core::ids::BackupId;
use engify_core::{Error, Result, Time};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::manifest::{self, Manifest};

/// Manifests that are read together.
const AT_ONCE: usize = 8;

/// Names that are asked for at a time.
const NAMES: usize = 5000;

/// A backup as its manifest and its proof describe it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its name.
    pub id: BackupId,
    /// Why it was taken.
    pub kind: BackupKind,
    /// The moment that it holds.
    pub created_at: Time,
    /// When it was last restored and compared.
    pub verified_at: Option<Time>,
    /// The journal's position at that moment.
    pub position: u64,
    /// Documents in it.
    pub documents: u64,
    /// Bytes at the target.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: String,
    /// The key that it is encrypted with; none where it is not.
    pub key: Option<String>,
    /// The version that took it.
    pub engify: String,
    /// The database that it was taken of.
    pub database: String,
}

impl Listed {
    /// Whether it was restored and compared.
    pub fn is_verified(&self) -> bool {
        self.verified_at.is_some()
    }
}

/// Something at a target that should be a backup.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreadable {
    /// Its name.
    pub id: String,
    /// What is wrong with it.
    pub failure: String,
}

/// What lies at a target.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// Where.
    pub target: String,
    /// Newest first.
    pub backups: Vec<Listed>,
    /// What has a manifest that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

/// That a backup was restored and compared.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    /// Of the content that came back.
    sha256: String,
    /// When.
    verified_at: Time,
    /// By which version.
    engify: String,
}

/// All backups at a target. No key is needed.
///
/// # Errors
/// How the place fails.
pub async fn list(objects: &Objects) -> Result<Listing> {
    let target = objects.place().to_string();
    let mut listing = Listing { target, backups: Vec::new(), unreadable: Vec::new() };
    let whole = survey(objects).await?.into_iter().filter(|(_, found)| has(found, MANIFEST));
    let mut read = stream::iter(whole)
        .map(|(id, found)| async move {
            let proven = has(&found, PROOF);
            (one(objects, &id, proven).await, id)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((one, id)) = read.next().await {
        match one {
            Ok(Some(listed)) => listing.backups.push(listed),
            // Deleted since the survey.
            Ok(None) => {}
            Err(error) if error.kind() == engify_core::Kind::Invalid => {
                listing
                    .unreadable
                    .push(Unreadable { id: id.to_string(), failure: error.message().to_owned() });
            }
            Err(error) => return Err(error),
        }
    }
    listing.backups.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    listing.unreadable.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(listing)
}

/// The newest backup at a target; one that was proven, where there is one.
///
/// # Errors
/// `backup_not_found` where there is none; how the place fails.
pub async fn newest(objects: &Objects) -> Result<Listed> {
    let listing = list(objects).await?;
    let proven = listing.backups.iter().find(|one| one.is_verified());
    proven.or(listing.backups.first()).cloned().ok_or_else(|| {
        let message = format!("There is no backup at {}. `engify db backup` takes one.", objects.place());
        Error::new(engify_core::Kind::NotFound, "backup_not_found", message)
    })
}

async fn one(objects: &Objects, id: &BackupId, proven: bool) -> Result<Option<Listed>> {
    let Some(bytes) = small(objects, &id.object(MANIFEST)).await? else { return Ok(None) };
    let manifest = Manifest::read(id, &bytes)?.manifest;
    let proof = if proven { small(objects, &id.object(PROOF)).await? } else { None };
    // A proof that cannot be read, or is of something else, proves nothing.
    let proof = proof.and_then(|bytes| serde_json::from_slice::<Proof>(&bytes).ok());
    let verified_at = proof.filter(|proof| proof.sha256 == manifest.sha256).map(|proof| proof.verified_at);
    let bytes = manifest.bytes();
    let Manifest { id, kind, created_at, position, documents, sha256, key, engify, database, .. } = manifest;
    Ok(Some(Listed {
        id,
        kind,
        created_at,
        verified_at,
        position,
        documents,
        bytes,
        sha256,
        key,
        engify,
        database,
    }))
}

/// A manifest or a proof; none where it is not there.
pub(super) async fn small(objects: &Objects, key: &str) -> Result<Option<bytes::Bytes>> {
    match objects.get(key, manifest::LONGEST).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(failure) if failure.kind == FailureKind::Missing => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// Notes at the target that a backup was restored and compared.
pub(super) async fn write_proof(objects: &Objects, manifest: &Manifest, at: Time) -> Result<()> {
    let proof = Proof {
        sha256: manifest.sha256.clone(),
        verified_at: at,
        engify: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let bytes = serde_json::to_vec(&proof).map_err(Error::internal)?;
    Ok(objects.put(&manifest.id.object(PROOF), bytes.into()).await?)
}

/// Notes at the target that a backup cannot be believed any more.
pub(super) async fn remove_proof(objects: &Objects, id: &BackupId) -> Result<()> {
    Ok(objects.delete(&id.object(PROOF)).await?)
}

/// The objects below the name of each backup, whole or not.
pub(super) type Found = BTreeMap<BackupId, Vec<Object>>;

/// Looks at the names of everything that lies there.
pub(super) async fn survey(objects: &Objects) -> Result<Found> {
    let mut found = Found::new();
    let mut after: Option<String> = None;
    loop {
        let names = objects.list(BACKUPS, after.as_deref(), NAMES).await?;
        let full = names.len() == NAMES;
        after = names.last().map(|object| object.key.clone());
        for object in names {
            let mut words = object.key.split('/').skip(1);
            let id = words.next().and_then(|id| BackupId::parse(id).ok());
            // Whatever else lies there is not ours to look at.
            if let (Some(id), Some(_)) = (id, words.next()) {
                found.entry(id).or_default().push(object);
            }
        }
        if !full {
            return Ok(found);
        }
    }
}

/// Whether a backup has this object.
pub(super) fn has(found: &[Object], name: &str) -> bool {
    found.iter().any(|object| object.key.split('/').nth(2) == Some(name))
}

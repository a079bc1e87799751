//! The plain layout of `mongodump`: a folder with `<collection>.bson` and `<collection>.metadata.json`, which `mongorestore`
//! and others read. Neither compressed nor encrypted, and without a manifest.

use std::path::{Path, PathBuf};

use engify_clients::objects::{Objects, ObjectsOptions};
use engify_core::settings::{ObjectPlace, S3};
use engify_core::{Clock, Error, Kind, Result, error};
use engify_store::{Store, bson, collections};
use serde::Serialize;

use super::layers::{Layers, Undecoded};
use super::pages::{Next, Pages};
use super::{Progress, Stage, write};
use crate::contents::{self, Contents};
use crate::scratch::{self, Scratch};

/// The folder inside, which `mongorestore` takes for the database's name.
const DATABASE: &str = "engify";

/// A dump that was written and read back.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dumped {
    /// The folder that holds the files.
    pub folder: PathBuf,
    /// Whether it was loaded into a scratch database and compared. Always so: what cannot be proven is an error.
    pub verified: bool,
    /// The journal's position at its moment.
    pub position: u64,
    /// Documents in it.
    pub documents: u64,
    /// Bytes of the files with documents.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// Writes a dump to `out/engify`, which must not be there yet; it is there whole or not at all. Scratch databases are made
/// in `folder`.
///
/// # Errors
/// `dump_exists`; how the database or the disk fails; `dump_damaged` where what came back is not what went in.
pub async fn dump(
    store: &Store,
    (out, folder): (&Path, &Path),
    clock: &Clock,
    progress: Progress<'_>,
) -> Result<Dumped> {
    let final_place = out.join(DATABASE);
    if tokio::fs::try_exists(&final_place).await.unwrap_or(true) {
        let message =
            format!("{} is there already. Name another folder, or move it away.", final_place.display());
        return Err(Error::new(Kind::Conflict, "dump_exists", message));
    }
    let unfinished = tempfile_in(out).await?;
    let objects = folder_of(unfinished.path())?;
    let (mut snapshot, settled) = Box::pin(scratch::settled(store, folder, clock)).await?;
    let position = snapshot.position();
    let written = Box::pin(write_all(store, &mut snapshot, &objects, progress)).await;
    drop(snapshot);
    if let Some(settled) = settled {
        settled.remove().await;
    }
    let contents = written?;
    let scratch = Scratch::new(folder, clock).await?;
    let inside = folder_of(&unfinished.path().join(DATABASE))?;
    let read = Box::pin(load(&inside, scratch.store(), progress)).await;
    scratch.remove().await;
    let back = read?;
    if back != contents {
        let differences = contents.differences(&back).join(", ");
        return Err(damaged(&format!("what came back differs in {differences}")));
    }
    let (from, to, within) = (unfinished.path().join(DATABASE), final_place.clone(), out.to_owned());
    let renamed = tokio::task::spawn_blocking(move || {
        std::fs::rename(from, to)?;
        std::fs::File::open(within)?.sync_all()
    });
    renamed.await.map_err(Error::internal)?.map_err(|fault| unwritable(out, &fault))?;
    Ok(Dumped {
        folder: final_place,
        verified: true,
        position,
        documents: contents.documents(),
        bytes: contents.bson_bytes(),
        sha256: contents.sha256(),
    })
}

async fn write_all(
    store: &Store,
    snapshot: &mut engify_store::Snapshot,
    objects: &Objects,
    progress: Progress<'_>,
) -> Result<Contents> {
    let total = store.stats().await?.iter().map(|stats| stats.documents).sum();
    let layers = Layers { zstd: false, key: None };
    let seen = write::counted(total, progress);
    let mut contents = Contents::default();
    for collection in collections::ALL {
        let key = layers.name(collection.name);
        if let Some(sums) = write::part(snapshot, collection, &layers, (objects, &key), &seen).await? {
            contents.note(collection.name, sums.content);
        }
        // An empty collection has its indexes all the same.
        let metadata = format!("{DATABASE}/{}.metadata.json", collection.name);
        objects.put(&metadata, bson::metadata(collection).into()).await?;
    }
    Ok(contents)
}

/// Loads the dump of a database from the folder that holds `<collection>.bson`, whoever wrote it, into a database that nobody else has
/// open; answers with what is there then.
///
/// # Errors
/// `dump_damaged` for a file that is no BSON; how the database fails.
pub async fn load(objects: &Objects, into: &Store, progress: Progress<'_>) -> Result<Contents> {
    let mut done = 0;
    for collection in collections::ALL {
        let layers = Layers { zstd: false, key: None };
        let name = format!("{}.bson", collection.name);
        if objects.head(&name).await?.is_none() {
            continue;
        }
        let mut pages = Pages::of(objects.open(&name, 0).await?.1, layers);
        loop {
            match pages.next().await {
                Ok(Next::Page(mut page)) => {
                    done += page.len() as u64;
                    page.iter_mut().for_each(|doc| collection.derive(doc));
                    into.load(collection, page).await?;
                    progress(Stage::Loading, done, done);
                }
                Ok(Next::End(_)) => break,
                Err(Undecoded::Damaged(why)) => return Err(damaged(&format!("{name}: {why}"))),
                Err(Undecoded::Failed(error)) => return Err(error),
            }
        }
    }
    contents::of(&mut into.snapshot().await?, &|_| ()).await
}

/// A local folder as a place for objects.
///
/// # Errors
/// Where its path cannot be used.
pub fn folder_of(folder: &Path) -> Result<Objects> {
    let place = ObjectPlace::Dir(folder.to_owned());
    let nowhere =
        S3 { key: None, session_token: None, region: String::new(), endpoint: None, encryption: None };
    Ok(Objects::new(&place, &nowhere, ObjectsOptions::default())?)
}

/// Beside the final place, so that it only has to be renamed.
async fn tempfile_in(out: &Path) -> Result<tempfile::TempDir> {
    let folder = out.to_owned();
    let made = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&folder)?;
        tempfile::Builder::new().prefix(".engify-unfinished-").tempdir_in(&folder)
    });
    made.await.map_err(Error::internal)?.map_err(|fault| unwritable(out, &fault))
}

fn unwritable(out: &Path, fault: &std::io::Error) -> Error {
    let message = format!(
        "{} cannot be written ({}). See that the disk has room and that this account may write there.",
        out.display(),
        error::why(fault)
    );
    Error::unavailable("dump_unwritable", message)
}

fn damaged(why: &str) -> Error {
    Error::new(Kind::Invalid, "dump_damaged", format!("The dump is damaged: {why}. Take another one."))
}

//! Scratch databases: embedded ones in a folder of their own that goes when they do. Backups are tried out in them, and
//! drills run against them.

use std::fs::DirBuilder;
use std::path::Path;

use engify_core::{Clock, Error, Result, Time};
use engify_store::{Options, Snapshot, Store, Target};
use tempfile::TempDir;

/// What the folders are called; anything of this name that is old is left from a killed run.
const PREFIX: &str = "scratch-";

/// A scratch database.
#[derive(Debug)]
pub struct Scratch {
    store: Store,
    folder: TempDir,
}

impl Scratch {
    /// Makes an empty one in a folder below `parent`, which is made where it is missing.
    ///
    /// # Errors
    /// `scratch_unavailable` where nothing can be written there.
    pub async fn new(parent: &Path, clock: &Clock) -> Result<Self> {
        let folder = folder_in(parent).await?;
        let target = Target::Embedded { dir: folder.path().to_owned() };
        let options = Options { scratch: true, ..Options::new(clock.clone()) };
        let store = Store::open(target, options).await?;
        Ok(Self { store, folder })
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where its file is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Closes and removes it. Dropping it does that too, later and without waiting.
    pub async fn remove(self) {
        self.store.close().await;
        // What stays behind is swept with the next one.
        let _ = tokio::task::spawn_blocking(move || self.folder.close()).await;
    }
}

/// A folder below `parent`, which is made where it is missing: for its owner alone, and gone when it is dropped.
///
/// # Errors
/// `scratch_unavailable` where nothing can be written there.
pub(crate) async fn folder_in(parent: &Path) -> Result<TempDir> {
    let parent = parent.to_owned();
    let made = tokio::task::spawn_blocking(move || {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&parent)?;
        tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent)
    });
    made.await.map_err(Error::internal)?.map_err(|fault| unavailable(&fault))
}

/// A snapshot, exact whatever the database can promise. Where the database's own is not, everything is copied into a
/// scratch database, what was journaled meanwhile is done there again, and the moment is that of the journal's end.
///
/// # Errors
/// As [`Store::snapshot`], [`Snapshot::page`] and [`Scratch::new`].
pub async fn settled(store: &Store, parent: &Path, clock: &Clock) -> Result<(Snapshot, Option<Scratch>)> {
    let mut snapshot = store.snapshot().await?;
    if snapshot.is_exact() {
        return Ok((snapshot, None));
    }
    let scratch = Scratch::new(parent, clock).await?;
    copy(&mut snapshot, scratch.store(), &|_| ()).await?;
    let mut position = snapshot.position();
    drop(snapshot);
    // What the walk can have seen, and not only what is settled: a later commit may stand behind a gap that is still open.
    let end = store.journal_settled().await?;
    while position < end {
        let changes = store.journal_after(position, engify_store::LIMIT).await?;
        let Some(last) = changes.last().map(|change| change.position) else { break };
        let until = changes.into_iter().filter(|change| change.position <= end).collect();
        scratch.store().apply(until).await?;
        position = last;
    }
    scratch.store().continue_journal(end).await?;
    let snapshot = scratch.store().snapshot().await?;
    Ok((snapshot, Some(scratch)))
}

/// Loads all of a snapshot into a database that nobody else has open; `seen` hears how many documents were.
///
/// # Errors
/// As [`Snapshot::page`] and [`Store::load`].
pub async fn copy(snapshot: &mut Snapshot, into: &Store, seen: &(dyn Fn(u64) + Send + Sync)) -> Result<()> {
    let mut count = 0;
    for collection in engify_store::collections::ALL {
        let mut pages = snapshot.pages(collection);
        while let Some(page) = pages.next().await? {
            count += page.len() as u64;
            into.load(collection, page).await?;
            seen(count);
        }
    }
    Ok(())
}

/// Removes scratch databases that killed runs left, made before this moment.
///
/// # Errors
/// `scratch_unavailable` where the folder cannot be read.
pub async fn sweep(parent: &Path, before: Time) -> Result<()> {
    let parent = parent.to_owned();
    let swept = tokio::task::spawn_blocking(move || sweep_now(&parent, before));
    swept.await.map_err(Error::internal)?.map_err(|fault| unavailable(&fault))
}

fn sweep_now(parent: &Path, before: Time) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(parent) {
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let age = entry.metadata()?.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        if Time::from_millis(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)) < before {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn unavailable(fault: &std::io::Error) -> Error {
    Error::unavailable(
        "scratch_unavailable",
        "No scratch database can be made in the data folder (ENGIFY_DATA_DIR). See that the disk has room for the \
         database a second time, and that the account that runs Engify may write there.",
    )
    .because(fault.to_string())
}

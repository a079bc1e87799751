//! The side database: built, looked at, and where there is no other, put in its place.

use std::path::{Path, PathBuf};

use engify_core::account::User;
use engify_core::prompt::Prompt;
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result, Time};
use engify_store::journal::Change;
use engify_store::search::{Filters, Search, Sort};
use engify_store::{Collection, Doc, Entity, IndexState, LIMIT, Store, collections, queries};
use futures_util::StreamExt as _;
use tokio::pin;

use super::find::{Base, Found, Way};
use super::place::FILE;
use super::{Kept, Live, Site};
use crate::backup::{self, Progress, Stage};
use crate::contents::{self, Contents};
use crate::scratch::Scratch;
use crate::ship;

/// A database beside the live one.
#[derive(Debug)]
pub(super) struct Side {
    scratch: Scratch,
}

impl Side {
    /// Loads the backup and does again what was journaled behind it.
    pub(super) async fn build(
        site: &Site<'_>,
        found: &Found,
        live: &Live,
        progress: Progress<'_>,
    ) -> Result<Self> {
        if let Base::Backup { archive, .. } = &found.base {
            archive.check(progress).await?;
        }
        let scratch = Scratch::new(site.folder, site.clock).await?;
        let built = async {
            let store = scratch.store();
            match &found.base {
                Base::Backup { archive, .. } => archive.load_into(store, progress).await?,
                Base::Dump(objects) => drop(backup::dump::load(objects, store, progress).await?),
            }
            replay(site, found, live, store, progress).await
        };
        match Box::pin(built).await {
            Ok(()) => Ok(Self { scratch }),
            Err(error) => {
                scratch.remove().await;
                Err(error)
            }
        }
    }

    pub(super) fn store(&self) -> &Store {
        self.scratch.store()
    }

    /// Looks at it as a start of the program would: the file, indexes, sums where they are known, an account's look-up and
    /// a search. Answers the SHA-256 of its content.
    pub(super) async fn verify(&self, found: &Found, kept: &Kept) -> Result<String> {
        let store = self.scratch.store();
        store.check().await?;
        if store.ensure_indexes().await?.iter().any(|index| matches!(index.state, IndexState::Refused(_))) {
            return Err(unverified("an index cannot be made"));
        }
        let contents = contents::of(&mut store.snapshot().await?, &|_| ()).await?;
        if let (Base::Backup { archive, .. }, Way::Nothing) = (&found.base, &found.way)
            && !kept.changed_something()
        {
            let differences =
                returning(archive.manifest().contents()).differences(&returning(contents.clone()));
            if !differences.is_empty() {
                return Err(unverified(&format!(
                    "it differs from the manifest in {}",
                    differences.join(", ")
                )));
            }
        }
        if let Base::Dump(_) = found.base {
            refuse_foreign(store).await?;
        }
        probe(store).await?;
        Ok(contents.sha256())
    }

    pub(super) async fn remove(self) {
        self.scratch.remove().await;
    }

    /// Takes the place of a database that is not there, or is put aside: one rename. Answers where the old file is.
    pub(super) async fn become_the_database(
        self,
        folder: &Path,
        aside: Option<Time>,
    ) -> Result<Option<String>> {
        self.scratch.store().close().await;
        let (from, folder) = (self.scratch.folder().join(FILE), folder.to_owned());
        let placed = tokio::task::spawn_blocking(move || put_in_place(&from, &folder, aside)).await;
        let placed = placed.map_err(Error::internal)?.map_err(|error| {
            Error::unavailable(
                "database_unavailable",
                "The restored file cannot be put into the data folder. See that the disk has room and that this account may write \
                 there, and run the same again.",
            )
            .because(error)
        })?;
        self.scratch.remove().await;
        Ok(placed.map(|path| path.display().to_string()))
    }
}

/// Without what never comes from a backup, and may have been taken out already.
fn returning(mut contents: Contents) -> Contents {
    contents.0.retain(|name, _| !super::VOLATILE.contains(&name.as_str()));
    contents
}

async fn replay(
    site: &Site<'_>,
    found: &Found,
    live: &Live,
    store: &Store,
    progress: Progress<'_>,
) -> Result<()> {
    let Base::Backup { listed, .. } = &found.base else { return Ok(()) };
    let (from, all) = (listed.position, found.changes());
    let within = |changes: Vec<Change>, until: u64| -> Vec<Change> {
        changes.into_iter().filter(|change| change.position > from && change.position <= until).collect()
    };
    let mut reached = from;
    match &found.way {
        Way::Nothing => return Ok(()),
        Way::Shipped { names, until } => {
            let changes = ship::trail::changes(&found.objects, names.clone(), site.key, listed.key.is_some());
            pin!(changes);
            while let Some(changes) = changes.next().await {
                let changes = within(changes?, *until);
                // Segments that were shipped twice overlap; the same change again changes nothing.
                reached = reached.max(changes.last().map_or(0, |change| change.position));
                store.apply(changes).await?;
                progress(Stage::Replaying, reached.saturating_sub(from), all);
            }
        }
        Way::Database { until } => {
            let Live::Open(live) = live else { return Ok(()) };
            while reached < *until {
                let changes = live.journal_after(reached, LIMIT).await?;
                let Some(last) = changes.last() else { break };
                reached = last.position;
                store.apply(within(changes, *until)).await?;
                progress(Stage::Replaying, reached.min(*until).saturating_sub(from), all);
            }
            // A server takes old entries away while this goes on.
            if live.journal_trimmed().await? > from {
                return Err(shortened());
            }
        }
    }
    store.continue_journal(found.until().unwrap_or(from)).await
}

/// A dump may be of any program: every document must be one of ours.
async fn refuse_foreign(store: &Store) -> Result<()> {
    let mut snapshot = store.snapshot().await?;
    for collection in collections::ALL {
        let mut pages = snapshot.pages(collection);
        while let Some(page) = pages.next().await? {
            let fitting =
                tokio::task::spawn_blocking(move || page.iter().try_for_each(|doc| fits(collection, doc)));
            fitting.await.map_err(Error::internal)??;
        }
    }
    Ok(())
}

fn fits(collection: &Collection, doc: &Doc) -> Result<()> {
    collections::fits(collection.name, doc).map_err(|fault| {
        let id = contents::id(doc).unwrap_or_default();
        let message = format!(
            "The dump is not one of Engify: the document {id} of {} cannot be read ({fault}). Name another one.",
            collection.name
        );
        Error::new(Kind::Invalid, "dump_foreign", message)
    })
}

/// What a user does first: signs in, and searches.
async fn probe(store: &Store) -> Result<()> {
    let mut snapshot = store.snapshot().await?;
    let users = snapshot.page(&User::COLLECTION, None).await?;
    let prompts = snapshot.page(&Prompt::COLLECTION, None).await?;
    drop(snapshot);
    if let Some(id) = users.first().and_then(contents::id) {
        let everything = || Scope::Everything("a probe of a restore looks at all of it");
        let user = store.get::<User>(&everything(), &id).await?;
        let user = user.ok_or_else(|| unverified("an account is there and cannot be read"))?;
        let found = store.first(&queries::user_by_email(&user.email)).await?;
        if found.is_none_or(|found| found.id != user.id) {
            return Err(unverified("an account is not found by its mail address"));
        }
    }
    let title = prompts.first().and_then(|doc| doc.get("title")).and_then(serde_json::Value::as_str);
    let Some(text) = title.filter(|title| title.chars().all(|c| c.is_alphanumeric() || c == ' ')) else {
        return Ok(());
    };
    let search = Search {
        scope: Scope::Everything("a probe of a restore looks at all of it"),
        text: text.to_owned(),
        filters: Filters::default(),
        sort: Sort::Relevance,
        limit: 1,
        cursor: None,
    };
    if store.search(&search).await?.cards.is_empty() {
        return Err(unverified("the search does not find a prompt by its title"));
    }
    Ok(())
}

/// A piece of the journal went before it was read. Nothing was touched.
fn shortened() -> Error {
    Error::unavailable(
        "journal_shortened",
        "Old entries of the database's journal were removed while they were read. Run the same again: it begins with what was \
         shipped.",
    )
}

/// What was built is not what should be there. Nothing was touched.
pub(super) fn unverified(why: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        "restore_unverified",
        format!(
            "What was restored is not as it should be: {why}. Use another backup; `engify db backups` lists them."
        ),
    )
}

/// The files of a write-ahead log, behind the database's name. Beside another file than their own they would be taken for its.
const LOGS: [&str; 2] = ["-wal", "-shm"];

fn put_in_place(from: &Path, folder: &Path, aside: Option<Time>) -> std::io::Result<Option<PathBuf>> {
    if beside(from, LOGS[0]).metadata().is_ok_and(|log| log.len() > 0) {
        return Err(std::io::Error::other("not all of the side database is in its file"));
    }
    std::fs::create_dir_all(folder)?;
    let to = folder.join(FILE);
    std::fs::File::open(from)?.sync_all()?;
    let aside = aside.map(|now| folder.join(format!("{FILE}.damaged-{}", now.millis())));
    if let Some(aside) = &aside {
        // Before its log: without that, it might pass for whole.
        std::fs::rename(&to, aside)?;
    }
    for ending in LOGS {
        let log = beside(&to, ending);
        let gone = match &aside {
            Some(aside) => std::fs::rename(&log, beside(aside, ending)),
            None => std::fs::remove_file(&log),
        };
        match gone {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(from, &to)?;
    // The folder too may be new.
    for folder in std::path::absolute(folder)?.ancestors().take(2) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(aside)
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A side database's file, and a data folder with a damaged one and its log.
    fn prepared() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let (from, folder) = (root.path().join("side.db"), root.path().join("data"));
        fs::create_dir(&folder).unwrap();
        fs::write(&from, "new").unwrap();
        fs::write(folder.join(FILE), "old").unwrap();
        fs::write(beside(&folder.join(FILE), "-wal"), "log").unwrap();
        (root, from, folder)
    }

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap_or_default()
    }

    #[test]
    fn a_damaged_file_goes_aside_with_its_log() {
        let (_root, from, folder) = prepared();
        let aside = put_in_place(&from, &folder, Some(Time::from_millis(7))).unwrap().unwrap();
        assert_eq!(aside, folder.join("engify.db.damaged-7"));
        assert_eq!((read(&folder, FILE), read(&folder, "engify.db-wal")), ("new".to_owned(), String::new()));
        assert_eq!(
            read(&folder, "engify.db.damaged-7") + &read(&folder, "engify.db.damaged-7-wal"),
            "oldlog"
        );
    }

    #[test]
    fn a_file_is_never_left_without_its_log() {
        let (_root, from, folder) = prepared();
        // The file cannot be moved there.
        fs::create_dir_all(folder.join("engify.db.damaged-7/in-the-way")).unwrap();
        put_in_place(&from, &folder, Some(Time::from_millis(7))).unwrap_err();
        assert_eq!(
            (read(&folder, FILE), read(&folder, "engify.db-wal")),
            ("old".to_owned(), "log".to_owned())
        );
    }

    #[test]
    fn a_file_that_lacks_what_is_in_its_log_is_put_nowhere() {
        let (_root, from, folder) = prepared();
        fs::write(beside(&from, "-wal"), "not carried over").unwrap();
        put_in_place(&from, &folder, None).unwrap_err();
        assert_eq!(read(&folder, FILE), "old");
    }
}

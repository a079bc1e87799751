//! What only the embedded database promises: its file, its format, its bounds.

use std::path::Path;
use std::time::Duration;

use engify_core::permission::Role;
use engify_core::{Error, Kind};
use engify_store::journal::Change;
use engify_store::{Batch, Options, Store, Target, queries};
use tokio::time::timeout;

use crate::builders::{self, everything};
use crate::database::Database;

async fn open(dir: &Path) -> Result<Store, Error> {
    Store::open(Target::Embedded { dir: dir.to_owned() }, Options::default()).await
}

/// The file of format 1 as the first release wrote it: two users and one prompt.
const FORMAT_1: &[u8] = include_bytes!("../fixtures/format-1.db");

#[tokio::test]
async fn a_file_of_format_1_opens() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("engify.db"), FORMAT_1).expect("the fixture");
    let store = open(folder.path()).await.expect("it opens");
    assert_eq!(store.count(&queries::users(everything(), None)).await.expect("a count"), 2);
    let prompts = store.find(&queries::prompts_all(everything())).await.expect("prompts");
    assert_eq!(prompts.items[0].draft.title, "Review a pull request");
    assert_eq!(store.journal_position().await.expect("a position"), 3);
    let journal = store.journal_after(0, 10).await.expect("its journal");
    let told =
        |change: &Change| change.document.as_ref().and_then(|doc| doc["_id"].as_str().map(str::to_owned));
    let ids: Vec<_> = journal.iter().map(|change| Some(change.id.clone())).collect();
    assert_eq!(journal.iter().map(told).collect::<Vec<_>>(), ids);
    store.write(Batch::new().insert(&builders::user()).expect("a user")).await.expect("and takes writes");
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).await.expect("it opens").close().await;
    let file = folder.path().join("engify.db");
    rusqlite::Connection::open(&file)
        .and_then(|file| file.pragma_update(None, "user_version", 99))
        .expect("a newer program was here");
    let before = std::fs::read(&file).expect("the file");
    let fault = open(folder.path()).await.expect_err("too new");
    assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "database_newer"));
    assert!(fault.message().contains("format 99"), "{fault}");
    assert!(std::fs::read(&file).expect("the file") == before);
}

#[tokio::test]
async fn files_that_are_not_ours_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("engify.db");
    rusqlite::Connection::open(&file)
        .and_then(|file| file.execute_batch("CREATE TABLE theirs(x)"))
        .expect("somebody else's database");
    let fault = open(folder.path()).await.expect_err("another program's");
    assert_eq!(fault.code(), "database_unavailable");
    assert!(fault.message().contains("another program"), "{fault}");
    std::fs::write(&file, "this is no database ".repeat(500)).expect("written");
    let fault = open(folder.path()).await.expect_err("no database");
    assert!(fault.message().contains("damaged"), "{fault:?}");
    let fault = open(&file.join("below")).await.expect_err("a file is no folder");
    assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "database_unavailable"));
    assert!(fault.message().contains("ENGIFY_DATA_DIR"), "{fault}");
}

#[tokio::test]
async fn a_foreign_write_lock_is_named() {
    let database = Database::embedded();
    let store = database.open().await;
    let other = rusqlite::Connection::open(database.dir().join("engify.db")).expect("the file");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let batch = || Batch::new().insert(&builders::user()).expect("a user");
    let fault = store.write(batch()).await.expect_err("locked");
    assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "database_unavailable"));
    assert!(fault.message().contains("Another process"), "{fault}");
    assert_eq!(store.count(&queries::users(everything(), None)).await.expect("reads go on"), 0);
    other.execute_batch("ROLLBACK").expect("released");
    store.write(batch()).await.expect("free again");
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_stopped() {
    let database = Database::embedded();
    let dir = database.dir().to_owned();
    let options = Options { read_deadline: Duration::ZERO, ..Options::default() };
    let store = Store::open(Target::Embedded { dir }, options).await.expect("it opens");
    let batch = (0..5000).fold(Batch::new(), |batch, _| batch.insert(&builders::user()).expect("a user"));
    store.write(batch).await.expect("written");
    let counted = store.count(&queries::users_by_role(Role::User)).await;
    let fault = counted.expect_err("too long");
    assert_eq!((fault.kind(), fault.code()), (Kind::Timeout, "database_timeout"));
    let page =
        store.find(&queries::users(everything(), None).limit(1)).await.expect("a short one is answered");
    assert_eq!(page.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_ends_waits_for_no_snapshot() {
    let database = Database::embedded();
    let (server, command) = (database.open().await, database.open().await);
    let batch = || Batch::new().insert(&builders::user()).expect("a user");
    server.write(batch()).await.expect("written");
    let snapshot = server.snapshot().await.expect("a snapshot");
    server.write(batch()).await.expect("the log goes on behind what is read");
    // Waiting for its end, it would keep the server's writes away for as long.
    timeout(Duration::from_secs(2), command.close()).await.expect("at once");
    server.write(batch()).await.expect("nobody holds it");
    drop(snapshot);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_answers_what_was_accepted_and_leaves_one_file() {
    let database = Database::embedded();
    let store = database.open().await;
    let mut writes = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let store = store.clone();
        writes
            .spawn(async move { store.write(Batch::new().insert(&builders::user()).expect("a user")).await });
    }
    let first = writes.join_next().await.expect("a write").expect("it ran");
    first.expect("the first is written");
    store.close().await;
    let written = 1 + writes.join_all().await.iter().filter(|result| result.is_ok()).count();
    let fault =
        store.write(Batch::new().insert(&builders::user()).expect("a user")).await.expect_err("closed");
    assert_eq!(fault.code(), "database_unavailable");
    assert_eq!(store.ping().await.expect_err("closed").code(), "database_unavailable");
    drop(store);
    let wal = std::fs::metadata(database.dir().join("engify.db-wal")).map_or(0, |wal| wal.len());
    assert_eq!(wal, 0, "the file alone is complete");
    let count = database.open().await.count(&queries::users(everything(), None)).await.expect("a count");
    assert_eq!(count, written as u64);
}

#[cfg(unix)]
#[tokio::test]
async fn the_data_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("made/below");
    open(&dir).await.expect("it opens");
    assert_eq!(std::fs::metadata(dir).expect("a folder").permissions().mode() & 0o777, 0o700);
}

//! What a backup and a restore hold in memory, however many documents there are: two million with `cargo xtask test --deep`.

use std::path::Path;
use std::process::Command;

use engify_core::{Clock, Ids};
use engify_ops::backup::dump::folder_of;
use engify_ops::restore::{self, Live, Site, Wish};
use engify_ops::ship::Shipper;
use engify_store::{Batch, Doc, Options, Store, Target, collections};
use serde_json::json;

use crate::killed::variable;
use crate::rig::Rig;

/// Set for the child only: the folder that it works in.
const FOLDER: &str = "ENGIFY_TEST_MEMORY_FOLDER";

/// The most that may be resident, bytes.
const MOST: u64 = 200_000_000;

fn target(folder: &Path) -> Target {
    Target::Embedded { dir: folder.join("data") }
}

/// Takes a backup, proof included, and restores it into another folder. Does nothing unless the parent asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_backs_up_and_restores() {
    let Some(folder) = variable(FOLDER) else { return };
    let folder = Path::new(&folder);
    let (clock, objects) = (Clock::system(), folder_of(&folder.join("target")).unwrap());
    let ids = Ids::system(clock.clone());
    let site = Site { target: &objects, replica: None, key: None, folder, clock: &clock, ids: &ids };
    let store = Store::open(target(folder), Options::default()).await.unwrap();
    let plan = engify_ops::backup::Plan {
        kind: engify_core::backup::BackupKind::Manual,
        target: &objects,
        replica: None,
        key: None,
        folder,
        keep: None,
    };
    Box::pin(engify_ops::backup::create(&store, &plan, (&clock, &ids), &|_, _, _| ())).await.unwrap();
    println!("\nbackup {}", peak());
    journal(&store).await;
    let mut shipper = Shipper::new(store.clone(), objects.clone(), None, clock.clone());
    assert!(shipper.round().await.unwrap().segments > 0);
    store.close().await;
    let live = Live::Missing(folder.join("elsewhere"));
    Box::pin(restore::restore(&site, &Wish::default(), live, false, &|_, _, _| ())).await.unwrap();
    println!("\nrestore {}", peak());
}

/// Writes what is done again behind the backup: segments as large as they get, of documents that are far larger in memory.
async fn journal(store: &Store) {
    let ratings = collections::named("ratings").unwrap();
    let fields: Doc = (0..600).map(|number| (format!("f{number}"), number.into())).collect();
    for batch in 0..if variable("ENGIFY_DEEP").is_some() { 80 } else { 1 } {
        let batch = (0..100).fold(Batch::new(), |all, number| {
            let id = format!("large-{batch}-{number}");
            let mut doc = fields.clone();
            doc.insert("_id".to_owned(), id.clone().into());
            all.document(ratings, id, Some(doc))
        });
        store.write(batch).await.unwrap();
    }
}

/// The most that this process ever had resident, bytes; 0 where the system does not say.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")).map_or(0, |kib| kib.parse::<u64>().unwrap() * 1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_any_size_is_backed_up_and_restored_within_200_megabytes() {
    let pages = if variable("ENGIFY_DEEP").is_some() { 2_000_u32 } else { 20 };
    let rig = Rig::new();
    rig.inhabited().await.close().await;
    let options = Options { scratch: true, ..Options::default() };
    let store = Store::open(target(rig.folder.path()), options).await.unwrap();
    let ratings = collections::named("ratings").unwrap();
    for page in 0..pages {
        let rating = |number: u32| match json!({
            "_id": format!("u{:08}:p", page * 1000 + number), "promptId": format!("p{}", number % 997),
            "userId": format!("u{page}"), "stars": number % 5, "createdAt": "2026-11-22T18:04:05.123Z",
        }) {
            serde_json::Value::Object(doc) => doc,
            _ => unreachable!("an object"),
        };
        store.load(ratings, (0..1000).map(rating).collect::<Vec<Doc>>()).await.unwrap();
    }
    store.close().await;
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::child_backs_up_and_restores", "--nocapture"])
        .env(FOLDER, rig.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{told}");
    for what in ["backup", "restore"] {
        let bytes =
            told.lines().find_map(|line| line.strip_prefix(what)?.trim().parse::<u64>().ok()).unwrap();
        println!("{what} of {pages} 000 documents: {} MB at the most", bytes / 1_000_000);
        assert!(bytes < MOST, "{what}: {bytes} bytes");
    }
}

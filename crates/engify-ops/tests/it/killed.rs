//! Killed at any point, while writing, shipping, taking backups, restoring and switching: what was acknowledged is there,
//! nothing else is, and any moment comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use engify_clients::objects::Objects;
use engify_core::backup::BackupKind;
use engify_core::{Clock, Ids};
use engify_ops::backup::{self, dump::folder_of};
use engify_ops::restore::{self, Live, Moment, Site, Wish};
use engify_ops::ship::Shipper;
use engify_store::{Options, Store, Target};
use serde_json::json;

use crate::rig::{Rig, at, copy, put, read};

/// Set for children only: the folder they work in, what they do, to which position they restore.
const FOLDER: &str = "ENGIFY_TEST_KILLED_FOLDER";
const POSITION: &str = "ENGIFY_TEST_KILLED_POSITION";

#[expect(
    clippy::disallowed_methods,
    reason = "the parent of the process, or the runner of the tests, says so"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How often: 50 times with `cargo xtask test --deep`.
fn rounds() -> usize {
    if variable("ENGIFY_DEEP").is_some() { 50 } else { 3 }
}

fn tell(line: &str) {
    // Where the parent is gone, nobody needs to hear it.
    let _ = writeln!(std::io::stdout().lock(), "\ntold {line}");
}

fn target(folder: &Path) -> Objects {
    folder_of(&folder.join("target")).unwrap()
}

async fn open(folder: &Path) -> Store {
    let data = Target::Embedded { dir: folder.join("data") };
    Store::open(data, Options::new(Clock::system())).await.unwrap()
}

/// Writes with eight writers, ships without a pause, and takes one backup after the other until it is killed. Does nothing
/// unless the parent asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_works() {
    let (Some(folder), None) = (variable(FOLDER), variable(POSITION)) else { return };
    let folder = Path::new(&folder);
    let store = open(folder).await;
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let mut shipper = Shipper::new(store.clone(), target(folder), None, clock.clone());
    tokio::spawn(async move {
        loop {
            if shipper.round().await.unwrap().segments > 0 {
                tell("shipped");
            }
        }
    });
    for writer in 0..8 {
        let (store, ids) = (store.clone(), ids.clone());
        tokio::spawn(async move {
            for number in 0_u64.. {
                let id = format!("{writer}-{:016x}", u64::from_le_bytes(ids.random()));
                let position = put(&store, "ratings", &id, json!({"promptId": "p", "stars": number})).await;
                tell(&format!("{position} {id}"));
            }
        });
    }
    let target = target(folder);
    loop {
        let plan = backup::Plan {
            kind: BackupKind::Manual,
            target: &target,
            replica: None,
            key: None,
            folder,
            keep: None,
        };
        let stages = |stage, _, _| tell(&format!("{stage:?}"));
        Box::pin(backup::create(&store, &plan, (&clock, &ids), &stages)).await.unwrap();
        tell("backup");
    }
}

/// Restores the position that the parent names, and tells of every step: a collection where there is a database, else all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_restores() {
    let (Some(folder), Some(position)) = (variable(FOLDER), variable(POSITION)) else { return };
    let folder = Path::new(&folder);
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let target = target(folder);
    let site = Site { target: &target, replica: None, key: None, folder, clock: &clock, ids: &ids };
    let live = Live::at(Target::Embedded { dir: folder.join("data") }, &clock).await.unwrap();
    let collections = if matches!(live, Live::Open(_)) { vec!["ratings".to_owned()] } else { Vec::new() };
    let moment = Moment::Position(position.parse().unwrap());
    let wish = Wish { moment, collections, ..Wish::default() };
    Box::pin(restore::restore(&site, &wish, live, false, &|stage, _, _| tell(&format!("{stage:?}"))))
        .await
        .unwrap();
    tell("restored");
}

/// Where a child is killed.
struct Point {
    /// Once it has told this word; empty for its first line.
    word: &'static str,
    /// And so many lines more.
    lines: usize,
    /// And its database's log has begun to grow.
    growing: bool,
}

impl Point {
    /// Somewhere in the work: among writes, or behind the beginning of a step of a backup or of shipping.
    fn of_work(random: u64) -> Self {
        let word = pick(&["", "", "Taking", "Loading", "Comparing", "shipped", "backup"], random);
        let span = if word.is_empty() { 2000 } else { 60 };
        Self { word, lines: below(random >> 8, span), growing: false }
    }

    /// Somewhere in a restore; every third is killed in the switch, half of these when it begins to write.
    fn of_restore(random: u64) -> Self {
        let early = ["Taking", "Loading", "Comparing", "Checking", "Replaying"];
        match random % 6 {
            0 => Self { word: "Switching", lines: 0, growing: true },
            1 => Self { word: "Switching", lines: 0, growing: false },
            _ => Self { word: pick(&early, random >> 4), lines: below(random >> 8, 8), growing: false },
        }
    }
}

fn pick(words: &[&'static str], random: u64) -> &'static str {
    words[below(random, words.len())]
}

fn below(random: u64, bound: usize) -> usize {
    usize::try_from(random % bound as u64).unwrap()
}

/// A child, killed at this point; all that it told.
fn killed(name: &str, folder: &Path, position: Option<u64>, point: &Point) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("killed::{name}"), "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(position) = position {
        command.env(POSITION, position.to_string());
    }
    let mut child: Child = command.spawn().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("told ").map(str::to_owned));
    let log = folder.join("data/engify.db-wal");
    let bytes = || std::fs::metadata(&log).map_or(0, |found| found.len());
    let (mut heard, mut left) = (Vec::new(), None);
    for line in told.by_ref() {
        left = left.or((point.word.is_empty() || line == point.word).then_some(point.lines));
        heard.push(line);
        match &mut left {
            Some(0) => break,
            Some(left) => *left -= 1,
            None => {}
        }
    }
    let before = bytes();
    while point.growing && bytes() == before && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    heard.extend(told);
    heard
}

/// What the journal says that there was at a position.
async fn model(store: &Store, until: u64) -> BTreeMap<String, serde_json::Value> {
    let (mut all, mut position) = (BTreeMap::new(), 0);
    loop {
        let changes = store.journal_after(position, 500).await.unwrap();
        let Some(last) = changes.last() else { return all };
        position = last.position;
        for change in changes {
            if change.position <= until && change.collection == "ratings" {
                match change.document {
                    Some(document) => all.insert(change.id, serde_json::Value::Object(document)),
                    None => all.remove(&change.id),
                };
            }
        }
    }
}

async fn ratings(store: &Store) -> BTreeMap<String, serde_json::Value> {
    let docs = read(store, "ratings").await;
    docs.into_iter()
        .map(|doc| (doc["_id"].as_str().unwrap().to_owned(), serde_json::Value::Object(doc)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_nothing_acknowledged_is_lost_and_any_moment_comes_back() {
    let rig = Rig::new();
    rig.inhabited().await.close().await;
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    for round in 0..rounds() {
        let random = u64::from_le_bytes(rig.ids.random());
        // The first round lets a backup come to its end; later ones are killed anywhere.
        let point = match round {
            0 => Point { word: "backup", lines: 0, growing: false },
            _ => Point::of_work(random),
        };
        let heard = killed("child_works", rig.folder.path(), None, &point);
        let writes = heard.iter().filter_map(|line| line.split_once(' ').map(|(_, id)| id.to_owned()));
        acknowledged.extend(writes.filter(|id| id.len() == 18));
        // After the restart everything that was acknowledged is there, and only what the journal knows.
        let store = rig.open().await;
        store.check().await.unwrap();
        let end = store.journal_position().await.unwrap();
        let now = ratings(&store).await;
        assert!(
            acknowledged.iter().all(|id| now.contains_key(id)),
            "round {round}: an acknowledged write is lost"
        );
        assert_eq!(now, model(&store, end).await, "round {round}: a phantom");
        rig.shipper(&store).round().await.unwrap();

        // Elsewhere, from the target alone, a random moment comes back, also where the recovery is killed.
        let backups = backup::list(&rig.target).await.unwrap().backups;
        let oldest = backups.iter().filter(|one| one.is_verified()).map(|one| one.position).min().unwrap();
        let position = oldest + random % (end - oldest + 1);
        let then = model(&store, position).await;
        let elsewhere = Rig::new();
        // A copy of the target, because a recovery marks where it branches off.
        copy(&rig.target, &elsewhere.target).await;
        let restore = Point::of_restore(random >> 20);
        killed("child_restores", elsewhere.folder.path(), Some(position), &restore);
        let restored = match Live::at(elsewhere.database(), &elsewhere.clock).await.unwrap() {
            Live::Open(store) => store,
            Live::Missing(_) => elsewhere.recover(&at(position)).await,
            Live::Damaged(_) => panic!("round {round}: half a database, killed at {}", restore.word),
        };
        assert_eq!(
            ratings(&restored).await,
            then,
            "round {round}: the moment {position} of {oldest} to {end}"
        );
        restored.close().await;
        store.close().await;

        // A restore of it here is killed; the database is as before or as then; the second one finishes.
        let restore = Point::of_restore(random >> 40);
        killed("child_restores", rig.folder.path(), Some(position), &restore);
        let store = rig.open().await;
        store.check().await.unwrap();
        let left = ratings(&store).await;
        let state = match (left == now, left == then) {
            (true, _) => "as before",
            (_, true) => "as then",
            _ => panic!("round {round}: a mixture, killed at {}", restore.word),
        };
        let wish = Wish { collections: vec!["ratings".to_owned()], ..at(position) };
        rig.restore(&wish, Live::Open(store.clone())).await.unwrap();
        assert_eq!(ratings(&store).await, then, "round {round}: the second restore finishes");
        println!(
            "round {round}: {} writes; killed at {:?}+{}, then at {:?}+{} ({state})",
            now.len(),
            point.word,
            point.lines,
            restore.word,
            restore.lines
        );
        acknowledged = then.keys().cloned().collect();
        store.close().await;
    }
}

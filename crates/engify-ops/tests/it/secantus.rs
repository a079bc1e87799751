//! Restores from one kind of database into the other, on SecantusDB.

use engify_core::backup::{Backup, BackupState};
use engify_core::{Clock, Secret};
use engify_ops::restore::{Live, Wish};
use engify_store::{Batch, Options, Store, Target};
use engify_testkit::parts;
use serde_json::json;

use crate::rig::{Rig, contents, put, read};

async fn mongo(name: &str) -> Target {
    let name = name.to_owned();
    let uri = tokio::task::spawn_blocking(move || parts::secantus().uri(&name)).await.unwrap();
    Target::Mongo { uri: Secret::new(uri) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_to_mongodb_and_back_holds_the_same() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    for number in 0..120 {
        let text = format!("Größe {number} 😀");
        let doc = json!({"promptId": "p", "stars": number, "x": 0.1, "big": 9_007_199_254_740_993_i64, "text": text,
            "createdAt": "2026-11-22T18:04:05.123Z", "list": [1, 2.5, null, {"seenAt": "2026-11-22T18:04:05.123Z"}]});
        put(&store, "ratings", &format!("r{number}"), doc).await;
    }
    let id = rig.back_up(&store).await;
    let there = |mut contents: engify_ops::contents::Contents| {
        // What an installation knows of its backups is its own.
        contents.0.remove("backups");
        contents
    };
    let before = there(contents(&store).await);
    store.close().await;

    let target = mongo("restore-there").await;
    let live = Live::at(target.clone(), &rig.clock).await.unwrap();
    let wish = Wish { from: Some(id.to_string()), ..Wish::default() };
    let restored = rig.restore(&wish, live.clone()).await.unwrap();
    assert!(restored.verified && restored.plan.into == "mongodb");
    live.close().await;
    let mongo = Store::open(target, Options::new(Clock::system())).await.unwrap();
    assert_eq!(there(contents(&mongo).await), before);

    let second = Rig::new();
    let id = second.back_up(&mongo).await;
    mongo.close().await;
    let wish = Wish { from: Some(id.to_string()), ..Wish::default() };
    let back = second.recover(&wish).await;
    assert_eq!(there(contents(&back).await), before);
    back.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_into_mongodb_that_was_killed_keeps_it_closed_until_the_next_one_finishes() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    for number in 0..300 {
        put(&store, "ratings", &format!("r{number:03}"), json!({"stars": number})).await;
    }
    let id = rig.back_up(&store).await;
    store.close().await;
    let target = mongo("restore-killed").await;
    // Aborted in the middle of writing.
    let live = Live::at(target.clone(), &rig.clock).await.unwrap();
    let Live::Open(store) = &live else { panic!("a server is always there") };
    let mut feed = store.changes();
    let wish = Wish { from: Some(id.to_string()), ..Wish::default() };
    tokio::select! {
        biased;
        _ = async { for _ in 0..2 { let _ = feed.recv().await; } } => {}
        done = rig.restore(&wish, live.clone()) => panic!("it was to be killed: {done:?}"),
    }
    live.close().await;
    let refused = Store::open(target.clone(), Options::new(Clock::system())).await.unwrap_err();
    assert_eq!(refused.code(), "restore_unfinished", "{refused}");
    assert!(refused.message().contains("engify db restore"), "{refused}");

    // Somebody who finds the marker fresh is told to wait; a minute later the restore is taken up.
    let live = Live::at(target.clone(), &rig.clock).await.unwrap();
    let refused = rig.restore(&wish, live.clone()).await.unwrap_err();
    assert_eq!(refused.code(), "restore_running", "{refused}");
    live.close().await;
    let later = Clock::fixed(Clock::system().now().plus(std::time::Duration::from_secs(120)));
    let rig = Rig { clock: later.clone(), ..rig };
    let live = Live::at(target.clone(), &later).await.unwrap();
    rig.restore(&wish, live.clone()).await.unwrap();
    live.close().await;
    let store = Store::open(target, Options::new(Clock::system())).await.unwrap();
    assert_eq!(read(&store, "ratings").await.len(), 300);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_taken_up_ends_as_if_it_had_not_been_killed() {
    let clock = Clock::fixed(Clock::system().now());
    let rig = Rig::with(clock.clone());
    let target = mongo("restore-taken-up").await;
    let store = Store::open(target.clone(), Options::new(clock.clone())).await.unwrap();
    let at = "2026-11-22T18:04:05.123Z";
    let person = |disabled: Option<&str>| {
        json!({"email": "eve@example.com", "name": "Eve", "role": "user", "organizationId": null, "passwordHash": null,
            "factors": [], "emailVerifiedAt": at, "disabledAt": disabled, "lastSignInAt": null, "createdAt": at, "updatedAt": at})
    };
    let key = |number: usize, name: &str| json!({"userId": "eve", "keyHash": number.to_string(), "name": name, "revokedAt": null});
    put(&store, "users", "eve", person(None)).await;
    for number in 0..120 {
        put(&store, "api_keys", &format!("k{number:03}"), key(number, "before")).await;
    }
    let id = rig.back_up(&store).await;
    let mut switched_off = person(Some(at));
    switched_off["name"] = "Eva".into();
    put(&store, "users", "eve", switched_off).await;
    for number in 0..120 {
        put(&store, "api_keys", &format!("k{number:03}"), key(number, "after")).await;
    }
    store.close().await;
    let collections = vec!["users".to_owned(), "api_keys".to_owned()];
    let wish = Wish { from: Some(id.to_string()), collections, ..Wish::default() };
    // Killed as soon as something of each was written.
    for collection in ["users", "api_keys"] {
        clock.advance(std::time::Duration::from_secs(120));
        let live = Live::at(target.clone(), &clock).await.unwrap();
        let Live::Open(store) = &live else { panic!("a server is always there") };
        let mut feed = store.changes();
        let written = async {
            while feed.recv().await.unwrap().iter().all(|change| change.collection != collection) {}
        };
        tokio::select! {
            biased;
            () = written => {}
            done = rig.restore(&wish, live.clone()) => panic!("it was to be killed: {done:?}"),
        }
        live.close().await;
    }
    clock.advance(std::time::Duration::from_secs(120));
    let live = Live::at(target.clone(), &clock).await.unwrap();
    let restored = rig.restore(&wish, live.clone()).await.unwrap();
    live.close().await;
    let store = Store::open(target, Options::new(clock)).await.unwrap();
    let users = read(&store, "users").await;
    assert!(users.len() == 1 && !users[0]["disabledAt"].is_null(), "switched off is switched off: {users:?}");
    let keys = read(&store, "api_keys").await;
    assert!(keys.len() == 120 && keys.iter().all(|key| key["name"] == "before"), "{restored:?}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_machines_that_share_a_mongodb_one_takes_a_backup_at_a_time() {
    let clock = Clock::fixed(Clock::system().now());
    let (here, there) = (Rig::with(clock.clone()), Rig::with(clock.clone()));
    let options = Options::new(clock.clone());
    let mongo = Store::open(mongo("backups-of-two-machines").await, options).await.unwrap();
    let id = here.back_up(&mongo).await;
    let everything = engify_core::tenancy::Scope::Everything("a test looks at all of it");
    let mut record: Backup = mongo.get(&everything, id.as_str()).await.unwrap().unwrap();
    (record.state, record.alive_at) = (BackupState::Running, Some(clock.now()));
    (record.id, record.target) = (engify_core::ids::BackupId::make(&here.ids), "file:/elsewhere".to_owned());
    mongo.write(Batch::new().insert(&record).unwrap()).await.unwrap();

    clock.advance(std::time::Duration::from_secs(14 * 60));
    let refused = there.try_back_up(&mongo).await.unwrap_err();
    assert_eq!(refused.code(), "backup_running", "{refused}");
    // That machine was killed.
    clock.advance(std::time::Duration::from_secs(2 * 60));
    there.try_back_up(&mongo).await.unwrap();
    let left: Backup = mongo.get(&everything, record.id.as_str()).await.unwrap().unwrap();
    assert_eq!(left.state, BackupState::Failed);
    mongo.close().await;
}

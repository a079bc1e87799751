//! Restores on the embedded database.

use std::time::Duration;

use engify_core::Clock;
use engify_ops::backup::Stage;
use engify_ops::restore::{self, Live, Wish};
use engify_ops::ship::Trail;
use serde_json::json;

use crate::rig::{Rig, at, at_time, contents, put, read, remove, some};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_moment_comes_back_where_the_machine_is_lost() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    put(&store, "ratings", "a", json!({"promptId": "p", "stars": 1})).await;
    rig.back_up(&store).await;
    let mut shipper = rig.shipper(&store);
    let mut moments = Vec::new();
    for number in 0..6 {
        put(&store, "ratings", &format!("r{number}"), json!({"promptId": "p", "stars": number, "x": 0.1}))
            .await;
        if number % 2 == 1 {
            remove(&store, "ratings", &format!("r{}", number - 1)).await;
            assert_eq!(shipper.round().await.unwrap().segments, 1);
            assert_eq!(shipper.round().await.unwrap().segments, 0, "nothing new, nothing shipped");
        }
        moments.push((store.journal_position().await.unwrap(), contents(&store).await));
    }
    store.close().await;
    for (position, then) in moments.iter().rev() {
        rig.lose();
        let store = rig.recover(&at(*position)).await;
        assert_eq!(contents(&store).await.differences(then), Vec::<String>::new(), "at {position}");
        assert!(store.journal_position().await.unwrap() >= *position, "positions are never used again");
        store.close().await;
    }
    // Going back to an earlier moment put a break behind what was shipped: the newest backup leads no further.
    rig.lose();
    let refused = rig.restore(&Wish::default(), Live::Missing(rig.data())).await.unwrap_err();
    assert_eq!(refused.code(), "moment_unreachable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_machine_comes_back_as_it_was_and_ships_on() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    rig.back_up(&store).await;
    for number in 0..20 {
        put(&store, "favorites", &format!("f{number}"), json!({"userId": "u", "promptId": "p"})).await;
    }
    rig.shipper(&store).round().await.unwrap();
    let before = contents(&store).await;
    store.close().await;
    rig.lose();
    let store = rig.recover(&Wish::default()).await;
    assert_eq!(contents(&store).await, before);
    put(&store, "favorites", "new", json!({"userId": "u", "promptId": "p"})).await;
    assert_eq!(rig.shipper(&store).round().await.unwrap().segments, 1, "the new machine goes on");
    // It was all there, so the old backup leads on to what came after the recovery.
    let before = contents(&store).await;
    store.close().await;
    rig.lose();
    let store = rig.recover(&Wish::default()).await;
    assert_eq!(contents(&store).await, before);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_edit_is_undone_by_time_and_the_restore_is_undone_too() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    for number in 0..30 {
        put(&store, "ratings", &format!("r{number}"), json!({"promptId": "p", "stars": number})).await;
    }
    rig.back_up(&store).await;
    put(&store, "ratings", "late", json!({"promptId": "p", "stars": 5})).await;
    let good = (store.journal_position().await.unwrap(), contents(&store).await);
    for number in 0..30 {
        put(&store, "ratings", &format!("r{number}"), json!({"promptId": "p", "stars": 0})).await;
    }
    put(&store, "favorites", "f", json!({"userId": "u"})).await;
    let bad = (store.journal_position().await.unwrap(), contents(&store).await);

    let wish = Wish { collections: vec!["ratings".to_owned()], ..at(good.0) };
    let restored = rig.restore(&wish, Live::Open(store.clone())).await.unwrap();
    assert_eq!((restored.written.replaced, restored.written.inserted, restored.written.removed), (29, 0, 0));
    assert_eq!(restored.plan.journal, "database");
    assert!(restored.safety.is_some() && restored.verified);
    assert_eq!(some(&store, &["ratings"]).await.0.get("ratings"), good.1.0.get("ratings"));
    assert_eq!(read(&store, "favorites").await.len(), 1, "the rest stays");

    rig.restore(&Wish { collections: vec!["ratings".to_owned()], ..at(bad.0) }, Live::Open(store.clone()))
        .await
        .unwrap();
    assert_eq!(some(&store, &["ratings"]).await.0.get("ratings"), bad.1.0.get("ratings"));

    // One document alone.
    let wish = Wish {
        collections: vec!["ratings".to_owned()],
        filter: vec![("_id".to_owned(), "r7".to_owned())],
        ..at(good.0)
    };
    let restored = rig.restore(&wish, Live::Open(store.clone())).await.unwrap();
    assert_eq!(restored.written.replaced, 1);
    let stars: Vec<i64> =
        read(&store, "ratings").await.iter().map(|doc| doc["stars"].as_i64().unwrap()).collect();
    assert_eq!(stars.iter().sum::<i64>(), 7 + 5);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_revoked_or_signed_out_since_stays_so() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    let key =
        |hash: &str, revoked: Option<&str>| json!({"userId": "u", "keyHash": hash, "revokedAt": revoked});
    put(&store, "api_keys", "kept", key("1", None)).await;
    put(&store, "api_keys", "revoked", key("2", None)).await;
    put(&store, "api_keys", "deleted", key("3", None)).await;
    put(&store, "sessions", "old", json!({"userId": "u"})).await;
    put(&store, "audit_logs", "line", json!({"userId": "u", "createdAt": "2026-11-22T18:04:05.123Z"})).await;
    let id = rig.back_up(&store).await;
    put(&store, "api_keys", "revoked", key("2", Some("2026-11-22T18:04:05.123Z"))).await;
    remove(&store, "api_keys", "deleted").await;
    remove(&store, "sessions", "old").await;
    put(&store, "audit_logs", "later", json!({"userId": "u", "createdAt": "2026-11-22T18:05:05.123Z"})).await;

    let wish = Wish { from: Some(id.to_string()), ..Wish::default() };
    let restored = rig.restore(&wish, Live::Open(store.clone())).await.unwrap();
    assert_eq!((restored.kept.revoked_keys, restored.kept.deleted_keys), (1, 1), "{restored:?}");
    let keys = read(&store, "api_keys").await;
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().any(|key| key["_id"] == "revoked" && !key["revokedAt"].is_null()));
    assert!(read(&store, "sessions").await.is_empty(), "no session comes back to life");
    assert_eq!(read(&store, "audit_logs").await.len(), 2, "the audit log goes on");

    let restored = rig.restore(&Wish { revive: true, ..wish }, Live::Open(store.clone())).await.unwrap();
    assert_eq!(restored.kept.revived, 2);
    assert!(read(&store, "api_keys").await.iter().all(|key| key["revokedAt"].is_null()));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_refused_and_the_last_moment_named() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    rig.back_up(&store).await;
    let mut shipper = rig.shipper(&store);
    let mut ends = Vec::new();
    for number in 0..3 {
        ends.push(put(&store, "ratings", &format!("r{number}"), json!({"stars": number})).await);
        shipper.round().await.unwrap();
    }
    store.close().await;
    rig.lose();
    let segments = rig.target.list("journal", None, 10).await.unwrap();
    assert_eq!(segments.len(), 3);
    rig.target.delete(&segments[1].key).await.unwrap();
    let missing = || Live::Missing(rig.data());
    for wish in [Wish::default(), at(ends[2])] {
        let refused = rig.restore(&wish, missing()).await.unwrap_err();
        assert_eq!(refused.code(), "moment_unreachable", "{refused}");
        assert!(refused.message().contains(&format!("--at {}", ends[0])), "{refused}");
    }
    let changed = rig.target.get(&segments[0].key, 1 << 20).await.unwrap();
    let mut flipped = changed.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    rig.target.put(&segments[0].key, flipped.into()).await.unwrap();
    let refused = rig.restore(&at(ends[0]), missing()).await.unwrap_err();
    assert_eq!(refused.code(), "journal_damaged", "{refused}");
    assert!(!rig.data().join("engify.db").exists(), "nothing was touched");
    rig.target.put(&segments[0].key, changed).await.unwrap();
    let store = rig.recover(&at(ends[0])).await;
    assert_eq!(read(&store, "ratings").await.len(), 1);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_restores_at_once_the_second_is_refused() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    let id = rig.back_up(&store).await;
    let wish = Wish { from: Some(id.to_string()), ..Wish::default() };
    let (first, second) = tokio::join!(
        rig.restore(&wish, Live::Open(store.clone())),
        rig.restore(&wish, Live::Open(store.clone()))
    );
    let refused: Vec<&str> =
        [first, second].iter().filter_map(|one| one.as_ref().err()).map(|e| e.code()).collect();
    assert_eq!(refused, ["restore_running"]);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_loses_nothing() {
    let noon = "2026-11-22T12:00:00.000Z".parse().unwrap();
    let clock = Clock::fixed(noon);
    let rig = Rig::with(clock.clone());
    let store = rig.inhabited().await;
    rig.back_up(&store).await;
    let mut shipper = rig.shipper(&store);
    // A year ahead, and back: the second store has the right time again.
    clock.advance(Duration::from_secs(365 * 86_400));
    put(&store, "ratings", "future", json!({"stars": 1})).await;
    shipper.round().await.unwrap();
    store.close().await;
    let rig = Rig { clock: Clock::fixed(noon), ..rig };
    rig.clock.advance(Duration::from_secs(60));
    let store = rig.open().await;
    put(&store, "ratings", "present", json!({"stars": 2})).await;
    rig.shipper(&store).round().await.unwrap();
    let trail = Trail::since(&rig.target, noon).await.unwrap();
    assert_eq!(trail.len(), 2);
    store.close().await;
    rig.lose();
    rig.clock.advance(Duration::from_secs(60));
    let store = rig.recover(&at_time(noon.plus(Duration::from_secs(90)))).await;
    assert_eq!(
        read(&store, "ratings").await.len(),
        2,
        "both were made before that moment, whatever the clock said"
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_put_aside_and_an_empty_one_is_none() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    rig.back_up(&store).await;
    let before = contents(&store).await;
    store.close().await;
    let file = rig.data().join("engify.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xA5);
    bytes[..100].fill(0xA5);
    std::fs::write(&file, &bytes).unwrap();
    let live = Live::at(rig.database(), &rig.clock).await.unwrap();
    assert!(matches!(live, Live::Damaged(_)));
    let restored = rig.restore(&Wish::default(), live).await.unwrap();
    let aside = restored.moved_aside.unwrap();
    assert_eq!(std::fs::read(aside).unwrap(), bytes, "kept as it was");
    let store = rig.open().await;
    assert_eq!(contents(&store).await.0.get("users"), before.0.get("users"));
    store.close().await;
    std::fs::write(&file, b"").unwrap();
    std::fs::write(rig.data().join("engify.db-wal"), b"left by somebody").unwrap();
    let store = rig.recover(&Wish::default()).await;
    assert_eq!(contents(&store).await.0.get("users"), before.0.get("users"));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_clock_that_was_ahead_leads_to_what_came_after_it() {
    let noon = "2026-11-22T12:00:00.000Z".parse().unwrap();
    let rig = Rig::with(Clock::fixed(noon));
    let store = rig.inhabited().await;
    rig.clock.advance(Duration::from_secs(365 * 86_400));
    rig.back_up(&store).await;
    store.close().await;
    let rig = Rig { clock: Clock::fixed(noon), ..rig };
    let store = rig.open().await;
    put(&store, "ratings", "after", json!({"stars": 2})).await;
    rig.shipper(&store).round().await.unwrap();
    store.close().await;
    rig.lose();
    let store = rig.recover(&Wish::default()).await;
    assert_eq!(read(&store, "ratings").await.len(), 1, "its segment lies under an earlier day");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_files_and_old_halves_at_the_target_are_seen_for_what_they_are() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    let id = rig.back_up(&store).await;
    let mut shipper = rig.shipper(&store);
    put(&store, "ratings", "one", json!({"stars": 1})).await;
    shipper.round().await.unwrap();
    let segment = rig.target.list("journal", None, 10).await.unwrap().remove(0).key;
    let whole = rig.target.get(&segment, 1 << 20).await.unwrap();

    // A machine that lost its power left a name without bytes: never taken for the end of the journal.
    rig.target.put(&segment, "".into()).await.unwrap();
    let refused = rig.shipper(&store).round().await.unwrap_err();
    assert_eq!(refused.code(), "journal_damaged", "{refused}");
    let wish = at(store.journal_position().await.unwrap());
    let refused = rig.restore(&wish, Live::Missing(rig.folder.path().join("else"))).await.unwrap_err();
    assert_eq!(refused.code(), "journal_damaged", "{refused}");
    rig.target.put(&segment, whole).await.unwrap();

    // An empty manifest is no backup, and hides none. A half that an hour has passed over goes with the next backup.
    rig.target.put("backups/0199-empty/manifest.json", "".into()).await.unwrap();
    let half = rig.folder.path().join(format!("target/backups/{id}/engify/users.bson.zst#7"));
    std::fs::write(&half, b"half").unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    std::fs::File::options().write(true).open(&half).unwrap().set_modified(long_ago).unwrap();
    rig.back_up(&store).await;
    assert!(!half.exists());
    let listing = engify_ops::backup::list(&rig.target).await.unwrap();
    assert_eq!((listing.backups.len(), listing.unreadable.len()), (2, 1), "{listing:?}");
    let before = contents(&store).await;
    store.close().await;
    rig.lose();
    let store = rig.recover(&Wish::default()).await;
    assert_eq!(contents(&store).await.0.get("ratings"), before.0.get("ratings"));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_from_the_journal_while_it_is_read_is_a_gap() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    rig.back_up(&store).await;
    let end = put(&store, "ratings", "r", json!({"stars": 1})).await;
    let later = rig.clock.now().plus(Duration::from_secs(3600));
    let trim = |stage, _, _| {
        if stage == Stage::Loading {
            let trim = store.trim_journal(end, later);
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(trim)).unwrap();
        }
    };
    let wish = Wish { collections: vec!["ratings".to_owned()], ..at(end) };
    let live = Live::Open(store.clone());
    let refused = Box::pin(restore::restore(&rig.site(), &wish, live, false, &trim)).await.unwrap_err();
    assert_eq!(refused.code(), "journal_shortened", "{refused}");
    assert_eq!(read(&store, "ratings").await.len(), 1, "nothing was touched");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_the_database_does_not_know_leaves_its_journal_whole() {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    rig.back_up(&store).await;
    let early = put(&store, "ratings", "a", json!({"stars": 1})).await;
    put(&store, "ratings", "b", json!({"stars": 2})).await;
    let unknown = rig.back_up(&store).await;
    rig.shipper(&store).round().await.unwrap();
    store.close().await;
    rig.lose();
    // Here it was not taken yet.
    let store = rig.recover(&at(early)).await;
    put(&store, "ratings", "c", json!({"stars": 3})).await;
    rig.shipper(&store).round().await.unwrap();
    let collections = vec!["ratings".to_owned()];
    let wish = Wish { from: Some(unknown.to_string()), collections, ..Wish::default() };
    rig.restore(&wish, Live::Open(store.clone())).await.unwrap();
    put(&store, "ratings", "d", json!({"stars": 4})).await;
    rig.shipper(&store).round().await.unwrap();
    let before = contents(&store).await;
    store.close().await;
    rig.lose();
    let store = rig.recover(&Wish::default()).await;
    assert_eq!(contents(&store).await, before, "no gap was made");
    store.close().await;
}

//! Restores from what is not ours, or could be anybody's.

use engify_core::Secret;
use engify_core::backup::BackupKind;
use engify_ops::backup::{self, dump::folder_of};
use engify_ops::restore::{self, Live, Site, Wish};
use engify_ops::seal::Key;
use engify_ops::ship::Shipper;
use engify_store::bson;
use serde_json::json;

use crate::rig::{Rig, at, copy, put};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_key_can_put_nothing_into_a_restore() {
    let rig = Rig::new();
    let key = Key::parse(&Secret::new("ab".repeat(32))).unwrap();
    let store = rig.inhabited().await;
    let plan = backup::Plan {
        kind: BackupKind::Manual,
        target: &rig.target,
        replica: None,
        key: Some(&key),
        folder: rig.folder.path(),
        keep: None,
    };
    let taking = backup::create(&store, &plan, (&rig.clock, &rig.ids), &|_, _, _| ());
    let ours = Box::pin(taking).await.unwrap().id;
    rig.back_up(&store).await;
    let sealed = put(&store, "ratings", "ours", json!({"stars": 1})).await;
    let mut shipper = Shipper::new(store.clone(), rig.target.clone(), Some(key.clone()), rig.clock.clone());
    shipper.round().await.unwrap();
    // Whoever may write to the target puts a segment there, as the newer backup could be theirs.
    let theirs = folder_of(&rig.folder.path().join("theirs")).unwrap();
    put(&store, "ratings", "theirs", json!({"stars": 2})).await;
    Shipper::new(store.clone(), theirs.clone(), None, rig.clock.clone()).round().await.unwrap();
    copy(&theirs, &rig.target).await;
    store.close().await;
    rig.lose();
    let site = Site { key: Some(&key), ..rig.site() };
    let restored = async |wish: &Wish| {
        let missing = Live::Missing(rig.data());
        Box::pin(restore::restore(&site, wish, missing, false, &|_, _, _| ())).await
    };
    let refused = restored(&Wish::default()).await.unwrap_err();
    assert!(refused.code() == "journal_damaged" && refused.message().contains("not encrypted"), "{refused}");
    assert_eq!(restored(&at(sealed)).await.unwrap().plan.backup, Some(ours));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_another_program_is_refused() {
    let rig = Rig::new();
    let dump = rig.folder.path().join("dump");
    std::fs::create_dir(&dump).unwrap();
    let theirs = json!({"_id": "r", "score": 5}).as_object().cloned().unwrap();
    std::fs::write(dump.join("ratings.bson"), bson::encode(&theirs).unwrap()).unwrap();
    let wish = Wish { from: Some(dump.display().to_string()), ..Wish::default() };
    let refused = rig.restore(&wish, Live::Missing(rig.data())).await.unwrap_err();
    assert!(refused.code() == "dump_foreign" && refused.message().contains("r of ratings"), "{refused}");
    assert!(!rig.data().join("engify.db").exists());
}

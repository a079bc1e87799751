//! Restores where there are two targets.

use engify_ops::backup::dump::folder_of;
use engify_ops::restore::{self, Live, Site, Wish};
use engify_ops::ship::Shipper;
use serde_json::json;

use crate::rig::{Rig, at_time, contents, copy, put};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_targets_the_one_that_leads_further_is_taken() {
    let rig = Rig::new();
    let replica = folder_of(&rig.folder.path().join("replica")).unwrap();
    let store = rig.inhabited().await;
    rig.back_up(&store).await;
    copy(&rig.target, &replica).await;
    let mut second = Shipper::new(store.clone(), replica.clone(), None, rig.clock.clone());
    put(&store, "ratings", "early", json!({"stars": 1})).await;
    rig.shipper(&store).round().await.unwrap();
    second.round().await.unwrap();
    // From now on the first target takes nothing, and can still be read.
    put(&store, "ratings", "late", json!({"stars": 2})).await;
    second.round().await.unwrap();
    let before = contents(&store).await;
    store.close().await;
    for wish in [Wish::default(), at_time(rig.clock.now())] {
        rig.lose();
        let site = Site { replica: Some(&replica), ..rig.site() };
        let missing = Live::Missing(rig.data());
        let restored = Box::pin(restore::restore(&site, &wish, missing, false, &|_, _, _| ())).await.unwrap();
        assert_eq!(restored.plan.from, replica.place().to_string());
        let store = rig.open().await;
        assert_eq!(contents(&store).await, before);
        store.close().await;
    }
    // Behind a gap at the first one lies more than the second has: that is told.
    rig.lose();
    let (first, second) = (&rig.target, replica.list("journal", None, 10).await.unwrap());
    let last = first.list("journal", None, 10).await.unwrap().remove(0);
    for (number, object) in second.iter().enumerate() {
        if number > 0 {
            first.put(&object.key, replica.get(&object.key, 1 << 20).await.unwrap()).await.unwrap();
            replica.delete(&object.key).await.unwrap();
        }
    }
    first.delete(&last.key).await.unwrap();
    let site = Site { replica: Some(&replica), ..rig.site() };
    let (wish, missing) = (Wish::default(), Live::Missing(rig.data()));
    let refused = restore::plan(&site, &wish, &missing).await.unwrap_err();
    assert_eq!(refused.code(), "moment_unreachable", "{refused}");
}

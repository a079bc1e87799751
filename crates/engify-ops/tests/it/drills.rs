//! Every drill reaches its goal on a small installation, and leaves nothing behind but its record.

use engify_core::backup::{DrillKind, DrillOutcome};
use engify_core::settings::RecoveryGoals;
use engify_ops::drill;

use crate::rig::{Rig, contents, read};

async fn passes(kind: DrillKind) {
    let rig = Rig::new();
    let store = rig.inhabited().await;
    let before = contents(&store).await;
    let goals = RecoveryGoals { rto_seconds: 120, rpo_seconds: 2, proof_days: 35 };
    let drilled =
        Box::pin(drill::drill(kind, &store, &rig.data(), goals, (&rig.clock, &rig.ids))).await.unwrap();
    assert_eq!(drilled.outcome, DrillOutcome::Passed, "{drilled:#?}");
    assert_eq!(read(&store, "drills").await.len(), 1, "the record is kept");
    let mut after = contents(&store).await;
    after.0.remove("drills");
    assert_eq!(after, before, "the installation itself is as it was");
    let left = std::fs::read_dir(rig.data())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("scratch-"));
    assert_eq!(left.count(), 0, "no copy is left");
    store.close().await;
}

macro_rules! drills {
    ($($name:ident: $kind:ident),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            passes(DrillKind::$kind).await;
        })+
    };
}

drills! {
    a_lost_machine_comes_back: Restore,
    a_moment_comes_back: PointInTime,
    a_full_disk_loses_nothing: DiskFull,
    a_damaged_file_is_replaced: Corruption,
    the_second_target_does: LostTarget,
    a_killed_restore_leaves_no_mixture: KillDuringRestore,
    an_update_is_taken_back: Rollback,
}

//! Backups over weeks, in a folder, by a clock that a test moves.

use std::time::Duration;

use engify_core::settings::KeepDays;
use engify_core::tenancy::Scope;
use engify_store::{Options, Target, queries};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

struct World {
    folder: tempfile::TempDir,
    store: Store,
    target: Objects,
    clock: Clock,
    ids: Ids,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Files get the system's time, so the clock starts there.
        let clock = Clock::fixed(Clock::system().now());
        let target = Target::Embedded { dir: folder.path().join("data") };
        let store = Store::open(target, Options::new(clock.clone())).await.unwrap();
        let target = dump::folder_of(&folder.path().join("target")).unwrap();
        let ids = Ids::system(clock.clone());
        Self { folder, store, target, clock, ids }
    }

    async fn backup(&self, kind: BackupKind) -> Result<Created> {
        let keep = KeepDays::default();
        let folder = self.folder.path().join("data");
        let plan =
            Plan { kind, target: &self.target, replica: None, key: None, folder: &folder, keep: Some(&keep) };
        create(&self.store, &plan, (&self.clock, &self.ids), &|_, _, _| ()).await
    }

    async fn record(&self, id: &BackupId) -> Backup {
        let everything = Scope::Everything("a test looks at all of it");
        self.store.get(&everything, id.as_str()).await.unwrap().unwrap()
    }

    async fn listed(&self) -> Vec<BackupId> {
        list(&self.target).await.unwrap().backups.into_iter().map(|one| one.id).collect()
    }
}

#[tokio::test]
async fn what_is_over_goes_when_a_newer_one_was_proven() {
    let world = World::new().await;
    let daily = world.backup(BackupKind::Daily).await.unwrap();
    assert_eq!(world.record(&daily.id).await.state, BackupState::Verified);
    world.clock.advance(DAY * 20);
    let weekly = world.backup(BackupKind::Weekly).await.unwrap();
    world.clock.advance(DAY * 20);
    let snapshot = world.backup(BackupKind::Snapshot).await.unwrap();
    assert_eq!(snapshot.pruned, std::slice::from_ref(&daily.id));
    assert_eq!(world.listed().await, [snapshot.id.clone(), weekly.id.clone()]);
    assert_eq!(world.record(&daily.id).await.state, BackupState::Pruned);
    world.clock.advance(DAY * 400);
    let last = world.backup(BackupKind::Manual).await.unwrap();
    assert_eq!(world.listed().await, [last.id]);
}

#[tokio::test]
async fn a_record_that_came_back_with_a_restore_costs_no_backup() {
    let world = World::new().await;
    let whole = world.backup(BackupKind::Manual).await.unwrap();
    let mut record = world.record(&whole.id).await;
    record.state = BackupState::Running;
    remember(&world.store, &record).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    let next = world.backup(BackupKind::Manual).await.unwrap();
    assert_eq!(world.record(&whole.id).await.state, BackupState::Taken);
    assert_eq!(world.listed().await, [next.id, whole.id]);
}

#[tokio::test]
async fn halves_are_swept_at_once_where_they_are_known_and_in_time_where_not() {
    let world = World::new().await;
    let known = BackupId::make(&world.ids);
    let unknown = BackupId::make(&world.ids);
    for id in [&known, &unknown] {
        world.target.put(&id.object("engify/users.bson.zst"), "half".into()).await.unwrap();
    }
    let whole = world.backup(BackupKind::Manual).await.unwrap();
    let mut record = world.record(&whole.id).await;
    (record.id, record.state) = (known.clone(), BackupState::Running);
    remember(&world.store, &record).await.unwrap();
    world.backup(BackupKind::Manual).await.unwrap();
    let there = async |id: &BackupId| list::survey(&world.target).await.unwrap().contains_key(id);
    assert!(!there(&known).await && there(&unknown).await);
    assert_eq!(world.record(&known).await.state, BackupState::Failed);
    world.clock.advance(DAY * 2);
    world.backup(BackupKind::Manual).await.unwrap();
    assert!(!there(&unknown).await);
    let running = world.store.find(&queries::backups(Some(BackupState::Running))).await.unwrap();
    assert!(running.items.is_empty());
}

#[tokio::test]
async fn a_backup_holds_its_moment_and_not_its_own_record() {
    let world = World::new().await;
    let first = world.backup(BackupKind::Manual).await.unwrap();
    assert_eq!(first.documents, 0);
    let position = world.store.journal_position().await.unwrap();
    let second = world.backup(BackupKind::Manual).await.unwrap();
    assert_eq!((second.position, second.documents), (position, 1));
    let archive = Archive::open(&world.target, &second.id, None).await.unwrap();
    let scratch = scratch::Scratch::new(world.folder.path(), &world.clock).await.unwrap();
    archive.load_into(scratch.store(), &|_, _, _| ()).await.unwrap();
    assert_eq!(scratch.store().journal_position().await.unwrap(), position, "the journal goes on from there");
    scratch.remove().await;
}

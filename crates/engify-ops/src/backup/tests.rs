//! Backups over weeks, in a folder, by a clock that a test moves.

use std::time::Duration;

use engify_core::settings::KeepDays;
use engify_core::tenancy::Scope;
use engify_store::{Options, Target, queries};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

struct World {
    folder: tempfile::TempDir,
    data: std::path::PathBuf,
    store: Store,
    target: Objects,
    replica: Objects,
    keep: KeepDays,
    clock: Clock,
    ids: Ids,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Files get the system's time, so the clock starts there.
        let clock = Clock::fixed(Clock::system().now());
        let data = folder.path().join("data");
        let store =
            Store::open(Target::Embedded { dir: data.clone() }, Options::new(clock.clone())).await.unwrap();
        let [target, replica] =
            ["target", "replica"].map(|name| dump::folder_of(&folder.path().join(name)).unwrap());
        let ids = Ids::system(clock.clone());
        Self { folder, data, store, target, replica, keep: KeepDays::default(), clock, ids }
    }

    fn plan(&self, kind: BackupKind) -> Plan<'_> {
        let (folder, keep) = (self.data.as_path(), Some(&self.keep));
        Plan { kind, target: &self.target, replica: None, key: None, folder, keep }
    }

    async fn backup(&self, kind: BackupKind) -> Result<Created> {
        create(&self.store, &self.plan(kind), (&self.clock, &self.ids), &|_, _, _| ()).await
    }

    /// A backup with something in it, and the name of a part of it.
    async fn filled(&self) -> (BackupId, String) {
        self.backup(BackupKind::Daily).await.unwrap();
        self.clock.advance(Duration::from_secs(1));
        let id = self.backup(BackupKind::Daily).await.unwrap().id;
        let part = id.object("engify/backups.bson.zst");
        (id, part)
    }

    /// One bit of an object becomes another one; answers how it was.
    async fn damage(&self, key: &str) -> bytes::Bytes {
        let whole = self.target.get(key, 1 << 20).await.unwrap();
        let mut flipped = whole.to_vec();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        self.target.put(key, flipped.into()).await.unwrap();
        whole
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

#[tokio::test]
async fn a_folder_that_somebody_named_keeps_what_else_lies_there() {
    let world = World::new().await;
    let theirs = world.folder.path().join("target/letters");
    std::fs::create_dir_all(theirs.join("empty")).unwrap();
    std::fs::write(theirs.join("notes#1"), "of theirs").unwrap();
    world.clock.advance(DAY * 2);
    world.backup(BackupKind::Manual).await.unwrap();
    assert!(theirs.join("empty").exists() && theirs.join("notes#1").exists());
}

#[tokio::test]
async fn one_that_turns_out_damaged_is_proven_no_longer_and_costs_no_older_one() {
    let world = World::new().await;
    let (id, part) = world.filled().await;
    let whole = world.damage(&part).await;
    let deep = Some((world.data.as_path(), &world.clock));
    let verified = verify((&world.target, &id), None, None, &|_, _, _| ()).await.unwrap();
    assert!(!verified.ok && verified.failure.unwrap().contains("was changed"));
    world.clock.advance(DAY * 40);
    let plan = world.plan(BackupKind::Daily);
    let pruned = prune(&world.store, &plan, world.clock.now()).await.unwrap();
    assert!(pruned.ids.is_empty(), "the older one is the last good one");
    assert_ne!(newest(&world.target).await.unwrap().id, id);
    // Where it was the way to it that was damaged, it is proven anew.
    world.target.put(&part, whole).await.unwrap();
    assert!(verify((&world.target, &id), None, deep, &|_, _, _| ()).await.unwrap().ok);
    assert_eq!(newest(&world.target).await.unwrap().id, id);
}

#[tokio::test]
async fn what_was_damaged_since_its_proof_is_not_copied() {
    let world = World::new().await;
    let (id, part) = world.filled().await;
    let whole = world.damage(&part).await;
    let archive = Archive::open(&world.target, &id, None).await.unwrap();
    let refused = copy::copy(&archive, &world.replica).await.unwrap_err();
    assert_eq!(refused.code(), "backup_damaged");
    assert!(list::survey(&world.replica).await.unwrap().is_empty(), "nothing is left there");
    world.target.put(&part, whole).await.unwrap();
    copy::copy(&archive, &world.replica).await.unwrap();
    assert!(newest(&world.replica).await.unwrap().is_verified());
}

#[tokio::test]
async fn halves_are_swept_at_the_second_target_too() {
    let world = World::new().await;
    let half = BackupId::make(&world.ids);
    world.replica.put(&half.object("engify/users.bson.zst"), "half".into()).await.unwrap();
    world.clock.advance(DAY * 2);
    let plan = Plan { replica: Some(&world.replica), ..world.plan(BackupKind::Manual) };
    let created = create(&world.store, &plan, (&world.clock, &world.ids), &|_, _, _| ()).await.unwrap();
    let there: Vec<BackupId> = list::survey(&world.replica).await.unwrap().into_keys().collect();
    assert_eq!(there, [created.id]);
}

#[tokio::test]
async fn a_collection_of_a_newer_version_is_told_as_such_and_not_as_damage() {
    let world = World::new().await;
    let (id, _) = world.filled().await;
    let mut manifest = Archive::open(&world.target, &id, None).await.unwrap().manifest().clone();
    manifest.parts[0].collection = "holograms".to_owned();
    let key = id.object(MANIFEST);
    world.target.put(&key, manifest.write(None).unwrap().into()).await.unwrap();
    let archive = Archive::open(&world.target, &id, None).await.unwrap();
    let refused = archive.prove(&world.data, &world.clock, &|_, _, _| ()).await.unwrap_err();
    assert_eq!(refused.code(), "backup_newer");
    assert!(refused.message().contains("holograms"), "{refused}");
}

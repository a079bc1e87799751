//! An installation for a test: a data folder, a store in it, a backup target beside it.

use std::path::PathBuf;

use engify_clients::objects::Objects;
use engify_core::account::User;
use engify_core::backup::BackupKind;
use engify_core::ids::{BackupId, UserId};
use engify_core::permission::Role;
use engify_core::words::Email;
use engify_core::{Clock, Error, Ids, Time};
use engify_ops::backup::{self, dump::folder_of};
use engify_ops::contents::{self, Contents};
use engify_ops::restore::{self, Live, Moment, Restored, Site, VOLATILE, Wish};
use engify_ops::ship::Shipper;
use engify_store::{Batch, Collection, Doc, Options, Store, Target, collections};
use serde_json::Value;
use tempfile::TempDir;

/// An installation.
pub(crate) struct Rig {
    pub(crate) folder: TempDir,
    pub(crate) target: Objects,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Clock::system())
    }

    pub(crate) fn with(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = folder_of(&folder.path().join("target")).unwrap();
        Self { folder, target, ids: Ids::system(clock.clone()), clock }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn database(&self) -> Target {
        Target::Embedded { dir: self.data() }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(self.database(), Options::new(self.clock.clone())).await.unwrap()
    }

    /// A store with one account, so that it counts as somebody's.
    pub(crate) async fn inhabited(&self) -> Store {
        let store = self.open().await;
        let now = self.clock.now();
        let user = User {
            id: UserId::make(&self.ids),
            email: Email::parse("ana@example.com").unwrap(),
            name: "Ana Ángel".to_owned(),
            role: Role::User,
            organization_id: None,
            password_hash: None,
            factors: Vec::new(),
            email_verified_at: Some(now),
            disabled_at: None,
            last_sign_in_at: None,
            created_at: now,
            updated_at: now,
        };
        store.write(Batch::new().insert(&user).unwrap()).await.unwrap();
        store
    }

    pub(crate) fn shipper(&self, store: &Store) -> Shipper {
        Shipper::new(store.clone(), self.target.clone(), None, self.clock.clone())
    }

    pub(crate) fn site(&self) -> Site<'_> {
        Site {
            target: &self.target,
            replica: None,
            key: None,
            folder: self.folder.path(),
            clock: &self.clock,
            ids: &self.ids,
        }
    }

    pub(crate) async fn back_up(&self, store: &Store) -> BackupId {
        self.try_back_up(store).await.unwrap()
    }

    pub(crate) async fn try_back_up(&self, store: &Store) -> Result<BackupId, Error> {
        let plan = backup::Plan {
            kind: BackupKind::Manual,
            target: &self.target,
            replica: None,
            key: None,
            folder: self.folder.path(),
            keep: None,
        };
        let created = backup::create(store, &plan, (&self.clock, &self.ids), &|_, _, _| ());
        Ok(Box::pin(created).await?.id)
    }

    pub(crate) async fn restore(&self, wish: &Wish, live: Live) -> Result<Restored, Error> {
        Box::pin(restore::restore(&self.site(), wish, live, false, &|_, _, _| ())).await
    }

    /// Restores where the database is gone, and opens what is there then.
    pub(crate) async fn recover(&self, wish: &Wish) -> Store {
        let live = Live::at(self.database(), &self.clock).await.unwrap();
        assert!(!matches!(live, Live::Open(_)), "there should be nothing usable");
        self.restore(wish, live).await.unwrap();
        self.open().await
    }

    pub(crate) fn lose(&self) {
        std::fs::remove_dir_all(self.data()).unwrap();
    }
}

pub(crate) fn at(position: u64) -> Wish {
    Wish { moment: Moment::Position(position), ..Wish::default() }
}

pub(crate) fn at_time(time: Time) -> Wish {
    Wish { moment: Moment::Time(time), ..Wish::default() }
}

fn collection(name: &str) -> &'static Collection {
    collections::named(name).unwrap()
}

/// Writes a document as it is.
pub(crate) async fn put(store: &Store, name: &str, id: &str, value: Value) -> u64 {
    let Value::Object(mut doc) = value else { panic!("an object") };
    doc.insert("_id".to_owned(), id.into());
    store.write(Batch::new().document(collection(name), id.to_owned(), Some(doc))).await.unwrap()
}

pub(crate) async fn remove(store: &Store, name: &str, id: &str) -> u64 {
    store.write(Batch::new().document(collection(name), id.to_owned(), None)).await.unwrap()
}

pub(crate) async fn read(store: &Store, name: &str) -> Vec<Doc> {
    let mut snapshot = store.snapshot().await.unwrap();
    let (mut all, mut pages) = (Vec::new(), snapshot.pages(collection(name)));
    while let Some(page) = pages.next().await.unwrap() {
        all.extend(page);
    }
    all
}

/// What it holds, without what never comes back from a backup.
pub(crate) async fn contents(store: &Store) -> Contents {
    let mut contents = contents::of(&mut store.snapshot().await.unwrap(), &|_| ()).await.unwrap();
    contents.0.retain(|name, _| !VOLATILE.contains(&name.as_str()));
    contents
}

/// Of these collections only.
pub(crate) async fn some(store: &Store, names: &[&str]) -> Contents {
    let mut contents = contents(store).await;
    contents.0.retain(|name, _| names.contains(&name.as_str()));
    contents
}

/// All objects of a target to another one.
pub(crate) async fn copy(from: &Objects, to: &Objects) {
    let mut after: Option<String> = None;
    loop {
        let page = from.list("", after.as_deref(), 500).await.unwrap();
        let Some(last) = page.last() else { return };
        after = Some(last.key.clone());
        for object in page {
            let bytes = from.get(&object.key, 1 << 30).await.unwrap();
            to.put(&object.key, bytes).await.unwrap();
        }
    }
}

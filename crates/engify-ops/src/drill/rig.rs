//! The stage of a drill: a copy of the database, two targets, writers whose acknowledged writes are remembered.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engify_clients::objects::Objects;
use engify_core::account::Milestone;
use engify_core::backup::{BackupKind, DrillStep};
use engify_core::ids::BackupId;
use engify_core::{Clock, Error, Ids, Result, Time};
use engify_store::{Batch, Entity, Options, Store, Target};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::backup::{self, dump::folder_of};
use crate::restore::{self, Live, Restored, Site, Wish};
use crate::ship;

/// For how long is written before the disaster, so that shipping has its pace.
const BUSY: Duration = Duration::from_millis(2_500);

/// The wait between two writes.
const BEAT: Duration = Duration::from_millis(20);

/// A stage.
pub(super) struct Rig {
    folder: TempDir,
    pub(super) target: Objects,
    pub(super) replica: Objects,
    pub(super) clock: Clock,
    pub(super) ids: Ids,
    /// The copy; none while it is gone.
    store: Option<Store>,
    written: Vec<(String, Time)>,
    disaster_at: Option<Time>,
    go: Option<Instant>,
    rto: Option<f64>,
    missing_since: Option<f64>,
    steps: Vec<DrillStep>,
}

impl Rig {
    /// Copies the live database.
    pub(super) async fn build(live: &Store, parent: &Path, (clock, ids): (&Clock, &Ids)) -> Result<Self> {
        let begun = Instant::now();
        let folder = crate::scratch::folder_in(parent).await?;
        let mut rig = Self {
            target: folder_of(&folder.path().join("target"))?,
            replica: folder_of(&folder.path().join("replica"))?,
            folder,
            clock: clock.clone(),
            ids: ids.clone(),
            store: None,
            written: Vec::new(),
            disaster_at: None,
            go: None,
            rto: None,
            missing_since: None,
            steps: Vec::new(),
        };
        let store = rig.open().await?;
        let (mut snapshot, scratch) =
            Box::pin(crate::scratch::settled(live, rig.folder.path(), clock)).await?;
        crate::scratch::copy(&mut snapshot, &store, &|_| ()).await?;
        store.continue_journal(snapshot.position()).await?;
        drop(snapshot);
        if let Some(scratch) = scratch {
            scratch.remove().await;
        }
        let documents: u64 = store.stats().await?.iter().map(|one| one.documents).sum();
        rig.store = Some(store);
        rig.note("copy", begun.elapsed().as_secs_f64(), &format!("{documents} documents"));
        Ok(rig)
    }

    /// The data folder of the copy.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) async fn open(&self) -> Result<Store> {
        Store::open(Target::Embedded { dir: self.data() }, Options::new(self.clock.clone())).await
    }

    pub(super) fn store(&self) -> Result<&Store> {
        self.store.as_ref().ok_or_else(|| Error::internal("the copy is gone at this point of the drill"))
    }

    pub(super) fn note(&mut self, name: &str, seconds: f64, found: &str) {
        self.steps.push(DrillStep { name: name.to_owned(), seconds, found: found.to_owned() });
    }

    /// Takes a proven backup at both targets.
    pub(super) async fn back_up(&mut self) -> Result<BackupId> {
        let begun = Instant::now();
        let plan = backup::Plan {
            kind: BackupKind::Manual,
            target: &self.target,
            replica: Some(&self.replica),
            key: None,
            folder: self.folder.path(),
            keep: None,
        };
        let created =
            Box::pin(backup::create(self.store()?, &plan, (&self.clock, &self.ids), &|_, _, _| ())).await?;
        self.note(
            "backup",
            begun.elapsed().as_secs_f64(),
            &format!("{} bytes, proven, at two targets", created.bytes),
        );
        Ok(created.id)
    }

    /// Writes for a while as the journal is shipped, and stops both at once.
    pub(super) async fn be_busy(&mut self) -> Result<()> {
        let begun = Instant::now();
        let store = self.store()?.clone();
        let stop = CancellationToken::new();
        let ships: Vec<_> = [&self.target, &self.replica]
            .into_iter()
            .map(|objects| {
                let options = ship::Options {
                    key: None,
                    clock: self.clock.clone(),
                    ids: self.ids.clone(),
                    keep_days: 7,
                    targets: [&self.target, &self.replica].map(|objects| objects.place().to_string()).into(),
                    quiet: None,
                };
                tokio::spawn(ship::run(store.clone(), objects.clone(), options, stop.clone()))
            })
            .collect();
        let before = self.written.len();
        let mut wrote = Ok(());
        while begun.elapsed() < BUSY && wrote.is_ok() {
            wrote = self.write().await;
            tokio::time::sleep(BEAT).await;
        }
        // As a lost machine would: nothing more leaves it.
        ships.iter().for_each(tokio::task::JoinHandle::abort);
        for ship in ships {
            let _ = ship.await;
        }
        wrote?;
        let count = self.written.len() - before;
        self.note("writes", begun.elapsed().as_secs_f64(), &format!("{count} acknowledged"));
        Ok(())
    }

    /// One acknowledged write.
    pub(super) async fn write(&mut self) -> Result<()> {
        let id = format!("drill-{}", BackupId::make(&self.ids));
        let milestone = Milestone { id: id.clone(), created_at: self.clock.now() };
        self.store()?.write(Batch::new().insert(&milestone)?).await?;
        self.written.push((id, milestone.created_at));
        Ok(())
    }

    /// The copy is closed, as a process that dies closes it, and something happens to its file.
    pub(super) async fn strike(
        &mut self,
        what: &str,
        strike: impl FnOnce(&Path) -> std::io::Result<()> + Send + 'static,
    ) -> Result<()> {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
        let data = self.data();
        let struck = tokio::task::spawn_blocking(move || strike(&data)).await.map_err(Error::internal)?;
        struck.map_err(Error::internal)?;
        self.begin(what);
        Ok(())
    }

    /// "Go".
    pub(super) fn begin(&mut self, what: &str) {
        self.disaster_at = Some(self.clock.now());
        self.go = Some(Instant::now());
        self.note("disaster", 0.0, what);
    }

    /// A restore as the command line does it.
    pub(super) async fn restore(&mut self, wish: &Wish, target: &Objects) -> Result<Restored> {
        let begun = Instant::now();
        let live = match &self.store {
            Some(store) => Live::Open(store.clone()),
            None => Live::at(Target::Embedded { dir: self.data() }, &self.clock).await?,
        };
        let restored =
            Box::pin(restore::restore(&self.site(target), wish, live, false, &|_, _, _| ())).await?;
        let found = format!(
            "{} documents, journal {} up to position {}",
            restored.plan.documents,
            restored.plan.journal,
            restored.plan.position.unwrap_or(0)
        );
        self.note("restore", begun.elapsed().as_secs_f64(), &found);
        if self.store.is_none() {
            self.store = Some(self.open().await?);
        }
        Ok(restored)
    }

    pub(super) fn site<'a>(&'a self, target: &'a Objects) -> Site<'a> {
        let replica = (target.place() != self.replica.place()).then_some(&self.replica);
        Site { target, replica, key: None, folder: self.folder.path(), clock: &self.clock, ids: &self.ids }
    }

    /// Reads everything, writes once: the clock stops. Says what is missing of the first `expected` writes.
    pub(super) async fn serve_again(&mut self, expected: usize) -> Result<()> {
        let begun = Instant::now();
        self.store()?.check().await?;
        let there = self.milestones().await?;
        let missing: Vec<Time> = self.written[..expected]
            .iter()
            .filter(|(id, _)| !there.contains(id))
            .map(|(_, at)| *at)
            .collect();
        let disaster = self.disaster_at.unwrap_or_else(|| self.clock.now());
        self.missing_since =
            Some(missing.first().map_or(0.0, |oldest| disaster.since(*oldest).as_secs_f64()));
        let found = format!("{} of {expected} writes are there, and one more", expected - missing.len());
        self.write().await?;
        self.rto = self.go.map(|go| go.elapsed().as_secs_f64());
        self.note("serving", begun.elapsed().as_secs_f64(), &found);
        Ok(())
    }

    /// What is there of the collection that drills write to, by id.
    pub(super) async fn milestones(&self) -> Result<BTreeSet<String>> {
        let mut snapshot = self.store()?.snapshot().await?;
        let (mut ids, mut pages) = (BTreeSet::new(), snapshot.pages(&Milestone::COLLECTION));
        while let Some(page) = pages.next().await? {
            ids.extend(page.iter().filter_map(crate::contents::id));
        }
        Ok(ids)
    }

    pub(super) fn count(&self) -> usize {
        self.written.len()
    }

    pub(super) fn rto(&self) -> Option<f64> {
        self.rto
    }

    pub(super) fn rpo(&self) -> Option<f64> {
        self.missing_since
    }

    /// Clears the stage.
    pub(super) async fn end(mut self) -> Vec<DrillStep> {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
        let steps = std::mem::take(&mut self.steps);
        // What stays behind is swept with old scratch databases.
        let _ = tokio::task::spawn_blocking(move || self.folder.close()).await;
        steps
    }
}

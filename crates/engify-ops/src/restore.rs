//! Restores: a backup, or any moment between backups, becomes the database. What is promised: `docs/restore.md`.
//!
//! Everything is built in a side database first and looked at there: sums, indexes, the file itself, a sign-in's look-up
//! and a search. Only then the live database becomes equal to it, in one journaled transaction (see
//! [`engify_store::Store::replace_with`]), so a restore can be killed at any moment and can itself be undone by time. Where
//! there is no database, the side database's file is renamed into its place.

use std::path::Path;
use std::time::Instant;

use engify_clients::objects::Objects;
use engify_core::backup::BackupKind;
use engify_core::ids::BackupId;
use engify_core::{Clock, Error, Ids, Result, Time};
use engify_store::{Collection, Replaced, Store, collections};
use serde::Serialize;

use crate::backup::{self, Progress, Stage};
use crate::diff::{self, CollectionDiff};
use crate::documents;
use crate::lock::Lock;
use crate::seal::Key;

mod dump;
mod equal;
mod find;
mod keep;
mod pick;
mod place;
mod side;
mod wish;

pub use keep::{KEPT, Kept, VOLATILE};
pub use place::Live;
pub use wish::{Moment, Wish};

use find::Found;
use side::Side;

// For the estimate: half of what two cores did with ten million small documents and with ten thousand long ones
// (docs/performance.md), so that a slower disk has its time.
/// Documents that are loaded in a second, their content aside.
const LOADED_A_SECOND: u64 = 75_000;
/// Bytes of a backup that are unpacked, loaded and compared in a second.
const BYTES_A_SECOND: u64 = 8_000_000;
/// Changes that are done again in a second, and documents of the live database that are kept.
const CHANGED_A_SECOND: u64 = 10_000;

/// Where backups are, and what a restore needs beside them.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The first target.
    pub target: &'a Objects,
    /// The second one.
    pub replica: Option<&'a Objects>,
    /// The key of both.
    pub key: Option<&'a Key>,
    /// The data folder: for the lock and for side databases.
    pub folder: &'a Path,
    /// The time.
    pub clock: &'a Clock,
    /// Names of backups.
    pub ids: &'a Ids,
}

impl<'a> Site<'a> {
    /// What the settings say.
    pub fn of(setup: &'a backup::Setup, clock: &'a Clock, ids: &'a Ids) -> Self {
        let (target, replica) = (&setup.target, setup.replica.as_ref());
        Self { target, replica, key: setup.key.as_ref(), folder: &setup.folder, clock, ids }
    }
}

/// What a restore would do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The backup that it begins with; none for a dump of `mongodump`.
    pub backup: Option<BackupId>,
    /// Where that is.
    pub from: String,
    /// The moment that it holds.
    pub taken_at: Option<Time>,
    /// Whether it was restored and compared before.
    pub verified: bool,
    /// Documents in it.
    pub documents: u64,
    /// Bytes of it.
    pub bytes: u64,
    /// Where the changes behind it come from: `none`, `shipped` segments, the `database`'s own journal.
    pub journal: &'static str,
    /// How many segments are read.
    pub segments: usize,
    /// The journal's position that is restored.
    pub position: Option<u64>,
    /// `sqlite`, `mongodb`, or `new` where there is no database yet.
    pub into: &'static str,
    /// Documents that are there now.
    pub there: u64,
    /// The collections that become as they were.
    pub collections: Vec<&'static str>,
    /// Of these, only documents whose fields are so.
    pub filter: Vec<String>,
    /// About how long it takes.
    pub estimated_seconds: u64,
}

/// What a restore did, or with `dry_run` would have done.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// What it set out to do.
    pub plan: Plan,
    /// Whether nothing was touched.
    pub dry_run: bool,
    /// The backup of how it was before.
    pub safety: Option<BackupId>,
    /// What was written.
    pub written: Replaced,
    /// What differs between now and then; in a dry run only.
    pub differences: Vec<CollectionDiff>,
    /// What did not go back in time.
    pub kept: Kept,
    /// SHA-256 of the side database's content.
    pub sha256: String,
    /// Whether the side database passed all checks, and the live one is equal to it. Always so: what is not is an error.
    pub verified: bool,
    /// Where the damaged file was put.
    pub moved_aside: Option<String>,
    /// How long it took, milliseconds.
    pub duration_millis: u64,
}

/// Finds out what a restore would do. Nothing is touched.
///
/// # Errors
/// `backup_not_found`, `moment_unreachable` with the last one that can be reached, `invalid_request`; how the database or a
/// target fails.
pub async fn plan(site: &Site<'_>, wish: &Wish, live: &Live) -> Result<Plan> {
    let wanted = wanted(wish, live).await?;
    let found = Box::pin(find::find(site, wish, live)).await?;
    describe(&found, wish, live, &wanted).await
}

/// Restores; with `dry_run` everything up to the switch, and then tells what differs.
///
/// # Errors
/// `restore_running`; `server_running` where the file is to be put into its place and a server uses the folder; as [`plan`];
/// `backup_damaged`, `journal_damaged`, `journal_shortened`, `wrong_key` before anything is touched; `restore_unverified` where
/// the side database is not as it should be, or the live one is not equal to it; `dump_foreign` for a dump of another program.
pub async fn restore(
    site: &Site<'_>,
    wish: &Wish,
    live: Live,
    dry_run: bool,
    progress: Progress<'_>,
) -> Result<Restored> {
    let begun = Instant::now();
    let _lock = Lock::restore(site.folder).await?;
    // What runs there sees a switch, and does not see that a file was put into the place of another one.
    let _alone = match &live {
        Live::Missing(folder) | Live::Damaged(folder) if !dry_run => Some(Lock::alone(folder).await?),
        _ => None,
    };
    let wanted = wanted(wish, &live).await?;
    let found = Box::pin(find::find(site, wish, &live)).await?;
    let plan = describe(&found, wish, &live, &wanted).await?;
    let safety = if dry_run { None } else { Box::pin(safety(site, &live, progress)).await? };
    let side = Box::pin(Side::build(site, &found, &live, progress)).await?;
    let kept = match &live {
        Live::Open(store) => keep::keep(store, side.store(), wish, &wanted).await?,
        Live::Missing(_) | Live::Damaged(_) => keep::forget_visitors(side.store()).await?,
    };
    let sha256 = side.verify(&found, &kept).await?;
    let mut restored = Restored {
        plan,
        dry_run,
        safety,
        written: Replaced::default(),
        differences: Vec::new(),
        kept,
        sha256,
        verified: true,
        moved_aside: None,
        duration_millis: 0,
    };
    progress(Stage::Switching, 0, 1);
    match (live, dry_run) {
        (Live::Open(store), true) => {
            restored.differences = diff::differences(&store, side.store(), &wanted).await?;
            side.remove().await;
        }
        (Live::Missing(_) | Live::Damaged(_), true) => side.remove().await,
        (Live::Open(store), false) => {
            find::continue_timeline(site, &found, &store).await?;
            restored.written = Box::pin(switch(&store, side.store(), wish, &wanted)).await?;
            if wish.filter.is_empty() {
                equal::check(&store, side.store(), &wanted, restored.written.position).await?;
            }
            side.remove().await;
        }
        (Live::Missing(folder), false) => {
            find::continue_timeline(site, &found, side.store()).await?;
            side.become_the_database(&folder, None).await?;
        }
        (Live::Damaged(folder), false) => {
            find::continue_timeline(site, &found, side.store()).await?;
            restored.moved_aside = side.become_the_database(&folder, Some(site.clock.now())).await?;
        }
    }
    progress(Stage::Switching, 1, 1);
    restored.duration_millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(restored)
}

/// What differs between two moments, or between one and now. Nothing is touched.
///
/// # Errors
/// As [`plan`].
pub async fn moments(
    site: &Site<'_>,
    live: &Live,
    (from, to): (Moment, Option<Moment>),
    names: &[String],
    progress: Progress<'_>,
) -> Result<Vec<CollectionDiff>> {
    let named: Vec<&'static Collection> =
        names.iter().map(|name| documents::named(name)).collect::<Result<_>>()?;
    let compared = if named.is_empty() { collections::ALL.iter().collect() } else { named };
    let before = Box::pin(at(site, live, from, progress)).await?;
    let found = match (to, live) {
        (Some(moment), _) => {
            let after = Box::pin(at(site, live, moment, progress)).await?;
            let found = diff::differences(before.store(), after.store(), &compared).await;
            after.remove().await;
            found
        }
        (None, Live::Open(now)) => diff::differences(before.store(), now, &compared).await,
        (None, Live::Missing(_) | Live::Damaged(_)) => {
            Err(Error::field("to", "is needed: there is no database that could be compared with"))
        }
    };
    before.remove().await;
    found
}

async fn at(site: &Site<'_>, live: &Live, moment: Moment, progress: Progress<'_>) -> Result<Side> {
    let wish = Wish { moment, ..Wish::default() };
    let found = find::find(site, &wish, live).await?;
    Side::build(site, &found, live, progress).await
}

/// The collections that are restored.
async fn wanted(wish: &Wish, live: &Live) -> Result<Vec<&'static Collection>> {
    if !wish.filter.is_empty() && wish.collections.len() != 1 {
        return Err(Error::field("filter", "needs exactly one --collection that it filters"));
    }
    if wish.collections.is_empty() {
        let fresh = match live {
            Live::Open(store) => place::is_fresh(store).await?,
            Live::Missing(_) | Live::Damaged(_) => true,
        };
        return Ok(collections::ALL.iter().filter(|collection| keep::goes_back(collection, fresh)).collect());
    }
    if !matches!(live, Live::Open(_)) {
        return Err(Error::field(
            "collection",
            "cannot be restored alone: there is no database to restore it into",
        ));
    }
    wish.collections.iter().map(|name| keep::alone(name)).collect()
}

async fn describe(found: &Found, wish: &Wish, live: &Live, wanted: &[&'static Collection]) -> Result<Plan> {
    let there = match live {
        Live::Open(store) => {
            let stats = store.stats().await?;
            let counts = |name| wanted.iter().any(|collection| collection.name == name);
            stats.iter().filter(|one| counts(one.collection)).map(|one| one.documents).sum()
        }
        Live::Missing(_) | Live::Damaged(_) => 0,
    };
    let loading = found.documents() / LOADED_A_SECOND + found.bytes() / BYTES_A_SECOND;
    let changing = (found.changes() + there / 10) / CHANGED_A_SECOND;
    Ok(Plan {
        backup: found.id(),
        from: found.from(),
        taken_at: found.taken_at(),
        verified: found.is_verified(),
        documents: found.documents(),
        bytes: found.bytes(),
        journal: found.journal(),
        segments: found.segments(),
        position: found.until(),
        into: live.kind(),
        there,
        collections: wanted.iter().map(|collection| collection.name).collect(),
        filter: wish.filter.iter().map(|(field, value)| format!("{field}={value}")).collect(),
        estimated_seconds: 2 + loading + changing,
    })
}

/// How it was before, as a backup of its own. Where there is nothing, there is nothing to keep.
async fn safety(site: &Site<'_>, live: &Live, progress: Progress<'_>) -> Result<Option<BackupId>> {
    let Live::Open(store) = live else { return Ok(None) };
    if place::is_fresh(store).await? {
        return Ok(None);
    }
    let plan = backup::Plan {
        kind: BackupKind::Manual,
        target: site.target,
        replica: site.replica,
        key: site.key,
        folder: site.folder,
        keep: None,
    };
    Ok(Some(backup::create(store, &plan, (site.clock, site.ids), progress).await?.id))
}

async fn switch(live: &Store, side: &Store, wish: &Wish, wanted: &[&'static Collection]) -> Result<Replaced> {
    match wanted {
        [collection] if !wish.filter.is_empty() => pick::pick(live, side, collection, &wish.filter).await,
        wanted => live.replace_with(side, wanted).await,
    }
}

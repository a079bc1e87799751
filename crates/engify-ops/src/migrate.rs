//! Moving to another database while the site runs: embedded to MongoDB, and back.
//!
//! Everything is copied from one moment of the source, page by page; then the journal behind that moment is followed until the
//! target is where the source is; then both are read and compared, by count and by hash. The place is kept in the target, a note
//! after each step, so that a run that was killed is gone on with by the next one. Nobody can use the target meanwhile: until it is
//! proven it says of itself that it is half a copy, and every start refuses it.
//!
//! What is not journaled is about the source itself (how far its journal was shipped) and stays there.

use std::path::Path;
use std::time::Instant;

use engify_core::{Clock, Error, Kind, Result, Time};
use engify_store::journal::Change;
use engify_store::{Snapshot, Store, Target, collections};
use serde::Serialize;

use crate::contents::{self, Contents};
use crate::scratch;

mod place;

use place::Place;

/// What would be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The source, without its password.
    pub from: String,
    /// The target, likewise.
    pub to: String,
    /// `begins`; `resumes` where an earlier run was interrupted; `follows` where one had copied everything.
    pub state: &'static str,
    /// How many documents the source has, roughly.
    pub documents: u64,
    /// Their bytes, roughly.
    pub bytes: u64,
    /// How many an earlier run copied.
    pub copied: u64,
    /// How far the source's journal is behind the copy: about so many changes are to be followed.
    pub behind: u64,
}

/// What was done.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Migrated {
    /// The source, without its password.
    pub from: String,
    /// The target, likewise.
    pub to: String,
    /// Whether an earlier run was gone on with.
    pub resumed: bool,
    /// Documents that were copied, by all runs.
    pub copied: u64,
    /// Changes that were followed, by this run.
    pub followed: u64,
    /// Whether count and hash of every collection are the same in both, at `position`.
    pub verified: bool,
    /// The position in the source's journal at which both were compared.
    pub position: u64,
    /// What every collection holds there.
    pub collections: Contents,
    /// The collections that differ, with the counts of both.
    pub differences: Vec<String>,
    /// Milliseconds.
    pub took_millis: u64,
}

/// The two databases of a migration.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'a> {
    /// Only read.
    pub source: &'a Store,
    /// Its name, by [`name`].
    pub from: &'a str,
    /// Becomes the same. Nobody else has it open.
    pub target: &'a Store,
    /// Its name.
    pub to: &'a str,
}

/// What a database is called in plans and reports: without user, password and options.
pub fn name(target: &Target) -> String {
    match target {
        Target::Embedded { dir } => {
            let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
            format!("file:{}", dir.display())
        }
        Target::Mongo { uri } => {
            let (scheme, rest) = uri.reveal().split_once("://").unwrap_or(("mongodb", uri.reveal()));
            let rest = rest.split('?').next().unwrap_or_default();
            let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
            format!("{scheme}://{place}")
        }
    }
}

/// What would be done. Nothing is written.
///
/// # Errors
/// `same_database`, `target_not_empty`, `target_in_use`, `journal_too_short`; `database_unavailable`.
pub async fn plan(ends: &Ends<'_>) -> Result<Plan> {
    let place = Place::find(ends).await?;
    let (mut documents, mut bytes) = (0, 0);
    for one in ends.source.stats().await? {
        documents += one.documents;
        bytes += one.bytes;
    }
    let end = ends.source.journal_position().await?;
    let (state, copied, behind) = match &place {
        None => ("begins", 0, 0),
        Some(place) => {
            let state = if place.is_copied() { "follows" } else { "resumes" };
            (state, place.copied, end.saturating_sub(place.position))
        }
    };
    Ok(Plan { from: ends.from.to_owned(), to: ends.to.to_owned(), state, documents, bytes, copied, behind })
}

/// Makes the target the same as the source, and proves it. `folder` has room for scratch databases; `seen` hears how many documents were copied.
///
/// # Errors
/// As [`plan`]; whatever happens, the next run goes on.
pub async fn migrate(
    ends: &Ends<'_>,
    (folder, clock): (&Path, &Clock),
    seen: &(dyn Fn(u64) + Send + Sync),
) -> Result<Migrated> {
    let begun = Instant::now();
    let found = Place::find(ends).await?;
    let resumed = found.is_some();
    ends.target.filling(ends.from).await?;
    let mut place = match found {
        Some(place) => place,
        None => Place::begin(ends).await?,
    };
    let mut followed = 0;
    while !place.is_copied() {
        let (mut snapshot, side) = scratch::settled(ends.source, folder, clock).await?;
        let copied = copy(ends, &mut snapshot, &mut place, &mut followed, seen).await;
        drop(snapshot);
        if let Some(side) = side {
            side.remove().await;
        }
        match copied {
            // The source forgets a moment after some minutes: the rest comes from a later one.
            Err(fault) if fault.code() == "snapshot_too_old" => {}
            copied => copied?,
        }
    }
    let (mut snapshot, side) = scratch::settled(ends.source, folder, clock).await?;
    followed += place.follow(ends, snapshot.position()).await?;
    let wanted = journaled(contents::of(&mut snapshot, &|_| ()).await?);
    drop(snapshot);
    if let Some(side) = side {
        side.remove().await;
    }
    let there = journaled(contents::of(&mut ends.target.snapshot().await?, &|_| ()).await?);
    let differences = wanted.differences(&there);
    let position = place.position;
    // What was changed while both were read; and then the target's own journal goes on where the source's is.
    followed += place.follow(ends, ends.source.journal_position().await?).await?;
    ends.target.continue_journal(place.position).await?;
    if differences.is_empty() {
        ends.target.filled().await?;
    }
    Ok(Migrated {
        from: ends.from.to_owned(),
        to: ends.to.to_owned(),
        resumed,
        copied: place.copied,
        followed,
        verified: differences.is_empty(),
        position,
        collections: wanted,
        differences,
        took_millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Copies what is not copied yet. What an earlier run copied is brought to this snapshot's moment first: after that, all
/// of the target is of one moment at every step.
async fn copy(
    ends: &Ends<'_>,
    snapshot: &mut Snapshot,
    place: &mut Place,
    followed: &mut u64,
    seen: &(dyn Fn(u64) + Send + Sync),
) -> Result<()> {
    *followed += place.follow(ends, snapshot.position()).await?;
    place.position = snapshot.position();
    while let Some((collection, after)) = place.next() {
        let page = snapshot.page(collection, after.as_deref()).await?;
        let Some(last) = page.last().and_then(contents::id) else {
            place.collection_done(ends.target).await?;
            continue;
        };
        let count = page.len() as u64;
        ends.target.load(collection, page).await?;
        place.page_done(ends.target, last, count).await?;
        seen(place.copied);
    }
    Ok(())
}

/// Empties a target that is half a copy, and lets everybody use it again. Says how many documents went. Killed, it is done again.
///
/// # Errors
/// `migration_not_unfinished` where the target is no half copy: nothing is deleted then.
pub async fn give_up(target: &Store, to: &str) -> Result<u64> {
    if target.half_of().await?.is_none() {
        let message = format!("{to} is no half copy: there is nothing to give up, and nothing was deleted.");
        return Err(conflict("migration_not_unfinished", message));
    }
    let mut removed = 0;
    let mut snapshot = target.snapshot().await?;
    for collection in collections::ALL {
        let mut pages = snapshot.pages(collection);
        while let Some(page) = pages.next().await? {
            removed += page.len() as u64;
            let gone = page.iter().filter_map(contents::id).map(|id| Change {
                position: 0,
                at: Time::from_millis(0),
                collection: collection.name.to_owned(),
                id,
                document: None,
            });
            target.apply(gone.collect()).await?;
        }
    }
    Place::forget(target).await?;
    target.filled().await?;
    Ok(removed)
}

/// Without what is about one database alone.
fn journaled(mut contents: Contents) -> Contents {
    contents.0.retain(|name, _| collections::named(name).is_some_and(|one| one.journaled));
    contents
}

fn conflict(code: &'static str, message: String) -> Error {
    Error::new(Kind::Conflict, code, message)
}

#[cfg(test)]
mod tests {
    use engify_core::Secret;

    use super::*;

    #[test]
    fn a_database_is_named_without_its_password() {
        let uri = |text: &str| name(&Target::Mongo { uri: Secret::new(text.to_owned()) });
        assert_eq!(
            uri("mongodb+srv://ana:p%40ss@c.example.net/engify?w=majority"),
            "mongodb+srv://c.example.net/engify"
        );
        assert_eq!(uri("mongodb://a:1,b:2/engify"), "mongodb://a:1,b:2/engify");
        assert_eq!(name(&Target::Embedded { dir: "/var/lib/engify".into() }), "file:/var/lib/engify");
    }
}

//! How far a migration is, and the following of the journal from there. The place is a note in the target, written after what it says
//! was done: what is done twice after a kill does no harm.

use std::collections::BTreeMap;

use engify_core::{Error, Result};
use engify_store::journal::Change;
use engify_store::{Collection, LIMIT, Store, collections};
use serde::{Deserialize, Serialize};

use super::{Ends, conflict};

/// The name of the note.
const NOTE: &str = "migration";

/// How far it is. Collections are copied in their own order, documents in that of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    from: String,
    /// What is copied is as it was at this position of the source's journal.
    pub(super) position: u64,
    /// How many documents were copied.
    pub(super) copied: u64,
    /// How many collections are copied whole.
    whole: usize,
    /// The last document that was copied of the next one.
    after: Option<String>,
}

/// The collections that are copied.
fn journaled() -> impl Iterator<Item = &'static Collection> {
    collections::ALL.iter().filter(|collection| collection.journaled)
}

impl Place {
    /// Before the first step: noted before anything is written, so that what is there then is known to be ours.
    pub(super) async fn begin(ends: &Ends<'_>) -> Result<Self> {
        let position = ends.source.journal_position().await?;
        let place = Self { from: ends.from.to_owned(), position, copied: 0, whole: 0, after: None };
        place.keep(ends.target).await?;
        Ok(place)
    }

    /// Where earlier runs came to; none where the target is empty.
    ///
    /// # Errors
    /// Where the target holds anything else than an unfinished or unused copy of this source.
    pub(super) async fn find(ends: &Ends<'_>) -> Result<Option<Self>> {
        if ends.from == ends.to {
            return Err(conflict("same_database", format!("{} is where the data are already.", ends.to)));
        }
        let documents: u64 = ends.target.stats().await?.iter().map(|one| one.documents).sum();
        let own = ends.target.journal_position().await?;
        let Some(note) = ends.target.note(NOTE).await? else {
            if documents == 0 && own == 0 {
                return Ok(None);
            }
            return Err(not_empty(ends.to, &format!("{documents} documents of its own")));
        };
        let place: Self = serde_json::from_str(&note).map_err(Error::internal)?;
        if place.from != ends.from {
            return Err(not_empty(ends.to, &format!("a copy of {}", place.from)));
        }
        if own > place.position {
            let message = format!(
                "{} was copied before and has been used since: what was written there would be lost. Name an empty database.",
                ends.to
            );
            return Err(conflict("target_in_use", message));
        }
        if ends.source.journal_trimmed().await? > place.position {
            let message = format!(
                "The copy in {} is older than the source's journal reaches back. Empty it and begin anew.",
                ends.to
            );
            return Err(conflict("journal_too_short", message));
        }
        Ok(Some(place))
    }

    /// As if none had ever run.
    pub(super) async fn forget(target: &Store) -> Result<()> {
        target.drop_note(NOTE).await
    }

    /// Whether everything is copied, and only the journal is to be followed.
    pub(super) fn is_copied(&self) -> bool {
        self.whole >= journaled().count()
    }

    /// What is to be copied next: a collection, and behind which document; none once all is.
    pub(super) fn next(&self) -> Option<(&'static Collection, Option<String>)> {
        journaled().nth(self.whole).map(|collection| (collection, self.after.clone()))
    }

    pub(super) async fn page_done(&mut self, target: &Store, last: String, count: u64) -> Result<()> {
        self.after = Some(last);
        self.copied += count;
        self.keep(target).await
    }

    pub(super) async fn collection_done(&mut self, target: &Store) -> Result<()> {
        self.whole += 1;
        self.after = None;
        self.keep(target).await
    }

    /// Does again, in what is copied, what the source did up to a position. Elsewhere what changed goes: a run that was killed
    /// may have copied it without noting so, and it is copied as it is now. Says how many changes that were.
    pub(super) async fn follow(&mut self, ends: &Ends<'_>, until: u64) -> Result<u64> {
        let mut followed = 0;
        while self.position < until {
            let mut changes = ends.source.journal_after(self.position, LIMIT).await?;
            changes.retain(|change| change.position <= until);
            let reached = changes.last().map_or(until, |last| last.position);
            followed += changes.len() as u64;
            for change in changes.iter_mut().filter(|change| !self.covers(change)) {
                change.document = None;
            }
            ends.target.apply(net(changes)).await?;
            self.position = reached;
            self.keep(ends.target).await?;
        }
        Ok(followed)
    }

    /// Whether the changed document is in what is copied.
    fn covers(&self, change: &Change) -> bool {
        match journaled().position(|collection| collection.name == change.collection) {
            Some(number) if number == self.whole => {
                self.after.as_ref().is_some_and(|after| change.id <= *after)
            }
            Some(number) => number < self.whole,
            // What this program does not know is refused when it is applied.
            None => true,
        }
    }

    async fn keep(&self, target: &Store) -> Result<()> {
        target.set_note(NOTE, serde_json::to_string(self).map_err(Error::internal)?).await
    }
}

/// What changes come to: each document as the last of them leaves it. All of them go first, so that a value which must be
/// unique and went from one to another is free, also where some of this was done before.
fn net(changes: Vec<Change>) -> Vec<Change> {
    let mut last = BTreeMap::new();
    for change in changes {
        last.insert((change.collection.clone(), change.id.clone()), change);
    }
    let gone = last.values().map(|change| Change { document: None, ..change.clone() });
    let mut net: Vec<Change> = gone.collect();
    net.extend(last.into_values().filter(|change| change.document.is_some()));
    net
}

fn not_empty(to: &str, holds: &str) -> Error {
    let message = format!("{to} holds {holds}, which a migration would destroy. Name an empty database.");
    conflict("target_not_empty", message)
}

#[cfg(test)]
mod tests {
    use engify_core::Time;

    use super::*;

    fn change(position: u64, id: &str, text: Option<&str>) -> Change {
        let document = text.map(|text| {
            let mut doc = engify_store::Doc::new();
            doc.insert("_id".to_owned(), id.into());
            doc.insert("text".to_owned(), text.into());
            doc
        });
        let at = Time::from_millis(0);
        Change { position, at, collection: "users".to_owned(), id: id.to_owned(), document }
    }

    #[test]
    fn only_the_last_change_of_a_document_counts_and_all_go_before_any_comes() {
        let net = net(vec![
            change(1, "a", Some("x")),
            change(2, "a", Some("y")),
            change(3, "b", Some("x")),
            change(4, "c", Some("z")),
            change(5, "c", None),
        ]);
        let words: Vec<_> = net
            .iter()
            .map(|change| {
                (change.id.as_str(), change.document.as_ref().map(|doc| doc["text"].as_str().unwrap()))
            })
            .collect();
        assert_eq!(words, [("a", None), ("b", None), ("c", None), ("a", Some("y")), ("b", Some("x"))]);
    }

    #[test]
    fn only_what_is_copied_is_followed() {
        let mut place = Place { from: "file:/x".to_owned(), position: 7, copied: 0, whole: 0, after: None };
        assert!(!place.covers(&change(1, "a", None)));
        assert_eq!(place.next().unwrap().0.name, "users");
        place.after = Some("m".to_owned());
        assert!(place.covers(&change(1, "m", None)) && !place.covers(&change(1, "n", None)));
        (place.whole, place.after) = (1, None);
        assert!(place.covers(&change(1, "n", None)) && !place.is_copied());
    }
}

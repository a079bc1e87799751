//! Two moments side by side: what one has, the other has not, or has otherwise.

use std::cmp::Ordering;
use std::collections::VecDeque;

use engify_core::Result;
use serde_json::Value;

use crate::collection::Collection;
use crate::{Doc, Snapshot};

/// One document that differs between two moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Its id.
    pub id: String,
    /// What the first moment has; none where it has nothing.
    pub before: Option<Doc>,
    /// What the second has.
    pub after: Option<Doc>,
}

/// A walk through one collection of two snapshots. A page of each is in memory.
#[derive(Debug)]
pub struct Comparison<'a> {
    collection: &'a Collection,
    before: Side<'a>,
    after: Side<'a>,
}

#[derive(Debug)]
struct Side<'a> {
    snapshot: &'a mut Snapshot,
    page: VecDeque<(String, Doc)>,
    last: Option<String>,
    ended: bool,
}

impl<'a> Comparison<'a> {
    /// Begins a walk.
    pub fn new(collection: &'a Collection, before: &'a mut Snapshot, after: &'a mut Snapshot) -> Self {
        Self { collection, before: Side::new(before), after: Side::new(after) }
    }

    /// The next document that differs, in the order of ids; none at the end.
    ///
    /// # Errors
    /// As [`Snapshot::page`].
    pub async fn next(&mut self) -> Result<Option<Difference>> {
        loop {
            self.before.fill(self.collection).await?;
            self.after.fill(self.collection).await?;
            let order = match (self.before.page.front(), self.after.page.front()) {
                (None, None) => return Ok(None),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((before, _)), Some((after, _))) => before.as_bytes().cmp(after.as_bytes()),
            };
            let before = if order.is_le() { self.before.page.pop_front() } else { None };
            let after = if order.is_ge() { self.after.page.pop_front() } else { None };
            if before != after {
                let id = before.as_ref().or(after.as_ref()).map(|(id, _)| id.clone()).unwrap_or_default();
                let document = |one: Option<(String, Doc)>| one.map(|(_, doc)| doc);
                return Ok(Some(Difference { id, before: document(before), after: document(after) }));
            }
        }
    }
}

impl<'a> Side<'a> {
    fn new(snapshot: &'a mut Snapshot) -> Self {
        Self { snapshot, page: VecDeque::new(), last: None, ended: false }
    }

    async fn fill(&mut self, collection: &Collection) -> Result<()> {
        if !self.page.is_empty() || self.ended {
            return Ok(());
        }
        let page = self.snapshot.page(collection, self.last.as_deref()).await?;
        let id = |doc: &Doc| doc.get("_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.page = page.into_iter().map(|doc| (id(&doc), doc)).collect();
        match self.page.back() {
            Some((last, _)) => self.last = Some(last.clone()),
            None => self.ended = true,
        }
        Ok(())
    }
}

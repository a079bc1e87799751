//! Changes to the store. A batch is one transaction: all of it or nothing, its journal entries included.

use engify_core::tenancy::Scope;
use engify_core::{Error, Result};
use serde_json::Value;

use crate::Doc;
use crate::collection::{Collection, Entity};

/// Writes that happen together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(crate) writes: Vec<Write>,
}

#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) collection: Collection,
    pub(crate) id: String,
    pub(crate) action: Action,
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Fails with `duplicate` where the id or a unique index is taken.
    Insert(Doc),
    /// Inserts, or replaces what has the id.
    Put(Doc),
    /// Changes fields of one document.
    Patch(Changes),
    /// Removes the document if it is there and in scope.
    Delete(Scope),
}

/// What a patch changes and what must hold for it to happen.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    pub(crate) scope: Scope,
    pub(crate) set: Vec<(&'static str, Value)>,
    pub(crate) add: Vec<(&'static str, i64)>,
    pub(crate) when: Vec<(&'static str, Value)>,
    pub(crate) must_match: bool,
}

/// Changes to some top-level fields of one document, under conditions.
#[derive(Debug, Clone)]
pub struct Patch {
    id: String,
    changes: Changes,
}

impl Patch {
    /// A patch of the document with this id, if it is in `scope`.
    pub fn new(scope: Scope, id: impl ToString) -> Self {
        let changes = Changes { scope, set: Vec::new(), add: Vec::new(), when: Vec::new(), must_match: true };
        Self { id: id.to_string(), changes }
    }

    /// Sets a top-level field; null stays as null.
    ///
    /// # Errors
    /// When the value has no JSON form: a defect.
    pub fn set(mut self, field: &'static str, value: impl serde::Serialize) -> Result<Self> {
        self.changes.set.push((field, serde_json::to_value(value).map_err(Error::internal)?));
        Ok(self)
    }

    /// Adds to a top-level whole number; a missing one counts as 0.
    #[must_use]
    pub fn add(mut self, field: &'static str, by: i64) -> Self {
        self.changes.add.push((field, by));
        self
    }

    /// Only if a top-level field still has this value: two writers at once, one wins.
    ///
    /// # Errors
    /// When the value has no JSON form: a defect.
    pub fn when(mut self, field: &'static str, value: impl serde::Serialize) -> Result<Self> {
        self.changes.when.push((field, serde_json::to_value(value).map_err(Error::internal)?));
        Ok(self)
    }

    /// Where no document matches, goes on without it instead of failing the batch with `stale`.
    #[must_use]
    pub fn or_skip(mut self) -> Self {
        self.changes.must_match = false;
        self
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a new document. The batch fails with `duplicate` where its id or a unique value is taken.
    ///
    /// # Errors
    /// When the entity has no JSON form: a defect.
    pub fn insert<E: Entity>(mut self, entity: &E) -> Result<Self> {
        let action = Action::Insert(doc(entity)?);
        self.writes.push(Write { collection: E::COLLECTION, id: entity.id().to_owned(), action });
        Ok(self)
    }

    /// Adds a document or replaces the one with its id.
    ///
    /// # Errors
    /// When the entity has no JSON form: a defect.
    pub fn put<E: Entity>(mut self, entity: &E) -> Result<Self> {
        let action = Action::Put(doc(entity)?);
        self.writes.push(Write { collection: E::COLLECTION, id: entity.id().to_owned(), action });
        Ok(self)
    }

    /// Adds a whole document of a collection or replaces the one with its id: for imports, which know no entities.
    ///
    /// # Errors
    /// `invalid_request` for a document without a text as `_id`.
    pub fn put_document(mut self, collection: &Collection, doc: Doc) -> Result<Self> {
        let id = crate::snapshot::id_of(collection.name, &doc)?;
        self.writes.push(Write { collection: *collection, id, action: Action::Put(doc) });
        Ok(self)
    }

    /// Removes a document of a collection, as [`Batch::delete`] does.
    #[must_use]
    pub fn remove_document(mut self, collection: &Collection, scope: Scope, id: impl ToString) -> Self {
        let write = Write { collection: *collection, id: id.to_string(), action: Action::Delete(scope) };
        self.writes.push(write);
        self
    }

    /// Changes some fields of one document. The batch fails with `stale` where none matches, unless [`Patch::or_skip`].
    #[must_use]
    pub fn patch<E: Entity>(mut self, mut patch: Patch) -> Self {
        let set = &patch.changes.set;
        let derived: Vec<_> =
            set.iter().flat_map(|(field, value)| E::COLLECTION.derived_from(field, value)).collect();
        patch.changes.set.extend(derived);
        self.writes.push(Write {
            collection: E::COLLECTION,
            id: patch.id,
            action: Action::Patch(patch.changes),
        });
        self
    }

    /// Removes a document if it is there and in `scope`.
    #[must_use]
    pub fn delete<E: Entity>(mut self, scope: Scope, id: impl ToString) -> Self {
        self.writes.push(Write {
            collection: E::COLLECTION,
            id: id.to_string(),
            action: Action::Delete(scope),
        });
        self
    }

    /// Makes a document what it once was, or removes it where it was not there: for restores.
    #[must_use]
    pub fn document(mut self, collection: &Collection, id: String, document: Option<Doc>) -> Self {
        let action = match document {
            Some(document) => Action::Put(document),
            None => {
                Action::Delete(Scope::Everything("a restore makes the past again, whoever it belongs to"))
            }
        };
        self.writes.push(Write { collection: *collection, id, action });
        self
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// How many writes.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Adds all writes of another batch.
    #[must_use]
    pub fn and(mut self, other: Batch) -> Self {
        self.writes.extend(other.writes);
        self
    }
}

fn doc<E: Entity>(entity: &E) -> Result<Doc> {
    match serde_json::to_value(entity).map_err(Error::internal)? {
        Value::Object(mut doc) => {
            let derived: Vec<_> =
                doc.iter().flat_map(|(field, value)| E::COLLECTION.derived_from(field, value)).collect();
            doc.extend(derived.into_iter().map(|(field, value)| (field.to_owned(), value)));
            Ok(doc)
        }
        _ => Err(Error::internal("an entity must be a JSON object")),
    }
}

//! What a collection is: a name, its indexes, and the type of its documents.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A named set of documents with its indexes, declared once, beside its entity, in [`crate::collections`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// The name in both databases, `snake_case`.
    pub name: &'static str,
    /// Besides the one on `_id`, which always is.
    pub indexes: &'static [Index],
    /// Whether changes go to the journal. Off only for what can be made again (short-lived counters).
    pub journaled: bool,
    /// Fields that follow from others and are only for searching. Whoever writes the one writes the other, and cannot
    /// forget it.
    pub derived: &'static [Derived],
}

/// A field that follows from another top-level one.
#[derive(Debug, Clone, Copy)]
pub struct Derived {
    /// What it follows from; a text.
    pub from: &'static str,
    /// Its own name. Entities do not know it.
    pub to: &'static str,
    /// How it follows.
    pub make: fn(&str) -> String,
}

// Functions have no useful equality; two rules with the same names are the same rule.
impl PartialEq for Derived {
    fn eq(&self, other: &Self) -> bool {
        (self.from, self.to) == (other.from, other.to)
    }
}

impl Eq for Derived {}

impl Collection {
    /// Adds the fields that follow from others and are missing: in documents that come from elsewhere.
    pub fn derive(&self, doc: &mut crate::Doc) {
        for rule in self.derived {
            let Some(made) = doc.get(rule.from).and_then(Value::as_str).map(rule.make) else { continue };
            doc.entry(rule.to).or_insert_with(|| made.into());
        }
    }

    /// What follows from this field having this value.
    pub(crate) fn derived_from(
        &self,
        field: &str,
        value: &Value,
    ) -> impl Iterator<Item = (&'static str, Value)> {
        let text = value.as_str().unwrap_or_default();
        self.derived
            .iter()
            .filter(move |rule| rule.from == field)
            .map(move |rule| (rule.to, (rule.make)(text).into()))
    }
}

/// A text as it is searched: lower case, one space between words.
pub fn folded(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// The last word of a name as it is searched.
pub fn last_word(text: &str) -> String {
    text.split_whitespace().next_back().unwrap_or_default().to_lowercase()
}

/// An index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Fields in order; a direction for each.
    pub fields: &'static [(&'static str, Direction)],
    /// What kind of index.
    pub kind: IndexKind,
}

/// What an index promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKind {
    /// Speed only.
    Plain,
    /// Speed, and no two documents with the same values. Documents that lack one of the fields are not compared.
    Unique,
    /// MongoDB's own text index, made where the server offers it, for other programs that use the guide's. Our search does not need it.
    Text,
}

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

impl Index {
    /// The name in both databases, as MongoDB would choose it: `createdAt_-1`, `category_1_role_1`, `title_text_description_text`.
    pub fn name(&self) -> String {
        let part = |(field, direction): &(&str, Direction)| match (self.kind, direction) {
            (IndexKind::Text, _) => format!("{field}_text"),
            (_, Direction::Ascending) => format!("{field}_1"),
            (_, Direction::Descending) => format!("{field}_-1"),
        };
        self.fields.iter().map(part).collect::<Vec<_>>().join("_")
    }
}

/// A document type and the collection it lives in.
pub trait Entity: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Where it lives.
    const COLLECTION: Collection;

    /// Its `_id`.
    fn id(&self) -> &str;
}

//! What a database or a backup holds, as numbers that can be compared: documents, and the SHA-256 of their BSON.
//!
//! The hash of a collection is that of its `.bson` file in a backup: its documents as BSON one after the other, fields and
//! documents in the order of their names' and ids' bytes. It is the same for the same documents on every database.

use std::collections::BTreeMap;

use engify_core::Result;
use engify_store::{Doc, Snapshot, bson, collections};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What one collection holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// How many documents.
    pub documents: u64,
    /// Bytes of their BSON.
    pub bson_bytes: u64,
    /// SHA-256 of their BSON, as hex.
    pub sha256: String,
}

/// What all collections hold, by name. One that is empty is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contents(pub BTreeMap<String, Content>);

impl Contents {
    /// Notes a collection unless it is empty.
    pub fn note(&mut self, collection: &str, content: Content) {
        if content.documents > 0 {
            self.0.insert(collection.to_owned(), content);
        }
    }

    /// Documents of all collections.
    pub fn documents(&self) -> u64 {
        self.0.values().map(|content| content.documents).sum()
    }

    /// Bytes of their BSON.
    pub fn bson_bytes(&self) -> u64 {
        self.0.values().map(|content| content.bson_bytes).sum()
    }

    /// SHA-256 over a line for each collection: its name, how many documents, their hash.
    pub fn sha256(&self) -> String {
        let line = |hash: Sha256, (name, content): (&String, &Content)| {
            hash.chain_update(format!("{name} {} {}\n", content.documents, content.sha256))
        };
        hex::encode(self.0.iter().fold(Sha256::new(), line).finalize())
    }

    /// The collections in which two differ, with the counts of both.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let names: std::collections::BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let count =
            |contents: &Self, name: &String| contents.0.get(name).map_or(0, |content| content.documents);
        names
            .into_iter()
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .map(|name| format!("{name} ({} and {} documents)", count(self, name), count(other, name)))
            .collect()
    }
}

/// Adds documents of one collection up, in the order of their ids.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    hash: Sha256,
    documents: u64,
    bytes: u64,
}

impl Tally {
    /// One more document, as BSON.
    pub fn add(&mut self, bson: &[u8]) {
        self.hash.update(bson);
        self.documents += 1;
        self.bytes += bson.len() as u64;
    }

    /// The sum.
    pub fn content(self) -> Content {
        let sha256 = hex::encode(self.hash.finalize());
        Content { documents: self.documents, bson_bytes: self.bytes, sha256 }
    }
}

/// What a moment of a database holds. Everything is read, a page at a time; `seen` hears how many documents were.
///
/// # Errors
/// As [`Snapshot::page`].
pub async fn of(snapshot: &mut Snapshot, seen: &(dyn Fn(u64) + Send + Sync)) -> Result<Contents> {
    let (mut contents, mut count) = (Contents::default(), 0);
    for collection in collections::ALL {
        let (mut tally, mut pages) = (Tally::default(), snapshot.pages(collection));
        while let Some(page) = pages.next().await? {
            count += page.len() as u64;
            let added = tokio::task::spawn_blocking(move || {
                page.iter()
                    .try_for_each(|doc| bson::encode(doc).map(|bytes| tally.add(&bytes)))
                    .map(|()| tally)
            });
            tally = added.await.map_err(engify_core::Error::internal)??;
            seen(count);
        }
        contents.note(collection.name, tally.content());
    }
    Ok(contents)
}

/// The id of a document.
pub(crate) fn id(doc: &Doc) -> Option<String> {
    doc.get("_id").and_then(serde_json::Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(docs: &[&str]) -> Content {
        let mut tally = Tally::default();
        for doc in docs {
            tally.add(&bson::encode(&serde_json::from_str(doc).unwrap()).unwrap());
        }
        tally.content()
    }

    #[test]
    fn the_order_of_fields_plays_no_part_and_everything_else_does() {
        let one = content(&[r#"{"_id":"1","b":{"d":1,"c":2},"a":1}"#]);
        assert_eq!(one, content(&[r#"{"a":1,"_id":"1","b":{"c":2,"d":1}}"#]));
        for other in [r#"{"_id":"1","b":{"d":1,"c":3},"a":1}"#, r#"{"_id":"1","b":{"d":1,"c":2},"a":1.0}"#] {
            assert_ne!(one.sha256, content(&[other]).sha256);
        }
    }

    #[test]
    fn differences_name_the_collections() {
        let (mut a, mut b) = (Contents::default(), Contents::default());
        a.note("users", content(&[r#"{"_id":"1"}"#]));
        b.note("users", content(&[r#"{"_id":"1"}"#]));
        assert!(a.differences(&b).is_empty());
        assert_eq!(a.sha256(), b.sha256());
        b.note("prompts", content(&[r#"{"_id":"1"}"#]));
        b.note("runs", content(&[]));
        assert_eq!(a.differences(&b), ["prompts (0 and 1 documents)"]);
        assert_ne!(a.sha256(), b.sha256());
    }
}

//! What differs between two databases, or two moments of one: counts, and some names.

use engify_core::Result;
use engify_store::comparison::Comparison;
use engify_store::{Collection, Store};
use serde::Serialize;

/// Names of documents that are told for each collection.
const EXAMPLES: usize = 20;

/// What differs in one collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionDiff {
    /// Its name.
    pub collection: &'static str,
    /// Documents that only the second has.
    pub added: u64,
    /// Documents that both have, and not alike.
    pub changed: u64,
    /// Documents that only the first has.
    pub removed: u64,
    /// The ids of the first 20 of them, each with `+`, `~` or `-` before it and the names of the fields that differ behind.
    pub examples: Vec<String>,
}

/// Compares collections of two databases. Those without a difference are left out.
///
/// # Errors
/// As [`engify_store::Snapshot::page`].
pub async fn differences(
    before: &Store,
    after: &Store,
    wanted: &[&'static Collection],
) -> Result<Vec<CollectionDiff>> {
    let (mut before, mut after) = (before.snapshot().await?, after.snapshot().await?);
    let mut all = Vec::new();
    for collection in wanted {
        let mut diff = CollectionDiff { collection: collection.name, ..CollectionDiff::default() };
        let mut walk = Comparison::new(collection, &mut before, &mut after);
        while let Some(difference) = walk.next().await? {
            let example = match (&difference.before, &difference.after) {
                (None, _) => {
                    diff.added += 1;
                    format!("+{}", difference.id)
                }
                (_, None) => {
                    diff.removed += 1;
                    format!("-{}", difference.id)
                }
                (Some(before), Some(after)) => {
                    diff.changed += 1;
                    let names: std::collections::BTreeSet<&String> =
                        before.keys().chain(after.keys()).collect();
                    let changed: Vec<&str> = names
                        .into_iter()
                        .filter(|name| before.get(*name) != after.get(*name))
                        .map(String::as_str)
                        .collect();
                    format!("~{} {}", difference.id, changed.join(","))
                }
            };
            if diff.examples.len() < EXAMPLES {
                diff.examples.push(example);
            }
        }
        if diff.added + diff.changed + diff.removed > 0 {
            all.push(diff);
        }
    }
    Ok(all)
}

//! Single documents: those of one collection that a filter finds, then or now, in one transaction.

use engify_core::{Error, Kind, Result};
use engify_store::comparison::Comparison;
use engify_store::{Batch, Collection, Doc, Replaced, Store};
use serde_json::Value;

/// Documents that go into one transaction.
const MOST: usize = 1_000;

/// Makes the documents that match, then or now, what they were in `side`.
pub(super) async fn pick(
    live: &Store,
    side: &Store,
    collection: &'static Collection,
    filter: &[(String, String)],
) -> Result<Replaced> {
    let (mut replaced, mut back, mut gone) = (Replaced::default(), Vec::new(), Batch::new());
    {
        let (mut now, mut then) = (live.snapshot().await?, side.snapshot().await?);
        let mut walk = Comparison::new(collection, &mut now, &mut then);
        while let Some(difference) = walk.next().await? {
            let matching = |doc: &Option<Doc>| doc.as_ref().is_some_and(|doc| matches(doc, filter));
            if !matching(&difference.before) && !matching(&difference.after) {
                continue;
            }
            match (&difference.before, difference.after) {
                (before, Some(doc)) => {
                    replaced.inserted += u64::from(before.is_none());
                    replaced.replaced += u64::from(before.is_some());
                    back.push((difference.id, doc));
                }
                (_, None) => {
                    replaced.removed += 1;
                    gone = gone.document(collection, difference.id, None);
                }
            }
            if back.len() + gone.len() > MOST {
                return Err(too_many());
            }
        }
    }
    // What goes makes room for unique values of what comes.
    let batch = back.into_iter().fold(gone, |batch, (id, doc)| batch.document(collection, id, Some(doc)));
    live.write(batch).await?;
    replaced.position = live.journal_position().await?;
    Ok(replaced)
}

fn matches(doc: &Doc, filter: &[(String, String)]) -> bool {
    filter.iter().all(|(field, wanted)| {
        let mut parts = field.split('.');
        let first = parts.next().and_then(|part| doc.get(part));
        match parts.fold(first, |value, part| value.and_then(|value| value.get(part))) {
            Some(Value::String(text)) => text == wanted,
            Some(value) => value.to_string().as_str() == wanted,
            None => wanted == "null",
        }
    })
}

fn too_many() -> Error {
    Error::new(
        Kind::TooLarge,
        "too_many_documents",
        format!(
            "The filter finds more than {MOST} documents that differ, which is more than one transaction takes. Narrow it, or restore the whole collection."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_compare_text_numbers_and_what_is_inside() {
        let doc =
            serde_json::json!({"slug": "a", "n": 3, "open": true, "usage": {"tokens": 7}, "gone": null});
        let Value::Object(doc) = doc else { panic!("an object") };
        let hit = |field: &str, value: &str| matches(&doc, &[(field.to_owned(), value.to_owned())]);
        assert!(hit("slug", "a") && hit("n", "3") && hit("open", "true") && hit("usage.tokens", "7"));
        assert!(hit("gone", "null") && hit("missing", "null"));
        assert!(!hit("slug", "b") && !hit("usage.other", "7") && !hit("n", "30"));
    }
}

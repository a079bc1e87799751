//! After the switch: the live database is what was restored, but for what others wrote since.

use std::collections::BTreeSet;

use engify_core::{Error, Kind, Result};
use engify_store::comparison::Comparison;
use engify_store::{Collection, LIMIT, Store};

/// Compares what the switch made with what it should have made. `position` is where it ended in the live database's journal:
/// a document that differs must be in an entry behind it.
///
/// # Errors
/// `restore_unverified` with the first document that nobody else has changed since.
pub(super) async fn check(
    live: &Store,
    side: &Store,
    wanted: &[&'static Collection],
    position: u64,
) -> Result<()> {
    let mut theirs = Theirs { live, position, written: BTreeSet::new() };
    let (mut then, mut now) = (side.snapshot().await?, live.snapshot().await?);
    for collection in wanted {
        let mut walk = Comparison::new(collection, &mut then, &mut now);
        while let Some(difference) = walk.next().await? {
            if !theirs.has((collection.name.to_owned(), difference.id.clone())).await? {
                return Err(differs(collection.name, &difference.id));
            }
        }
    }
    Ok(())
}

/// What others wrote since the switch: a collection and an id each.
struct Theirs<'a> {
    live: &'a Store,
    position: u64,
    written: BTreeSet<(String, String)>,
}

impl Theirs<'_> {
    /// The journal is read on only where what was read of it does not have the document.
    async fn has(&mut self, document: (String, String)) -> Result<bool> {
        let mut settled = false;
        while !self.written.contains(&document) {
            let changes = self.live.journal_after(self.position, LIMIT).await?;
            match changes.last() {
                Some(last) => self.position = last.position,
                None if settled => return Ok(false),
                // On MongoDB an entry can be seen a moment later than its document.
                None => {
                    self.live.journal_settled().await?;
                    settled = true;
                }
            }
            self.written.extend(changes.into_iter().map(|change| (change.collection, change.id)));
        }
        Ok(true)
    }
}

fn differs(collection: &str, id: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        "restore_unverified",
        format!(
            "After the restore {id} of {collection} is not as it should be: it was not written rightly, or, on MongoDB, somebody \
             wrote to it meanwhile. Run the same again: it writes only what differs."
        ),
    )
}

#[cfg(test)]
mod tests {
    use engify_store::{Batch, Doc, Options, Target, collections};

    use super::*;

    fn rating(id: &str, stars: u8) -> Doc {
        serde_json::json!({"_id": id, "stars": stars}).as_object().cloned().unwrap()
    }

    async fn store(folder: &std::path::Path) -> Store {
        let store =
            Store::open(Target::Embedded { dir: folder.to_owned() }, Options::default()).await.unwrap();
        store.load(collections::named("ratings").unwrap(), vec![rating("r", 1)]).await.unwrap();
        store
    }

    #[tokio::test]
    async fn only_what_others_wrote_since_may_differ() {
        let folder = tempfile::tempdir().unwrap();
        let (live, side) =
            (store(&folder.path().join("live")).await, store(&folder.path().join("side")).await);
        let wanted = &[collections::named("ratings").unwrap()];
        check(&live, &side, wanted, 0).await.unwrap();
        let write = async |id: &str| {
            live.write(Batch::new().document(wanted[0], id.to_owned(), Some(rating(id, 2)))).await.unwrap()
        };
        let position = write("r").await;
        check(&live, &side, wanted, 0).await.unwrap();
        // That somebody wrote something else explains nothing.
        write("s").await;
        let refused = check(&live, &side, wanted, position).await.unwrap_err();
        assert_eq!(refused.code(), "restore_unverified");
        assert!(refused.message().contains("r of ratings"), "{refused}");
    }
}

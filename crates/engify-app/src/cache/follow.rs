//! Following the journal: what changed is dropped, here by what it says, at other replicas by telling them to look.

use std::sync::Arc;
use std::time::Duration;

use engify_clients::kv::{Heard, Kv, Subscription};
use engify_core::Result;
use engify_core::account::{Session, User};
use engify_core::api_key::ApiKey;
use engify_core::prompt::Prompt;
use engify_core::provider_key::ProviderKey;
use engify_store::journal::Change;
use engify_store::{Entity, Store};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Caches;
use crate::App;

/// Where replicas tell each other to look. The message says nothing: what changed is in the journal.
const CHANNEL: &str = "changes";
/// How many changes are looked back at.
const BACK: u32 = 200;
/// How long to wait before the journal's end is asked for again.
const AGAIN: Duration = Duration::from_millis(250);

impl Caches {
    /// Drops everything: something was missed.
    fn forget_everything(&self) {
        self.backing.freshness.lost();
        self.sessions.forget_all();
        self.keys.forget_all();
        self.users.forget_all();
        self.provider_keys.forget_all();
    }

    async fn note(&self, change: &Change) {
        if change.collection == Session::COLLECTION.name {
            self.sessions.forget(&change.id).await;
        } else if change.collection == User::COLLECTION.name {
            self.users.forget(&change.id).await;
        } else if change.collection == Prompt::COLLECTION.name {
            if may_withdraw(change) {
                self.backing.freshness.withdrawn(change.position);
            } else {
                self.backing.freshness.changed(change.position);
            }
        } else if change.collection == ApiKey::COLLECTION.name {
            match text(change, "keyHash") {
                Some(hash) => self.keys.forget(hash).await,
                None => self.keys.forget_all(),
            }
        } else if change.collection == ProviderKey::COLLECTION.name {
            match text(change, "audience") {
                Some(owner) => self.provider_keys.forget(owner).await,
                None => self.provider_keys.forget_all(),
            }
        }
    }
}

/// Whether a change of a prompt may have taken it out of strangers' sight. What was never in it counts too: nobody here
/// knows how it was before.
fn may_withdraw(change: &Change) -> bool {
    text(change, "audience") != Some("public")
}

/// A field of a changed document; none where it is deleted.
fn text<'a>(change: &'a Change, field: &str) -> Option<&'a str> {
    change.document.as_ref().and_then(|doc| doc.get(field)).and_then(|value| value.as_str())
}

/// Follows the journal until the store closes, and tells and hears other replicas where there is a way to.
pub(crate) fn follow(app: &App) {
    let changes = app.store().changes();
    tokio::spawn(listen_to_journal(app.clone(), changes));
    if let Some(kv) = app.shared().kv() {
        tokio::spawn(tell(app.clone(), kv.clone()));
        if let Some(line) = kv.subscribe(&[CHANNEL]) {
            tokio::spawn(hear(app.clone(), line));
        }
    }
}

async fn listen_to_journal(app: App, mut changes: Receiver<Arc<Vec<Change>>>) {
    let caches = app.caches();
    loop {
        // Changes come from here on; what lies before is whatever it is.
        match beginning(app.store()).await {
            Ok((position, changed)) => caches.backing.freshness.begin(position, changed),
            Err(_) => {
                tokio::time::sleep(AGAIN).await;
                if changes.is_closed() {
                    return;
                }
                continue;
            }
        }
        loop {
            match changes.recv().await {
                Ok(commit) => {
                    for change in commit.iter() {
                        caches.note(change).await;
                    }
                    if let Some(last) = commit.last() {
                        caches.backing.freshness.saw(last.position);
                    }
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "cache.feed_lagged: dropping all caches");
                    caches.forget_everything();
                    break;
                }
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// Where following is taken up, and where the library changed last, as far as a look back tells: others' values that are
/// younger can be used from the start.
async fn beginning(store: &Store) -> Result<(u64, u64)> {
    let position = store.journal_position().await?;
    let from = position.saturating_sub(BACK.into());
    let (mut seen, mut of_library) = (from, from);
    while seen < position {
        let changes = store.journal_after(seen, BACK).await?;
        let Some(last) = changes.last() else { break };
        seen = last.position;
        let newest = changes.iter().rfind(|change| change.collection == Prompt::COLLECTION.name);
        of_library = newest.map_or(of_library, |change| change.position);
    }
    Ok((position, of_library))
}

/// Tells others of what was changed here, one message for all that came together. One that is not sent costs them at most
/// the pause of their follower.
async fn tell(app: App, kv: Kv) {
    loop {
        app.caches().news.notified().await;
        let _ = kv.publish(CHANNEL, "").await;
    }
}

async fn hear(app: App, mut line: Subscription) {
    loop {
        match line.next().await {
            // After a gap, too: something may have been said in it.
            Heard::Message { .. } | Heard::Listening => app.store().look(),
            Heard::Lost => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use engify_store::{Batch, Doc, Options, Target, collections};

    use super::*;

    #[tokio::test]
    async fn a_look_back_goes_on_behind_documents_that_fill_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::Embedded { dir: folder.path().to_owned() };
        let store = Store::open(target, Options::default()).await.unwrap();
        let put = |collection: &str, number: usize, length: usize| {
            let id = format!("{number}");
            let doc = Doc::from_iter([
                ("_id".to_owned(), id.clone().into()),
                ("content".to_owned(), "x".repeat(length).into()),
            ]);
            Batch::new().document(collections::named(collection).unwrap(), id, Some(doc))
        };
        let mut changed = 0;
        for number in 0..24 {
            store.write(put("prompt_versions", number, 1024 * 1024)).await.unwrap();
            if number == 20 {
                store.write(put("prompts", number, 1)).await.unwrap();
                changed = store.journal_position().await.unwrap();
            }
        }
        let last = store.journal_position().await.unwrap();
        assert_eq!(beginning(&store).await.unwrap(), (last, changed));
    }
}

//! What is kept in memory, and how it is dropped when it changes.
//!
//! Two promises: a change made in this process is seen by its next request; a change made by another process within one
//! second. The first is kept by the use case that writes (it drops what it changed) and the journal's feed behind it;
//! the second by that feed and, should it fail, by the short life of what opens doors.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engify_core::account::{Session, User};
use engify_core::api_key::ApiKey;
use engify_core::ids::UserId;
use engify_core::prompt::Prompt;
use engify_core::provider_key::ProviderKey;
use engify_core::tenancy::{Audience, Scope};
use engify_core::words::Slug;
use engify_core::{Error, Result};
use engify_store::journal::Change;
use engify_store::{Entity, queries};
use moka::future::Cache;
use tokio::sync::broadcast::error::RecvError;

use crate::App;

/// What opens doors is asked for again after this long, so that a revocation is never older than it.
const DOOR_LIFE: Duration = Duration::from_secs(1);

/// Everything that is kept in memory.
pub(crate) struct Caches {
    sessions: Cache<String, Option<Arc<Session>>>,
    keys: Cache<String, Option<Arc<ApiKey>>>,
    users: Cache<String, Option<Arc<User>>>,
    provider_keys: Cache<String, Arc<[ProviderKey]>>,
    prompts: Cache<String, (u64, Option<Arc<Prompt>>)>,
    generation: AtomicU64,
}

impl Caches {
    pub(crate) fn new() -> Self {
        Self {
            sessions: door(),
            keys: door(),
            users: door(),
            provider_keys: door(),
            prompts: Cache::builder()
                .max_capacity(8 * 1024 * 1024)
                .weigher(|slug: &String, (_, prompt): &(u64, Option<Arc<Prompt>>)| {
                    let text = prompt
                        .as_ref()
                        .map_or(0, |prompt| prompt.draft.content.len() + prompt.draft.description.len());
                    u32::try_from(slug.len() + text + 600).unwrap_or(u32::MAX)
                })
                .time_to_live(Duration::from_secs(300))
                .build(),
            generation: AtomicU64::new(1),
        }
    }

    /// Grows with every change of the library.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn library_changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) async fn session_changed(&self, id: &str) {
        self.sessions.invalidate(id).await;
    }

    pub(crate) async fn key_changed(&self, hash: &str) {
        self.keys.invalidate(hash).await;
    }

    pub(crate) async fn user_changed(&self, id: &str) {
        self.users.invalidate(id).await;
    }

    pub(crate) async fn provider_keys_changed(&self, owner: &str) {
        self.provider_keys.invalidate(owner).await;
    }

    fn forget_everything(&self) {
        self.sessions.invalidate_all();
        self.keys.invalidate_all();
        self.users.invalidate_all();
        self.provider_keys.invalidate_all();
        self.library_changed();
    }

    async fn changed(&self, change: &Change) {
        if change.collection == Session::COLLECTION.name {
            self.session_changed(&change.id).await;
        } else if change.collection == User::COLLECTION.name {
            self.user_changed(&change.id).await;
        } else if change.collection == Prompt::COLLECTION.name {
            self.library_changed();
        } else if change.collection == ApiKey::COLLECTION.name {
            match text(change, "keyHash") {
                Some(hash) => self.key_changed(hash).await,
                None => self.keys.invalidate_all(),
            }
        } else if change.collection == ProviderKey::COLLECTION.name {
            match text(change, "audience") {
                Some(owner) => self.provider_keys_changed(owner).await,
                None => self.provider_keys.invalidate_all(),
            }
        }
    }
}

/// A field of a changed document; none where it is deleted.
fn text<'a>(change: &'a Change, field: &str) -> Option<&'a str> {
    change.document.as_ref().and_then(|doc| doc.get(field)).and_then(|value| value.as_str())
}

/// A cache of what opens doors, by a word the caller brings.
fn door<T: Clone + Send + Sync + 'static>() -> Cache<String, T> {
    Cache::builder().max_capacity(10_000).time_to_live(DOOR_LIFE).build()
}

/// The session with this id (the token's hash), coalesced: one load for many askers.
pub(crate) async fn session(app: &App, id: &str) -> Result<Option<Arc<Session>>> {
    let load = async {
        Ok(app
            .store()
            .get::<Session>(&Scope::Everything("the cookie tells who asks"), id)
            .await?
            .map(Arc::new))
    };
    app.caches().sessions.try_get_with_by_ref(id, load).await.map_err(shared)
}

/// The API key with this hash.
pub(crate) async fn key(app: &App, hash: &str) -> Result<Option<Arc<ApiKey>>> {
    let load = async { Ok(app.store().first(&queries::api_key_by_hash(hash)).await?.map(Arc::new)) };
    app.caches().keys.try_get_with_by_ref(hash, load).await.map_err(shared)
}

/// The account with this id.
pub(crate) async fn user(app: &App, id: &UserId) -> Result<Option<Arc<User>>> {
    let scope = Scope::Everything("the credential tells who asks");
    let load = async { Ok(app.store().get::<User>(&scope, id.as_str()).await?.map(Arc::new)) };
    app.caches().users.try_get_with_by_ref(id.as_str(), load).await.map_err(shared)
}

/// The provider keys of this owner, sealed. They open doors too: what is deleted here is used nowhere a second later.
pub(crate) async fn provider_keys(app: &App, owner: &Audience) -> Result<Arc<[ProviderKey]>> {
    let load = async { Ok(app.store().find(&queries::provider_keys_of(owner)).await?.items.into()) };
    app.caches().provider_keys.try_get_with(owner.to_string(), load).await.map_err(shared)
}

/// The prompt with this slug, whoever may see it: callers check with [`Scope::covers`].
pub(crate) async fn prompt(app: &App, slug: &Slug) -> Result<Option<Arc<Prompt>>> {
    let generation = app.caches().generation();
    if let Some((made, prompt)) = app.caches().prompts.get(slug.as_str()).await
        && made == generation
    {
        return Ok(prompt);
    }
    let scope = Scope::Everything("shared by all callers; each is checked against its own scope");
    let prompt = app.store().first(&queries::prompt_by_slug(scope, slug)).await?.map(Arc::new);
    // The generation was read before the prompt: what changed in between makes this entry stale, never fresh.
    app.caches().prompts.insert(slug.as_str().to_owned(), (generation, prompt.clone())).await;
    Ok(prompt)
}

/// A failed load is shared by its askers; each gets an error of its own.
fn shared(error: Arc<Error>) -> Error {
    Error::new(error.kind(), error.code(), error.message().to_owned()).because(error.to_string())
}

/// Follows the journal until the store closes, dropping what changed.
pub(crate) fn follow(app: &App) {
    let mut changes = app.store().changes();
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            match changes.recv().await {
                Ok(commit) => {
                    for change in commit.iter() {
                        app.caches().changed(change).await;
                    }
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "cache.feed_lagged: dropping all caches");
                    app.caches().forget_everything();
                }
                Err(RecvError::Closed) => return,
            }
        }
    });
}

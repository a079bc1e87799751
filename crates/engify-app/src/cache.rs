//! What is kept in memory, and how it is dropped when it changes.
//!
//! Two promises: a change made in this process is seen by its next request; a change made by another process within one
//! second. Both rest on the journal, which every replica follows: by the use case that writes and says so, by a message to
//! the other replicas to look at once, and, should messages fail, by the follower's 250 ms. What opens doors (sessions, keys,
//! accounts) besides lives less than a second here and is never put into shared memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engify_clients::kv::Kv;
use engify_core::account::{Session, User};
use engify_core::api_key::ApiKey;
use engify_core::ids::UserId;
use engify_core::prompt::Prompt;
use engify_core::provider_key::ProviderKey;
use engify_core::tenancy::{Audience, Scope};
use engify_core::words::Slug;
use engify_core::{Clock, Error, Result};
use engify_store::{Store, queries};
use metrics::{Counter, counter};
use moka::future::Cache;
use tokio::sync::Notify;

use crate::App;

mod entry;
mod flights;
mod follow;
mod freshness;
#[cfg(test)]
mod tests;
mod tiered;

pub(crate) use follow::follow;
use freshness::Freshness;
pub use tiered::{Backing, Family, LIFE, Slot, Tiered};

/// What opens doors is asked for again after this long, so that with the time of asking a revocation is never older than
/// a second.
const DOOR_LIFE: Duration = Duration::from_millis(750);
/// How long a prompt is kept that did not change.
const PROMPT_LIFE: Duration = Duration::from_secs(300);
/// How many bytes all kept prompts may take.
const PROMPTS: u64 = 8 * 1024 * 1024;

/// Everything that is kept in memory.
pub(crate) struct Caches {
    sessions: Door<Option<Arc<Session>>>,
    keys: Door<Option<Arc<ApiKey>>>,
    users: Door<Option<Arc<User>>>,
    provider_keys: Door<Arc<[ProviderKey]>>,
    prompts: Tiered<Prompts>,
    backing: Backing,
    /// Something that others keep was changed here.
    news: Notify,
}

impl Caches {
    pub(crate) fn new(store: &Store, shared: Option<Kv>, clock: Clock) -> Self {
        let store = store.clone();
        let freshness = Arc::new(Freshness::new(move || store.lag()));
        let backing = Backing { freshness, shared, clock };
        Self {
            sessions: Door::new("session"),
            keys: Door::new("api_key"),
            users: Door::new("user"),
            provider_keys: Door::new("provider_keys"),
            prompts: Tiered::new(Prompts, backing.clone(), PROMPTS, env!("CARGO_PKG_VERSION")),
            backing,
            news: Notify::new(),
        }
    }

    /// What further families stand on.
    pub(crate) fn backing(&self) -> &Backing {
        &self.backing
    }

    /// The library was changed here by the commit at this position.
    pub(crate) fn library_changed(&self, position: u64) {
        self.backing.freshness.changed(position);
        self.news.notify_one();
    }

    pub(crate) async fn session_changed(&self, id: &str) {
        self.sessions.forget(id).await;
        self.news.notify_one();
    }

    pub(crate) async fn key_changed(&self, hash: &str) {
        self.keys.forget(hash).await;
        self.news.notify_one();
    }

    pub(crate) async fn user_changed(&self, id: &str) {
        self.users.forget(id).await;
        self.news.notify_one();
    }

    pub(crate) async fn provider_keys_changed(&self, owner: &str) {
        self.provider_keys.forget(owner).await;
        self.news.notify_one();
    }
}

/// A kind of what opens doors, by a word the caller brings.
struct Door<T: Clone + Send + Sync + 'static> {
    kept: Cache<String, T>,
    found: Counter,
    loaded: Counter,
}

impl<T: Clone + Send + Sync + 'static> Door<T> {
    fn new(family: &'static str) -> Self {
        let level =
            |level: &'static str| counter!("engify_cache_reads_total", "family" => family, "level" => level);
        let kept = Cache::builder().max_capacity(10_000).time_to_live(DOOR_LIFE).build();
        Self { kept, found: level("l1"), loaded: level("database") }
    }

    /// What is kept, or what `load` brings: one load for many askers. A failure is kept for nobody.
    async fn get(&self, key: &str, load: impl Future<Output = Result<T>>) -> Result<T> {
        if let Some(kept) = self.kept.get(key).await {
            self.found.increment(1);
            return Ok(kept);
        }
        self.loaded.increment(1);
        self.kept.try_get_with_by_ref(key, load).await.map_err(shared)
    }

    async fn forget(&self, key: &str) {
        self.kept.invalidate(key).await;
    }

    fn forget_all(&self) {
        self.kept.invalidate_all();
    }
}

/// Prompts by their slug, those included that are not there. Public ones are shared; others stay in this process.
struct Prompts;

impl Family for Prompts {
    const NAME: &'static str = "prompt";
    type Value = Option<Arc<Prompt>>;

    fn weight(value: &Self::Value) -> usize {
        let text = |prompt: &Arc<Prompt>| prompt.draft.content.len() + prompt.draft.description.len();
        value.as_ref().map_or(0, text) + 600
    }

    fn encode(value: &Self::Value) -> Option<Vec<u8>> {
        let is_public = value.as_ref().is_none_or(|prompt| prompt.tenancy.audience == Audience::Public);
        if is_public { serde_json::to_vec(&value.as_deref()).ok() } else { None }
    }

    fn decode(&self, bytes: Bytes) -> Option<Self::Value> {
        serde_json::from_slice::<Option<Prompt>>(&bytes).ok().map(|prompt| prompt.map(Arc::new))
    }
}

/// The session with this id (the token's hash).
pub(crate) async fn session(app: &App, id: &str) -> Result<Option<Arc<Session>>> {
    let scope = Scope::Everything("the cookie tells who asks");
    let load = async { Ok(app.store().get::<Session>(&scope, id).await?.map(Arc::new)) };
    app.caches().sessions.get(id, load).await
}

/// The API key with this hash.
pub(crate) async fn key(app: &App, hash: &str) -> Result<Option<Arc<ApiKey>>> {
    let load = async { Ok(app.store().first(&queries::api_key_by_hash(hash)).await?.map(Arc::new)) };
    app.caches().keys.get(hash, load).await
}

/// The account with this id.
pub(crate) async fn user(app: &App, id: &UserId) -> Result<Option<Arc<User>>> {
    let scope = Scope::Everything("the credential tells who asks");
    let load = async { Ok(app.store().get::<User>(&scope, id.as_str()).await?.map(Arc::new)) };
    app.caches().users.get(id.as_str(), load).await
}

/// The provider keys of this owner, sealed. They open doors too: what is deleted here is used nowhere a second later.
pub(crate) async fn provider_keys(app: &App, owner: &Audience) -> Result<Arc<[ProviderKey]>> {
    let load = async { Ok(app.store().find(&queries::provider_keys_of(owner)).await?.items.into()) };
    app.caches().provider_keys.get(&owner.to_string(), load).await
}

/// The prompt with this slug, whoever may see it: callers check with [`Scope::covers`].
pub(crate) async fn prompt(app: &App, slug: &Slug) -> Result<Option<Arc<Prompt>>> {
    let prompts = &app.caches().prompts;
    if let Some(prompt) = prompts.peek(slug.as_str()) {
        return Ok(prompt);
    }
    let slot = match prompts.find(slug.as_str()).await {
        Ok(prompt) => return Ok(prompt),
        Err(slot) => slot,
    };
    let scope = Scope::Everything("shared by all callers; each is checked against its own scope");
    let prompt = app.store().first(&queries::prompt_by_slug(scope, slug)).await?.map(Arc::new);
    Ok(slot.fill(prompt, PROMPT_LIFE).await)
}

/// A failed load is shared by its askers; each gets an error of its own.
fn shared(error: Arc<Error>) -> Error {
    let mine = Error::new(error.kind(), error.code(), error.message().to_owned()).because(error.to_string());
    let mine = if error.is_told() { mine.told() } else { mine };
    match error.retry_wait() {
        Some(wait) => mine.retry_after(wait),
        None => mine,
    }
}

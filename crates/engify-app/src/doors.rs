//! What opens doors for one person, sessions and API keys, and closing it in the same batch as the change that calls for
//! it.

use engify_core::account::{Session, User};
use engify_core::api_key::ApiKey;
use engify_core::factor::HalfSession;
use engify_core::ids::UserId;
use engify_core::tenancy::Scope;
use engify_core::{Result, Time};
use engify_store::query::LIMIT;
use engify_store::{Batch, Entity, Patch, Query, queries};

use crate::App;

/// The doors of one person that are to be closed.
pub(crate) struct Doors {
    user: UserId,
    sessions: Vec<Session>,
    /// Sign-ins that wait for their second step.
    half_ways: Vec<HalfSession>,
    keys: Vec<ApiKey>,
    /// The session that stays; what it may do can change all the same.
    kept: Option<String>,
}

impl Doors {
    /// Their sessions.
    pub(crate) async fn sessions_of(app: &App, user: &User) -> Result<Self> {
        let sessions = all(app, queries::sessions_of(&user.id)).await?;
        let half_ways = all(app, queries::half_sessions_of(&user.id)).await?;
        Ok(Self { user: user.id.clone(), sessions, half_ways, keys: Vec::new(), kept: None })
    }

    /// Their sessions and those of their keys that still open something.
    pub(crate) async fn all_of(app: &App, user: &User) -> Result<Self> {
        let now = app.clock().now();
        let mut keys = all(app, queries::api_keys_of(&user.id)).await?;
        keys.retain(|key| key.is_live(now));
        Ok(Self { keys, ..Self::sessions_of(app, user).await? })
    }

    /// All but this session: whoever changes their own place is not thrown out by it.
    #[must_use]
    pub(crate) fn but(mut self, session: Option<&Session>) -> Self {
        self.sessions.retain(|one| session.is_none_or(|session| session.id != one.id));
        self.kept = session.map(|session| session.id.clone());
        self
    }

    /// This session alone.
    #[must_use]
    pub(crate) fn only(mut self, session: &str) -> Self {
        self.sessions.retain(|one| one.id == session);
        self.half_ways.clear();
        self
    }

    /// How many sessions, how many keys.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.sessions.len(), self.keys.len())
    }

    /// Adds their closing to a batch.
    ///
    /// # Errors
    /// Never in practice: a time has a JSON form.
    pub(crate) fn close(&self, mut batch: Batch, now: Time) -> Result<Batch> {
        let own = || Scope::Owner(self.user.clone());
        for session in &self.sessions {
            batch = batch.delete::<Session>(own(), &session.id);
        }
        for half in &self.half_ways {
            batch = batch.delete::<HalfSession>(own(), &half.id);
        }
        for key in &self.keys {
            batch = batch.patch::<ApiKey>(Patch::new(own(), &key.id).set("revokedAt", now)?.or_skip());
        }
        Ok(batch)
    }

    /// Drops them from memory once the batch is written, so that this process's next request finds them closed. Other
    /// processes learn of it through the journal.
    pub(crate) async fn forget(&self, app: &App) {
        app.caches().user_changed(self.user.as_str()).await;
        for id in self.sessions.iter().map(|session| &session.id).chain(&self.kept) {
            app.caches().session_changed(id).await;
        }
        for key in &self.keys {
            app.caches().key_changed(&key.key_hash).await;
        }
    }
}

/// Everything that a query finds, page by page. For what one person has, which other limits bound.
pub(crate) async fn all<E: Entity>(app: &App, query: Query<E>) -> Result<Vec<E>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = app.store().find(&query.clone().limit(LIMIT).after(after)).await?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

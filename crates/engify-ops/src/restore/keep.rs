//! What does not go back in time.
//!
//! The audit log goes on: a restore is one more line in it, not a hole. What the installation knows of its backups, jobs and
//! letters stays as it is. Nobody's session, link or half-done sign-in comes back to life. And what was revoked or disabled
//! since stays so, unless somebody says otherwise.

use engify_core::{Error, Result, Time};
use engify_store::comparison::{Comparison, Difference};
use engify_store::journal::Change;
use engify_store::{Collection, Doc, Store, collections};
use serde::Serialize;
use serde_json::Value;

use super::Wish;
use crate::{contents, documents};

/// Stay as they are, unless the database has no account yet.
pub const KEPT: &[&str] =
    &["audit_logs", "audit_chain", "backups", "drills", "jobs", "schedules", "messages", "key_usage"];

/// Stay as they are, and are never taken from a backup: who is about to sign in, and how far a database's own journal was
/// shipped.
pub const VOLATILE: &[&str] =
    &["sessions", "half_sessions", "ceremonies", "oauth_tickets", "links", "shipping"];

/// The two that prove that nobody changed the log: never restored alone.
const CHAIN: &[&str] = &["audit_logs", "audit_chain"];

/// Changes of the side database that are made together.
const TOGETHER: usize = 500;

/// What did not go back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// API keys that were revoked since and stay so.
    pub revoked_keys: u64,
    /// API keys that were deleted since and stay so.
    pub deleted_keys: u64,
    /// Accounts that were disabled since and stay so.
    pub disabled_accounts: u64,
    /// Revoked keys and disabled accounts that come back to life because somebody asked for it.
    pub revived: u64,
    /// Accounts whose password was changed since and is the old one again.
    pub older_passwords: u64,
}

impl Kept {
    /// Whether the side database is no longer exactly what was in the backup.
    pub(super) fn changed_something(&self) -> bool {
        self.revoked_keys + self.deleted_keys + self.disabled_accounts > 0
    }
}

/// Whether a collection goes back when everything does.
pub(super) fn goes_back(collection: &Collection, fresh: bool) -> bool {
    let name = collection.name;
    !VOLATILE.contains(&name) && (fresh || !KEPT.contains(&name))
}

/// A collection that somebody named.
pub(super) fn alone(name: &str) -> Result<&'static Collection> {
    if CHAIN.contains(&name) {
        return Err(Error::field(
            "collection",
            format!("{name} cannot be restored alone: its lines are sealed into a chain that goes on"),
        ));
    }
    documents::named(name)
}

/// Brings what must not come back to life from the live database into the side database.
pub(super) async fn keep(
    live: &Store,
    side: &Store,
    wish: &Wish,
    wanted: &[&'static Collection],
) -> Result<Kept> {
    let mut kept = Kept::default();
    for collection in wanted.iter().filter(|collection| ["api_keys", "users"].contains(&collection.name)) {
        let mut changes = Vec::new();
        {
            let (mut now, mut then) = (live.snapshot().await?, side.snapshot().await?);
            let mut walk = Comparison::new(collection, &mut now, &mut then);
            while let Some(difference) = walk.next().await? {
                let id = difference.id.clone();
                let Some(document) = (match collection.name {
                    "api_keys" => key(difference, wish.revive, &mut kept),
                    _ => account(difference, wish.revive, &mut kept),
                }) else {
                    continue;
                };
                changes.push(change(collection, id, document));
                if changes.len() >= TOGETHER {
                    side.apply(std::mem::take(&mut changes)).await?;
                }
            }
        }
        side.apply(changes).await?;
    }
    Ok(kept)
}

/// What the key is to be instead: what it is now, or nothing.
#[expect(clippy::option_option, reason = "no change, or a change to nothing")]
fn key(difference: Difference, revive: bool, kept: &mut Kept) -> Option<Option<Doc>> {
    let is_revoked = |doc: &Doc| !doc.get("revokedAt").unwrap_or(&Value::Null).is_null();
    let then = difference.after?;
    if is_revoked(&then) {
        return None;
    }
    match difference.before {
        Some(now) if !is_revoked(&now) => None,
        _ if revive => {
            kept.revived += 1;
            None
        }
        Some(now) => {
            kept.revoked_keys += 1;
            Some(Some(now))
        }
        None => {
            kept.deleted_keys += 1;
            Some(None)
        }
    }
}

#[expect(clippy::option_option, reason = "as for keys")]
fn account(difference: Difference, revive: bool, kept: &mut Kept) -> Option<Option<Doc>> {
    let (now, mut then) = (difference.before?, difference.after?);
    let field = |doc: &Doc, name: &str| doc.get(name).cloned().unwrap_or(Value::Null);
    kept.older_passwords += u64::from(field(&now, "passwordHash") != field(&then, "passwordHash"));
    let disabled = field(&now, "disabledAt");
    if disabled.is_null() || !field(&then, "disabledAt").is_null() {
        return None;
    }
    if revive {
        kept.revived += 1;
        return None;
    }
    kept.disabled_accounts += 1;
    then.insert("disabledAt".to_owned(), disabled);
    Some(Some(then))
}

/// Takes sessions and the like out of a database that is to take the place of one that is gone.
pub(super) async fn forget_visitors(side: &Store) -> Result<Kept> {
    for name in VOLATILE {
        let Some(collection) = collections::named(name) else { continue };
        loop {
            let page = side.snapshot().await?.page(collection, None).await?;
            if page.is_empty() {
                break;
            }
            let gone = |doc| change(collection, contents::id(doc).unwrap_or_default(), None);
            side.apply(page.iter().map(gone).collect()).await?;
        }
    }
    Ok(Kept::default())
}

/// A change of the side database, which is in nobody's journal.
fn change(collection: &Collection, id: String, document: Option<Doc>) -> Change {
    Change { position: 0, at: Time::from_millis(0), collection: collection.name.to_owned(), id, document }
}

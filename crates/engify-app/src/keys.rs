//! API keys: make, list, rotate, revoke, and who a key belongs to.

use std::sync::Arc;
use std::time::Duration;

use engify_core::api_key::{ApiKey, KeyLimits, PlainKey};
use engify_core::audit::{Action, Outcome, Target};
use engify_core::error::Faults;
use engify_core::ids::ApiKeyId;
use engify_core::permission::Permission;
use engify_core::tenancy::{Scope, Visibility};
use engify_core::words::line;
use engify_core::{Error, Kind, Result, Time};
use engify_store::{Batch, Page, Patch, queries};
use serde_json::json;

use crate::ctx::{Ctx, Identity};
use crate::recorder::Record;
use crate::{App, cache};

mod edit;
mod reminders;
pub(crate) mod terms;
mod usage;

pub use edit::{KeyChanges, update};
pub use reminders::remind;
pub(crate) use terms::tokens_a_day;
pub use terms::{admit, tighter};
pub(crate) use usage::Tallies;
pub use usage::{UsageDay, usage};

/// What a key may do where its maker does not say.
pub const DEFAULT_SCOPES: &[Permission] =
    &[Permission::PromptsRead, Permission::WorkbenchRun, Permission::RunsRead];
/// The most live keys of one person.
const MOST: usize = 100;
/// The longest grace at rotation.
const LONGEST_GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// What its owner calls it.
    pub name: String,
    /// What it may do; none for [`DEFAULT_SCOPES`].
    pub scopes: Option<Vec<String>>,
    /// The moment it stops, RFC 3339; none for never.
    pub expires_at: Option<String>,
    /// Where it may come from, at most 50 addresses and blocks; empty for everywhere.
    pub allowed_addresses: Vec<String>,
    /// How much it may be used.
    pub limits: KeyLimits,
}

/// A key just made: the only moment the key itself is known.
#[derive(Debug)]
pub struct MadeKey {
    /// What is stored.
    pub key: ApiKey,
    /// The key itself, to be shown once.
    pub plain: PlainKey,
}

/// Makes a key for the caller.
///
/// # Errors
/// `forbidden` without `keys:manage`; `invalid_request`; `too_many_keys`; `wider_than_key` for a key that makes one.
pub async fn create(ctx: &Ctx, new: NewKey) -> Result<MadeKey> {
    ctx.require_for(Permission::KeysManage, Action::ApiKeyCreated, Target::new("api_key", "new")).await?;
    let person = ctx.person()?;
    let mut faults = Faults::default();
    let name = faults.take("name", line(&new.name, 1, 100));
    let scopes = faults.take("scopes", scopes(ctx, new.scopes.as_deref()));
    let expires_at = new.expires_at.as_deref().filter(|text| !text.is_empty());
    let expires_at = expires_at.map(|text| faults.take("expiresAt", expiry(text, ctx.now())));
    let allowed_addresses = terms::addresses(&mut faults, &new.allowed_addresses);
    let limits = terms::limits(&mut faults, new.limits);
    let (Some(name), Some(scopes), true) = (name, scopes, faults.is_empty()) else {
        faults.check()?;
        return Err(Error::internal("a form without faults has all fields"));
    };
    let live = list(ctx, 200, None).await?.items.iter().filter(|key| key.is_live(ctx.now())).count();
    if live >= MOST {
        let message = format!("You have {MOST} live keys; revoke one that is not used any more.");
        return Err(Error::new(Kind::Conflict, "too_many_keys", message));
    }
    let mut made = make(ctx, name, scopes, expires_at.flatten());
    made.key.allowed_addresses = allowed_addresses;
    made.key.limits = limits;
    terms::within_own(ctx, &made.key)?;
    let details = json!({
        "name": made.key.name, "prefix": made.key.prefix, "scopes": made.key.scopes,
        "allowedAddresses": made.key.allowed_addresses, "limits": made.key.limits,
    });
    let audit =
        ctx.audit(Action::ApiKeyCreated, Outcome::Success, Target::new("api_key", &made.key.id), details);
    ctx.app().store().write(Batch::new().insert(&made.key)?.insert(&audit)?).await?;
    tracing::info!(key.id = %made.key.id, user.id = %person.user.id, "api_key.created");
    Ok(made)
}

fn make(ctx: &Ctx, name: String, scopes: Vec<Permission>, expires_at: Option<Time>) -> MadeKey {
    let plain = PlainKey::make(ctx.app().ids());
    let key = ApiKey {
        id: ApiKeyId::make(ctx.app().ids()),
        tenancy: ctx.tenancy(Visibility::Private),
        name,
        prefix: plain.prefix(),
        key_hash: plain.hash(),
        scopes,
        expires_at,
        last_used_at: None,
        revoked_at: None,
        replaced_by: None,
        allowed_addresses: Vec::new(),
        limits: KeyLimits::default(),
        reminded_days: None,
        created_at: ctx.now(),
    };
    MadeKey { key, plain }
}

fn scopes(ctx: &Ctx, words: Option<&[String]>) -> Result<Vec<Permission>, String> {
    let Some(words) = words else { return Ok(DEFAULT_SCOPES.to_vec()) };
    if words.is_empty() {
        return Err("takes at least one scope".to_owned());
    }
    let mut scopes = Vec::new();
    for word in words {
        let scope = Permission::parse(word)?;
        if !ctx.allows(scope) {
            return Err(format!("holds {scope}, which you may not do yourself"));
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

fn expiry(text: &str, now: Time) -> Result<Time, String> {
    // A date alone is what a browser's date field sends; it means the end of that day.
    let text = if text.len() == 10 { format!("{text}T23:59:59Z") } else { text.to_owned() };
    let at: Time = text.parse()?;
    if at <= now { Err("lies in the past".to_owned()) } else { Ok(at) }
}

/// The caller's keys, newest first.
///
/// # Errors
/// `forbidden` without `keys:manage`.
pub async fn list(ctx: &Ctx, limit: u32, cursor: Option<&str>) -> Result<Page<ApiKey>> {
    ctx.require(Permission::KeysManage)?;
    let query = queries::api_keys_of(&ctx.person()?.user.id);
    let cursor = cursor.map(|cursor| engify_store::Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// One of the caller's keys.
///
/// # Errors
/// `not_found`; `forbidden` without `keys:manage`.
pub async fn get(ctx: &Ctx, id: &str) -> Result<ApiKey> {
    ctx.require(Permission::KeysManage)?;
    own(ctx, id).await
}

async fn own(ctx: &Ctx, id: &str) -> Result<ApiKey> {
    let scope = Scope::Owner(ctx.person()?.user.id.clone());
    let found = match ApiKeyId::parse(id) {
        Ok(id) => ctx.app().store().get::<ApiKey>(&scope, id.as_str()).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| Error::not_found("API key"))
}

/// Revokes a key: dead for the next request here, within a second everywhere.
///
/// # Errors
/// `not_found`; `forbidden` without `keys:manage`.
pub async fn revoke(ctx: &Ctx, id: &str) -> Result<ApiKey> {
    ctx.require_for(Permission::KeysManage, Action::ApiKeyRevoked, Target::new("api_key", id)).await?;
    let mut key = own(ctx, id).await?;
    if key.revoked_at.is_some_and(|at| at <= ctx.now()) {
        return Ok(key);
    }
    key.revoked_at = Some(ctx.now());
    let patch =
        Patch::new(Scope::Owner(ctx.person()?.user.id.clone()), &key.id).set("revokedAt", key.revoked_at)?;
    let target = Target::new("api_key", &key.id);
    let audit = ctx.audit(Action::ApiKeyRevoked, Outcome::Success, target, json!({ "prefix": key.prefix }));
    ctx.app().store().write(Batch::new().patch::<ApiKey>(patch).insert(&audit)?).await?;
    ctx.app().caches().key_changed(&key.key_hash).await;
    Ok(key)
}

/// Replaces a key: a new one with the same name, scopes, expiry, addresses and limits; the old one works for `grace` longer (0 to 7 days).
///
/// # Errors
/// `not_found`; `key_not_live` for one that is revoked, expired or replaced; `forbidden` without `keys:manage`.
pub async fn rotate(ctx: &Ctx, id: &str, grace: Duration) -> Result<MadeKey> {
    ctx.require_for(Permission::KeysManage, Action::ApiKeyRotated, Target::new("api_key", id)).await?;
    let old = own(ctx, id).await?;
    if grace > LONGEST_GRACE {
        return Err(Error::field("graceSeconds", format!("is at most {}", LONGEST_GRACE.as_secs())));
    }
    if !old.is_live(ctx.now()) || old.replaced_by.is_some() {
        let message = "This key is revoked, expired or already replaced; create a new one instead.";
        return Err(Error::new(Kind::Conflict, "key_not_live", message));
    }
    let mut made = make(ctx, old.name.clone(), old.scopes.clone(), old.expires_at);
    made.key.allowed_addresses.clone_from(&old.allowed_addresses);
    made.key.limits = old.limits;
    terms::within_own(ctx, &made.key)?;
    let patch = Patch::new(Scope::Owner(ctx.person()?.user.id.clone()), &old.id)
        .set("revokedAt", ctx.now().plus(grace))?
        .set("replacedBy", &made.key.id)?
        .when("replacedBy", serde_json::Value::Null)?;
    let details = json!({ "old": old.prefix, "new": made.key.prefix, "graceSeconds": grace.as_secs() });
    let audit = ctx.audit(Action::ApiKeyRotated, Outcome::Success, Target::new("api_key", &old.id), details);
    let batch = Batch::new().insert(&made.key)?.patch::<ApiKey>(patch).insert(&audit)?;
    ctx.app().store().write(batch).await?;
    ctx.app().caches().key_changed(&old.key_hash).await;
    Ok(made)
}

/// Who a key belongs to.
///
/// # Errors
/// `invalid_api_key` for one that is malformed, unknown, expired, revoked, or of a disabled account;
/// `database_unavailable` where that cannot be told.
pub async fn by_key(app: &App, text: &str) -> Result<Identity> {
    let refused = |why: &str| {
        Error::new(
            Kind::Unauthenticated,
            "invalid_api_key",
            format!("The API key {why}. Create or rotate it under Settings, Keys."),
        )
    };
    let Some(plain) = PlainKey::parse(text) else {
        return Err(refused(
            "is not one of ours or has a typo: it starts with egf_ and ends with a checksum",
        ));
    };
    let Some(key) = cache::key(app, &plain.hash()).await? else { return Err(refused("is unknown")) };
    let now = app.clock().now();
    if key.revoked_at.is_some_and(|at| at <= now) {
        return Err(refused("is revoked"));
    }
    if key.expires_at.is_some_and(|at| at <= now) {
        return Err(refused("is expired"));
    }
    let owner = key.tenancy.user_id.as_ref().ok_or_else(|| Error::internal("an API key has an owner"))?;
    let user = cache::user(app, owner).await?.filter(|user| user.disabled_at.is_none());
    let Some(user) = user else { return Err(refused("belongs to an account that is switched off")) };
    if key.last_used_at.is_none_or(|at| now.since(at) > Duration::from_secs(60)) {
        app.recorder().count(Record::KeyUsed(key.id.clone()));
    }
    Ok(Identity { user, session: None, key: Some(Arc::clone(&key)) })
}

//! Changing a key's name, addresses and limits. The key itself never changes: that is a rotation.

use engify_core::api_key::{ApiKey, KeyLimits};
use engify_core::audit::{Action, Outcome, Target};
use engify_core::error::Faults;
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_core::words::line;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, Patch};
use serde_json::{Value, json};

use super::{own, terms};
use crate::Ctx;

/// What to change; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct KeyChanges {
    /// What its owner calls it, 1 to 100 characters.
    pub name: Option<String>,
    /// Where it may come from, at most 50 addresses and blocks; empty for everywhere.
    pub allowed_addresses: Option<Vec<String>>,
    /// How much it may be used.
    pub limits: Option<KeyLimits>,
}

/// Changes a key's terms: they hold for the next request here, within a second everywhere.
///
/// # Errors
/// `not_found`; `invalid_request`; `key_not_live`; `forbidden` without `keys:manage`.
pub async fn update(ctx: &Ctx, id: &str, changes: KeyChanges) -> Result<ApiKey> {
    ctx.require_for(Permission::KeysManage, Action::ApiKeyUpdated, Target::new("api_key", id)).await?;
    let before = own(ctx, id).await?;
    if !before.is_live(ctx.now()) {
        let message = "This key is revoked or expired and cannot be changed; create a new one instead.";
        return Err(Error::new(Kind::Conflict, "key_not_live", message));
    }
    let mut after = before.clone();
    let mut faults = Faults::default();
    if let Some(name) = changes.name.and_then(|name| faults.take("name", line(&name, 1, 100))) {
        after.name = name;
    }
    if let Some(addresses) = changes.allowed_addresses {
        after.allowed_addresses = terms::addresses(&mut faults, &addresses);
    }
    if let Some(limits) = changes.limits {
        after.limits = terms::limits(&mut faults, limits);
    }
    faults.check()?;
    terms::within_own(ctx, &after)?;
    let (was, is) = (told(&before), told(&after));
    if was == is {
        return Ok(after);
    }
    let patch = Patch::new(Scope::Owner(ctx.person()?.user.id.clone()), &after.id)
        .set("name", &after.name)?
        .set("allowedAddresses", &after.allowed_addresses)?
        .set("limits", after.limits)?;
    let target = Target::new("api_key", &after.id);
    let details = json!({ "prefix": after.prefix, "before": was, "after": is });
    let audit = ctx.audit(Action::ApiKeyUpdated, Outcome::Success, target, details);
    ctx.app().store().write(Batch::new().patch::<ApiKey>(patch).insert(&audit)?).await?;
    ctx.app().caches().key_changed(&after.key_hash).await;
    Ok(after)
}

fn told(key: &ApiKey) -> Value {
    json!({ "name": key.name, "allowedAddresses": key.allowed_addresses, "limits": key.limits })
}

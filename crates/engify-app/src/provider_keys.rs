//! Keys of AI providers that people and organizations bring: store, list, delete, try. A key comes in once and is never
//! shown again; it is opened only for a call that needs it.

use engify_clients::ai::Provider;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::error::Faults;
use engify_core::permission::Permission;
use engify_core::provider_key::{KeySource, ProviderKey, of_organization, of_person};
use engify_core::tenancy::{Audience, Scope, Tenancy};
use engify_core::{Error, Result, Secret};
use engify_store::{Batch, Patch};
use serde_json::json;

use crate::{Ctx, cache};

mod keyring;
mod trial;

pub(crate) use keyring::{Choice, Keyring};
pub use trial::{Trial, try_all_stored, try_installation, try_stored};

/// Whose keys are looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The caller's own.
    Person,
    /// Their organization's.
    Organization,
}

impl Holder {
    /// The source that runs with these keys name.
    pub fn source(self) -> KeySource {
        match self {
            Self::Person => KeySource::Own,
            Self::Organization => KeySource::Organization,
        }
    }

    fn permission(self) -> Permission {
        match self {
            Self::Person => Permission::KeysManage,
            Self::Organization => Permission::OrganizationManage,
        }
    }

    /// Authorizes, and says whose document it is.
    async fn admit(self, ctx: &Ctx, action: Action, provider: &str) -> Result<Tenancy> {
        ctx.require_for(self.permission(), action, Target::new("provider_key", provider)).await?;
        self.tenancy(ctx)
    }

    /// As [`Holder::admit`], for a change: an organization's keys pay for everybody in it, so whoever changes them proves
    /// again who they are.
    async fn admit_change(self, ctx: &Ctx, action: Action, provider: &str) -> Result<Tenancy> {
        let tenancy = self.admit(ctx, action, provider).await?;
        if self == Self::Organization {
            ctx.require_fresh()?;
        }
        Ok(tenancy)
    }

    fn tenancy(self, ctx: &Ctx) -> Result<Tenancy> {
        let user = &ctx.person()?.user;
        match (self, &user.organization_id) {
            (Self::Person, _) => Ok(of_person(&user.id)),
            (Self::Organization, Some(organization)) => Ok(of_organization(organization)),
            (Self::Organization, None) => Err(Error::not_found("organization")),
        }
    }
}

/// The stored keys, by provider.
///
/// # Errors
/// `forbidden` without `keys:manage` (`organization:manage` for an organization's); `not_found` without an organization.
pub async fn list(ctx: &Ctx, holder: Holder) -> Result<Vec<ProviderKey>> {
    ctx.require(holder.permission())?;
    let owner = holder.tenancy(ctx)?.audience;
    Ok(cache::provider_keys(ctx.app(), &owner).await?.to_vec())
}

/// Stores a key, or replaces the one that is there.
///
/// # Errors
/// `invalid_request` for an unknown provider and a key that does not look like one of its; `fresh_factor_required` for an
/// organization's; else as [`list`].
pub async fn save(ctx: &Ctx, holder: Holder, provider: &str, key: &Secret<String>) -> Result<ProviderKey> {
    let tenancy = holder.admit_change(ctx, Action::ProviderKeySaved, provider).await?;
    let key = Secret::new(key.reveal().trim().to_owned());
    let mut faults = Faults::default();
    if let Some(provider) = faults.take("provider", taking_keys(provider)) {
        faults.take("key", provider.check_key(key.reveal()));
    }
    faults.check()?;
    let provider = taking_keys(provider).map_err(|issue| Error::field("provider", issue))?.name();
    // Of two that store the first key at once, the second finds the first one's and replaces it.
    match put(ctx, &tenancy, provider, &key).await {
        Err(fault) if fault.code() == "duplicate" => put(ctx, &tenancy, provider, &key).await,
        done => done,
    }
}

async fn put(ctx: &Ctx, tenancy: &Tenancy, provider: &str, key: &Secret<String>) -> Result<ProviderKey> {
    let app = ctx.app();
    let seal = |place: &str, key: &Secret<String>| app.vault().seal(place, key);
    let mut stored = ProviderKey::make(app.ids(), tenancy.clone(), provider, key, ctx.now(), seal)?;
    let before = stored_now(ctx, &tenancy.audience, provider).await?;
    let details = json!({
        "owner": tenancy.audience, "provider": provider,
        "before": before.as_ref().map(|key| &key.hint), "after": stored.hint,
    });
    let batch = match before {
        None => Batch::new().insert(&stored)?,
        Some(before) => {
            stored.id = before.id;
            stored.created_at = before.created_at;
            stored.last_used_at = before.last_used_at;
            let patch = Patch::new(owned(&tenancy.audience), &stored.id)
                .set("sealed", &stored.sealed)?
                .set("hint", &stored.hint)?
                .set("updatedAt", stored.updated_at)?
                .set("lastTest", serde_json::Value::Null)?;
            Batch::new().patch::<ProviderKey>(patch)
        }
    };
    let target = Target::new("provider_key", &stored.id);
    let audit = ctx.audit(Action::ProviderKeySaved, Outcome::Success, target, details);
    app.store().write(batch.insert(&audit)?).await?;
    app.caches().provider_keys_changed(&tenancy.audience.to_string()).await;
    tracing::info!(key.id = %stored.id, ai.provider = provider, "provider_key.saved");
    Ok(stored)
}

/// Deletes a key: runs after this do not use it.
///
/// # Errors
/// `not_found` where there is none; `fresh_factor_required` for an organization's; else as [`list`].
pub async fn delete(ctx: &Ctx, holder: Holder, provider: &str) -> Result<()> {
    let owner = holder.admit_change(ctx, Action::ProviderKeyDeleted, provider).await?.audience;
    let missing = || Error::not_found("provider key");
    let name = taking_keys(provider).map_err(|_| missing())?.name();
    let key = stored_now(ctx, &owner, name).await?.ok_or_else(missing)?;
    let details = json!({ "owner": owner, "provider": key.provider, "before": key.hint });
    let target = Target::new("provider_key", &key.id);
    let audit = ctx.audit(Action::ProviderKeyDeleted, Outcome::Success, target, details);
    let batch = Batch::new().delete::<ProviderKey>(owned(&owner), &key.id).insert(&audit)?;
    ctx.app().store().write(batch).await?;
    ctx.app().caches().provider_keys_changed(&owner.to_string()).await;
    tracing::info!(key.id = %key.id, ai.provider = key.provider, "provider_key.deleted");
    Ok(())
}

fn owned(owner: &Audience) -> Scope {
    Scope::Audiences(vec![owner.clone()])
}

/// The stored key of a provider, from the store itself.
async fn stored_now(ctx: &Ctx, owner: &Audience, provider: &str) -> Result<Option<ProviderKey>> {
    let keys = ctx.app().store().find(&engify_store::queries::provider_keys_of(owner)).await?.items;
    Ok(keys.into_iter().find(|key| key.provider == provider))
}

/// A provider by name that takes keys.
fn taking_keys(name: &str) -> Result<Provider, String> {
    let provider = Provider::parse(name.trim())?;
    if provider.key_variable().is_none() {
        return Err(format!("takes no key: {}", provider.label()));
    }
    Ok(provider)
}

//! Trying keys: does it look like one, does the provider take it, how long does that take, and what to do where not.

use std::time::{Duration, Instant};

use engify_clients::ai::{Endpoint, FailureKind, Provider, probe};
use engify_core::audit::{Action, Outcome, Target};
use engify_core::permission::Permission;
use engify_core::provider_key::{KeySource, KeyTest, ProviderKey};
use engify_core::tenancy::Scope;
use engify_core::{Error, Result, Secret};
use engify_store::{Batch, Patch, queries};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::json;

use super::{Holder, keyring, stored_now, taking_keys};
use crate::Ctx;

/// How long a provider may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// How many keys are tried at once.
const AT_ONCE: usize = 8;
/// The word for a key that works.
const WORKS: &str = "works";

/// What came of trying one key.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// `openai`, `anthropic`, …
    pub provider: String,
    /// As people call it.
    pub name: String,
    /// Whose key it is.
    pub source: KeySource,
    /// The owner of a stored key: `user:<id>` or `org:<id>`; null for the installation's.
    pub owner: Option<String>,
    /// The last four characters of the key, where it is long enough; null for a provider without keys.
    pub hint: Option<String>,
    /// Whether it looks like a key of this provider; null for a provider without keys.
    pub format_ok: Option<bool>,
    /// Whether it works.
    pub ok: bool,
    /// `works`, `bad_format`, `bad_key`, `rate_limited`, `timeout`, `upstream`, `unreadable`.
    pub reason: String,
    /// What to do, in a sentence; empty where it works.
    pub message: String,
    /// Milliseconds that the provider took; null where it was not asked.
    pub latency_ms: Option<f64>,
}

/// Tries the stored keys of a holder, or that of one provider.
///
/// # Errors
/// `forbidden`; `not_found` where the named provider has no stored key.
pub async fn try_stored(ctx: &Ctx, holder: Holder, provider: Option<&str>) -> Result<Vec<Trial>> {
    let owner = holder.admit(ctx, Action::ProviderKeysTested, provider.unwrap_or("all")).await?.audience;
    let keys = match provider {
        None => ctx.app().store().find(&queries::provider_keys_of(&owner)).await?.items,
        Some(name) => {
            let name = taking_keys(name).map_err(|issue| Error::field("provider", issue))?.name();
            vec![stored_now(ctx, &owner, name).await?.ok_or_else(|| Error::not_found("provider key"))?]
        }
    };
    let trials = try_keys(ctx, &keys, holder.source()).await?;
    note(ctx, &owner.to_string(), &trials).await?;
    Ok(trials)
}

/// Tries what the installation's settings configure, local servers without keys included.
///
/// # Errors
/// `forbidden` without `system:settings`.
pub async fn try_installation(ctx: &Ctx) -> Result<Vec<Trial>> {
    let target = Target::new("provider_key", "installation");
    ctx.require_for(Permission::SystemSettings, Action::ProviderKeysTested, target).await?;
    let endpoints = ctx.app().providers().all_installed().to_vec();
    let trials = stream::iter(endpoints).map(|endpoint| async move {
        let set = ctx.app().settings().provider(endpoint.provider().name());
        let key = set.and_then(|set| set.key.clone());
        let own_address = endpoint.base_url() != endpoint.provider().default_base_url();
        let subject = Subject::new(endpoint.provider(), KeySource::Installation, key.as_ref());
        // Behind a proxy or another server of the operator's own, keys may look however that server likes.
        if subject.fault.is_some() && !own_address {
            subject.bad_format()
        } else {
            subject.ask(ctx, &endpoint).await
        }
    });
    let trials: Vec<Trial> = trials.buffered(AT_ONCE).collect().await;
    note(ctx, "installation", &trials).await?;
    Ok(trials)
}

/// Tries every stored key of everybody: for the operator.
///
/// # Errors
/// `forbidden` without `system:settings`.
pub async fn try_all_stored(ctx: &Ctx) -> Result<Vec<Trial>> {
    let target = Target::new("provider_key", "stored");
    ctx.require_for(Permission::SystemSettings, Action::ProviderKeysTested, target).await?;
    let mut query = queries::all_of::<ProviderKey>().limit(200);
    let mut trials = Vec::new();
    loop {
        let page = ctx.app().store().find(&query).await?;
        for key in &page.items {
            let source = if key.tenancy.user_id.is_some() { KeySource::Own } else { KeySource::Organization };
            trials.extend(try_keys(ctx, std::slice::from_ref(key), source).await?);
        }
        if page.next.is_none() {
            break;
        }
        query = query.after(page.next);
    }
    note(ctx, "stored", &trials).await?;
    Ok(trials)
}

/// Tries stored keys and keeps with each what came of it.
async fn try_keys(ctx: &Ctx, keys: &[ProviderKey], source: KeySource) -> Result<Vec<Trial>> {
    let trials = stream::iter(keys.to_vec()).map(|key| async move { try_one(ctx, &key, source).await });
    let trials: Vec<Trial> =
        trials.buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect::<Result<_>>()?;
    let mut batch = Batch::new();
    for (key, trial) in keys.iter().zip(&trials) {
        let test = KeyTest { tested_at: ctx.now(), ok: trial.ok, reason: trial.reason.clone() };
        // A key that was replaced meanwhile was not the one that was tried.
        let scope = Scope::Audiences(vec![key.tenancy.audience.clone()]);
        let patch = Patch::new(scope, &key.id).set("lastTest", test)?.when("updatedAt", key.updated_at)?;
        batch = batch.patch::<ProviderKey>(patch.or_skip());
    }
    ctx.app().store().write(batch).await?;
    for key in keys {
        ctx.app().caches().provider_keys_changed(&key.tenancy.audience.to_string()).await;
    }
    Ok(trials)
}

async fn try_one(ctx: &Ctx, key: &ProviderKey, source: KeySource) -> Result<Trial> {
    let provider = Provider::parse(&key.provider).map_err(Error::internal)?;
    let mut subject = Subject::new(provider, source, None);
    subject.owner = Some(key.tenancy.audience.to_string());
    subject.hint = Some(key.hint.clone());
    Ok(match keyring::opened(ctx.app(), provider, key) {
        Ok(endpoint) => subject.ask(ctx, &endpoint).await,
        Err(fault) => subject.trial("unreadable", fault.message().to_owned(), None),
    })
}

/// What is tried.
struct Subject {
    provider: Provider,
    source: KeySource,
    owner: Option<String>,
    hint: Option<String>,
    has_key: bool,
    fault: Option<String>,
}

impl Subject {
    fn new(provider: Provider, source: KeySource, key: Option<&Secret<String>>) -> Self {
        let fault = key.and_then(|key| provider.check_key(key.reveal()).err());
        let hint = key.map(engify_core::provider_key::hint);
        Self { provider, source, owner: None, hint, has_key: provider.key_variable().is_some(), fault }
    }

    async fn ask(self, ctx: &Ctx, endpoint: &Endpoint) -> Trial {
        let begun = Instant::now();
        let answer = probe(&ctx.app().providers().caller, endpoint, DEADLINE).await;
        let latency = Some((begun.elapsed().as_secs_f64() * 1e6).round() / 1e3);
        match answer {
            Ok(()) => self.trial(WORKS, String::new(), latency),
            Err(failure) => {
                // Each failure that is about nothing but this call is one of the provider's side.
                let reason = match failure.kind {
                    FailureKind::Refused | FailureKind::TooLong => FailureKind::Upstream,
                    kind => kind,
                };
                self.trial(reason.word(), failure.message, latency)
            }
        }
    }

    fn bad_format(self) -> Trial {
        let issue = self.fault.clone().unwrap_or_default();
        let place = self.provider.key_variable().unwrap_or_default();
        self.trial("bad_format", format!("{place} {issue}."), None)
    }

    fn trial(self, reason: &str, message: String, latency_ms: Option<f64>) -> Trial {
        Trial {
            provider: self.provider.name().to_owned(),
            name: self.provider.label().to_owned(),
            source: self.source,
            owner: self.owner,
            hint: self.hint,
            format_ok: self.has_key.then_some(self.fault.is_none()),
            ok: reason == WORKS,
            reason: reason.to_owned(),
            message,
            latency_ms,
        }
    }
}

async fn note(ctx: &Ctx, whose: &str, trials: &[Trial]) -> Result<()> {
    let bad = trials.iter().filter(|trial| !trial.ok).count();
    let details = json!({ "tried": trials.len(), "bad": bad });
    let target = Target::new("provider_key", whose);
    let audit = ctx.audit(Action::ProviderKeysTested, Outcome::Success, target, details);
    ctx.app().store().write(Batch::new().insert(&audit)?).await?;
    Ok(())
}

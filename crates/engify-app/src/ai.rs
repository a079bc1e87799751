//! Running prompts on AI providers: `execute` for the whole answer, `stream` for words as they come.
//!
//! The walk: permission → limits → prompt through the cache → provider's endpoint → call → run recorded, audit, figures.

use std::sync::Arc;

use engify_clients::ai::{Caller, Endpoint, Provider, models};
use engify_core::provider_key::KeySource;
use engify_core::settings::Settings;
use engify_core::{Error, Result};
use serde::Serialize;
use tokio_util::task::TaskTracker;

use crate::provider_keys::Keyring;
use crate::{App, Ctx};

mod allowance;
mod answer;
mod ask;
mod dry_run;
mod execute;
mod tokens;

pub use answer::{Answer, Cost, dollars};
pub use ask::Ask;
pub use execute::{Frame, Frames, execute, stream};

/// The providers that can be used here, and what is under way on them.
pub(crate) struct Providers {
    pub(crate) caller: Caller,
    endpoints: Vec<Arc<Endpoint>>,
    addresses: Vec<(Provider, String)>,
    running: TaskTracker,
}

impl Providers {
    pub(crate) fn new(settings: &Settings, caller: Caller) -> Result<Self> {
        let (mut endpoints, mut addresses) = (Vec::new(), Vec::new());
        for set in &settings.ai.providers {
            let provider = Provider::parse(set.provider).map_err(Error::internal)?;
            addresses.push((provider, set.base_url.clone()));
            if set.configured {
                let endpoint = Endpoint::new(provider, &set.base_url, set.key.clone())
                    .map_err(|why| Error::invalid(format!("The settings of {}: {why}.", provider.label())))?;
                endpoints.push(Arc::new(endpoint));
            }
        }
        Ok(Self { caller, endpoints, addresses, running: TaskTracker::new() })
    }

    /// Where the installation's own settings lead, if they configure this provider.
    pub(crate) fn installation(&self, provider: Provider) -> Option<&Arc<Endpoint>> {
        self.endpoints.iter().find(|endpoint| endpoint.provider() == provider)
    }

    /// Everywhere the installation's own settings lead.
    pub(crate) fn all_installed(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Where calls to this provider go, whosever key they carry: the operator's to say, and nobody else's.
    pub(crate) fn address(&self, provider: Provider) -> &str {
        let set = self.addresses.iter().find(|(known, _)| *known == provider);
        set.map_or_else(|| provider.default_base_url(), |(_, address)| address)
    }

    /// Waits for streams under way, at most 20 seconds.
    pub(crate) async fn drain(&self) {
        self.running.close();
        if tokio::time::timeout(std::time::Duration::from_secs(20), self.running.wait()).await.is_err() {
            tracing::warn!(streams = self.running.len(), "ai.undrained: streams were cut at shutdown");
        }
    }
}

/// A provider as the pages and the API show it.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderInfo {
    /// `openai`, `anthropic`, …
    pub id: String,
    /// As people call it.
    pub name: String,
    /// Whether this caller's runs can use it.
    pub configured: bool,
    /// Whose key such a run uses; null where it is not configured, and for the dry run.
    pub key_source: Option<KeySource>,
    /// The environment variable of its key, where it needs one.
    pub key_variable: Option<String>,
    /// What its keys look like.
    pub key_format: Option<String>,
    /// What runs where no model is named.
    pub default_model: String,
    /// The models with known prices; others may be named and cost "unknown".
    pub models: Vec<ModelInfo>,
}

/// A model with its price.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// As the provider names it.
    pub id: String,
    /// As people call it.
    pub name: String,
    /// How many tokens fit, in and out.
    pub context_tokens: u64,
    /// US dollars for a million tokens in.
    pub input_per_million: f64,
    /// US dollars for a million tokens out.
    pub output_per_million: f64,
}

/// Every provider there is, the dry run last, with what this caller can use.
///
/// # Errors
/// `database_unavailable`.
pub async fn providers(ctx: &Ctx) -> Result<Vec<ProviderInfo>> {
    let keyring = Keyring::of(ctx).await?;
    let all = Provider::ALL.iter();
    Ok(all.map(|provider| info(*provider, keyring.source(ctx.app(), *provider))).collect())
}

/// Every provider there is, whoever can use it.
pub fn known() -> Vec<ProviderInfo> {
    Provider::ALL.iter().map(|provider| info(*provider, None)).collect()
}

/// How many providers everybody here can use: those that the settings configure.
pub fn installed(app: &App) -> usize {
    app.providers().all_installed().len()
}

fn info(provider: Provider, key_source: Option<KeySource>) -> ProviderInfo {
    let models = models::all().iter().filter(|model| model.provider == provider);
    ProviderInfo {
        id: provider.name().to_owned(),
        name: provider.label().to_owned(),
        configured: provider == Provider::DryRun || key_source.is_some(),
        key_source,
        key_variable: provider.key_variable().map(str::to_owned),
        key_format: provider.key_format().map(str::to_owned),
        default_model: provider.default_model().to_owned(),
        models: models
            .map(|model| ModelInfo {
                id: model.id.clone(),
                name: model.label.clone(),
                context_tokens: model.context_tokens,
                input_per_million: model.input_per_million,
                output_per_million: model.output_per_million,
            })
            .collect(),
    }
}

/// The provider and model that run where a caller names none: the first that they can use, else the dry run.
///
/// # Errors
/// `database_unavailable`.
pub async fn default_choice(ctx: &Ctx) -> Result<(String, String)> {
    let provider = first_usable(ctx.app(), &Keyring::of(ctx).await?);
    Ok((provider.name().to_owned(), provider.default_model().to_owned()))
}

fn first_usable(app: &App, keyring: &Keyring) -> Provider {
    let usable = |provider: &&Provider| keyring.source(app, **provider).is_some();
    Provider::ALL.iter().find(usable).copied().unwrap_or(Provider::DryRun)
}

/// The day the prices are of, `2026-11-22`.
pub fn prices_as_of() -> &'static str {
    models::as_of()
}

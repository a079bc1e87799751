//! What a caller asks for, and what becomes of it once everything about it is checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use engify_clients::ai::{Provider, Request, models};
use engify_core::error::Faults;
use engify_core::prompt::{Prompt, limits};
use engify_core::provider_key::KeySource;
use engify_core::words::{block, line};
use engify_core::{Error, Kind, Result};

use super::first_usable;
use crate::provider_keys::{Choice, Keyring};
use crate::{Ctx, prompts};

/// A run, as asked for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The prompt itself; or
    pub prompt: Option<String>,
    /// a prompt of the library,
    pub prompt_slug: Option<String>,
    /// with its blanks filled.
    pub variables: BTreeMap<String, String>,
    /// `openai`, `anthropic`, …; the first that is configured where it is left out.
    pub provider: Option<String>,
    /// As the provider names it; the provider's default where it is left out.
    pub model: Option<String>,
    /// The system prompt.
    pub system_prompt: Option<String>,
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// 1 to 1 000 000.
    pub max_tokens: Option<u32>,
    /// The caller's own id for this run, 1 to 100 printable characters; a second run with it is refused.
    pub run_id: Option<String>,
}

/// A run that can be made.
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) request: Request,
    pub(super) prompt: String,
    pub(super) from: Option<Arc<Prompt>>,
    pub(super) run_id: Option<String>,
}

/// Where it goes.
pub(super) enum Target {
    /// To a provider, with whosever key.
    Provider(Choice),
    /// Nowhere; the name is that of the model whose price is shown.
    Nobody(Option<String>),
}

impl Target {
    pub(super) fn provider(&self) -> Provider {
        match self {
            Self::Provider(choice) => choice.endpoint.provider(),
            Self::Nobody(_) => Provider::DryRun,
        }
    }

    /// Whose key it carries.
    pub(super) fn key_source(&self) -> Option<KeySource> {
        match self {
            Self::Provider(choice) => Some(choice.source),
            Self::Nobody(_) => None,
        }
    }
}

impl Ask {
    /// Checks everything about a run before anything is taken or spent.
    pub(super) async fn plan(self, ctx: &Ctx) -> Result<Plan> {
        let keyring = Keyring::of(ctx).await?;
        let mut faults = Faults::default();
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let system = given(self.system_prompt)
            .and_then(|text| faults.take("systemPrompt", block(&text, 1, limits::VALUE)));
        if self.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
            faults.push("temperature", "is a number from 0 to 2");
        }
        if self.max_tokens.is_some_and(|max| !(1..=1_000_000).contains(&max)) {
            faults.push("maxTokens", "is a whole number from 1 to 1000000");
        }
        let run_id = given(self.run_id).and_then(|id| faults.take("runId", line(&id, 1, 100)));
        let model = given(self.model).and_then(|model| faults.take("model", model_name(&model)));
        let provider = match given(self.provider) {
            None => Some(first_usable(ctx.app(), &keyring)),
            Some(name) => faults.take("provider", Provider::parse(name.trim())),
        };
        let (prompt, slug) = (given(self.prompt), given(self.prompt_slug));
        let text = match (&prompt, &slug) {
            (Some(text), None) => faults.take("prompt", block(text, 1, limits::CONTENT.1)),
            (None, Some(_)) => None,
            _ => {
                faults.push("prompt", "give either prompt, or promptSlug with variables");
                None
            }
        };
        if prompt.is_some() && !self.variables.is_empty() {
            faults.push("variables", "go with promptSlug; a prompt that is given whole has none");
        }
        let (Some(provider), true) = (provider, faults.is_empty()) else {
            faults.check()?;
            return Err(Error::internal("a request without faults names a provider"));
        };
        let target = target(ctx, &keyring, provider, model.as_deref())?;
        let from = match slug {
            Some(slug) => Some(prompts::get(ctx, &slug).await?),
            None => None,
        };
        let prompt = match (&from, text) {
            (Some(from), _) => prompts::render(from, &self.variables)?,
            (None, Some(text)) => text,
            (None, None) => return Err(Error::internal("a request without faults has a prompt")),
        };
        let model = model
            .filter(|_| provider != Provider::DryRun)
            .unwrap_or_else(|| provider.default_model().to_owned());
        let mut request = Request::prompt(model, prompt.clone());
        request.system = system;
        // Some models refuse any temperature, the default included.
        let refused = models::find(provider, &request.model).is_some_and(|model| !model.temperature);
        request.temperature = self.temperature.filter(|_| !refused);
        request.max_tokens = self.max_tokens;
        Ok(Plan { target, request, prompt, from, run_id })
    }
}

fn target(ctx: &Ctx, keyring: &Keyring, provider: Provider, model: Option<&str>) -> Result<Target> {
    if provider == Provider::DryRun {
        return Ok(Target::Nobody(model.map(str::to_owned)));
    }
    if let Some(choice) = keyring.choose(ctx.app(), provider)? {
        return Ok(Target::Provider(choice));
    }
    let variable = provider.key_variable().or(provider.base_url_variable()).unwrap_or_default();
    let own = if provider.key_variable().is_some() {
        "Store a key of your own under Settings, Providers, or set"
    } else {
        "Set"
    };
    let message = format!(
        "{} is not configured here. {own} {variable} and restart, or use the provider dry-run, which calls nobody.",
        provider.label()
    );
    Err(Error::new(Kind::Invalid, "provider_not_configured", message).detail("provider", "is not configured"))
}

fn model_name(text: &str) -> Result<String, String> {
    let text = line(text, 1, 200)?;
    let fits =
        text.chars().all(|c| c.is_ascii_alphanumeric() || "._:/-@".contains(c)) && !text.contains("..");
    if fits {
        Ok(text)
    } else {
        Err("takes letters, digits and . _ : / - @, as the provider writes it".to_owned())
    }
}

//! The models that forms offer.

use engify_app::Ctx;
use engify_app::ai::{self, ModelInfo, ProviderInfo};
use engify_core::Result;

use super::cards::usd;
use crate::pages::ModelChoice;

/// Every model that can be chosen, those that can run here first; the dry run is among them.
pub(super) async fn choices(ctx: &Ctx) -> Result<Vec<ModelChoice>> {
    Ok(sorted(&ai::providers(ctx).await?))
}

fn sorted(providers: &[ProviderInfo]) -> Vec<ModelChoice> {
    let (mut ready, waiting): (Vec<_>, Vec<_>) =
        providers.iter().flat_map(offered).partition(|choice: &ModelChoice| choice.ready);
    ready.extend(waiting);
    ready
}

/// Every model that can be chosen, and what was chosen beside them: a name that the price list does not have can run too.
pub(super) async fn choices_with(ctx: &Ctx, chosen: &[String]) -> Result<Vec<ModelChoice>> {
    let providers = ai::providers(ctx).await?;
    let mut choices = sorted(&providers);
    let known = |choices: &[ModelChoice], value: &str| choices.iter().any(|choice| choice.value() == value);
    let unknown: Vec<&String> = chosen.iter().filter(|value| !known(&choices, value)).collect();
    let named = |value: &&String| {
        let (provider, model) = value.split_once('/')?;
        let info = providers.iter().find(|info| info.id == provider)?;
        let (provider, model) = (provider.to_owned(), model.to_owned());
        let label = model.clone();
        Some(ModelChoice {
            provider,
            provider_label: info.name.clone(),
            model,
            label,
            price: None,
            ready: info.configured,
        })
    };
    choices.extend(unknown.iter().filter_map(named).collect::<Vec<_>>());
    Ok(choices)
}

/// What is chosen unless somebody chooses: `provider/model`.
pub(super) async fn default_choice(ctx: &Ctx) -> Result<String> {
    let (provider, model) = ai::default_choice(ctx).await?;
    Ok(format!("{provider}/{model}"))
}

/// `provider/model` in its two parts.
pub(super) fn parts(choice: &str) -> (Option<String>, Option<String>) {
    let (provider, model) = choice.split_once('/').unwrap_or((choice, ""));
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (given(provider), given(model))
}

/// Roughly how many tokens a text has, and what they cost on this model: the same sum that the page's script makes while
/// somebody types, four characters to a token.
pub(super) fn estimate(text: &str, choice: Option<&ModelChoice>) -> (u64, String) {
    let tokens = (text.chars().count() as u64).div_ceil(4);
    let price = choice.and_then(|choice| choice.price);
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let cost = price.map_or("price unknown".to_owned(), |(input, _)| usd(tokens as f64 * input / 1e6));
    (tokens, cost)
}

pub(super) fn offered(provider: &ProviderInfo) -> Vec<ModelChoice> {
    let choice = |model: &str, label: &str, price| ModelChoice {
        provider: provider.id.clone(),
        provider_label: provider.name.clone(),
        model: model.to_owned(),
        label: label.to_owned(),
        price,
        ready: provider.configured,
    };
    let listed = provider.models.iter().map(|model| choice(&model.id, &model.name, Some(prices(model))));
    let mut choices: Vec<ModelChoice> = listed.collect();
    if choices.is_empty() {
        // Only the dry run has no models of its own, and it charges nobody.
        choices.push(choice(&provider.default_model, &provider.name, Some((0.0, 0.0))));
    }
    choices
}

fn prices(model: &ModelInfo) -> (f64, f64) {
    (model.input_per_million, model.output_per_million)
}

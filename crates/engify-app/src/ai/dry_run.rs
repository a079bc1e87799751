//! The dry run: nobody is called; the rendered prompt comes back with its tokens and what it would cost.

use engify_clients::ai::{Provider, models};

use super::answer::{Cost, dollars};
use super::ask::Plan;
use super::tokens;

/// What a dry run says.
pub(super) struct Rehearsal {
    pub(super) text: String,
    pub(super) tokens: u64,
    pub(super) cost: Option<Cost>,
}

/// Rehearses a plan; `model` names the model whose price is shown.
pub(super) async fn rehearse(plan: &Plan, model: Option<&str>) -> Rehearsal {
    let known = match model.filter(|name| *name != Provider::DryRun.default_model()) {
        Some(name) => models::all().iter().find(|model| model.id == name),
        None => models::find(Provider::OpenAi, Provider::OpenAi.default_model()),
    };
    let system = plan.request.system.as_deref().unwrap_or_default();
    let provider = known.map_or(Provider::OpenAi, |model| model.provider);
    let tokens = tokens::count(provider, &plan.prompt).await + tokens::count(provider, system).await;
    let usage = engify_clients::ai::Usage { prompt_tokens: tokens, ..Default::default() };
    let cost = known.map(|model| super::execute::usd(models::cost_nanos(model, usage)));
    let price = match (known, cost) {
        (Some(model), Some(cost)) => {
            format!("On {} it would cost {} before the answer.", model.label, dollars(cost.prompt))
        }
        _ => format!("The price of {} is not known.", model.unwrap_or("this model")),
    };
    let unit = if tokens == 1 { "token" } else { "tokens" };
    let mut text = format!(
        "Dry run: nobody was called, nothing was charged. The prompt has {tokens} {unit}. {price}\n\n"
    );
    if !system.is_empty() {
        text.push_str(&format!("System prompt:\n\n{system}\n\nPrompt:\n\n"));
    }
    text.push_str(&plan.prompt);
    Rehearsal { text, tokens, cost }
}

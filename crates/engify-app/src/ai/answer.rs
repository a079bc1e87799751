//! What a run answers: the contract's shape, for the whole answer and for the end of a stream.

use engify_core::provider_key::KeySource;
use engify_core::run::Usage;
use serde::Serialize;

/// The answer of a run.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Always true; failures are errors.
    pub success: bool,
    /// What the model said.
    pub response: String,
    /// Tokens.
    pub usage: Usage,
    /// US dollars; null where the model's price is not known.
    pub cost: Option<Cost>,
    /// Milliseconds from the request to the end.
    pub latency: f64,
    /// Milliseconds from the request to the first word; streams only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token_latency: Option<f64>,
    /// `openai`, `anthropic`, …
    pub provider: String,
    /// As the provider names it.
    pub model: String,
    /// The caller's id for this run, or ours.
    pub run_id: String,
    /// The run in the history: `/history/{id}`.
    pub id: String,
    /// `stop`, `length` (cut by maxTokens), `filtered`, `other`.
    pub finish: String,
    /// Whose key was used; null for a dry run.
    pub key_source: Option<KeySource>,
    /// True where nobody was called; the cost is then what it would be, without the answer.
    pub dry_run: bool,
}

/// An amount as a sentence names it: `$0.000042`.
pub fn dollars(amount: f64) -> String {
    if amount > 0.0 && amount < 1e-6 { "under $0.000001".to_owned() } else { format!("${amount:.6}") }
}

/// US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Cost {
    /// For the tokens of the request.
    pub prompt: f64,
    /// For the tokens of the answer.
    pub completion: f64,
    /// Both.
    pub total: f64,
}

//! One execution of a prompt on a provider, as history keeps it.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{ApiKeyId, PromptId, RunId};
use crate::permission::words;
use crate::provider_key::KeySource;
use crate::tenancy::Tenancy;

words! {
    /// How a run ended.
    RunStatus, "a run status", {
        /// It began; where it stays so, the server ended before the run did.
        Running = "running",
        /// The whole answer came.
        Completed = "completed",
        /// Part of the answer came, then the stream broke.
        Partial = "partial",
        /// The caller went away; the provider was told to stop.
        Cancelled = "cancelled",
        /// Nothing came.
        Failed = "failed",
    }
}

/// Money in billionths of a US dollar, so that single tokens add up without rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub u64);

impl NanoUsd {
    /// As US dollars.
    #[expect(clippy::cast_precision_loss, reason = "exact up to nine million dollars")]
    pub fn usd(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// Tokens in and out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens of the request.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// True where the provider gave no numbers and these were counted here.
    pub estimated: bool,
}

/// What a run cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunCost {
    /// For the tokens of the request.
    pub prompt_nanos: NanoUsd,
    /// For the tokens of the answer.
    pub completion_nanos: NanoUsd,
}

/// One execution, as history keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The document's id.
    #[serde(rename = "_id")]
    pub id: RunId,
    /// Whose it is; private unless shared inside the organization.
    #[serde(flatten)]
    pub tenancy: Tenancy,
    /// The caller's own id for it, or ours; unique for each owner, so that a replay is found.
    pub run_id: String,
    /// The API key it was made with.
    pub key_id: Option<ApiKeyId>,
    /// The prompt it came from.
    pub prompt_id: Option<PromptId>,
    /// That prompt's slug at the time.
    pub prompt_slug: Option<String>,
    /// That prompt's version at the time.
    pub prompt_version: Option<u32>,
    /// `openai`, `anthropic`, …
    pub provider: String,
    /// The model as the provider names it.
    pub model: String,
    /// Whose key it was made with; none for a dry run, and for runs from before keys could be brought.
    pub key_source: Option<KeySource>,
    /// How it ended.
    pub status: RunStatus,
    /// The failure's word (`bad_key`, `timeout`, …) where it did not complete.
    pub failure: Option<String>,
    /// The system prompt.
    pub system_prompt: Option<String>,
    /// The rendered prompt.
    pub prompt: String,
    /// The answer, or as much of it as came.
    pub response: String,
    /// Tokens.
    pub usage: Usage,
    /// What it cost; none where the model's price is not known.
    pub cost: Option<RunCost>,
    /// From the request to the end, in milliseconds.
    pub latency_ms: f64,
    /// From the request to the first word, in milliseconds; streams only.
    pub first_token_ms: Option<f64>,
    /// As asked for.
    pub temperature: Option<f64>,
    /// As asked for.
    pub max_tokens: Option<u32>,
    /// When it began.
    pub created_at: Time,
}

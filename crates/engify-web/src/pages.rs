//! One function a page: the frame and a view model in, markup out. Pages ask nobody anything and decide nothing; what
//! they show is what the view holds. View models are built from `engify-core` entities and plain values.

use engify_core::Time;
use engify_core::prompt::{Difficulty, Prompt};
use engify_core::run::{Run, RunStatus};
use maud::{Markup, html};

use crate::ui::{Icon, Tone, chip, figures, marked, rating, status};

pub mod account;
pub mod api_docs;
pub mod audit;
pub mod backups;
pub mod dashboard;
pub mod errors;
pub mod history;
pub mod home;
pub mod identities;
pub mod invitation;
pub mod jobs;
pub mod key;
pub mod keys;
pub mod library;
pub mod library_query;
pub mod messages;
pub mod opshub;
pub mod opshub_providers;
pub mod organization;
pub mod organizations;
pub mod patterns;
pub mod prompt;
pub mod prompt_form;
pub mod providers;
pub mod recovery;
pub mod run_panel;
pub mod schedules;
pub mod security;
pub mod settings;
pub mod status;
pub mod step;
pub mod users;
pub mod versions;
pub mod workbench;

/// A prompt as lists show it.
#[derive(Debug, Clone)]
pub struct CardView {
    /// Its name in addresses.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// Its sentence.
    pub description: String,
    /// Its role.
    pub role: String,
    /// Its pattern.
    pub pattern: Option<String>,
    /// Its difficulty.
    pub difficulty: Difficulty,
    /// How often it was run.
    pub uses: u64,
    /// The mean of its stars.
    pub rating: Option<f64>,
    /// How many gave stars.
    pub rating_count: u64,
}

impl From<&Prompt> for CardView {
    fn from(prompt: &Prompt) -> Self {
        Self {
            slug: prompt.slug.to_string(),
            title: prompt.draft.title.clone(),
            description: prompt.draft.description.clone(),
            role: prompt.draft.role.clone(),
            pattern: prompt.draft.pattern.clone(),
            difficulty: prompt.draft.difficulty,
            uses: prompt.uses,
            rating: prompt.rating(),
            rating_count: prompt.rating_count,
        }
    }
}

/// A model that a prompt can be run on.
#[derive(Debug, Clone)]
pub struct ModelChoice {
    /// The provider's word: `openai`.
    pub provider: String,
    /// As people read it: `OpenAI`.
    pub provider_label: String,
    /// The model as the provider names it: `gpt-4o-mini`.
    pub model: String,
    /// As people read it: `GPT-4o mini`.
    pub label: String,
    /// US dollars for a million tokens in and out; none where the price is not known.
    pub price: Option<(f64, f64)>,
    /// Whether the provider has its key.
    pub ready: bool,
}

impl ModelChoice {
    /// The value in forms: `openai/gpt-4o-mini`.
    pub fn value(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }

    /// The price of a million tokens, in words.
    pub fn price_text(&self) -> String {
        match self.price {
            Some((0.0, 0.0)) => "free".to_owned(),
            Some((input, output)) => {
                format!("{} in, {} out", figures::price(input), figures::price(output))
            }
            None => "price unknown".to_owned(),
        }
    }
}

/// The models as options of a select, by provider; the scripts read the prices.
pub(crate) fn model_options(models: &[ModelChoice], chosen: &str) -> Markup {
    let mut providers: Vec<&str> = Vec::new();
    for model in models {
        if !providers.contains(&model.provider_label.as_str()) {
            providers.push(&model.provider_label);
        }
    }
    html! {
        @for provider in providers {
            optgroup label=(provider) {
                @for model in models.iter().filter(|model| model.provider_label == provider) {
                    @let value = model.value();
                    option value=(value) selected[value == chosen] disabled[!model.ready] data-label=(model.label) data-price=(model.price_text())
                        data-in=[model.price.map(|price| price.0)] data-out=[model.price.map(|price| price.1)] {
                        (model.label) " · " @if model.ready { (model.price_text()) } @else { "needs a key" }
                    }
                }
            }
        }
    }
}

/// A run as lists show it.
pub struct RunRow<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its prompt's title; none for a run from the workbench.
    pub title: Option<String>,
}

impl RunRow<'_> {
    /// The prompt's title, else the beginning of what was asked.
    pub fn name(&self) -> String {
        let first = || self.run.prompt.lines().find(|line| !line.trim().is_empty()).unwrap_or("(empty)");
        self.title.clone().unwrap_or_else(|| first().chars().take(90).collect())
    }
}

/// How a run ended, in a word and a colour.
pub(crate) fn run_status(run: &Run) -> Markup {
    let (tone, word) = match run.status {
        RunStatus::Running => (Tone::Info, "running".to_owned()),
        RunStatus::Completed => (Tone::Ok, "completed".to_owned()),
        RunStatus::Partial => (Tone::Warn, "broken off".to_owned()),
        RunStatus::Cancelled => (Tone::Plain, "stopped".to_owned()),
        RunStatus::Failed => {
            (Tone::Bad, run.failure.as_deref().map_or("failed".to_owned(), |word| word.replace('_', " ")))
        }
    };
    status(tone, &word)
}

/// The cost of a run; `unknown` where the model's price is not known, never zero.
pub(crate) fn run_cost(run: &Run) -> String {
    run.cost.map_or("unknown".to_owned(), |cost| {
        figures::usd(engify_core::run::NanoUsd(cost.prompt_nanos.0 + cost.completion_nanos.0))
    })
}

/// First word, total, tokens and cost of a run, in the words that the script uses for a streamed one.
pub(crate) fn meter(run: &Run) -> Markup {
    html! {
        @if let Some(first) = run.first_token_ms { span { b { (figures::millis(first)) } " to first word" } }
        span { b { (figures::millis(run.latency_ms)) } " in all" }
        span {
            b { (figures::count(run.usage.prompt_tokens)) } " in, " b { (figures::count(run.usage.completion_tokens)) } " out"
            @if run.usage.estimated { " (estimated)" }
        }
        @if run.provider == "dry-run" { span { b { "nothing" } " charged" } } @else { span { b { (run_cost(run)) } " cost" } }
    }
}

/// Prompts as rows: `a.hit`, with what was searched marked.
pub(crate) fn hits(cards: &[CardView], query: &str) -> Markup {
    html! {
        ol.hits {
            @for card in cards {
                li {
                    a.hit href={ "/prompts/" (card.slug) } {
                        h3 { (marked(&card.title, query)) }
                        p { (marked(&card.description, query)) }
                        div.meta {
                            (chip(&card.role))
                            @if let Some(pattern) = &card.pattern { (chip(pattern)) }
                            span.uses { (figures::counted(card.uses, "run", "runs")) }
                            (rating(card.rating, card.rating_count))
                        }
                    }
                    button.btn.bare.js.copy-hit type="button" data-copy-prompt=(card.slug)
                        aria-label={ "Copy the prompt: " (card.title) } title="Copy the prompt" { (Icon::Copy) }
                }
            }
        }
    }
}

/// Runs as a table: `tr.run`, each row a link to its page; cards on a narrow screen.
pub(crate) fn run_table(rows: &[RunRow<'_>], now: Time) -> Markup {
    html! {
        table.data {
            thead { tr {
                th { "Prompt" } th { "Model" } th { "Status" } th.r { "Tokens" } th.r { "Cost" } th.r { "Time" } th.r { "When" }
            } }
            tbody {
                @for row in rows {
                    tr.run {
                        td.main { a.cover href={ "/history/" (row.run.id) } { (row.name()) } }
                        td data-label="Model" { span.quiet { (row.run.model) } }
                        td data-label="Status" { (run_status(row.run)) }
                        td.r data-label="Tokens" { (figures::count(row.run.usage.total_tokens)) }
                        td.r data-label="Cost" { (run_cost(row.run)) }
                        td.r data-label="Time" { (figures::millis(row.run.latency_ms)) }
                        td.r data-label="When" { span.quiet { (figures::when(now, row.run.created_at)) } }
                    }
                }
            }
        }
    }
}

/// Further pages of a list.
pub(crate) fn pager(first: Option<String>, next: Option<String>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if let Some(first) = first { a.btn href=(first) { "Back to the first page" } }
                @if let Some(next) = next { a.btn rel="next" href=(next) { "Next page" (Icon::Right) } }
            }
        }
    }
}

#[cfg(test)]
mod tests;

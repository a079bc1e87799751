//! Entities as the pages' lists show them, and days as their charts do.

use std::collections::BTreeMap;

use engify_app::Ctx;
use engify_app::history::Day;
use engify_app::prompts::{self, Card};
use engify_core::Time;
use engify_core::run::{NanoUsd, Run};

use crate::pages::{CardView, RunRow};
use crate::ui::chart::{Point, Series};
use crate::ui::figures;

/// A prompt in a list.
#[expect(clippy::cast_precision_loss, reason = "a mean of small integers")]
pub(super) fn card(card: Card) -> CardView {
    CardView {
        rating: (card.rating_count > 0).then(|| card.rating_sum as f64 / card.rating_count as f64),
        rating_count: card.rating_count,
        slug: card.slug,
        title: card.title,
        description: card.description,
        role: card.role,
        pattern: card.pattern,
        difficulty: card.difficulty,
        uses: card.uses,
    }
}

/// Prompts in a list.
pub(super) fn cards(found: Vec<Card>) -> Vec<CardView> {
    found.into_iter().map(card).collect()
}

/// The titles of the prompts that these runs came from, by slug; those that are gone are left out.
pub(super) async fn titles(ctx: &Ctx, runs: &[Run]) -> BTreeMap<String, String> {
    let mut titles = BTreeMap::new();
    for slug in runs.iter().filter_map(|run| run.prompt_slug.as_ref()) {
        if !titles.contains_key(slug)
            && let Ok(prompt) = prompts::get(ctx, slug).await
        {
            titles.insert(slug.clone(), prompt.draft.title.clone());
        }
    }
    titles
}

/// Runs in a table.
pub(super) fn rows<'a>(runs: &'a [Run], titles: &BTreeMap<String, String>) -> Vec<RunRow<'a>> {
    let title = |run: &Run| run.prompt_slug.as_ref().and_then(|slug| titles.get(slug).cloned());
    runs.iter().map(|run| RunRow { title: title(run), run }).collect()
}

/// A figure of each day, as a chart.
pub(super) fn series(name: &str, days: &[Day], value: fn(&Day) -> f64, text: fn(&Day) -> String) -> Series {
    let point = |day: &Day| Point { label: label(&day.day), value: value(day), text: text(day) };
    Series { name: name.to_owned(), points: days.iter().map(point).collect(), limit: None }
}

/// Runs of each day.
#[expect(clippy::cast_precision_loss, reason = "positions on a chart")]
pub(super) fn runs_by_day(days: &[Day]) -> Series {
    series("Runs a day", days, |day| day.runs as f64, |day| figures::counted(day.runs, "run", "runs"))
}

/// Tokens of each day.
#[expect(clippy::cast_precision_loss, reason = "positions on a chart")]
pub(super) fn tokens_by_day(days: &[Day]) -> Series {
    series(
        "Tokens a day",
        days,
        |day| day.tokens as f64,
        |day| figures::counted(day.tokens, "token", "tokens"),
    )
}

/// Cost of each day.
pub(super) fn cost_by_day(days: &[Day]) -> Series {
    series("Cost a day", days, |day| day.cost, |day| usd(day.cost))
}

/// What all days cost together.
pub(super) fn cost_of(days: &[Day]) -> String {
    usd(days.iter().map(|day| day.cost).sum())
}

/// US dollars in words.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "costs are positive and far below the bound"
)]
pub(super) fn usd(dollars: f64) -> String {
    figures::usd(NanoUsd((dollars.max(0.0) * 1e9).round() as u64))
}

/// `2026-11-22` as `22 Nov`.
pub(super) fn label(day: &str) -> String {
    let time: Result<Time, _> = format!("{day}T00:00:00Z").parse();
    time.map_or_else(|_| day.to_owned(), |time| time.timestamp().strftime("%-d %b").to_string())
}

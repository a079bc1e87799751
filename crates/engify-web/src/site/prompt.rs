//! The page of one prompt, and running it without scripts.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::Response;
use engify_app::ai::{self, Ask};
use engify_app::history::{self, Filter};
use engify_app::prompts::{self, Comparison, Line};
use engify_app::{audit, patterns};
use engify_core::Result;
use engify_core::permission::Permission;
use engify_core::prompt::Prompt;
use maud::Markup;
use serde::Deserialize;

use super::cards::{cards, rows, titles};
use super::form::{Fields, Wrong};
use super::models::{choices, choices_with, default_choice, estimate, parts};
use super::visit::Visit;
use super::{KEPT, escape, go, ok};
use crate::extract::Query;
use crate::pages::prompt::{self as pages, Mine, PromptTab, PromptView};
use crate::pages::run_panel::RunPanel;
use crate::pages::versions::{Compared, VersionsView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;
use crate::ui::diff::{DiffLine, DiffRow};

/// How many versions, and how many runs, a tab lists.
const LISTED: u32 = 100;
/// How long a run may take to answer, seconds; the use case itself gives up earlier.
pub(super) const PATIENCE: u64 = 320;

pub(super) fn routes() -> Vec<Route> {
    const RUN: Policy = Policy::needs(Permission::WorkbenchRun).deadline(PATIENCE);
    vec![
        Route::get("/prompts/{slug}", Policy::PUBLIC.cache(KEPT), show).page(),
        Route::post("/prompts/{slug}/run", RUN, run).page(),
        Route::get("/prompts/{slug}/run", Policy::PUBLIC, back).page(),
    ]
}

/// Which tab, and which versions it compares.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    tab: String,
    from: Option<u32>,
    to: Option<u32>,
}

async fn show(visit: Visit, Path(slug): Path<String>, Query(asked): Query<Asked>) -> Reply {
    let prompt = prompts::get(&visit.ctx, &slug).await?;
    let panel = panel(&visit, &prompt).await?;
    let page = match asked.tab.as_str() {
        "versions" => versions(&visit, &prompt, panel, asked.from.zip(asked.to)).await?,
        "runs" => runs(&visit, &prompt, panel).await?,
        "about" => page(&visit, &prompt, panel, PromptTab::About).await?,
        _ => page(&visit, &prompt, panel, PromptTab::Prompt).await?,
    };
    Ok(ok(page))
}

async fn run(visit: Visit, Path(slug): Path<String>, fields: Fields) -> Reply {
    let ctx = &visit.ctx;
    let prompt = prompts::get(ctx, &slug).await?;
    let chosen = fields.text("provider-model");
    let values: BTreeMap<String, String> =
        fields.under("var.").map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (provider, model) = parts(&chosen);
    let ask = Ask { prompt_slug: Some(slug), variables: values.clone(), provider, model, ..Ask::default() };
    let models = choices_with(ctx, std::slice::from_ref(&chosen)).await?;
    let panel = RunPanel { values, models, chosen, ..panel(&visit, &prompt).await? };
    match ai::execute(ctx, ask).await {
        Ok((answer, _)) => {
            audit::settle(ctx).await?;
            let run = history::get(ctx, &answer.id).await?;
            let panel = RunPanel { run: Some(&run), ..panel };
            Ok(ok(page(&visit, &prompt, panel, PromptTab::Prompt).await?))
        }
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let panel =
                RunPanel { faults: wrong.faults(&[]), problem: Some(wrong.problem(&["variables"])), ..panel };
            Ok(wrong.reply(page(&visit, &prompt, panel, PromptTab::Prompt).await?))
        }
    }
}

/// Whoever asks again for the address of an answer gets the prompt; answers are in the history.
async fn back(Path(slug): Path<String>) -> Response {
    go(&format!("/prompts/{}", escape(&slug)))
}

async fn panel(visit: &Visit, prompt: &Prompt) -> Result<RunPanel<'static>> {
    let models = choices(&visit.ctx).await?;
    let chosen = default_choice(&visit.ctx).await?;
    let model = models.iter().find(|model| model.value() == chosen);
    let estimate = Some(estimate(&prompt.draft.content, model));
    Ok(RunPanel { estimate, models, chosen, ..RunPanel::default() })
}

async fn page(visit: &Visit, prompt: &Prompt, run: RunPanel<'_>, tab: PromptTab<'_>) -> Result<Markup> {
    let (ctx, app) = (&visit.ctx, visit.app());
    let mine = match ctx.identity() {
        Some(_) => Some(Mine {
            favorite: prompts::is_favorite(ctx, prompt).await?,
            stars: prompts::my_rating(ctx, prompt).await?,
        }),
        None => None,
    };
    let may_edit = prompts::may_edit(ctx, prompt);
    let pattern = prompt.draft.pattern.as_deref().and_then(|slug| patterns::get(app, slug).ok());
    let view = PromptView {
        prompt,
        tab,
        run,
        mine,
        may_edit,
        may_delete: may_edit,
        related: cards(prompts::related(ctx, prompt).await?),
        pattern_title: pattern.map(|pattern| pattern.title.clone()),
    };
    Ok(pages::page(&visit.frame(), &view))
}

async fn versions(
    visit: &Visit,
    prompt: &Prompt,
    panel: RunPanel<'_>,
    pair: Option<(u32, u32)>,
) -> Result<Markup> {
    let slug = prompt.slug.as_str();
    let versions = prompts::versions(&visit.ctx, slug, LISTED, None).await?.items;
    let compared = match pair {
        Some((from, to)) => Some(compared(prompts::compare(&visit.ctx, slug, from, to).await?)),
        None => None,
    };
    let may_restore = prompts::may_edit(&visit.ctx, prompt);
    let tab = PromptTab::Versions(VersionsView { versions: &versions, compared, may_restore });
    page(visit, prompt, panel, tab).await
}

async fn runs(visit: &Visit, prompt: &Prompt, panel: RunPanel<'_>) -> Result<Markup> {
    let filter = Filter { prompt: Some(prompt.slug.to_string()), ..Filter::default() };
    let runs = history::list(&visit.ctx, &filter, LISTED, None).await?.items;
    let titles = titles(&visit.ctx, &runs).await;
    page(visit, prompt, panel, PromptTab::Runs(rows(&runs, &titles))).await
}

fn compared(comparison: Comparison) -> Compared {
    let line = |line: Line| DiffLine { number: line.number, changed: line.changed, parts: line.parts };
    let row = |pair: prompts::Pair| DiffRow { left: pair.left.map(line), right: pair.right.map(line) };
    let fields = comparison.fields.into_iter().map(|(name, before, after)| (name.to_owned(), before, after));
    Compared {
        from: comparison.from,
        to: comparison.to,
        fields: fields.collect(),
        rows: comparison.lines.into_iter().map(row).collect(),
    }
}

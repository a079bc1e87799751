//! The workbench without scripts: one prompt to up to four models at once, and sharing what came of it.

use std::collections::BTreeMap;

use axum::response::Response;
use engify_app::ai::{self, Ask};
use engify_app::audit;
use engify_app::history;
use engify_app::limits::presets;
use engify_core::Result;
use engify_core::error::Faults;
use engify_core::permission::Permission;
use engify_core::run::Run;
use engify_core::tenancy::Visibility;
use futures_util::future::join_all;

use super::form::{Fields, Wrong};
use super::history::why;
use super::models::{choices_with, default_choice, parts};
use super::ok;
use super::prompt::PATIENCE;
use super::said::Said;
use super::visit::Visit;
use crate::extract::Query;
use crate::pages::workbench::{self, Answer, COLUMNS, WorkbenchView};
use crate::policy::Policy;
use crate::reply::{Failure, Reply};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    const RUN: Policy = Policy::needs(Permission::WorkbenchRun);
    const SHARE: Policy = Policy::needs(Permission::RunsRead).limit(presets::WRITE);
    vec![
        Route::get("/workbench", RUN, open).page(),
        Route::post("/workbench", RUN.deadline(PATIENCE), run).page(),
        Route::post("/workbench/share", SHARE, share).page(),
    ]
}

/// What a use case's fields are called here.
const NAMES: &[(&str, &str)] = &[("systemPrompt", "system"), ("maxTokens", "max_tokens")];
const FIELDS: &[&str] = &["prompt", "systemPrompt", "system", "temperature", "maxTokens", "max_tokens"];

/// The bench, empty or with the runs that the address names (`?run=…&run=…`): their prompt, their models, their answers.
async fn open(visit: Visit, Query(asked): Query<Vec<(String, String)>>) -> Reply {
    let mut runs = Vec::new();
    for (_, id) in asked.iter().filter(|(name, _)| name == "run").take(COLUMNS) {
        runs.push(history::get(&visit.ctx, id).await?);
    }
    let choice = |run: &Run| format!("{}/{}", run.provider, run.model);
    let chosen: Vec<String> = runs.iter().map(choice).collect();
    let models = choices_with(&visit.ctx, &chosen).await?;
    let mut view = WorkbenchView { models, chosen, ..WorkbenchView::default() };
    view.answers =
        runs.iter().map(|run| Answer { model: choice(run), run: Some(run), problem: why(run) }).collect();
    view.shared = shared(&visit, &runs);
    view.may_share = visit.ctx.organization_id().is_some();
    match runs.first() {
        Some(first) => {
            view.prompt = first.prompt.clone();
            view.system = first.system_prompt.clone().unwrap_or_default();
            view.temperature = first.temperature.map(|number| number.to_string()).unwrap_or_default();
            view.max_tokens = first.max_tokens.map(|number| number.to_string()).unwrap_or_default();
        }
        None => view.chosen = vec![default_choice(&visit.ctx).await?],
    }
    Ok(page(&visit, &view))
}

/// The address that shows these runs to others, where they may be seen by others.
fn shared(visit: &Visit, runs: &[Run]) -> Option<String> {
    let all = !runs.is_empty() && runs.iter().all(|run| run.tenancy.visibility == Visibility::Organization);
    all.then(|| {
        format!(
            "{}{}",
            visit.app().settings().public.app_url,
            address(runs.iter().map(|run| run.id.as_str()))
        )
    })
}

fn address<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(ids.map(|id| ("run", id)));
    format!("/workbench?{}", query.finish())
}

async fn run(visit: Visit, fields: Fields) -> Reply {
    let mut chosen = fields.all("model");
    chosen.retain(|choice| !choice.is_empty());
    chosen.dedup();
    chosen.truncate(COLUMNS);
    if chosen.is_empty() {
        chosen.push(default_choice(&visit.ctx).await?);
    }
    let view = WorkbenchView {
        prompt: fields.text("prompt"),
        system: fields.text("system"),
        temperature: fields.text("temperature"),
        max_tokens: fields.text("max_tokens"),
        models: choices_with(&visit.ctx, &chosen).await?,
        chosen,
        may_share: visit.ctx.organization_id().is_some(),
        ..WorkbenchView::default()
    };
    let ask = match ask(&view) {
        Ok(ask) => ask,
        Err(error) => return refused(&visit, view, Wrong::of(error)?),
    };
    let asks = view.chosen.iter().map(|choice| {
        let (provider, model) = parts(choice);
        ai::execute(&visit.ctx, Ask { provider, model, ..ask.clone() })
    });
    let outcomes = join_all(asks).await;
    audit::settle(&visit.ctx).await?;
    let (mut runs, mut refusals) = (BTreeMap::new(), BTreeMap::new());
    for (choice, outcome) in view.chosen.iter().zip(outcomes) {
        match outcome {
            Ok((answer, _)) => drop(runs.insert(choice.clone(), history::get(&visit.ctx, &answer.id).await?)),
            Err(error) => drop(refusals.insert(choice.clone(), Wrong::of(error)?)),
        }
    }
    if runs.is_empty()
        && let Some((_, wrong)) = refusals.pop_first()
    {
        return refused(&visit, view, wrong);
    }
    let answer = |choice: &String| Answer {
        model: choice.clone(),
        run: runs.get(choice),
        problem: refusals.get(choice).map(|wrong| wrong.problem(&[])),
    };
    let answers = view.chosen.iter().map(answer).collect();
    Ok(page(&visit, &WorkbenchView { answers, ..view }))
}

/// The form's fields as a request; their bounds are the use case's to check.
fn ask(view: &WorkbenchView<'_>) -> Result<Ask> {
    let mut faults = Faults::default();
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let temperature = given(&view.temperature).and_then(|text| {
        faults.take("temperature", text.parse().map_err(|_| "is a number from 0 to 2".to_owned()))
    });
    let max_tokens = given(&view.max_tokens)
        .and_then(|text| faults.take("max_tokens", text.parse().map_err(|_| "is a whole number".to_owned())));
    if view.prompt.trim().is_empty() {
        faults.push("prompt", "is empty; write what to ask");
    }
    faults.check()?;
    let system_prompt = given(&view.system);
    Ok(Ask { prompt: Some(view.prompt.clone()), system_prompt, temperature, max_tokens, ..Ask::default() })
}

fn refused(visit: &Visit, view: WorkbenchView<'_>, wrong: Wrong) -> Result<Response, Failure> {
    let view = WorkbenchView { faults: wrong.faults(NAMES), problem: Some(wrong.problem(FIELDS)), ..view };
    Ok(wrong.reply(workbench::page(&visit.frame(), &view)))
}

fn page(visit: &Visit, view: &WorkbenchView<'_>) -> Response {
    ok(workbench::page(&visit.frame(), view))
}

async fn share(visit: Visit, fields: Fields) -> Reply {
    let ids = fields.all("run");
    for id in ids.iter().take(COLUMNS) {
        history::share(&visit.ctx, id, true).await?;
    }
    Ok(Said::Shared.at(&address(ids.iter().take(COLUMNS).map(String::as_str))))
}

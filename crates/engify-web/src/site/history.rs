//! What was run.

use axum::extract::Path;
use engify_app::ai;
use engify_app::history::{self, Filter};
use engify_app::limits::presets;
use engify_core::permission::Permission;
use engify_core::provider_key::KeySource;
use engify_core::run::Run;
use serde::Deserialize;

use super::cards::{cost_by_day, cost_of, rows, titles};
use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::extract::Query;
use crate::pages::history::{self as pages, HistoryFilters, HistoryView, RunView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// How many runs a page lists.
const PAGE: u32 = 30;
/// How many days the chart shows.
const DAYS: u32 = 30;

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::RunsRead);
    vec![
        Route::get("/history", READ, list).page(),
        Route::get("/history/{id}", READ, one).page(),
        Route::post("/history/{id}/share", READ.limit(presets::WRITE), share).page(),
        Route::post("/history/{id}/unshare", READ.limit(presets::WRITE), unshare).page(),
    ]
}

/// The filters, as they stand in the address.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    text: String,
    provider: String,
    status: String,
    cursor: Option<String>,
}

async fn list(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let ctx = &visit.ctx;
    let filters = HistoryFilters { text: asked.text, provider: asked.provider, status: asked.status };
    let filter = Filter {
        provider: Some(filters.provider.clone()),
        status: Some(filters.status.clone()),
        ..Filter::default()
    };
    let cursor = asked.cursor.filter(|cursor| !cursor.is_empty());
    let found = history::search(ctx, &filter, &filters.text, PAGE, cursor.as_deref()).await?;
    let days = history::by_day(ctx, DAYS, false).await?;
    let titles = titles(ctx, &found.items).await;
    let providers = ai::providers(ctx).await?.into_iter().filter(|provider| provider.configured);
    let view = HistoryView {
        rows: rows(&found.items, &titles),
        matching: None,
        filters,
        providers: providers.map(|provider| provider.id).collect(),
        cost: cost_by_day(&days),
        cost_sum: cost_of(&days),
        cursor,
        next: found.next.map(|cursor| cursor.encode()),
    };
    Ok(ok(pages::list(&visit.frame(), &view)))
}

async fn one(visit: Visit, Path(id): Path<String>) -> Reply {
    let ctx = &visit.ctx;
    let run = history::get(ctx, &id).await?;
    let title = titles(ctx, std::slice::from_ref(&run)).await.into_values().next();
    let own = run.tenancy.user_id.as_ref() == ctx.user_id();
    let view = RunView {
        run: &run,
        title,
        owner: (!own).then(|| "somebody in your organization".to_owned()),
        problem: why(&run),
        may_share: own && ctx.organization_id().is_some(),
    };
    Ok(ok(pages::page(&visit.frame(), &view)))
}

async fn share(visit: Visit, Path(id): Path<String>) -> Reply {
    history::share(&visit.ctx, &id, true).await?;
    Ok(Said::Shared.at(&format!("/history/{id}")))
}

async fn unshare(visit: Visit, Path(id): Path<String>) -> Reply {
    history::share(&visit.ctx, &id, false).await?;
    Ok(Said::Unshared.at(&format!("/history/{id}")))
}

/// Why a run has no whole answer, in a sentence with the remedy.
pub(super) fn why(run: &Run) -> Option<String> {
    let sentence = match run.failure.as_deref()? {
        "bad_key" => match run.key_source {
            Some(KeySource::Own) => "The provider refused your key. Replace it under Settings, Providers.",
            Some(KeySource::Organization) => {
                "The provider refused your organization's key. Whoever runs the organization replaces it under Settings, Providers."
            }
            _ => {
                "The provider refused its key. Whoever runs this installation puts a valid one into the settings."
            }
        },
        "rate_limited" => {
            "The provider asked us to slow down, or its quota is used up. Try again later, or on another model."
        }
        "refused" => "The provider refused this request. Look at the prompt and the model, and try again.",
        "too_long" => {
            "The prompt is longer than this model takes. Shorten it, or choose a model with more room."
        }
        "timeout" => "The provider did not answer in time. Try again, or on another model.",
        _ => "The provider failed. Try again, or on another model.",
    };
    Some(sentence.to_owned())
}

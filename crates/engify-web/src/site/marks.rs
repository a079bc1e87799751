//! What people do to a prompt with one button: keep it, give stars, bring an old version back, delete it.

use axum::extract::Path;
use engify_app::limits::presets;
use engify_app::prompts::{self, Favorited};
use engify_core::permission::Permission;
use serde::Deserialize;

use super::said::Said;
use super::visit::Visit;
use crate::extract::Form;
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    const WRITE: Policy = Policy::needs(Permission::PromptsWrite).limit(presets::WRITE);
    const MARK: Policy = Policy::SIGNED_IN.also_by_key().limit(presets::WRITE);
    vec![
        Route::post("/prompts/{slug}/favorite", MARK, favorite).page(),
        Route::post("/prompts/{slug}/rating", MARK, rate).page(),
        Route::post("/prompts/{slug}/restore", WRITE, restore).page(),
        Route::post("/prompts/{slug}/delete", WRITE, delete).page(),
    ]
}

#[derive(Deserialize)]
struct Keep {
    favorite: bool,
}

async fn favorite(visit: Visit, Path(slug): Path<String>, Form(form): Form<Keep>) -> Reply {
    let Favorited(kept) = prompts::favorite(&visit.ctx, &slug, form.favorite).await?;
    let said = if kept { Said::Kept } else { Said::Dropped };
    Ok(said.at(&format!("/prompts/{slug}")))
}

#[derive(Deserialize)]
struct Stars {
    stars: u8,
}

async fn rate(visit: Visit, Path(slug): Path<String>, Form(form): Form<Stars>) -> Reply {
    prompts::rate(&visit.ctx, &slug, form.stars).await?;
    Ok(Said::Rated.at(&format!("/prompts/{slug}")))
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

async fn restore(visit: Visit, Path(slug): Path<String>, Form(form): Form<Version>) -> Reply {
    prompts::restore(&visit.ctx, &slug, form.version).await?;
    Ok(Said::Restored.at(&format!("/prompts/{slug}?tab=versions")))
}

async fn delete(visit: Visit, Path(slug): Path<String>) -> Reply {
    prompts::delete(&visit.ctx, &slug).await?;
    Ok(Said::Deleted.at("/prompts"))
}

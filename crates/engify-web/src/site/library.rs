//! The library: the page that answers while somebody types.

use std::time::Instant;

use engify_app::Ctx;
use engify_app::prompts::{self, Question};
use engify_core::permission::Permission;
use serde::Deserialize;

use super::cards::cards;
use super::visit::Visit;
use super::{KEPT, ok};
use crate::extract::Query;
use crate::pages::library::{self, FacetsView, LibraryView};
use crate::pages::library_query::LibraryQuery;
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// How many prompts a page lists.
const PAGE: u32 = 30;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/prompts", Policy::PUBLIC.cache(KEPT), browse).page()]
}

/// The question, as it stands in the address.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    q: String,
    category: Option<String>,
    role: Option<String>,
    tag: Option<String>,
    pattern: Option<String>,
    difficulty: Option<String>,
    featured: Option<String>,
    visibility: Option<String>,
    sort: String,
    cursor: Option<String>,
}

async fn browse(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let ctx = &visit.ctx;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let query = LibraryQuery {
        text: asked.q.trim().to_owned(),
        category: given(asked.category),
        role: given(asked.role),
        tag: given(asked.tag),
        pattern: given(asked.pattern),
        difficulty: given(asked.difficulty),
        featured: asked.featured.as_deref() == Some("true"),
        visibility: given(asked.visibility),
        sort: asked.sort,
    };
    let cursor = given(asked.cursor);
    let question = question(&query, cursor.clone());
    let began = Instant::now();
    let hits = prompts::list(ctx, &question).await?;
    let took_ms = began.elapsed().as_secs_f64() * 1000.0;
    let facets = prompts::facets(ctx, &question).await?;
    let total = prompts::list(ctx, &Question { limit: 1, ..Question::default() }).await?.total;
    let view = LibraryView {
        query,
        cards: cards(hits.cards),
        matching: hits.total,
        total,
        took_ms,
        corrected: hits.corrected,
        facets: FacetsView {
            category: facets.category,
            role: facets.role,
            pattern: facets.pattern,
            difficulty: facets.difficulty,
            tag: facets.tag,
        },
        cursor,
        next: hits.next,
        may_write: ctx.allows(Permission::PromptsWrite),
        reaches: reaches(ctx),
    };
    Ok(ok(library::page(&visit.frame(), &view)))
}

/// Whose prompts the person can narrow the library to; strangers see public ones only.
fn reaches(ctx: &Ctx) -> &'static [(&'static str, &'static str)] {
    const ALL: &[(&str, &str)] =
        &[("organization", "My organization"), ("private", "Only me"), ("public", "Everybody")];
    match (ctx.user_id(), ctx.organization_id()) {
        (None, _) => &[],
        (Some(_), None) => &ALL[1..],
        (Some(_), Some(_)) => ALL,
    }
}

fn question(query: &LibraryQuery, cursor: Option<String>) -> Question {
    Question {
        text: query.text.clone(),
        category: query.category.clone(),
        role: query.role.clone(),
        tag: query.tag.clone(),
        pattern: query.pattern.clone(),
        difficulty: query.difficulty.clone(),
        featured: query.featured.then_some(true),
        visibility: query.visibility.clone(),
        sort: Some(query.sort.clone()),
        limit: PAGE,
        cursor,
    }
}

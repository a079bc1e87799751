//! The library's own upkeep: counters that are true, and a home page that is not empty.

use std::collections::HashMap;

use engify_core::Result;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::permission::Permission;
use engify_core::prompt::{Prompt, Rating};
use engify_core::tenancy::{Audience, Scope};
use engify_store::{Batch, Patch, queries};
use serde_json::{Value, json};

use crate::Ctx;
use crate::doors::all;

/// How many prompts the home page shows. Fewer are filled up; none that somebody chose is taken away.
const FEATURED: usize = 12;
const PAGE: u32 = 200;
const EVERYTHING: Scope = Scope::Everything("upkeep of the whole library");

/// How good a prompt has proven, and how it is found again.
struct Candidate {
    worth: u64,
    prompt: Prompt,
}

/// Adds up stars and fills the home page; says how many prompts were changed.
pub(super) async fn library(ctx: &Ctx) -> Result<Value> {
    ctx.require(Permission::SystemSettings)?;
    let stars = stars(ctx).await?;
    let (mut corrected, mut featured) = (0, 0);
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut after = None;
    loop {
        let page = ctx.app().store().find(&queries::prompts_all(EVERYTHING).limit(PAGE).after(after)).await?;
        for prompt in page.items {
            let counted = stars.get(prompt.id.as_str()).copied().unwrap_or_default();
            if counted != (prompt.rating_sum, prompt.rating_count) {
                corrected += u64::from(correct(ctx, &prompt).await?);
            }
            let worth = prompt.uses + 5 * counted.0;
            match (&prompt.tenancy.audience, prompt.featured) {
                (Audience::Public, true) => featured += 1,
                (Audience::Public, false) if worth > 0 => {
                    candidates.push(Candidate { worth, prompt });
                    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.worth));
                    candidates.truncate(FEATURED);
                }
                _ => {}
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    candidates.truncate(FEATURED.saturating_sub(featured));
    for Candidate { prompt, .. } in &candidates {
        feature(ctx, prompt).await?;
    }
    Ok(json!({ "corrected": corrected, "featured": candidates.len() }))
}

/// Sum and number of the stars of every prompt.
async fn stars(ctx: &Ctx) -> Result<HashMap<String, (u64, u64)>> {
    let mut stars: HashMap<String, (u64, u64)> = HashMap::new();
    let mut after = None;
    loop {
        let page = ctx.app().store().find(&queries::all_of::<Rating>().limit(1000).after(after)).await?;
        for rating in page.items {
            let (sum, count) = stars.entry(rating.prompt_id.to_string()).or_default();
            *sum += u64::from(rating.stars);
            *count += 1;
        }
        after = page.next;
        if after.is_none() {
            return Ok(stars);
        }
    }
}

/// Corrects the counters of one prompt. The walk over all stars takes its time, so they are read once more, behind the
/// counters: whoever gives a star meanwhile changes the counters too, and the patch does not take.
async fn correct(ctx: &Ctx, prompt: &Prompt) -> Result<bool> {
    let store = ctx.app().store();
    let Some(now) = store.get::<Prompt>(&EVERYTHING, prompt.id.as_str()).await? else { return Ok(false) };
    let ratings = all(ctx.app(), queries::ratings_on(&prompt.id)).await?;
    let sum: u64 = ratings.iter().map(|rating| u64::from(rating.stars)).sum();
    let count = ratings.len() as u64;
    if (sum, count) == (now.rating_sum, now.rating_count) {
        return Ok(false);
    }
    let patch = Patch::new(EVERYTHING, &prompt.id)
        .when("ratingSum", now.rating_sum)?
        .when("ratingCount", now.rating_count)?
        .set("ratingSum", sum)?
        .set("ratingCount", count)?
        .or_skip();
    store.write(Batch::new().patch::<Prompt>(patch)).await?;
    tracing::warn!(prompt.slug = %prompt.slug, "prompt.stars_corrected");
    Ok(true)
}

async fn feature(ctx: &Ctx, prompt: &Prompt) -> Result<()> {
    let patch = Patch::new(EVERYTHING, &prompt.id).when("featured", false)?.set("featured", true)?.or_skip();
    let target = Target::new("prompt", &prompt.slug);
    let line = ctx.audit(Action::PromptUpdated, Outcome::Success, target, json!({ "featured": true }));
    ctx.app().store().write(Batch::new().patch::<Prompt>(patch).insert(&line)?).await.map(drop)
}

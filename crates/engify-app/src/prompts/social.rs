//! Stars, favourites, and prompts of the same kind.

use engify_core::permission::Permission;
use engify_core::prompt::{Favorite, Prompt, Rating};
use engify_core::tenancy::Scope;
use engify_core::{Error, Result};
use engify_store::search::Search;
use engify_store::{Batch, Patch, queries};

use super::{Card, Filters, Sort, checked, get};
use crate::Ctx;

/// Gives a prompt 1 to 5 stars; a second time replaces the first.
///
/// # Errors
/// `unauthenticated`; `not_found`; `invalid_request`.
pub async fn rate(ctx: &Ctx, slug: &str, stars: u8) -> Result<()> {
    ctx.require(Permission::PromptsRead)?;
    let person = ctx.person()?;
    if !(1..=5).contains(&stars) {
        return Err(Error::field("stars", "is a whole number from 1 to 5"));
    }
    let prompt = get(ctx, slug).await?;
    let id = format!("{}:{}", prompt.id, person.user.id);
    // Two of one person's own requests at once: the second is told to try again by `stale`, so no star counts twice.
    let old = ctx.app().store().get::<Rating>(&Scope::Owner(person.user.id.clone()), &id).await?;
    let rating = Rating {
        id,
        prompt_id: prompt.id.clone(),
        user_id: person.user.id.clone(),
        stars,
        created_at: ctx.now(),
    };
    let counts = Patch::new(checked(), &prompt.id);
    let batch = match old {
        None => Batch::new()
            .insert(&rating)?
            .patch::<Prompt>(counts.add("ratingSum", i64::from(stars)).add("ratingCount", 1)),
        Some(old) => {
            let replace = Patch::new(Scope::Owner(person.user.id.clone()), &rating.id)
                .when("stars", old.stars)?
                .set("stars", stars)?
                .set("createdAt", rating.created_at)?;
            let by = i64::from(stars) - i64::from(old.stars);
            Batch::new().patch::<Rating>(replace).patch::<Prompt>(counts.add("ratingSum", by))
        }
    };
    let position = ctx.app().store().write(batch).await?;
    ctx.app().caches().library_changed(position);
    Ok(())
}

/// The caller's own stars for a prompt.
///
/// # Errors
/// Those of the store.
pub async fn my_rating(ctx: &Ctx, prompt: &Prompt) -> Result<Option<u8>> {
    let Some(user) = ctx.user_id() else { return Ok(None) };
    let id = format!("{}:{user}", prompt.id);
    Ok(ctx.app().store().get::<Rating>(&Scope::Owner(user.clone()), &id).await?.map(|rating| rating.stars))
}

/// Whether a prompt is a favourite now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Favorited(pub bool);

/// Puts a prompt among the caller's favourites, or takes it out; twice is once.
///
/// # Errors
/// `unauthenticated`; `not_found`.
pub async fn favorite(ctx: &Ctx, slug: &str, on: bool) -> Result<Favorited> {
    ctx.require(Permission::PromptsRead)?;
    let person = ctx.person()?;
    let prompt = get(ctx, slug).await?;
    let id = format!("{}:{}", prompt.id, person.user.id);
    let batch = if on {
        let favorite = Favorite {
            id,
            prompt_id: prompt.id.clone(),
            user_id: person.user.id.clone(),
            created_at: ctx.now(),
        };
        Batch::new().put(&favorite)?
    } else {
        Batch::new().delete::<Favorite>(Scope::Owner(person.user.id.clone()), id)
    };
    ctx.app().store().write(batch).await?;
    Ok(Favorited(on))
}

/// Whether a prompt is among the caller's favourites.
///
/// # Errors
/// Those of the store.
pub async fn is_favorite(ctx: &Ctx, prompt: &Prompt) -> Result<bool> {
    let Some(user) = ctx.user_id() else { return Ok(false) };
    let id = format!("{}:{user}", prompt.id);
    Ok(ctx.app().store().get::<Favorite>(&Scope::Owner(user.clone()), &id).await?.is_some())
}

/// The caller's favourites, the newest first.
///
/// # Errors
/// `unauthenticated`.
pub async fn favorites(ctx: &Ctx, limit: u32) -> Result<Vec<Prompt>> {
    let person = ctx.person()?;
    let kept = ctx.app().store().find(&queries::favorites_of(&person.user.id).limit(limit)).await?.items;
    let ids: Vec<&str> = kept.iter().map(|favorite| favorite.prompt_id.as_str()).collect();
    let mut prompts = ctx.app().store().get_many::<Prompt>(&ctx.scope(), &ids).await?;
    prompts.sort_by_key(|prompt| ids.iter().position(|id| *id == prompt.id.as_str()));
    Ok(prompts)
}

/// Up to four prompts of the same category that share the most tags, role and pattern.
///
/// # Errors
/// Those of the store.
pub async fn related(ctx: &Ctx, prompt: &Prompt) -> Result<Vec<Card>> {
    let filters = Filters { category: Some(prompt.draft.category.clone()), ..Filters::default() };
    let search = Search {
        scope: ctx.scope(),
        text: String::new(),
        filters,
        sort: Sort::Used,
        limit: 100,
        cursor: None,
    };
    let mut cards = ctx.app().store().search(&search).await?.cards;
    cards.retain(|card| card.id != prompt.id.as_str());
    let likeness = |card: &Card| {
        let tags = card.tags.iter().filter(|tag| prompt.draft.tags.contains(tag)).count();
        2 * tags
            + usize::from(card.role == prompt.draft.role)
            + usize::from(card.pattern == prompt.draft.pattern)
    };
    cards.sort_by_key(|card| std::cmp::Reverse(likeness(card)));
    cards.truncate(4);
    Ok(cards)
}

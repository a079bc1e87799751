//! The library: finding, reading, and what people do with prompts.

use std::collections::BTreeMap;
use std::sync::Arc;

use engify_core::permission::Permission;
use engify_core::prompt::{Difficulty, Prompt, PromptVersion};
use engify_core::tenancy::{Scope, Visibility};
use engify_core::words::Slug;
use engify_core::{Error, Result};
use engify_store::search::Search;
use engify_store::{Cursor, Page, queries};

use crate::{Ctx, cache};

mod compare;
mod edit;
mod social;
mod transfer;

pub use compare::{Comparison, Line, Pair, compare};
pub(crate) use edit::deletion;
pub use edit::{Changes, Edit, New, create, delete, edit, restore};
pub use engify_store::search::{Card, Facets, Filters, Hits, Sort};
pub use social::{Favorited, favorite, favorites, is_favorite, my_rating, rate, related};
pub use transfer::{Import, ImportReport, OneRefusal, export, import, seed};

/// A question to the library, as asked for.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Words, `"a phrase"`, `-without`; at most 500 characters.
    pub text: String,
    /// This category.
    pub category: Option<String>,
    /// This role.
    pub role: Option<String>,
    /// This tag.
    pub tag: Option<String>,
    /// This pattern.
    pub pattern: Option<String>,
    /// `beginner`, `intermediate`, `advanced`.
    pub difficulty: Option<String>,
    /// Featured ones, or the others.
    pub featured: Option<bool>,
    /// `public`, `organization` (one's own), `private` (one's own).
    pub visibility: Option<String>,
    /// `relevance`, `newest`, `updated`, `used`, `rating`, `title`.
    pub sort: Option<String>,
    /// 1 to 100.
    pub limit: u32,
    /// Goes on behind it.
    pub cursor: Option<String>,
}

/// The orders of the library, as words for addresses.
pub const SORTS: &[(&str, Sort)] = &[
    ("relevance", Sort::Relevance),
    ("newest", Sort::Newest),
    ("updated", Sort::Updated),
    ("used", Sort::Used),
    ("rating", Sort::Rating),
    ("title", Sort::Title),
];

fn search(ctx: &Ctx, question: &Question) -> Result<Search> {
    let mut faults = engify_core::error::Faults::default();
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let difficulty =
        given(&question.difficulty).and_then(|word| faults.take("difficulty", Difficulty::parse(&word)));
    let sort = match given(&question.sort) {
        None if question.text.trim().is_empty() => Sort::Used,
        None => Sort::Relevance,
        Some(word) => SORTS.iter().find(|(name, _)| *name == word).map_or_else(
            || {
                let names: Vec<&str> = SORTS.iter().map(|(name, _)| *name).collect();
                faults.push("sort", format!("is one of {}", names.join(", ")));
                Sort::Relevance
            },
            |(_, sort)| *sort,
        ),
    };
    let visibility =
        given(&question.visibility).and_then(|word| faults.take("visibility", Visibility::parse(&word)));
    if question.text.chars().count() > 500 {
        faults.push("q", "takes at most 500 characters");
    }
    faults.check()?;
    Ok(Search {
        scope: match visibility {
            Some(visibility) => ctx.scope_of(visibility),
            None => ctx.scope(),
        },
        text: question.text.clone(),
        filters: Filters {
            category: given(&question.category),
            role: given(&question.role),
            tag: given(&question.tag),
            pattern: given(&question.pattern),
            difficulty,
            featured: question.featured,
        },
        sort,
        limit: question.limit.clamp(1, 100),
        cursor: given(&question.cursor),
    })
}

/// Searches or browses the library.
///
/// # Errors
/// `forbidden` without `prompts:read`; `invalid_request`; `invalid_cursor`.
pub async fn list(ctx: &Ctx, question: &Question) -> Result<Hits> {
    ctx.require(Permission::PromptsRead)?;
    ctx.app().store().search(&search(ctx, question)?).await
}

/// How many prompts there are of each kind under a question.
///
/// # Errors
/// As [`list`].
pub async fn facets(ctx: &Ctx, question: &Question) -> Result<Facets> {
    ctx.require(Permission::PromptsRead)?;
    ctx.app().store().facets(&search(ctx, question)?).await
}

/// One prompt, if the caller may see it.
///
/// # Errors
/// `not_found`, also where it exists and is not the caller's to know.
pub async fn get(ctx: &Ctx, slug: &str) -> Result<Arc<Prompt>> {
    ctx.require(Permission::PromptsRead)?;
    let missing = || Error::not_found("prompt");
    let slug = Slug::parse(slug).map_err(|_| missing())?;
    let prompt = cache::prompt(ctx.app(), &slug).await?.ok_or_else(missing)?;
    if ctx.scope().covers(&prompt.tenancy) { Ok(prompt) } else { Err(missing()) }
}

/// Fills a prompt's blanks.
///
/// # Errors
/// `invalid_variables` with one detail for each that is missing, unknown or does not fit.
pub fn render(prompt: &Prompt, values: &BTreeMap<String, String>) -> Result<String> {
    engify_core::template::render(&prompt.draft.content, &prompt.draft.variables, values)
}

/// The versions of a prompt, newest first.
///
/// # Errors
/// `not_found`; `invalid_cursor`.
pub async fn versions(
    ctx: &Ctx,
    slug: &str,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page<PromptVersion>> {
    let prompt = get(ctx, slug).await?;
    let query = queries::versions_of(&prompt.id);
    let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// One version of a prompt.
///
/// # Errors
/// `not_found`.
pub async fn version(ctx: &Ctx, slug: &str, number: u32) -> Result<PromptVersion> {
    let prompt = get(ctx, slug).await?;
    let found = ctx.app().store().first(&queries::version_of(&prompt.id, number)).await?;
    found.ok_or_else(|| Error::not_found("version of this prompt"))
}

/// The caller's own prompts, newest first. What they shared with an organization that they left is not among them.
///
/// # Errors
/// `unauthenticated`.
pub async fn mine(ctx: &Ctx, limit: u32) -> Result<Vec<Prompt>> {
    let person = ctx.person()?;
    let scope = ctx.scope();
    let mut prompts = ctx.app().store().find(&queries::prompts_of(&person.user.id).limit(limit)).await?.items;
    prompts.retain(|prompt| scope.covers(&prompt.tenancy));
    Ok(prompts)
}

/// Whether the caller may change this prompt: its owner, or whoever may manage what they can see.
pub fn may_edit(ctx: &Ctx, prompt: &Prompt) -> bool {
    let owns = prompt.tenancy.user_id.is_some() && prompt.tenancy.user_id.as_ref() == ctx.user_id();
    let in_organization = prompt.tenancy.organization_id.is_some()
        && prompt.tenancy.organization_id.as_ref() == ctx.organization_id();
    let everywhere = ctx.role() == Some(engify_core::permission::Role::SuperAdmin);
    (owns && ctx.allows(Permission::PromptsWrite))
        || ((in_organization || everywhere) && ctx.allows(Permission::PromptsManage))
}

/// A prompt that the caller may change, as it is now.
///
/// # Errors
/// `not_found`; `forbidden` for somebody else's.
pub async fn editable(ctx: &Ctx, slug: &str) -> Result<Arc<Prompt>> {
    let cached = get(ctx, slug).await?;
    // Straight from the store: an edit builds on the newest version, not on a cached one.
    let fresh = ctx.app().store().get::<Prompt>(&ctx.scope(), cached.id.as_str()).await?;
    let prompt = Arc::new(fresh.ok_or_else(|| Error::not_found("prompt"))?);
    if may_edit(ctx, &prompt) {
        return Ok(prompt);
    }
    Err(Error::forbidden("This prompt belongs to somebody else. Duplicate it, and change your own."))
}

/// A scope for the documents that hang on a prompt whose own scope was checked.
fn checked() -> Scope {
    Scope::Everything("the prompt itself was read in the caller's scope")
}

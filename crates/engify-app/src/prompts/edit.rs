//! Writing prompts: every edit makes an immutable version with author and note.

use engify_core::audit::{Action, Outcome, Target, changed};
use engify_core::ids::{PromptId, VersionId};
use engify_core::permission::Permission;
use engify_core::prompt::{
    Difficulty, Draft, Favorite, Prompt, PromptVersion, Rating, Source, Variable, limits,
};
use engify_core::tenancy::{Scope, Tenancy, Visibility};
use engify_core::words::{Slug, line};
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, Entity, Patch, Query, queries};
use serde_json::json;

use super::{checked, editable, version};
use crate::Ctx;

/// Words that stand where a slug would in addresses.
const RESERVED: &[&str] = &["new", "import", "export"];

/// A prompt to be made.
#[derive(Debug, Clone)]
pub struct New {
    /// What people wrote, not yet checked.
    pub draft: Draft,
    /// Its name in addresses; made from the title where it is left out.
    pub slug: Option<String>,
    /// How far it reaches; private where it is left out.
    pub visibility: Option<Visibility>,
    /// On the home page; needs `prompts:manage`.
    pub featured: bool,
    /// Why, in the author's words.
    pub note: String,
}

/// Makes a prompt and its version 1.
///
/// # Errors
/// `forbidden`; `invalid_request`; `slug_taken` for a slug that was asked for.
pub async fn create(ctx: &Ctx, new: New) -> Result<Prompt> {
    ctx.require_for(Permission::PromptsWrite, Action::PromptCreated, Target::new("prompt", "new")).await?;
    let wanted = new.slug.as_deref().filter(|slug| !slug.trim().is_empty());
    let wanted = wanted
        .map(|slug| Slug::parse(slug.trim()).map_err(|issue| Error::field("slug", issue)))
        .transpose()?;
    let draft = new.draft.check()?;
    let visibility = new.visibility.unwrap_or(Visibility::Private);
    check_reach(ctx, visibility, new.featured)?;
    let note = line(&new.note, 0, limits::NOTE).map_err(|issue| Error::field("note", issue))?;
    let first = wanted.clone().unwrap_or_else(|| Slug::from_title(&draft.title));
    let first = if RESERVED.contains(&first.as_str()) { first.numbered(1) } else { first };
    let mut prompt = made(ctx, draft, first.clone(), ctx.tenancy(visibility), Source::User);
    prompt.featured = new.featured;
    for number in 2..100 {
        let version = version_of(ctx, &prompt, &note);
        let audit =
            ctx.audit(Action::PromptCreated, Outcome::Success, target(&prompt), changed(&(), &told(&prompt)));
        match ctx.app().store().write(Batch::new().insert(&prompt)?.insert(&version)?.insert(&audit)?).await {
            Ok(position) => {
                ctx.app().caches().library_changed(position);
                return Ok(prompt);
            }
            Err(fault) if fault.code() == "duplicate" && wanted.is_none() => {
                prompt.slug = first.numbered(number)
            }
            Err(fault) if fault.code() == "duplicate" => break,
            Err(fault) => return Err(fault),
        }
    }
    let message = format!("There is a prompt called {first} already; choose another slug.");
    Err(Error::new(Kind::Conflict, "slug_taken", message).detail("slug", "is taken"))
}

/// What is said differently; none to leave it.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// As in [`Draft`].
    pub title: Option<String>,
    /// As in [`Draft`].
    pub description: Option<String>,
    /// As in [`Draft`].
    pub content: Option<String>,
    /// As in [`Draft`].
    pub category: Option<String>,
    /// As in [`Draft`].
    pub role: Option<String>,
    /// As in [`Draft`].
    pub tags: Option<Vec<String>>,
    /// As in [`Draft`]; an empty word takes the pattern away.
    pub pattern: Option<String>,
    /// As in [`Draft`].
    pub difficulty: Option<Difficulty>,
    /// As in [`Draft`].
    pub variables: Option<Vec<Variable>>,
}

impl From<Draft> for Changes {
    fn from(draft: Draft) -> Self {
        Self {
            title: Some(draft.title),
            description: Some(draft.description),
            content: Some(draft.content),
            category: Some(draft.category),
            role: Some(draft.role),
            tags: Some(draft.tags),
            pattern: Some(draft.pattern.unwrap_or_default()),
            difficulty: Some(draft.difficulty),
            variables: Some(draft.variables),
        }
    }
}

impl Changes {
    /// The draft with these changes, not yet checked. Variables that only the old text used go with it.
    fn on(self, old: &Draft) -> Draft {
        let content = self.content.unwrap_or_else(|| old.content.clone());
        let variables = self.variables.unwrap_or_else(|| {
            let used = engify_core::template::names(&content);
            old.variables.iter().filter(|variable| used.contains(&variable.name)).cloned().collect()
        });
        Draft {
            title: self.title.unwrap_or_else(|| old.title.clone()),
            description: self.description.unwrap_or_else(|| old.description.clone()),
            category: self.category.unwrap_or_else(|| old.category.clone()),
            role: self.role.unwrap_or_else(|| old.role.clone()),
            tags: self.tags.unwrap_or_else(|| old.tags.clone()),
            pattern: self.pattern.or_else(|| old.pattern.clone()),
            difficulty: self.difficulty.unwrap_or(old.difficulty),
            content,
            variables,
        }
    }
}

/// What may be changed of a prompt.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// What it says, not yet checked.
    pub changes: Changes,
    /// How far it reaches; none to leave it.
    pub visibility: Option<Visibility>,
    /// On the home page; none to leave it; needs `prompts:manage`.
    pub featured: Option<bool>,
    /// Why, in the author's words.
    pub note: String,
    /// The version that the edit was made on; where it is not the newest any more, nothing is changed.
    pub on_version: Option<u32>,
}

/// Changes a prompt. A changed draft makes a new version; the rest changes in place.
///
/// # Errors
/// `not_found`; `forbidden`; `invalid_request`; `edit_conflict` where somebody was quicker.
pub async fn edit(ctx: &Ctx, slug: &str, edit: Edit) -> Result<Prompt> {
    ctx.require_for(Permission::PromptsWrite, Action::PromptUpdated, Target::new("prompt", slug)).await?;
    let old = editable(ctx, slug).await?;
    let note = line(&edit.note, 0, limits::NOTE).map_err(|issue| Error::field("note", issue))?;
    let draft = Some(edit.changes.on(&old.draft).check()?).filter(|draft| draft != &old.draft);
    let visibility = edit.visibility.filter(|visibility| *visibility != old.tenancy.visibility);
    let featured = edit.featured.filter(|featured| *featured != old.featured);
    if visibility.is_some() || featured.is_some() {
        check_reach(ctx, visibility.unwrap_or(old.tenancy.visibility), featured.unwrap_or(false))?;
        check_owner(ctx, &old, visibility)?;
    }
    if edit.on_version.is_some_and(|version| version != old.version) {
        return Err(conflict());
    }
    if draft.is_none() && visibility.is_none() && featured.is_none() {
        return Ok(old.as_ref().clone());
    }
    let mut prompt = old.as_ref().clone();
    prompt.featured = featured.unwrap_or(prompt.featured);
    if let Some(visibility) = visibility {
        prompt.tenancy = retenanted(ctx, prompt.tenancy, visibility);
    }
    let mut batch = Batch::new();
    if let Some(draft) = draft {
        prompt.draft = draft;
        prompt.version += 1;
        batch = batch.insert(&version_of(ctx, &prompt, &note))?;
    }
    prompt.updated_at = ctx.now();
    let details = changed(&told(&old), &told(&prompt));
    write(ctx, batch, &old, &prompt, Action::PromptUpdated, details).await?;
    Ok(prompt)
}

/// What the audit log tells of a prompt: who may see it and what it is called. Its text has versions of its own, and the
/// log's readers need not be allowed to read it.
fn told(prompt: &Prompt) -> serde_json::Value {
    json!({
        "version": prompt.version, "title": prompt.draft.title, "category": prompt.draft.category, "role": prompt.draft.role,
        "featured": prompt.featured, "visibility": prompt.tenancy.visibility,
    })
}

/// Makes an old version the newest: a new version with the old one's words.
///
/// # Errors
/// `not_found`; `forbidden`; `edit_conflict`.
pub async fn restore(ctx: &Ctx, slug: &str, number: u32) -> Result<Prompt> {
    ctx.require_for(Permission::PromptsWrite, Action::PromptRestored, Target::new("prompt", slug)).await?;
    let old = editable(ctx, slug).await?;
    let wanted = version(ctx, slug, number).await?;
    if wanted.draft == old.draft {
        return Ok(old.as_ref().clone());
    }
    let mut prompt = old.as_ref().clone();
    prompt.draft = wanted.draft;
    prompt.version += 1;
    prompt.updated_at = ctx.now();
    let batch = Batch::new().insert(&version_of(ctx, &prompt, &format!("Restores version {number}")))?;
    write(
        ctx,
        batch,
        &old,
        &prompt,
        Action::PromptRestored,
        json!({ "restored": number, "to": prompt.version }),
    )
    .await?;
    Ok(prompt)
}

/// Writes a changed prompt, if nobody was quicker. Counters that move meanwhile are not touched.
async fn write(
    ctx: &Ctx,
    batch: Batch,
    old: &Prompt,
    new: &Prompt,
    action: Action,
    details: serde_json::Value,
) -> Result<()> {
    let mut patch =
        Patch::new(ctx.scope(), &old.id).when("version", old.version)?.set("version", new.version)?;
    let draft = &new.draft;
    patch = patch
        .set("title", &draft.title)?
        .set("description", &draft.description)?
        .set("content", &draft.content)?
        .set("category", &draft.category)?
        .set("role", &draft.role)?
        .set("tags", &draft.tags)?
        .set("pattern", &draft.pattern)?
        .set("difficulty", draft.difficulty)?
        .set("variables", &draft.variables)?
        .set("featured", new.featured)?
        .set("organizationId", &new.tenancy.organization_id)?
        .set("visibility", new.tenancy.visibility)?
        .set("audience", &new.tenancy.audience)?
        .set("updatedAt", new.updated_at)?;
    let batch =
        batch.patch::<Prompt>(patch).insert(&ctx.audit(action, Outcome::Success, target(new), details))?;
    let written = ctx.app().store().write(batch).await;
    let position = written
        .map_err(|fault| if matches!(fault.code(), "stale" | "duplicate") { conflict() } else { fault })?;
    ctx.app().caches().library_changed(position);
    Ok(())
}

/// Deletes a prompt with its versions.
///
/// # Errors
/// `not_found`; `forbidden`.
pub async fn delete(ctx: &Ctx, slug: &str) -> Result<()> {
    ctx.require_for(Permission::PromptsWrite, Action::PromptDeleted, Target::new("prompt", slug)).await?;
    let prompt = editable(ctx, slug).await?;
    let batch = deletion(ctx, ctx.scope(), &prompt).await?;
    let details = json!({ "title": prompt.draft.title, "version": prompt.version });
    let audit = ctx.audit(Action::PromptDeleted, Outcome::Success, target(&prompt), details);
    let position = ctx.app().store().write(batch.insert(&audit)?).await?;
    ctx.app().caches().library_changed(position);
    Ok(())
}

/// What a prompt's deletion takes along: versions, stars, places among favourites.
pub(crate) async fn deletion(ctx: &Ctx, scope: Scope, prompt: &Prompt) -> Result<Batch> {
    let batch = Batch::new().delete::<Prompt>(scope, &prompt.id);
    let batch = with_all::<Favorite>(ctx, batch, || queries::favorites_on(&prompt.id)).await?;
    let batch = with_all::<Rating>(ctx, batch, || queries::rating_ids_on(&prompt.id)).await?;
    with_all::<PromptVersion>(ctx, batch, || queries::version_ids_of(&prompt.id)).await
}

/// Adds the deletion of everything that a query finds, page by page.
async fn with_all<E: Entity>(ctx: &Ctx, mut batch: Batch, query: impl Fn() -> Query<E>) -> Result<Batch> {
    let mut cursor = None;
    loop {
        let page = ctx.app().store().find_docs(&query().limit(1000).after(cursor)).await?;
        for doc in &page.items {
            if let Some(id) = doc.get("_id").and_then(serde_json::Value::as_str) {
                batch = batch.delete::<E>(checked(), id);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(batch);
        }
    }
}

/// A prompt at its version 1, not yet stored.
pub(super) fn made(ctx: &Ctx, draft: Draft, slug: Slug, tenancy: Tenancy, source: Source) -> Prompt {
    let now = ctx.now();
    Prompt {
        id: PromptId::make(ctx.app().ids()),
        slug,
        tenancy,
        draft,
        featured: false,
        version: 1,
        author: author(ctx),
        source,
        uses: 0,
        rating_sum: 0,
        rating_count: 0,
        created_at: now,
        updated_at: now,
    }
}

/// The version that a prompt is at, not yet stored.
pub(super) fn version_of(ctx: &Ctx, prompt: &Prompt, note: &str) -> PromptVersion {
    PromptVersion {
        id: VersionId::make(ctx.app().ids()),
        prompt_id: prompt.id.clone(),
        version: prompt.version,
        draft: prompt.draft.clone(),
        author_id: ctx.user_id().cloned(),
        author: author(ctx),
        note: note.to_owned(),
        created_at: ctx.now(),
    }
}

fn author(ctx: &Ctx) -> String {
    ctx.identity().map_or_else(|| "Engify".to_owned(), |identity| identity.user.name.clone())
}

pub(super) fn target(prompt: &Prompt) -> Target {
    Target::new("prompt", &prompt.slug)
}

fn conflict() -> Error {
    let message = "Somebody else changed this prompt in between. Reload it, and make your change again.";
    Error::new(Kind::Conflict, "edit_conflict", message)
}

/// Who may change how far somebody else's prompt reaches, and where to. Only its author takes one back from others: made
/// private by somebody else, it would be lost to whoever did it. And nobody carries one into another organization.
fn check_owner(ctx: &Ctx, old: &Prompt, visibility: Option<Visibility>) -> Result<()> {
    if old.tenancy.user_id.is_some() && old.tenancy.user_id.as_ref() == ctx.user_id() {
        return Ok(());
    }
    let issue = match visibility {
        None | Some(Visibility::Public) => return Ok(()),
        Some(Visibility::Organization) if old.tenancy.organization_id.as_ref() == ctx.organization_id() => {
            return Ok(());
        }
        Some(Visibility::Organization) => {
            "cannot be your organization: the prompt was made outside it; duplicate it"
        }
        Some(Visibility::Private) => {
            "cannot be private: only its author takes a prompt back; delete it instead"
        }
    };
    Err(Error::field("visibility", issue))
}

/// How far a prompt reaches now. An organization that is new to it is the one in which it is shared, which need not be that
/// in which it was made: people change organizations, and their own prompts go with them.
fn retenanted(ctx: &Ctx, old: Tenancy, visibility: Visibility) -> Tenancy {
    let organization = match visibility {
        Visibility::Organization => ctx.organization_id().cloned(),
        Visibility::Private | Visibility::Public => old.organization_id,
    };
    Tenancy::new(old.user_id, organization, visibility)
}

fn check_reach(ctx: &Ctx, visibility: Visibility, featured: bool) -> Result<()> {
    if featured && !ctx.allows(Permission::PromptsManage) {
        return Err(Error::forbidden("Only those with prompts:manage feature prompts."));
    }
    if visibility == Visibility::Organization && ctx.organization_id().is_none() {
        return Err(Error::field(
            "visibility",
            "needs an organization, and you belong to none; use private or public",
        ));
    }
    Ok(())
}

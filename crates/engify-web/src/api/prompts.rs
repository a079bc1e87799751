//! The library.

use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Response};
use engify_app::exchange::Format;
use engify_app::limits::presets;
use engify_app::prompts::{self, Changes, Edit, Favorited, ImportReport, New, Question};
use engify_core::Error;
use engify_core::permission::Permission;
use engify_core::prompt::{Difficulty, Draft, Variable};
use engify_core::tenancy::Visibility;
use http::{StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Paging, limit};
use crate::extract::{Caller, Json, Query};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply, json};
use crate::route::{self, Route};
use crate::views::{PromptRow, PromptView, VersionView};

/// The largest file of one import over HTTP; larger ones come in by the command line.
const IMPORT: usize = 32 * 1024 * 1024;

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::PromptsRead);
    const WRITE: Policy = Policy::needs(Permission::PromptsWrite).limit(presets::WRITE);
    const MARK: Policy = Policy::SIGNED_IN.also_by_key().limit(presets::WRITE);
    const CONFLICT: &[StatusCode] = &[StatusCode::CONFLICT];
    vec![
        Route::get("/api/prompts", READ.cache(300), list)
            .named("Prompts", "Search or browse the library")
            .query::<ListQuery>()
            .gives::<List<PromptRow>>(StatusCode::OK, "prompts that the caller may see"),
        Route::post("/api/prompts", WRITE, create)
            .named("Prompts", "Make a prompt")
            .takes::<NewBody>()
            .gives::<PromptView>(StatusCode::CREATED, "the prompt at version 1")
            .refuses(CONFLICT),
        Route::post("/api/prompts/import", WRITE.limit(presets::IMPORT).body(IMPORT).deadline(120), import)
            .named("Prompts", "Import prompts from one file: Markdown, JSON, JSON Lines or CSV as the body")
            .query::<ImportQuery>()
            .gives::<Done<ImportReport>>(StatusCode::OK, "what was created, updated, unchanged, refused"),
        Route::get("/api/prompts/export", READ.limit(presets::IMPORT).deadline(120), export)
            .named("Prompts", "Export the prompts that the caller may see")
            .query::<ExportQuery>()
            .gives_nothing(StatusCode::OK, "the file"),
        Route::get("/api/prompts/{slug}", READ.cache(300), one)
            .named("Prompts", "One prompt")
            .gives::<PromptView>(StatusCode::OK, "the prompt"),
        Route::patch("/api/prompts/{slug}", WRITE, edit)
            .named("Prompts", "Change a prompt; a changed text makes a new version")
            .takes::<EditBody>()
            .gives::<PromptView>(StatusCode::OK, "the prompt")
            .refuses(CONFLICT),
        Route::delete("/api/prompts/{slug}", WRITE, delete)
            .named("Prompts", "Delete a prompt")
            .gives::<Done<()>>(StatusCode::OK, "deleted"),
        Route::put("/api/prompts/{slug}/favorite", MARK, favorite)
            .named("Prompts", "Put a prompt among the caller's favourites")
            .gives::<Done<FavoriteView>>(StatusCode::OK, "it is"),
        Route::post("/api/prompts/{slug}/favorite", MARK, favorite)
            .named("Prompts", "Put a prompt among the caller's favourites")
            .gives::<Done<FavoriteView>>(StatusCode::OK, "it is"),
        Route::delete("/api/prompts/{slug}/favorite", MARK, unfavorite)
            .named("Prompts", "Take a prompt out of the caller's favourites")
            .gives::<Done<FavoriteView>>(StatusCode::OK, "it is not"),
        Route::put("/api/prompts/{slug}/rating", MARK, rate)
            .named("Prompts", "Give a prompt stars; again replaces them")
            .takes::<RatingBody>()
            .gives::<Done<RatingBody>>(StatusCode::OK, "given")
            .refuses(CONFLICT),
        Route::post("/api/prompts/{slug}/rating", MARK, rate)
            .named("Prompts", "Give a prompt stars; again replaces them")
            .takes::<RatingBody>()
            .gives::<Done<RatingBody>>(StatusCode::OK, "given")
            .refuses(CONFLICT),
        Route::get("/api/prompts/{slug}/versions", READ, versions)
            .named("Prompts", "The versions of a prompt, newest first")
            .query::<Paging>()
            .gives::<List<VersionView>>(StatusCode::OK, "immutable versions"),
        Route::get("/api/prompts/{slug}/versions/{version}", READ, version)
            .named("Prompts", "One version of a prompt")
            .gives::<VersionView>(StatusCode::OK, "the version"),
        Route::post("/api/prompts/{slug}/versions/{version}/restore", WRITE, restore)
            .named("Prompts", "Make an old version the newest")
            .gives::<PromptView>(StatusCode::OK, "the prompt at its new version")
            .refuses(CONFLICT),
    ]
}

/// A question to the library.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Words, `"a phrase"`, `-without`; ranked, title before description.
    q: Option<String>,
    /// This category.
    category: Option<String>,
    /// This role.
    role: Option<String>,
    /// This tag.
    tag: Option<String>,
    /// This pattern.
    pattern: Option<String>,
    /// `beginner`, `intermediate`, `advanced`.
    difficulty: Option<String>,
    /// Featured ones, or the others.
    featured: Option<bool>,
    /// `public`, `organization` (of the caller's own), `private` (the caller's own).
    visibility: Option<String>,
    /// `relevance`, `newest`, `updated`, `used`, `rating`, `title`.
    sort: Option<String>,
    /// 1 to 100; 50 where it is left out.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn list(caller: Caller, Query(query): Query<ListQuery>) -> Reply {
    let question = Question {
        text: query.q.unwrap_or_default(),
        category: query.category,
        role: query.role,
        tag: query.tag,
        pattern: query.pattern,
        difficulty: query.difficulty,
        featured: query.featured,
        visibility: query.visibility,
        sort: query.sort,
        limit: limit(query.limit)?,
        cursor: query.cursor,
    };
    let hits = prompts::list(&caller.0, &question).await?;
    let mut list = List::new(hits.cards.into_iter().map(PromptRow::from).collect(), hits.next);
    list.total = Some(hits.total);
    Ok(list.reply())
}

async fn one(caller: Caller, Path(slug): Path<String>) -> Reply {
    let prompt = prompts::get(&caller.0, &slug).await?;
    Ok(json(StatusCode::OK, &PromptView::from(prompt.as_ref())))
}

/// A new prompt.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewBody {
    /// 4 to 120 characters.
    title: String,
    /// One sentence, at most 240 characters.
    #[serde(default)]
    description: String,
    /// Markdown with `{{name}}` blanks, at most 1 000 000 characters.
    content: String,
    /// The subject.
    #[serde(default)]
    category: String,
    /// Who uses it.
    #[serde(default)]
    role: String,
    /// At most 12 words.
    #[serde(default)]
    tags: Vec<String>,
    /// A pattern's slug.
    pattern: Option<String>,
    /// `intermediate` where it is left out.
    difficulty: Option<Difficulty>,
    /// The blanks; undeclared ones become plain text.
    #[serde(default)]
    variables: Vec<Variable>,
    /// Its name in addresses; made from the title where it is left out.
    slug: Option<String>,
    /// `private` where it is left out.
    visibility: Option<Visibility>,
    /// On the home page.
    #[serde(default)]
    featured: bool,
    /// Why, for the version's record.
    #[serde(default)]
    note: String,
}

async fn create(caller: Caller, Json(body): Json<NewBody>) -> Reply {
    let draft = Draft {
        title: body.title,
        description: body.description,
        content: body.content,
        category: body.category,
        role: body.role,
        tags: body.tags,
        pattern: body.pattern,
        difficulty: body.difficulty.unwrap_or_default(),
        variables: body.variables,
    };
    let new =
        New { draft, slug: body.slug, visibility: body.visibility, featured: body.featured, note: body.note };
    let prompt = prompts::create(&caller.0, new).await?;
    Ok(json(StatusCode::CREATED, &PromptView::from(&prompt)))
}

/// What to change; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EditBody {
    title: Option<String>,
    description: Option<String>,
    content: Option<String>,
    category: Option<String>,
    role: Option<String>,
    tags: Option<Vec<String>>,
    /// An empty word takes the pattern away.
    pattern: Option<String>,
    difficulty: Option<Difficulty>,
    variables: Option<Vec<Variable>>,
    visibility: Option<Visibility>,
    featured: Option<bool>,
    /// Why, for the version's record.
    #[serde(default)]
    note: String,
    /// The version that the change was made on; nothing is changed where it is not the newest any more.
    version: Option<u32>,
}

async fn edit(caller: Caller, Path(slug): Path<String>, Json(body): Json<EditBody>) -> Reply {
    let changes = Changes {
        title: body.title,
        description: body.description,
        content: body.content,
        category: body.category,
        role: body.role,
        tags: body.tags,
        pattern: body.pattern,
        difficulty: body.difficulty,
        variables: body.variables,
    };
    let edit = Edit {
        changes,
        visibility: body.visibility,
        featured: body.featured,
        note: body.note,
        on_version: body.version,
    };
    let prompt = prompts::edit(&caller.0, &slug, edit).await?;
    Ok(json(StatusCode::OK, &PromptView::from(&prompt)))
}

async fn delete(caller: Caller, Path(slug): Path<String>) -> Reply {
    prompts::delete(&caller.0, &slug).await?;
    Ok(Done::reply(StatusCode::OK, ()))
}

/// Whether a prompt is a favourite.
#[derive(Serialize, JsonSchema)]
struct FavoriteView {
    favorite: bool,
}

async fn favorite(caller: Caller, Path(slug): Path<String>) -> Reply {
    let Favorited(favorite) = prompts::favorite(&caller.0, &slug, true).await?;
    Ok(Done::reply(StatusCode::OK, FavoriteView { favorite }))
}

async fn unfavorite(caller: Caller, Path(slug): Path<String>) -> Reply {
    let Favorited(favorite) = prompts::favorite(&caller.0, &slug, false).await?;
    Ok(Done::reply(StatusCode::OK, FavoriteView { favorite }))
}

/// Stars.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RatingBody {
    /// 1 to 5.
    #[schemars(range(min = 1, max = 5))]
    #[serde(alias = "rating")]
    stars: u8,
}

async fn rate(caller: Caller, Path(slug): Path<String>, Json(body): Json<RatingBody>) -> Reply {
    prompts::rate(&caller.0, &slug, body.stars).await?;
    Ok(Done::reply(StatusCode::OK, body))
}

async fn versions(caller: Caller, Path(slug): Path<String>, Query(paging): Query<Paging>) -> Reply {
    let page = prompts::versions(&caller.0, &slug, limit(paging.limit)?, paging.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.into_iter().map(VersionView::from).collect(), next).reply())
}

fn number(text: &str) -> engify_core::Result<u32> {
    text.parse().map_err(|_| Error::field("version", "is a whole number from 1"))
}

async fn version(caller: Caller, Path((slug, version)): Path<(String, String)>) -> Reply {
    let version = prompts::version(&caller.0, &slug, number(&version)?).await?;
    Ok(json(StatusCode::OK, &VersionView::from(version)))
}

async fn restore(caller: Caller, Path((slug, version)): Path<(String, String)>) -> Reply {
    let prompt = prompts::restore(&caller.0, &slug, number(&version)?).await?;
    Ok(json(StatusCode::OK, &PromptView::from(&prompt)))
}

/// What comes in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    /// The file's name; its ending tells the format.
    file: String,
    /// `private` where it and the file leave it out.
    visibility: Option<Visibility>,
}

async fn import(caller: Caller, Query(query): Query<ImportQuery>, request: Request) -> Reply {
    let bytes = route::bytes(request, IMPORT).await?;
    let visibility = query.visibility.unwrap_or(Visibility::Private);
    let report = prompts::import(&caller.0, vec![(query.file, bytes.to_vec())], visibility).await?;
    Ok(Done::reply(StatusCode::OK, report))
}

/// How it goes out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// `json`, `jsonl` or `csv`; `json` where it is left out.
    format: Option<String>,
}

async fn export(caller: Caller, Query(query): Query<ExportQuery>) -> Reply {
    let (format, kind) = match query.format.as_deref() {
        None | Some("json") => (Format::Json, "application/json"),
        Some("jsonl") => (Format::JsonLines, "application/x-ndjson"),
        Some("csv") => (Format::Csv, "text/csv; charset=utf-8"),
        Some(_) => return Err(Error::field("format", "is json, jsonl or csv").into()),
    };
    let files = prompts::export(&caller.0, format).await?;
    let (name, bytes) = files.into_iter().next().unwrap_or_default();
    let disposition = format!("attachment; filename=\"{name}\"");
    let response: Response =
        ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], bytes)
            .into_response();
    Ok(response)
}

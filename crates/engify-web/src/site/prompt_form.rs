//! Writing and changing prompts.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::Response;
use engify_app::limits::presets;
use engify_app::patterns;
use engify_app::prompts::{self, Edit, New, Question};
use engify_core::error::Faults;
use engify_core::permission::Permission;
use engify_core::prompt::{Difficulty, Draft, Prompt, Variable, VariableKind};
use engify_core::template;
use engify_core::tenancy::Visibility;
use engify_core::{Error, Result};
use maud::Markup;
use serde::Deserialize;

use super::form::{Fields, Wrong};
use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::extract::Query;
use crate::pages::prompt_form::{self as pages, PromptFormView, PromptValues, VariableValues};
use crate::policy::Policy;
use crate::reply::{Failure, Reply};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    const WRITE: Policy = Policy::needs(Permission::PromptsWrite);
    vec![
        Route::get("/prompts/new", WRITE, blank).page(),
        Route::post("/prompts/new", WRITE.limit(presets::WRITE), create).page(),
        Route::get("/prompts/{slug}/edit", WRITE, open).page(),
        Route::post("/prompts/{slug}/edit", WRITE.limit(presets::WRITE), edit).page(),
    ]
}

/// The fields that the page shows faults at.
const FIELDS: &[&str] = &[
    "title",
    "description",
    "content",
    "category",
    "role",
    "pattern",
    "difficulty",
    "tags",
    "visibility",
    "note",
    "variables.",
];

/// What a new prompt begins with.
#[derive(Deserialize)]
struct From {
    from: Option<String>,
}

async fn blank(visit: Visit, Query(From { from }): Query<From>) -> Reply {
    let values = match from {
        Some(slug) => copied(&*prompts::get(&visit.ctx, &slug).await?),
        None => PromptValues {
            difficulty: Difficulty::default().to_string(),
            visibility: Visibility::Private.to_string(),
            ..PromptValues::default()
        },
    };
    Ok(ok(page(&visit, PromptFormView { values, ..PromptFormView::default() }).await?))
}

async fn create(visit: Visit, fields: Fields) -> Reply {
    let values = typed(&fields);
    if fields.text("do") == "preview" {
        return preview(&visit, None, values).await;
    }
    let made = match read(&values) {
        Ok((draft, visibility)) => {
            let (featured, note) = (values.featured, values.note.clone());
            prompts::create(&visit.ctx, New { draft, slug: None, visibility, featured, note }).await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(prompt) => Ok(Said::Created.at(&format!("/prompts/{}", prompt.slug))),
        Err(error) => again(&visit, None, values, error).await,
    }
}

async fn open(visit: Visit, Path(slug): Path<String>) -> Reply {
    let prompt = prompts::editable(&visit.ctx, &slug).await?;
    let editing = Some((slug, prompt.version));
    let view = PromptFormView { editing, values: written(&prompt), ..PromptFormView::default() };
    Ok(ok(page(&visit, view).await?))
}

async fn edit(visit: Visit, Path(slug): Path<String>, fields: Fields) -> Reply {
    let values = typed(&fields);
    let on_version: u32 =
        fields.text("version").parse().map_err(|_| Failure(Error::field("version", "is a whole number")))?;
    let editing = Some((slug.clone(), on_version));
    if fields.text("do") == "preview" {
        return preview(&visit, editing, values).await;
    }
    let changed = match read(&values) {
        Ok((draft, visibility)) => {
            // Only those who see the box can untick it.
            let featured = visit.ctx.allows(Permission::PromptsManage).then_some(values.featured);
            let on_version = Some(on_version);
            let edit =
                Edit { changes: draft.into(), visibility, featured, note: values.note.clone(), on_version };
            prompts::edit(&visit.ctx, &slug, edit).await
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(prompt) => Ok(Said::Saved.at(&format!("/prompts/{}", prompt.slug))),
        Err(error) => again(&visit, editing, values, error).await,
    }
}

/// The form with the text as readers will see it, and a row for each of its blanks.
async fn preview(visit: &Visit, editing: Option<(String, u32)>, values: PromptValues) -> Reply {
    let view = PromptFormView { editing, values, preview: true, ..PromptFormView::default() };
    Ok(ok(page(visit, view).await?))
}

/// The form with what was typed and what is wrong with it.
async fn again(
    visit: &Visit,
    editing: Option<(String, u32)>,
    values: PromptValues,
    error: Error,
) -> Reply<Response> {
    let wrong = Wrong::of(error)?;
    let view = PromptFormView {
        editing,
        values,
        faults: wrong.faults(&[]),
        problem: Some(wrong.problem(FIELDS)),
        ..PromptFormView::default()
    };
    Ok(wrong.reply(page(visit, view).await?))
}

/// The page with the words that are in use.
async fn page(visit: &Visit, view: PromptFormView) -> Result<Markup> {
    let facets = prompts::facets(&visit.ctx, &Question { limit: 1, ..Question::default() }).await?;
    let words = |counted: Vec<(String, u64)>| {
        let mut words: Vec<String> = counted.into_iter().map(|(word, _)| word).collect();
        words.sort_unstable();
        words
    };
    let patterns = patterns::list(visit.app()).iter();
    let view = PromptFormView {
        categories: words(facets.category),
        roles: words(facets.role),
        patterns: patterns.map(|pattern| (pattern.slug.clone(), pattern.title.clone())).collect(),
        may_feature: visit.ctx.allows(Permission::PromptsManage),
        has_organization: visit.ctx.organization_id().is_some(),
        ..view
    };
    Ok(pages::page(&visit.frame(), &view))
}

/// What was typed, with one row for each blank of the text: rows of blanks that are gone go with them.
fn typed(fields: &Fields) -> PromptValues {
    let content = fields.text("content");
    let mut rows: BTreeMap<u32, VariableValues> = BTreeMap::new();
    for (name, value) in fields.under("variables.") {
        let Some((number, field)) = name.split_once('.') else { continue };
        let Ok(number) = number.parse() else { continue };
        let row: &mut VariableValues = rows.entry(number).or_default();
        let value = value.to_owned();
        match field {
            "name" => row.name = value,
            "label" => row.label = value,
            "type" => row.kind = value,
            "required" => row.required = true,
            "default" => row.default = value,
            "help" => row.help = value,
            "options" => row.options = value,
            "min" => row.min = value,
            "max" => row.max = value,
            _ => {}
        }
    }
    let names = template::names(&content);
    let fresh = names
        .iter()
        .filter(|name| !rows.values().any(|row| row.name == **name))
        .map(|name| Variable::plain(name));
    let fresh: Vec<VariableValues> = fresh.map(|variable| row(&variable)).collect();
    PromptValues {
        variables: rows.into_values().filter(|row| names.contains(&row.name)).chain(fresh).collect(),
        title: fields.text("title"),
        description: fields.text("description"),
        category: fields.text("category"),
        role: fields.text("role"),
        tags: fields.text("tags"),
        pattern: fields.text("pattern"),
        difficulty: fields.text("difficulty"),
        visibility: fields.text("visibility"),
        featured: fields.given("featured").is_some(),
        note: fields.text("note"),
        content,
    }
}

/// The form's fields as a draft; its bounds are the use case's to check.
fn read(values: &PromptValues) -> Result<(Draft, Option<Visibility>)> {
    let mut faults = Faults::default();
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let difficulty =
        given(&values.difficulty).and_then(|word| faults.take("difficulty", Difficulty::parse(&word)));
    let visibility =
        given(&values.visibility).and_then(|word| faults.take("visibility", Visibility::parse(&word)));
    let mut variables = Vec::new();
    for (at, row) in values.variables.iter().enumerate() {
        let at = |field: &str| format!("variables.{at}.{field}");
        let mut number = |field: &str, text: &str| {
            let parsed =
                given(text).map(|text| text.parse::<f64>().map_err(|_| "is not a number".to_owned()));
            parsed.and_then(|parsed| faults.take(&at(field), parsed))
        };
        let (min, max) = (number("min", &row.min), number("max", &row.max));
        variables.push(Variable {
            name: row.name.clone(),
            label: row.label.clone(),
            kind: faults.take(&at("type"), VariableKind::parse(&row.kind)).unwrap_or(VariableKind::Text),
            required: row.required,
            default: given(&row.default),
            help: given(&row.help),
            options: row.options.lines().filter_map(given).collect(),
            min,
            max,
        });
    }
    faults.check()?;
    let draft = Draft {
        title: values.title.clone(),
        description: values.description.clone(),
        content: values.content.clone(),
        category: values.category.clone(),
        role: values.role.clone(),
        tags: values.tags.split(',').filter_map(given).collect(),
        pattern: Some(values.pattern.clone()),
        difficulty: difficulty.unwrap_or_default(),
        variables,
    };
    Ok((draft, visibility))
}

/// A prompt as the form's fields.
fn written(prompt: &Prompt) -> PromptValues {
    let draft = &prompt.draft;
    PromptValues {
        title: draft.title.clone(),
        description: draft.description.clone(),
        content: draft.content.clone(),
        category: draft.category.clone(),
        role: draft.role.clone(),
        tags: draft.tags.join(", "),
        pattern: draft.pattern.clone().unwrap_or_default(),
        difficulty: draft.difficulty.to_string(),
        visibility: prompt.tenancy.visibility.to_string(),
        featured: prompt.featured,
        note: String::new(),
        variables: draft.variables.iter().map(row).collect(),
    }
}

/// A prompt as the beginning of one's own.
fn copied(prompt: &Prompt) -> PromptValues {
    let title = format!("{} (copy)", prompt.draft.title);
    PromptValues { title, visibility: Visibility::Private.to_string(), featured: false, ..written(prompt) }
}

fn row(variable: &Variable) -> VariableValues {
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    VariableValues {
        name: variable.name.clone(),
        label: variable.label.clone(),
        kind: variable.kind.to_string(),
        required: variable.required,
        default: variable.default.clone().unwrap_or_default(),
        help: variable.help.clone().unwrap_or_default(),
        options: variable.options.join("\n"),
        min: number(variable.min),
        max: number(variable.max),
    }
}

//! The library side of the preview: prompts, versions, patterns and the form.

use engify_core::error::Detail;
use engify_web::pages::library::{FacetsView, LibraryView};
use engify_web::pages::library_query::LibraryQuery;
use engify_web::pages::patterns::{PatternCard, PatternView};
use engify_web::pages::prompt::{Mine, PromptTab, PromptView};
use engify_web::pages::prompt_form::{PromptFormView, PromptValues, VariableValues};
use engify_web::pages::run_panel::RunPanel;
use engify_web::pages::versions::{Compared, VersionsView};
use engify_web::pages::{self, CardView};
use engify_web::ui::Frame;
use engify_web::ui::diff::{DiffLine, DiffRow};
use maud::Markup;

use crate::pages::rows;
use crate::samples::Samples;

pub(crate) fn cards(samples: &Samples, count: usize) -> Vec<CardView> {
    samples.prompts.iter().take(count).map(CardView::from).collect()
}

pub(crate) fn pattern((slug, title, description, _): &(String, String, String, String)) -> PatternCard {
    PatternCard {
        slug: slug.clone(),
        title: title.clone(),
        description: description.clone(),
        difficulty: Default::default(),
        prompts: title.len() as u64,
    }
}

pub(crate) fn library(at: &Frame<'_>, samples: &Samples, has: &dyn Fn(&str) -> bool) -> Markup {
    let count = |words: &[&str]| {
        words
            .iter()
            .enumerate()
            .map(|(at, word)| ((*word).to_owned(), 33_u64.saturating_sub(at as u64 * 2)))
            .collect()
    };
    let empty = has("empty");
    let text = if has("q=") { "review code" } else { "" };
    pages::library::page(
        at,
        &LibraryView {
            query: LibraryQuery {
                text: text.into(),
                category: has("category").then(|| "engineering".into()),
                ..LibraryQuery::default()
            },
            cards: if empty { Vec::new() } else { cards(samples, 25) },
            matching: if empty { 0 } else { 33 },
            total: 128,
            took_ms: 1.4,
            corrected: None,
            facets: FacetsView {
                category: count(&[
                    "engineering",
                    "architecture",
                    "operations",
                    "security",
                    "data",
                    "quality",
                    "product",
                    "design",
                    "support",
                    "marketing",
                ]),
                role: count(&[
                    "junior-engineer",
                    "engineer",
                    "senior-engineer",
                    "architect",
                    "cto",
                    "product-manager",
                    "qa",
                    "devops",
                    "sre",
                ]),
                pattern: count(&["chain-of-thought", "few-shot", "persona", "rubric", "checklist"]),
                difficulty: count(&["beginner", "intermediate", "advanced"]),
                tag: count(&["code-review", "incident", "testing", "planning"]),
            },
            cursor: None,
            next: Some("c".into()),
            may_write: at.user.is_some(),
            reaches: &[],
        },
    )
}

pub(crate) fn prompt(at: &Frame<'_>, samples: &Samples, slug: &str, has: &dyn Fn(&str) -> bool) -> Markup {
    let Some(prompt) = samples.prompts.iter().find(|prompt| prompt.slug.as_str() == slug) else {
        return Markup::default();
    };
    let tab = if has("tab=versions") {
        PromptTab::Versions(VersionsView {
            versions: &samples.versions,
            may_restore: true,
            compared: Some(Compared {
                from: 6,
                to: 7,
                rows: diff(),
                fields: vec![("Difficulty".into(), "beginner".into(), "intermediate".into())],
            }),
        })
    } else if has("tab=runs") {
        PromptTab::Runs(rows(samples, 5))
    } else if has("tab=about") {
        PromptTab::About
    } else {
        PromptTab::Prompt
    };
    pages::prompt::page(
        at,
        &PromptView {
            prompt,
            tab,
            mine: at.user.as_ref().map(|_| Mine { favorite: true, stars: Some(4) }),
            may_edit: at.user.is_some(),
            may_delete: at.user.is_some(),
            run: RunPanel {
                models: samples.models.clone(),
                chosen: "anthropic/claude-sonnet-4-5".into(),
                estimate: Some((1140, "$0.0034".into())),
                run: has("answered").then(|| &samples.runs[0]),
                problem: has("faulty").then(|| {
                    "The provider refused the key. Put a valid one under Settings, Providers.".into()
                }),
                faults: if has("faulty") {
                    vec![Detail {
                        field: format!("variables.{}", prompt.draft.variables[0].name),
                        issue: "is required; give it a value".into(),
                    }]
                } else {
                    Vec::new()
                },
                ..RunPanel::default()
            },
            related: cards(samples, 4),
            pattern_title: None,
        },
    )
}

fn diff() -> Vec<DiffRow> {
    let line = |number, changed, parts: &[(bool, &str)]| {
        Some(DiffLine {
            number,
            changed,
            parts: parts.iter().map(|(on, text)| (*on, (*text).to_owned())).collect(),
        })
    };
    vec![
        DiffRow {
            left: line(1, false, &[(false, "You are a staff engineer who reviews for {{team}}.")]),
            right: line(1, false, &[(false, "You are a staff engineer who reviews for {{team}}.")]),
        },
        DiffRow {
            left: line(
                2,
                true,
                &[(false, "For each finding give severity and "), (true, "a fix"), (false, ".")],
            ),
            right: line(
                2,
                true,
                &[
                    (false, "For each finding give severity and "),
                    (true, "the smallest diff that fixes it"),
                    (false, "."),
                ],
            ),
        },
        DiffRow {
            left: None,
            right: line(3, true, &[(true, "Do not praise. If nothing is wrong, say so and stop.")]),
        },
    ]
}

pub(crate) fn form(
    at: &Frame<'_>,
    samples: &Samples,
    faults: Vec<Detail>,
    has: &dyn Fn(&str) -> bool,
) -> Markup {
    let draft = &samples.prompts[0].draft;
    let variables = draft.variables.iter().map(|variable| VariableValues {
        name: variable.name.clone(),
        label: variable.label.clone(),
        kind: variable.kind.to_string(),
        required: variable.required,
        default: variable.default.clone().unwrap_or_default(),
        help: variable.help.clone().unwrap_or_default(),
        options: variable.options.join("\n"),
        ..VariableValues::default()
    });
    let values = PromptValues {
        title: draft.title.clone(),
        description: draft.description.clone(),
        content: draft.content.clone(),
        category: draft.category.clone(),
        role: draft.role.clone(),
        tags: draft.tags.join(", "),
        difficulty: "beginner".into(),
        visibility: "private".into(),
        variables: variables.collect(),
        ..PromptValues::default()
    };
    pages::prompt_form::page(
        at,
        &PromptFormView {
            editing: has("edit").then(|| (samples.prompts[0].slug.to_string(), 7)),
            values,
            faults,
            problem: None,
            preview: has("preview"),
            categories: vec!["engineering".into()],
            roles: vec!["qa".into()],
            patterns: vec![("rubric".into(), "Rubric".into())],
            may_feature: true,
            has_organization: true,
        },
    )
}

pub(crate) fn one_pattern(at: &Frame<'_>, samples: &Samples, slug: &str) -> Markup {
    let Some(found) = samples.patterns.iter().find(|pattern| pattern.0 == slug) else {
        return Markup::default();
    };
    pages::patterns::page(
        at,
        &PatternView {
            pattern: pattern(found),
            content: found.3.clone(),
            tags: vec!["reasoning".into(), "accuracy".into()],
            related: vec![("step-back".into(), "Step back".into())],
            prompts: cards(samples, 6),
        },
    )
}

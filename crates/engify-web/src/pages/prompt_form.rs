//! Writing a prompt: its text, what it is about, and the fields that its blanks become. Works without scripts: Preview
//! posts the form, shows the text as readers will see it, and adds a row for each new blank.

use engify_core::error::Detail;
use engify_core::prompt::{Difficulty, VariableKind};
use engify_core::tenancy::Visibility;
use maud::{Markup, html};

use crate::markdown;
use crate::ui::form::{Faults, Field, checkbox, options};
use crate::ui::{Frame, Head, breadcrumb, card, frame, heading, problem};

/// What the form shows.
#[derive(Default)]
pub struct PromptFormView {
    /// The slug and version that is changed; none for a new prompt.
    pub editing: Option<(String, u32)>,
    /// What was typed, or what is there.
    pub values: PromptValues,
    /// What is wrong with it.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
    /// Whether to show the text as readers will see it.
    pub preview: bool,
    /// Categories in use, for suggestions.
    pub categories: Vec<String>,
    /// Roles in use.
    pub roles: Vec<String>,
    /// Slugs and titles of the patterns.
    pub patterns: Vec<(String, String)>,
    /// Whether the person may set `featured`.
    pub may_feature: bool,
    /// Whether the person has an organization to share with.
    pub has_organization: bool,
}

/// The form's fields as text, as they are posted.
#[derive(Debug, Clone, Default)]
pub struct PromptValues {
    /// `title`
    pub title: String,
    /// `description`
    pub description: String,
    /// `content`
    pub content: String,
    /// `category`
    pub category: String,
    /// `role`
    pub role: String,
    /// `tags`, separated by commas.
    pub tags: String,
    /// `pattern`
    pub pattern: String,
    /// `difficulty`
    pub difficulty: String,
    /// `visibility`
    pub visibility: String,
    /// `featured`
    pub featured: bool,
    /// `note`: why it is changed.
    pub note: String,
    /// `variables.<n>.<field>`, in order.
    pub variables: Vec<VariableValues>,
}

/// One variable's fields as text.
#[derive(Debug, Clone, Default)]
pub struct VariableValues {
    /// `name`
    pub name: String,
    /// `label`
    pub label: String,
    /// `type`
    pub kind: String,
    /// `required`
    pub required: bool,
    /// `default`
    pub default: String,
    /// `help`
    pub help: String,
    /// `options`, one a line.
    pub options: String,
    /// `min`
    pub min: String,
    /// `max`
    pub max: String,
}

/// `/prompts/new` and `/prompts/{slug}/edit`. The buttons post `do=save` or `do=preview`.
pub fn page(at: &Frame<'_>, view: &PromptFormView) -> Markup {
    let (title, action) = match &view.editing {
        Some((slug, _)) => ("Edit prompt", format!("/prompts/{slug}/edit")),
        None => ("New prompt", "/prompts/new".to_owned()),
    };
    let back = view.editing.as_ref().map_or("/prompts".to_owned(), |(slug, _)| format!("/prompts/{slug}"));
    let body = html! {
        @match &view.editing {
            Some((_, _)) => (breadcrumb(&[("Library", "/prompts"), (&view.values.title, &back)])),
            None => (breadcrumb(&[("Library", "/prompts")])),
        }
        (heading(title, html! {}))
        (problem(view.problem.as_deref()))
        form.write method="post" action=(action) {
            @if let Some((_, version)) = &view.editing { input type="hidden" name="version" value=(version); }
            div.stack.gap-16 { (text_fields(view)) @if view.preview { (preview(view)) } (variables(view)) }
            div.stack.gap-16 { (class_fields(view)) }
            div.row.wrap.form-end {
                button.btn.go type="submit" name="do" value="save" { (if view.editing.is_some() { "Save as a new version" } else { "Create the prompt" }) }
                button.btn type="submit" name="do" value="preview" formnovalidate { "Preview" }
                a.btn.bare href=(back) { "Cancel" }
            }
        }
    };
    frame(at, &Head::new(title, "Write a prompt for the library."), body)
}

fn text_fields(view: &PromptFormView) -> Markup {
    let faults = Faults(&view.faults);
    html! {
        (Field::text("Title", "title").value(&view.values.title).required().help("Says what it does; starts with a verb.").faults(faults))
        (Field::text("Description", "description").value(&view.values.description).help("One sentence.").faults(faults))
        (Field::code("Prompt", "content", 18).value(&view.values.content).required()
            .help("Markdown. {{name}} is a blank that the form asks for: a-z, 0-9 and _.").faults(faults))
        @if view.editing.is_some() {
            (Field::text("What changed", "note").value(&view.values.note).placeholder("Why this version is better").faults(faults))
        }
    }
}

fn class_fields(view: &PromptFormView) -> Markup {
    let faults = Faults(&view.faults);
    let values = &view.values;
    let patterns =
        std::iter::once((String::new(), "None".to_owned())).chain(view.patterns.iter().cloned()).collect();
    let seen = [
        (Visibility::Private, "Only me"),
        (Visibility::Organization, "My organization"),
        (Visibility::Public, "Everybody"),
    ];
    let offered = |word: Visibility| {
        word != Visibility::Organization || view.has_organization || values.visibility == word.as_str()
    };
    let seen = seen
        .iter()
        .filter(|(word, _)| offered(*word))
        .map(|(word, text)| (word.to_string(), (*text).to_owned()))
        .collect();
    let with_own = |known: &[String], own: &str| {
        let own = (!own.is_empty() && !known.iter().any(|word| word == own)).then(|| own.to_owned());
        let words: Vec<String> = known.iter().cloned().chain(own).collect();
        options(Some("Choose"), words.iter().map(String::as_str))
    };
    html! {
        (Field::select("Category", "category", with_own(&view.categories, &values.category)).value(&values.category).faults(faults))
        (Field::select("Role", "role", with_own(&view.roles, &values.role)).value(&values.role).faults(faults))
        (Field::select("Pattern", "pattern", patterns).value(&values.pattern).faults(faults))
        (Field::select("Difficulty", "difficulty", options(None, Difficulty::ALL.iter().map(|word| word.as_str()))).value(&values.difficulty).faults(faults))
        (Field::text("Tags", "tags").value(&values.tags).help("Separated by commas, at most 12.").faults(faults))
        (Field::select("Who sees it", "visibility", seen).value(&values.visibility).faults(faults))
        @if view.may_feature { (checkbox("Show on the front page", "featured", "true", values.featured)) }
    }
}

fn preview(view: &PromptFormView) -> Markup {
    card(
        "Preview",
        html! { span.small.faint { "not saved yet" } },
        html! { article.text.prose { (markdown::prompt(&view.values.content)) } },
    )
}

fn variables(view: &PromptFormView) -> Markup {
    html! {
        @if view.values.variables.is_empty() {
            p.small.quiet { "Blanks of the text become plain text fields. Preview lists them here, to give each a type, a default and help." }
        } @else {
            h2 { "Variables" }
            @for (at, variable) in view.values.variables.iter().enumerate() { (variable_row(view, at, variable)) }
        }
    }
}

fn variable_row(view: &PromptFormView, at: usize, variable: &VariableValues) -> Markup {
    let faults = Faults(&view.faults);
    let name = |field: &str| format!("variables.{at}.{field}");
    let fault = |field: &str| faults.at(&name(field));
    let kinds = VariableKind::ALL
        .iter()
        .map(|kind| (kind.to_string(), crate::ui::figures::label(kind.as_str())))
        .collect();
    html! {
        fieldset.card.variable {
            legend.mono { (variable.name) }
            input type="hidden" name=(name("name")) value=(variable.name);
            div.trio {
                (Field::text("Label", &name("label")).value(&variable.label).fault(fault("label").or(fault("name"))))
                (Field::select("Type", &name("type"), kinds).value(&variable.kind).fault(fault("type")))
                (Field::text("Default", &name("default")).value(&variable.default).fault(fault("default")))
            }
            (Field::text("Help", &name("help")).value(&variable.help).fault(fault("help")))
            @if variable.kind == "choice" {
                (Field::area("Options, one a line", &name("options"), 4).value(&variable.options).fault(fault("options")))
            }
            @if variable.kind == "number" {
                div.trio {
                    (Field::number("Smallest", &name("min"), (None, None), "any").value(&variable.min).fault(fault("min")))
                    (Field::number("Largest", &name("max"), (None, None), "any").value(&variable.max).fault(fault("max")))
                }
            }
            (checkbox("A run needs it", &name("required"), "true", variable.required))
        }
    }
}

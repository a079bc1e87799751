//! AI providers: which are ready and with whose key, where keys are stored, replaced and tried, and what models cost.

use engify_core::provider_key::{KeySource, KeyTest, ProviderKey};
use maud::{Markup, html};

use super::ModelChoice;
use super::settings::inside;
use crate::ui::{Confirm, Frame, Icon, Tone, figures, problem, status};

/// What the providers page shows.
#[derive(Default)]
pub struct ProvidersView {
    /// In order of use; the dry run last.
    pub providers: Vec<ProviderRow>,
    /// The day of the price list, `2026-11-05`.
    pub prices_as_of: String,
    /// Whether the person runs the installation and so can set keys for everybody.
    pub may_configure: bool,
    /// Whether the person looks after their organization's keys.
    pub manages: bool,
    /// What came of trying keys just now.
    pub trials: Vec<TrialRow>,
    /// What is wrong with a key that was just typed: whose, which provider's, and how.
    pub wrong: Option<(KeySource, String, String)>,
    /// What is wrong beyond that.
    pub problem: Option<String>,
}

/// One provider.
pub struct ProviderRow {
    /// Its word: `openai`.
    pub id: String,
    /// As people read it.
    pub label: String,
    /// Whose key the person's runs use; none while there is none.
    pub source: Option<KeySource>,
    /// The setting that holds its key or address: `OPENAI_API_KEY`.
    pub setting: String,
    /// What its keys look like; none where it takes none.
    pub key_format: Option<String>,
    /// Where keys are made.
    pub key_page: Option<String>,
    /// The person's own key.
    pub own: Option<ProviderKey>,
    /// Their organization's key, for those who look after it.
    pub organization: Option<ProviderKey>,
    /// Its models with prices and context sizes (tokens).
    pub models: Vec<(ModelChoice, Option<u64>)>,
}

/// What came of trying a key.
pub struct TrialRow {
    /// Whose it is.
    pub source: KeySource,
    /// The provider as people read it.
    pub label: String,
    /// The last characters of the key.
    pub hint: Option<String>,
    /// Whether it looks like a key of this provider; none where it has no key.
    pub format_ok: Option<bool>,
    /// Whether it works.
    pub ok: bool,
    /// `works`, `bad_key`, …
    pub reason: String,
    /// What to do.
    pub message: String,
    /// How long the provider took, milliseconds.
    pub latency_ms: Option<f64>,
}

/// `/settings/providers`
pub fn page(at: &Frame<'_>, view: &ProvidersView) -> Markup {
    let none = !view.providers.iter().any(|provider| provider.source.is_some());
    let body = html! {
        (problem(view.problem.as_deref()))
        @if !view.trials.is_empty() { div.card { (trials(&view.trials)) } }
        @if none {
            div.notice.info role="status" { (Icon::Info) p {
                "No provider has a key yet. Everything works with the dry run meanwhile: it calls nobody, and shows what would be sent and what it would cost."
            } }
        }
        p.small.quiet { "A run uses your own key where you have one, else your organization's, else this installation's. Keys are encrypted, and never shown again." }
        div.stack.gap-16 { @for provider in &view.providers { (one(at, view, provider)) } }
        p.small.faint { "Prices in US dollars for a million tokens, as of " (view.prices_as_of) ". What a run costs is computed from them and the provider's own token counts." }
    };
    inside(at, "Providers", body)
}

/// Keys that were tried, as a table.
pub(super) fn trials(trials: &[TrialRow]) -> Markup {
    html! {
        table.data {
            thead { tr { th { "Key" } th { "Looks right" } th { "Works" } th.r { "Answered in" } th { "What to do" } } }
            tbody { @for trial in trials { tr {
                td.main { (trial.label) " " span.small.faint { (whose(trial.source)) @if let Some(hint) = trial.hint.as_deref().filter(|hint| !hint.is_empty()) { " …" (hint) } } }
                td data-label="Looks right" { @match trial.format_ok { Some(true) => (status(Tone::Ok, "yes")), Some(false) => (status(Tone::Warn, "no")), None => span.quiet { "needs no key" } } }
                td data-label="Works" { @if trial.ok { (status(Tone::Ok, "yes")) } @else { (status(Tone::Bad, &trial.reason.replace('_', " "))) } }
                td.r data-label="Answered in" { (trial.latency_ms.map_or("–".to_owned(), figures::millis)) }
                td data-label="What to do" { span.quiet { @if trial.ok { "Nothing" } @else { (trial.message) } } }
            } } }
        }
    }
}

fn whose(source: KeySource) -> &'static str {
    match source {
        KeySource::Own => "your key",
        KeySource::Organization => "your organization's key",
        KeySource::Installation => "the installation's key",
    }
}

fn one(at: &Frame<'_>, view: &ProvidersView, provider: &ProviderRow) -> Markup {
    let dry = provider.id == "dry-run";
    html! {
        section.card aria-label=(provider.label) {
            header {
                h2 { (provider.label) }
                @match provider.source {
                    Some(source) if provider.key_format.is_some() => (status(Tone::Ok, &format!("ready, {}", whose(source)))),
                    Some(_) => (status(Tone::Ok, "ready")),
                    None if dry => (status(Tone::Ok, "ready")),
                    None => (status(Tone::Plain, "no key")),
                }
            }
            @if dry { div.body { p.quiet { "Calls nobody. Returns the prompt as it would be sent, its tokens, and the cost on the model that you name." } } }
            @if !dry { div.body.stack.gap-16 {
                @if provider.source.is_none() { (missing(view, provider)) }
                @if provider.key_format.is_some() {
                    (slot(at, view, provider, KeySource::Own))
                    @if view.manages { (slot(at, view, provider, KeySource::Organization)) }
                }
            } }
            @if !provider.models.is_empty() { (models(provider)) }
        }
    }
}

fn missing(view: &ProvidersView, provider: &ProviderRow) -> Markup {
    html! {
        p.quiet {
            @if provider.key_format.is_some() { "Store a key of your own here" @if let Some(page) = &provider.key_page { "; keys are made at " a href=(page) rel="noopener" { (page.trim_start_matches("https://")) } } ". " }
            @if view.may_configure { "For everybody here, put it into " code { (provider.setting) } " in " code { ".env" } " and restart." }
            @else if provider.key_format.is_none() { "Whoever runs this installation sets " code { (provider.setting) } "." }
        }
    }
}

/// One place for a key: what is there, and the form that stores or replaces it.
fn slot(at: &Frame<'_>, view: &ProvidersView, provider: &ProviderRow, source: KeySource) -> Markup {
    let (title, key) = match source {
        KeySource::Organization => ("Your organization's key", provider.organization.as_ref()),
        _ => ("Your key", provider.own.as_ref()),
    };
    let fault = view.wrong.as_ref().filter(|(whose, id, _)| *whose == source && *id == provider.id);
    let fault = fault.map(|(_, _, issue)| issue.as_str());
    html! {
        @if let Some(key) = key {
            div.row.wrap.between {
                p { b { (title) } " " @if !key.hint.is_empty() { code.small { "…" (key.hint) } " " }
                    span.small.quiet { "stored " (figures::when(at.now, key.updated_at))
                        @if let Some(used) = key.last_used_at { ", last used " (figures::when(at.now, used)) }
                    }
                    " " @if let Some(test) = &key.last_test { (tested(at, test)) }
                }
                div.row {
                    form method="post" action="/settings/providers/test" {
                        (hidden(provider, source))
                        button.btn.bare type="submit" aria-label={ "Test " (title) " of " (provider.label) } { "Test" }
                    }
                    (Confirm {
                        open: "Delete", title: &format!("Delete {} of {}?", title.to_lowercase(), provider.label),
                        consequence: "Runs after this use another key where there is one. The key itself stays valid at the provider until you end it there.",
                        button: "Delete the key", action: "/settings/providers/delete".to_owned(),
                        fields: vec![("provider", provider.id.clone()), ("holder", source.to_string())], destroys: true,
                    })
                }
            }
        }
        details.settings open[fault.is_some()] {
            summary { @if key.is_some() { "Replace " (title.to_lowercase()) } @else { "Store " (title.to_lowercase()) } }
            (form(provider, source, fault))
        }
    }
}

fn tested(at: &Frame<'_>, test: &KeyTest) -> Markup {
    let tone = if test.ok { Tone::Ok } else { Tone::Bad };
    html! { (status(tone, &test.reason.replace('_', " "))) " " span.small.faint { (figures::when(at.now, test.tested_at)) } }
}

fn hidden(provider: &ProviderRow, source: KeySource) -> Markup {
    html! {
        input type="hidden" name="provider" value=(provider.id);
        input type="hidden" name="holder" value=(source);
    }
}

fn form(provider: &ProviderRow, source: KeySource, fault: Option<&str>) -> Markup {
    let id = format!("key-{source}-{}", provider.id);
    let about = format!("{id}-{}", if fault.is_some() { "fault" } else { "help" });
    html! {
        form.stack method="post" action="/settings/providers" {
            (hidden(provider, source))
            div.field {
                label for=(id) { "Key of " (provider.label) }
                input.input id=(id) name="key" type="password" required autocomplete="off" spellcheck="false"
                    placeholder=[provider.key_format.as_deref()] aria-invalid=[fault.map(|_| "true")] aria-describedby=(about);
                @match fault {
                    Some(fault) => p.fault id=(about) { (Icon::Warn) span { (figures::sentence(fault)) } },
                    None => p.help id=(about) { "Encrypted at rest, and never shown again." },
                }
            }
            div.row { button.btn type="submit" { "Store the key" } }
        }
    }
}

fn models(provider: &ProviderRow) -> Markup {
    html! {
        details open[provider.source.is_some()] {
            summary.pad { (figures::counted(provider.models.len() as u64, "model", "models")) }
            table.data.prices {
                thead { tr { th { "Model" } th.r { "In" } th.r { "Out" } th.r { "Context" } } }
                tbody { @for (model, context) in &provider.models { tr {
                    td.main { (model.label) " " code.small.faint { (model.model) } }
                    td.r data-label="In" { (model.price.map_or("unknown".to_owned(), |price| figures::price(price.0))) }
                    td.r data-label="Out" { (model.price.map_or("unknown".to_owned(), |price| figures::price(price.1))) }
                    td.r data-label="Context" { (context.map_or("–".to_owned(), figures::count)) }
                } } }
            }
        }
    }
}

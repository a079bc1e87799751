//! What was run: the table with its filters and the cost of each day, and the page of one run.

use engify_core::provider_key::KeySource;
use engify_core::run::{Run, RunStatus};
use engify_core::tenancy::Visibility;
use maud::{Markup, html};

use super::{RunRow, meter, pager, run_status, run_table};
use crate::markdown;
use crate::ui::chart::{Series, sparkline};
use crate::ui::{Frame, Head, Icon, breadcrumb, copy_button, empty, figures, flush, frame, heading, status};

/// What the history shows.
pub struct HistoryView<'a> {
    /// This page's runs, newest first.
    pub rows: Vec<RunRow<'a>>,
    /// How many match in all; none where counting was not worth it.
    pub matching: Option<u64>,
    /// The filters.
    pub filters: HistoryFilters,
    /// Providers in use, for the filter.
    pub providers: Vec<String>,
    /// The cost of each day.
    pub cost: Series,
    /// The sum of it, in words.
    pub cost_sum: String,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// The filters of the history, as they stand in the address.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilters {
    /// Words in the prompt or the answer; `text` in the address, for `q` is the library's.
    pub text: String,
    /// This provider.
    pub provider: String,
    /// How it ended.
    pub status: String,
}

impl HistoryFilters {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.provider.is_empty() && self.status.is_empty()
    }

    fn address(&self, cursor: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("text", self.text.as_str()),
            ("provider", &self.provider),
            ("status", &self.status),
            ("cursor", cursor.unwrap_or("")),
        ];
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        format!("/history?{}", query.finish())
    }
}

/// What the page of one run shows.
pub struct RunView<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its prompt's title, where it came from the library.
    pub title: Option<String>,
    /// Who ran it, where that is somebody else.
    pub owner: Option<String>,
    /// Why there is no whole answer, as a sentence with the remedy.
    pub problem: Option<String>,
    /// Whether the person may show it to their organization, and take it back.
    pub may_share: bool,
}

/// `/history`
pub fn list(at: &Frame<'_>, view: &HistoryView<'_>) -> Markup {
    let none_at_all = view.rows.is_empty() && view.filters.is_empty();
    let body = html! {
        (heading("History", html! {}))
        @if none_at_all {
            (empty("Nothing has been run yet", html! { "Run a prompt " a href="/prompts" { "from the library" } " or ask several models at once " a href="/workbench" { "in the workbench" } "; every answer is kept here." }))
        } @else {
            @let aside = html! { span.small.quiet.num { (view.cost_sum) " in " (view.cost.points.len()) " days" } };
            (crate::ui::card("Cost a day", aside, sparkline(&view.cost)))
            (filters(view))
            @if view.rows.is_empty() {
                (empty("No run matches", html! { a href="/history" { "Show all runs" } "." }))
            } @else {
                div.card { (run_table(&view.rows, at.now)) }
            }
            (pager(view.cursor.as_ref().map(|_| view.filters.address(None)), view.next.as_deref().map(|next| view.filters.address(Some(next)))))
        }
    };
    frame(at, &Head::new("History", "Every run with its tokens, cost and time."), body)
}

fn filters(view: &HistoryView<'_>) -> Markup {
    let filters = &view.filters;
    html! {
        form.filters method="get" action="/history" data-auto {
            label.sr for="h-text" { "Words in the prompt or the answer" }
            input.input #h-text name="text" type="search" value=(filters.text) placeholder="Words in the prompt or the answer";
            label.sr for="h-provider" { "Provider" }
            select.input #h-provider name="provider" {
                option value="" { "All providers" }
                @for provider in &view.providers { option value=(provider) selected[*provider == filters.provider] { (provider) } }
            }
            label.sr for="h-status" { "Status" }
            select.input #h-status name="status" {
                option value="" { "Every status" }
                @for status in RunStatus::ALL { option value=(status) selected[status.as_str() == filters.status] { (figures::label(status.as_str())) } }
            }
            button.btn type="submit" { "Filter" }
            @if !filters.is_empty() { a.btn.bare href="/history" { "Clear" } }
            @if let Some(matching) = view.matching { span.small.faint.num { (figures::counted(matching, "run", "runs")) } }
        }
    }
}

/// `/history/{id}`
pub fn page(at: &Frame<'_>, view: &RunView<'_>) -> Markup {
    let run = view.run;
    let title = view.title.clone().unwrap_or_else(|| "Run from the workbench".to_owned());
    let body = html! {
        (breadcrumb(&[("History", "/history")]))
        div.head { h1 { (title) } div.row.wrap { @if view.may_share { (sharing(run)) } (again(run)) } }
        div.row.wrap.facts-line {
            (run_status(run))
            span.small.faint.num {
                (run.provider) " · " span.mono { (run.model) } " · " (figures::when(at.now, run.created_at))
                @if let Some(source) = run.key_source { " · " (whose_key(source)) }
                @if let Some(owner) = &view.owner { " · by " (owner) }
                @if let Some(slug) = &run.prompt_slug { " · " a href={ "/prompts/" (slug) } { "the prompt" } @if let Some(version) = run.prompt_version { ", version " (version) } }
            }
            @if run.tenancy.visibility == Visibility::Organization { (status(crate::ui::Tone::Info, "shared with your organization")) }
        }
        div.meter.card.figures { (meter(run)) }
        (crate::ui::problem(view.problem.as_deref()))
        div.pair {
            (flush("Prompt", copy_button("#asked", "Copy"), html! {
                div.body.long tabindex="0" {
                    @if let Some(system) = &run.system_prompt { h3 { "System prompt" } div.verbatim { (system) } h3 { "Prompt" } }
                    div.verbatim #asked { (run.prompt) }
                }
            }))
            (flush("Answer", copy_button("#answered", "Copy"), html! {
                div.body.long tabindex="0" {
                    @if run.response.is_empty() { p.quiet { "No answer came." } } @else { div.prose { (markdown::answer(&run.response)) } }
                    textarea #answered hidden readonly { "\n" (run.response) }
                }
            }))
        }
    };
    frame(at, &Head::new(&title, "One run: what was asked, what came back, what it cost."), body)
}

fn whose_key(source: KeySource) -> &'static str {
    match source {
        KeySource::Own => "on the runner's own key",
        KeySource::Organization => "on the organization's key",
        KeySource::Installation => "on the installation's key",
    }
}

fn sharing(run: &Run) -> Markup {
    let (verb, text) = match run.tenancy.visibility {
        Visibility::Private => ("share", "Share with your organization"),
        Visibility::Organization | Visibility::Public => ("unshare", "Stop sharing"),
    };
    html! {
        form method="post" action={ "/history/" (run.id) "/" (verb) } { button.btn.bare type="submit" { (Icon::Link) (text) } }
    }
}

fn again(run: &Run) -> Markup {
    html! {
        @if let Some(slug) = &run.prompt_slug { a.btn.bare href={ "/prompts/" (slug) } { "Open the prompt" } }
        a.btn href={ "/workbench?run=" (run.id) } { (Icon::Workbench) "Compare in the workbench" }
        form method="post" action="/workbench" {
            input type="hidden" name="prompt" value=(run.prompt);
            @if let Some(system) = &run.system_prompt { input type="hidden" name="system" value=(system); }
            @if let Some(temperature) = run.temperature { input type="hidden" name="temperature" value=(temperature); }
            @if let Some(max_tokens) = run.max_tokens { input type="hidden" name="max_tokens" value=(max_tokens); }
            input type="hidden" name="model" value={ (run.provider) "/" (run.model) };
            button.btn.go type="submit" { (Icon::Again) "Run again" }
        }
    }
}

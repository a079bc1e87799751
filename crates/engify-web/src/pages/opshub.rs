//! Operations, for administrators: how it runs, who did what, who is here.

use std::time::Duration;

use engify_core::audit::{Action, AuditEntry, Outcome};
use maud::{Markup, html};

use super::status::{ServiceRow, overall};
use crate::ui::chart::{Series, sparkline};
use crate::ui::{Frame, Head, Tone, empty, figures, flush, frame, heading, status, tabs};

/// What the overview shows.
pub struct OverviewView {
    /// The health of each service.
    pub services: Vec<ServiceRow>,
    /// Since when it runs.
    pub uptime: Duration,
    /// Which version runs.
    pub version: String,
    /// `hour`, `day` or `week`; empty where there are no courses to show.
    pub window: String,
    /// One small chart each.
    pub tiles: Vec<Tile>,
    /// Plain counts: users, prompts, runs, keys.
    pub counts: Vec<(String, u64)>,
    /// What needs a human now.
    pub needs: Vec<Need>,
}

/// One figure with its course.
pub struct Tile {
    /// `Requests`
    pub name: String,
    /// `412`
    pub value: String,
    /// `per s`
    pub unit: String,
    /// Its course, with the line that should not be crossed.
    pub series: Series,
    /// Whether it is over the line now.
    pub over: bool,
}

/// Something that needs a human.
pub struct Need {
    /// How soon.
    pub tone: Tone,
    /// What it is, in a few words.
    pub title: String,
    /// What happened and what to do.
    pub text: String,
    /// Where to do it: text and address.
    pub link: Option<(String, String)>,
}

/// What the audit log shows.
pub struct AuditView<'a> {
    /// Newest first, each with the name of who did it.
    pub entries: Vec<(&'a AuditEntry, Option<String>)>,
    /// The filters.
    pub filters: AuditFilters,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// The filters of the audit log, as they stand in the address.
#[derive(Debug, Clone, Default)]
pub struct AuditFilters {
    /// A user's address or id.
    pub user: String,
    /// An action's word.
    pub action: String,
    /// From this day, `2026-11-22`.
    pub from: String,
    /// To this day.
    pub to: String,
}

/// `/opshub`
pub fn overview(at: &Frame<'_>, view: &OverviewView) -> Markup {
    let (tone, word) = overall(&view.services);
    let windows: Vec<_> = ["hour", "day", "week"]
        .into_iter()
        .map(|window| (window, None, format!("/opshub?window={window}"), view.window == window))
        .collect();
    let body = html! {
        (heading("OpsHub", html! {
            (status(tone, word)) span.small.faint.num { "up " (figures::span(view.uptime)) " · version " (view.version) }
        }))
        @if !view.window.is_empty() {
            (tabs("Time shown", &windows))
            div.wall { @for tile in &view.tiles { (figure(tile)) } }
        }
        div.pair {
            (flush("Services", html! {}, super::status::table(&view.services)))
            div.stack.gap-16 {
                (flush("Needs you", html! { span.small.faint { (view.needs.len()) } }, needs(&view.needs)))
                (flush("In the database", html! {}, html! { dl.facts.pad { @for (name, number) in &view.counts { dt { (name) } dd.num { (figures::count(*number)) } } } }))
            }
        }
    };
    frame(at, &Head::new("OpsHub", "How this installation runs."), body)
}

fn figure(tile: &Tile) -> Markup {
    html! {
        section.card.figure-tile aria-label=(tile.name) {
            p.k { span { (tile.name) } @if let Some((_, limit)) = &tile.series.limit { span class=(if tile.over { "bad" } else { "faint" }) { (limit) } } }
            p.v { (tile.value) " " small { (tile.unit) } }
            (sparkline(&tile.series))
        }
    }
}

fn needs(needs: &[Need]) -> Markup {
    html! {
        @if needs.is_empty() { div.body { (status(Tone::Ok, "nothing")) } }
        @else { ul.needs { @for need in needs { li {
            (status(need.tone, &need.title))
            p.quiet { (need.text) }
            @if let Some((text, href)) = &need.link { a.btn href=(href) { (text) } }
        } } } }
    }
}

/// `/opshub/audit`
pub fn audit(at: &Frame<'_>, view: &AuditView<'_>) -> Markup {
    let address = |cursor: Option<&str>| view.filters.address(cursor);
    let body = html! {
        (heading("Audit log", html! { span.small.faint { "Only ever added to" } }))
        (audit_filters(&view.filters))
        @if view.entries.is_empty() {
            (empty("Nothing matches", html! { a href="/opshub/audit" { "Show the whole log" } "." }))
        } @else {
            div.card { table.data {
                thead { tr { th { "When" } th { "Who" } th { "Action" } th { "On" } th { "Outcome" } th { "From" } th { "Request" } } }
                tbody { @for (entry, name) in &view.entries { (audit_row(at, entry, name.as_deref())) } }
            } }
        }
        (super::pager(view.cursor.as_ref().map(|_| address(None)), view.next.as_deref().map(|next| address(Some(next)))))
    };
    frame(at, &Head::new("Audit log", "Who did what, when, and whether it was allowed."), body)
}

fn audit_row(at: &Frame<'_>, entry: &AuditEntry, name: Option<&str>) -> Markup {
    let (tone, word) = match entry.outcome {
        Outcome::Success => (Tone::Ok, "done"),
        Outcome::Refused => (Tone::Warn, "refused"),
        Outcome::Failed => (Tone::Bad, "failed"),
    };
    let somebody = if entry.user_id.is_some() { "a deleted user" } else { "nobody signed in" };
    html! {
        tr {
            td.main { (figures::when(at.now, entry.created_at)) }
            td data-label="Who" { (name.unwrap_or(somebody)) @if entry.key_id.is_some() { " " span.chip { "by key" } } }
            td data-label="Action" { (figures::label(entry.action.as_str())) }
            td data-label="On" { span.small.faint { (entry.target.kind.replace('_', " ")) } " " span.mono.clip title=(entry.target.id) { (entry.target.id) } }
            td data-label="Outcome" { (status(tone, word)) }
            td data-label="From" { span.mono title=(entry.agent) { (entry.address) } }
            td data-label="Request" { span.mono.faint.clip title=(entry.request_id) { (entry.request_id) } }
        }
    }
}

impl AuditFilters {
    fn pairs(&self) -> [(&'static str, &str); 4] {
        [("user", &self.user), ("action", &self.action), ("from", &self.from), ("to", &self.to)]
    }

    fn address(&self, cursor: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = self.pairs().into_iter().chain(cursor.map(|cursor| ("cursor", cursor)));
        for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        format!("/opshub/audit?{}", query.finish())
    }
}

fn audit_filters(filters: &AuditFilters) -> Markup {
    html! {
        form.filters method="get" action="/opshub/audit" {
            label.sr for="a-user" { "User" }
            input.input #a-user name="user" value=(filters.user) placeholder="User: email or id";
            label.sr for="a-action" { "Action" }
            select.input #a-action name="action" {
                option value="" { "Every action" }
                @for action in Action::ALL { option value=(action) selected[action.as_str() == filters.action] { (figures::label(action.as_str())) } }
            }
            label.row.small.faint for="a-from" { "from" input.input #a-from name="from" type="date" value=(filters.from); }
            label.row.small.faint for="a-to" { "to" input.input #a-to name="to" type="date" value=(filters.to); }
            button.btn type="submit" { "Filter" }
            @if filters.pairs().iter().any(|(_, value)| !value.is_empty()) { a.btn.bare href="/opshub/audit" { "Clear" } }
        }
    }
}

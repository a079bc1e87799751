//! The audit log, for administrators: filtered, followed as it grows, one line in full, and whether its chain holds.

use engify_app::audit::HeadView;
use engify_core::audit::{Action, AuditEntry, Outcome};
use maud::{Markup, html};
use serde_json::Value;

use crate::ui::{Frame, Head, Notice, Tone, breadcrumb, card, empty, figures, flush, frame, heading, status};

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
    /// The end of the chain; none while nothing is sealed.
    pub head: Option<HeadView>,
    /// Where the chain breaks, in a sentence, where it was just checked and does not hold.
    pub broken: Option<String>,
    /// Whether the reader may check the chain.
    pub may_verify: bool,
}

/// The filters of the audit log, as they stand in the address.
#[derive(Debug, Clone, Default)]
pub struct AuditFilters {
    /// A user's address or id.
    pub user: String,
    /// An action's word.
    pub action: String,
    /// An outcome's word.
    pub outcome: String,
    /// `kind:id` or an id.
    pub target: String,
    /// Where from.
    pub address: String,
    /// From this day, `2026-11-22`.
    pub from: String,
    /// To this day.
    pub to: String,
}

/// `/opshub/audit`
pub fn page(at: &Frame<'_>, view: &AuditView<'_>) -> Markup {
    let address = |cursor: Option<&str>| view.filters.address("/opshub/audit", cursor);
    let live = view.cursor.is_none() && view.filters.from.is_empty() && view.filters.to.is_empty();
    let body = html! {
        (heading("Audit log", html! {
            @if live { button.btn.js type="button" #live data-from=(view.filters.address("/opshub/audit/live", None)) aria-pressed="false" { "Follow" } }
            a.btn href=(address(None)) { "Refresh" }
            a.btn href=(view.filters.export("csv")) download { "CSV" }
            a.btn href=(view.filters.export("jsonl")) download { "JSON Lines" }
        }))
        (chain(at, view))
        (filters(&view.filters))
        @if view.entries.is_empty() {
            (empty("Nothing matches", html! { a href="/opshub/audit" { "Show the whole log" } "." }))
        } @else {
            div.card { table.data {
                thead { tr { th { "When" } th { "Who" } th { "Action" } th { "On" } th { "Outcome" } th { "From" } th { "Request" } } }
                tbody #lines { @for (entry, name) in &view.entries { (row(at, entry, name.as_deref())) } }
            } }
        }
        (super::pager(view.cursor.as_ref().map(|_| address(None)), view.next.as_deref().map(|next| address(Some(next)))))
    };
    let scripts: &[&str] = if live { &["tail.js"] } else { &[] };
    let head = Head::new("Audit log", "Who did what, when, and whether it was allowed.");
    frame(at, &head.with_scripts(scripts), body)
}

fn chain(at: &Frame<'_>, view: &AuditView<'_>) -> Markup {
    html! {
        @if let Some(broken) = &view.broken {
            (Notice::new(Tone::Bad, format!("The log was tampered with. {broken}")))
        }
        div.row.wrap {
            @match &view.head {
                Some(head) => p.small.quiet.num {
                    (figures::counted(head.lines, "line", "lines")) " sealed in " (figures::counted(head.block, "block", "blocks"))
                    ", up to " (figures::when(at.now, head.sealed_at)) "; the newest is "
                    span.mono.clip title=(head.hash) { (head.hash) }
                },
                None => p.small.quiet { "Nothing is sealed yet." },
            }
            @if view.may_verify { form method="post" action="/opshub/audit/verify" { button.btn type="submit" { "Prove the chain" } } }
        }
    }
}

/// One line of the table, also sent alone while the log is followed.
pub fn row(at: &Frame<'_>, entry: &AuditEntry, name: Option<&str>) -> Markup {
    let (tone, word) = ended(entry.outcome);
    html! {
        tr {
            td.main { a href={ "/opshub/audit/" (entry.id) } { (figures::when(at.now, entry.created_at)) } }
            td data-label="Who" { (name.unwrap_or(somebody(entry))) @if entry.key_id.is_some() { " " span.chip { "by key" } } }
            td data-label="Action" { (figures::label(entry.action.as_str())) }
            td data-label="On" { span.small.faint { (entry.target.kind.replace('_', " ")) } " " span.mono.clip title=(entry.target.id) { (entry.target.id) } }
            td data-label="Outcome" { (status(tone, word)) }
            td data-label="From" { span.mono title=(entry.agent) { (entry.address) } }
            td data-label="Request" { span.mono.faint.clip title=(entry.request_id) { (entry.request_id) } }
        }
    }
}

fn ended(outcome: Outcome) -> (Tone, &'static str) {
    match outcome {
        Outcome::Success => (Tone::Ok, "done"),
        Outcome::Refused => (Tone::Warn, "refused"),
        Outcome::Failed => (Tone::Bad, "failed"),
    }
}

fn somebody(entry: &AuditEntry) -> &'static str {
    if entry.user_id.is_some() { "a deleted user" } else { "nobody signed in" }
}

/// `/opshub/audit/{id}`
pub fn line(at: &Frame<'_>, entry: &AuditEntry, name: Option<&str>) -> Markup {
    let (tone, word) = ended(entry.outcome);
    let filtered = |name: &str, value: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
        format!("/opshub/audit?{query}")
    };
    let target = format!("{}:{}", entry.target.kind, entry.target.id);
    let title = figures::label(entry.action.as_str());
    let body = html! {
        (breadcrumb(&[("Audit log", "/opshub/audit")]))
        (heading(&title, status(tone, word)))
        (card("What happened", html! {}, html! {
            dl.facts {
                dt { "When" } dd { (figures::when(at.now, entry.created_at)) }
                dt { "Who" } dd { @match &entry.user_id {
                    Some(id) => a href=(filtered("user", id.as_str())) { (name.unwrap_or(somebody(entry))) },
                    None => (somebody(entry)),
                } @if let Some(key) = &entry.key_id { " with key " span.mono { (key) } } }
                dt { "On" } dd { a href=(filtered("target", &target)) { (entry.target.kind.replace('_', " ")) " " span.mono { (entry.target.id) } } }
                dt { "From" } dd { a.mono href=(filtered("address", &entry.address)) { (entry.address) } }
                dt { "With" } dd { (entry.agent) }
                dt { "Request" } dd.mono { (entry.request_id) }
                @if let Some(organization) = &entry.organization_id { dt { "Organization" } dd.mono { (organization) } }
                dt { "Line" } dd.mono { (entry.id) }
            }
        }))
        (details(&entry.details))
    };
    frame(at, &Head::new(&title, "One line of the audit log."), body)
}

/// What changed as before and after, everything else as it stands.
fn details(details: &Value) -> Markup {
    let side = |name: &str| details.get(name).and_then(Value::as_object);
    let (before, after) = (side("before"), side("after"));
    let others: Vec<(&String, &Value)> = details
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| !(matches!(name.as_str(), "before" | "after") && value.is_object()))
        .collect();
    let mut fields: Vec<&String> = before.into_iter().chain(after).flat_map(|fields| fields.keys()).collect();
    fields.sort_unstable();
    fields.dedup();
    let cell = |side: Option<&serde_json::Map<String, Value>>, field: &str| match side
        .and_then(|side| side.get(field))
    {
        Some(value) => html! { span.mono { (plain(value)) } },
        None => html! { span.faint { "–" } },
    };
    html! {
        @if !fields.is_empty() {
            (flush("What changed", html! {}, html! { table.data {
                thead { tr { th { "Field" } th { "Before" } th { "After" } } }
                tbody { @for field in fields { tr {
                    td.main { (figures::label(field)) }
                    td data-label="Before" { (cell(before, field)) }
                    td data-label="After" { (cell(after, field)) }
                } } }
            } }))
        }
        @if !others.is_empty() {
            (card("Details", html! {}, html! { dl.facts { @for (name, value) in others {
                dt { (figures::label(name)) } dd.mono { (plain(value)) }
            } } }))
        }
    }
}

/// A value as people read it: text without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

impl AuditFilters {
    fn pairs(&self) -> [(&'static str, &str); 7] {
        [
            ("user", &self.user),
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("target", &self.target),
            ("address", &self.address),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }

    fn address(&self, path: &str, cursor: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = self.pairs().into_iter().chain(cursor.map(|cursor| ("cursor", cursor)));
        for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        format!("{path}?{}", query.finish())
    }

    fn export(&self, format: &str) -> String {
        format!("{}&format={format}", self.address("/opshub/audit/export", None))
    }
}

fn filters(filters: &AuditFilters) -> Markup {
    html! {
        form.filters method="get" action="/opshub/audit" {
            label.sr for="a-user" { "User" }
            input.input #a-user name="user" value=(filters.user) placeholder="User: email or id";
            label.sr for="a-action" { "Action" }
            select.input #a-action name="action" {
                option value="" { "Every action" }
                @for action in Action::ALL { option value=(action) selected[action.as_str() == filters.action] { (figures::label(action.as_str())) } }
            }
            label.sr for="a-outcome" { "Outcome" }
            select.input #a-outcome name="outcome" {
                option value="" { "Every outcome" }
                @for outcome in Outcome::ALL { option value=(outcome) selected[outcome.as_str() == filters.outcome] { (ended(*outcome).1) } }
            }
            label.sr for="a-target" { "Target" }
            input.input #a-target name="target" value=(filters.target) placeholder="On: prompt:slug or an id";
            label.sr for="a-address" { "Address" }
            input.input #a-address name="address" value=(filters.address) placeholder="From: 203.0.113.7";
            label.row.small.faint for="a-from" { "from" input.input #a-from name="from" type="date" value=(filters.from); }
            label.row.small.faint for="a-to" { "to" input.input #a-to name="to" type="date" value=(filters.to); }
            button.btn type="submit" { "Filter" }
            @if filters.pairs().iter().any(|(_, value)| !value.is_empty()) { a.btn.bare href="/opshub/audit" { "Clear" } }
        }
    }
}

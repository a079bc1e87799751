//! The installation's own keys of AI providers, and whether they work: for whoever runs it.

use maud::{Markup, html};

use super::providers::{TrialRow, trials};
use crate::ui::{Frame, Head, Icon, Notice, Tone, flush, frame, heading, status};

/// What the page shows.
pub struct InstalledView {
    /// Every provider that settings can configure.
    pub rows: Vec<InstalledRow>,
    /// What came of trying the keys just now; none where nobody asked.
    pub trials: Option<Vec<TrialRow>>,
}

/// One provider as the settings have it.
pub struct InstalledRow {
    /// As people read it.
    pub label: String,
    /// The setting that holds its key or address.
    pub setting: String,
    /// Whether everybody here can use it.
    pub configured: bool,
    /// `set (…last 4)`.
    pub value: Option<String>,
    /// Where calls go, whosever key they carry.
    pub address: String,
}

/// `/opshub/providers`
pub fn page(at: &Frame<'_>, view: &InstalledView) -> Markup {
    let any = view.rows.iter().any(|row| row.configured);
    let test = html! {
        @if any { form method="post" action="/opshub/providers/test" { button.btn.go type="submit" { (Icon::Plug) "Test all keys" } } }
    };
    let body = html! {
        (heading("Providers", test))
        @if let Some(tried) = &view.trials { (flush("Tested just now", html! {}, trials(tried))) }
        @if !any {
            (Notice::new(Tone::Info, "No provider is configured for everybody. People can still store keys of their own; without any, runs are dry runs."))
        }
        div.card { table.data {
            thead { tr { th { "Provider" } th { "State" } th { "Setting" } th { "Address" } } }
            tbody { @for row in &view.rows { tr {
                td.main { (row.label) }
                td data-label="State" { @if row.configured { (status(Tone::Ok, "configured")) } @else { (status(Tone::Plain, "not set")) } }
                td data-label="Setting" { code.small { (row.setting) } @if let Some(value) = &row.value { " " span.small.faint { (value) } } }
                td data-label="Address" { span.mono.small { (row.address) } }
            } } }
        } }
        p.small.faint { "Keys come from the environment or " code { ".env" } " and take effect at a restart. " code { "engify security test-keys" } " does the same test in a terminal." }
    };
    frame(
        at,
        &Head::new("Providers of this installation", "The installation's keys, and whether they work."),
        body,
    )
}

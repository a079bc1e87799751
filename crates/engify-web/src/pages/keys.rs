//! API keys: making one, which shows it once, and the table to rotate and revoke them from.

use std::time::Duration;

use engify_core::api_key::ApiKey;
use engify_core::error::Detail;
use engify_core::permission::Permission;
use maud::{Markup, html};

use super::settings::inside;
use crate::ui::chart::level;
use crate::ui::form::{Faults, Field};
use crate::ui::{Confirm, Frame, Icon, Tone, card, copy_button, empty, figures, flush, problem, status};

/// What the keys page shows.
#[derive(Default)]
pub struct KeysView<'a> {
    /// Live ones first.
    pub keys: &'a [ApiKey],
    /// The key just made, in the clear; shown this once.
    pub fresh: Option<FreshKey>,
    /// The address of this installation, for the curl line.
    pub url: String,
    /// Scopes that the person can give.
    pub scopes: Vec<Permission>,
    /// As typed.
    pub name: String,
    /// Scopes ticked.
    pub ticked: Vec<Permission>,
    /// Days until it ends, as chosen; empty for never.
    pub days: String,
    /// What is wrong with the form.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
    /// How long a rotated key stays valid beside its successor.
    pub grace: Duration,
}

/// A key in the clear.
pub struct FreshKey {
    /// What its owner calls it.
    pub name: String,
    /// The key.
    pub key: String,
}

/// `/settings/keys`
pub fn page(at: &Frame<'_>, view: &KeysView<'_>) -> Markup {
    let body = html! {
        @if let Some(fresh) = &view.fresh { (shown_once(fresh, &view.url)) }
        (problem(view.problem.as_deref()))
        div.with-side {
            @if view.keys.is_empty() {
                (empty("No keys yet", html! { "A key runs prompts from your own programs, within the scopes that you give it. Make the first one here." }))
            } @else {
                (flush("Your keys", html! { span.small.faint { (view.keys.len()) } }, table(at, view)))
            }
            (card("New key", html! {}, form(view)))
        }
    };
    inside(at, "API keys", body)
}

fn shown_once(fresh: &FreshKey, url: &str) -> Markup {
    let body = serde_json::json!({ "prompt": "Say hello", "provider": "dry-run", "model": "dry-run" });
    html! {
        section.card.fresh aria-labelledby="fresh-title" {
            header { h2 #fresh-title { "Your new key: " (fresh.name) } (status(Tone::Warn, "shown only now")) }
            div.body.stack {
                p { "Copy it to where your program keeps its secrets. It cannot be shown again; if it is lost, rotate it." }
                div.row.wrap { code.key #new-key { (fresh.key) } (copy_button("#new-key", "Copy the key")) }
                p.small.quiet { "Try it:" }
                div.code-line {
                    pre tabindex="0" { code #new-key-curl { "curl " (url) "/api/v2/ai/execute \\\n  -H 'Authorization: Bearer " (fresh.key) "' \\\n  -H 'Content-Type: application/json' \\\n  -d '" (body) "'" } }
                    (copy_button("#new-key-curl", "Copy"))
                }
            }
        }
    }
}

fn form(view: &KeysView<'_>) -> Markup {
    let faults = Faults(&view.faults);
    let ends = [("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("", "Never")];
    let ends = ends.iter().map(|(days, text)| ((*days).to_owned(), (*text).to_owned())).collect();
    html! {
        form.stack.gap-16 method="post" action="/settings/keys" {
            (Field::text("Name", "name").value(&view.name).required().autocomplete("off").placeholder("Nightly job").faults(faults))
            fieldset.scopes {
                legend { "What it may do" }
                @for scope in &view.scopes {
                    label.check { input type="checkbox" name="scopes" value=(scope) checked[view.ticked.contains(scope)]; span.mono { (scope) } }
                }
                @if let Some(fault) = faults.at("scopes") { p.fault { (Icon::Warn) span { (figures::sentence(fault)) } } }
            }
            (Field::select("Ends", "days", ends).value(&view.days).faults(faults))
            button.btn.go type="submit" { "Create key" }
        }
    }
}

fn table(at: &Frame<'_>, view: &KeysView<'_>) -> Markup {
    html! {
        table.data {
            thead { tr { th { "Name" } th { "Scopes" } th { "Last used" } th { "Ends" } th.r { span.sr { "Actions" } } } }
            tbody { @for key in view.keys { (row(at, view, key)) } }
        }
    }
}

fn row(at: &Frame<'_>, view: &KeysView<'_>, key: &ApiKey) -> Markup {
    let live = key.is_live(at.now);
    let grace = figures::span(view.grace);
    html! {
        tr.off[!live] {
            td.main { a href={ "/settings/keys/" (key.id) } { (key.name) } br; code.small.faint { (key.prefix) "…" } }
            td data-label="Scopes" { span title=(key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")) {
                @if let [only] = key.scopes.as_slice() { span.mono.small { (only) } } @else { (key.scopes.len()) " scopes" }
            } }
            td data-label="Last used" { span.quiet { @match key.last_used_at { Some(used) => (figures::when(at.now, used)), None => "never" } } }
            td data-label="Ends" { (end(at, key)) }
            td.r { @if live { div.row.end {
                a.btn.bare href={ "/settings/keys/" (key.id) } { "Open" }
                @if key.replaced_by.is_none() { (Confirm {
                    open: "Rotate", title: &format!("Rotate “{}”?", key.name),
                    consequence: &format!("You get a new key with the same name and scopes, shown once. The old one goes on working for {grace}, so that you can replace it without a gap, and then stops."),
                    button: "Rotate the key", action: format!("/settings/keys/{}/rotate", key.id), fields: Vec::new(), destroys: false,
                }) }
                (Confirm {
                    open: "Revoke", title: &format!("Revoke “{}”?", key.name),
                    consequence: "It stops working everywhere within one second. Programs that use it get 401 until they have another. This cannot be undone.",
                    button: "Revoke the key", action: format!("/settings/keys/{}/revoke", key.id), fields: Vec::new(), destroys: true,
                })
            } } }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of a lifetime, drawn on 64 units")]
fn end(at: &Frame<'_>, key: &ApiKey) -> Markup {
    if let Some(revoked) = key.revoked_at.filter(|revoked| *revoked <= at.now) {
        return html! { (status(Tone::Plain, "revoked")) " " span.small.quiet { (figures::when(at.now, revoked)) } };
    }
    let Some(ends) = key.expires_at.into_iter().chain(key.revoked_at).min() else {
        return html! { span.quiet { "never" } };
    };
    if ends <= at.now {
        return status(Tone::Plain, "expired");
    }
    let lifetime = ends.since(key.created_at).as_millis().max(1) as f64;
    let left = ends.since(at.now).as_millis() as f64 / lifetime;
    let soon = ends.since(at.now) < Duration::from_secs(7 * 86_400);
    html! { div.end-bar { span class=(if soon { "warn" } else { "quiet" }) { (figures::when(at.now, ends)) } (level(left, if soon { "warn" } else { "" })) } }
}

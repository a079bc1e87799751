//! One API key: what it was used for, and its terms to change.

use engify_core::api_key::ApiKey;
use engify_core::error::Detail;
use maud::{Markup, html};

use super::settings::inside;
use crate::ui::chart::{Series, bars};
use crate::ui::form::{Faults, Field};
use crate::ui::{Frame, Tone, breadcrumb, card, figures, problem, status};

/// What the page of one key shows.
pub struct KeyView<'a> {
    /// The key as it is stored.
    pub key: &'a ApiKey,
    /// As typed, or as stored.
    pub terms: TermsValues,
    /// Requests, tokens and cost of each day, with the sum of each in words.
    pub usage: [(Series, String); 3],
    /// What is wrong with the form.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
}

/// The terms of a key, as typed.
#[derive(Debug, Clone, Default)]
pub struct TermsValues {
    /// What its owner calls it.
    pub name: String,
    /// Addresses and blocks, one a line.
    pub addresses: String,
    /// Requests a minute; empty for no limit.
    pub per_minute: String,
    /// Requests an hour; empty for no limit.
    pub per_hour: String,
    /// Tokens a day; empty for no limit.
    pub tokens_per_day: String,
}

impl From<&ApiKey> for TermsValues {
    fn from(key: &ApiKey) -> Self {
        let lines: Vec<String> = key.allowed_addresses.iter().map(ToString::to_string).collect();
        let number = |limit: Option<u64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
        Self {
            name: key.name.clone(),
            addresses: lines.join("\n"),
            per_minute: number(key.limits.per_minute),
            per_hour: number(key.limits.per_hour),
            tokens_per_day: number(key.limits.tokens_per_day),
        }
    }
}

/// `/settings/keys/{id}`
pub fn page(at: &Frame<'_>, view: &KeyView<'_>) -> Markup {
    let key = view.key;
    let body = html! {
        (breadcrumb(&[("API keys", "/settings/keys")]))
        (problem(view.problem.as_deref()))
        div.row.wrap {
            h2 { (key.name) } code.small.faint { (key.prefix) "…" }
            @if key.is_live(at.now) { (status(Tone::Ok, "live")) } @else { (status(Tone::Plain, "ended")) }
            @if let Some(used) = key.last_used_at { span.small.quiet { "last used " (figures::when(at.now, used)) } }
        }
        div.trio { @for (series, sum) in &view.usage {
            (card(&series.name, html! { span.small.quiet.num { (sum) " in " (series.points.len()) " days" } }, bars(series)))
        } }
        @if key.is_live(at.now) { (card("Terms", html! {}, form(view))) }
    };
    inside(at, "API key", body)
}

fn form(view: &KeyView<'_>) -> Markup {
    let (terms, faults) = (&view.terms, Faults(&view.faults));
    let limit =
        |label, name, value| Field::number(label, name, (Some(1.0), None), "1").value(value).faults(faults);
    html! {
        form.stack.gap-16 method="post" action={ "/settings/keys/" (view.key.id) } {
            (Field::text("Name", "name").value(&terms.name).required().autocomplete("off").faults(faults))
            (Field::code("May come from", "addresses", 4).value(&terms.addresses).placeholder("203.0.113.0/24")
                .help("IPv4 and IPv6 addresses or blocks, one a line, at most 50. Empty: from everywhere.").faults(faults))
            div.trio {
                (limit("Requests a minute", "per_minute", &terms.per_minute))
                (limit("Requests an hour", "per_hour", &terms.per_hour))
                (limit("Tokens a day", "tokens_per_day", &terms.tokens_per_day))
            }
            p.small.quiet { "Empty limits are none of the key's own: yours hold in any case. Changes hold within one second everywhere." }
            div.row { button.btn.go type="submit" { "Save the terms" } }
        }
    }
}

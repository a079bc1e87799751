//! An organization's settings, and its end.

use engify_core::error::Detail;
use maud::{Markup, html};

use super::{About, around};
use crate::ui::form::{Faults, Field, checkbox};
use crate::ui::{Frame, card, problem};

/// What the page shows.
pub struct SettingsView<'a> {
    /// Which organization.
    pub about: About<'a>,
    /// The form, as it is or as typed.
    pub values: SettingsValues,
    /// What is wrong with it, by field.
    pub faults: Vec<Detail>,
    /// What is wrong with the name typed to delete it.
    pub end_faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
}

/// The form's fields as text.
#[derive(Debug, Clone, Default)]
pub struct SettingsValues {
    /// `name`
    pub name: String,
    /// `slug`
    pub slug: String,
    /// `domains`, one a line.
    pub domains: String,
    /// `domainJoin`
    pub domain_join: bool,
    /// `domainOnly`
    pub domain_only: bool,
    /// `seats`; empty for no limit.
    pub seats: String,
    /// `dataRetentionDays`; empty to keep them.
    pub data_retention_days: String,
    /// `auditRetentionDays`; empty to keep them.
    pub audit_retention_days: String,
}

/// The page of settings.
pub fn page(at: &Frame<'_>, view: &SettingsView<'_>) -> Markup {
    let base = view.about.base;
    let body = html! {
        (problem(view.problem.as_deref()))
        form.stack.gap-16 method="post" action={ (base) "/settings" } {
            div.pair {
                (card("Organization", html! {}, name(view)))
                (card("Who may join", html! {}, admission(view)))
                (card("Keeping", html! {}, retention(view)))
            }
            div.row { button.btn.go type="submit" { "Save the settings" } }
        }
        @if view.about.may_end { (card("Delete the organization", html! {}, end(view))) }
    };
    around(at, &view.about, "Organization settings", body)
}

fn name(view: &SettingsView<'_>) -> Markup {
    let faults = Faults(&view.faults);
    html! { div.stack.gap-16 {
        (Field::text("Name", "name").value(&view.values.name).required().autocomplete("off").faults(faults))
        (Field::text("Name in addresses", "slug").value(&view.values.slug).required().autocomplete("off").help("a-z, 0-9 and -.").faults(faults))
    } }
}

fn admission(view: &SettingsView<'_>) -> Markup {
    let faults = Faults(&view.faults);
    html! { div.stack.gap-16 {
        (Field::area("Mail domains, one a line", "domains", 3).value(&view.values.domains).placeholder("example.com").faults(faults))
        div {
            (checkbox("Whoever has a proven address of these domains may join", "domainJoin", "true", view.values.domain_join))
            (checkbox("Only addresses of these domains may be invited", "domainOnly", "true", view.values.domain_only))
        }
        (Field::number("Seats", "seats", (Some(1.0), None), "1").value(&view.values.seats).help("Members and open invitations together; empty for no limit.").faults(faults))
    } }
}

fn retention(view: &SettingsView<'_>) -> Markup {
    let faults = Faults(&view.faults);
    html! { div.stack.gap-16 {
        (Field::number("Days until runs are deleted", "dataRetentionDays", (Some(1.0), None), "1").value(&view.values.data_retention_days)
            .help("Prompts and answers of the members' runs; empty to keep them.").faults(faults))
        (Field::number("Days until the audit log is pruned", "auditRetentionDays", (Some(1.0), None), "1").value(&view.values.audit_retention_days)
            .help("Empty to keep it.").faults(faults))
    } }
}

fn end(view: &SettingsView<'_>) -> Markup {
    let name = &view.about.organization.name;
    html! {
        form.stack.gap-16 method="post" action={ (view.about.base) "/delete" } {
            p.quiet { "Everybody leaves: members become plain users, their sessions and API keys end. Prompts shared with the organization become private ones of their authors, or of the owner where the author left before. This cannot be undone." }
            (Field::text("Type the organization's name", "typed").required().autocomplete("off").placeholder(name).fault(Faults(&view.end_faults).at("name")))
            div.row { button.btn.danger type="submit" { "Delete " (name) } }
        }
    }
}

//! The organizations of this installation, for administrators.

use engify_core::organization::Organization;
use maud::{Markup, html};
use url::form_urlencoded::Serializer;

use super::pager;
use crate::ui::{Frame, Head, empty, figures, frame, heading};

/// One organization in the list.
pub struct OrganizationRow {
    /// The organization.
    pub organization: Organization,
    /// How many members.
    pub members: u64,
    /// How many invitations are open.
    pub invitations: u64,
}

/// What the list shows.
pub struct OrganizationsView {
    /// In order.
    pub organizations: Vec<OrganizationRow>,
    /// What was searched.
    pub text: String,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// `/opshub/organizations`
pub fn list(at: &Frame<'_>, view: &OrganizationsView) -> Markup {
    let address = |cursor: Option<&str>| {
        let mut query = Serializer::new(String::new());
        let pairs = [("q", Some(view.text.as_str())), ("cursor", cursor)];
        for (name, value) in pairs {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                query.append_pair(name, value);
            }
        }
        format!("/opshub/organizations?{}", query.finish())
    };
    let body = html! {
        (heading("Organizations", html! {}))
        form.filters method="get" action="/opshub/organizations" role="search" {
            label.sr for="o-q" { "Name" }
            input.input #o-q name="q" type="search" value=(view.text) placeholder="Beginning of the name" maxlength="100";
            button.btn type="submit" { "Search" }
            @if !view.text.is_empty() { a.btn.bare href="/opshub/organizations" { "Clear" } }
        }
        @if view.organizations.is_empty() {
            (empty("No organizations", html! { "Anybody who belongs to none can make one under " a href="/settings/organization" { "Settings, Organization" } "." }))
        } @else {
            div.card { table.data {
                thead { tr { th { "Name" } th { "In addresses" } th.r { "Members" } th.r { "Invitations" } th.r { "Seats" } th { "Since" } } }
                tbody { @for one in &view.organizations { @let organization = &one.organization; tr {
                    td.main { a.cover href={ "/opshub/organizations/" (organization.id) } { (organization.name) } }
                    td data-label="In addresses" { code.small { (organization.slug) } }
                    td.r data-label="Members" { (figures::count(one.members)) }
                    td.r data-label="Invitations" { (figures::count(one.invitations)) }
                    td.r data-label="Seats" { @match organization.settings.seats { Some(seats) => (figures::count(u64::from(seats))), None => span.quiet { "no limit" } } }
                    td data-label="Since" { span.quiet { (figures::when(at.now, organization.created_at)) } }
                } } }
            } }
        }
        (pager(view.cursor.as_ref().map(|_| address(None)), view.next.as_deref().map(|next| address(Some(next)))))
    };
    frame(at, &Head::new("Organizations", "Who works together here."), body)
}

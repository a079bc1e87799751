//! One organization: its members, its invitations, its settings. The same pages serve its own people under
//! `/settings/organization` and super admins under `/opshub/organizations/{id}`.

use engify_core::account::User;
use engify_core::error::Detail;
use engify_core::organization::Organization;
use engify_core::permission::Role;
use maud::{Markup, html};

use super::pager;
use super::settings::inside;
use crate::ui::form::{Faults, Field};
use crate::ui::{
    Confirm, Frame, Head, Tone, breadcrumb, card, chip, empty, figures, flush, frame, heading, problem,
    status, tabs,
};

pub mod invitations;
pub mod settings;

/// Which organization, and what the person who looks may do.
pub struct About<'a> {
    /// The organization.
    pub organization: &'a Organization,
    /// Where its pages begin: `/settings/organization` or `/opshub/organizations/{id}`.
    pub base: &'a str,
    /// How many members.
    pub members: u64,
    /// How many invitations are open.
    pub invitations: u64,
    /// Whether they may change it.
    pub may_manage: bool,
    /// Whether they may hand it on and end it.
    pub may_end: bool,
}

impl About<'_> {
    /// Whether these are the pages of one's own organization.
    fn is_own(&self) -> bool {
        self.base == OWN
    }
}

/// Where the pages of one's own organization begin.
pub const OWN: &str = "/settings/organization";

/// The frame of an organization's pages.
fn around(at: &Frame<'_>, about: &About<'_>, title: &str, body: Markup) -> Markup {
    let base = about.base;
    let mut links = vec![("Members", Some(about.members), base.to_owned(), at.path == base)];
    if about.may_manage {
        let tab = |text: &'static str, count, path: String| (text, count, path.clone(), at.path == path);
        links.push(tab("Invitations", Some(about.invitations), format!("{base}/invitations")));
        links.push(tab("Settings", None, format!("{base}/settings")));
    }
    let body = html! { (tabs(&about.organization.name, &links)) div.settings-body { (body) } };
    if about.is_own() {
        return inside(at, title, html! { h2 { (about.organization.name) } (body) });
    }
    let body = html! {
        (breadcrumb(&[("Organizations", "/opshub/organizations")]))
        (heading(&about.organization.name, html! { code.small.faint { (about.organization.slug) } }))
        (body)
    };
    frame(at, &Head::new(title, "One organization."), body)
}

/// What the start page shows to somebody without an organization.
#[derive(Default)]
pub struct StartView<'a> {
    /// As typed.
    pub name: String,
    /// As typed.
    pub slug: String,
    /// Organizations that they may join through their mail domain.
    pub joinable: &'a [Organization],
    /// Whether their address is proven, which joining by domain needs.
    pub proven: bool,
    /// What is wrong, by field.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
}

/// `/settings/organization` of somebody without one.
pub fn start(at: &Frame<'_>, view: &StartView<'_>) -> Markup {
    let faults = Faults(&view.faults);
    let body = html! {
        (problem(view.problem.as_deref()))
        p.lead { "An organization shares prompts among its members and sees their runs together. A person belongs to one at most." }
        div.pair {
            (card("Make an organization", html! {}, html! {
                form.stack.gap-16 method="post" action=(OWN) {
                    (Field::text("Name", "name").value(&view.name).required().autocomplete("organization").faults(faults))
                    (Field::text("Name in addresses", "slug").value(&view.slug).autocomplete("off").help("a-z, 0-9 and -; made from the name where you leave it out.").faults(faults))
                    p.small.quiet { "You own it and run it as its administrator. Your other browsers are signed out." }
                    div.row { button.btn.go type="submit" { "Make the organization" } }
                }
            }))
            (flush("Join one", html! {}, html! {
                @if view.joinable.is_empty() {
                    div.body { p.quiet {
                        @if view.proven { "No organization takes your mail domain in by itself. Ask for an invitation: it comes by mail with a link." }
                        @else { "Prove your address first, and the organizations of your mail domain are listed here. Or ask for an invitation: it comes by mail with a link." }
                    } }
                } @else {
                    ul.needs { @for organization in view.joinable { li {
                        b { (organization.name) }
                        p.quiet { "It takes in everybody with an address of your mail domain." }
                        form method="post" action={ (OWN) "/join" } {
                            input type="hidden" name="id" value=(organization.id);
                            button.btn type="submit" { "Join " (organization.name) }
                        }
                    } } }
                }
            }))
        }
    };
    inside(at, "Organization", body)
}

/// What the page of members shows.
pub struct MembersView<'a> {
    /// Which organization.
    pub about: About<'a>,
    /// By name.
    pub members: &'a [User],
    /// Who looks.
    pub me: &'a str,
    /// The roles that they can give.
    pub roles: Vec<Role>,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// The organization's first page.
pub fn members(at: &Frame<'_>, view: &MembersView<'_>) -> Markup {
    let base = view.about.base;
    let seats = view.about.organization.settings.seats;
    let aside = html! { span.small.faint.num {
        @match seats { Some(seats) => { (view.about.members + view.about.invitations) " of " (figures::count(u64::from(seats))) " seats" }, None => (figures::counted(view.about.members, "member", "members")) }
    } };
    let body = html! {
        (flush("Members", aside, html! {
            @if view.members.is_empty() { (empty("Nobody here", html! { "Whoever owned this organization is gone." })) }
            @else { table.data {
                thead { tr { th { "Name" } th { "Email" } th { "Role" } th.r { span.sr { "Actions" } } } }
                tbody { @for member in view.members { (row(view, member)) } }
            } }
        }))
        (pager(view.cursor.as_ref().map(|_| base.to_owned()), view.next.as_deref().map(|next| format!("{base}?cursor={next}"))))
        @if view.about.is_own() && !owns(view, view.me) { (card("Leave", html! {}, html! {
            p.quiet { "What you shared with " (view.about.organization.name) " stays with it; your private prompts and your history go with you." }
            div.row { (Confirm {
                open: "Leave the organization", title: &format!("Leave {}?", view.about.organization.name),
                consequence: "Your API keys and your other sessions end at once. You need a new invitation to come back.",
                button: "Leave", action: format!("{OWN}/leave"), fields: Vec::new(), destroys: true,
            }) }
        })) }
    };
    around(at, &view.about, "Organization", body)
}

fn owns(view: &MembersView<'_>, user: &str) -> bool {
    view.about.organization.owner_id.as_ref().is_some_and(|owner| owner.as_str() == user)
}

fn row(view: &MembersView<'_>, member: &User) -> Markup {
    let owner = owns(view, member.id.as_str());
    let me = member.id.as_str() == view.me;
    let to = |what: &str| format!("{}/members/{}/{what}", view.about.base, member.id);
    let changeable = view.about.may_manage && !owner && view.roles.contains(&member.role);
    html! {
        tr {
            td.main { (member.name) @if me { " " (chip("you")) } @if owner { " " (chip("owner")) } @if member.disabled_at.is_some() { " " (status(Tone::Bad, "disabled")) } }
            td data-label="Email" { (member.email) }
            td data-label="Role" {
                @if changeable {
                    form.row method="post" action=(to("role")) {
                        label.sr for={ "r-" (member.id) } { "Role of " (member.name) }
                        select.input id={ "r-" (member.id) } name="role" {
                            @for role in &view.roles { option value=(role) selected[*role == member.role] { (figures::label(role.as_str())) } }
                        }
                        button.btn type="submit" { "Change" }
                    }
                } @else { (chip(member.role.as_str())) }
            }
            td.r { div.row.end {
                @if view.about.may_end && !owner && member.disabled_at.is_none() { (Confirm {
                    open: "Make owner", title: &format!("Hand {} to {}?", view.about.organization.name, member.name),
                    consequence: "They own it from then on and become its administrator. The owner until now stays an administrator, and cannot take it back.",
                    button: "Hand it over", action: format!("{}/transfer", view.about.base), fields: vec![("user", member.id.to_string())], destroys: true,
                }) }
                @if changeable && !me { (Confirm {
                    open: "Remove", title: &format!("Remove {}?", member.name),
                    consequence: "They are signed out and their API keys end at once. What they shared with the organization stays; what is private stays theirs.",
                    button: "Remove", action: to("remove"), fields: Vec::new(), destroys: true,
                }) }
            } }
        }
    }
}

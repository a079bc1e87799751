//! People, as administrators see them: finding somebody, making an account, one person in full.

use engify_core::account::{Session, User};
use engify_core::error::Detail;
use engify_core::organization::Organization;
use engify_core::permission::Role;
use maud::{Markup, html};
use url::form_urlencoded::Serializer;

use super::pager;
use crate::ui::form::{Faults, Field};
use crate::ui::{
    Confirm, Frame, Head, Icon, Tone, breadcrumb, card, chip, empty, figures, flush, frame, heading, problem,
    status,
};

/// What the list shows.
pub struct UsersView<'a> {
    /// In order.
    pub users: &'a [User],
    /// How many there are in all; none under a search.
    pub total: Option<u64>,
    /// What was searched.
    pub text: String,
    /// The role that the list is narrowed to; empty for all.
    pub role: String,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// `/opshub/users`
pub fn list(at: &Frame<'_>, view: &UsersView<'_>) -> Markup {
    let actions = html! {
        @if let Some(total) = view.total { span.small.faint.num { (figures::count(total)) } }
        a.btn href="/opshub/users/export" { "Export CSV" }
        a.btn.go href="/opshub/users/new" { (Icon::Plus) "New user" }
    };
    let body = html! {
        (heading("Users", actions))
        (filters(view))
        @if view.users.is_empty() {
            (empty("Nobody matches", html! { "A search finds the beginning of a name or an address. " a href="/opshub/users" { "Show everybody" } "." }))
        } @else {
            div.card { table.data {
                thead { tr { th { "Name" } th { "Email" } th { "Role" } th { "State" } th { "Last sign-in" } th { "Since" } } }
                tbody { @for user in view.users { tr {
                    td.main { a.cover href={ "/opshub/users/" (user.id) } { (user.name) } }
                    td data-label="Email" { (user.email) }
                    td data-label="Role" { (chip(user.role.as_str())) }
                    td data-label="State" { (state(user)) }
                    td data-label="Last sign-in" { span.quiet { @match user.last_sign_in_at { Some(time) => (figures::when(at.now, time)), None => "never" } } }
                    td data-label="Since" { span.quiet { (figures::when(at.now, user.created_at)) } }
                } } }
            } }
        }
        (pager(view.cursor.as_ref().map(|_| address(view, None)), view.next.as_deref().map(|next| address(view, Some(next)))))
    };
    frame(at, &Head::new("Users", "Who has an account."), body)
}

fn address(view: &UsersView<'_>, cursor: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    let pairs = [("q", Some(view.text.as_str())), ("role", Some(view.role.as_str())), ("cursor", cursor)];
    for (name, value) in pairs {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            query.append_pair(name, value);
        }
    }
    format!("/opshub/users?{}", query.finish())
}

fn filters(view: &UsersView<'_>) -> Markup {
    html! {
        form.filters method="get" action="/opshub/users" role="search" {
            label.sr for="u-q" { "Name or address" }
            input.input #u-q name="q" type="search" value=(view.text) placeholder="Name or address" maxlength="200";
            label.sr for="u-role" { "Role" }
            select.input #u-role name="role" {
                option value="" { "Every role" }
                @for role in Role::ALL { option value=(role) selected[role.as_str() == view.role] { (figures::label(role.as_str())) } }
            }
            button.btn type="submit" { "Search" }
            @if !view.text.is_empty() || !view.role.is_empty() { a.btn.bare href="/opshub/users" { "Clear" } }
        }
    }
}

fn state(user: &User) -> Markup {
    match (user.disabled_at, user.email_verified_at) {
        (Some(_), _) => status(Tone::Bad, "disabled"),
        (None, Some(_)) => status(Tone::Ok, "active"),
        (None, None) => status(Tone::Plain, "address not proven"),
    }
}

/// The form of a new account, as typed.
#[derive(Default)]
pub struct NewUserView {
    /// As typed.
    pub name: String,
    /// As typed.
    pub email: String,
    /// As chosen.
    pub role: String,
    /// The roles that the person can give.
    pub roles: Vec<Role>,
    /// What is wrong, by field.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
}

/// `/opshub/users/new`
pub fn new(at: &Frame<'_>, view: &NewUserView) -> Markup {
    let faults = Faults(&view.faults);
    let body = html! {
        (breadcrumb(&[("Users", "/opshub/users")]))
        section.gate {
            h1 { "New user" }
            (problem(view.problem.as_deref()))
            form.stack.gap-16 method="post" action="/opshub/users/new" {
                (Field::text("Name", "name").value(&view.name).required().autocomplete("off").faults(faults).focus())
                (Field::input("email", "Email", "email").value(&view.email).required().autocomplete("off")
                    .help("They get a letter with a link to choose a password.").faults(faults))
                (Field::select("Role", "role", roles(&view.roles)).value(&view.role).faults(faults))
                button.btn.go.tall type="submit" { "Create the account" }
            }
        }
    };
    frame(at, &Head::new("New user", "Make an account for somebody."), body)
}

fn roles(roles: &[Role]) -> Vec<(String, String)> {
    roles.iter().map(|role| (role.to_string(), figures::label(role.as_str()))).collect()
}

/// What the page of one person shows.
pub struct UserView<'a> {
    /// The person.
    pub user: &'a User,
    /// Where they belong.
    pub organization: Option<&'a Organization>,
    /// Whether that is theirs.
    pub owner: bool,
    /// Their sessions, the last used first.
    pub sessions: &'a [Session],
    /// How many of their API keys open something.
    pub keys: u64,
    /// The roles that they can be given.
    pub roles: Vec<Role>,
    /// Whether the person who looks may change them.
    pub may_change: bool,
    /// Whether the person who looks may delete the account.
    pub may_delete: bool,
    /// The name as typed.
    pub name: String,
    /// What is wrong, by field.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
}

/// `/opshub/users/{id}`
pub fn one(at: &Frame<'_>, view: &UserView<'_>) -> Markup {
    let user = view.user;
    let body = html! {
        (breadcrumb(&[("Users", "/opshub/users")]))
        (heading(&user.name, state(user)))
        (problem(view.problem.as_deref()))
        div.pair {
            div.stack.gap-16 { (card("Account", html! {}, facts(at, view))) @if view.may_change { (changes(view)) } }
            div.stack.gap-16 { (sessions(at, view)) @if view.may_change { (danger(view)) } }
        }
    };
    frame(at, &Head::new(&user.name, "One account."), body)
}

fn facts(at: &Frame<'_>, view: &UserView<'_>) -> Markup {
    let user = view.user;
    html! {
        dl.facts {
            dt { "Email" } dd { (user.email) " " @if user.email_verified_at.is_some() { (status(Tone::Ok, "proven")) } @else { (status(Tone::Plain, "not proven")) } }
            dt { "Role" } dd { (chip(user.role.as_str())) }
            dt { "Organization" } dd {
                @match view.organization {
                    Some(organization) => { a href={ "/opshub/organizations/" (organization.id) } { (organization.name) } @if view.owner { " " (chip("owner")) } },
                    None => span.quiet { "none" },
                }
            }
            dt { "Second factors" } dd {
                @if user.factors.is_empty() { (status(Tone::Warn, "none")) }
                @for factor in &user.factors { (chip(factor.as_str())) " " }
            }
            dt { "API keys" } dd.num { (figures::counted(view.keys, "live key", "live keys")) }
            dt { "Last sign-in" } dd { @match user.last_sign_in_at { Some(time) => (figures::when(at.now, time)), None => "never" } }
            dt { "Since" } dd { (figures::when(at.now, user.created_at)) }
            dt { "Id" } dd { code.small { (user.id) } }
        }
    }
}

fn changes(view: &UserView<'_>) -> Markup {
    let user = view.user;
    let faults = Faults(&view.faults);
    let to = |what: &str| format!("/opshub/users/{}/{what}", user.id);
    html! {
        (card("Name", html! {}, html! {
            form.stack.gap-16 method="post" action={ "/opshub/users/" (user.id) } {
                (Field::text("Name", "name").value(&view.name).required().autocomplete("off").faults(faults))
                div.row { button.btn type="submit" { "Save" } }
            }
        }))
        @if view.roles.len() > 1 {
            (card("Role", html! {}, html! {
                form.stack.gap-16 method="post" action=(to("role")) {
                    (Field::select("Role", "role", roles(&view.roles)).value(user.role.as_str()).help("Their sessions end.").faults(faults))
                    div.row { button.btn type="submit" { "Change the role" } }
                }
            }))
        }
    }
}

fn sessions(at: &Frame<'_>, view: &UserView<'_>) -> Markup {
    let user = view.user;
    let aside = html! { @if view.may_change && !view.sessions.is_empty() { (Confirm {
        open: "End all", title: "End all sessions?",
        consequence: "Every browser of this person is signed out within one second. Their API keys go on working.",
        button: "End the sessions", action: format!("/opshub/users/{}/end-sessions", user.id), fields: Vec::new(), destroys: true,
    }) } };
    flush(
        "Sessions",
        aside,
        html! {
            @if view.sessions.is_empty() { div.body { (status(Tone::Plain, "none")) } }
            @else { table.data {
                thead { tr { th { "Browser" } th { "Address" } th { "Last used" } } }
                tbody { @for session in view.sessions { tr {
                    td.main { span.clip title=(session.agent) { (session.agent) } }
                    td data-label="Address" { span.mono { (session.address) } }
                    td data-label="Last used" { span.quiet { (figures::when(at.now, session.last_seen_at)) } }
                } } }
            } }
        },
    )
}

fn danger(view: &UserView<'_>) -> Markup {
    let user = view.user;
    let to = |what: &str| format!("/opshub/users/{}/{what}", user.id);
    card(
        "Access",
        html! {},
        html! {
            div.row.wrap {
                @if user.disabled_at.is_some() {
                    form method="post" action=(to("enable")) { button.btn type="submit" { "Switch the account on" } }
                } @else {
                    (Confirm {
                        open: "Switch off", title: &format!("Switch off the account of {}?", user.name),
                        consequence: "They are signed out everywhere within one second, and their API keys open nothing until you switch it on again. Nothing is deleted.",
                        button: "Switch the account off", action: to("disable"), fields: Vec::new(), destroys: true,
                    })
                }
                @if !user.factors.is_empty() { (Confirm {
                    open: "Reset second factors", title: &format!("Take all second factors off the account of {}?", user.name),
                    consequence: "Authenticator app, passkeys and recovery codes stop counting, and their sessions end. Do this only when you know by another way that it is they who ask: the password alone opens the account until they enrol again.",
                    button: "Reset the factors", action: to("reset-factors"), fields: Vec::new(), destroys: true,
                }) }
                @if view.may_delete { (Confirm {
                    open: "Delete", title: &format!("Delete the account of {}?", user.name),
                    consequence: "Their private prompts, private runs, keys and sessions are deleted with it. What they made public or shared with an organization stays under their name. This cannot be undone.",
                    button: "Delete the account", action: to("delete"), fields: Vec::new(), destroys: true,
                }) }
            }
        },
    )
}

//! A person's own settings: name, password, sessions. Keys and providers have files of their own.

use engify_core::Time;
use engify_core::error::Detail;
use maud::{Markup, html};

use crate::ui::form::{Faults, Field};
use crate::ui::{Confirm, Frame, Head, card, figures, frame, heading, problem, tabs};

/// What the profile page shows.
#[derive(Default)]
pub struct ProfileView {
    /// As typed.
    pub name: String,
    /// The address people sign in with.
    pub email: String,
    /// Whether the address is proven.
    pub proven: bool,
    /// Another address, as typed.
    pub new_email: String,
    /// What is wrong with the form of another address: `email`, `confirm`.
    pub address_faults: Vec<Detail>,
    /// The role in words.
    pub role: String,
    /// The organization's name.
    pub organization: Option<String>,
    /// What is wrong with the profile form.
    pub faults: Vec<Detail>,
    /// What is wrong with the password form: `current`, `password`.
    pub password_faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
}

/// One signed-in browser.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// What ends it: the session's id.
    pub id: String,
    /// The browser in words: `Firefox on Linux`.
    pub agent: String,
    /// Where it began.
    pub address: String,
    /// When it began.
    pub created_at: Time,
    /// When it was last used.
    pub last_seen_at: Time,
    /// Whether it is this one.
    pub current: bool,
}

/// What the security page shows.
pub struct SecurityView {
    /// This one first, then by last use.
    pub sessions: Vec<SessionRow>,
}

/// The frame of all settings pages.
pub(super) fn inside(at: &Frame<'_>, title: &str, body: Markup) -> Markup {
    let below =
        |path: &str| at.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let tab = |text: &'static str, path: &str| (text, None, path.to_owned(), below(path));
    let links = [
        tab("Profile", "/settings/profile"),
        tab("Security", "/settings/security"),
        tab("Organization", "/settings/organization"),
        tab("API keys", "/settings/keys"),
        tab("Providers", "/settings/providers"),
    ];
    let body = html! { (heading(title, html! {})) (tabs("Settings", &links)) div.settings-body { (body) } };
    frame(at, &Head::new(title, "Your settings."), body)
}

/// `/settings/profile`
pub fn profile(at: &Frame<'_>, view: &ProfileView) -> Markup {
    let faults = Faults(&view.faults);
    let password = Faults(&view.password_faults);
    let body = html! {
        (problem(view.problem.as_deref()))
        @if !view.proven { (unproven(&view.email)) }
        div.pair {
            (card("Profile", html! {}, html! {
                form.stack.gap-16 method="post" action="/settings/profile" {
                    (Field::text("Name", "name").value(&view.name).required().autocomplete("name").faults(faults))
                    dl.facts {
                        dt { "Email" } dd { (view.email) }
                        dt { "Role" } dd { (figures::label(&view.role)) }
                        @if let Some(organization) = &view.organization { dt { "Organization" } dd { (organization) } }
                    }
                    div.row { button.btn.go type="submit" { "Save" } }
                }
            }))
            (card("Password", html! {}, html! {
                form.stack.gap-16 method="post" action="/settings/password" {
                    input.sr type="text" name="username" value=(view.email) autocomplete="username" readonly tabindex="-1" aria-hidden="true";
                    (Field::input("password", "Current password", "current").required().autocomplete("current-password").faults(password))
                    (Field::input("password", "New password", "password").required().autocomplete("new-password")
                        .help("A few unrelated words are hard to guess and easy to keep in mind. Other browsers are signed out.").faults(password))
                    div.row { button.btn type="submit" { "Change the password" } }
                }
            }))
            (card("Address", html! {}, html! {
                form.stack.gap-16 method="post" action="/settings/email" {
                    (Field::input("email", "New email", "email").value(&view.new_email).required().autocomplete("email")
                        .help("A link goes there; nothing changes before you press it.").faults(Faults(&view.address_faults)))
                    (Field::input("password", "Your password", "confirm").required().autocomplete("current-password").faults(Faults(&view.address_faults)))
                    div.row { button.btn type="submit" { "Send the link" } }
                }
            }))
        }
    };
    inside(at, "Profile", body)
}

/// Says that the address is not proven yet, and how to do it.
fn unproven(email: &str) -> Markup {
    html! {
        div.notice.warn role="status" {
            (crate::ui::Icon::Warn)
            p { "Confirm that " b { (email) } " is yours: press the link in the mail that we sent there." }
            form method="post" action="/settings/email/resend" { button.btn type="submit" { "Send it again" } }
        }
    }
}

/// `/settings/security`
pub fn security(at: &Frame<'_>, view: &SecurityView) -> Markup {
    let others = view.sessions.iter().filter(|session| !session.current).count();
    let aside = html! {
        @if others > 0 { (Confirm {
            open: "End all others", title: "End all other sessions?",
            consequence: "Every other browser is signed out at once and must sign in again. This one stays. API keys go on working.",
            button: "End all other sessions", action: "/settings/sessions/end".to_owned(), fields: vec![("id", "all".to_owned())], destroys: true,
        }) }
    };
    let body = crate::ui::flush(
        "Sessions",
        aside,
        html! {
            table.data {
                thead { tr { th { "Browser" } th { "Address" } th { "Began" } th { "Last used" } th.r { span.sr { "Actions" } } } }
                tbody { @for session in &view.sessions { tr {
                    td.main { (session.agent) @if session.current { " " span.chip { "This one" } } }
                    td data-label="Address" { span.mono { (session.address) } }
                    td data-label="Began" { span.quiet { (figures::when(at.now, session.created_at)) } }
                    td data-label="Last used" { span.quiet { (figures::when(at.now, session.last_seen_at)) } }
                    td.r { @if !session.current {
                        form method="post" action="/settings/sessions/end" {
                            input type="hidden" name="id" value=(session.id);
                            button.btn.bare type="submit" aria-label={ "End the session of " (session.agent) } { "End" }
                        }
                    } }
                } } }
            }
        },
    );
    inside(at, "Security", body)
}

//! A person's own settings: name and password. Security, keys and providers have files of their own.

use engify_core::error::Detail;
use maud::{Markup, html};

use crate::ui::form::{Faults, Field};
use crate::ui::{Frame, Head, card, figures, frame, heading, problem, tabs};

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

/// The frame of all settings pages.
pub(super) fn inside(at: &Frame<'_>, title: &str, body: Markup) -> Markup {
    inside_with(at, title, &[], body)
}

/// The same with scripts of the page's own.
pub(super) fn inside_with(at: &Frame<'_>, title: &str, scripts: &[&str], body: Markup) -> Markup {
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
    frame(at, &Head::new(title, "Your settings.").with_scripts(scripts), body)
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
                        .help("At least 10 characters: a few unrelated words are hard to guess and easy to keep in mind. Other browsers are signed out.").faults(password))
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

//! Coming in: sign in, sign up, the first administrator.

use engify_app::identities::SignInProvider;
use engify_core::error::Detail;
use maud::{Markup, html};

use super::identities::buttons;
use super::step::passkey_button;
use crate::ui::form::{Faults, Field};
use crate::ui::{Frame, Head, frame, problem};

/// What was typed, and what is wrong with it. Passwords never come back.
#[derive(Default)]
pub struct AccountView {
    /// As typed.
    pub name: String,
    /// As typed.
    pub email: String,
    /// What is wrong, by field: `name`, `email`, `password`.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
    /// Where to go afterwards; a path within this site.
    pub next: Option<String>,
    /// The identity providers that people may come in through.
    pub sign_in_providers: Vec<SignInProvider>,
}

/// `/login`
pub fn login(at: &Frame<'_>, view: &AccountView) -> Markup {
    let faults = Faults(&view.faults);
    let form = html! {
        form.stack.gap-16 method="post" action="/login" {
            (next(view))
            (email(view, faults).focus())
            (Field::input("password", "Password", "password").required().autocomplete("current-password").faults(faults))
            button.btn.go.tall type="submit" { "Sign in" }
        }
        (buttons(&view.sign_in_providers, view.next.as_deref()))
        (passkey_button("Sign in with a passkey", view.next.as_deref().unwrap_or("/prompts")))
        p.small.quiet { a href="/forgot-password" { "Forgot the password?" } }
        @if at.signup_open { p.small.quiet { "New here? " a href="/signup" { "Create an account" } } }
    };
    let head =
        Head::new("Sign in", "Sign in to run prompts and keep your answers.").with_scripts(&["passkey.js"]);
    narrow(at, &head, view.problem.as_deref(), form)
}

/// `/signup`
pub fn signup(at: &Frame<'_>, view: &AccountView) -> Markup {
    let faults = Faults(&view.faults);
    let form = html! {
        @if at.signup_open {
            form.stack.gap-16 method="post" action="/signup" {
                (next(view))
                (Field::text("Name", "name").value(&view.name).required().autocomplete("name").faults(faults).focus())
                (email(view, faults))
                (new_password(faults))
                button.btn.go.tall type="submit" { "Create account" }
            }
            (buttons(&view.sign_in_providers, view.next.as_deref()))
        } @else {
            p { "Accounts on this installation are made by its administrator. Ask them for one." }
            p.small.quiet { "For administrators: " code { "NEXT_PUBLIC_ALLOW_SIGNUP=true" } " opens this page." }
        }
        p.small.quiet { "Have an account? " a href="/login" { "Sign in" } }
    };
    let title = if at.signup_open { "Create an account" } else { "Sign-up is closed" };
    let head = Head::new(title, "An account runs prompts and keeps the answers.");
    narrow(at, &head, view.problem.as_deref(), form)
}

/// `/setup?token=…`: the link of the first start.
pub fn setup(at: &Frame<'_>, view: &AccountView, token: &str) -> Markup {
    let faults = Faults(&view.faults);
    let form = html! {
        p.quiet { "This makes the first account, which may do everything. The link that brought you here works once." }
        form.stack.gap-16 method="post" action="/setup" {
            input type="hidden" name="token" value=(token);
            (Field::text("Name", "name").value(&view.name).required().autocomplete("name").faults(faults).focus())
            (email(view, faults))
            (new_password(faults))
            button.btn.go.tall type="submit" { "Create the administrator" }
        }
    };
    narrow(at, &Head::new("Set up Engify", "Make the first account."), view.problem.as_deref(), form)
}

/// A narrow page in the middle: its title, what is wrong, and what to do.
pub(super) fn narrow(at: &Frame<'_>, head: &Head<'_>, wrong: Option<&str>, content: Markup) -> Markup {
    frame(at, head, html! { section.gate { h1 { (head.title) } (problem(wrong)) (content) } })
}

fn next(view: &AccountView) -> Markup {
    html! { @if let Some(next) = &view.next { input type="hidden" name="next" value=(next); } }
}

fn email<'a>(view: &'a AccountView, faults: Faults<'a>) -> Field<'a> {
    Field::input("email", "Email", "email")
        .value(&view.email)
        .required()
        .autocomplete("username")
        .faults(faults)
}

fn new_password(faults: Faults<'_>) -> Field<'_> {
    Field::input("password", "Password", "password")
        .required()
        .autocomplete("new-password")
        .help("At least 10 characters: a few unrelated words are hard to guess and easy to keep in mind.")
        .faults(faults)
}

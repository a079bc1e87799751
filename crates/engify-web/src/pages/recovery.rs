//! Pages behind a forgotten password and behind links that came by mail.

use maud::{Markup, html};

use super::account::{AccountView, narrow};
use crate::ui::form::{Faults, Field};
use crate::ui::{Frame, Head};

/// `/forgot-password`; `mailed` says whether letters reach people here.
pub fn forgot(at: &Frame<'_>, view: &AccountView, mailed: bool) -> Markup {
    let form = html! {
        p.quiet { "We send a link to choose a new one. It works once, for 30 minutes." }
        form.stack.gap-16 method="post" action="/forgot-password" {
            (Field::input("email", "Email", "email").value(&view.email).required().autocomplete("username").faults(Faults(&view.faults)).focus())
            button.btn.go.tall type="submit" { "Send the link" }
        }
        @if !mailed {
            p.small.quiet {
                "This installation sends no mail yet: the link is kept for its administrators, under OpsHub, Messages. If you are the only one, use "
                "the server's command line:"
            }
            pre tabindex="0" { code { "engify admin setup --email you@example.com" } }
        }
        p.small.quiet { a href="/login" { "Back to sign in" } }
    };
    narrow(
        at,
        &Head::new("Forgot the password", "Choose a new password through a link."),
        view.problem.as_deref(),
        form,
    )
}

/// `/reset-password?token=…`
pub fn reset(at: &Frame<'_>, view: &AccountView, token: &str) -> Markup {
    let form = html! {
        p.quiet { "Every browser that is signed in to your account is signed out." }
        form.stack.gap-16 method="post" action="/reset-password" {
            input type="hidden" name="token" value=(token);
            (Field::input("password", "New password", "password").required().autocomplete("new-password")
                .help("At least 10 characters: a few unrelated words are hard to guess and easy to keep in mind.").faults(Faults(&view.faults)).focus())
            button.btn.go.tall type="submit" { "Change the password" }
        }
    };
    narrow(
        at,
        &Head::new("Choose a new password", "The last step of a forgotten password."),
        view.problem.as_deref(),
        form,
    )
}

/// `/verify-email?token=…`: a button, so that programs that follow the links in mails do not use them up.
pub fn verify(at: &Frame<'_>, view: &AccountView, token: &str) -> Markup {
    let form = html! {
        p { "Is " b { (view.email) } " yours?" }
        form.stack.gap-16 method="post" action="/verify-email" {
            input type="hidden" name="token" value=(token);
            button.btn.go.tall type="submit" { "Yes, confirm this address" }
        }
    };
    narrow(
        at,
        &Head::new("Confirm your address", "So that we can reach you when it matters."),
        view.problem.as_deref(),
        form,
    )
}

/// A link that opens nothing any more.
pub fn spent(at: &Frame<'_>, view: &AccountView) -> Markup {
    let text = html! {
        p { "Forgot the password? " a href="/forgot-password" { "Ask for a new link" } "." }
        p { "Confirming an address? Sign in, and ask for another link under " a href="/settings/profile" { "Settings, Profile" } "." }
    };
    narrow(
        at,
        &Head::new("This link works no more", "Links in mails work once."),
        view.problem.as_deref(),
        text,
    )
}

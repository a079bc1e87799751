//! The second step of signing in, and the proof that somebody still is who signed in: one form, a code in it.

use engify_app::identities::SignInProvider;
use engify_core::factor::Method;
use maud::{Markup, html};
use url::form_urlencoded::byte_serialize;

use super::account::narrow;
use crate::ui::form::{Faults, Field};
use crate::ui::{Frame, Head};

/// What the step shows.
#[derive(Debug, Clone)]
pub struct StepView {
    /// Where the form is posted: `/login/factor` or `/confirm`.
    pub action: &'static str,
    /// What can be shown.
    pub methods: Vec<Method>,
    /// What is asked for now.
    pub method: Method,
    /// Where to go afterwards; a path within this site.
    pub next: String,
    /// The identity providers that can ask again, for whoever has nothing to show.
    pub providers: Vec<SignInProvider>,
    /// What is wrong.
    pub problem: Option<String>,
}

/// `/login/factor`
pub fn second(at: &Frame<'_>, view: &StepView) -> Markup {
    let head = Head::new("Second step", "The second step of signing in.");
    let below = html! { p.small.quiet { a href="/login" { "Sign in as somebody else" } } };
    narrow(
        at,
        &head.with_scripts(&["passkey.js"]),
        view.problem.as_deref(),
        html! { (form(view, "Sign in")) (below) },
    )
}

/// `/confirm`
pub fn confirm(at: &Frame<'_>, view: &StepView) -> Markup {
    let head = Head::new("Confirm that it is you", "What you are about to do asks for your proof again.");
    let why = html! { p.quiet { "What comes next could hurt if somebody else sat at this browser. Your answer counts for 10 minutes." } };
    narrow(
        at,
        &head.with_scripts(&["passkey.js"]),
        view.problem.as_deref(),
        html! { (why) (form(view, "Confirm")) },
    )
}

fn form(view: &StepView, button: &str) -> Markup {
    let others = view.methods.iter().filter(|method| **method != view.method);
    html! {
        @if view.methods.contains(&Method::Passkey) { (passkey_button("Use a passkey", &view.next)) }
        @if view.method == Method::Sms {
            form method="post" action={ (view.action) "/sms" } {
                input type="hidden" name="next" value=(view.next);
                button.btn.tall type="submit" { "Send a code to my phone" }
            }
        }
        @if view.methods.is_empty() {
            @for provider in &view.providers {
                a.btn.go.tall href={ "/api/auth/oauth/" (provider.id) "?confirm=true&next=" (escaped(&view.next)) } { "Confirm through " (provider.label) }
            }
            @if view.providers.is_empty() {
                p { "Your account has neither a password nor a second factor: sign out and in again, that counts as proof." }
            }
        } @else if view.method == Method::Passkey {
            p.quiet.no-js { "A passkey needs JavaScript. Switch it on for this site, or use another way below." }
        } @else {
            form.stack.gap-16 method="post" action=(view.action) {
                input type="hidden" name="next" value=(view.next);
                input type="hidden" name="method" value=(view.method);
                (field(view.method))
                button.btn.go.tall type="submit" { (button) }
            }
        }
        @for method in others.filter(|method| **method != Method::Passkey) {
            p.small.quiet { a href={ (view.action) "?with=" (method) "&next=" (escaped(&view.next)) } { (instead(*method)) } }
        }
    }
}

fn escaped(path: &str) -> String {
    byte_serialize(path.as_bytes()).collect()
}

fn field(method: Method) -> Field<'static> {
    let field = match method {
        Method::Password => {
            return Field::input("password", "Password", "code")
                .required()
                .autocomplete("current-password")
                .focus();
        }
        Method::RecoveryCode => Field::text("Recovery code", "code")
            .help("One of the ten that you were given. Each is good once."),
        Method::Sms => Field::text("Code", "code").help("Six digits, from the message on your phone."),
        Method::Totp | Method::Passkey => {
            Field::text("Code", "code").help("Six digits, from your authenticator app.")
        }
    };
    let autocomplete = if method == Method::RecoveryCode { "off" } else { "one-time-code" };
    field.required().autocomplete(autocomplete).faults(Faults(&[])).focus()
}

fn instead(method: Method) -> &'static str {
    match method {
        Method::Totp => "Use the authenticator app",
        Method::Sms => "Use a code by text message",
        Method::RecoveryCode => "Use a recovery code",
        Method::Password => "Use the password",
        Method::Passkey => "Use a passkey",
    }
}

/// Asks the browser for a passkey; hidden without scripts.
pub(super) fn passkey_button(text: &str, next: &str) -> Markup {
    html! {
        button.btn.tall.js type="button" data-passkey="prove" data-next=(next) { (crate::ui::Icon::Key) (text) }
        p #passkey-said .fault role="alert" hidden {}
    }
}

//! Identity providers on pages: buttons to come in through them, the link to an account that was there before, and the list of
//! those that open one's own.

use engify_app::identities::{Pending, Proof, SignInProvider};
use engify_core::Time;
use engify_core::error::Detail;
use maud::{Markup, html};
use url::form_urlencoded::Serializer;

use super::account::narrow;
use crate::ui::form::{Faults, Field};
use crate::ui::{Confirm, Frame, Head, Icon, figures, flush};

/// Buttons of the providers, links and not forms: a form's policy would not let the browser go on to another site.
pub(super) fn buttons(sign_in_providers: &[SignInProvider], next: Option<&str>) -> Markup {
    html! {
        @if !sign_in_providers.is_empty() {
            div.stack {
                @for provider in sign_in_providers {
                    a.btn.tall href=(begin(provider.id, next, false)) rel="nofollow" { (Icon::Key) span { "Continue with " (provider.label) } }
                }
            }
        }
    }
}

/// Where a way through a provider begins.
fn begin(provider: &str, next: Option<&str>, links: bool) -> String {
    let mut query = Serializer::new(String::new());
    if links {
        query.append_pair("link", "true");
    }
    if let Some(next) = next {
        query.append_pair("next", next);
    }
    let query = query.finish();
    let sign = if query.is_empty() { "" } else { "?" };
    format!("/api/auth/oauth/{provider}{sign}{query}")
}

/// What the page that links shows.
pub struct LinkView {
    /// What is to be linked.
    pub pending: Pending,
    /// The ticket's token.
    pub ticket: String,
    /// What is wrong, by field: `password`.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
}

/// `/login/link`
pub fn link(at: &Frame<'_>, view: &LinkView) -> Markup {
    let Pending { provider, email, proof } = &view.pending;
    let form = |fields: Markup, button: &str| {
        html! {
            form.stack.gap-16 method="post" action="/login/link" {
                input type="hidden" name="ticket" value=(view.ticket);
                (fields)
                button.btn.go.tall type="submit" { (button) }
            }
        }
    };
    let content = match proof {
        Proof::Password => html! {
            p { "There is an account with the address " strong { (email) } " already. Its password, once, links it with " (provider) "; from then on either opens it." }
            (form(html! {
                input.sr type="text" name="username" value=(email) autocomplete="username" readonly tabindex="-1" aria-hidden="true";
                (Field::input("password", "Password", "password").required().autocomplete("current-password").faults(Faults(&view.faults)).focus())
            }, "Link and sign in"))
            p.small.quiet { a href="/forgot-password" { "Forgot the password?" } }
        },
        Proof::Consent => html! {
            p { "From now on " (provider) " (" strong { (email) } ") opens your account here." }
            (form(html! {}, "Link it"))
            p.small.quiet { a href="/settings/security" { "Leave it as it is" } }
        },
        Proof::SignIn => html! {
            p { "There is an account with the address " strong { (email) } " already, and it has no password. Sign in the way you do otherwise, then link " (provider) " under Settings, Security." }
            p { a.btn.go.tall href="/login?next=/settings/security" { "Sign in another way" } }
        },
    };
    let title = format!("Link {provider}");
    narrow(
        at,
        &Head::new(&title, "Join an account with an identity provider."),
        view.problem.as_deref(),
        content,
    )
}

/// One identity that opens the account.
#[derive(Debug, Clone)]
pub struct IdentityRow {
    /// What unlinks it.
    pub id: String,
    /// The provider as people call it.
    pub provider: String,
    /// The address there.
    pub email: String,
    /// When it was linked.
    pub created_at: Time,
    /// When somebody last came in through it.
    pub last_used_at: Time,
}

/// The part of `/settings/security` about identity providers; nothing where there are none.
pub(super) fn section(at: &Frame<'_>, rows: &[IdentityRow], sign_in_providers: &[SignInProvider]) -> Markup {
    if rows.is_empty() && sign_in_providers.is_empty() {
        return html! {};
    }
    let aside = html! {
        div.row.wrap { @for provider in sign_in_providers {
            a.btn.bare href=(begin(provider.id, Some("/settings/security"), true)) rel="nofollow" { "Link " (provider.label) }
        } }
    };
    let body = html! {
        @if rows.is_empty() { div.body { p.quiet { "Nothing is linked: your password opens your account." } } }
        @else { table.data {
            thead { tr { th { "Provider" } th { "Address there" } th { "Linked" } th { "Last used" } th.r { span.sr { "Actions" } } } }
            tbody { @for row in rows { tr {
                td.main { (row.provider) }
                td data-label="Address there" { (row.email) }
                td data-label="Linked" { span.quiet { (figures::when(at.now, row.created_at)) } }
                td data-label="Last used" { span.quiet { (figures::when(at.now, row.last_used_at)) } }
                td.r { (Confirm {
                    open: "Unlink", title: "Unlink this account?",
                    consequence: "It no longer opens your account here. Your other ways in, your sessions and your data stay.",
                    button: "Unlink", action: "/settings/identities/unlink".to_owned(), fields: vec![("id", row.id.clone())], destroys: true,
                }) }
            } } }
        } }
    };
    flush("Sign-in through others", aside, body)
}

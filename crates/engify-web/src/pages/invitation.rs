//! The page behind the link of an invitation.

use engify_core::error::Detail;
use engify_core::organization::Invitation;
use maud::{Markup, html};

use crate::ui::form::{Faults, Field};
use crate::ui::{Frame, Head, figures, frame, problem};

/// What the page shows.
pub struct InvitationView<'a> {
    /// The organization's name.
    pub organization: &'a str,
    /// Who invites.
    pub inviter: &'a str,
    /// The invitation.
    pub invitation: &'a Invitation,
    /// What the holder of the link can do with it.
    pub offer: Offer,
    /// The link's own path.
    pub path: &'a str,
    /// As typed.
    pub name: String,
    /// What is wrong, by field: `name`, `password`.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
}

/// What the holder of a link can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Join as whoever is signed in.
    Join,
    /// Sign in first.
    SignIn,
    /// Make an account.
    SignUp,
    /// Sign out first: another address is signed in.
    SignOut,
    /// Leave another organization first.
    Leave,
}

/// `/invitations/{token}`
pub fn page(at: &Frame<'_>, view: &InvitationView<'_>) -> Markup {
    let (organization, invitation) = (view.organization, view.invitation);
    let body = html! {
        section.gate {
            h1 { "Join " (organization) }
            p.quiet {
                (view.inviter) " invites " b { (invitation.email) } " as " (figures::label(invitation.role.as_str()))
                ". The invitation ends " (figures::when(at.now, invitation.expires_at)) "."
            }
            (problem(view.problem.as_deref()))
            @match view.offer {
                Offer::Join => (join(view)),
                Offer::SignUp => (sign_up(view)),
                Offer::SignIn => {
                    p { "There is an account with this address. Sign in, and you come back here." }
                    a.btn.go.tall href={ "/login?next=" (crate::site::escape(view.path)) } { "Sign in" }
                },
                Offer::SignOut => {
                    p { "You are signed in with another address. Sign out, open the link again, and sign in with the invited one." }
                    form method="post" action="/logout" { button.btn.tall type="submit" { "Sign out" } }
                },
                Offer::Leave => {
                    p { "You belong to an organization already, and a person belongs to one at most. Leave it, and open the link again." }
                    a.btn.tall href="/settings/organization" { "To your organization" }
                },
            }
        }
    };
    frame(at, &Head::new("Invitation", "Join an organization."), body)
}

fn join(view: &InvitationView<'_>) -> Markup {
    html! {
        p { "Your other browsers are signed out. Your prompts stay yours; you decide which ones you share." }
        form method="post" action=(view.path) { button.btn.go.tall type="submit" { "Join " (view.organization) } }
    }
}

fn sign_up(view: &InvitationView<'_>) -> Markup {
    let faults = Faults(&view.faults);
    html! {
        form.stack.gap-16 method="post" action=(view.path) {
            input.sr type="text" name="username" value=(view.invitation.email) autocomplete="username" readonly tabindex="-1" aria-hidden="true";
            (Field::text("Name", "name").value(&view.name).required().autocomplete("name").faults(faults).focus())
            (Field::input("password", "Password", "password").required().autocomplete("new-password")
                .help("At least 10 characters: a few unrelated words are hard to guess and easy to keep in mind.").faults(faults))
            button.btn.go.tall type="submit" { "Make an account and join" }
        }
    }
}

//! An organization's invitations: who was asked, and asking somebody.

use engify_core::error::Detail;
use engify_core::organization::Invitation;
use engify_core::permission::Role;
use maud::{Markup, html};

use super::{About, around};
use crate::pages::pager;
use crate::ui::form::{Faults, Field};
use crate::ui::{Confirm, Frame, Tone, card, chip, empty, figures, flush, problem, status};

/// What the page shows.
pub struct InvitationsView<'a> {
    /// Which organization.
    pub about: About<'a>,
    /// Newest first.
    pub invitations: &'a [Invitation],
    /// As typed.
    pub email: String,
    /// As chosen.
    pub role: String,
    /// The roles that can be given.
    pub roles: Vec<Role>,
    /// What is wrong, by field.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// The page of invitations.
pub fn page(at: &Frame<'_>, view: &InvitationsView<'_>) -> Markup {
    let base = format!("{}/invitations", view.about.base);
    let faults = Faults(&view.faults);
    let roles = view.roles.iter().map(|role| (role.to_string(), figures::label(role.as_str()))).collect();
    let body = html! {
        (problem(view.problem.as_deref()))
        div.with-side {
            div.stack.gap-16 {
                @if view.invitations.is_empty() {
                    (empty("No invitations", html! { "Whoever you invite gets a letter with a link that works for 7 days." }))
                } @else {
                    (flush("Invitations", html! { span.small.faint { (view.about.invitations) " open" } }, table(at, view, &base)))
                }
                (pager(view.cursor.as_ref().map(|_| base.clone()), view.next.as_deref().map(|next| format!("{base}?cursor={next}"))))
            }
            (card("Invite", html! {}, html! {
                form.stack.gap-16 method="post" action=(base) {
                    (Field::input("email", "Email", "email").value(&view.email).required().autocomplete("off").faults(faults))
                    (Field::select("Role", "role", roles).value(&view.role).faults(faults))
                    button.btn.go type="submit" { "Send the invitation" }
                }
            }))
        }
    };
    around(at, &view.about, "Invitations", body)
}

fn table(at: &Frame<'_>, view: &InvitationsView<'_>, base: &str) -> Markup {
    html! {
        table.data {
            thead { tr { th { "Email" } th { "Role" } th { "Sent" } th { "Ends" } th.r { span.sr { "Actions" } } } }
            tbody { @for invitation in view.invitations { tr.off[invitation.expires_at <= at.now] {
                td.main { (invitation.email) }
                td data-label="Role" { (chip(invitation.role.as_str())) }
                td data-label="Sent" { span.quiet { (figures::when(at.now, invitation.sent_at)) } }
                td data-label="Ends" { @if invitation.expires_at <= at.now { (status(Tone::Plain, "ended")) } @else { span.quiet { (figures::when(at.now, invitation.expires_at)) } } }
                td.r { div.row.end {
                    form method="post" action={ (base) "/" (invitation.id) "/resend" } {
                        button.btn.bare type="submit" aria-label={ "Send the invitation of " (invitation.email) " again" } { "Send again" }
                    }
                    (Confirm {
                        open: "Revoke", title: &format!("Take back the invitation of {}?", invitation.email),
                        consequence: "The link in their mail stops working at once.",
                        button: "Take it back", action: format!("{base}/{}/revoke", invitation.id), fields: Vec::new(), destroys: true,
                    })
                } }
            } } }
        }
    }
}

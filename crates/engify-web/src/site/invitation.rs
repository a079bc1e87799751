//! The page behind the link of an invitation.

use axum::extract::Path;
use engify_app::limits::presets;
use engify_app::organizations::{self, Answer, Letter, NewPerson};
use engify_core::Secret;
use maud::Markup;

use super::account::with_session;
use super::form::{Fields, Wrong};
use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::pages::invitation::{self as pages, InvitationView, Offer};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// The largest form, bytes.
const SMALL: usize = 16 * 1024;

pub(super) fn routes() -> Vec<Route> {
    const OPEN: Policy = Policy::PUBLIC.limit(presets::INVITATION).body(SMALL);
    vec![
        Route::get("/invitations/{token}", OPEN, show).page(),
        Route::post("/invitations/{token}", OPEN, accept).page(),
    ]
}

async fn show(visit: Visit, Path(token): Path<String>) -> Reply {
    let letter = organizations::open(&visit.ctx, &token).await?;
    Ok(ok(page(&visit, &letter, &token, String::new(), None)))
}

fn page(visit: &Visit, letter: &Letter, token: &str, name: String, wrong: Option<&Wrong>) -> Markup {
    let view = InvitationView {
        organization: &letter.organization,
        inviter: &letter.inviter,
        invitation: &letter.invitation,
        offer: match letter.answer {
            Answer::Join => Offer::Join,
            Answer::SignIn => Offer::SignIn,
            Answer::SignUp => Offer::SignUp,
            Answer::WrongAddress => Offer::SignOut,
            Answer::Elsewhere => Offer::Leave,
        },
        path: &format!("/invitations/{token}"),
        name,
        faults: wrong.map(|wrong| wrong.faults(&[])).unwrap_or_default(),
        problem: wrong.map(|wrong| wrong.problem(&["name", "password"])),
    };
    pages::page(&visit.frame(), &view)
}

async fn accept(visit: Visit, Path(token): Path<String>, fields: Fields) -> Reply {
    let letter = organizations::open(&visit.ctx, &token).await?;
    let name = fields.text("name");
    let person = fields
        .given("password")
        .map(|password| NewPerson { name: name.clone(), password: Secret::new(password.to_owned()) });
    match organizations::accept(&visit.ctx, &token, person).await {
        Ok(accepted) => {
            let response = Said::Joined.at("/settings/organization");
            Ok(match &accepted.signed_in {
                Some(signed_in) => with_session(&visit, signed_in, response),
                None => response,
            })
        }
        Err(error) => {
            let wrong = Wrong::of(error)?;
            Ok(wrong.reply(page(&visit, &letter, &token, name, Some(&wrong))))
        }
    }
}

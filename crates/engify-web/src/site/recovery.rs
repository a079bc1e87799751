//! A forgotten password, and links that came by mail.

use axum::response::Response;
use engify_app::limits::presets;
use engify_app::{accounts, messages};
use engify_core::{Error, Secret};
use serde::Deserialize;

use super::form::Wrong;
use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::extract::{Form, Query};
use crate::pages::account::AccountView;
use crate::pages::recovery;
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// The largest of these forms, bytes.
const SMALL: usize = 16 * 1024;

pub(super) fn routes() -> Vec<Route> {
    const LINK: Policy = Policy::PUBLIC.limit(presets::LINK).body(SMALL);
    vec![
        Route::get("/forgot-password", Policy::PUBLIC, forgot).page(),
        Route::post("/forgot-password", Policy::PUBLIC.limit(presets::FORGOT).body(SMALL), send_link).page(),
        Route::get("/reset-password", LINK, reset).page(),
        Route::post("/reset-password", LINK, choose).page(),
        Route::get("/verify-email", LINK, verify).page(),
        Route::post("/verify-email", LINK, confirm).page(),
    ]
}

/// The token of a link.
#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

async fn forgot(visit: Visit) -> Response {
    let mailed = messages::mail_is_set_up(visit.app());
    ok(recovery::forgot(&visit.frame(), &AccountView::default(), mailed))
}

#[derive(Deserialize)]
struct Address {
    email: String,
}

async fn send_link(visit: Visit, Form(form): Form<Address>) -> Reply {
    let Err(error) = accounts::forgot_password(&visit.ctx, &form.email).await else {
        return Ok(Said::ResetAsked.at("/forgot-password"));
    };
    let wrong = Wrong::of(error)?;
    let problem = Some(wrong.problem(&["email"]));
    let view =
        AccountView { email: form.email, faults: wrong.faults(&[]), problem, ..AccountView::default() };
    let mailed = messages::mail_is_set_up(visit.app());
    Ok(wrong.reply(recovery::forgot(&visit.frame(), &view, mailed)))
}

async fn reset(visit: Visit, Query(Link { token }): Query<Link>) -> Reply {
    match accounts::check_reset(&visit.ctx, &token).await {
        Ok(()) => Ok(ok(recovery::reset(&visit.frame(), &AccountView::default(), &token))),
        Err(error) => spent(&visit, error),
    }
}

#[derive(Deserialize)]
struct NewPassword {
    token: String,
    password: String,
}

async fn choose(visit: Visit, Form(form): Form<NewPassword>) -> Reply {
    let Err(error) = accounts::reset_password(&visit.ctx, &form.token, Secret::new(form.password)).await
    else {
        return Ok(Said::PasswordReset.at("/login"));
    };
    if error.code() == LINK_INVALID {
        return spent(&visit, error);
    }
    let wrong = Wrong::of(error)?;
    let problem = Some(wrong.problem(&["password"]));
    let view = AccountView { faults: wrong.faults(&[]), problem, ..AccountView::default() };
    Ok(wrong.reply(recovery::reset(&visit.frame(), &view, &form.token)))
}

async fn verify(visit: Visit, Query(Link { token }): Query<Link>) -> Reply {
    match accounts::check_address(&visit.ctx, &token).await {
        Ok(email) => {
            let view = AccountView { email: email.to_string(), ..AccountView::default() };
            Ok(ok(recovery::verify(&visit.frame(), &view, &token)))
        }
        Err(error) => spent(&visit, error),
    }
}

async fn confirm(visit: Visit, Form(Link { token }): Form<Link>) -> Reply {
    match accounts::verify_address(&visit.ctx, &token).await {
        Ok(_) if visit.ctx.identity().is_some() => Ok(Said::AddressProven.at("/settings/profile")),
        Ok(_) => Ok(Said::AddressProven.at("/login")),
        Err(error) => spent(&visit, error),
    }
}

const LINK_INVALID: &str = "link_invalid";

/// The page of a link that opens nothing, with what to do instead.
fn spent(visit: &Visit, error: Error) -> Reply {
    let wrong = Wrong::of(error)?;
    let view = AccountView { problem: Some(wrong.problem(&[])), ..AccountView::default() };
    Ok(wrong.reply(recovery::spent(&visit.frame(), &view)))
}

//! Coming in and going out.

use axum::response::Response;
use engify_app::accounts::{self, Admission, SignUp, SignedIn};
use engify_app::limits::presets;
use engify_app::setup;
use engify_core::{Secret, Time};
use http::header;
use serde::Deserialize;

use super::form::Wrong;
use super::said::Said;
use super::step::second_step;
use super::visit::Visit;
use super::{KEPT, go, local, ok};
use crate::api::auth::{cookie, no_cookie};
use crate::extract::{Form, Query};
use crate::pages::account::{self, AccountView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// The largest of these forms, bytes.
const SMALL: usize = 16 * 1024;
/// Where people go who came for nothing in particular.
pub(super) const IN: &str = "/prompts";

pub(super) fn routes() -> Vec<Route> {
    const FORM: Policy = Policy::PUBLIC.body(SMALL);
    vec![
        Route::get("/login", Policy::PUBLIC.cache(KEPT).before_enrolment(), login).page(),
        Route::post("/login", FORM.before_enrolment(), sign_in).page(),
        Route::post("/logout", FORM.before_enrolment(), sign_out).page(),
        Route::get("/signup", Policy::PUBLIC.cache(KEPT), signup).page(),
        Route::post("/signup", FORM.limit(presets::USER_CREATE), sign_up).page(),
        Route::get("/setup", Policy::PUBLIC, set_up).page(),
        Route::post("/setup", FORM, first_admin).page(),
    ]
}

/// Where to go afterwards.
#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

#[derive(Deserialize)]
struct SignInForm {
    email: String,
    password: String,
    next: Option<String>,
}

#[derive(Deserialize)]
struct SignUpForm {
    name: String,
    email: String,
    password: String,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct SetUpForm {
    token: String,
    name: String,
    email: String,
    password: String,
}

async fn login(visit: Visit, Query(Next { next }): Query<Next>) -> Response {
    let next = local(next);
    match visit.ctx.identity() {
        Some(_) => go(next.as_deref().unwrap_or(IN)),
        None => ok(account::login(&visit.frame(), &blank(&visit, next))),
    }
}

async fn sign_in(visit: Visit, Form(form): Form<SignInForm>) -> Reply {
    let next = local(form.next);
    match accounts::sign_in(&visit.ctx, &form.email, Secret::new(form.password)).await {
        Ok(admission) => Ok(admitted(&visit, &admission, next.as_deref())),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let view = AccountView { email: form.email, ..view(&visit, &wrong, next) };
            Ok(wrong.reply(account::login(&visit.frame(), &view)))
        }
    }
}

async fn sign_out(visit: Visit) -> Reply {
    accounts::sign_out(&visit.ctx).await?;
    let mut response = Said::SignedOut.at("/");
    response.headers_mut().insert(header::SET_COOKIE, no_cookie(visit.app().settings().is_https()));
    Ok(response)
}

async fn signup(visit: Visit, Query(Next { next }): Query<Next>) -> Response {
    let next = local(next);
    match visit.ctx.identity() {
        Some(_) => go(next.as_deref().unwrap_or(IN)),
        None => ok(account::signup(&visit.frame(), &blank(&visit, next))),
    }
}

async fn sign_up(visit: Visit, Form(form): Form<SignUpForm>) -> Reply {
    let next = local(form.next);
    let new =
        SignUp { email: form.email.clone(), password: Secret::new(form.password), name: form.name.clone() };
    match accounts::sign_up(&visit.ctx, new).await {
        Ok(signed_in) => {
            let response = Said::SignedUp.at(next.as_deref().unwrap_or(IN));
            Ok(with_session(&visit, &signed_in, response))
        }
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let view = AccountView { name: form.name, email: form.email, ..view(&visit, &wrong, next) };
            Ok(wrong.reply(account::signup(&visit.frame(), &view)))
        }
    }
}

async fn set_up(visit: Visit, Query(Link { token }): Query<Link>) -> Reply {
    setup::check_link(visit.app(), &token).await?;
    Ok(ok(account::setup(&visit.frame(), &AccountView::default(), &token)))
}

async fn first_admin(visit: Visit, Form(form): Form<SetUpForm>) -> Reply {
    let new =
        SignUp { email: form.email.clone(), password: Secret::new(form.password), name: form.name.clone() };
    match setup::first_admin(&visit.ctx, &form.token, new).await {
        Ok(signed_in) => Ok(with_session(&visit, &signed_in, Said::AdminMade.at("/settings/providers"))),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let view = AccountView { name: form.name, email: form.email, ..view(&visit, &wrong, None) };
            Ok(wrong.reply(account::setup(&visit.frame(), &view, &form.token)))
        }
    }
}

/// A form that nobody filled yet.
fn blank(visit: &Visit, next: Option<String>) -> AccountView {
    AccountView {
        next,
        sign_in_providers: visit.app().sign_in_providers().to_vec(),
        ..AccountView::default()
    }
}

/// The form again, with what is wrong.
pub(super) fn view(visit: &Visit, wrong: &Wrong, next: Option<String>) -> AccountView {
    let problem = Some(wrong.problem(&["name", "email", "password"]));
    AccountView { faults: wrong.faults(&[]), problem, ..blank(visit, next) }
}

/// Sends on whoever showed a first factor: in, or to the second step.
pub(super) fn admitted(visit: &Visit, admission: &Admission, next: Option<&str>) -> Response {
    match admission {
        Admission::Whole(signed_in) => with_session(visit, signed_in, go(next.unwrap_or(IN))),
        Admission::Half(half) => with_cookie(visit, (&half.token, half.expires), go(&second_step(next))),
    }
}

pub(super) fn with_session(visit: &Visit, signed_in: &SignedIn, response: Response) -> Response {
    with_cookie(visit, (&signed_in.token, signed_in.expires), response)
}

/// The same reply with the cookie of a session, or of half a one.
pub(super) fn with_cookie(
    visit: &Visit,
    (token, expires): (&Secret<String>, Time),
    mut response: Response,
) -> Response {
    let cookie = cookie(visit.app().settings().is_https(), token, expires, visit.ctx.now());
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

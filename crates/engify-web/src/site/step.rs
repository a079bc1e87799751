//! The second step of signing in, and the proof that somebody still is who signed in.

use axum::response::Response;
use engify_app::factors::{self, Verified};
use engify_app::identities;
use engify_app::limits::presets;
use engify_core::factor::Method;
use engify_core::{Result, Secret};
use serde::Deserialize;

use super::account::{IN, with_cookie};
use super::form::Wrong;
use super::said::Said;
use super::visit::Visit;
use super::{go, local, ok};
use crate::extract::{Form, Query};
use crate::pages::step::{self, StepView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// The largest of these forms, bytes.
const SMALL: usize = 8 * 1024;
const SECOND: &str = "/login/factor";
const CONFIRM: &str = "/confirm";

pub(super) fn routes() -> Vec<Route> {
    const PAGE: Policy = Policy::PUBLIC.body(SMALL).before_enrolment();
    const OWN: Policy = Policy::SIGNED_IN.body(SMALL).before_enrolment();
    vec![
        Route::get(SECOND, PAGE, second).page(),
        Route::post(SECOND, PAGE.limit(presets::FACTOR), complete).page(),
        Route::post("/login/factor/sms", PAGE.limit(presets::FACTOR), send).page(),
        Route::post("/confirm/sms", OWN.limit(presets::FACTOR), send).page(),
        Route::get(CONFIRM, OWN, confirm).page(),
        Route::post(CONFIRM, OWN.limit(presets::FACTOR), confirmed).page(),
    ]
}

/// The address of the second step that goes on to `next`.
pub(super) fn second_step(next: Option<&str>) -> String {
    match next {
        Some(next) => format!("{SECOND}?next={}", super::escape(next)),
        None => SECOND.to_owned(),
    }
}

/// What is asked for, and where to go afterwards.
#[derive(Deserialize)]
struct Asked {
    next: Option<String>,
    with: Option<Method>,
}

#[derive(Deserialize)]
struct Proof {
    method: Method,
    code: String,
    next: Option<String>,
}

async fn second(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let next = local(asked.next);
    if visit.ctx.half_way().is_none() {
        return Ok(go(next.as_deref().filter(|_| visit.ctx.identity().is_some()).unwrap_or("/login")));
    }
    let view = view(&visit, SECOND, asked.with, next).await?;
    Ok(ok(step::second(&visit.frame(), &view)))
}

async fn complete(visit: Visit, Form(proof): Form<Proof>) -> Reply {
    let next = local(proof.next);
    match factors::verify(&visit.ctx, proof.method, Secret::new(proof.code)).await {
        Ok(verified) => Ok(went_on(&visit, &verified, next.as_deref().unwrap_or(IN))),
        // The ten minutes are over: from the beginning.
        Err(_) if visit.ctx.half_way().is_none() => Ok(go("/login")),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let problem = Some(wrong.problem(&[]));
            let view = StepView { problem, ..view(&visit, SECOND, Some(proof.method), next).await? };
            Ok(wrong.reply(step::second(&visit.frame(), &view)))
        }
    }
}

/// Sends a code, and comes back to the field for it.
async fn send(visit: Visit, Form(asked): Form<Asked>) -> Reply {
    factors::sms::send(&visit.ctx).await?;
    let page = if visit.ctx.half_way().is_some() { SECOND } else { CONFIRM };
    let next = local(asked.next).unwrap_or_else(|| IN.to_owned());
    Ok(Said::CodeSent.at(&format!("{page}?with=sms&next={}", super::escape(&next))))
}

async fn confirm(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let view = view(&visit, CONFIRM, asked.with, local(asked.next)).await?;
    Ok(ok(step::confirm(&visit.frame(), &view)))
}

async fn confirmed(visit: Visit, Form(proof): Form<Proof>) -> Reply {
    let next = local(proof.next);
    match factors::verify(&visit.ctx, proof.method, Secret::new(proof.code)).await {
        Ok(verified) => Ok(went_on(&visit, &verified, next.as_deref().unwrap_or(IN))),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let problem = Some(wrong.problem(&[]));
            let view = StepView { problem, ..view(&visit, CONFIRM, Some(proof.method), next).await? };
            Ok(wrong.reply(step::confirm(&visit.frame(), &view)))
        }
    }
}

/// The step with what can be shown: what was asked for, else the first that is a code, else a passkey.
async fn view(
    visit: &Visit,
    action: &'static str,
    with: Option<Method>,
    next: Option<String>,
) -> Result<StepView> {
    let methods = factors::methods(&visit.ctx).await?;
    let asked = with.filter(|with| methods.contains(with));
    let code = methods
        .iter()
        .copied()
        .find(|method| matches!(method, Method::Totp | Method::Sms | Method::Password));
    let method = asked.or(code).unwrap_or(Method::Passkey);
    // Half-way in, somebody has something to show; only whoever is all the way in may have nothing.
    let providers = if methods.is_empty() { identities::confirmers(&visit.ctx).await? } else { Vec::new() };
    let next = next.unwrap_or_else(|| IN.to_owned());
    Ok(StepView { action, methods, method, next, providers, problem: None })
}

fn went_on(visit: &Visit, verified: &Verified, next: &str) -> Response {
    match verified {
        Verified::SignedIn(signed_in) => with_cookie(visit, (&signed_in.token, signed_in.expires), go(next)),
        Verified::Refreshed { .. } => go(next),
    }
}

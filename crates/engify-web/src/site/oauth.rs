//! Signing in through identity providers: the two legs that browsers walk, and the link to an account that was there before.

use axum::extract::Path;
use engify_app::identities::{self, Arrival, Errand, Returned};
use engify_app::limits::presets;
use engify_core::identity::LinkedIdentity;
use engify_core::{Error, Result, Secret};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;

use super::account::{admitted, view};
use super::form::Wrong;
use super::said::Said;
use super::visit::Visit;
use super::{go, local, ok};
use crate::extract::{Form, Query};
use crate::guard::cookie;
use crate::pages::account;
use crate::pages::identities::{self as pages, IdentityRow, LinkView};
use crate::policy::Policy;
use crate::reply::{Failure, Reply};
use crate::route::Route;

/// The largest of these forms, bytes.
const SMALL: usize = 16 * 1024;
/// How long a browser remembers that it is on its way, seconds.
const AWAY: u64 = 600;
/// Where links are managed.
const SECURITY: &str = "/settings/security";

pub(super) fn routes() -> Vec<Route> {
    const LEG: Policy = Policy::PUBLIC.limit(presets::OAUTH);
    const LEAVES: &[StatusCode] = &[StatusCode::FORBIDDEN, StatusCode::BAD_GATEWAY];
    const ARRIVES: &[StatusCode] = &[StatusCode::FORBIDDEN, StatusCode::CONFLICT, StatusCode::BAD_GATEWAY];
    vec![
        Route::get("/api/auth/oauth/{provider}", LEG, leave)
            .browser()
            .named("Accounts", "Sign in through an identity provider, or link it to one's own account")
            .query::<Leave>()
            .gives_nothing(StatusCode::SEE_OTHER, "to the provider")
            .refuses(LEAVES),
        Route::get("/api/auth/oauth/{provider}/callback", LEG, arrive)
            .browser()
            .named("Accounts", "Where an identity provider sends the browser back to")
            .query::<Back>()
            .gives_nothing(StatusCode::SEE_OTHER, "signed in, or a step before it")
            .refuses(ARRIVES),
        Route::get("/login/link", LEG, ask).page(),
        Route::post("/login/link", LEG.body(SMALL), link).page(),
        Route::post("/settings/identities/unlink", Policy::SIGNED_IN.limit(presets::WRITE), unlink).page(),
    ]
}

/// How a way through a provider begins.
#[derive(Deserialize, JsonSchema)]
struct Leave {
    /// The path to go on to afterwards.
    next: Option<String>,
    /// Whether the caller, who is signed in, links the provider to their account.
    #[serde(default)]
    link: bool,
    /// Whether the caller, who is signed in, is to be asked again by their provider who they are.
    #[serde(default)]
    confirm: bool,
}

/// What a provider sends back; whatever else it adds is not read.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Back {
    /// Ties the answer to the request.
    #[serde(default)]
    state: String,
    /// What is turned into a person.
    code: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// The issuer (RFC 9207).
    iss: Option<String>,
}

#[derive(Deserialize)]
struct Ticket {
    #[serde(default)]
    ticket: String,
}

#[derive(Deserialize)]
struct LinkForm {
    ticket: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
struct Which {
    id: String,
}

/// The name of the cookie that ties the way back to this browser.
fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-engify_oauth" } else { "engify_oauth" }
}

fn kept<'a>(visit: &Visit, headers: &'a HeaderMap) -> Option<&'a str> {
    cookie(headers, cookie_name(visit.app().settings().is_https()))
}

async fn leave(
    visit: Visit,
    Path(provider): Path<String>,
    Query(asked): Query<Leave>,
    headers: HeaderMap,
) -> Reply {
    let next = local(asked.next);
    let errand = match (asked.link, asked.confirm) {
        (_, true) => Errand::Confirm,
        (true, false) => Errand::Link,
        (false, false) => Errand::SignIn,
    };
    match identities::begin(&visit.ctx, &provider, errand, next, kept(&visit, &headers)).await {
        Ok(departure) => {
            let https = visit.app().settings().is_https();
            let secure = if https { "; Secure" } else { "" };
            let (name, value) = (cookie_name(https), departure.browser.reveal());
            // Lax, not Strict: the way back begins at the provider's site.
            let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={AWAY}{secure}");
            let mut value = HeaderValue::from_str(&text).map_err(Error::internal)?;
            value.set_sensitive(true);
            let mut response = go(&departure.url);
            response.headers_mut().insert(header::SET_COOKIE, value);
            Ok(response)
        }
        Err(error) => problem(visit, error),
    }
}

async fn arrive(
    visit: Visit,
    Path(provider): Path<String>,
    Query(back): Query<Back>,
    headers: HeaderMap,
) -> Reply {
    let returned = Returned {
        browser: kept(&visit, &headers).map(str::to_owned),
        state: back.state,
        code: back.code,
        error: back.error,
        issuer: back.iss,
    };
    match identities::finish(&visit.ctx, &provider, returned).await {
        Ok(arrival) => on(&visit, arrival),
        Err(error) => problem(visit, error),
    }
}

/// Where somebody goes who arrived.
fn on(visit: &Visit, arrival: Arrival) -> Reply {
    match arrival {
        Arrival::Admitted(admission, next) => Ok(admitted(visit, &admission, next.as_deref())),
        Arrival::Asked(ticket) => Ok(go(&format!("/login/link?ticket={}", ticket.reveal()))),
        Arrival::Confirmed(next) => Ok(go(next.as_deref().unwrap_or(SECURITY))),
        Arrival::Known(next) => Ok(Said::Linked.at(next.as_deref().unwrap_or(SECURITY))),
    }
}

/// What went wrong, above the sign-in form for strangers: there they can begin again.
fn problem(visit: Visit, error: Error) -> Reply {
    if visit.ctx.identity().is_some() {
        return Err(Failure(error));
    }
    let wrong = Wrong::of(error)?;
    let visit = visit.at("/login");
    Ok(wrong.reply(account::login(&visit.frame(), &view(&visit, &wrong, None))))
}

async fn ask(visit: Visit, Query(Ticket { ticket }): Query<Ticket>, headers: HeaderMap) -> Reply {
    match identities::pending(&visit.ctx, &ticket, kept(&visit, &headers)).await {
        Ok(pending) => {
            let view = LinkView { pending, ticket, faults: Vec::new(), problem: None };
            Ok(ok(pages::link(&visit.frame(), &view)))
        }
        Err(error) => problem(visit, error),
    }
}

async fn link(visit: Visit, headers: HeaderMap, Form(form): Form<LinkForm>) -> Reply {
    let browser = kept(&visit, &headers);
    let pending = match identities::pending(&visit.ctx, &form.ticket, browser).await {
        Ok(pending) => pending,
        Err(error) => return problem(visit, error),
    };
    match identities::link(&visit.ctx, &form.ticket, browser, Secret::new(form.password)).await {
        Ok(arrival) => on(&visit, arrival),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let (faults, problem) = (wrong.faults(&[]), Some(wrong.problem(&["password"])));
            let view = LinkView { pending, ticket: form.ticket, faults, problem };
            Ok(wrong.reply(pages::link(&visit.frame(), &view)))
        }
    }
}

async fn unlink(visit: Visit, Form(form): Form<Which>) -> Reply {
    identities::unlink(&visit.ctx, &form.id).await?;
    Ok(Said::Unlinked.at(SECURITY))
}

/// What is linked to the caller's account, as the page of settings shows it.
pub(super) async fn rows(visit: &Visit) -> Result<Vec<IdentityRow>> {
    let label = |provider: &str| {
        let listed = visit.app().sign_in_providers().iter().find(|one| one.id == provider);
        listed.map_or_else(|| provider.to_owned(), |one| one.label.clone())
    };
    let row = |identity: LinkedIdentity| IdentityRow {
        id: identity.id.to_string(),
        provider: label(&identity.provider),
        email: identity.email.to_string(),
        created_at: identity.created_at,
        last_used_at: identity.last_used_at,
    };
    Ok(identities::list(&visit.ctx).await?.into_iter().map(row).collect())
}

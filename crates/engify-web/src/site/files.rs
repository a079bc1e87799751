//! The files that pages load, and those that browsers and crawlers ask for unasked.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use engify_app::Ctx;
use engify_core::Error;
use http::{HeaderMap, Uri, header};

use crate::policy::Policy;
use crate::reply::{Failure, Reply};
use crate::route::Route;
use crate::web::Web;

pub(super) fn routes() -> Vec<Route> {
    const FILE: Policy = Policy::PUBLIC.before_enrolment().always();
    vec![
        Route::get("/assets/{*path}", FILE, asset),
        Route::get("/favicon.ico", FILE, favicon),
        Route::get("/robots.txt", FILE, robots),
        Route::get("/.well-known/security.txt", FILE, security),
    ]
}

async fn asset(State(web): State<Web>, uri: Uri, headers: HeaderMap) -> Reply {
    let found = web.assets.find(uri.path()).ok_or_else(|| Failure(Error::not_found("file")))?;
    Ok(found.response(&headers))
}

async fn favicon(State(web): State<Web>) -> Redirect {
    Redirect::temporary(&web.assets.url("favicon.svg"))
}

async fn robots() -> Response {
    const TEXT: &str = "User-agent: *\nDisallow: /api/\nDisallow: /opshub\nDisallow: /settings/\n";
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], TEXT).into_response()
}

/// How long the contact is promised to hold. RFC 9116 wants less than a year, so that a forgotten file is told from a kept one.
const PROMISED: Duration = Duration::from_secs(180 * 24 * 3600);

/// Where to report a weakness of this installation (RFC 9116).
async fn security(State(web): State<Web>) -> Reply {
    let settings = web.app.settings();
    let contact = settings.security.contact.as_deref().ok_or_else(|| Failure(Error::not_found("file")))?;
    let expires = Ctx::system(&web.app, "security.txt").now().plus(PROMISED).day();
    let text = format!(
        "Contact: {contact}\nExpires: {expires}T00:00:00.000Z\nPreferred-Languages: en\nCanonical: {}/.well-known/security.txt\n",
        settings.core.url
    );
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

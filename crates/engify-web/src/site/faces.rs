//! Failures as pages: what happened, what to do, and the number that leads to the log line.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use engify_app::accounts::{self, Credential};
use engify_app::{Actor, Ctx, Origin};
use engify_core::{Error, Kind};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use super::visit::Visit;
use super::{escape, go, html};
use crate::guard::session_cookie;
use crate::outer::RequestId;
use crate::pages::errors::{self, ErrorView};
use crate::reply::{Faced, Failed, Failure};
use crate::ui::figures::sentence;
use crate::web::Web;

/// A page's failure as a page, or as the way to where it is mended; everything else as it is. `path` may have a query;
/// `back` is the page to come back to.
pub(crate) fn with_face(
    web: &Web,
    ctx: &Ctx,
    (path, back): (&str, &str),
    mut response: Response,
) -> Response {
    let Some(Failed(error)) = response.extensions_mut().remove::<Failed>() else { return response };
    match error.code() {
        "fresh_factor_required" => return go(&format!("/confirm?next={}", escape(back))),
        "mfa_enrolment_required" => return go("/settings/security"),
        _ => {}
    }
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let visit = Visit::new(web, ctx.clone(), path, None);
    let message = message(&error);
    let view = ErrorView {
        status: response.status().as_u16(),
        message: &message,
        request_id: &ctx.origin.request_id,
        retry_after: error.retry_wait(),
    };
    let (head, body) = html(response.status(), errors::page(&visit.frame(), &view)).into_parts();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().extend(head.headers);
    *response.body_mut() = body;
    response.extensions_mut().insert(Faced(error));
    response
}

/// The error's sentence; where it is about fields of the address, those.
fn message(error: &Error) -> String {
    if error.details().is_empty() {
        return error.message().to_owned();
    }
    let issues =
        error.details().iter().map(|detail| sentence(format!("{} {}.", detail.field, detail.issue).trim()));
    issues.collect::<Vec<_>>().join(" ")
}

/// What is nowhere.
pub(crate) async fn not_found(State(web): State<Web>, parts: Parts) -> Response {
    let nowhere = if is_api(parts.uri.path()) {
        let message =
            "There is no such route. All that there are stand in /api/openapi.json and at /api-docs.";
        Error::new(Kind::NotFound, "not_found", message)
    } else {
        Error::not_found("page")
    };
    let response = Failure(nowhere).into_response();
    with_face_of(&web, &parts, response).await
}

/// A known path asked in a way it does not answer.
pub(crate) async fn method_not_allowed(State(web): State<Web>, parts: Parts) -> Response {
    let message = format!("This address does not answer to {}.", parts.method);
    let mut response = Failure(Error::new(Kind::Invalid, "method_not_allowed", message)).into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    with_face_of(&web, &parts, response).await
}

/// A face for people, JSON for programs. No guard has found out who asks, so this does.
async fn with_face_of(web: &Web, parts: &Parts, response: Response) -> Response {
    let path = parts.uri.path();
    if is_api(path) || !takes_html(&parts.headers) {
        return response;
    }
    let id = parts.extensions.get::<RequestId>();
    let origin =
        Origin { request_id: id.map(|id| id.0.to_string()).unwrap_or_default(), ..Origin::default() };
    let cookie = session_cookie(&parts.headers, web.app.settings().is_https());
    let credential = cookie.map_or(Credential::None, Credential::Session);
    let ctx = accounts::resolve(&web.app, credential, origin.clone()).await;
    let ctx = ctx.unwrap_or_else(|_| Ctx::new(&web.app, Actor::Anonymous, origin));
    with_face(web, &ctx, (path, path), response)
}

fn is_api(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/v1/")
}

fn takes_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("text/html");
    !accept.starts_with("application/json") && !accept.starts_with("text/event-stream")
}

//! Pages and the targets of their forms: one file a subject, each with its routes and their policies at the top.
//!
//! A handler reads what was asked, calls use cases, puts what they answer into a page's view and says what happened.
//! A form that succeeded sends the browser on (303), so that a reload repeats nothing.

use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderValue, StatusCode, header};
use maud::Markup;
use url::form_urlencoded::byte_serialize;

use crate::route::Route;

mod account;
mod audit;
mod backups;
mod cards;
mod dashboard;
mod faces;
mod files;
mod form;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod history;
mod home;
mod invitation;
mod jobs;
mod keys;
mod library;
mod marks;
mod messages;
mod models;
mod oauth;
mod opshub;
mod organizations;
mod patterns;
mod prompt;
mod prompt_form;
mod providers;
mod recovery;
mod restore;
mod said;
mod security;
mod settings;
mod step;
mod system;
mod users;
mod visit;
mod workbench;

pub(crate) use faces::{method_not_allowed, not_found, with_face};

/// How long a page that is the same for every stranger may be kept, seconds. A change of the library ends it at once.
const KEPT: u64 = 60;

/// Every page, every form's target, and the files that pages load.
pub(crate) fn routes() -> Vec<Route> {
    [
        files::routes(),
        home::routes(),
        library::routes(),
        prompt::routes(),
        prompt_form::routes(),
        marks::routes(),
        patterns::routes(),
        workbench::routes(),
        history::routes(),
        dashboard::routes(),
        settings::routes(),
        security::routes(),
        keys::routes(),
        providers::routes(),
        account::routes(),
        recovery::routes(),
        step::routes(),
        oauth::routes(),
        opshub::routes(),
        users::routes(),
        organizations::routes(),
        invitation::routes(),
        messages::routes(),
        jobs::routes(),
        backups::routes(),
        restore::routes(),
        audit::routes(),
        system::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A page as a reply. Browsers ask again each time: what a page shows depends on who is signed in.
fn html(status: StatusCode, page: Markup) -> Response {
    const KIND: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
    const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");
    (status, [(header::CONTENT_TYPE, KIND), (header::CACHE_CONTROL, CACHE)], page.into_string())
        .into_response()
}

/// A page as a reply, 200.
fn ok(page: Markup) -> Response {
    html(StatusCode::OK, page)
}

/// Sends the browser on; `path` is within this site.
fn go(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// A path as the value of a query's field.
pub(crate) fn escape(path: &str) -> String {
    byte_serialize(path.as_bytes()).collect()
}

/// The path to go on to, where it is one of this site and nothing else.
fn local(next: Option<String>) -> Option<String> {
    next.filter(|path| {
        path.starts_with('/')
            && !path.starts_with("//")
            && path.len() <= 2000
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_gone_on_to() {
        for path in ["/", "/prompts?q=a%20b&sort=used", "/prompts/x#runner"] {
            assert_eq!(local(Some(path.to_owned())).as_deref(), Some(path));
        }
        for path in [
            "",
            "prompts",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nSet-Cookie:x",
            "/\tx",
            "/ä",
        ] {
            assert_eq!(local(Some(path.to_owned())), None, "{path:?}");
        }
    }

    #[test]
    fn a_path_survives_being_a_field_of_a_query() {
        assert_eq!(escape("/prompts?q=a&b=ü x"), "%2Fprompts%3Fq%3Da%26b%3D%C3%BC+x");
    }
}

//! Forms as pages send them, and what is wrong with them.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::response::Response;
use engify_core::error::Detail;
use engify_core::{Error, Kind};
use http::{HeaderValue, header};
use maud::Markup;

use super::html;
use crate::extract::Form;
use crate::reply::{Faced, Failure, status};
use crate::ui::figures::sentence;
use crate::web::Web;

/// A form's fields in the order of the page; line breaks are `\n`.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, String)>);

impl FromRequest<Web> for Fields {
    type Rejection = Failure;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Failure> {
        let Form(pairs) = Form::<Vec<(String, String)>>::from_request(request, web).await?;
        Ok(Self(pairs.into_iter().map(|(name, value)| (name, value.replace("\r\n", "\n"))).collect()))
    }
}

impl Fields {
    /// A field as typed; empty where it is not there.
    pub(super) fn text(&self, name: &str) -> String {
        self.given(name).unwrap_or_default().to_owned()
    }

    /// A field, unless it is empty or not there.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Every value of a field that stands more than once.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(field, _)| field == name).map(|(_, value)| value.clone()).collect()
    }

    /// The fields whose names begin with `prefix`, without it.
    pub(super) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }
}

/// What is wrong with a form: whoever filled it can mend it, so the form comes back with what was typed.
pub(super) struct Wrong(Arc<Error>);

impl Wrong {
    /// # Errors
    /// What typing something else cannot mend: that is a page of its own.
    pub(super) fn of(error: Error) -> Result<Self, Failure> {
        match error.kind() {
            Kind::Forbidden if error.code() == "fresh_factor_required" => Err(Failure(error)),
            Kind::NotFound | Kind::Unavailable | Kind::Internal => Err(Failure(error)),
            Kind::Invalid
            | Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::Conflict
            | Kind::TooLarge
            | Kind::RateLimited
            | Kind::Upstream
            | Kind::Timeout => Ok(Self(Arc::new(error))),
        }
    }

    /// What is wrong, field by field. `names` tells which field of the form a use case's field is.
    pub(super) fn faults(&self, names: &[(&str, &str)]) -> Vec<Detail> {
        let renamed = |detail: &Detail| {
            let name = names.iter().find(|(theirs, _)| *theirs == detail.field);
            Detail {
                field: name.map_or_else(|| detail.field.clone(), |(_, ours)| (*ours).to_owned()),
                issue: detail.issue.clone(),
            }
        };
        self.0.details().iter().map(renamed).collect()
    }

    /// A sentence for the top of the form. `fields` are those that the form has (`variables.` are all that begin so): what
    /// is wrong elsewhere is said here.
    pub(super) fn problem(&self, fields: &[&str]) -> String {
        let error = &self.0;
        let about_fields =
            matches!(error.code(), "invalid_request" | "invalid_variables") && !error.details().is_empty();
        let mut text = if about_fields {
            "Some fields are not as they should be; each says what is wrong.".to_owned()
        } else {
            error.message().to_owned()
        };
        let elsewhere = |detail: &&Detail| {
            let known = |field: &&str| {
                let rest = detail.field.strip_prefix(*field);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || field.ends_with('.'))
            };
            about_fields && !fields.iter().any(known)
        };
        for detail in error.details().iter().filter(elsewhere) {
            text.push_str(&format!(" {} {}.", sentence(&detail.field), detail.issue));
        }
        text
    }

    /// The form again, with the error's status; the log learns of the error.
    pub(super) fn reply(&self, page: Markup) -> Response {
        let mut response = html(status(self.0.kind()), page);
        if let Some(wait) = self.0.retry_wait() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response.extensions_mut().insert(Faced(Arc::clone(&self.0)));
        response
    }
}

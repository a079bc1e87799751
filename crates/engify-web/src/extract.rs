//! Extractors: who asks, JSON and query strings that name what is wrong with them.

use axum::extract::{FromRequest, FromRequestParts, Request};
use engify_app::Ctx;
use engify_core::{Error, Kind};
use http::header;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::reply::Failure;
use crate::route;
use crate::web::Web;

mod words;

/// Who asks, as the guard found out.
pub(crate) struct Caller(pub(crate) Ctx);

impl FromRequestParts<Web> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Failure> {
        parts
            .extensions
            .get::<Ctx>()
            .cloned()
            .map(Self)
            .ok_or_else(|| Failure(Error::internal("a route without its guard")))
    }
}

/// A JSON body. Unknown fields are refused where the type says so, and named.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Web> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Web) -> Result<Self, Failure> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        let is_json = kind.split(';').next().is_some_and(|kind| {
            let kind = kind.trim().to_ascii_lowercase();
            kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
        });
        if !is_json {
            let message = "The body must be JSON: send the header Content-Type: application/json.";
            return Err(Failure(Error::new(Kind::Invalid, "unsupported_media_type", message)));
        }
        let most = request.extensions().get::<BodyBound>().map_or(crate::policy::BODY, |bound| bound.0);
        let bytes = route::bytes(request, most).await?;
        Ok(Self(parse(&bytes)?))
    }
}

/// The largest body of the route, as its policy says.
#[derive(Clone, Copy)]
pub(crate) struct BodyBound(pub(crate) usize);

/// Reads JSON; the error names the field and what is wrong with it.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|fault| {
        let path = fault.path().to_string();
        let cause = fault.into_inner();
        if cause.is_syntax() || cause.is_eof() {
            let message = format!("The body is not valid JSON: {cause}.");
            return Failure(Error::new(Kind::Invalid, "invalid_json", message));
        }
        let complaint = cause.to_string();
        let named = named(&complaint);
        let field = match (path.as_str(), named) {
            (".", Some(name)) => name.to_owned(),
            (".", None) => String::new(),
            (path, Some(name)) if !path.ends_with(name) => format!("{path}.{name}"),
            (path, _) => path.to_owned(),
        };
        Failure(Error::field(field, words::of(&complaint)))
    })?;
    reader.end().map_err(|_| {
        Failure(Error::new(
            Kind::Invalid,
            "invalid_json",
            "The body goes on after its JSON document; send one.",
        ))
    })?;
    Ok(value)
}

/// Reads a JSON body that may be left out.
pub(crate) async fn optional<T: DeserializeOwned + Default>(
    request: Request,
    most: usize,
) -> Result<T, Failure> {
    let bytes = route::bytes(request, most).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) }
}

/// A query string. Unknown parameters are refused where the type says so, and named.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Web> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Failure> {
        query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// Reads a query string or an urlencoded body.
pub(crate) fn query<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    let pairs = serde_html_form::Deserializer::from_bytes(text.as_bytes());
    serde_path_to_error::deserialize(pairs).map_err(|fault| {
        let path = fault.path().to_string();
        let complaint = fault.into_inner().to_string();
        let field = if path == "." { named(&complaint).unwrap_or_default().to_owned() } else { path };
        Failure(Error::field(field, words::of(&complaint)))
    })
}

/// The field that a complaint is about, where it names one.
fn named(complaint: &str) -> Option<&str> {
    let is_named = complaint.starts_with("unknown field") || complaint.starts_with("missing field");
    complaint.split('`').nth(1).filter(|_| is_named)
}

/// An urlencoded form, as pages send it.
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Web> for Form<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Web) -> Result<Self, Failure> {
        let most = request.extensions().get::<BodyBound>().map_or(crate::policy::BODY, |bound| bound.0);
        let bytes = route::bytes(request, most).await?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| Failure(Error::invalid("The form is not UTF-8.")))?;
        query(text).map(Self)
    }
}

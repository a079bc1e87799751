//! Replies: the one match from error kinds to statuses, the JSON of failures and lists.

use axum::response::{IntoResponse, Response};
use engify_core::error::{Detail, Standing};
use engify_core::{Error, Kind};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

/// When another try makes sense where something is away that does not say so itself.
const AWAY: std::time::Duration = std::time::Duration::from_secs(2);

/// What a handler answers.
pub(crate) type Reply<T = Response> = Result<T, Failure>;

/// An error on its way out as JSON. Pages make their own of it.
pub(crate) struct Failure(pub(crate) Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// The status of a kind. The only place that knows.
pub(crate) fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Kind::Upstream => StatusCode::BAD_GATEWAY,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The JSON of a failure. `requestId` is filled in by the layer that knows it.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureBody {
    /// The stable word.
    pub(crate) error: String,
    /// A sentence with the remedy.
    pub(crate) message: String,
    /// The fields that are wrong.
    pub(crate) details: Vec<Detail>,
    /// Leads to the log line.
    pub(crate) request_id: String,
}

impl FailureBody {
    pub(crate) fn new(error: &Error, request_id: &str) -> Self {
        Self {
            error: error.code().to_owned(),
            message: error.message().to_owned(),
            details: error.details().to_vec(),
            request_id: request_id.to_owned(),
        }
    }
}

/// An error that a reply carries to the layers around it, for the log and for the request's id.
#[derive(Clone)]
pub(crate) struct Failed(pub(crate) std::sync::Arc<Error>);

/// An error that a page already tells of: for the log alone.
#[derive(Clone)]
pub(crate) struct Faced(pub(crate) std::sync::Arc<Error>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = self.0;
        let mut response = status(error.kind()).into_response();
        // What is away is looked for again within seconds.
        let away = (error.kind() == Kind::Unavailable).then_some(AWAY);
        if let Some(wait) = error.retry_wait().or(away) {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(standing) = error.standing() {
            write_standing(response.headers_mut(), standing);
        }
        if error.kind() == Kind::Unauthenticated {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Engify\""));
        }
        // The body is written by `outer`, which knows the request's id.
        response.extensions_mut().insert(Failed(std::sync::Arc::new(error)));
        response
    }
}

/// How much the limit of a route allows; there where the handler told of a limit of its own.
pub(crate) const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Tells a caller what is left.
pub(crate) fn write_standing(headers: &mut HeaderMap, standing: &Standing) {
    headers.insert(LIMIT, HeaderValue::from(standing.limit));
    headers.insert(REMAINING, HeaderValue::from(standing.remaining));
    if let Ok(reset) = HeaderValue::from_str(&standing.reset.to_string()) {
        headers.insert(RESET, reset);
    }
}

/// A resource as JSON.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(fault) => Failure(Error::internal(fault)).into_response(),
    }
}

/// A list as JSON: `{"success":true,"data":[…],"nextCursor":…}`.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct List<T> {
    /// Always true.
    pub(crate) success: bool,
    /// In order.
    pub(crate) data: Vec<T>,
    /// Where the next page begins; null on the last.
    pub(crate) next_cursor: Option<String>,
    /// How many there are in all, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<u64>,
}

impl<T: Serialize> List<T> {
    pub(crate) fn new(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { success: true, data, next_cursor, total: None }
    }

    pub(crate) fn reply(&self) -> Response {
        json(StatusCode::OK, self)
    }
}

/// A thing that was done: `{"success":true,"data":…}`.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct Done<T> {
    /// Always true.
    pub(crate) success: bool,
    /// What came of it.
    pub(crate) data: T,
}

impl<T: Serialize> Done<T> {
    pub(crate) fn reply(status: StatusCode, data: T) -> Response {
        json(status, &Self { success: true, data })
    }
}

//! What stands around all routes: request ids, one log line a request, figures, security headers, the body of failures,
//! and the short way for replies that are kept.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use engify_core::{Error, Kind};
use futures_util::future::{Either, Ready, ready};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tower::Service;
use tower_http::catch_panic::CatchPanicLayer;

use crate::coding::Coding;
use crate::page_cache::Kept;
use crate::reply::{Faced, Failed, Failure, FailureBody};
use crate::security;
use crate::web::Web;

/// The id of a request: eight hex digits of this process and a count.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// What the guard saw, for the log line.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) route: &'static str,
    pub(crate) user: Option<String>,
}

/// Puts the outer layer around all routes.
pub(crate) fn around(router: Router, web: Web) -> Server {
    let inner = router.layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
        Failure(Error::internal("a handler panicked; the backtrace is above")).into_response()
    }));
    let process = web.app.ids().random::<4>();
    let common = Arc::new(security::headers(&web.app));
    let process = u32::from_be_bytes(process);
    Server { inner, web, process, count: Arc::new(AtomicU64::new(0)), common }
}

/// The whole server as a service: never fails, always ready, cheap to clone.
#[derive(Clone)]
pub struct Server {
    inner: Router,
    web: Web,
    process: u32,
    count: Arc<AtomicU64>,
    common: Arc<HeaderMap>,
}

type Made = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl Service<Request> for Server {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, Made>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let began = Instant::now();
        let id = self.request_id();
        if let Some(kept) = self.kept(&request) {
            return Either::Left(ready(Ok(self.give(&kept, &request, id, began))));
        }
        let id: Arc<str> = id.into();
        request.extensions_mut().insert(RequestId(Arc::clone(&id)));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let this = self.clone();
        let reply = self.inner.call(request);
        Either::Right(Box::pin(async move {
            let mut response = reply.await?;
            let seen = response.extensions_mut().remove::<Seen>().unwrap_or_default();
            if let Some(Failed(error)) = response.extensions_mut().remove::<Failed>() {
                log_failure(&error, &id);
                let body = FailureBody::new(&error, &id);
                *response.body_mut() = serde_json::to_vec(&body).map_or_else(|_| Body::empty(), Body::from);
                if error.code() == "unsupported_media_type" {
                    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                }
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response.headers_mut().remove(header::CONTENT_LENGTH);
            }
            if let Some(Faced(error)) = response.extensions_mut().remove::<Faced>() {
                log_failure(&error, &id);
            }
            this.finish(&mut response, &id, &method, &path, &seen, began.elapsed());
            Ok(response)
        }))
    }
}

impl Server {
    fn request_id(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}-{count:x}", self.process)
    }

    /// The kept reply to a request that says nothing of who asks.
    fn kept(&self, request: &Request) -> Option<Arc<Kept>> {
        let headers = request.headers();
        if request.method() != Method::GET
            || headers.contains_key(header::AUTHORIZATION)
            || headers.contains_key(header::COOKIE)
        {
            return None;
        }
        let key = request.uri().path_and_query()?.as_str();
        self.web.pages.peek(key)
    }

    fn finish(
        &self,
        response: &mut Response,
        id: &str,
        method: &Method,
        path: &str,
        seen: &Seen,
        took: Duration,
    ) {
        let status = response.status();
        let headers = response.headers_mut();
        for (name, value) in self.common.iter() {
            if !headers.contains_key(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
        if let Ok(value) = HeaderValue::from_str(id) {
            headers.insert(REQUEST_ID, value);
        }
        let route = if seen.route.is_empty() { "none" } else { seen.route };
        metrics::counter!("engify_http_requests_total", "route" => route, "method" => word(method), "status" => class(status)).increment(1);
        metrics::histogram!("engify_http_request_seconds", "route" => route).record(took.as_secs_f64());
        log_request(&Line {
            id,
            method: word(method),
            path,
            route,
            status,
            user: seen.user.as_deref(),
            took,
        });
    }

    /// Answers with a kept reply: everything about it but the request's id was made when it was first given.
    fn give(&self, kept: &Kept, request: &Request, id: String, began: Instant) -> Response {
        let coding = Coding::chosen(request.headers());
        let packed = kept.packed(coding, &self.common);
        let mut response = Response::new(Body::from(packed.body.clone()));
        let headers = response.headers_mut();
        headers.clone_from(&packed.headers);
        let took = began.elapsed();
        kept.figures.count(kept.route, took);
        let (path, status) = (request.uri().path(), StatusCode::OK);
        log_request(&Line { id: &id, method: "GET", path, route: kept.route, status, user: None, took });
        if let Ok(value) = HeaderValue::try_from(id) {
            headers.insert(REQUEST_ID, value);
        }
        response
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What one line of the log says of a request.
struct Line<'a> {
    id: &'a str,
    method: &'static str,
    path: &'a str,
    route: &'static str,
    status: StatusCode,
    user: Option<&'a str>,
    took: Duration,
}

fn log_request(line: &Line<'_>) {
    let millis = (line.took.as_secs_f64() * 1e6).round() / 1e3;
    tracing::info!(
        target: "http",
        {
            http.method = line.method,
            http.path = %shown(line.path),
            http.route = line.route,
            http.status = line.status.as_u16(),
            http.duration_ms = millis,
            request.id = line.id,
            user.id = line.user,
        },
        "http.request"
    );
}

/// A path as the log shows it: what is 64 hex digits long may be a token that opens something.
fn shown(path: &str) -> Cow<'_, str> {
    let is_token = |part: &str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !path.split('/').any(is_token) {
        return Cow::Borrowed(path);
    }
    let parts = path.split('/').map(|part| if is_token(part) { "[token]" } else { part });
    Cow::Owned(parts.collect::<Vec<_>>().join("/"))
}

fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// The line for an operator, with the private cause; what a caller got wrong is at debug.
fn log_failure(error: &Error, id: &str) {
    match error.kind() {
        // One line an outage, not one a request: that of the request itself says that it failed.
        _ if error.is_told() => {
            tracing::debug!(target: "http", { request.id = id, error = %error }, "request.failed")
        }
        Kind::Internal | Kind::Unavailable => {
            tracing::error!(target: "http", { request.id = id, error = %Causes(error) }, "request.failed");
        }
        Kind::Upstream | Kind::Timeout => {
            tracing::warn!(target: "http", { request.id = id, error = %Causes(error) }, "request.failed")
        }
        _ => tracing::debug!(target: "http", { request.id = id, error = %error }, "request.refused"),
    }
}

/// An error with all its causes in one line.
struct Causes<'a>(&'a Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(next) = cause {
            write!(f, ": {next}")?;
            cause = next.source();
        }
        Ok(())
    }
}

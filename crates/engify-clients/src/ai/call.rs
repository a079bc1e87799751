//! One HTTP exchange with a provider: what is sent, what comes back within bounds, and how it fails.
//!
//! It knows HTTP and time limits; it refuses to know wire formats beyond "the body is JSON".

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use engify_core::Clock;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use reqwest::{Body, Response};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{Endpoint, Failure, reply};
use crate::http::{chain, cleaned};

/// The most bytes of one answer that are read: 16 MiB.
pub(super) const MAX_BODY: usize = 16 << 20;

/// The most bytes of an error's body that are read: 64 KiB. What is beyond is of no use to anybody.
const MAX_ERROR_BODY: usize = 64 << 10;

/// A request that can be sent more than once.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

/// A try that failed, and whether another one may succeed.
#[derive(Debug)]
pub(super) struct Miss {
    pub(super) failure: Failure,
    pub(super) again: bool,
}

impl Miss {
    /// A failure that another try would only repeat.
    pub(super) fn last(failure: Failure) -> Self {
        Self { failure, again: false }
    }

    /// A failure that may pass.
    pub(super) fn passing(failure: Failure) -> Self {
        Self { failure, again: true }
    }
}

impl Call {
    /// A question without a body.
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A question with `body` as JSON.
    pub(super) fn post(endpoint: &Endpoint, url: Url, body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|_| Failure::upstream(endpoint.provider(), "cannot be asked this: it is no JSON"))?;
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self { method: Method::POST, url, headers, body: body.into() })
    }

    /// Adds a header with a fixed value.
    #[must_use]
    pub(super) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// Asks for server-sent events.
    #[must_use]
    pub(super) fn streaming(self) -> Self {
        self.header(ACCEPT, "text/event-stream")
    }

    /// Adds the key, if there is one, as `Authorization: Bearer …`.
    #[must_use]
    pub(super) fn bearer(self, endpoint: &Endpoint) -> Self {
        self.keyed(endpoint, AUTHORIZATION, "Bearer ")
    }

    /// Adds the key, if there is one, as `prefix` + key in the header `name`, marked as not to be shown.
    #[must_use]
    pub(super) fn keyed(mut self, endpoint: &Endpoint, name: HeaderName, prefix: &str) -> Self {
        if let Some(key) = endpoint.key()
            // Endpoint::new let only visible ASCII in, which every header can carry.
            && let Ok(mut value) = HeaderValue::try_from([prefix, key.reveal()].concat())
        {
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }

    /// The call as the client takes it.
    pub(super) fn request(&self) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        if !self.body.is_empty() {
            *request.body_mut() = Some(Body::from(self.body.clone()));
        }
        request
    }
}

/// The time limits of one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// When all must be over.
    pub(super) until: Instant,
    /// The longest silence between two chunks.
    pub(super) idle: Duration,
}

impl Limits {
    pub(super) fn new(deadline: Duration, idle: Duration) -> Self {
        Self { until: far(Instant::now(), deadline), idle }
    }
}

/// `start` + `wait`, or a day later if that is beyond what can be counted.
fn far(start: Instant, wait: Duration) -> Instant {
    start.checked_add(wait).unwrap_or_else(|| start + Duration::from_secs(86_400))
}

/// Sends `call` once and waits for the head of the answer. An answer that is not a success becomes a failure.
pub(super) async fn send(
    client: &reqwest::Client,
    clock: &Clock,
    endpoint: &Endpoint,
    call: &Call,
    limits: Limits,
) -> Result<Response, Miss> {
    let provider = endpoint.provider();
    let answer = match timeout_at(limits.until, client.execute(call.request())).await {
        Err(_) => return Err(Miss::last(Failure::deadline(provider))),
        Ok(Err(fault)) if fault.is_builder() => {
            return Err(Miss::last(Failure::upstream(provider, "cannot be called at this address")));
        }
        Ok(Err(fault)) => {
            let what = if fault.is_connect() {
                format!("cannot be reached at {} ({})", endpoint.place(), because(&fault))
            } else {
                format!("broke the connection before it answered ({})", because(&fault))
            };
            return Err(Miss::passing(Failure::upstream(provider, &what)));
        }
        Ok(Ok(answer)) => answer,
    };
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    if status.is_redirection() {
        let what = format!("sent us elsewhere ({}); check {}", status.as_u16(), endpoint.place());
        return Err(Miss::last(Failure::upstream(provider, &what).with_status(Some(status.as_u16()))));
    }
    let wait = retry_after(answer.headers(), clock);
    // A body that cannot be read says nothing, but the status still does.
    let body = read_at_most(answer, endpoint, limits, MAX_ERROR_BODY).await.unwrap_or_default();
    Err(reply::refusal(endpoint, Some(status), &body, wait))
}

/// The next piece of the answer's body; `None` at its end.
pub(super) async fn chunk(
    answer: &mut Response,
    endpoint: &Endpoint,
    limits: Limits,
) -> Result<Option<Bytes>, Miss> {
    let silent = far(Instant::now(), limits.idle);
    match timeout_at(silent.min(limits.until), answer.chunk()).await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(fault)) => {
            let what = format!("broke off in the middle of its answer ({})", because(&fault));
            Err(Miss::passing(Failure::upstream(endpoint.provider(), &what)))
        }
        Err(_) if silent < limits.until => {
            Err(Miss::last(Failure::silence(endpoint.provider(), limits.idle)))
        }
        Err(_) => Err(Miss::last(Failure::deadline(endpoint.provider()))),
    }
}

/// What broke, safe to show: names in a foreign certificate, for one, are foreign text.
fn because(fault: &reqwest::Error) -> String {
    cleaned(&chain(fault))
}

/// The whole body, at most [`MAX_BODY`].
pub(super) async fn read(answer: Response, endpoint: &Endpoint, limits: Limits) -> Result<Bytes, Miss> {
    read_at_most(answer, endpoint, limits, MAX_BODY).await
}

async fn read_at_most(
    mut answer: Response,
    endpoint: &Endpoint,
    limits: Limits,
    most: usize,
) -> Result<Bytes, Miss> {
    let too_large = || Miss::last(too_large(endpoint));
    let announced = answer.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |bytes| bytes > most) {
        return Err(too_large());
    }
    let Some(first) = chunk(&mut answer, endpoint, limits).await? else { return Ok(Bytes::new()) };
    let Some(second) = chunk(&mut answer, endpoint, limits).await? else {
        return if first.len() > most { Err(too_large()) } else { Ok(first) };
    };
    let mut whole = BytesMut::with_capacity((first.len() + second.len()) * 2);
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while whole.len() <= most {
        match chunk(&mut answer, endpoint, limits).await? {
            Some(more) => whole.extend_from_slice(&more),
            None => return Ok(whole.freeze()),
        }
    }
    Err(too_large())
}

/// The answer is larger than anything a prompt can yield.
pub(super) fn too_large(endpoint: &Endpoint) -> Failure {
    Failure::upstream(endpoint.provider(), "sent more than 16 MiB, which no answer has")
}

/// When the provider wants to be asked again: `retry-after-ms`, or `Retry-After` as seconds or as a date.
fn retry_after(headers: &HeaderMap, clock: &Clock) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) =
        text(HeaderName::from_static("retry-after-ms")).and_then(|ms| ms.parse::<f64>().ok())
    {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    let value = text(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let then = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    let wait = then.as_millisecond() - clock.now().millis();
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
}

/// True for statuses after which another try may succeed.
pub(super) fn may_pass(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

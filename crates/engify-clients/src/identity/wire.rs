//! One call to an identity provider: with a deadline, and with a bound on what comes back.

use std::pin::Pin;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use openidconnect::AsyncHttpClient;
use serde::de::DeserializeOwned;

use super::{Failure, FailureKind};
use crate::http::chain;

/// How long a call may take, its body included.
const DEADLINE: Duration = Duration::from_secs(10);
/// The largest answer, bytes. Key sets and discovery documents are some ten thousand.
const LARGEST: usize = 1024 * 1024;

/// The way to one provider.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    client: reqwest::Client,
    provider: String,
}

/// How `openidconnect` makes its calls.
impl<'c> AsyncHttpClient<'c> for Wire {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Failure>> + Send + 'c>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}

impl Wire {
    pub(super) fn new(client: reqwest::Client, provider: &str) -> Self {
        Self { client, provider: provider.to_owned() }
    }

    /// A failure of this provider.
    pub(super) fn failure(&self, kind: FailureKind, cause: impl std::fmt::Display) -> Failure {
        Failure::new(kind, &self.provider, cause)
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub(super) async fn exchange(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Failure> {
        let place = request.uri().path().to_owned();
        let unreachable = |cause: String| self.failure(FailureKind::Unreachable, format!("{place}: {cause}"));
        match tokio::time::timeout(DEADLINE, self.send(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(cause)) => Err(unreachable(cause)),
            Err(_) => Err(unreachable(format!("no answer within {} s", DEADLINE.as_secs()))),
        }
    }

    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, String> {
        let request = reqwest::Request::try_from(request).map_err(|fault| chain(&fault))?;
        let mut reply = self.client.execute(request).await.map_err(|fault| chain(&fault))?;
        let mut response = Response::new(Vec::new());
        *response.status_mut() = reply.status();
        *response.headers_mut() = std::mem::take(reply.headers_mut());
        while let Some(chunk) = reply.chunk().await.map_err(|fault| chain(&fault))? {
            if response.body().len() + chunk.len() > LARGEST {
                return Err(format!("the answer is larger than {LARGEST} bytes"));
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        Ok(response)
    }

    /// Asks for JSON with an access token.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: &str, token: &str) -> Result<T, Failure> {
        let untrusted = |cause: String| self.failure(FailureKind::Untrusted, cause);
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| untrusted("the access token is no text for a header".to_owned()))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.exchange(self.request(Method::GET, url, headers, Vec::new())?).await?;
        let status = response.status();
        if status.is_server_error() {
            return Err(self.failure(FailureKind::Unreachable, format!("{url} answered {status}")));
        }
        if status != StatusCode::OK {
            return Err(self.failure(
                FailureKind::Misconfigured,
                format!("{url} answered {status}; is a scope missing?"),
            ));
        }
        serde_json::from_slice(response.body())
            .map_err(|fault| untrusted(format!("{url} answered no JSON of its kind: {fault}")))
    }

    /// A request to an address that the provider or the operator wrote.
    pub(super) fn request(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, Failure> {
        let mut request = Request::builder().method(method).uri(url).body(body).map_err(|fault| {
            self.failure(FailureKind::Misconfigured, format!("{url} is no address to call: {fault}"))
        })?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

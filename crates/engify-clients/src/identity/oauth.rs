//! The two legs of OAuth 2's authorization code flow (RFC 6749 §4.1) with PKCE (RFC 7636), the same for every provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engify_core::Secret;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::wire::Wire;
use super::{Attempt, Failure, FailureKind};

/// What we are to a provider.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Secret<String>,
}

/// How a provider wants to be shown the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Showing {
    /// In a header: what a provider takes that does not say.
    Basic,
    /// Among the fields of the form.
    Form,
}

/// A successful answer of a token endpoint.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: String,
    pub(super) id_token: Option<String>,
}

/// A refusal; GitHub sends it with status 200.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// The first leg: `endpoint` with what we ask for.
pub(super) fn authorization_url(endpoint: &Url, client: &Client, scopes: &str, attempt: &Attempt<'_>) -> Url {
    let verifier = PkceCodeVerifier::new(attempt.verifier.reveal().clone());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    let mut url = endpoint.clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client.id)
        .append_pair("redirect_uri", attempt.callback)
        .append_pair("scope", scopes)
        .append_pair("state", attempt.state)
        .append_pair("nonce", attempt.nonce)
        .append_pair("code_challenge", challenge.as_str())
        .append_pair("code_challenge_method", "S256");
    url
}

/// The second leg: the code against tokens.
pub(super) async fn redeem(
    wire: &Wire,
    endpoint: &str,
    client: (&Client, Showing),
    code: &str,
    attempt: &Attempt<'_>,
) -> Result<Tokens, Failure> {
    let response = wire.exchange(request(wire, endpoint, client, code, attempt)?).await?;
    if let Ok(refusal) = serde_json::from_slice::<Refusal>(response.body()) {
        return Err(refused(wire, &refusal));
    }
    let status = response.status();
    if status.is_server_error() {
        return Err(wire.failure(FailureKind::Unreachable, format!("the token endpoint answered {status}")));
    }
    serde_json::from_slice(response.body()).map_err(|fault| {
        wire.failure(
            FailureKind::Untrusted,
            format!("the token endpoint answered {status} without tokens: {fault}"),
        )
    })
}

fn request(
    wire: &Wire,
    endpoint: &str,
    (client, showing): (&Client, Showing),
    code: &str,
    attempt: &Attempt<'_>,
) -> Result<Request<Vec<u8>>, Failure> {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", attempt.callback)
        .append_pair("code_verifier", attempt.verifier.reveal());
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    match showing {
        Showing::Basic => drop(headers.insert(header::AUTHORIZATION, basic(wire, client)?)),
        Showing::Form => {
            form.append_pair("client_id", &client.id).append_pair("client_secret", client.secret.reveal());
        }
    }
    wire.request(Method::POST, endpoint, headers, form.finish().into_bytes())
}

/// RFC 6749 §2.3.1: id and secret are form-encoded before they are put together.
fn basic(wire: &Wire, client: &Client) -> Result<HeaderValue, Failure> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Secret::new(format!("{}:{}", encoded(&client.id), encoded(client.secret.reveal())));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair.reveal())))
        .map_err(|fault| wire.failure(FailureKind::Misconfigured, fault))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whose fault a refusal is (RFC 6749 §5.2, and GitHub's own words).
fn refused(wire: &Wire, refusal: &Refusal) -> Failure {
    let kind = match refusal.error.as_str() {
        "invalid_grant" | "bad_verification_code" => FailureKind::CodeRefused,
        "temporarily_unavailable" | "server_error" => FailureKind::Unreachable,
        _ => FailureKind::Misconfigured,
    };
    wire.failure(kind, format!("the token endpoint says {}: {}", refusal.error, refusal.error_description))
}

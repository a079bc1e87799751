//! OpenID Connect: what an issuer publishes (discovery, keys), and the ID token that is checked against it. The checks of
//! signature, issuer, audience, times and nonce are `openidconnect`'s; nothing of a token is read before they pass.

use std::collections::HashSet;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engify_core::{Clock, Time};
use openidconnect::core::{
    CoreClientAuthMethod, CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet,
    CoreJwsSigningAlgorithm as Alg, CoreProviderMetadata,
};
use openidconnect::{
    ClaimsVerificationError, ClientId, DiscoveryError, IssuerUrl, JsonWebKeySet, Nonce,
    SignatureVerificationError,
};
use tokio::sync::Mutex;
use url::Url;

use super::claims::{self, Claims};
use super::oauth::{self, Client, Showing};
use super::wire::Wire;
use super::{Attempt, Failure, FailureKind, Person};

/// How long what an issuer published is believed. Keys are asked for again whenever a token names one that is not known.
const BELIEVED: Duration = Duration::from_secs(3600);
/// How far an issuer's clock may be behind ours.
const SKEW: Duration = Duration::from_secs(60);
/// Signatures that only the issuer can make. No `none`, and no HMAC, whose key is our own client secret.
const ALGORITHMS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

/// What the operator says of an issuer.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) issuer: String,
    pub(super) scopes: Vec<String>,
    pub(super) groups_claim: String,
    pub(super) trusts_email: bool,
}

/// An issuer.
#[derive(Debug)]
pub(super) struct OpenId {
    asked: Asked,
    issuer: IssuerUrl,
    client: Client,
    wire: Wire,
    clock: Clock,
    /// Held while the issuer is asked, so that a crowd at the door asks once.
    published: Mutex<Option<(Time, Arc<Published>)>>,
}

/// What an issuer publishes.
#[derive(Debug)]
struct Published {
    metadata: CoreProviderMetadata,
    token_endpoint: String,
    showing: Showing,
}

impl OpenId {
    pub(super) fn new(asked: Asked, client: Client, wire: Wire, clock: Clock) -> Result<Self, String> {
        let issuer = IssuerUrl::new(asked.issuer.clone()).map_err(|fault| fault.to_string())?;
        Ok(Self { asked, issuer, client, wire, clock, published: Mutex::new(None) })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.asked.issuer
    }

    pub(super) async fn authorization_url(&self, attempt: &Attempt<'_>) -> Result<String, Failure> {
        let published = self.published().await?;
        let endpoint: &Url = published.metadata.authorization_endpoint().url();
        Ok(oauth::authorization_url(endpoint, &self.client, &self.asked.scopes.join(" "), attempt).into())
    }

    pub(super) async fn redeem(&self, code: &str, attempt: &Attempt<'_>) -> Result<Person, Failure> {
        let published = self.published().await?;
        let client = (&self.client, published.showing);
        let tokens = oauth::redeem(&self.wire, &published.token_endpoint, client, code, attempt).await?;
        let token = tokens.id_token.ok_or_else(|| self.untrusted("the token endpoint sent no ID token"))?;
        let token = self.verified(&published, &token, attempt.nonce).await?;
        let subject = subject(&token).ok_or_else(|| self.untrusted("the ID token names no subject"))?;
        let Asked { groups_claim, trusts_email, .. } = &self.asked;
        let mut info = Claims::new();
        if let Some(endpoint) = published.metadata.userinfo_endpoint()
            && !claims::suffice(&token, groups_claim, *trusts_email)
        {
            info = self.wire.get(endpoint.as_str(), &tokens.access_token).await?;
            // OpenID Connect Core §5.3.2: another subject's answer must not be used.
            if self::subject(&info) != Some(subject) {
                return Err(self.untrusted("the userinfo endpoint answered for another subject"));
            }
        }
        Ok(claims::person(subject, &token, &info, groups_claim, *trusts_email))
    }

    /// What the issuer publishes, asked for at most once an hour.
    async fn published(&self) -> Result<Arc<Published>, Failure> {
        let mut kept = self.published.lock().await;
        let now = self.clock.now();
        if let Some((since, published)) = kept.as_ref()
            && now.since(*since) < BELIEVED
        {
            return Ok(Arc::clone(published));
        }
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.wire).await;
        let published = Arc::new(self.usable(metadata.map_err(|fault| self.undiscovered(fault))?)?);
        *kept = Some((now, Arc::clone(&published)));
        Ok(published)
    }

    fn usable(&self, metadata: CoreProviderMetadata) -> Result<Published, Failure> {
        let token_endpoint = metadata.token_endpoint().map(|endpoint| endpoint.url().to_string());
        let token_endpoint = token_endpoint.ok_or_else(|| {
            self.wire.failure(FailureKind::Misconfigured, "the discovery document names no token endpoint")
        })?;
        let ways = metadata.token_endpoint_auth_methods_supported();
        let takes = |way: &CoreClientAuthMethod| ways.is_none_or(|ways| ways.contains(way));
        let showing =
            if takes(&CoreClientAuthMethod::ClientSecretBasic) { Showing::Basic } else { Showing::Form };
        Ok(Published { metadata, token_endpoint, showing })
    }

    /// The claims of an ID token that is what it says.
    async fn verified(&self, published: &Published, text: &str, nonce: &str) -> Result<Claims, Failure> {
        use SignatureVerificationError::{CryptoError, NoMatchingKey};
        let token = CoreIdToken::from_str(text).map_err(|fault| self.untrusted(fault))?;
        let nonce = Nonce::new(nonce.to_owned());
        let mut checked = token.claims(&self.verifier(published.metadata.jwks().clone()), &nonce).map(drop);
        // The issuer may have changed its keys since we asked.
        if let Err(ClaimsVerificationError::SignatureVerification(NoMatchingKey | CryptoError(_))) = checked {
            checked = token.claims(&self.verifier(self.fresh_keys(published).await?), &nonce).map(drop);
        }
        checked.map_err(|fault| self.untrusted(described(&fault)))?;
        payload(text).ok_or_else(|| self.untrusted("the ID token has no claims"))
    }

    fn verifier(&self, keys: CoreJsonWebKeySet) -> CoreIdTokenVerifier<'static> {
        let client = ClientId::new(self.client.id.clone());
        let millis = u64::try_from(self.clock.now().minus(SKEW).millis()).unwrap_or(0);
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        CoreIdTokenVerifier::new_public_client(client, self.issuer.clone(), keys)
            .set_allowed_algs(HashSet::from(ALGORITHMS))
            .set_time_fn(move || now.into())
    }

    /// The issuer's keys as they are now, kept for the next token.
    async fn fresh_keys(&self, published: &Published) -> Result<CoreJsonWebKeySet, Failure> {
        let keys: CoreJsonWebKeySet = JsonWebKeySet::fetch_async(published.metadata.jwks_uri(), &self.wire)
            .await
            .map_err(|fault| self.undiscovered(fault))?;
        let fresh = self.usable(published.metadata.clone().set_jwks(keys.clone()))?;
        if let Some((_, kept)) = self.published.lock().await.as_mut() {
            *kept = Arc::new(fresh);
        }
        Ok(keys)
    }

    fn untrusted(&self, cause: impl std::fmt::Display) -> Failure {
        self.wire.failure(FailureKind::Untrusted, cause)
    }

    fn undiscovered(&self, fault: DiscoveryError<Failure>) -> Failure {
        match fault {
            DiscoveryError::Request(failure) => failure,
            DiscoveryError::Response(status, _, what) if status.is_server_error() => {
                self.wire.failure(FailureKind::Unreachable, what)
            }
            DiscoveryError::Parse(fault) => {
                self.wire.failure(FailureKind::Misconfigured, format!("not a discovery document: {fault}"))
            }
            fault => self.wire.failure(FailureKind::Misconfigured, fault),
        }
    }
}

/// What is wrong with a token, its cause included.
fn described(fault: &ClaimsVerificationError) -> String {
    match fault {
        ClaimsVerificationError::SignatureVerification(cause) => format!("{fault}: {cause}"),
        _ => fault.to_string(),
    }
}

/// At most 255 characters (OpenID Connect Core §2).
fn subject(claims: &Claims) -> Option<&str> {
    claims.get("sub")?.as_str().filter(|subject| (1..=255).contains(&subject.len()))
}

/// The claims of a token whose signature was checked.
fn payload(token: &str) -> Option<Claims> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

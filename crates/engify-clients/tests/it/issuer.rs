//! An OpenID Connect issuer whose every answer is scripted: it signs whatever claims a test wants, with whatever key.

use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use engify_clients::identity::{Attempt, Failure, Person, Provider};
use engify_core::settings::{IdentityProtocol, IdentityProvider};
use engify_core::{Clock, Secret, Time};
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};

use crate::double::{Double, json as reply};

/// What the tests begin a sign-in with.
pub(crate) const NONCE: &str = "nonce-of-this-sign-in";
pub(crate) const CLIENT: &str = "engify";
pub(crate) const CLIENT_SECRET: &str = "client-secret-0123456789abcdef";
/// When the tests take place.
pub(crate) const NOW: i64 = 1_795_370_400;

/// What the issuer answers next.
pub(crate) struct Answers {
    /// The issuer's own name; its address where it is none.
    pub(crate) issuer: Option<String>,
    /// Changes to the discovery document.
    pub(crate) discovery: Value,
    /// The keys that it publishes: seed and name.
    pub(crate) keys: Vec<(u8, &'static str)>,
    /// The ID token; none for an answer without one.
    pub(crate) id_token: Option<String>,
    /// What the token endpoint says instead.
    pub(crate) refusal: Option<(u16, Value)>,
    pub(crate) userinfo: Value,
}

/// The issuer.
pub(crate) struct Issuer {
    pub(crate) double: Double,
    pub(crate) clock: Clock,
    pub(crate) provider: Provider,
    answers: Arc<Mutex<Answers>>,
}

impl Issuer {
    /// An issuer that publishes one key and signs nothing yet.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Answers)) -> Self {
        let mut answers = Answers {
            issuer: None,
            discovery: json!({}),
            keys: vec![(1, "one")],
            id_token: None,
            refusal: None,
            userinfo: json!({}),
        };
        change(&mut answers);
        let answers = Arc::new(Mutex::new(answers));
        let scripted = Arc::clone(&answers);
        let double = Double::start(move |_, seen| {
            let answers = scripted.lock().unwrap();
            let (status, body) = answer(&answers, &format!("http://{}", seen.header("host")), &seen.path);
            reply(status, &body)
        })
        .await;
        let clock = Clock::fixed(Time::from_millis(NOW * 1000));
        let provider = Provider::new(&settings(&double.address), &clock).unwrap();
        Self { double, clock, provider, answers }
    }

    pub(crate) fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap()
    }

    /// Claims that are right in every way, with changes; null takes a claim away.
    pub(crate) fn claims(&self, changes: &Value) -> Value {
        let mut claims = json!({
            "iss": self.double.address, "sub": "7", "aud": CLIENT, "exp": NOW + 300, "iat": NOW, "nonce": NONCE,
            "email": "ana@example.com", "email_verified": true, "name": "Ana", "groups": ["staff"],
        });
        merge(&mut claims, changes);
        claims
    }

    /// Redeems a code against an ID token with these claims, signed with the first key.
    pub(crate) async fn redeem(&self, changes: &Value) -> Result<Person, Failure> {
        let token = signed(1, &json!({ "alg": "EdDSA", "kid": "one" }), &self.claims(changes));
        self.redeem_token(token).await
    }

    pub(crate) async fn redeem_token(&self, token: String) -> Result<Person, Failure> {
        self.answers().id_token = Some(token);
        redeem(&self.provider).await
    }

    /// How often a path was asked.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.double.seen().iter().filter(|seen| seen.path.starts_with(path)).count()
    }
}

/// Redeems a code as every test does.
pub(crate) async fn redeem(provider: &Provider) -> Result<Person, Failure> {
    let verifier = Secret::new("v".repeat(43));
    provider.redeem("the code", &attempt(&verifier)).await
}

pub(crate) fn attempt(verifier: &Secret<String>) -> Attempt<'_> {
    Attempt { state: "state", nonce: NONCE, verifier, callback: "https://engify.test/callback?a=1" }
}

fn settings(issuer: &str) -> IdentityProvider {
    IdentityProvider {
        id: "oidc",
        label: "Acme".to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: Secret::new(CLIENT_SECRET.to_owned()),
        protocol: IdentityProtocol::OpenId {
            issuer: issuer.to_owned(),
            scopes: vec!["openid".to_owned(), "email".to_owned()],
            groups_claim: "groups".to_owned(),
            trusts_email: false,
        },
    }
}

fn answer(answers: &Answers, address: &str, path: &str) -> (u16, Value) {
    match path {
        "/.well-known/openid-configuration" => {
            let mut document = json!({
                "issuer": answers.issuer.as_deref().unwrap_or(address),
                "authorization_endpoint": format!("{address}/authorize?tenant=1"),
                "token_endpoint": format!("{address}/token"),
                "userinfo_endpoint": format!("{address}/userinfo"),
                "jwks_uri": format!("{address}/keys"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["EdDSA"],
            });
            merge(&mut document, &answers.discovery);
            (200, document)
        }
        "/keys" => {
            let public = |&(seed, name): &(u8, &str)| {
                serde_json::to_value(key(seed, Some(name)).as_verification_key()).unwrap()
            };
            (200, json!({ "keys": answers.keys.iter().map(public).collect::<Vec<_>>() }))
        }
        "/token" => answers.refusal.clone().unwrap_or_else(|| {
            (200, json!({ "access_token": "access", "token_type": "Bearer", "id_token": answers.id_token }))
        }),
        "/userinfo" => (200, answers.userinfo.clone()),
        _ => (404, json!({})),
    }
}

fn merge(into: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(name);
        } else {
            into[name] = value.clone();
        }
    }
}

/// A token with this header and these claims, signed with the key of `seed` whatever the header says.
pub(crate) fn signed(seed: u8, header: &Value, claims: &Value) -> String {
    let text = unsigned(header, claims);
    let signature = key(seed, None).sign(&CoreJwsSigningAlgorithm::EdDsa, text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Header and claims, without a signature.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// An Ed25519 key whose 32 secret bytes are all `seed` (PKCS #8, RFC 8410 §7).
fn key(seed: u8, name: Option<&str>) -> CoreEdDsaPrivateSigningKey {
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend([seed; 32]);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, name.map(|name| JsonWebKeyId::new(name.to_owned())))
        .unwrap()
}

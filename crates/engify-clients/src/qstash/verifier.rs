//! Whether a call really comes from QStash: a JWT in `Upstash-Signature`, signed with a key that only it and we have.
//!
//! The same verdicts as the vendor's own receiver, but for one: it also takes other algorithms than HS256 with the right
//! key, we do not. The format is a page long, and one algorithm is all there is to choose, so no library chooses for us.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engify_core::{Secret, Time, settings};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Believes or rejects calls.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: [Secret<String>; 2],
    tolerance: Duration,
}

/// A call that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The token's own id, the same for no two calls; none where there is none.
    pub id: Option<String>,
}

/// Why a call is not believed. None of this is told to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// It is no signed token.
    Malformed,
    /// It is signed in another way than HS256.
    Algorithm,
    /// Neither key signed it.
    Signature,
    /// Somebody else issued it.
    Issuer,
    /// It is over.
    Expired,
    /// It has not begun.
    TooEarly,
    /// It is meant for another address.
    Address,
    /// It was signed for another body.
    Body,
}

impl Verifier {
    /// With the keys of the settings; clocks may differ by `tolerance`.
    pub fn new(settings: &settings::QStash, tolerance: Duration) -> Self {
        let keys = [settings.current_signing_key.clone(), settings.next_signing_key.clone()];
        Self { keys, tolerance }
    }

    /// Checks the signature of a call to `url` with this `body`. The current key is tried first, then the next one, so that
    /// a rotation goes unnoticed.
    ///
    /// # Errors
    /// What is wrong.
    pub fn verify(&self, signature: &str, body: &[u8], url: &str, now: Time) -> Result<Accepted, Rejection> {
        let claims = self.signed(signature)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some("Upstash") {
            return Err(Rejection::Issuer);
        }
        self.in_time(&claims, now)?;
        if text("sub") != Some(url) {
            return Err(Rejection::Address);
        }
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(body));
        match text("body") {
            Some(claimed) if claimed.trim_end_matches('=') == hash => {
                Ok(Accepted { id: text("jti").map(str::to_owned) })
            }
            _ => Err(Rejection::Body),
        }
    }

    /// The claims of a token that one of our keys signed.
    fn signed(&self, token: &str) -> Result<Map<String, Value>, Rejection> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Rejection::Malformed)?;
        let header = object(header)?;
        if header.get("alg").and_then(Value::as_str) != Some("HS256") {
            return Err(Rejection::Algorithm);
        }
        // What must be understood and is not understood is refused (RFC 7515, 4.1.11).
        if header.contains_key("crit") {
            return Err(Rejection::Malformed);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Rejection::Malformed)?;
        let ours = |key: &Secret<String>| {
            Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes())
                .is_ok_and(|mac| mac.chain_update(signed).verify_slice(&signature).is_ok())
        };
        if !self.keys.iter().any(ours) {
            return Err(Rejection::Signature);
        }
        object(claims)
    }

    /// `exp` and `nbf` where they are given, in whole seconds as the vendor counts.
    fn in_time(&self, claims: &Map<String, Value>, now: Time) -> Result<(), Rejection> {
        let (now, tolerance) = (now.millis().div_euclid(1000) as f64, self.tolerance.as_secs() as f64);
        let seconds = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(Rejection::Malformed),
        };
        seconds("iat")?;
        if seconds("nbf")?.is_some_and(|begin| begin > now + tolerance) {
            return Err(Rejection::TooEarly);
        }
        if seconds("exp")?.is_some_and(|end| end <= now - tolerance) {
            return Err(Rejection::Expired);
        }
        Ok(())
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Rejection> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Rejection::Malformed)
}

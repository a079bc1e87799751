//! What fuzzers and property tests feed with bytes: the parsers of this crate that read what other people's servers send, and
//! what strangers send in their name. See the module of the same name in `engify-core`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engify_core::fuzzing::Target;
use engify_core::{Secret, Time, settings};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

pub use crate::ai::fuzzing::{provider_answer, provider_stream};
pub use crate::identity::fuzzing::id_claims;
pub use crate::kv::fuzzing::kv_reply;
use crate::{mail, qstash, sms};

/// Every target of this crate.
pub const TARGETS: &[Target] = &[
    ("id_claims", id_claims),
    ("kv_reply", kv_reply),
    ("provider_answer", provider_answer),
    ("provider_stream", provider_stream),
    ("qstash_token", qstash_token),
    ("sendgrid_report", sendgrid_report),
    ("twilio_report", twilio_report),
];

const KEY: &str = "sig_0123456789abcdef0123456789abcdef";
const URL: &str = "https://prompts.example.com/api/webhooks/qstash";

fn key() -> Secret<String> {
    Secret::new(KEY.to_owned())
}

/// Two lines, header and claims of a token for an empty body. As they stand they are believed by nobody; signed, only where
/// they say what the vendor says.
pub fn qstash_token(bytes: &[u8]) {
    let settings = settings::QStash {
        url: "https://qstash.example.com".to_owned(),
        token: key(),
        current_signing_key: key(),
        next_signing_key: Secret::new("sig_next".to_owned()),
    };
    let verifier = qstash::Verifier::new(&settings, Duration::ZERO);
    let now = Time::from_millis(1_763_800_000_000);
    let text = String::from_utf8_lossy(bytes);
    assert!(verifier.verify(&text, b"", URL, now).is_err(), "nobody signed {text:?}");
    let (header, claims) = text.split_once('\n').unwrap_or((&text, ""));
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()) else { return };
    let signature = URL_SAFE_NO_PAD.encode(mac.chain_update(&signed).finalize().into_bytes());
    if verifier.verify(&format!("{signed}.{signature}"), b"", URL, now).is_ok() {
        let read = |part: &str| serde_json::from_str::<serde_json::Value>(part).unwrap_or_default();
        let (header, claims) = (read(header), read(claims));
        assert!(claims["iss"] == "Upstash" && claims["sub"] == URL && header["alg"] == "HS256", "{text}");
        assert!(verifier.verify(&format!("{signed}.{signature}"), b"other", URL, now).is_err(), "{text}");
    }
}

/// A body: believed from nobody, and as SendGrid's its events are told in clean words.
pub fn sendgrid_report(bytes: &[u8]) {
    let signature = String::from_utf8_lossy(bytes);
    let request = mail::webhook::Request { signature: &signature, timestamp: "1763800000", body: bytes };
    assert!(mail::webhook::events(VERIFICATION_KEY, request, Time::from_millis(1_763_800_000_000)).is_err());
    for event in mail::webhook::read(bytes).unwrap_or_default() {
        if let mail::webhook::Fate::Bounced(why) = event.fate {
            assert!(why.chars().count() <= 301 && !why.contains(char::is_control), "{why:?}");
        }
    }
}

/// A public key whose private half nobody kept: a point of P-256 as DER, base64.
const VERIFICATION_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+o7TU4fgzQ7C/mwrwHtNgYqFKsd/gaOk5F5ZiO9NbdcB+59Z6ItImVKbA1ryu6IPcyT0n8hQpWGRONkW2sKkAg==";

/// A form: believed where Twilio signed it, and in no other way.
pub fn twilio_report(bytes: &[u8]) {
    let account = settings::Twilio {
        account: "AC".to_owned(),
        token: key(),
        number: None,
        verify_service: None,
        callback: None,
        base_url: None,
    };
    let made_up = String::from_utf8_lossy(bytes);
    let request = sms::webhook::Request { signature: &made_up, url: URL, body: bytes };
    assert!(sms::webhook::event(&account, request).is_err(), "nobody signed {made_up:?}");
    if let Some(signature) = sms::webhook::signed(&account.token, URL, bytes) {
        let event = sms::webhook::event(&account, sms::webhook::Request { signature: &signature, ..request });
        assert!(event.is_ok(), "{event:?}");
    }
}

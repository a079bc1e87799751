//! What SendGrid reports of mails it took: its signed event webhook.
//!
//! The signature is ECDSA over P-256 of the timestamp and the raw body, as base64 of DER, in
//! `X-Twilio-Email-Event-Webhook-Signature`; the timestamp, seconds since the epoch, is in `…-Timestamp`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engify_core::Time;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use serde::Deserialize;

use crate::http::cleaned;

/// A report older than this is not taken: SendGrid tries for a day.
const OLDEST: Duration = Duration::from_secs(25 * 3600);

/// What a request to the webhook brings.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `X-Twilio-Email-Event-Webhook-Signature`
    pub signature: &'a str,
    /// `X-Twilio-Email-Event-Webhook-Timestamp`
    pub timestamp: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// What happened to a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Our id of the mail.
    pub message: String,
    /// What happened.
    pub fate: Fate,
}

/// What happened to a message that a server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Delivered,
    /// It came back, or was never tried; says why in the server's own words, cleaned.
    Bounced(String),
}

/// The events of a request whose signature is right, in the order of the body; events of no interest and those of
/// mails that are not ours are left out.
///
/// # Errors
/// Says in words for the log why the request is not one of SendGrid's.
pub fn events(key: &str, request: Request<'_>, now: Time) -> Result<Vec<Event>, &'static str> {
    let key = STANDARD.decode(key).map_err(|_| "the verification key is not base64")?;
    let key = VerifyingKey::from_public_key_der(&key).map_err(|_| "the verification key is no P-256 key")?;
    let signature = STANDARD.decode(request.signature).map_err(|_| "the signature is not base64")?;
    let signature = Signature::from_der(&signature).map_err(|_| "the signature is not DER")?;
    let seconds: i64 = request.timestamp.parse().map_err(|_| "the timestamp is no number")?;
    let at = Time::from_millis(seconds.saturating_mul(1000));
    let signed = [request.timestamp.as_bytes(), request.body].concat();
    key.verify(&signed, &signature).map_err(|_| "the signature is wrong")?;
    if now.since(at) > OLDEST {
        return Err("the report is too old");
    }
    read(request.body)
}

/// The events of a body that is known to be SendGrid's.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Event>, &'static str> {
    let reported: Vec<Reported> =
        serde_json::from_slice(body).map_err(|_| "the body is no list of events")?;
    Ok(reported.into_iter().filter_map(Reported::event).collect())
}

#[derive(Deserialize)]
struct Reported {
    event: String,
    /// Our own argument, given back.
    #[serde(rename = "engify_message")]
    message: Option<String>,
    #[serde(default)]
    reason: String,
}

impl Reported {
    fn event(self) -> Option<Event> {
        let fate = match self.event.as_str() {
            "delivered" => Fate::Delivered,
            "bounce" | "dropped" | "blocked" => Fate::Bounced(cleaned(&self.reason)),
            _ => return None,
        };
        Some(Event { message: self.message?, fate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::sendgrid::MESSAGE;

    #[test]
    fn the_argument_has_one_name() {
        let text =
            format!(r#"[{{"event":"delivered","{MESSAGE}":"m1"}},{{"event":"open","{MESSAGE}":"m1"}}]"#);
        assert_eq!(
            read(text.as_bytes()).unwrap(),
            [Event { message: "m1".to_owned(), fate: Fate::Delivered }]
        );
    }
}

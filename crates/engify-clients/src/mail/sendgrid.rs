//! SendGrid's v3 API: `POST /v3/mail/send`, 202 and `X-Message-Id` when it took the mail.

use std::time::Duration;

use engify_core::{Secret, settings};
use http::header::{HeaderValue, InvalidHeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Mail;
use crate::delivery::{Answer, Failure, FailureKind, Handed, Server, exchange};
use crate::http::{ClientOptions, client};

const SENDGRID: Server = Server { name: "SendGrid", setting: "SENDGRID_BASE_URL" };
/// The argument that SendGrid gives back with each event of a mail.
pub(super) const MESSAGE: &str = "engify_message";

/// A way to SendGrid.
pub struct SendGrid {
    client: reqwest::Client,
    key: Secret<String>,
    bearer: HeaderValue,
    url: String,
    from: Value,
}

/// What SendGrid says when it takes nothing.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
    field: Option<String>,
}

impl SendGrid {
    pub(super) fn new(mail: &settings::Mail, key: Secret<String>, base_url: &str) -> Result<Self, String> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))
            .map_err(|_: InvalidHeaderValue| "the key has characters that no key has".to_owned())?;
        bearer.set_sensitive(true);
        Ok(Self {
            client: client(ClientOptions::default())?,
            key,
            bearer,
            url: format!("{base_url}/v3/mail/send"),
            from: json!({ "email": mail.from.as_str(), "name": mail.from_name }),
        })
    }

    pub(super) async fn send(&self, mail: &Mail) -> Result<Handed, Failure> {
        let request = self
            .client
            .post(&self.url)
            .header(http::header::AUTHORIZATION, self.bearer.clone())
            .json(&self.body(mail));
        let answer = exchange(SENDGRID, request, &self.key).await?;
        if answer.status.is_success() {
            let reference = answer.headers.get("x-message-id").and_then(|value| value.to_str().ok());
            return Ok(Handed::Over(reference.map(str::to_owned)));
        }
        Err(self.refusal(&answer))
    }

    /// The tracking that SendGrid adds to mails is switched off: nobody is watched opening a letter of ours.
    fn body(&self, mail: &Mail) -> Value {
        json!({
            "personalizations": [{ "to": [{ "email": mail.to.as_str() }] }],
            "custom_args": { MESSAGE: mail.id },
            "from": self.from,
            "subject": mail.subject,
            "content": [
                { "type": "text/plain", "value": mail.text.reveal() },
                { "type": "text/html", "value": mail.html.reveal() },
            ],
            "headers": { "Auto-Submitted": "auto-generated" },
            "tracking_settings": {
                "click_tracking": { "enable": false, "enable_text": false },
                "open_tracking": { "enable": false },
                "subscription_tracking": { "enable": false },
            },
        })
    }

    fn refusal(&self, answer: &Answer) -> Failure {
        use FailureKind::{Away, BadKey, RateLimited, RefusedAddress, RefusedSender, Rejected};
        let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        let said = refusal.errors.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("; ");
        let said = said.replace(self.key.reveal().as_str(), "[key]");
        let receiver = refusal.errors.iter().any(|fault| {
            fault
                .field
                .as_deref()
                .is_some_and(|field| field.starts_with("personalizations") && field.contains("to"))
        });
        let (kind, what) = match answer.status.as_u16() {
            // SendGrid answers 401 for both; only its words tell them apart.
            401 if said.contains("credits") => (
                RateLimited,
                "The SendGrid plan's mails are used up. Raise the plan, or wait until it starts anew.".to_owned(),
            ),
            401 => (
                BadKey,
                "SendGrid does not accept the key. Make one with the permission Mail Send (Settings, API Keys) and put it into SENDGRID_API_KEY."
                    .to_owned(),
            ),
            403 => (
                RefusedSender,
                "SendGrid does not let us send as SENDGRID_FROM_EMAIL. Verify that address or its domain (Settings, Sender Authentication)."
                    .to_owned(),
            ),
            429 => (RateLimited, "SendGrid takes no more mails right now.".to_owned()),
            400 if receiver => (RefusedAddress, "SendGrid does not take the receiver's address.".to_owned()),
            status @ 500.. => (Away, format!("SendGrid has trouble of its own ({status}); status.sendgrid.com tells more.")),
            status => (Rejected, format!("SendGrid refused the mail ({status}).")),
        };
        Failure::new(kind, what)
            .saying("SendGrid", &said)
            .after(answer.retry_after().or_else(|| reset(answer)))
    }
}

/// SendGrid tells when its limit starts anew as seconds since the epoch, beside its own time in `Date`.
fn reset(answer: &Answer) -> Option<Duration> {
    let text = |name: &str| answer.headers.get(name)?.to_str().ok().map(str::trim);
    let then: i64 = text("x-ratelimit-reset")?.parse().ok()?;
    let now = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text("date")?).ok()?;
    u64::try_from(then - now.as_second()).ok().map(Duration::from_secs)
}

impl std::fmt::Debug for SendGrid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendGrid").field("url", &self.url).finish_non_exhaustive()
    }
}

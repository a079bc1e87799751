//! Twilio: its Verify service, which makes, sends and checks codes, and plain text messages. Forms in, JSON out, the
//! account and its token as basic authentication.

use engify_core::words::Phone;
use engify_core::{Secret, settings};
use http::StatusCode;
use serde::Deserialize;

use super::codes::Codes;
use super::{Checked, Started};
use crate::delivery::{Answer, Failure, FailureKind, Server, exchange};
use crate::http::{ClientOptions, client};

const TWILIO: Server = Server { name: "Twilio", setting: "TWILIO_BASE_URL" };
/// "There is no such thing": for a check it means that no code waits (used, expired, never asked for).
const NO_SUCH_THING: u32 = 20404;

/// A way to Twilio.
pub struct Twilio {
    client: reqwest::Client,
    account: String,
    token: Secret<String>,
    number: Option<Phone>,
    /// The address of the Verify service; none where there is no service and codes are ours.
    verify: Option<String>,
    messages: String,
    callback: Option<String>,
    codes: Codes,
}

/// What Twilio answers, as far as anybody here cares.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    sid: Option<String>,
    status: serde_json::Value,
    code: Option<u32>,
    message: String,
}

impl Twilio {
    pub(super) fn new(account: &settings::Twilio, codes: Codes) -> Result<Self, String> {
        let (verify, api) = match &account.base_url {
            Some(base) => (format!("{base}/verify"), base.clone()),
            None => ("https://verify.twilio.com".to_owned(), "https://api.twilio.com".to_owned()),
        };
        Ok(Self {
            client: client(ClientOptions::default())?,
            verify: account.verify_service.as_ref().map(|sid| format!("{verify}/v2/Services/{sid}")),
            messages: format!("{api}/2010-04-01/Accounts/{}/Messages.json", account.account),
            account: account.account.clone(),
            token: account.token.clone(),
            number: account.number.clone(),
            callback: account.callback.clone(),
            codes,
        })
    }

    pub(super) async fn start(&self, to: &Phone) -> Result<Started, Failure> {
        let Some(verify) = &self.verify else {
            return self.send(to, &self.codes.make(to)).await.map(Started::Sent);
        };
        let form = [("To", to.as_str()), ("Channel", "sms")];
        let told = self.told(&self.post(&format!("{verify}/Verifications"), &form).await?)?;
        Ok(Started::Sent(told.sid))
    }

    pub(super) async fn check(&self, to: &Phone, code: &str) -> Result<Checked, Failure> {
        let Some(verify) = &self.verify else { return Ok(self.codes.check(to, code)) };
        let form = [("To", to.as_str()), ("Code", code)];
        let answer = self.post(&format!("{verify}/VerificationCheck"), &form).await?;
        let told = read(&answer);
        if answer.status == StatusCode::NOT_FOUND && told.code == Some(NO_SUCH_THING) {
            return Ok(Checked::Nothing);
        }
        let told = self.told(&answer)?;
        Ok(match told.status.as_str() {
            Some("approved") => Checked::Right,
            Some("pending") => Checked::Wrong,
            _ => Checked::Nothing,
        })
    }

    pub(super) async fn send(&self, to: &Phone, text: &Secret<String>) -> Result<Option<String>, Failure> {
        let Some(number) = &self.number else {
            let what = "No number is set to send texts from. Put one of the account's numbers into TWILIO_PHONE_NUMBER.";
            return Err(Failure::new(FailureKind::RefusedSender, what));
        };
        let mut form = vec![("To", to.as_str()), ("From", number.as_str()), ("Body", text.reveal().as_str())];
        form.extend(self.callback.as_deref().map(|callback| ("StatusCallback", callback)));
        self.told(&self.post(&self.messages, &form).await?).map(|told| told.sid)
    }

    async fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<Answer, Failure> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .client
            .post(url)
            .basic_auth(&self.account, Some(self.token.reveal()))
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        exchange(TWILIO, request, &self.token).await
    }

    fn told(&self, answer: &Answer) -> Result<Told, Failure> {
        let told = read(answer);
        if answer.status.is_success() { Ok(told) } else { Err(self.refusal(answer, &told)) }
    }

    /// From Twilio's own numbers for errors, which tell more than its statuses.
    fn refusal(&self, answer: &Answer, told: &Told) -> Failure {
        use FailureKind::{Away, BadKey, RateLimited, RefusedAddress, RefusedSender, Rejected};
        let (kind, what) = match (told.code, answer.status.as_u16()) {
            (Some(60202 | 60203 | 20429), _) | (_, 429) => (
                RateLimited,
                "Twilio sends and checks no more codes for this number right now; it allows 5 each in 10 minutes.",
            ),
            (Some(20003 | 20005 | 20006), _) | (_, 401) => (
                BadKey,
                "Twilio does not accept the account. Copy TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN from its console.",
            ),
            (Some(21608), _) => (
                RefusedAddress,
                "A trial account of Twilio texts only numbers that were verified there. Verify it, or upgrade the account.",
            ),
            (Some(21408), _) => (
                RefusedAddress,
                "This Twilio account may not text that country. Allow it under Messaging, Geo permissions.",
            ),
            (Some(21211 | 21214 | 21217 | 21610 | 21612 | 21614 | 60200 | 60205 | 60410 | 60605), _) => (
                RefusedAddress,
                "Twilio does not take this number. It must be a mobile number with its country, such as +15005550006.",
            ),
            (Some(21212 | 21603 | 21606 | 21659 | 21660), _) => (
                RefusedSender,
                "Twilio does not let us text from TWILIO_PHONE_NUMBER. It must be a number of this account that can send texts.",
            ),
            (Some(NO_SUCH_THING), _) | (_, 404) => (
                BadKey,
                "Twilio knows no such account or Verify service. Check TWILIO_ACCOUNT_SID and TWILIO_VERIFY_SERVICE_SID.",
            ),
            (_, 500..) => (Away, "Twilio has trouble of its own; status.twilio.com tells more."),
            _ => (Rejected, "Twilio refused the message."),
        };
        let said = told.message.replace(self.token.reveal().as_str(), "[key]");
        let said = match told.code {
            Some(code) => format!("{said} ({code})"),
            None => said,
        };
        Failure::new(kind, what).saying("Twilio", &said).after(answer.retry_after())
    }
}

/// What cannot be read says nothing; the status still does.
fn read(answer: &Answer) -> Told {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

impl std::fmt::Debug for Twilio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Twilio").field("account", &self.account).finish_non_exhaustive()
    }
}

//! What a provider's refusal means: from its status and its own words to one of our six kinds.
//!
//! All providers report errors as a small JSON object; their words do not collide, so one table serves all of them
//! and grows a line when a provider invents a word. Sources: the error pages of each vendor's API reference.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use super::call::{Miss, may_pass};
use super::{Endpoint, Failure, FailureKind, Finish};
use crate::http::cleaned;

/// An error as some provider writes it. Everything is optional: what cannot be read is simply not known.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reported {
    error: Option<Told>,
    /// Some local servers.
    message: Option<String>,
    /// Replicate.
    detail: Option<String>,
    /// Replicate.
    title: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Told {
    Object(Box<Words>),
    Text(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Words {
    message: Option<String>,
    /// OpenAI, Anthropic, Groq.
    r#type: Option<String>,
    /// OpenAI and Groq: a word. Google: the status again, as a number.
    code: Option<serde_json::Value>,
    /// Google.
    status: Option<String>,
    /// Google.
    details: Vec<GoogleDetail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GoogleDetail {
    reason: Option<String>,
    retry_delay: Option<String>,
}

impl Reported {
    /// Reads an error's body; Google wraps it in a list at times, and some servers send plain text.
    fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body)
            .or_else(|_| serde_json::from_slice::<[Self; 1]>(body).map(|[only]| only))
            .unwrap_or_else(|_| {
                let text = String::from_utf8_lossy(body);
                // A proxy's page of HTML explains nothing to a reader.
                let plain = !text.trim_start().starts_with(['<', '{', '[']);
                Self { detail: plain.then(|| text.into_owned()), ..Self::default() }
            })
    }

    /// What the provider says to a reader.
    fn message(&self) -> &str {
        let said = match &self.error {
            Some(Told::Object(words)) => words.message.as_deref(),
            Some(Told::Text(text)) => Some(text.as_str()),
            None => None,
        };
        said.or(self.message.as_deref())
            .or(self.detail.as_deref())
            .or(self.title.as_deref())
            .unwrap_or_default()
    }

    /// What the provider says to a program.
    fn words(&self) -> impl Iterator<Item = &str> {
        let words = match &self.error {
            Some(Told::Object(words)) => Some(words),
            _ => None,
        };
        let code = words.and_then(|words| words.code.as_ref()).and_then(serde_json::Value::as_str);
        let fixed = words.into_iter().flat_map(|words| [words.r#type.as_deref(), words.status.as_deref()]);
        let reasons =
            words.into_iter().flat_map(|words| &words.details).map(|detail| detail.reason.as_deref());
        std::iter::once(code).chain(fixed).chain(reasons).flatten()
    }

    /// Google's `RetryInfo`: seconds with an `s`, `"17s"` or `"1.5s"`.
    fn retry_delay(&self) -> Option<Duration> {
        let Some(Told::Object(words)) = &self.error else { return None };
        let text = words.details.iter().find_map(|detail| detail.retry_delay.as_deref())?;
        Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
    }
}

/// The meaning of an answer that is not a success, or (without a status) of an error inside a stream.
pub(super) fn refusal(
    endpoint: &Endpoint,
    status: Option<StatusCode>,
    body: &[u8],
    retry_after: Option<Duration>,
) -> Miss {
    let provider = endpoint.provider();
    let reported = Reported::read(body);
    let retry_after = retry_after.or_else(|| reported.retry_delay());
    let said = without_key(reported.message(), endpoint);
    let kind = kind(status, &reported, &said.to_ascii_lowercase());
    let failure = match kind {
        FailureKind::BadKey => Failure::bad_key(provider, &said),
        FailureKind::RateLimited => Failure::rate_limited(provider, &said, retry_after),
        FailureKind::Refused => Failure::refused(provider, &said),
        FailureKind::TooLong => Failure::too_long(provider, &said),
        FailureKind::Timeout => Failure::deadline(provider),
        FailureKind::Upstream => {
            let what = match (status, said.is_empty()) {
                (Some(status), true) => format!("answered {}", status.as_u16()),
                (Some(status), false) => format!("answered {}: {}", status.as_u16(), stopless(&said)),
                (None, true) => "reported an error".to_owned(),
                (None, false) => format!("reported an error: {}", stopless(&said)),
            };
            let failure = Failure::upstream(provider, &what);
            Failure { retry_after, ..failure }
        }
    };
    // Money that is used up does not come back within a deadline.
    let spent = reported.words().any(|word| matches!(word, "insufficient_quota" | "billing_error"));
    let passes = status.map_or_else(|| kind == FailureKind::RateLimited || overloaded(&reported), may_pass);
    Miss { failure: failure.with_status(status.map(|status| status.as_u16())), again: passes && !spent }
}

/// How a prompt that does not fit is told by those who have no word for it: Anthropic, Google and Replicate.
const TOO_LONG: [&str; 7] = [
    "prompt is too long",
    "context length",
    "context window",
    "context limit",
    "exceeds the maximum number of tokens",
    "maximum input length",
    "reduce the length",
];

fn kind(status: Option<StatusCode>, reported: &Reported, said: &str) -> FailureKind {
    for word in reported.words() {
        match word {
            "invalid_api_key"
            | "authentication_error"
            | "permission_error"
            | "API_KEY_INVALID"
            | "API_KEY_SERVICE_BLOCKED"
            | "UNAUTHENTICATED"
            | "PERMISSION_DENIED" => return FailureKind::BadKey,
            "context_length_exceeded" | "string_above_max_length" | "request_too_large" => {
                return FailureKind::TooLong;
            }
            "content_filter" | "content_policy_violation" | "moderation_blocked" => {
                return FailureKind::Refused;
            }
            "insufficient_quota"
            | "billing_error"
            | "rate_limit_error"
            | "rate_limit_exceeded"
            | "RESOURCE_EXHAUSTED"
                if status != Some(StatusCode::PAYLOAD_TOO_LARGE) =>
            {
                return FailureKind::RateLimited;
            }
            _ => {}
        }
    }
    match status.map(|status| status.as_u16()) {
        Some(401 | 403) => FailureKind::BadKey,
        Some(402 | 429) => FailureKind::RateLimited,
        Some(413) => FailureKind::TooLong,
        Some(408 | 504) => FailureKind::Timeout,
        None | Some(400 | 422 | 500) if TOO_LONG.iter().any(|phrase| said.contains(phrase)) => {
            FailureKind::TooLong
        }
        None | Some(400 | 422) if said.contains("nsfw") || said.contains("flagged as") => {
            FailureKind::Refused
        }
        _ => FailureKind::Upstream,
    }
}

/// An error inside a stream that passes: the provider is overloaded or broke inside.
fn overloaded(reported: &Reported) -> bool {
    reported.words().any(|word| {
        matches!(
            word,
            "overloaded_error" | "api_error" | "server_error" | "UNAVAILABLE" | "INTERNAL" | "timeout_error"
        )
    })
}

/// Foreign text, cleaned, with our key cut out should the provider have repeated it.
fn without_key(said: &str, endpoint: &Endpoint) -> String {
    match endpoint.key() {
        Some(key) if said.contains(key.reveal().as_str()) => {
            cleaned(&said.replace(key.reveal().as_str(), "[key]"))
        }
        _ => cleaned(said),
    }
}

fn stopless(said: &str) -> &str {
    said.trim_end_matches('.')
}

/// The provider's answer is not what its API promises.
pub(super) fn nonsense(endpoint: &Endpoint) -> Failure {
    Failure::upstream(endpoint.provider(), "sent an answer that makes no sense")
}

/// An answer with no text that the provider's filter stopped is a refusal, not an empty success.
pub(super) fn unless_filtered(
    endpoint: &Endpoint,
    text: &str,
    finish: Finish,
    said: Option<&str>,
) -> Result<(), Failure> {
    if text.is_empty() && finish == Finish::Filtered {
        return Err(Failure::refused(endpoint.provider(), said.unwrap_or_default()));
    }
    Ok(())
}

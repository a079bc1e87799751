//! Hands messages to QStash.

use std::fmt;
use std::time::Duration;

use engify_core::{Secret, settings};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use tokio::time::timeout;

use super::Message;
use crate::http::{ClientOptions, chain, cleaned, client};

/// How long handing over may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The most bytes of an answer that are looked at.
const MAX_ANSWER: usize = 1 << 20;

/// Hands messages over. Clones share connections.
#[derive(Debug, Clone)]
pub struct QStash {
    client: reqwest::Client,
    base: String,
    token: Secret<String>,
}

/// Why a message was not taken, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The token is not accepted.
    BadToken,
    /// Too many messages for the plan.
    RateLimited,
    /// It refuses this message.
    Refused,
    /// It cannot be reached, broke off, or answered something that is no answer. Whether it took the message is unknown:
    /// publish again with the same deduplication id.
    Unreachable,
}

/// A message that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why, by what can be done about it.
    pub kind: FailureKind,
    /// What happened and what to do. No control characters, never a token.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    #[serde(alias = "scheduleId")]
    message_id: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl QStash {
    /// What the settings say. Nobody is called yet.
    ///
    /// # Errors
    /// Says why TLS cannot be set up at all.
    pub fn new(settings: &settings::QStash) -> Result<Self, String> {
        let client = client(ClientOptions::default())?;
        // The base may be given with the version, as in the operations guide, or without, as in the vendor's client.
        let base = settings.url.strip_suffix("/v2").unwrap_or(&settings.url).to_owned();
        Ok(Self { client, base, token: settings.token.clone() })
    }

    /// Hands over one message; the id that QStash gave it.
    ///
    /// # Errors
    /// See [`FailureKind`]; so for all that follow.
    pub async fn publish(&self, message: &Message) -> Result<String, Failure> {
        let headers = headers(message.headers())?;
        let path = format!("publish/{}", message.url);
        let taken: Taken = self.send(Method::POST, &path, headers, message.body.clone()).await?;
        Ok(taken.message_id)
    }

    /// Hands over several; the ids in the same order.
    ///
    /// # Errors
    /// As [`QStash::publish`].
    pub async fn batch(&self, messages: &[Message]) -> Result<Vec<String>, Failure> {
        let body = serde_json::Value::from_iter(messages.iter().map(Message::in_batch)).to_string();
        let headers = headers(vec![("content-type".to_owned(), "application/json".to_owned())])?;
        let taken: Vec<Taken> = self.send(Method::POST, "batch", headers, body).await?;
        Ok(taken.into_iter().map(|taken| taken.message_id).collect())
    }

    /// Makes or replaces the schedule `id`: the message goes out at each time of `cron` (five fields, UTC).
    ///
    /// # Errors
    /// As [`QStash::publish`].
    pub async fn schedule(&self, id: &str, cron: &str, message: &Message) -> Result<(), Failure> {
        let mut all = message.headers();
        all.push(("upstash-cron".to_owned(), cron.to_owned()));
        all.push(("upstash-schedule-id".to_owned(), id.to_owned()));
        let path = format!("schedules/{}", message.url);
        self.send::<Taken>(Method::POST, &path, headers(all)?, message.body.clone()).await.map(drop)
    }

    /// Ends the schedule `id`.
    ///
    /// # Errors
    /// As [`QStash::publish`].
    pub async fn unschedule(&self, id: &str) -> Result<(), Failure> {
        let path = format!("schedules/{id}");
        self.exchange(Method::DELETE, &path, HeaderMap::new(), String::new()).await.map(drop)
    }

    async fn send<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: String,
    ) -> Result<T, Failure> {
        let answer = self.exchange(method, path, headers, body).await?;
        serde_json::from_slice(&answer).map_err(|_| {
            Failure::new(
                FailureKind::Unreachable,
                "answered something that is no answer. Check QSTASH_URL, then try again",
            )
        })
    }

    /// One call; the body of its success.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: String,
    ) -> Result<Vec<u8>, Failure> {
        let address = format!("{}/v2/{path}", self.base);
        let request = self.client.request(method, address).bearer_auth(self.token.reveal());
        let work = async {
            let mut answer = request.headers(headers).body(body).send().await?;
            let mut whole = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                whole.extend_from_slice(&chunk);
                if whole.len() > MAX_ANSWER {
                    break;
                }
            }
            Ok::<_, reqwest::Error>((answer.status(), whole))
        };
        match timeout(DEADLINE, work).await {
            Err(_) => {
                Err(Failure::new(FailureKind::Unreachable, "did not answer within 10 s. Try again later"))
            }
            Ok(Err(fault)) => {
                let what = format!(
                    "cannot be reached ({}). Check QSTASH_URL and the network, then try again",
                    cleaned(&chain(&fault))
                );
                Err(Failure::new(FailureKind::Unreachable, &what))
            }
            Ok(Ok((status, answer))) if status.is_success() => Ok(answer),
            Ok(Ok((status, answer))) => Err(refused(status, &answer)),
        }
    }
}

fn refused(status: StatusCode, answer: &[u8]) -> Failure {
    let said =
        serde_json::from_slice::<Refusal>(answer).map(|refusal| cleaned(&refusal.error)).unwrap_or_default();
    let said = if said.is_empty() { format!("status {}", status.as_u16()) } else { said };
    let (kind, what) = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (
            FailureKind::BadToken,
            format!("does not accept QSTASH_TOKEN ({said}). Copy it again from the Upstash console"),
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            FailureKind::RateLimited,
            format!("takes no more messages right now ({said}). Wait, or raise the plan"),
        ),
        status if status.is_client_error() => (
            FailureKind::Refused,
            format!("refuses the message ({said}). Check that NEXTAUTH_URL is an address it can reach"),
        ),
        _ => (FailureKind::Unreachable, format!("failed ({said}). Try again later")),
    };
    Failure::new(kind, &what)
}

fn headers(pairs: Vec<(String, String)>) -> Result<HeaderMap, Failure> {
    let header = |(name, value): (String, String)| {
        let typed = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(value).ok());
        let what = format!("cannot be told this: {} is not fit for a header", cleaned(&name));
        typed.ok_or_else(|| Failure::new(FailureKind::Refused, &what))
    };
    pairs.into_iter().map(header).collect()
}

impl Failure {
    fn new(kind: FailureKind, what: &str) -> Self {
        Self { kind, message: format!("QStash {what}.") }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

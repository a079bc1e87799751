//! Upstash's REST: a command is a JSON array that is posted, a transaction an array of these.
//!
//! JSON carries text alone, so values travel and are kept as base64; a database that is also written by the native
//! protocol must not share our prefix with it. It knows the wire; circuits and deadlines are the guard's.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use engify_core::Secret;
use engify_core::settings::UpstashRest;
use http::StatusCode;
use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::command::{Command, Word};
use super::guard::Guard;
use super::reply::Reply;
use super::{Failure, FailureKind, MAX_VALUE, Place};
use crate::http::{ClientOptions, chain, cleaned};

/// The most bytes of an answer that are read: the largest value as base64, and then some.
const MAX_ANSWER: usize = MAX_VALUE / 3 * 4 + (64 << 10);

/// An Upstash database. Clones share connections and circuits.
#[derive(Debug, Clone)]
pub(super) struct Upstash(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: reqwest::Client,
    one: Url,
    several: Url,
    token: Secret<String>,
    guard: Guard,
}

/// What it answers to one command.
#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    result: Value,
    error: Option<String>,
}

impl Upstash {
    /// A database that nobody has asked yet.
    pub(super) fn new(rest: &UpstashRest, guard: Guard, options: ClientOptions) -> Result<Self, String> {
        let address = |path: &str| {
            Url::parse(&format!("{}{path}", rest.url)).map_err(|fault| format!("is no address: {fault}"))
        };
        Ok(Self(Arc::new(Inner {
            client: crate::http::client(options)?,
            one: address("/")?,
            several: address("/multi-exec")?,
            token: rest.token.clone(),
            guard,
        })))
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// Asks; several are done all or none.
    pub(super) async fn run(&self, commands: &[Command], until: Instant) -> Result<Vec<Reply>, Failure> {
        let work = async {
            let [command] = commands else {
                let said: Vec<Vec<String>> = commands.iter().map(|command| spoken(command.words())).collect();
                let answers = self.post(&self.0.several, &said).await?;
                return Ok(commands
                    .iter()
                    .zip(answers)
                    .map(|(command, answer)| reply(command, answer))
                    .collect());
            };
            let mut answers = self.post(&self.0.one, &spoken(command.words())).await?;
            let forgotten =
                |answer: &Answer| answer.error.as_ref().is_some_and(|said| said.contains("NOSCRIPT"));
            if command.script().is_some() && answers.first().is_some_and(forgotten) {
                answers = self.post(&self.0.one, &spoken(command.words_in_full())).await?;
            }
            Ok(answers.into_iter().map(|answer| reply(command, answer)).collect())
        };
        match timeout_at(until, work).await {
            Ok(replies) => replies,
            Err(_) => Err(Failure::silent(self.place())),
        }
    }

    /// One exchange: as many answers as commands.
    async fn post(&self, url: &Url, said: &impl serde::Serialize) -> Result<Vec<Answer>, Failure> {
        let request = self.0.client.post(url.clone()).bearer_auth(self.0.token.reveal()).json(said);
        let answer = request.send().await.map_err(|fault| self.unreachable(&fault))?;
        let status = answer.status();
        let body = self.read(answer).await?;
        let refused = |what: &str| Failure::new(FailureKind::Refused, self.place(), what);
        match (status, serde_json::from_slice::<Several>(&body)) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                Err(Failure::new(FailureKind::Auth, self.place(), "does not accept the token"))
            }
            (StatusCode::TOO_MANY_REQUESTS, _) => Err(refused("allows no more calls right now")),
            (StatusCode::PAYLOAD_TOO_LARGE, _) => {
                Err(Failure::new(FailureKind::TooLarge, self.place(), "takes nothing that large"))
            }
            // Errors of commands come with 400, in a stand-in with 500.
            (_, Ok(Several::One(answer))) if status.is_success() || answer.error.is_some() => {
                Ok(vec![answer])
            }
            (StatusCode::OK, Ok(Several::Many(answers))) => Ok(answers),
            _ if status.is_server_error() => Err(refused(&format!("failed with status {}", status.as_u16()))),
            _ => {
                let what = format!("answered status {} with something that is no answer", status.as_u16());
                Err(Failure::garbage(self.place(), &what))
            }
        }
    }

    async fn read(&self, mut answer: Response) -> Result<BytesMut, Failure> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|fault| self.unreachable(&fault))? {
            if whole.len() + chunk.len() > MAX_ANSWER {
                let what = format!("answered with more than {MAX_ANSWER} bytes");
                return Err(Failure::new(FailureKind::TooLarge, self.place(), &what));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    fn unreachable(&self, fault: &reqwest::Error) -> Failure {
        if fault.is_timeout() {
            return Failure::silent(self.place());
        }
        let what = if fault.is_connect() { "cannot be reached" } else { "broke the connection" };
        Failure::new(FailureKind::Refused, self.place(), &format!("{what} ({})", cleaned(&chain(fault))))
    }

    fn place(&self) -> &Place {
        self.0.guard.place()
    }
}

/// The answer to one command, or those to several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Several {
    Many(Vec<Answer>),
    One(Answer),
}

fn spoken(words: Vec<Word>) -> Vec<String> {
    words
        .into_iter()
        .map(|word| match word {
            Word::Text(text) => text,
            Word::Value(value) => STANDARD.encode(value),
        })
        .collect()
}

pub(super) fn reply(command: &Command, answer: Answer) -> Reply {
    if let Some(error) = answer.error {
        return Reply::Refusal(error);
    }
    match (command, json(answer.result)) {
        (Command::Get { .. }, Reply::Bytes(text)) => match STANDARD.decode(&text) {
            Ok(value) => Reply::Bytes(value.into()),
            Err(_) => Reply::List(Vec::new()),
        },
        (_, reply) => reply,
    }
}

fn json(value: Value) -> Reply {
    match value {
        Value::Null => Reply::Nothing,
        Value::Bool(yes) => Reply::Count(yes.into()),
        Value::Number(number) => number.as_i64().map_or(Reply::List(Vec::new()), Reply::Count),
        Value::String(text) => Reply::Bytes(text.into()),
        Value::Array(values) => Reply::List(values.into_iter().map(json).collect()),
        Value::Object(_) => Reply::List(Vec::new()),
    }
}

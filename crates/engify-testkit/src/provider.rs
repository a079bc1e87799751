//! An AI provider that says what the test wants, in OpenAI's wire format, on a port of its own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// What the provider does with one call.
#[derive(Debug, Clone)]
pub enum Script {
    /// Says these pieces, whole or streamed, and counts 10 tokens in and one a piece out.
    Say(Vec<&'static str>),
    /// Says these pieces and then breaks the connection, when streamed.
    Break(Vec<&'static str>),
    /// Says the first piece and then nothing until the caller goes away.
    Hang(&'static str),
    /// Refuses with this status.
    Refuse(u16),
}

/// A provider on loopback. Without a script it says `Hello from the model.`
#[derive(Clone)]
pub struct ScriptedProvider {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    scripts: Mutex<VecDeque<Script>>,
    calls: Mutex<Vec<Value>>,
    keys: Mutex<Vec<String>>,
    accepted: Mutex<Option<Vec<String>>>,
    left: Notify,
}

impl ScriptedProvider {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/v1/chat/completions", post(answer))
            .route("/v1/models", get(models))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// Its base address.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it does with the next call that has no script yet.
    pub fn script(&self, script: Script) {
        self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner).push_back(script);
    }

    /// The bodies of all calls so far.
    pub fn calls(&self) -> Vec<Value> {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys that came with all calls so far, those for the list of models included.
    pub fn keys(&self) -> Vec<String> {
        self.shared.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes only these keys from now on; all others are refused with 401.
    pub fn accept_only(&self, keys: &[&str]) {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        *self.shared.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }

    /// Waits until the caller of a hanging call went away.
    pub async fn caller_left(&self) {
        self.shared.left.notified().await;
    }
}

impl Shared {
    /// Notes the key of a call; the refusal of one that is not taken.
    fn admit(&self, headers: &HeaderMap) -> Option<Response> {
        let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = bearer.strip_prefix("Bearer ").unwrap_or_default().to_owned();
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = accepted.as_ref().is_some_and(|accepted| !accepted.contains(&key));
        let told =
            json!({ "error": { "message": format!("Incorrect API key: {key}"), "code": "invalid_api_key" } });
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        refused.then(|| (http_status(401), Json(told)).into_response())
    }
}

async fn models(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    shared.admit(&headers).unwrap_or_else(|| Json(json!({ "object": "list", "data": [] })).into_response())
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, Json(call): Json<Value>) -> Response {
    if let Some(refusal) = shared.admit(&headers) {
        return refusal;
    }
    let streamed = call["stream"].as_bool().unwrap_or(false);
    shared.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
    let script = shared.scripts.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let script = script.unwrap_or_else(|| Script::Say(vec!["Hello ", "from ", "the ", "model."]));
    match script {
        Script::Refuse(status) => {
            let status = http_status(status);
            (status, Json(json!({ "error": { "message": "scripted", "type": "scripted" } }))).into_response()
        }
        Script::Say(pieces) | Script::Break(pieces) if !streamed => Json(json!({
            "id": "scripted", "object": "chat.completion", "model": call["model"],
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": pieces.concat() } }],
            "usage": { "prompt_tokens": 10, "completion_tokens": pieces.len(), "total_tokens": 10 + pieces.len() },
        }))
        .into_response(),
        Script::Say(pieces) => {
            let usage = json!({ "id": "scripted", "model": call["model"], "choices": [],
                "usage": { "prompt_tokens": 10, "completion_tokens": pieces.len(), "total_tokens": 10 + pieces.len() } });
            let end = json!({ "id": "scripted", "model": call["model"], "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
            let chunks: Vec<Result<String, std::io::Error>> =
                pieces.iter().map(|piece| Ok(chunk(&call, piece))).chain([Ok(line(&end)), Ok(line(&usage)), Ok("data: [DONE]\n\n".to_owned())]).collect();
            events(Body::from_stream(stream::iter(chunks)))
        }
        Script::Break(pieces) => {
            let chunks: Vec<String> = pieces.iter().map(|piece| chunk(&call, piece)).collect();
            let state = Some(chunks.concat());
            events(Body::from_stream(stream::unfold((state, false), |(pieces, broken)| async move {
                match pieces {
                    Some(pieces) => Some((Ok(pieces), (None, false))),
                    None if broken => None,
                    None => {
                        // The server writes what it has when a body pauses; only then does the connection break.
                        tokio::task::yield_now().await;
                        Some((Err(std::io::Error::other("scripted")), (None, true)))
                    }
                }
            })))
        }
        Script::Hang(piece) => {
            let leaving = Leaving(Arc::clone(&shared));
            let first = chunk(&call, piece);
            let state = (Some(first), leaving);
            events(Body::from_stream(stream::unfold(state, |(first, leaving)| async move {
                match first {
                    Some(first) => Some((Ok::<_, std::io::Error>(first), (None, leaving))),
                    None => std::future::pending().await,
                }
            })))
        }
    }
}

/// Tells the test when a hanging call's connection is gone.
struct Leaving(Arc<Shared>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.left.notify_one();
    }
}

fn chunk(call: &Value, piece: &str) -> String {
    line(
        &json!({ "id": "scripted", "model": call["model"], "choices": [{ "index": 0, "delta": { "content": piece } }] }),
    )
}

fn line(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn events(body: Body) -> Response {
    ([("content-type", "text/event-stream")], body).into_response()
}

fn http_status(status: u16) -> axum::http::StatusCode {
    axum::http::StatusCode::from_u16(status).expect("a status")
}

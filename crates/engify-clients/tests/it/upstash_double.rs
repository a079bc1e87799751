//! Upstash's REST in front of a real Redis, as its own client expects it: one command at `/`, many at `/pipeline` and
//! `/multi-exec`, replies as base64 where they are asked for so, a token on every route.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The one token that opens it.
pub(crate) const TOKEN: &str = "AX-token-0123456789";

/// What it answers instead, once it is told to.
type Whim = Arc<Mutex<Option<(StatusCode, &'static str)>>>;

/// The server; it ends with the test's runtime.
pub(crate) struct Upstash {
    pub(crate) url: String,
    whim: Whim,
}

#[derive(Clone)]
struct Inner {
    redis: MultiplexedConnection,
    whim: Whim,
}

impl Upstash {
    /// Stands in front of the Redis on this port.
    pub(crate) async fn in_front_of(port: u16) -> Self {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        let redis = client.get_multiplexed_async_connection().await.unwrap();
        let whim = Whim::default();
        let inner = Inner { redis, whim: Arc::clone(&whim) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(inner);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, whim }
    }

    /// From now on it answers everybody with this, whatever is asked.
    pub(crate) fn answers(&self, status: u16, body: &'static str) {
        *self.whim.lock().unwrap() = Some((StatusCode::from_u16(status).unwrap(), body));
    }
}

async fn answer(State(mut inner): State<Inner>, request: Request) -> Response {
    let whim = *inner.whim.lock().unwrap();
    if let Some(whim) = whim {
        return whim.into_response();
    }
    let (head, body) = request.into_parts();
    let refusal = |status: StatusCode, said: &str| (status, Json(json!({ "error": said }))).into_response();
    let token = head.headers.get("authorization").map(|value| value.to_str().unwrap());
    if token != Some(&format!("Bearer {TOKEN}")) {
        return refusal(StatusCode::UNAUTHORIZED, "WRONGPASS invalid or missing auth token");
    }
    let body = axum::body::to_bytes(body, 8 << 20).await.unwrap();
    let base64 = wants_base64(&head.headers);
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return refusal(StatusCode::BAD_REQUEST, "ERR failed to parse the request body as JSON");
    };
    match head.uri.path() {
        "/" => {
            match inner.redis.req_packed_command(&command(&body)).await.and_then(redis::Value::extract_error)
            {
                Ok(value) => Json(json!({ "result": shown(value, base64) })).into_response(),
                Err(fault) => refusal(StatusCode::BAD_REQUEST, &said(&fault)),
            }
        }
        path @ ("/pipeline" | "/multi-exec") => {
            let mut pipe = redis::pipe();
            for one in body.as_array().unwrap() {
                pipe.add_command(command(one));
            }
            if path == "/multi-exec" {
                pipe.atomic();
            }
            // An error of one command is its own answer, not everybody's.
            pipe.ignore_errors();
            match pipe.query_async::<redis::Value>(&mut inner.redis).await {
                Ok(redis::Value::Array(values)) => {
                    let one = |value: redis::Value| match value.extract_error() {
                        Ok(value) => json!({ "result": shown(value, base64) }),
                        Err(fault) => json!({ "error": said(&fault) }),
                    };
                    Json(values.into_iter().map(one).collect::<Vec<_>>()).into_response()
                }
                Ok(other) => panic!("no list: {other:?}"),
                Err(fault) => refusal(StatusCode::BAD_REQUEST, &said(&fault)),
            }
        }
        _ => refusal(StatusCode::NOT_FOUND, "ERR no such route"),
    }
}

fn wants_base64(headers: &HeaderMap) -> bool {
    headers.get("upstash-encoding").is_some_and(|value| value == "base64")
}

fn command(words: &Value) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    for word in words.as_array().unwrap() {
        match word {
            Value::String(text) => command.arg(text),
            other => command.arg(other.to_string()),
        };
    }
    command
}

fn said(fault: &redis::RedisError) -> String {
    match fault.clone().into_server_errors().as_deref() {
        Some([(_, error), ..]) => format!("{} {}", error.code(), error.details().unwrap_or_default()),
        _ => panic!("the Redis behind it failed: {fault}"),
    }
}

fn shown(value: redis::Value, base64: bool) -> Value {
    let text = |bytes: &[u8]| match base64 {
        true => STANDARD.encode(bytes),
        false => String::from_utf8_lossy(bytes).into_owned(),
    };
    match value {
        redis::Value::Nil => Value::Null,
        redis::Value::Int(count) => json!(count),
        redis::Value::Okay => json!("OK"),
        redis::Value::SimpleString(said) => json!(text(said.as_bytes())),
        redis::Value::BulkString(bytes) => json!(text(&bytes)),
        redis::Value::Array(values) => values.into_iter().map(|value| shown(value, base64)).collect(),
        other => panic!("no answer of REST's: {other:?}"),
    }
}

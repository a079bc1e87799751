//! A provider whose every byte is scripted: it notes what it is asked and answers as the test says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use engify_clients::ai::{self, Caller, CallerOptions, Endpoint, Event, EventStream, Failure, Provider};
use engify_core::{Clock, Ids, Secret, Time};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A key that must never show up anywhere but in its header.
pub(crate) const KEY: &str = "sk-test-0123456789abcdef";

/// Long enough never to matter.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// One request, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
    /// The body as it is.
    pub(crate) text: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

type Script = dyn Fn(usize, &Seen) -> Response + Send + Sync;

#[derive(Clone)]
struct Inner {
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Script>,
}

/// The server; it ends with the test's runtime.
pub(crate) struct Double {
    pub(crate) address: String,
    inner: Inner,
    connections: Arc<AtomicUsize>,
}

impl Double {
    /// Answers the n-th request (from 0) with what `script` makes of it.
    pub(crate) async fn start(script: impl Fn(usize, &Seen) -> Response + Send + Sync + 'static) -> Self {
        let inner = Inner { seen: Arc::default(), script: Arc::new(script) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let listener = listener.tap_io(move |stream| {
            stream.set_nodelay(true).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        });
        let app = Router::new().fallback(answer).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, inner, connections }
    }

    /// Answers every request with the same JSON.
    pub(crate) async fn json(status: u16, body: Value) -> Self {
        Self::start(move |_, _| json(status, &body)).await
    }

    /// What it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The one request there was.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "one request was expected: {seen:#?}");
        seen[0].clone()
    }

    /// The way to it, as `provider` with [`KEY`].
    pub(crate) fn endpoint(&self, provider: Provider) -> Endpoint {
        Endpoint::new(provider, &self.address, Some(Secret::new(KEY.to_owned()))).unwrap()
    }
}

async fn answer(State(inner): State<Inner>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        text: String::from_utf8_lossy(&body).into_owned(),
    };
    let number = {
        let mut all = inner.seen.lock().unwrap();
        all.push(seen.clone());
        all.len() - 1
    };
    (inner.script)(number, &seen)
}

/// An answer in one piece of JSON.
pub(crate) fn json(status: u16, body: &Value) -> Response {
    text(status, "application/json", body.to_string())
}

/// An answer in one piece.
pub(crate) fn text(status: u16, kind: &str, body: impl Into<Body>) -> Response {
    Response::builder().status(status).header("content-type", kind).body(body.into()).unwrap()
}

/// How a stream of the double ends.
#[derive(Clone)]
pub(crate) enum Ending {
    /// As it should.
    Close,
    /// The connection breaks, perhaps before the last chunk has left.
    Break,
    /// The connection breaks when the test says that it has seen the chunks.
    BreakAfter(Arc<Notify>),
    /// It never does.
    Hang,
}

/// Server-sent events, each of `chunks` written to the wire on its own.
pub(crate) fn events<C: Into<Bytes>>(chunks: impl IntoIterator<Item = C>, ending: Ending) -> Response {
    let chunks: Vec<_> = chunks.into_iter().map(|chunk| Ok(chunk.into())).collect();
    let last: std::pin::Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>> = match ending {
        Ending::Close => Box::pin(stream::empty()),
        Ending::Break => Box::pin(stream::iter([Err(std::io::Error::other("cut"))])),
        Ending::BreakAfter(seen) => Box::pin(stream::once(async move {
            seen.notified().await;
            Err(std::io::Error::other("cut"))
        })),
        Ending::Hang => Box::pin(stream::pending()),
    };
    // A turn of the runtime between two chunks lets the first one be written before the next is there.
    let spaced = stream::iter(chunks).then(|chunk| async {
        tokio::task::yield_now().await;
        chunk
    });
    text(200, "text/event-stream", Body::from_stream(spaced.chain(last)))
}

/// `data:` events of JSON, one chunk each.
pub(crate) fn data(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// A caller that waits hardly at all between tries.
pub(crate) fn caller() -> Caller {
    caller_with(|_| {})
}

/// The same, with options changed.
pub(crate) fn caller_with(change: impl FnOnce(&mut CallerOptions)) -> Caller {
    let clock = Clock::fixed("2026-11-22T18:00:00.000Z".parse::<Time>().unwrap());
    let mut options = CallerOptions {
        backoff: Duration::from_millis(1),
        poll: Duration::from_millis(1),
        ..CallerOptions::default()
    };
    change(&mut options);
    Caller::new(options, Ids::seeded(clock.clone(), 7), clock).unwrap()
}

/// A prompt as the tests ask it.
pub(crate) fn hello() -> ai::Request {
    ai::Request::prompt("some-model", "Hello?")
}

/// Asks for the whole answer.
pub(crate) async fn complete(double: &Double, provider: Provider) -> Result<ai::Completion, Failure> {
    caller().complete(&double.endpoint(provider), &hello(), LONG, LONG).await
}

/// Asks for a stream.
pub(crate) async fn stream(double: &Double, provider: Provider) -> Result<EventStream, Failure> {
    caller().stream(&double.endpoint(provider), &hello(), LONG, LONG).await
}

/// Everything a stream says: the text, and how it ended.
pub(crate) async fn drain(mut stream: EventStream) -> (String, Result<Event, Failure>) {
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Delta(piece)) => {
                assert!(!piece.is_empty(), "an empty delta says nothing");
                text.push_str(&piece);
            }
            last => {
                assert!(stream.next().await.is_none(), "nothing follows the end");
                return (text, last);
            }
        }
    }
    panic!("the stream ended without an end after {text:?}");
}

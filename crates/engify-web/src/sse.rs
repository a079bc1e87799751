//! Server-sent events: the frames of a run as `delta`, `done` and `error`, each sent as it comes.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use engify_app::ai::{Frame, Frames};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue};
use serde_json::json;

use crate::reply::FailureBody;

/// Events that come whenever something happens, as an event stream that begins at once and stays open.
pub(crate) fn events(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let begun = stream::once(async { Event::default().comment("begun") });
    let events = begun.chain(events).map(Ok::<_, Infallible>);
    unbuffered(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// A run's frames as an event stream.
pub(crate) fn reply(frames: Frames, request_id: String) -> Response {
    let events = frames.map(move |frame| Ok::<_, Infallible>(event(frame, &request_id)));
    unbuffered(
        Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response(),
    )
}

/// Proxies that buffer by default are told not to.
fn unbuffered(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn event(frame: Frame, request_id: &str) -> Event {
    let (name, data) = match frame {
        Frame::Delta(text) => ("delta", json!({ "text": text })),
        Frame::Done(answer) => ("done", json!(*answer)),
        Frame::Failed(error) => ("error", json!(FailureBody::new(&error, request_id))),
    };
    Event::default().event(name).data(data.to_string())
}

//! A request's body that is read to its end, also where nobody wants it any more. Whoever is refused while still sending would
//! find the connection cut, for that is what a system does with one that is closed on what was not read, and the refusal
//! with it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::StreamExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;

/// The most that is read past; beyond it the connection is cut after all. Bytes.
const MOST: usize = 64 * 1024 * 1024;
/// How long reading past may take.
const LONGEST: Duration = Duration::from_secs(30);

/// A body whose rest is read and thrown away when it is dropped; none once it has ended.
pub(super) struct Heard(Option<Incoming>);

impl Heard {
    pub(super) fn new(body: Incoming) -> Self {
        Self(Some(body))
    }
}

impl Body for Heard {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let rest = self.0.take().filter(|body| !body.is_end_stream());
        // Where the runtime is going away, so is the connection.
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LONGEST, skip(rest)));
        }
    }
}

async fn skip(body: Incoming) {
    let (mut rest, mut left) = (axum::body::Body::new(body).into_data_stream(), MOST);
    while let Some(Ok(bytes)) = rest.next().await {
        match left.checked_sub(bytes.len()) {
            Some(fewer) => left = fewer,
            None => return,
        }
    }
}

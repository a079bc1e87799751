//! Connections: HTTP/1.1 by hyper, with the bounds that axum's own `serve` does not let us set.
//!
//! TCP_NODELAY is on, so that a word of an answer never waits for an acknowledgement. Whoever is slow to say what they
//! want, says too much of it, or is one too many, waits or goes. HTTP/2 and TLS are the business of a proxy in front.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, EXPECT, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower::Service;

use self::crowd::Crowd;
use self::heard::Heard;
use self::patience::Patient;
use super::ending::Ending;

mod crowd;
mod heard;
mod patience;

/// What a connection may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Open at once; further ones wait in the system's queue.
    connections: usize,
    /// Open at once from one address; further ones are closed.
    of_one: usize,
    /// How long a reply waits for its caller to read on.
    unread: Duration,
    /// From the connection, or from the last reply, to the end of the next request's header.
    header: Duration,
    /// Bytes of a request's header.
    header_size: usize,
    /// Bytes read or written at once.
    buffer: usize,
}

impl Limits {
    /// 4096 connections, a quarter of them from one address; 10 s for a header of at most 64 KiB and 100 fields; 30 s
    /// for a caller to read on. Behind a proxy all connections come from one address, and a header may take 75 s: the proxy has
    /// read it already, and keeps connections for a minute, which must not end under its next request.
    pub(super) fn new(behind_proxy: bool) -> Self {
        let header = Duration::from_secs(if behind_proxy { 75 } else { 10 });
        Self {
            connections: 4096,
            of_one: if behind_proxy { 4096 } else { 1024 },
            unread: Duration::from_secs(30),
            header,
            header_size: 64 * 1024,
            buffer: 128 * 1024,
        }
    }
}

/// How long to wait after the system refused a connection: for files to be closed.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers requests: what a connection is given.
pub(super) trait Answers:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Answers for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Answers until the doors close, then waits at most `drain` for the requests under way. Returns how many connections
/// were cut.
pub(super) async fn serve(
    listener: TcpListener,
    service: impl Answers,
    limits: Limits,
    ending: Ending,
    drain: Duration,
) -> usize {
    let places = Arc::new(Semaphore::new(limits.connections));
    let crowd = Crowd::new(limits.of_one);
    let open = TaskTracker::new();
    loop {
        let next = match ending.closing().run_until_cancelled(accept(&listener, &places)).await {
            Some(next) => next,
            // Those who knocked before the doors closed are let in: the system would turn them away.
            None => match accept(&listener, &places).now_or_never() {
                Some(next) => next,
                None => break,
            },
        };
        let Some((stream, peer, place)) = next else { continue };
        let Some(own) = crowd.enter(peer.ip().to_canonical()) else {
            tracing::debug!(connection.address = %peer.ip(), "connection.one_too_many");
            continue;
        };
        let connection = connection(stream, peer, service.clone(), limits, ending.clone());
        open.spawn(async move {
            connection.await;
            drop((place, own));
        });
    }
    drop(listener);
    open.close();
    tracing::info!(connections = open.len(), "server.draining");
    // The error says that some are left; how many is what the caller wants to know.
    let _ = tokio::time::timeout(drain, open.wait()).await;
    open.len()
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(error = %error, "connection.nodelay_refused");
            }
            Some((stream, peer, place))
        }
        Err(error) if is_gone(&error) => None,
        Err(error) => {
            tracing::error!(error = %error, "server.accept_failed: are too many files open?");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

/// The caller left before we looked.
fn is_gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: impl Answers,
    limits: Limits,
    ending: Ending,
) {
    let stages = ending.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = taken(request);
        request.extensions_mut().insert(ConnectInfo(peer));
        let (reply, stages) = (service.clone().call(request), stages.clone());
        async move {
            let mut response = reply.await?;
            if stages.is_told() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_header_size(limits.header_size)
        .max_buf_size(limits.buffer)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.unread)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        // A request that is here already is taken before the doors close.
        biased;
        ended = connection.as_mut() => ended,
        () = ending.closing().cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "connection.broken");
    }
}

/// A request whose body is heard to its end. Who asks first whether to send it reads the answer before, and is not asked to
/// send what nobody wants.
fn taken(request: Request<Incoming>) -> Request {
    if request.headers().contains_key(EXPECT) {
        return request.map(Body::new);
    }
    request.map(|body| Body::new(Heard::new(body)))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    struct Served {
        address: SocketAddr,
        ending: Ending,
        end: JoinHandle<usize>,
    }

    impl Served {
        async fn start(router: Router, limits: Limits, drain: Duration) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let ending = Ending::default();
            let end = tokio::spawn(serve(listener, router, limits, ending.clone(), drain));
            Self { address, ending, end }
        }

        /// Sends these bytes; the connection goes on.
        async fn send(&self, text: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            stream
        }
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut reply = String::new();
        // A reset is an end as well.
        let _ = stream.read_to_string(&mut reply).await;
        reply
    }

    fn limits() -> Limits {
        Limits::new(false)
    }

    /// Answers once it is let go, and tells when it was asked.
    fn held() -> (Router, Arc<Notify>, Arc<Notify>) {
        let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (Arc::clone(&asked), Arc::clone(&go));
        let handler = move || async move {
            tell.notify_one();
            wait.notified().await;
            "done"
        };
        (Router::new().route("/", get(handler)), asked, go)
    }

    const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test]
    async fn words_do_not_wait_for_acknowledgements() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _, _) = accept(&listener, &Arc::new(Semaphore::new(1))).await.unwrap();
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_caller_who_does_not_finish_the_header_is_let_go() {
        let limits = Limits { header: SOON, ..limits() };
        let served = Served::start(Router::new(), limits, SOON).await;
        let slow = served.send("GET / HTTP/1.1\r\nhost:").await;
        let silent = served.send("").await;
        assert!(!rest(slow).await.contains("200"));
        assert_eq!(rest(silent).await, "");
    }

    #[tokio::test]
    async fn a_header_that_is_too_large_is_refused() {
        let served = Served::start(Router::new(), limits(), SOON).await;
        let large = format!("GET / HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\r\n", "a".repeat(70 * 1024));
        let reply = rest(served.send(&large).await).await;
        assert!(reply.starts_with("HTTP/1.1 431"), "{reply}");
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_before_the_end() {
        let (router, asked, go) = held();
        let served = Served::start(router, limits(), Duration::from_secs(10)).await;
        let stream = served.send(GET).await;
        let idle = served.send("").await;
        asked.notified().await;
        served.ending.close();
        go.notify_one();
        let reply = rest(stream).await;
        assert!(reply.ends_with("done"), "{reply}");
        assert_eq!(rest(idle).await, "");
        assert_eq!(served.end.await.unwrap(), 0);
        assert!(TcpStream::connect(served.address).await.is_err(), "nobody is let in any more");
    }

    #[tokio::test]
    async fn who_was_told_answers_on_and_closes_each_connection_with_its_reply() {
        let router = Router::new().route("/", get(|| async { "done" }));
        let served = Served::start(router, limits(), Duration::from_secs(10)).await;
        let idle = served.send("").await;
        served.ending.tell();
        let mut idle = idle;
        idle.write_all(GET.as_bytes()).await.unwrap();
        for stream in [idle, served.send(GET).await] {
            let reply = rest(stream).await;
            assert!(reply.contains("connection: close\r\n") && reply.ends_with("done"), "{reply}");
        }
        served.ending.close();
        assert_eq!(served.end.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_request_that_does_not_end_is_cut_at_the_bound() {
        let (router, asked, _go) = held();
        let served = Served::start(router, limits(), SOON).await;
        let _stream = served.send(GET).await;
        asked.notified().await;
        served.ending.close();
        assert_eq!(served.end.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn one_address_does_not_take_every_place() {
        let (router, asked, go) = held();
        let served = Served::start(router, Limits { of_one: 1, ..limits() }, SOON).await;
        let first = served.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        asked.notified().await;
        let mut second = TcpStream::connect(served.address).await.unwrap();
        let mut byte = [0];
        assert!(matches!(second.read(&mut byte).await, Ok(0) | Err(_)), "the second is closed at once");
        go.notify_one();
        assert!(rest(first).await.ends_with("done"));
        let third = served.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        asked.notified().await;
        go.notify_one();
        assert!(rest(third).await.ends_with("done"));
    }

    #[tokio::test]
    async fn a_caller_who_does_not_read_is_let_go() {
        let large = || async { "x".repeat(64 * 1024 * 1024) };
        let router = Router::new().route("/", get(large));
        let served =
            Served::start(router, Limits { unread: SOON, ..limits() }, Duration::from_secs(10)).await;
        let stream = served.send(GET).await;
        let mut byte = [0];
        stream.peek(&mut byte).await.unwrap();
        served.ending.close();
        // Nothing is read: the reply ends by the server's patience, well before the drain's end.
        assert_eq!(tokio::time::timeout(Duration::from_secs(8), served.end).await.unwrap().unwrap(), 0);
        drop(stream);
    }

    #[tokio::test]
    async fn a_refusal_reaches_who_is_still_sending() {
        let (router, asked, go) = held();
        let served = Served::start(router.fallback(|| async { "refused" }), limits(), SOON).await;
        let head = "POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n";
        let mut stream = served.send(head).await;
        let mut byte = [0];
        stream.peek(&mut byte).await.unwrap();
        stream.write_all(&vec![b'x'; 10_000_000]).await.expect("all of it is taken");
        // The connection serves on, as one does whose request was read.
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        asked.notified().await;
        go.notify_one();
        let reply = rest(stream).await;
        assert!(reply.contains("refused") && reply.ends_with("done"), "{reply}");
    }

    #[tokio::test]
    async fn one_connection_too_many_waits_for_a_place() {
        let (router, asked, go) = held();
        let served = Served::start(router, Limits { connections: 1, ..limits() }, SOON).await;
        let first = served.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        asked.notified().await;
        let second = served.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let early = tokio::time::timeout(SOON, asked.notified()).await;
        assert!(early.is_err(), "the second got in beside the first");
        go.notify_one();
        assert!(rest(first).await.ends_with("done"));
        asked.notified().await;
        go.notify_one();
        assert!(rest(second).await.ends_with("done"));
    }
}

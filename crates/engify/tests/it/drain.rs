//! A server that is told to stop while it is busy: nobody notices who looks at its readiness, as load balancers do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::engify::Engify;
use crate::serve::Server;

/// Callers at once.
const CALLERS: usize = 8;
/// How often the balancer asks a server that is not ready before it believes it.
const SLOW: usize = 50;

/// What one caller saw.
#[derive(Default)]
struct Seen {
    good: usize,
    /// Replies that said that the connection ends with them.
    last_of_connection: usize,
    failures: Vec<String>,
}

/// A connection that is kept, as a load balancer keeps it.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Status, and whether the connection stays.
    fn get(&mut self, path: &str) -> std::io::Result<(u16, bool)> {
        write!(self.0.get_mut(), "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        let (mut status, mut length, mut stays) = (0, 0, true);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            } else if line == "connection: close" {
                stays = false;
            } else if line.is_empty() {
                let mut body = vec![0; length];
                self.0.read_exact(&mut body)?;
                return Ok((status, stays));
            }
        }
    }
}

/// Asks until the balancer sends nobody here any more.
fn call(port: u16, away: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut kept = None;
    while !away.load(SeqCst) {
        let reply = kept.take().map_or_else(|| Connection::open(port), Ok).and_then(|mut connection| {
            let (status, stays) = connection.get("/api/prompts?limit=5")?;
            Ok((connection, status, stays))
        });
        match reply {
            Ok((connection, 200, true)) => (seen.good, kept) = (seen.good + 1, Some(connection)),
            Ok((_, 200, false)) => {
                (seen.good, seen.last_of_connection) = (seen.good + 1, seen.last_of_connection + 1)
            }
            Ok((_, status, _)) => seen.failures.push(format!("status {status}")),
            Err(error) => seen.failures.push(error.to_string()),
        }
    }
    seen
}

#[test]
#[cfg(unix)]
fn told_to_stop_under_load_it_fails_no_request() {
    let engify = Engify::new();
    let server = Server::start(&engify);
    let (port, away) = (server.port, AtomicBool::new(false));
    let is_ready =
        || Connection::open(port).and_then(|mut one| one.get("/api/health/ready")).map(|(status, _)| status);
    let (seen, noticed, ended) = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| call(port, &away))).collect();
        assert_eq!(is_ready().unwrap(), 200);
        let told = Instant::now();
        let ending = scope.spawn(move || server.terminate());
        while is_ready().unwrap() == 200 {}
        let noticed = told.elapsed();
        // A balancer believes it the second time, and until then sends requests.
        for _ in 0..SLOW {
            assert_eq!(is_ready().unwrap(), 503, "it says so for as long as it listens");
        }
        away.store(true, SeqCst);
        let seen: Vec<Seen> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        let (_, log, code) = ending.join().unwrap();
        assert_eq!(code, Some(0), "{log}");
        (seen, noticed, told.elapsed())
    });
    let failures: Vec<&String> = seen.iter().flat_map(|one| &one.failures).collect();
    let sum = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>();
    let good = sum(|one| one.good);
    eprintln!(
        "{good} requests by {CALLERS} callers, {} failed; not ready after {noticed:?}, ended after {ended:?}",
        failures.len()
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert!(sum(|one| one.last_of_connection) > 0, "nobody was asked to come back elsewhere");
    assert!(good > CALLERS);
    assert!(ended < Duration::from_secs(20), "{ended:?}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
#[cfg(unix)]
fn at_the_keyboard_there_is_no_grace() {
    let engify = Engify::new().with("ENGIFY_STOP_GRACE_SECONDS", "60");
    let server = Server::start(&engify);
    let told = Instant::now();
    let (_, log, code) = server.signalled("-INT");
    assert_eq!(code, Some(0), "{log}");
    assert!(told.elapsed() < Duration::from_secs(20), "{:?}", told.elapsed());
}

//! `engify serve`: ready, answering, and gone when told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};

use crate::engify::{Engify, read_until};

/// A server that ends with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    announced: String,
}

impl Server {
    pub(crate) fn start(engify: &Engify) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = engify.start(&["serve", "--port", &port.to_string()]);
        drop(child.stdin.take());
        let announced = read_until(child.stdout.as_mut().unwrap(), ")\n");
        Self { child, port, announced }
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    /// The reply to a method and a path with a body of JSON.
    pub(crate) fn ask(&self, what: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let headers = "host: localhost\r\nconnection: close\r\ncontent-type: application/json";
        write!(stream, "{what} HTTP/1.1\r\n{headers}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    /// Sends SIGTERM; returns what was still said on stdout and stderr, and the exit code.
    #[cfg(unix)]
    pub(crate) fn terminate(self) -> (String, String, Option<i32>) {
        self.signalled("-TERM")
    }

    /// The same with any signal.
    #[cfg(unix)]
    pub(crate) fn signalled(mut self, signal: &str) -> (String, String, Option<i32>) {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (out, err, self.child.wait().unwrap().code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended long ago, and that is what most tests want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[cfg(unix)]
fn it_serves_tells_the_setup_link_once_and_ends_when_told() {
    let engify = Engify::new().with("ENGIFY_STOP_GRACE_SECONDS", "0");
    let server = Server::start(&engify);
    assert!(server.announced.contains(&format!("http://localhost:{}", server.port)), "{}", server.announced);
    let live = server.get("/api/health/live");
    assert!(live.starts_with("HTTP/1.1 200"), "{live}");
    let begun = std::time::Instant::now();
    let (said, log, code) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "an idle server has nothing to wait for");
    assert_eq!(said.matches("/setup?token=").count(), 1, "{said}");
    let token = said.split("token=").nth(1).unwrap().trim();
    assert!(!log.contains(token), "{log}");
    for line in log.lines().filter(|line| line.starts_with('{')) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["message"].is_string() && line["timestamp"].is_string());
    }
    assert!(log.contains("\"server.stopped\""), "{log}");
}

#[test]
#[cfg(unix)]
fn there_is_no_setup_link_once_there_is_an_administrator() {
    let engify = Engify::new().with("ENGIFY_STOP_GRACE_SECONDS", "0");
    let args = ["admin", "setup", "--email", "ana@example.com", "--name", "Ana", "--password-stdin"];
    engify.run_with(&args, "a long and winding road 1\n").ended(0);
    let (said, _, code) = Server::start(&engify).terminate();
    assert_eq!((said.as_str(), code), ("", Some(0)));
}

#[test]
fn a_taken_port_is_named_with_another_to_choose() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let engify = Engify::new().with("PORT", &port.to_string());
    let said = engify.run(&["serve"]).fails_with(&format!("Port {port} on 127.0.0.1 is taken"));
    assert!(said.stderr.contains("engify serve --port"), "{said:?}");
    assert!(!engify.path("data").exists(), "a server that cannot listen touches no data");
    engify.run(&["serve", "--host", "203.0.113.1"]).fails_with("This machine has no address 203.0.113.1");
}

#[test]
#[cfg(unix)]
fn a_command_works_beside_a_running_server() {
    let engify = Engify::new().with("ENGIFY_STOP_GRACE_SECONDS", "0");
    let server = Server::start(&engify);
    engify.write("new.md", "A prompt that came while the server ran.\n");
    engify.run(&["prompts", "import", "new.md"]).ended(0);
    let (_, list) = engify.report(&["prompts", "list", "--q", "server ran", "--json"]);
    assert_eq!(list["data"][0]["slug"], "new", "{list:#}");
    assert_eq!(server.terminate().2, Some(0));
}

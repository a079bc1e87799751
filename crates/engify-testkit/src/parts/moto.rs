//! moto: a server that speaks S3, empty at each start.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use super::server::{Launch, Server};

/// A running server.
pub struct Moto {
    server: Server,
}

impl Moto {
    /// # Panics
    /// When it is not installed or does not start, with the reason.
    #[must_use]
    pub(super) fn start() -> Self {
        let launch = Launch { name: "moto", program: "moto/bin/moto_server", grace: 0, scratch: None };
        let server = Server::start(&launch, |command, port| {
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        });
        Self { server }
    }

    /// Its address for `AWS_ENDPOINT_URL`. Any credentials do.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Makes a bucket.
    ///
    /// # Panics
    /// When the server does not make it.
    pub fn make_bucket(&self, name: &str) {
        let request = format!(
            "PUT /{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let mut answer = String::new();
        let asked = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server.port)).and_then(|mut stream| {
            stream.write_all(request.as_bytes())?;
            stream.read_to_string(&mut answer)
        });
        assert!(asked.is_ok() && answer.contains(" 200 "), "no bucket: {asked:?} {answer}");
    }
}

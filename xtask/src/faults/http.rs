//! Just enough of an HTTP client for a load: one connection, kept as browsers keep it.

use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::server::here;

/// How long a caller waits, as patient people do.
const PATIENCE: Duration = Duration::from_secs(15);

/// One caller's end.
pub(super) struct Client {
    address: SocketAddr,
    /// What follows the path of each request: host, cookie.
    headers: String,
    kept: Option<BufReader<TcpStream>>,
}

/// A reply, read whole.
pub(super) struct Reply {
    pub(super) status: u16,
    /// Lower case.
    pub(super) head: String,
    pub(super) body: String,
}

impl Client {
    /// A caller of a site at `http://localhost:…`.
    pub(super) fn of(url: &str) -> Result<Self> {
        let host = url.trim_start_matches("http://");
        let port = host.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "an address without a port"))?;
        Ok(Self { address: here(port), headers: format!("Host: {host}\r\n"), kept: None })
    }

    /// Sends this cookie from now on.
    pub(super) fn keep_cookie(&mut self, cookie: &str) {
        self.headers.push_str(&format!("Cookie: {cookie}\r\n"));
    }

    pub(super) fn get(&mut self, path: &str) -> Result<Reply> {
        // A connection that was closed while it lay idle is no failure; a read may be asked again.
        let was_kept = self.kept.is_some();
        match self.exchange("GET", path, "") {
            Err(error) if was_kept && error.kind() == ErrorKind::UnexpectedEof => {
                self.exchange("GET", path, "")
            }
            reply => reply,
        }
    }

    pub(super) fn post(&mut self, path: &str, json: &str) -> Result<Reply> {
        self.exchange("POST", path, json)
    }

    fn exchange(&mut self, method: &str, path: &str, json: &str) -> Result<Reply> {
        let mut stream = match self.kept.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        let headers = &self.headers;
        let body = match method {
            "GET" => String::new(),
            _ => format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len()),
        };
        // At once: two small packets would wait for each other.
        stream
            .get_mut()
            .write_all(format!("{method} {path} HTTP/1.1\r\n{headers}{body}\r\n{json}").as_bytes())?;
        let reply = read(&mut stream)?;
        if !reply.head.contains("\r\nconnection: close") {
            self.kept = Some(stream);
        }
        Ok(reply)
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Result<Reply> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    head.make_ascii_lowercase();
    let status = head.get(9..12).and_then(|word| word.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    let mut reply = Reply { status, head, body: String::new() };
    let mut body = Vec::new();
    if reply.header("transfer-encoding") == Some("chunked") {
        read_chunks(stream, &mut body)?;
    } else if let Some(length) = reply.header("content-length").and_then(|length| length.parse().ok()) {
        body.resize(length, 0);
        stream.read_exact(&mut body)?;
    } else {
        stream.read_to_end(&mut body)?;
        reply.head.insert_str(reply.head.len() - 2, "\r\nconnection: close");
    }
    reply.body = String::from_utf8(body).map_err(|_| ErrorKind::InvalidData)?;
    Ok(reply)
}

fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim_end(), 16).map_err(|_| ErrorKind::InvalidData)?;
        let begin = body.len();
        // Each chunk, the last one too, ends with an empty line.
        body.resize(begin + size + 2, 0);
        stream.read_exact(&mut body[begin..])?;
        body.truncate(begin + size);
        if size == 0 {
            return Ok(());
        }
    }
}

impl Reply {
    /// The value of a header, in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

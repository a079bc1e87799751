//! Bytes on the wire that no honest client sends: none of them makes one request into two, and none is answered twice.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::engify::Engify;
use crate::serve::Server;

/// What must never be answered: a request hidden in another one's body.
const HIDDEN: &str = "GET /api/hidden HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Sends these bytes and reads until the server closes.
fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The server may have closed before the end.
    let _ = stream.write_all(bytes);
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

fn answers(reply: &str) -> usize {
    reply.matches("HTTP/1.1 ").count()
}

#[test]
fn a_message_of_two_lengths_is_no_two_messages() {
    let engify = Engify::new();
    let server = Server::start(&engify);
    let post = |fields: &str, body: &str| {
        format!(
            "POST /api/auth/signin HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{fields}\r\n{body}"
        )
    };
    let length = HIDDEN.len() + 5;
    for (what, request) in [
        (
            "chunks, then a length",
            post(
                &format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
                &format!("0\r\n\r\n{HIDDEN}"),
            ),
        ),
        (
            "a length, then chunks",
            post(
                &format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
                &format!("0\r\n\r\n{HIDDEN}"),
            ),
        ),
        ("two lengths", post(&format!("content-length: 0\r\ncontent-length: {}\r\n", HIDDEN.len()), HIDDEN)),
        ("a list of lengths", post(&format!("content-length: 0, {}\r\n", HIDDEN.len()), HIDDEN)),
        ("a signed length", post("content-length: +0\r\n", HIDDEN)),
        ("a negative length", post("content-length: -1\r\n", HIDDEN)),
        ("a length in hex", post("content-length: 0x10\r\n", HIDDEN)),
        ("an unknown coding", post("transfer-encoding: xchunked\r\n", &format!("0\r\n\r\n{HIDDEN}"))),
        ("chunked not last", post("transfer-encoding: chunked, identity\r\n", &format!("0\r\n\r\n{HIDDEN}"))),
        (
            "a folded field",
            post(
                &format!("transfer-encoding:\r\n chunked\r\ncontent-length: {length}\r\n"),
                &format!("0\r\n\r\n{HIDDEN}"),
            ),
        ),
        (
            "a space before the colon",
            post("transfer-encoding : chunked\r\ncontent-length: 0\r\n", &format!("0\r\n\r\n{HIDDEN}")),
        ),
        ("a bare return in a value", post("x: a\rcontent-length: 0\r\ncontent-length: 0\r\n", HIDDEN)),
        ("a zero byte in a value", post("x: a\0b\r\ncontent-length: 0\r\n", HIDDEN)),
        (
            "a chunk's length too large",
            post("transfer-encoding: chunked\r\n", &format!("fffffffffffffffff\r\n{HIDDEN}")),
        ),
        ("a chunk's length signed", post("transfer-encoding: chunked\r\n", &format!("-1\r\n{HIDDEN}"))),
    ] {
        let reply = exchange(&server, request.as_bytes());
        assert!(answers(&reply) == 1 && reply.starts_with("HTTP/1.1 4"), "{what}: {reply}");
    }
    let chunked = post("transfer-encoding: chunked\r\nconnection: close\r\n", "2\r\n{}\r\n0\r\n\r\n");
    assert_eq!(answers(&exchange(&server, chunked.as_bytes())), 1, "honest chunks are read");
    let one = "GET /api/health/live HTTP/1.1\r\nhost: localhost\r\n";
    let two = format!("{one}\r\n{one}connection: close\r\n\r\n");
    assert_eq!(answers(&exchange(&server, two.as_bytes())), 2, "honest pipelining is answered");
}

#[test]
fn headers_are_bounded_in_number_and_size_and_other_protocols_are_refused() {
    let engify = Engify::new();
    let server = Server::start(&engify);
    let many = (0..500).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    let long = format!("x: {}\r\n", "a".repeat(100_000));
    for (what, bytes) in [
        ("many fields", format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n")),
        ("a long field", format!("GET / HTTP/1.1\r\nhost: x\r\n{long}\r\n")),
        ("a long address", format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000))),
        ("HTTP/2 by its preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_owned()),
        ("TLS", "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03".to_owned()),
        ("HTTP/0.9", "GET /\r\n\r\n".to_owned()),
        ("noise", "\0\0\0\0\r\n\r\n".to_owned()),
    ] {
        let reply = exchange(&server, bytes.as_bytes());
        assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 4"), "{what}: {reply}");
    }
    assert!(server.get("/api/health/live").starts_with("HTTP/1.1 200"), "it goes on");
}

#[test]
fn upgrades_and_tunnels_are_not_offered() {
    let engify = Engify::new();
    let server = Server::start(&engify);
    let clear = "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let reply = exchange(&server, clear.as_bytes());
    assert!(reply.starts_with("HTTP/1.1 200") && answers(&reply) == 1, "{reply}");
    for method in ["CONNECT example.com:443", "TRACE /"] {
        let reply = exchange(
            &server,
            format!("{method} HTTP/1.1\r\nhost: x\r\nx-echo: secret-echo\r\nconnection: close\r\n\r\n")
                .as_bytes(),
        );
        assert!(reply.starts_with("HTTP/1.1 4") && !reply.contains("secret-echo"), "{method}: {reply}");
    }
}

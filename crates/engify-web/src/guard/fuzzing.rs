//! The headers of a request that decide who asks, for fuzzers. See [`crate::fuzzing`].

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{HeaderName, HeaderValue, Method, Request};

use super::{address, back, cookie, place, session_cookie, text};
use crate::coding::Coding;

/// Lines `name: value`. Whatever they say, a caller comes from an address, goes on within this site, and is sent nothing
/// that they refused.
pub fn request_headers(bytes: &[u8]) {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(line[..colon].trim_ascii());
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            request.headers_mut().append(name, value);
        }
    }
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 7], 4711))));
    let (parts, ()) = request.into_parts();
    for proxies in [0, 1, 2, 255] {
        let from = address(&parts, proxies);
        let parsed = from.parse::<IpAddr>();
        assert!(parsed.is_ok_and(|ip| ip.to_canonical() == ip && ip.to_string() == from), "{from:?}");
        assert!(proxies > 0 || from == "203.0.113.7", "hearsay without a proxy: {from}");
        let place = place(&parts.headers, proxies);
        assert!(place.as_ref().is_none_or(|it| proxies > 0 && it.len() == 2), "{place:?}");
    }
    let next = back(&parts, "/forms");
    assert!(next.starts_with('/') && next.is_ascii(), "{next:?}");
    assert!(session_cookie(&parts.headers, true).is_none_or(|value| !value.contains(';')));
    assert_eq!(session_cookie(&parts.headers, false), cookie(&parts.headers, "engify_session"));
    let accepted = text(&parts.headers, &http::header::ACCEPT_ENCODING).to_ascii_lowercase();
    if let Some(coding) = Coding::chosen(&parts.headers).name() {
        assert!(parts.headers.get_all("accept-encoding").iter().count() > 1 || accepted.contains(coding));
    }
}

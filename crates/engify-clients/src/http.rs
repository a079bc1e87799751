//! The one way this crate makes an HTTP client: rustls with ring, no redirects, no proxy, no Nagle. [`outside`] is for
//! addresses that users give.
//!
//! It refuses to know who is called: addresses, keys and deadlines belong to the caller.

use std::time::Duration;

use reqwest::redirect::Policy;

mod outside;

pub use outside::{Outside, Refused, outside};

/// The longest piece of foreign words that a message of ours may carry, in characters.
const FOREIGN_CHARS: usize = 300;

/// What a client needs to know before its first call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// How long name resolution, TCP and TLS may take together. Default 5 s.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept for the next call. Default 90 s.
    pub pool_idle: Duration,
    /// How many idle connections are kept per host. Default 128.
    pub pool_size: usize,
    /// How long a connection may be silent before the call counts as failed; none where callers set deadlines of their
    /// own. Default none.
    pub stall: Option<Duration>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            pool_idle: Duration::from_secs(90),
            pool_size: 128,
            stall: None,
        }
    }
}

/// Makes ring the process's TLS provider, once; later calls and providers installed by others are left in place.
pub fn install_tls() {
    // The error only says that a provider is there already, and that is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client for outgoing calls. Clones share its connections.
///
/// Redirects are off (a key must not follow one to another host), proxies from the environment are ignored (the
/// environment is read in one place), and `TCP_NODELAY` is on, so that a small request or chunk never waits for an
/// acknowledgement. On a machine without CA certificates the client still serves plain HTTP (a model server of one's
/// own); calls by HTTPS then fail, and a warning says why.
///
/// # Errors
/// Says why TLS cannot be set up at all.
pub fn client(options: ClientOptions) -> Result<reqwest::Client, String> {
    install_tls();
    builder(options)
        .build()
        .or_else(|fault| {
            tracing::warn!(
                tls.fault = chain(&fault),
                "no CA certificates: calls by https will fail; install them (Debian: apt-get install ca-certificates)"
            );
            builder(options).tls_certs_only([]).build()
        })
        .map_err(|fault| format!("cannot set up TLS for outgoing calls: {}", chain(&fault)))
}

fn builder(options: ClientOptions) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("engify/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(options.pool_idle)
        .pool_max_idle_per_host(options.pool_size)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(60))
        .redirect(Policy::none())
        .referer(false)
        .no_proxy();
    match options.stall {
        Some(stall) => builder.read_timeout(stall),
        None => builder,
    }
}

/// An error with its causes on one line, without the address it was about (an address can carry a token).
pub(crate) fn chain(fault: &reqwest::Error) -> String {
    use std::error::Error as _;
    let mut causes = Vec::new();
    let mut next = fault.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    if causes.is_empty() { "no further detail".to_owned() } else { causes.join(": ") }
}

/// Foreign text made safe to show: one line, no control characters, at most 300 characters.
pub(crate) fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(FOREIGN_CHARS * 4));
    let mut kept = 0;
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = kept > 0;
            continue;
        }
        if kept + usize::from(gap) >= FOREIGN_CHARS {
            clean.push('…');
            break;
        }
        if gap {
            clean.push(' ');
            kept += 1;
            gap = false;
        }
        clean.push(c);
        kept += 1;
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_certificates_still_gets_a_client() {
        install_tls();
        install_tls();
        assert!(builder(ClientOptions::default()).tls_certs_only([]).build().is_ok());
    }
}

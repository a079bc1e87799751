//! Where shared memory is, as people may read it.

use std::fmt;

use engify_core::settings;

/// A server and how it is reached, without user, password or token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `redis`, `upstash` or `memory`.
    pub kind: &'static str,
    /// `host:port`, or the address of the REST.
    pub address: String,
    /// Whether the way there is encrypted.
    pub tls: bool,
}

impl Place {
    pub(super) fn server(server: &settings::RedisServer) -> Self {
        let settings::RedisServer { host, port, tls, .. } = server;
        let bracketed =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Self { kind: "redis", address: bracketed, tls: *tls }
    }

    pub(super) fn upstash(rest: &settings::UpstashRest) -> Self {
        Self { kind: "upstash", address: rest.url.clone(), tls: rest.url.starts_with("https://") }
    }

    pub(super) fn memory() -> Self {
        Self { kind: "memory", address: "this process".to_owned(), tls: false }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = match self.kind {
            "redis" => "Redis",
            "upstash" => "Upstash",
            _ => "Memory",
        };
        write!(f, "{label} at {}", self.address)
    }
}

//! redis-server: the memory that replicas share, empty at each start.

use tempfile::TempDir;

use super::server::{Launch, Server};

/// A running server with nothing in it.
pub struct Redis {
    server: Server,
    // Goes after the server, which is declared before it.
    _folder: TempDir,
}

impl Redis {
    /// # Panics
    /// When it is not installed or does not start, with the reason.
    #[must_use]
    pub(super) fn start(args: &[&str]) -> Self {
        let folder = TempDir::with_prefix("engify-redis-")
            .unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let launch =
            Launch { name: "redis-server", program: "redis-server", grace: 0, scratch: Some(folder.path()) };
        let server = Server::start(&launch, |command, port| {
            command
                .current_dir(folder.path())
                .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
                .arg(port.to_string())
                .args(args);
        });
        Self { server, _folder: folder }
    }

    /// Its address for `REDIS_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.server.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port
    }
}

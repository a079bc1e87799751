//! redis-server: the memory that replicas share, empty at each start; killed, frozen and crippled as a test wants.

use std::process::Command;

use tempfile::TempDir;

use super::server::{Launch, Server};

/// A server with nothing in it.
pub struct Redis {
    /// None while it is killed.
    server: Option<Server>,
    port: u16,
    args: Vec<String>,
    // Goes after the server, which is declared before it.
    folder: TempDir,
}

impl Redis {
    /// # Panics
    /// When it is not installed or does not start, with the reason.
    #[must_use]
    pub(super) fn start(args: &[&str]) -> Self {
        let folder = new_folder();
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let launch = launch(&folder);
        let server = Server::start(&launch, |command, port| prepare(command, port, &folder, &args));
        Self { port: server.port, server: Some(server), args, folder }
    }

    /// Its address for `REDIS_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it with -9, as a power cut would.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it again on the same port, empty.
    ///
    /// # Panics
    /// When it does not start, with the reason.
    pub fn restart(&mut self) {
        self.kill();
        // The old one went with the server.
        self.folder = new_folder();
        let launch = launch(&self.folder);
        let (folder, args) = (&self.folder, &self.args);
        let server =
            Server::start_on(self.port, &launch, |command, port| prepare(command, port, folder, args));
        self.server = Some(server);
    }

    /// Freezes it: it keeps its connections and answers nobody.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Says something to it and returns what it answers.
    ///
    /// # Panics
    /// When redis-cli is not installed.
    pub fn say(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli").args(["-p", &port]).args(words).output();
        let output = output.unwrap_or_else(|error| panic!("redis-cli could not be started: {error}"));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid"))
            .unwrap_or_else(|error| panic!("redis-server has no pid: {error}"));
        let sent = Command::new("kill").args([signal, pid.trim()]).status();
        if !sent.is_ok_and(|status| status.success()) {
            panic!("kill {signal} failed");
        }
    }
}

fn new_folder() -> TempDir {
    TempDir::with_prefix("engify-redis-").unwrap_or_else(|error| panic!("no temporary folder: {error}"))
}

fn launch(folder: &TempDir) -> Launch<'_> {
    Launch { name: "redis-server", program: "redis-server", grace: 0, scratch: Some(folder.path()) }
}

fn prepare(command: &mut Command, port: u16, folder: &TempDir, args: &[String]) {
    command
        .current_dir(folder.path())
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--pidfile", "pid", "--port"])
        .arg(port.to_string())
        .args(args);
}

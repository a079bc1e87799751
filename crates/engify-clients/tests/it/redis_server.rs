//! A redis-server of a test's own: on a free port, frozen and killed as the test wants, gone when the test is.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engify_clients::kv::{CircuitOptions, Failure, Kv, KvOptions};
use engify_core::settings::{self, RedisServer, UpstashRest};
use engify_core::{Clock, Ids, Secret};
use tempfile::TempDir;
use tokio::time::{Instant, interval, timeout};

use crate::parts::part;

/// How long anything may take on a machine that compiles something else beside it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    args: Vec<String>,
    dir: TempDir,
    child: Option<Child>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with further arguments.
    pub(crate) async fn with(args: &[&str]) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let args = args.iter().map(ToString::to_string).collect();
        let mut server = Self { port, args, dir: tempfile::tempdir().unwrap(), child: None };
        server.restart().await;
        server
    }

    /// Kills it with -9, as a power cut would.
    pub(crate) async fn kill(&mut self) {
        self.end();
        // The leash may be gone a moment before what it held.
        until("redis-server to be gone", async || !self.listens().await).await;
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The leash takes the end of its input as the order.
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }

    async fn listens(&self) -> bool {
        tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
    }

    /// Starts it again, empty, on the same port.
    pub(crate) async fn restart(&mut self) {
        self.kill().await;
        let log = self.dir.path().join("log");
        let _ = std::fs::remove_file(&log);
        let child = Command::new("sh")
            .arg(part("leash"))
            .args(["0", "redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--pidfile", "pid", "--logfile", "log", "--repl-diskless-sync-delay", "0", "--port"])
            .arg(self.port.to_string())
            .args(&self.args)
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh is there");
        self.child = Some(child);
        let ready =
            || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("Ready to accept connections"));
        until("redis-server to be ready (apt-get install redis-server)", async || ready()).await;
    }

    /// Freezes it: it keeps its connections and answers nobody.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.dir.path().join("pid")).unwrap();
        assert!(Command::new("kill").args([signal, pid.trim()]).status().unwrap().success());
    }

    pub(crate) fn settings(&self) -> RedisServer {
        RedisServer {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls: false,
            user: None,
            password: None,
            database: 0,
        }
    }

    /// A client with short waits.
    pub(crate) fn kv(&self) -> Kv {
        open(&settings::Redis::Server(self.settings()), &options())
    }

    /// Says something to it that our client has no words for.
    pub(crate) fn say(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli").args(["-p", &port]).args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits that keep tests short.
pub(crate) fn options() -> KvOptions {
    let quick = Duration::from_millis(20);
    KvOptions {
        deadline: Duration::from_secs(5),
        rest_deadline: Duration::from_secs(10),
        beat: Duration::from_millis(200),
        circuit: CircuitOptions { rest: quick, longest_rest: quick, ..CircuitOptions::default() },
        ..KvOptions::default()
    }
}

/// The same for a server that will not answer in time.
pub(crate) fn hasty() -> KvOptions {
    KvOptions { deadline: Duration::from_millis(150), ..options() }
}

pub(crate) fn open(settings: &settings::Redis, options: &KvOptions) -> Kv {
    Kv::new(settings, options, Ids::system(Clock::system())).unwrap().expect("something is configured")
}

pub(crate) fn upstash(url: String, token: &str) -> Kv {
    let rest = UpstashRest { url, token: Secret::new(token.to_owned()) };
    open(&settings::Redis::Upstash(rest), &options())
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let work = async {
        let mut ticks = interval(Duration::from_millis(5));
        while !holds().await {
            ticks.tick().await;
        }
    };
    assert!(timeout(PATIENCE, work).await.is_ok(), "waited in vain for {what}");
}

/// Asks until it succeeds.
pub(crate) async fn recovers(kv: &Kv) -> Duration {
    let begun = Instant::now();
    until("the server to be used again", async || kv.set("back", "again".into(), PATIENCE).await.is_ok())
        .await;
    begun.elapsed()
}

/// What a call must fail with.
pub(crate) async fn fails<T: std::fmt::Debug>(call: impl Future<Output = Result<T, Failure>>) -> Failure {
    call.await.unwrap_err()
}

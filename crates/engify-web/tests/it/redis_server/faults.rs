//! Whatever becomes of Redis: every request is answered, health says what is wrong and what to do, and it is used again by
//! itself.

use std::time::{Duration, Instant};

use engify_testkit::TestApp;
use engify_testkit::parts::{self, Redis};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::client::Client;

/// How long anything may take on a machine that compiles something else beside it.
const PATIENCE: Duration = Duration::from_secs(40);

struct Site {
    server: Client,
    ana: Client,
    _test: TestApp,
}

impl Site {
    async fn start(redis: &Redis) -> Self {
        let test = TestApp::with(&[("REDIS_URL", &redis.url())]).await;
        let server = Client::of(&test);
        let site = Self { ana: server.signed_up("ana").await, server, _test: test };
        site.health("connected").await;
        site
    }

    /// Waits until health says this of Redis, and returns all that it says.
    async fn health(&self, word: &str) -> Value {
        let began = Instant::now();
        loop {
            let health = self.server.get("/api/health").await.with(200);
            if health["services"]["redis"] == word {
                return health;
            }
            assert!(began.elapsed() < PATIENCE, "never {word}: {health}");
            tokio::task::yield_now().await;
        }
    }

    /// Strangers read, people run and write.
    async fn works(&self) {
        self.server.get("/api/prompts?featured=true").await.with(200);
        assert_eq!(self.server.get("/prompts").await.status, 200);
        self.ana.get("/api/v2/ai/runs").await.with(200);
        self.ana
            .post("/api/v2/ai/execute", &json!({ "prompt": "hi", "provider": "dry-run" }))
            .await
            .with(200);
        let new = json!({ "title": "Another prompt", "content": "Do it." });
        self.ana.post("/api/prompts", &new).await.with(201);
    }

    /// The site works on, says what to do, and has Redis back when it is well again.
    async fn survives(&self, remedy: &str, mend: impl AsyncFnOnce()) {
        self.works().await;
        let health = self.health("error").await;
        assert_eq!(health["status"], "degraded");
        assert!(health["remedies"].to_string().contains(remedy), "{health}");
        self.works().await;
        mend().await;
        let health = self.health("connected").await;
        assert_eq!(health["status"], "healthy");
        self.works().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_restarted() {
    let mut redis = parts::redis(&[]);
    let site = Site::start(&redis).await;
    redis.kill();
    site.survives("REDIS_ENABLED=false", async || redis.restart()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen() {
    let redis = parts::redis(&[]);
    let site = Site::start(&redis).await;
    redis.freeze();
    site.survives("engify redis test", async || redis.thaw()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full() {
    let redis = parts::redis(&[]);
    let site = Site::start(&redis).await;
    redis.say(&["CONFIG", "SET", "maxmemory", "1"]);
    site.survives("allkeys-lru", async || drop(redis.say(&["CONFIG", "SET", "maxmemory", "0"]))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only() {
    let redis = parts::redis(&[]);
    let site = Site::start(&redis).await;
    redis.say(&["REPLICAOF", "127.0.0.1", "1"]);
    site.survives("primary", async || drop(redis.say(&["REPLICAOF", "NO", "ONE"]))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answering_garbage() {
    let mut redis = parts::redis(&[]);
    let site = Site::start(&redis).await;
    redis.kill();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", redis.port())).await.unwrap();
    let babbler = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Whoever hangs up has heard enough.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    site.survives("leads to a Redis", async || {
        babbler.abort();
        assert!(babbler.await.unwrap_err().is_cancelled());
        redis.restart();
    })
    .await;
}

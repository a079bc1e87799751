//! Health with a Redis behind the site, well and away.

use engify_testkit::{TestApp, parts};
use serde_json::json;

use crate::client::Client;

#[tokio::test]
async fn a_redis_that_answers_is_connected() {
    let redis = parts::redis(&[]);
    let test = TestApp::with(&[("REDIS_URL", &redis.url())]).await;
    let health = Client::of(&test).get("/api/health").await.with(200);
    assert_eq!((&health["status"], &health["services"]["redis"]), (&json!("healthy"), &json!("connected")));
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_an_error() {
    let redis = parts::redis(&["--replicaof", "127.0.0.1", "1"]);
    let test = TestApp::with(&[("REDIS_URL", &redis.url())]).await;
    let health = Client::of(&test).get("/api/health").await.with(200);
    assert_eq!((&health["status"], &health["services"]["redis"]), (&json!("degraded"), &json!("error")));
    assert!(health["remedies"].to_string().contains("primary"), "{health}");
}

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

mod faults;
mod limits;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_away_lives_nowhere_for_a_second() {
    let redis = parts::redis(&[]);
    crate::replicas::nothing_lives_on(&[("REDIS_URL", &redis.url())]).await;
}

#[tokio::test]
async fn what_one_replica_made_the_others_give() {
    let redis = parts::redis(&[]);
    let replicas = TestApp::replicas(3, &[("REDIS_URL", &redis.url())]).await;
    let servers: Vec<Client> = replicas.iter().map(Client::of).collect();
    let first = servers[0].get("/api/prompts?featured=true").await;
    // Nothing can be made any more: what the others have, they have from shared memory.
    replicas[1].store().close().await;
    let second = servers[1].get("/api/prompts?featured=true").await;
    assert_eq!((second.status, second.text), (first.status, first.text));
    assert_eq!(servers[1].get("/api/prompts?category=writing").await.refused(503), "database_unavailable");
    let keys = redis.say(&["KEYS", "*"]);
    assert!(keys.lines().all(|key| key.starts_with("engify:")), "{keys}");
    let kept: Vec<&str> = keys.lines().filter(|key| key.contains(":cache:")).collect();
    assert!(!kept.is_empty(), "{keys}");
    for key in kept {
        let left: i64 = redis.say(&["TTL", key]).parse().unwrap();
        assert!((1..=900).contains(&left), "{key}: {left}");
    }
}

//! Limits over three replicas: exact on Redis, exact for each replica without it.

use engify_testkit::{TestApp, parts};
use serde_json::json;

use crate::client::{Client, Reply};

const EXECUTE: &str = "/api/v2/ai/execute";
const LIMIT: usize = 50;
const CLIENTS: usize = 64;

/// Lets 64 clients of one person run something at each of three replicas at once.
async fn crowd(servers: &[Client], ana: &Client) -> Vec<Reply> {
    let runs = (0..CLIENTS * 3).map(|number| {
        let client = ana.at(&servers[number % 3]);
        tokio::spawn(
            async move { client.post(EXECUTE, &json!({ "prompt": "hi", "provider": "dry-run" })).await },
        )
    });
    let replies = futures_util::future::join_all(runs).await;
    replies.into_iter().map(|reply| reply.expect("a reply")).collect()
}

fn passed(replies: &[Reply]) -> usize {
    replies.iter().filter(|reply| reply.status == 200).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_limit_passes_over_three_replicas() {
    let mut redis = parts::redis(&[]);
    let tiers = format!("user={LIMIT}/1000000/1000000");
    let settings = [("REDIS_URL", &*redis.url()), ("ENGIFY_AI_TIERS", &*tiers)];
    let replicas = TestApp::replicas(3, &settings).await;
    let servers: Vec<Client> = replicas.iter().map(Client::of).collect();
    let ana = servers[0].signed_up("ana").await;

    let replies = crowd(&servers, &ana).await;
    assert_eq!(passed(&replies), LIMIT);
    let number = |reply: &Reply, name: &str| reply.headers[name].to_str().unwrap().parse::<u64>().unwrap();
    let mut left: Vec<u64> = replies
        .iter()
        .filter(|reply| reply.status == 200)
        .map(|reply| number(reply, "x-ratelimit-remaining"))
        .collect();
    left.sort_unstable();
    assert_eq!(left, (0..LIMIT as u64).collect::<Vec<_>>(), "each was told its own place");
    for refused in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(refused.refused(429), "rate_limited");
        assert!((1..=3601).contains(&number(refused, "retry-after")));
        let said = (number(refused, "x-ratelimit-limit"), number(refused, "x-ratelimit-remaining"));
        assert_eq!(said, (LIMIT as u64, 0));
    }

    redis.kill();
    let replies = crowd(&servers, &ana).await;
    assert_eq!(passed(&replies), 3 * LIMIT, "the stated bound: each replica counts for itself");
    redis.restart();
}

#[tokio::test]
async fn wrong_passwords_at_one_replica_count_at_the_others() {
    let redis = parts::redis(&[]);
    let replicas = TestApp::replicas(3, &[("REDIS_URL", &redis.url())]).await;
    let servers: Vec<Client> = replicas.iter().map(Client::of).collect();
    servers[0].signed_up("ana").await;
    let wrong = json!({ "email": "ana@example.com", "password": "not the one that it is" });
    for number in 0..5 {
        let reply = servers[number % 3].post("/api/auth/signin", &wrong).await;
        assert_eq!(reply.refused(401), "invalid_credentials");
    }
    for server in &servers {
        let reply = server.post("/api/auth/signin", &wrong).await;
        assert_eq!(
            (reply.refused(429).as_str(), &reply.headers["retry-after"]),
            ("rate_limited", &"2".parse().unwrap())
        );
    }
}

//! While the database is away: what was kept is read on, everything else is told to come back, nobody is a stranger for it.

use std::time::{Duration, Instant};

use engify_testkit::TestApp;
use http::header;
use serde_json::json;

use crate::client::{Client, Reply};

/// How long anything may take on a machine that compiles something else beside it.
const PATIENCE: Duration = Duration::from_secs(20);

const SCOPES: &[&str] = &["prompts:read", "prompts:write", "runs:read"];

/// Asks until the reply says that it is stale: until then it is true for sure.
async fn stale(client: &Client, path: &str) -> Reply {
    let began = Instant::now();
    loop {
        let reply = client.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        if reply.headers.contains_key(header::WARNING) {
            return reply;
        }
        assert!(began.elapsed() < PATIENCE, "{path} is never called stale");
        tokio::task::yield_now().await;
    }
}

#[track_caller]
fn says_come_back(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert!(reply.headers[header::RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn what_strangers_read_before_they_read_on_and_see_that_it_is_old() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let listed = stranger.get("/api/prompts?limit=2").await.with(200);
    let slug = |number: usize| listed["data"][number]["slug"].as_str().unwrap().to_owned();
    let (reply, page) = (format!("/api/prompts/{}", slug(0)), format!("/prompts/{}", slug(0)));
    let before = stranger.get(&reply).await;
    before.with(200);
    assert_eq!(stranger.get(&page).await.status, 200);
    test.clock.advance(Duration::from_secs(30));
    test.store().close().await;
    for path in [&reply, &page] {
        let stale = stale(&stranger, path).await;
        assert_eq!(stale.headers[header::AGE], "30");
        assert_eq!(stale.headers[header::CACHE_CONTROL], "no-store");
    }
    assert_eq!(stale(&stranger, &reply).await.text, before.text);
    for unread in [format!("/api/prompts/{}", slug(1)), "/api/prompts?category=writing".to_owned()] {
        let unread = stranger.get(&unread).await;
        assert_eq!(unread.refused(503), "database_unavailable", "no prompt, or none at all, would be a lie");
        says_come_back(&unread);
    }
    test.clock.advance(Duration::from_secs(15 * 60));
    says_come_back(&stranger.get(&reply).await);
}

#[tokio::test]
async fn whoever_is_signed_in_is_told_to_come_back_and_never_that_they_are_not() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let made = ana.post("/api/v2/users/api-keys", &json!({ "name": "ci", "scopes": SCOPES })).await.with(201);
    let by_key = ana.with_key(made["data"]["key"].as_str().unwrap());
    for client in [&ana, &by_key] {
        client.get("/api/v2/ai/runs").await.with(200);
        client.get("/api/prompts").await.with(200);
    }
    test.store().close().await;
    for client in [&ana, &by_key] {
        let began = Instant::now();
        // Who was recognised a moment before still is, within the second that anything may be old.
        while client.get("/api/auth/session").await.status == 200 {
            assert!(began.elapsed() < PATIENCE, "believed for ever");
            tokio::task::yield_now().await;
        }
        for path in [
            "/api/v2/ai/runs",
            "/api/prompts?visibility=private",
            "/prompts?visibility=private",
            "/api/auth/session",
        ] {
            says_come_back(&client.get(path).await);
        }
        let body = json!({ "title": "A new prompt", "content": "Do it." });
        says_come_back(&client.post("/api/prompts", &body).await);
        says_come_back(&client.post("/api/v2/ai/execute", &json!({ "prompt": "hi" })).await);
        client.get("/api/health/live").await.with(200);
    }
    assert_eq!(ana.get("/status").await.status, 200);
    says_come_back(&ana.post("/api/auth/signout", &json!({})).await);
    let form = json!({ "email": "ana@example.com", "password": crate::client::PASSWORD });
    says_come_back(&ana.stranger().post("/api/auth/signin", &form).await);
}

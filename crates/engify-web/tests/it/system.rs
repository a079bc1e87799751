//! Health, headers, the API's description.

use engify_core::settings::SETTINGS;
use engify_testkit::TestApp;
use http::header;
use serde_json::json;

use crate::client::Client;

#[tokio::test]
async fn health_has_the_guides_shape() {
    let test = TestApp::start().await;
    let health = Client::of(&test).get("/api/health").await.with(200);
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["timestamp"], "2026-11-22T12:00:00.000Z");
    assert_eq!(
        health["services"],
        json!({ "database": "connected", "redis": "not_configured", "sendgrid": "not_configured", "ai_providers": "operational" })
    );
    assert!(health["version"].is_string());
    assert_eq!(Client::of(&test).get("/api/health/live").await.with(200)["status"], "live");
    assert_eq!(Client::of(&test).get("/api/health/ready").await.with(200)["status"], "ready");
}

#[tokio::test]
async fn a_lost_database_is_unhealthy_and_named_and_never_a_401() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    test.app.stop().await;
    let health = ana.get("/api/health").await.with(503);
    assert_eq!(
        (&health["status"], &health["services"]["database"]),
        (&json!("unhealthy"), &json!("disconnected"))
    );
    assert!(!health["remedies"].as_array().unwrap().is_empty());
    let reply = ana.get("/api/v2/ai/runs").await;
    assert_eq!(reply.status, 503, "{}", reply.text);
}

#[tokio::test]
async fn every_reply_has_its_id_and_the_headers_that_protect() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    for path in ["/api/health", "/api/prompts", "/api/nowhere", "/api/prompts"] {
        let reply = stranger.get(path).await;
        assert!(!reply.headers["x-request-id"].is_empty());
        let policy = reply.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
    assert_eq!(stranger.get("/api/nowhere").await.refused(404), "not_found");
}

#[tokio::test]
async fn figures_are_told_to_this_machine_and_not_to_whom_a_proxy_on_it_lets_through() {
    let test = TestApp::start().await;
    let here = Client::of(&test).here();
    let ask = async |headers: &[(&str, &str)]| {
        here.send(http::Method::GET, "/metrics", headers, axum::body::Body::empty()).await.status.as_u16()
    };
    assert_eq!(ask(&[]).await, 200);
    for passed_on in ["x-forwarded-for", "x-real-ip", "forwarded", "via"] {
        assert_eq!(ask(&[(passed_on, "198.51.100.7")]).await, 401, "{passed_on}: a stranger");
    }
}

#[tokio::test]
async fn a_scraper_without_the_token_is_told_what_to_send_and_is_not_sent_to_sign_in() {
    let test = TestApp::with(&[("METRICS_TOKEN", "scrape-scrape-scrape")]).await;
    let scraper = Client::of(&test);
    for refused in [scraper.clone(), scraper.here(), scraper.with_key("not-the-token")] {
        let reply = refused.get("/metrics").await;
        assert_eq!(reply.refused(401), "unauthenticated");
        assert!(reply.json()["message"].as_str().unwrap().contains("METRICS_TOKEN"), "{}", reply.text);
        assert!(!reply.headers[header::WWW_AUTHENTICATE].is_empty());
    }
    assert_eq!(scraper.with_key("scrape-scrape-scrape").get("/metrics").await.status, 200);
    let ana = scraper.signed_up("ana").await;
    assert_eq!(ana.get("/metrics").await.refused(403), "forbidden");
    assert_eq!(scraper.admin(&test).await.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn administrators_see_what_the_server_runs_on_and_no_secret() {
    const SECRETS: [(&str, &str); 4] = [
        ("METRICS_TOKEN", "tell-nobody-metrics-9999"),
        ("CRON_SECRET", "tell-nobody-cron-9999"),
        ("API_KEY_ENCRYPTION_KEY", "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123459999"),
        ("ANTHROPIC_API_KEY", "tell-nobody-anthropic-9999"),
    ];
    let test = TestApp::with(&SECRETS).await;
    let stranger = Client::of(&test);
    assert_eq!(stranger.get("/api/admin/settings").await.refused(401), "unauthenticated");
    assert_eq!(stranger.signed_up("ana").await.get("/api/admin/settings").await.refused(403), "forbidden");

    let reply = stranger.admin(&test).await.get("/api/admin/settings").await;
    let shown = reply.with(200)["data"].clone();
    assert_eq!(shown.as_array().map(Vec::len), Some(SETTINGS.len()));
    for (_, secret) in SECRETS {
        assert!(!reply.text.contains(&secret[..secret.len() - 4]), "{}", reply.text);
    }
    let of = |name: &str| {
        let one = shown.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
        (one["value"].clone(), one["source"].clone(), one["secret"].clone())
    };
    for (name, _) in SECRETS {
        assert_eq!(of(name), (json!("set (…9999)"), json!("process"), json!(true)));
    }
    assert_eq!(of("NODE_ENV"), (json!("development"), json!("default"), json!(false)));
}

#[tokio::test]
async fn kept_replies_come_compressed_and_whole() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let plain = stranger.get("/api/prompts?featured=true").await;
    for coding in ["br", "gzip"] {
        let headers = [("accept-encoding", coding)];
        let reply = stranger
            .open(http::Method::GET, "/api/prompts?featured=true", &headers, axum::body::Body::empty())
            .await;
        assert_eq!(reply.1[header::CONTENT_ENCODING], coding);
    }
    assert_eq!(stranger.get("/api/prompts?featured=true").await.text, plain.text);
}

#[tokio::test]
async fn a_redis_that_is_away_degrades_and_is_named_and_the_site_works() {
    // Nobody may listen on port 1, so nobody does.
    let test = TestApp::with(&[("REDIS_URL", "redis://ana:hunter2hunter2@127.0.0.1:1")]).await;
    let stranger = Client::of(&test);
    let health = stranger.get("/api/health").await.with(200);
    assert_eq!((&health["status"], &health["services"]["redis"]), (&json!("degraded"), &json!("error")));
    let remedies = health["remedies"].to_string();
    assert!(remedies.contains("REDIS_ENABLED=false") && !remedies.contains("hunter2"), "{remedies}");
    stranger.get("/api/prompts").await.with(200);
}

#[tokio::test]
async fn a_redis_that_is_switched_off_is_no_fault() {
    let test = TestApp::with(&[("REDIS_URL", "redis://127.0.0.1:1"), ("REDIS_ENABLED", "false")]).await;
    let health = Client::of(&test).get("/api/health").await.with(200);
    assert_eq!((&health["status"], &health["services"]["redis"]), (&json!("healthy"), &json!("disabled")));
}

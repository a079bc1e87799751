//! Running prompts.

use axum::body::Body;
use engify_testkit::{Script, TestApp};
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::client::Client;

const EXECUTE: &str = "/api/v2/ai/execute";

async fn ana(test: &TestApp) -> Client {
    Client::of(test).signed_up("ana").await
}

/// The history, once what was promised to be recorded is.
async fn history(test: &TestApp, client: &Client) -> Vec<Value> {
    engify_app::audit::settle(&engify_app::Ctx::system(&test.app, "test")).await.unwrap();
    client.get("/api/v2/ai/runs").await.with(200)["data"].as_array().cloned().unwrap()
}

#[tokio::test]
async fn a_prompt_runs_costs_what_it_costs_and_is_in_the_history() {
    let test = TestApp::start().await;
    let ana = ana(&test).await;
    let reply =
        ana.post(EXECUTE, &json!({ "prompt": "Say hello", "model": "gpt-4o-mini", "maxTokens": 100 })).await;
    let answer = reply.with(200);
    assert_eq!(answer["success"], true);
    assert_eq!(answer["response"], "Hello from the model.");
    assert_eq!(
        answer["usage"],
        json!({ "promptTokens": 10, "completionTokens": 4, "totalTokens": 14, "estimated": false })
    );
    let total = answer["cost"]["total"].as_f64().unwrap();
    assert!((total - (10.0 * 0.15 + 4.0 * 0.6) / 1e6).abs() < 1e-9, "{total}");
    assert_eq!((&answer["provider"], &answer["model"]), (&json!("openai"), &json!("gpt-4o-mini")));
    assert_eq!(reply.headers["x-ratelimit-limit"], "100");
    assert_eq!(reply.headers["x-ratelimit-remaining"], "99");

    let runs = history(&test, &ana).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(
        (&runs[0]["status"], &runs[0]["response"]),
        (&json!("completed"), &json!("Hello from the model."))
    );
    assert_eq!(runs[0]["runId"], answer["runId"]);
    let other = ana.signed_up("benjamin").await;
    assert!(history(&test, &other).await.is_empty(), "a run is its owner's");
    let path = format!("/api/v2/ai/runs/{}", runs[0]["id"].as_str().unwrap());
    assert_eq!(other.get(&path).await.refused(404), "not_found");
}

#[tokio::test]
async fn a_library_prompt_runs_with_its_variables_filled() {
    let test = TestApp::start().await;
    let ana = ana(&test).await;
    let new = json!({ "title": "Greet somebody", "content": "Greet {{who}} in {{language}}.",
        "variables": [{ "name": "language", "type": "choice", "options": ["Rust", "German"], "default": "German" }] });
    ana.post("/api/prompts", &new).await.with(201);
    ana.post(EXECUTE, &json!({ "promptSlug": "greet-somebody", "variables": { "who": "Ben" } }))
        .await
        .with(200);
    assert_eq!(test.provider.calls()[0]["messages"][0]["content"], "Greet Ben in German.");

    let bad = ana
        .post(
            EXECUTE,
            &json!({ "promptSlug": "greet-somebody", "variables": { "language": "Go", "x": "y" } }),
        )
        .await;
    assert_eq!(bad.refused(400), "invalid_variables");
    assert_eq!(bad.fields(), ["variables.language", "variables.who", "variables.x"]);
    engify_app::audit::settle(&engify_app::Ctx::system(&test.app, "test")).await.unwrap();
    assert_eq!(ana.get("/api/prompts/greet-somebody").await.with(200)["uses"], 1);
}

#[tokio::test]
async fn an_unknown_models_cost_is_unknown_never_zero() {
    let test = TestApp::start().await;
    let answer =
        ana(&test).await.post(EXECUTE, &json!({ "prompt": "hi", "model": "my-own-model" })).await.with(200);
    assert_eq!(answer["cost"], Value::Null);
}

#[tokio::test]
async fn a_dry_run_calls_nobody_and_says_so() {
    let test = TestApp::start().await;
    let answer = ana(&test)
        .await
        .post(EXECUTE, &json!({ "prompt": "Say hello", "provider": "dry-run" }))
        .await
        .with(200);
    assert_eq!(answer["dryRun"], true);
    assert!(answer["response"].as_str().unwrap().contains("nobody was called"));
    assert!(answer["response"].as_str().unwrap().ends_with("Say hello"));
    assert_eq!(answer["usage"]["promptTokens"], 2);
    assert!(answer["cost"]["total"].as_f64().unwrap() > 0.0);
    assert!(test.provider.calls().is_empty());
}

#[tokio::test]
async fn the_same_run_id_runs_once() {
    let test = TestApp::start().await;
    let ana = ana(&test).await;
    let body = json!({ "prompt": "hi", "runId": "order-1" });
    let (one, two) = tokio::join!(ana.post(EXECUTE, &body), ana.post(EXECUTE, &body));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(ana.post(EXECUTE, &body).await.refused(409), "replay_detected");
    assert_eq!(test.provider.calls().len(), 1, "money is spent once");
    assert_eq!(history(&test, &ana).await.len(), 1);
    ana.signed_up("benjamin").await.post(EXECUTE, &body).await.with(200);
}

#[tokio::test]
async fn words_stream_as_they_come_and_end_with_the_whole_answer() {
    let test = TestApp::start().await;
    let ana = ana(&test).await;
    let reply = ana.post(EXECUTE, &json!({ "prompt": "hi", "model": "gpt-4o-mini", "stream": true })).await;
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    let events = events(&reply.text);
    let words: Vec<&str> = events
        .iter()
        .filter(|(name, _)| name == "delta")
        .map(|(_, data)| data["text"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["Hello ", "from ", "the ", "model."]);
    let (name, done) = events.last().unwrap();
    assert_eq!(name, "done");
    assert_eq!(
        (&done["response"], &done["usage"]["totalTokens"]),
        (&json!("Hello from the model."), &json!(14))
    );
    assert!(done["firstTokenLatency"].as_f64().unwrap() <= done["latency"].as_f64().unwrap());
}

fn events(text: &str) -> Vec<(String, Value)> {
    let field = |block: &str, name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let blocks = text.split("\n\n").filter(|block| block.contains("event:"));
    blocks
        .map(|block| (field(block, "event"), serde_json::from_str(&field(block, "data")).unwrap()))
        .collect()
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_and_keeps_what_came() {
    let test = TestApp::start().await;
    let ana = ana(&test).await;
    test.provider.script(Script::Break(vec!["Half ", "an answer"]));
    let reply = ana.post(EXECUTE, &json!({ "prompt": "hi", "stream": true })).await;
    let events = events(&reply.text);
    let (name, error) = events.last().unwrap();
    assert_eq!((name.as_str(), &error["error"]), ("error", &json!("upstream")));
    let runs = history(&test, &ana).await;
    assert_eq!((&runs[0]["status"], &runs[0]["failure"]), (&json!("partial"), &json!("upstream")));
    assert_eq!(runs[0]["response"], "Half an answer");
    assert_eq!(runs[0]["usage"]["estimated"], true);
}

#[tokio::test]
async fn a_reader_who_leaves_stops_the_provider_and_the_run_is_kept_as_cancelled() {
    let test = TestApp::start().await;
    let ana = ana(&test).await;
    test.provider.script(Script::Hang("First words"));
    let body = Body::from(json!({ "prompt": "hi", "stream": true }).to_string());
    let (status, _, mut stream) =
        ana.open(Method::POST, EXECUTE, &[("content-type", "application/json")], body).await;
    assert_eq!(status, 200);
    let first = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("First words"));
    drop(stream);
    test.provider.caller_left().await;
    let status = loop {
        let runs = history(&test, &ana).await;
        if let Some(run) = runs.first() {
            break run["status"].clone();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(status, "cancelled");
}

#[tokio::test]
async fn a_server_that_ends_tells_its_streams_and_keeps_what_came() {
    let test = TestApp::start().await;
    let ana = ana(&test).await;
    test.provider.script(Script::Hang("First words"));
    let body = Body::from(json!({ "prompt": "hi", "stream": true }).to_string());
    let (_, _, mut stream) =
        ana.open(Method::POST, EXECUTE, &[("content-type", "application/json")], body).await;
    let first = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("First words"));
    assert_eq!(ana.get("/api/health/ready").await.with(200)["status"], "ready");
    test.app.leave();
    assert_eq!(ana.get("/api/health/ready").await.with(503)["status"], "leaving");
    ana.get("/api/prompts").await.with(200);
    test.app.last_call();
    let rest = stream.collect().await.unwrap().to_bytes();
    let (name, error) = events(&String::from_utf8_lossy(&rest)).pop().unwrap();
    assert_eq!((name.as_str(), &error["error"]), ("error", &json!("shutting_down")));
    test.provider.caller_left().await;
    let runs = history(&test, &ana).await;
    assert_eq!((&runs[0]["status"], &runs[0]["response"]), (&json!("partial"), &json!("First words")));
    let late = ana.post(EXECUTE, &json!({ "prompt": "hi" })).await;
    assert_eq!(late.refused(503), "shutting_down");
    assert_eq!(late.headers["retry-after"], "1");
}

#[tokio::test]
async fn failures_are_named_and_recorded() {
    let test = TestApp::start().await;
    let ana = ana(&test).await;
    test.provider.script(Script::Refuse(401));
    let bad_key = ana.post(EXECUTE, &json!({ "prompt": "hi" })).await;
    assert_eq!(bad_key.refused(502), "bad_key");
    assert!(bad_key.json()["message"].as_str().unwrap().contains("sk-…"), "{}", bad_key.text);
    for _ in 0..3 {
        test.provider.script(Script::Refuse(429));
    }
    assert_eq!(ana.post(EXECUTE, &json!({ "prompt": "hi" })).await.refused(429), "rate_limited");
    for _ in 0..3 {
        test.provider.script(Script::Refuse(500));
    }
    assert_eq!(ana.post(EXECUTE, &json!({ "prompt": "hi" })).await.refused(502), "upstream");
    let failed: Vec<Value> = history(&test, &ana).await.iter().map(|run| run["failure"].clone()).collect();
    assert_eq!(failed.len(), 3);
    for word in ["bad_key", "rate_limited", "upstream"] {
        assert!(failed.contains(&json!(word)), "{word} in {failed:?}");
    }
    let health = ana.get("/api/health").await.with(200);
    assert_eq!(
        (&health["status"], &health["services"]["ai_providers"]),
        (&json!("degraded"), &json!("degraded"))
    );
}

#[tokio::test]
async fn a_tiers_requests_are_counted_exactly() {
    let test = TestApp::start().await;
    let ana = ana(&test).await;
    let body = json!({ "prompt": "hi", "provider": "dry-run" });
    for _ in 0..100 {
        ana.post(EXECUTE, &body).await.with(200);
    }
    test.clock.advance(std::time::Duration::from_secs(600));
    let refused = ana.post(EXECUTE, &body).await;
    assert_eq!(refused.refused(429), "rate_limited");
    assert_eq!(refused.headers["retry-after"], "3001", "a moment after the hour's end");
}

#[tokio::test]
async fn strangers_and_providers_without_a_key_are_refused_with_the_remedy() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    assert_eq!(stranger.post(EXECUTE, &json!({ "prompt": "hi" })).await.refused(401), "unauthenticated");
    let reply = ana(&test).await.post(EXECUTE, &json!({ "prompt": "hi", "provider": "claude" })).await;
    assert_eq!(reply.refused(400), "provider_not_configured");
    assert!(reply.json()["message"].as_str().unwrap().contains("ANTHROPIC_API_KEY"));
    let available = stranger.get(EXECUTE).await.with(200);
    let names: Vec<&str> =
        available["providers"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["openai", "dry-run"]);
}

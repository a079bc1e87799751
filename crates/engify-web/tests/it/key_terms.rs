//! The terms of API keys: where they may come from, how much they may be used, and what they were used for.

use std::time::Duration;

use engify_app::{Ctx, audit, keys};
use engify_core::message::MessageKind;
use engify_testkit::{Script, TestApp};
use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, Reply};

const KEYS: &str = "/api/v2/users/api-keys";
const EXECUTE: &str = "/api/v2/ai/execute";
const RUNS: &str = "/api/v2/ai/runs";

async fn key(ana: &Client, terms: Value) -> (Client, String) {
    let mut body = json!({ "name": "ci" });
    body.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    let made = ana.post(KEYS, &body).await.with(201)["data"].clone();
    (ana.with_key(made["key"].as_str().unwrap()), made["id"].as_str().unwrap().to_owned())
}

async fn through(client: &Client, forwarded: &str) -> Reply {
    client.send(Method::GET, RUNS, &[("x-forwarded-for", forwarded)], axum::body::Body::empty()).await
}

#[tokio::test]
async fn a_key_works_from_the_addresses_of_its_list_alone() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (by_key, id) = key(&ana, json!({ "allowedAddresses": ["198.51.100.0/24", "2001:db8::/32"] })).await;
    by_key.from(9).get(RUNS).await.with(200);
    let refused = by_key.stranger().with_key("x").from(9).get(RUNS).await;
    assert_eq!(refused.refused(401), "invalid_api_key");
    let elsewhere = by_key.get(RUNS).await;
    assert_eq!(elsewhere.refused(403), "address_not_allowed");
    assert_eq!(
        by_key.get("/api/prompts").await.refused(403),
        "address_not_allowed",
        "not even what is open to all"
    );
    // Nobody's proxy is trusted here: what a header claims is not an address.
    assert_eq!(through(&by_key, "198.51.100.9").await.refused(403), "address_not_allowed");
    through(&by_key.from(9), "203.0.113.7").await.with(200);

    let changed = ana.patch(&format!("{KEYS}/{id}"), &json!({ "allowedAddresses": [] })).await;
    assert_eq!(changed.with(200)["data"]["allowedAddresses"], json!([]));
    by_key.get(RUNS).await.with(200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_address_is_what_the_proxy_says() {
    let test = TestApp::with(&[("ENGIFY_TRUSTED_PROXIES", "1")]).await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (by_key, _) = key(&ana, json!({ "allowedAddresses": ["198.51.100.7", "2001:db8::/32"] })).await;
    for (header, status) in [
        ("198.51.100.7", 200),
        ("203.0.113.1, 198.51.100.7", 200),
        ("::ffff:198.51.100.7", 200),
        ("2001:db8::1", 200),
        ("198.51.100.7, 203.0.113.1", 403),
        ("198.51.100.7, nonsense", 403),
        ("198.51.100.8", 403),
        ("2001:db9::1", 403),
    ] {
        assert_eq!(through(&by_key, header).await.status, status, "{header}");
    }
}

#[tokio::test]
async fn a_refused_address_is_in_the_audit_log_and_cannot_fill_it() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (by_key, id) = key(&ana, json!({ "allowedAddresses": ["10.0.0.1"] })).await;
    for _ in 0..20 {
        by_key.get(RUNS).await.refused(403);
    }
    audit::settle(&Ctx::system(&test.app, "test")).await.unwrap();
    let root = ana.admin(&test).await;
    let log = root.get("/api/admin/audit?action=api_key_refused").await.with(200);
    let lines = log["data"].as_array().unwrap();
    assert_eq!(lines.len(), 10, "ten a minute are enough to see it");
    assert_eq!((&lines[0]["outcome"], &lines[0]["target"]["id"]), (&json!("refused"), &json!(id)));
    assert_eq!(
        (&lines[0]["address"], &lines[0]["details"]["why"]),
        (&json!("192.6.18.48"), &json!("address_not_allowed"))
    );
}

#[tokio::test]
async fn a_keys_own_limits_are_exact() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (by_key, _) = key(&ana, json!({ "limits": { "perMinute": 3, "perHour": 5 } })).await;
    for left in [2, 1, 0] {
        let reply = by_key.get(RUNS).await;
        reply.with(200);
        assert_eq!(
            (&reply.headers["x-ratelimit-limit"], &reply.headers["x-ratelimit-remaining"]),
            (&"3".parse().unwrap(), &left.to_string().parse().unwrap())
        );
    }
    test.clock.advance(Duration::from_secs(20));
    let refused = by_key.get(RUNS).await;
    assert_eq!(refused.refused(429), "rate_limited");
    assert_eq!(refused.headers["retry-after"], "41", "a moment after the window's end");
    ana.get(RUNS).await.with(200);
    test.clock.advance(Duration::from_secs(100));
    by_key.get(RUNS).await.with(200);
    assert_eq!(
        by_key.get(RUNS).await.refused(429),
        "rate_limited",
        "five an hour: four came, one was refused and counted"
    );
}

#[tokio::test]
async fn a_keys_tokens_end_its_runs_and_dry_runs_go_on() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (by_key, _) = key(&ana, json!({ "limits": { "tokensPerDay": 20 } })).await;
    // Each run has 14 tokens: the second begins with some left, the third with none.
    for _ in 0..2 {
        by_key.post(EXECUTE, &json!({ "prompt": "hi" })).await.with(200);
    }
    let refused = by_key.post(EXECUTE, &json!({ "prompt": "hi" })).await;
    assert_eq!(refused.refused(429), "rate_limited");
    assert!(refused.text.contains("This API key's 20 tokens a day"), "{}", refused.text);
    by_key.post(EXECUTE, &json!({ "prompt": "hi", "provider": "dry-run" })).await.with(200);
    ana.post(EXECUTE, &json!({ "prompt": "hi" })).await.with(200);
    // More than a day: as that day slides out, the second that is told is the first in which one more fits.
    let wait = Duration::from_secs(refused.headers["retry-after"].to_str().unwrap().parse().unwrap());
    test.clock.advance(wait - Duration::from_secs(1));
    by_key.post(EXECUTE, &json!({ "prompt": "hi" })).await.refused(429);
    test.clock.advance(Duration::from_secs(1));
    by_key.post(EXECUTE, &json!({ "prompt": "hi" })).await.with(200);
}

#[tokio::test]
async fn a_keys_usage_is_the_sum_of_its_runs() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (by_key, id) = key(&ana, json!({})).await;
    let (_, other) = key(&ana, json!({})).await;
    for pieces in [vec!["a"], vec!["a", "b"], vec!["a", "b", "c"]] {
        test.provider.script(Script::Say(pieces));
        by_key.post(EXECUTE, &json!({ "prompt": "hi" })).await.with(200);
    }
    by_key.post(EXECUTE, &json!({ "prompt": "hi", "provider": "dry-run" })).await.with(200);
    by_key.get("/api/v2/ai/nowhere").await;
    test.clock.advance(Duration::from_secs(1));
    ana.post(EXECUTE, &json!({ "prompt": "hi" })).await.with(200);
    audit::settle(&Ctx::system(&test.app, "test")).await.unwrap();
    test.clock.advance(Duration::from_secs(24 * 3600));
    by_key.get(RUNS).await.with(200);
    audit::settle(&Ctx::system(&test.app, "test")).await.unwrap();

    let usage = ana.get(&format!("{KEYS}/{id}/usage?days=2")).await.with(200)["data"].clone();
    let runs = ana.get(RUNS).await.with(200)["data"].as_array().unwrap().clone();
    let by_key_runs: Vec<&Value> = runs[1..].iter().filter(|run| run["provider"] == "openai").collect();
    let tokens: u64 = by_key_runs.iter().map(|run| run["usage"]["totalTokens"].as_u64().unwrap()).sum();
    let cost: f64 = by_key_runs.iter().map(|run| run["cost"].as_f64().unwrap()).sum();
    assert_eq!((by_key_runs.len(), tokens), (3, 36));
    let yesterday = &usage[0];
    assert_eq!(
        (&yesterday["day"], &yesterday["requests"], &yesterday["runs"]),
        (&json!("2026-11-22"), &json!(4), &json!(4))
    );
    assert_eq!(yesterday["tokens"], tokens);
    assert!((yesterday["cost"].as_f64().unwrap() - cost).abs() < 1e-9 && cost > 0.0, "{usage:#} {cost}");
    assert_eq!((&usage[1]["requests"], &usage[1]["runs"]), (&json!(1), &json!(0)));
    let unused = ana.get(&format!("{KEYS}/{other}/usage")).await.with(200)["data"].clone();
    assert_eq!(unused.as_array().unwrap().len(), 30);
    assert!(unused.as_array().unwrap().iter().all(|day| day["requests"] == 0));
    let ben = ana.signed_up("benjamin").await;
    assert_eq!(ben.get(&format!("{KEYS}/{id}/usage")).await.refused(404), "not_found");
    assert_eq!(ana.get(&format!("{KEYS}/{id}/usage?days=91")).await.fields(), ["days"]);
    let page = ana.get(&format!("/settings/keys/{id}")).await;
    assert!(page.text.contains("Tokens a day") && page.text.contains("36 in 30 days"), "{}", page.text);
}

#[tokio::test]
async fn terms_are_changed_with_before_and_after_in_the_audit_log() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (_, id) = key(&ana, json!({})).await;
    let path = format!("{KEYS}/{id}");
    let body = json!({ "name": "nightly", "allowedAddresses": ["10.0.0.0/8", "10.0.0.0/8"], "limits": { "perMinute": 7 } });
    let changed = ana.patch(&path, &body).await.with(200)["data"].clone();
    assert_eq!((&changed["name"], &changed["allowedAddresses"]), (&json!("nightly"), &json!(["10.0.0.0/8"])));
    assert_eq!(changed["limits"], json!({ "perMinute": 7, "perHour": null, "tokensPerDay": null }));
    ana.patch(&path, &json!({ "name": "nightly" })).await.with(200);
    let root = ana.admin(&test).await;
    let log = root.get("/api/admin/audit?action=api_key_updated").await.with(200);
    assert_eq!(log["data"].as_array().unwrap().len(), 1, "what changes nothing is not told");
    let details = &log["data"][0]["details"];
    assert_eq!(
        (&details["before"]["name"], &details["after"]["limits"]["perMinute"]),
        (&json!("ci"), &json!(7))
    );

    let wrong =
        json!({ "name": "", "allowedAddresses": ["10.0.0.0/8", "10.0.0.1/8"], "limits": { "perHour": 0 } });
    assert_eq!(ana.patch(&path, &wrong).await.fields(), ["name", "allowedAddresses.1", "limits.perHour"]);
    assert_eq!(
        ana.patch(&path, &json!({ "scopes": ["users:write"] })).await.fields(),
        ["scopes"],
        "scopes are not changed"
    );
    let many: Vec<String> = (0..51).map(|last| format!("10.0.0.{last}")).collect();
    assert_eq!(ana.patch(&path, &json!({ "allowedAddresses": many })).await.fields(), ["allowedAddresses"]);
    assert_eq!(ana.get(KEYS).await.with(200)["data"][0]["name"], "nightly", "nothing is half-written");

    let rotated = ana.post(&format!("{path}/rotate"), &json!({ "graceSeconds": 0 })).await.with(201);
    let listed = ana.get(KEYS).await.with(200)["data"].clone();
    let successor = listed.as_array().unwrap().iter().find(|key| key["id"] == rotated["data"]["id"]).unwrap();
    assert_eq!(
        (&successor["allowedAddresses"], &successor["limits"]["perMinute"]),
        (&json!(["10.0.0.0/8"]), &json!(7))
    );
    assert_eq!(ana.patch(&path, &json!({ "name": "x" })).await.refused(409), "key_not_live");
}

#[tokio::test]
async fn the_page_of_a_key_changes_its_terms_without_scripts() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (_, id) = key(&ana, json!({})).await;
    let path = format!("/settings/keys/{id}");
    let post = async |body: &str| {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        ana.send(Method::POST, &path, &kind, axum::body::Body::from(body.to_owned())).await
    };
    let saved = post(
        "name=ci&addresses=10.0.0.1%0D%0A%0D%0A2001%3Adb8%3A%3A%2F32&per_minute=5&per_hour=&tokens_per_day=",
    )
    .await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    let stored = ana.get(KEYS).await.with(200)["data"][0].clone();
    assert_eq!(
        (&stored["allowedAddresses"], &stored["limits"]["perMinute"]),
        (&json!(["10.0.0.1", "2001:db8::/32"]), &json!(5))
    );
    let wrong = post("name=ci&addresses=10.0.0.1%0Anonsense&per_minute=many&per_hour=&tokens_per_day=").await;
    assert!(wrong.status == 400 && wrong.text.contains("Is a whole number"), "{}", wrong.text);
    let wrong = post("name=ci&addresses=10.0.0.1%0Anonsense&per_minute=&per_hour=&tokens_per_day=").await;
    assert!(wrong.status == 400 && wrong.text.contains("Address 2 is not an address"), "{}", wrong.text);
    assert!(wrong.text.contains("10.0.0.1\nnonsense"), "what was typed comes back");
}

#[tokio::test]
async fn an_owner_is_reminded_once_at_each_threshold() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let ends = "2026-12-12T12:00:00Z";
    key(&ana, json!({ "name": "nightly", "expiresAt": ends })).await;
    let (_, revoked) = key(&ana, json!({ "name": "revoked", "expiresAt": ends })).await;
    ana.post(&format!("{KEYS}/{revoked}/revoke"), &json!({})).await.with(200);
    let (_, rotated) = key(&ana, json!({ "name": "rotated" })).await;
    ana.post(&format!("{KEYS}/{rotated}/rotate"), &json!({})).await.with(201);
    let hours = |hours: u64| test.clock.advance(Duration::from_secs(hours * 3600));
    let remind = async || {
        let system = Ctx::system(&test.app, "test");
        // Two servers at once, and the same one again.
        let (one, other) = tokio::join!(keys::remind(&system), keys::remind(&system));
        one.unwrap() + other.unwrap() + keys::remind(&system).await.unwrap()
    };
    let mut posted = vec![remind().await];
    for wait in [6 * 24, 24, 10 * 24, 24, 24, 12, 24] {
        hours(wait);
        posted.push(remind().await);
    }
    // 20, 14, 13, 3, 2 and 1 days before the end, half a day before, and after it.
    assert_eq!(posted, [0, 1, 0, 1, 0, 1, 0, 0]);
    let mails = test.mailbox().await;
    let reminders: Vec<_> = mails.iter().filter(|mail| mail.kind == MessageKind::KeyExpires).collect();
    assert_eq!(reminders.len(), 3);
    for reminder in reminders {
        assert_eq!(reminder.to, "ana@example.com");
        assert!(reminder.content.text.contains("nightly"), "{}", reminder.content.text);
    }
}

#[tokio::test]
async fn a_key_makes_and_changes_none_that_is_wider_than_itself() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let scopes = json!(["keys:manage", "runs:read"]);
    let (narrow, own) = key(&ana, json!({ "scopes": scopes, "limits": { "perMinute": 50 } })).await;
    let (_, wide) = key(&ana, json!({})).await;
    let rotated = narrow.post(&format!("{KEYS}/{wide}/rotate"), &json!({})).await;
    assert_eq!(rotated.refused(403), "wider_than_key", "it would come back as a key that can do more");
    let edit = |limits: Value| {
        let (narrow, path) = (narrow.clone(), format!("{KEYS}/{own}"));
        async move { narrow.patch(&path, &json!({ "limits": limits })).await }
    };
    assert_eq!(edit(json!({ "perMinute": 1000 })).await.refused(403), "wider_than_key");
    assert_eq!(edit(json!({})).await.refused(403), "wider_than_key");
    let new = |terms: Value| {
        let mut body = json!({ "name": "child" });
        body.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        let narrow = narrow.clone();
        async move { narrow.post(KEYS, &body).await }
    };
    assert_eq!(new(json!({ "scopes": ["prompts:write"] })).await.fields(), ["scopes"]);
    assert_eq!(new(json!({ "scopes": scopes })).await.refused(403), "wider_than_key");
    new(json!({ "scopes": scopes, "limits": { "perMinute": 50 } })).await.with(201);
    edit(json!({ "perMinute": 20 })).await.with(200);
    ana.post(&format!("{KEYS}/{wide}/rotate"), &json!({})).await.with(201);
}

#[tokio::test]
async fn a_caller_with_a_whole_network_counts_as_one() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let mut answers = Vec::new();
    for number in 0..400 {
        let one = stranger.at_six(&format!("2001:db8:7:7::{number:x}"));
        let body = json!({ "email": format!("nobody{number}@example.com"), "password": "wrong" });
        let reply = one.post("/api/auth/signin", &body).await;
        answers.push(reply.status.as_u16());
        if reply.status == 429 {
            break;
        }
    }
    assert_eq!(answers.last(), Some(&429), "{} tries from one network were taken", answers.len());
    let neighbour = stranger.at_six("2001:db8:7:8::1");
    let body = json!({ "email": "nobody@example.com", "password": "wrong" });
    assert_eq!(neighbour.post("/api/auth/signin", &body).await.status, 401);
}

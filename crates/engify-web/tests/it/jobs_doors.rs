//! The ways to a job from outside: the API for administrators, pages, outside schedulers, QStash.

use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::Uri;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engify_app::Ctx;
use engify_app::jobs;
use engify_testkit::TestApp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, Reply};

const SECRET: &str = "a cron secret of 30 characters";

async fn started() -> (TestApp, Client) {
    let test = TestApp::with(&[("CRON_SECRET", SECRET)]).await;
    let admin = Client::of(&test).admin(&test).await;
    (test, admin)
}

#[tokio::test]
async fn a_job_is_queued_done_and_told_of() {
    let (test, admin) = started().await;
    let queued =
        admin.post("/api/admin/jobs", &json!({ "kind": "cleanup", "payload": { "a": 1 } })).await.with(202);
    let path = format!("/api/admin/jobs/{}", queued["data"]["id"].as_str().unwrap());
    let job = admin.get(&path).await.with(200);
    assert_eq!((&job["state"], &job["payload"]), (&json!("queued"), &json!({ "a": 1 })));
    jobs::settle(&test.app).await.unwrap();
    let job = admin.get(&path).await.with(200);
    assert_eq!(
        (&job["state"], &job["attempts"], &job["outcome"]["links"]),
        (&json!("done"), &json!(1), &json!(0))
    );
    let listed = admin.get("/api/admin/jobs?state=done&kind=cleanup").await.with(200);
    assert_eq!(listed["data"][0]["id"], queued["data"]["id"]);
    let audit = admin.get("/api/admin/audit?action=job_queued").await.with(200);
    assert_eq!(audit["data"][0]["target"]["id"], queued["data"]["id"]);
    assert_eq!(admin.post(&format!("{path}/retry"), &json!({})).await.refused(409), "not_dead");
    assert_eq!(admin.delete(&path).await.refused(409), "not_discardable");
}

#[tokio::test]
async fn what_is_no_job_is_refused_by_field_and_leaves_nothing() {
    let (_test, admin) = started().await;
    for (body, field) in [
        (json!({ "kind": "dance" }), "kind"),
        (json!({ "kind": "cleanup", "payload": "x".repeat(70_000) }), "payload"),
        (json!({ "kind": "cleanup", "key": "" }), "key"),
        (json!({ "kind": "cleanup", "delaySeconds": 9_999_999 }), "delaySeconds"),
        (json!({ "kind": "cleanup", "priority": "now" }), "priority"),
        (json!({ "kind": "cleanup", "when": "now" }), "when"),
    ] {
        let reply = admin.post("/api/admin/jobs", &body).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert_eq!(reply.fields(), [field], "{}", reply.text);
    }
    assert_eq!(admin.get("/api/admin/jobs").await.with(200)["data"], json!([]));
    assert_eq!(admin.get("/api/admin/jobs?state=tired").await.fields(), ["state"]);
}

#[tokio::test]
async fn a_job_that_waits_can_be_called_off_and_its_record_stays() {
    let (test, admin) = started().await;
    let queued = admin.post("/api/admin/jobs", &json!({ "kind": "cleanup" })).await.with(202);
    let id = queued["data"]["id"].as_str().unwrap();
    assert!(admin.get(&format!("/opshub/jobs/{id}")).await.text.contains("Call the job off"));
    let path = format!("/api/admin/jobs/{id}");
    let job = admin.post(&format!("{path}/cancel"), &json!({})).await.with(200);
    assert_eq!((&job["state"], job["cancelledAt"].is_string()), (&json!("cancelled"), true), "{job:#}");
    jobs::settle(&test.app).await.unwrap();
    let job = admin.get(&path).await.with(200);
    assert_eq!((&job["state"], &job["attempts"]), (&json!("cancelled"), &json!(0)), "{job:#}");
    let audit = admin.get("/api/admin/audit?action=job_cancelled").await.with(200);
    assert_eq!(audit["data"][0]["target"]["id"], id);
    let page = admin.get("/opshub/jobs?state=cancelled").await;
    assert!(page.text.contains(id) && page.status == 200, "{}", page.text);
    let done = admin.post("/api/admin/jobs", &json!({ "kind": "cleanup" })).await.with(202);
    jobs::settle(&test.app).await.unwrap();
    let path = format!("/api/admin/jobs/{}/cancel", done["data"]["id"].as_str().unwrap());
    assert_eq!(admin.post(&path, &json!({})).await.refused(409), "not_cancellable");
}

#[tokio::test]
async fn a_job_that_waits_can_be_discarded() {
    let (test, admin) = started().await;
    let body = json!({ "kind": "cleanup", "delaySeconds": 60 });
    let queued = admin.post("/api/admin/jobs", &body).await.with(202);
    let path = format!("/api/admin/jobs/{}", queued["data"]["id"].as_str().unwrap());
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.get(&path).await.refused(404), "not_found");
    jobs::settle(&test.app).await.unwrap();
    assert_eq!(admin.get("/api/admin/jobs").await.with(200)["data"], json!([]));
}

#[tokio::test]
async fn a_schedule_is_changed_switched_off_and_never_half_changed() {
    let (_test, admin) = started().await;
    let path = "/api/admin/schedules/cleanup";
    let changed = admin.patch(path, &json!({ "cron": "0 3 * * *", "catchUp": "skip" })).await.with(200);
    assert_eq!(changed["nextAt"], "2026-11-23T03:00:00.000Z");
    assert_eq!((&changed["custom"], &changed["catchUp"]), (&json!(true), &json!("skip")));
    let reply = admin.patch(path, &json!({ "cron": "every day", "enabled": false })).await;
    assert_eq!((reply.status.as_u16(), reply.fields()), (400, vec!["cron".to_owned()]));
    assert!(reply.text.contains("30 2 * * *"), "{}", reply.text);
    let all = admin.get("/api/admin/schedules").await.with(200);
    let cleanup = all["data"].as_array().unwrap().iter().find(|one| one["name"] == "cleanup").unwrap();
    assert_eq!((&cleanup["cron"], &cleanup["enabled"]), (&json!("0 3 * * *"), &json!(true)));
    assert_eq!(admin.patch(path, &json!({ "enabled": false })).await.with(200)["nextAt"], Value::Null);
    assert_eq!(admin.patch("/api/admin/schedules/dance", &json!({})).await.refused(404), "not_found");
    let audit = admin.get("/api/admin/audit?action=schedule_changed&outcome=success").await.with(200);
    let lines = audit["data"].as_array().unwrap();
    let told = lines.iter().find_map(|line| line["details"]["after"]["cron"].as_str()).unwrap();
    assert_eq!(told, "0 3 * * *", "{audit:#}");
}

async fn knock(client: &Client, method: Method, path: &str, token: &str) -> Reply {
    let token = format!("Bearer {token}");
    client.send(method, path, &[("authorization", &token)], Body::empty()).await
}

#[tokio::test]
async fn outside_schedulers_come_in_with_the_secret_and_a_repeated_call_is_the_same_job() {
    let (test, admin) = started().await;
    let stranger = admin.stranger();
    let first = knock(&stranger, Method::GET, "/api/cron/cleanup", SECRET).await.with(202);
    let again = knock(&stranger, Method::POST, "/api/cron/cleanup", SECRET).await.with(202);
    assert_eq!(first["data"]["id"], again["data"]["id"]);
    assert_eq!((&first["data"]["fresh"], &again["data"]["fresh"]), (&json!(true), &json!(false)));
    jobs::settle(&test.app).await.unwrap();
    let after = knock(&stranger, Method::GET, "/api/cron/cleanup", SECRET).await.with(202);
    assert_eq!(after["data"], again["data"], "still the same minute");
    test.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(
        knock(&stranger, Method::GET, "/api/cron/cleanup", SECRET).await.with(202)["data"]["fresh"],
        true
    );

    assert_eq!(
        knock(&stranger, Method::GET, "/api/cron/cleanup", "wrong").await.refused(401),
        "unauthenticated"
    );
    assert_eq!(stranger.get("/api/cron/cleanup").await.refused(401), "unauthenticated");
    assert_eq!(
        admin.get("/api/cron/cleanup").await.refused(401),
        "unauthenticated",
        "a session is no secret"
    );
    assert_eq!(knock(&stranger, Method::GET, "/api/cron/dance", SECRET).await.refused(404), "not_found");
}

#[tokio::test]
async fn without_a_secret_outside_schedulers_are_told_what_to_set() {
    let test = TestApp::start().await;
    let reply = knock(&Client::of(&test), Method::GET, "/api/cron/cleanup", "anything").await;
    assert!(reply.text.contains("CRON_SECRET"), "{}", reply.text);
    assert_eq!(reply.refused(404), "cron_closed");
}

#[tokio::test]
async fn pages_show_jobs_and_change_schedules_without_scripts() {
    let (test, admin) = started().await;
    let form = &[("content-type", "application/x-www-form-urlencoded")];
    let post =
        async |path: &str, body: &'static str| admin.send(Method::POST, path, form, Body::from(body)).await;
    let sent = post("/opshub/schedules/cleanup/run", "").await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    jobs::settle(&test.app).await.unwrap();
    let list = admin.get("/opshub/jobs").await;
    assert!(list.text.contains("Cleanup") && list.text.contains("sessions 0"), "{}", list.text);
    let one = admin.get(sent.headers["location"].to_str().unwrap()).await;
    assert!(one.text.contains("the schedule") && one.text.contains("The job is queued."), "{}", one.text);

    let wrong = post("/opshub/schedules/cleanup", "cron=daily&catch_up=once&enabled=true").await;
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.text.contains("value=\"daily\"") && wrong.text.contains("Is not a schedule"),
        "{}",
        wrong.text
    );
    assert_eq!(post("/opshub/schedules/cleanup", "cron=5+4+*+*+*&catch_up=skip").await.status, 303);
    let schedules = admin.get("/opshub/schedules").await;
    assert!(
        schedules.text.contains("5 4 * * *") && schedules.text.contains("switched off"),
        "{}",
        schedules.text
    );
}

#[tokio::test]
async fn whoever_follows_sees_jobs_change() {
    let (test, admin) = started().await;
    let (status, _, body) = admin.open(Method::GET, "/opshub/jobs/live", &[], Body::empty()).await;
    assert_eq!(status, 200);
    let mut frames = body.into_data_stream();
    jobs::run_now(&Ctx::system(&test.app, "test"), "cleanup").await.unwrap();
    let mut text = String::new();
    while !text.contains("queued") {
        let frame = futures_util::StreamExt::next(&mut frames).await.unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&frame));
    }
    assert!(text.contains("event: line") && text.contains("id: cleanup:"), "{text}");
}

/// A QStash that takes messages, or does not.
#[derive(Clone, Default)]
struct Double {
    taken: Arc<Mutex<Vec<(String, String)>>>,
    away: bool,
}

impl Double {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(take).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        address
    }
}

async fn take(State(double): State<Double>, uri: Uri, body: Bytes) -> (StatusCode, Json<Value>) {
    if double.away {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": "away" })));
    }
    let body = String::from_utf8(body.to_vec()).unwrap();
    double.taken.lock().unwrap().push((uri.path().to_owned(), body));
    (StatusCode::OK, Json(json!({ "messageId": "m1" })))
}

async fn through(double: &Double) -> (TestApp, Client) {
    let url = double.start().await;
    let settings = [
        ("QSTASH_URL", url.as_str()),
        ("QSTASH_TOKEN", "qstash-token"),
        ("QSTASH_CURRENT_SIGNING_KEY", "sig_current"),
        ("QSTASH_NEXT_SIGNING_KEY", "sig_next"),
    ];
    let test = TestApp::with(&settings).await;
    let admin = Client::of(&test).admin(&test).await;
    (test, admin)
}

const HOOK: &str = "/api/webhooks/qstash";

fn signature(test: &TestApp, key: &str, path: &str, body: &str) -> String {
    let now = test.clock.now().millis() / 1000;
    let claims = json!({
        "iss": "Upstash", "sub": format!("{}{path}", test.app.settings().public.app_url), "exp": now + 300, "nbf": now,
        "iat": now, "jti": "j1", "body": URL_SAFE_NO_PAD.encode(Sha256::digest(body)),
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(&claims));
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(&text);
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

async fn call(client: &Client, signature: &str, body: &str) -> Reply {
    let headers = [("upstash-signature", signature), ("content-type", "application/json")];
    client.send(Method::POST, HOOK, &headers, Body::from(body.to_owned())).await
}

#[tokio::test]
async fn qstash_is_told_a_jobs_id_and_its_signed_call_does_that_job_once() {
    let double = Double::default();
    let (test, admin) = through(&double).await;
    let body = json!({ "kind": "cleanup", "payload": { "private": true } });
    let id = admin.post("/api/admin/jobs", &body).await.with(202)["data"]["id"].as_str().unwrap().to_owned();
    jobs::settle(&test.app).await.unwrap();
    let taken = double.taken.lock().unwrap().clone();
    let told = json!({ "job": id }).to_string();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert!(taken[0].0.ends_with(HOOK) && taken[0].1 == told, "the store keeps the payload: {taken:?}");
    assert_eq!(admin.get(&format!("/api/admin/jobs/{id}")).await.with(200)["state"], "queued");

    let stranger = admin.stranger();
    let elsewhere = signature(&test, "sig_current", "/api/elsewhere", &told);
    let forged = signature(&test, "sig_mine", HOOK, &told);
    let other_body = signature(&test, "sig_current", HOOK, "{}");
    for wrong in ["", "a.b.c", &elsewhere, &forged, &other_body] {
        assert_eq!(call(&stranger, wrong, &told).await.refused(401), "bad_signature");
    }
    for (key, expected) in [("sig_next", json!("done")), ("sig_current", Value::Null)] {
        let reply = call(&stranger, &signature(&test, key, HOOK, &told), &told).await;
        assert!(reply.status.is_success(), "{}", reply.text);
        assert_eq!(reply.json()["data"]["state"], expected, "the second call finds nothing to do");
    }
    assert_eq!(admin.get(&format!("/api/admin/jobs/{id}")).await.with(200)["attempts"], 1);
}

#[tokio::test]
async fn a_job_that_qstash_does_not_take_or_never_calls_for_is_done_here() {
    for away in [true, false] {
        let double = Double { away, ..Double::default() };
        let (test, admin) = through(&double).await;
        let queued = admin.post("/api/admin/jobs", &json!({ "kind": "cleanup" })).await.with(202);
        let path = format!("/api/admin/jobs/{}", queued["data"]["id"].as_str().unwrap());
        jobs::settle(&test.app).await.unwrap();
        if !away {
            assert_eq!(admin.get(&path).await.with(200)["state"], "queued");
            test.clock.advance(std::time::Duration::from_secs(61));
            jobs::settle(&test.app).await.unwrap();
        }
        assert_eq!(admin.get(&path).await.with(200)["state"], "done", "away: {away}");
    }
}

#[tokio::test]
async fn without_a_token_there_is_no_webhook() {
    let test = TestApp::start().await;
    assert_eq!(call(&Client::of(&test), "a.b.c", "{}").await.refused(404), "not_found");
}

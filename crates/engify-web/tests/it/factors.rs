//! Second factors at the boundary: enrolling, the second step, recovery, and what stops whoever has not got them.

use std::time::Duration;

use axum::body::Body;
use engify_testkit::TestApp;
use engify_web::Access;
use http::{Method, header};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::client::{Client, PASSWORD, Reply};

/// An authenticator app that shares a secret with the server.
pub(crate) struct Phone(totp_rs::Totp);

impl Phone {
    fn new(secret: &str) -> Self {
        let secret = Secret::try_from_base32(secret).unwrap();
        Self(Builder::new().with_secret(secret).with_account_name("ana").build().unwrap())
    }

    /// The code that it shows.
    pub(crate) fn code(&self, test: &TestApp) -> String {
        self.0.generate(u64::try_from(now(test) / 1000).unwrap()).to_string()
    }
}

fn now(test: &TestApp) -> i64 {
    test.clock.now().millis()
}

/// Enrols an authenticator app, and answers with it and the recovery codes. The clock then stands at a fresh code.
pub(crate) async fn enrol(test: &TestApp, client: &Client) -> (Phone, Vec<String>) {
    let enrolment = client.post("/api/auth/mfa/totp/enroll", &json!({})).await.with(200);
    let url = enrolment["otpauthUrl"].as_str().unwrap();
    assert!(url.starts_with("otpauth://totp/Engify:") && url.contains("issuer=Engify"), "{url}");
    let phone = Phone::new(enrolment["secret"].as_str().unwrap());
    let code = phone.code(test);
    let confirmed = client.post("/api/auth/mfa/totp/confirm", &json!({ "code": code })).await.with(200);
    let codes = confirmed["recoveryCodes"].as_array().unwrap();
    test.clock.advance(Duration::from_secs(30));
    (phone, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

/// The first step.
pub(crate) async fn first_step(client: &Client, name: &str) -> (Client, Reply) {
    let mut half = client.stranger();
    let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
    let reply = half.post("/api/auth/signin", &body).await;
    half.keep_cookie(&reply);
    (half, reply)
}

async fn verify(client: &Client, method: &str, code: &str) -> Reply {
    client.post("/api/auth/mfa/verify", &json!({ "method": method, "code": code })).await
}

fn cookie(reply: &Reply) -> String {
    reply.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn signing_in_asks_for_the_code_and_completes_with_another_token() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (phone, codes) = enrol(&test, &ana).await;
    assert_eq!(codes.len(), 10);

    let (mut half, first) = first_step(&ana, "ana").await;
    let body = first.with(200);
    assert_eq!((&body["mfaRequired"], &body["methods"]), (&json!(true), &json!(["totp", "recovery_code"])));
    assert_eq!(body["user"], Value::Null, "nothing of the account is shown yet");
    assert!(first.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=600"));
    assert_eq!(half.get("/api/auth/session").await.with(200)["user"], Value::Null);

    let second = verify(&half, "totp", &phone.code(&test)).await;
    assert_eq!(second.with(200)["user"]["name"], "ana");
    assert_ne!(cookie(&first), cookie(&second), "a token from before the second step is worth nothing");
    let stale = half.clone();
    half.keep_cookie(&second);
    assert_eq!(half.get("/api/auth/session").await.with(200)["user"]["name"], "ana");
    assert_eq!(verify(&stale, "totp", "000000").await.refused(401), "unauthenticated");
}

#[tokio::test]
async fn a_code_opens_one_thing_once() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (phone, _) = enrol(&test, &ana).await;
    let (one, _) = first_step(&ana, "ana").await;
    let (two, _) = first_step(&ana, "ana").await;
    let code = phone.code(&test);
    let (first, second) = tokio::join!(verify(&one, "totp", &code), verify(&two, "totp", &code));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "of two at once, one wins");
    let (three, _) = first_step(&ana, "ana").await;
    assert_eq!(
        verify(&three, "totp", &code).await.refused(401),
        "invalid_code",
        "and later it opens nothing"
    );

    test.clock.advance(Duration::from_secs(30));
    let next = phone.code(&test);
    test.clock.advance(Duration::from_secs(30));
    let (four, _) = first_step(&ana, "ana").await;
    verify(&four, "totp", &next).await.with(200);
    let (five, _) = first_step(&ana, "ana").await;
    test.clock.advance(Duration::from_secs(60));
    assert_eq!(verify(&five, "totp", &next).await.refused(401), "invalid_code", "two steps late is too late");
}

#[tokio::test]
async fn a_recovery_code_is_good_once_and_new_ones_replace_the_old() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (_, codes) = enrol(&test, &ana).await;
    let (half, _) = first_step(&ana, "ana").await;
    verify(&half, "recovery_code", &codes[0].to_uppercase().replace('-', " ")).await.with(200);
    let (half, _) = first_step(&ana, "ana").await;
    assert_eq!(verify(&half, "recovery_code", &codes[0]).await.refused(401), "invalid_code");
    assert_eq!(ana.get("/api/auth/mfa/status").await.with(200)["recoveryCodesLeft"], 9);

    let anew = ana.post("/api/auth/mfa/recovery-codes", &json!({})).await.with(200);
    assert_eq!(anew["recoveryCodes"].as_array().map(Vec::len), Some(10));
    assert_eq!(verify(&half, "recovery_code", &codes[1]).await.refused(401), "invalid_code");
    verify(&half, "recovery_code", anew["recoveryCodes"][0].as_str().unwrap()).await.with(200);
}

#[tokio::test]
async fn half_a_session_opens_nothing_anywhere() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    enrol(&test, &admin).await;
    let (half, _) = first_step(&admin, "root").await;
    let stranger = half.stranger();
    let mut walked = 0;
    for route in engify_web::routes() {
        if route.path.starts_with("/api/auth/passkeys/signin")
            || route.path.starts_with("/login/factor")
            || route.path.ends_with("/sms/send")
        {
            continue;
        }
        let path: Vec<&str> =
            route.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let ask = |client: Client| {
            let (method, path) = (route.method.clone(), path.join("/"));
            async move {
                client.send(method, &path, &[("content-type", "application/json")], Body::from("{}")).await
            }
        };
        let (by_half, by_stranger) = (ask(half.clone()).await, ask(stranger.clone()).await);
        assert_eq!(by_half.status, by_stranger.status, "{} {}: {}", route.method, route.path, by_half.text);
        if route.policy.access != Access::Public {
            walked += 1;
        }
    }
    assert!(walked > 40, "{walked} routes are not for strangers");
    assert_eq!(half.get("/api/auth/session").await.with(200)["user"], Value::Null);
}

#[tokio::test]
async fn the_second_step_is_open_for_ten_minutes() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (phone, _) = enrol(&test, &ana).await;
    let (half, _) = first_step(&ana, "ana").await;
    test.clock.advance(Duration::from_secs(600));
    assert_eq!(verify(&half, "totp", &phone.code(&test)).await.refused(401), "unauthenticated");
}

#[tokio::test]
async fn wrong_codes_wait_longer_and_longer_from_wherever_they_come() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (phone, _) = enrol(&test, &ana).await;
    let (half, _) = first_step(&ana, "ana").await;
    for from in 0..5 {
        assert_eq!(verify(&half.from(from), "totp", "000000").await.refused(401), "invalid_code");
    }
    let refused = verify(&half.from(9), "totp", &phone.code(&test)).await;
    assert_eq!(refused.refused(429), "rate_limited", "a right code waits as well");
    assert_eq!(refused.headers[header::RETRY_AFTER], "2");
    test.clock.advance(Duration::from_secs(2));
    verify(&half, "totp", &phone.code(&test)).await.with(200);
    ana.from(33).get("/api/auth/session").await.with(200);
}

#[tokio::test]
async fn a_wrong_password_elsewhere_does_not_keep_the_owner_out() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let stranger = ana.stranger().from(66);
    let wrong = json!({ "email": "ana@example.com", "password": "wrong" });
    let mut waits = Vec::new();
    for _ in 0..8 {
        let reply = stranger.post("/api/auth/signin", &wrong).await;
        if reply.status == 429 {
            let wait = reply.headers[header::RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap();
            waits.push(wait);
            test.clock.advance(Duration::from_secs(wait));
            assert_eq!(stranger.post("/api/auth/signin", &wrong).await.refused(401), "invalid_credentials");
        }
    }
    assert_eq!(waits, [2, 4, 8]);
    let body = json!({ "email": "ana@example.com", "password": PASSWORD });
    ana.stranger().from(77).post("/api/auth/signin", &body).await.with(200);
}

#[tokio::test]
async fn what_is_sensitive_asks_again_after_ten_minutes() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    test.clock.advance(Duration::from_secs(599));
    ana.post("/api/auth/mfa/totp/enroll", &json!({})).await.with(200);
    test.clock.advance(Duration::from_secs(1));
    let stale = ana.post("/api/auth/mfa/totp/enroll", &json!({})).await;
    assert_eq!(stale.refused(403), "fresh_factor_required");
    assert!(stale.json()["message"].as_str().unwrap().contains("/api/auth/mfa/verify"));
    assert_eq!(verify(&ana, "password", "wrong").await.refused(401), "invalid_code");
    verify(&ana, "password", PASSWORD).await.with(200);
    let (phone, _) = enrol(&test, &ana).await;

    // With a factor the password is not enough any more.
    test.clock.advance(Duration::from_secs(600));
    let wrong_method = verify(&ana, "password", PASSWORD).await;
    assert_eq!(
        (wrong_method.refused(400).as_str(), wrong_method.fields()),
        ("invalid_request", vec!["method".to_owned()])
    );
    assert_eq!(ana.post("/api/auth/mfa/disable", &json!({})).await.refused(403), "fresh_factor_required");
    verify(&ana, "totp", &phone.code(&test)).await.with(200);
    ana.post("/api/auth/mfa/disable", &json!({})).await.with(200);
    let status = ana.get("/api/auth/mfa/status").await.with(200);
    assert_eq!((&status["enabled"], &status["recoveryCodesLeft"]), (&json!(false), &json!(0)));
    assert_eq!(
        first_step(&ana, "ana").await.1.with(200)["user"]["name"],
        "ana",
        "the password alone opens again"
    );
}

#[tokio::test]
async fn a_rotation_of_the_key_counts_as_a_change_so_that_no_write_on_its_way_brings_the_old_seal_back() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    enrol(&test, &ana).await;
    let id = ana.get("/api/auth/session").await.with(200)["user"]["id"].as_str().unwrap().to_owned();
    let held = async || {
        let everything = engify_core::tenancy::Scope::Everything("a test looks at it");
        test.store().get::<engify_core::factor::Factors>(&everything, &id).await.unwrap().unwrap()
    };
    let before = held().await;
    let new_key = engify_core::Secret::new("ab".repeat(32));
    let rotation = engify_app::vault::Rotation { new_key: Some(new_key), ..Default::default() };
    let ctx = engify_app::Ctx::system(&test.app, "test");
    let report = engify_app::vault::rotate(&ctx, rotation, &mut |_| {}).await.unwrap();
    assert!(report.complete && report.rotated > 0, "{report:?}");
    let after = held().await;
    assert_ne!(before.totp.unwrap().secret.key_id, after.totp.as_ref().unwrap().secret.key_id);
    assert!(after.revision > before.revision, "a write that read the document before the rotation is stale");
}

#[tokio::test]
async fn an_api_key_is_never_fresh() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let made = ana.post("/api/v2/users/api-keys", &json!({ "name": "ci" })).await.with(201);
    let key = ana.with_key(made["data"]["key"].as_str().unwrap());
    for path in [
        "/api/auth/mfa/totp/enroll",
        "/api/auth/mfa/disable",
        "/api/auth/mfa/recovery-codes",
        "/api/auth/passkeys/register/start",
    ] {
        assert_eq!(key.post(path, &json!({})).await.refused(403), "forbidden", "{path}");
    }
    let code = json!({ "method": "password", "code": PASSWORD });
    assert_eq!(key.post("/api/auth/mfa/verify", &code).await.refused(403), "forbidden");
}

#[tokio::test]
async fn removing_a_factor_and_changing_the_password_end_the_other_sessions() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let (phone, _) = enrol(&test, &ana).await;
    let signed_in = |code: String| {
        let ana = ana.clone();
        async move {
            let (mut other, _) = first_step(&ana, "ana").await;
            let reply = verify(&other, "totp", &code).await;
            other.keep_cookie(&reply);
            other.get("/api/auth/sessions").await.with(200);
            other
        }
    };
    let other = signed_in(phone.code(&test)).await;
    let (half, _) = first_step(&ana, "ana").await;
    let (current, new) = (PASSWORD, "another violet tractor at noon");
    ana.send(
        Method::POST,
        "/settings/password",
        &[("content-type", "application/x-www-form-urlencoded")],
        Body::from(format!("current={}&password={}", current.replace(' ', "+"), new.replace(' ', "+"))),
    )
    .await;
    assert_eq!(other.get("/api/auth/sessions").await.refused(401), "unauthenticated");
    test.clock.advance(Duration::from_secs(30));
    assert_eq!(
        verify(&half, "totp", &phone.code(&test)).await.refused(401),
        "unauthenticated",
        "who is half-way in with the old password is out as well"
    );
    ana.get("/api/auth/sessions").await.with(200);
}

fn must_enrol() -> [(&'static str, &'static str); 1] {
    [("ADMIN_MFA_REQUIRED", "true")]
}

/// What an administrator without a factor may ask: enrolment, the own session, health, files.
const OPEN_BEFORE: &[&str] = &[
    "/api/health",
    "/api/health/live",
    "/api/health/ready",
    "/api/auth/signin",
    "/api/auth/signout",
    "/api/auth/session",
    "/api/auth/sessions",
    "/api/auth/sessions/{id}",
    "/api/auth/mfa/",
    "/api/auth/passkeys",
    "/assets/{*path}",
    "/favicon.ico",
    "/robots.txt",
    "/.well-known/security.txt",
    "/login",
    "/logout",
    "/login/factor",
    "/confirm",
    "/settings/security",
    "/settings/sessions/end",
];

#[tokio::test]
async fn an_administrator_without_a_factor_is_stopped_everywhere_but_at_enrolment() {
    let test = TestApp::with(&must_enrol()).await;
    let admin = Client::of(&test).admin(&test).await;
    let mut stopped = 0;
    for route in engify_web::routes() {
        let open = OPEN_BEFORE.iter().any(|path| {
            route.path == *path
                || route.path == "/login/factor/sms"
                || route.path == "/confirm/sms"
                || (path.ends_with('/') || path.ends_with("passkeys") || path.ends_with("security"))
                    && route.path.starts_with(path)
        });
        if open {
            continue;
        }
        let path: Vec<&str> =
            route.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let reply = admin
            .send(
                route.method.clone(),
                &path.join("/"),
                &[("content-type", "application/json")],
                Body::from("{}"),
            )
            .await;
        if route.is_page && reply.status == 303 {
            assert_eq!(reply.headers["location"], "/settings/security", "{} {}", route.method, route.path);
        } else {
            assert_eq!(reply.refused(403), "mfa_enrolment_required", "{} {}", route.method, route.path);
        }
        stopped += 1;
    }
    assert!(stopped > 50, "{stopped} routes stop them");
    admin.get("/api/health").await.with(200);
    assert_eq!(admin.get("/api/auth/session").await.with(200)["user"]["role"], "super_admin");
    assert_eq!(admin.get("/settings/security").await.status, 200);

    enrol(&test, &admin).await;
    assert_eq!(admin.get("/opshub").await.status, 200, "with a factor everything is open");
    assert_eq!(admin.post("/api/auth/mfa/disable", &json!({})).await.refused(409), "last_factor");
}

#[tokio::test]
async fn who_is_no_administrator_needs_no_factor() {
    let test = TestApp::with(&must_enrol()).await;
    let ana = Client::of(&test).signed_up("ana").await;
    ana.get("/api/v2/ai/runs").await.with(200);
}

#[tokio::test]
async fn bad_codes_and_bodies_are_told_so() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let confirm = |code: &'static str| {
        let ana = ana.clone();
        async move { ana.post("/api/auth/mfa/totp/confirm", &json!({ "code": code })).await }
    };
    assert_eq!(confirm("123456").await.refused(409), "not_enrolling");
    ana.post("/api/auth/mfa/totp/enroll", &json!({})).await.with(200);
    for wrong in ["", "12345", "1234567", "abcdef", "\u{0661}\u{0662}\u{0663}\u{0664}\u{0665}\u{0666}"] {
        let reply = confirm(wrong).await;
        let said = reply.status.as_u16();
        assert!(said == 400 && reply.fields() == ["code"] || said == 429, "{wrong:?}: {}", reply.text);
    }
    assert_eq!(verify(&ana, "fingers", "1").await.fields(), ["method"]);
    assert_eq!(verify(&ana, "sms", "123456").await.fields(), ["method"]);
    let unknown = ana.post("/api/auth/mfa/disable", &json!({ "factor": "hope" })).await;
    assert_eq!(unknown.fields(), ["factor"]);
    assert_eq!(ana.post("/api/auth/mfa/disable", &json!({})).await.refused(404), "not_found");
}

#[tokio::test]
async fn a_phone_counts_once_a_code_proved_it_and_is_shown_masked() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let number = "+15005550009";
    let code = async || test.mail(number, engify_core::message::MessageKind::Code).await.code();
    assert_eq!(ana.post("/api/auth/mfa/sms/send", &json!({ "phone": "12" })).await.fields(), ["phone"]);
    assert_eq!(ana.post("/api/auth/mfa/sms/send", &json!({})).await.refused(404), "not_found");
    ana.post("/api/auth/mfa/sms/send", &json!({ "phone": number })).await.with(200);
    assert_eq!(ana.get("/api/auth/mfa/status").await.with(200)["enabled"], false);
    let wrong = ana.post("/api/auth/mfa/sms/confirm", &json!({ "code": "no" })).await;
    assert_eq!(wrong.fields(), ["code"]);
    let confirmed = ana.post("/api/auth/mfa/sms/confirm", &json!({ "code": code().await })).await.with(200);
    assert_eq!(confirmed["recoveryCodes"].as_array().map(Vec::len), Some(10));
    assert_eq!(ana.get("/api/auth/mfa/status").await.with(200)["phone"], "+…09");

    let (half, first) = first_step(&ana, "ana").await;
    assert_eq!(first.with(200)["methods"], json!(["sms", "recovery_code"]));
    half.post("/api/auth/mfa/sms/send", &json!({})).await.with(200);
    assert_eq!(verify(&half, "sms", &code().await).await.with(200)["user"]["name"], "ana");
}

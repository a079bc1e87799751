//! Signing up, in and out.

use engify_testkit::TestApp;
use http::header;
use serde_json::json;

use crate::client::{Client, PASSWORD};

#[tokio::test]
async fn a_new_person_signs_up_is_known_and_signs_out() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    assert_eq!(stranger.get("/api/auth/session").await.with(200), json!({ "user": null }));

    let ana = stranger.signed_up("ana").await;
    let session = ana.get("/api/auth/session").await.with(200);
    assert_eq!(session["user"]["email"], "ana@example.com");
    assert_eq!(session["user"]["role"], "user");
    assert_eq!(session["expires"], "2026-12-22T12:00:00.000Z");

    let mut again = stranger.clone();
    let body = json!({ "email": " Ana@Example.com ", "password": PASSWORD });
    let reply = again.post("/api/auth/signin", &body).await;
    assert_eq!(reply.with(200)["user"]["name"], "ana");
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"),
        "{cookie}"
    );
    again.keep_cookie(&reply);

    again.post("/api/auth/signout", &json!({})).await.with(200);
    assert_eq!(
        again.get("/api/auth/session").await.with(200)["user"],
        json!(null),
        "the ended session opens nothing"
    );
    assert_eq!(
        ana.get("/api/auth/session").await.with(200)["user"]["name"],
        "ana",
        "the other one still does"
    );
}

#[tokio::test]
async fn unknown_addresses_and_wrong_passwords_get_the_same_answer() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    stranger.signed_up("ana").await;
    let wrong =
        stranger.post("/api/auth/signin", &json!({ "email": "ana@example.com", "password": "wrong" })).await;
    let unknown = stranger
        .post("/api/auth/signin", &json!({ "email": "nobody@example.com", "password": "wrong" }))
        .await;
    assert_eq!(wrong.refused(401), "invalid_credentials");
    assert_eq!(wrong.json()["message"], unknown.json()["message"]);
    assert_eq!(unknown.refused(401), "invalid_credentials");
}

#[tokio::test]
async fn each_try_to_sign_in_tells_how_many_are_left() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    stranger.signed_up("ana").await;
    for (password, status, left) in [("wrong", 401, "19"), (PASSWORD, 200, "18")] {
        let body = json!({ "email": "ana@example.com", "password": password });
        let reply = stranger.post("/api/auth/signin", &body).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        assert_eq!(
            (&reply.headers["x-ratelimit-limit"], &reply.headers["x-ratelimit-remaining"]),
            (&header::HeaderValue::from_static("20"), &header::HeaderValue::from_static(left))
        );
        assert!(reply.headers.contains_key("x-ratelimit-reset"));
    }
}

#[tokio::test]
async fn tries_are_limited_for_the_one_who_tries_not_for_the_owner() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    stranger.signed_up("ana").await;
    let wrong = json!({ "email": "ana@example.com", "password": "wrong" });
    let mut last = stranger.post("/api/auth/signin", &wrong).await;
    for _ in 0..10 {
        last = stranger.post("/api/auth/signin", &wrong).await;
    }
    assert_eq!(last.refused(429), "rate_limited");
    assert!(last.headers.contains_key(header::RETRY_AFTER));
    let owner = stranger
        .from(9)
        .post("/api/auth/signin", &json!({ "email": "ana@example.com", "password": PASSWORD }))
        .await;
    owner.with(200);
}

#[tokio::test]
async fn of_two_sign_ups_at_once_one_wins_and_the_other_is_told() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let body = json!({ "email": "ana@example.com", "password": PASSWORD, "name": "Ana" });
    let elsewhere = stranger.from(2);
    let (one, two) =
        tokio::join!(stranger.post("/api/auth/signup", &body), elsewhere.post("/api/auth/signup", &body));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let loser = if one.status == 409 { one } else { two };
    assert_eq!(loser.refused(409), "email_taken");
    assert_eq!(loser.fields(), ["email"]);
}

#[tokio::test]
async fn a_bad_form_names_every_field_at_once() {
    let test = TestApp::start().await;
    let reply = Client::of(&test)
        .post("/api/auth/signup", &json!({ "email": "no", "password": "short", "name": "" }))
        .await;
    assert_eq!(reply.refused(400), "invalid_request");
    assert_eq!(reply.fields(), ["email", "name", "password"]);
}

#[tokio::test]
async fn sign_up_can_be_closed() {
    let test = TestApp::with(&[("NEXT_PUBLIC_ALLOW_SIGNUP", "false")]).await;
    let body = json!({ "email": "ana@example.com", "password": PASSWORD, "name": "Ana" });
    assert_eq!(Client::of(&test).post("/api/auth/signup", &body).await.refused(403), "signup_closed");
}

#[tokio::test]
async fn the_set_up_link_makes_one_super_admin_and_then_opens_nothing() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    let session = admin.get("/api/auth/session").await.with(200);
    assert_eq!(session["user"]["role"], "super_admin");
    assert_eq!(session["expires"], "2026-11-22T13:00:00.000Z", "an administrator's session is an hour long");
    assert!(!engify_app::setup::is_open(&test.app, test.setup_token.reveal()).await.unwrap());
}

#[tokio::test]
async fn sessions_end_by_time_without_use_and_by_hand() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let ana = stranger.signed_up("ana").await;
    let mut second = stranger.clone();
    let reply =
        second.post("/api/auth/signin", &json!({ "email": "ana@example.com", "password": PASSWORD })).await;
    second.keep_cookie(&reply);
    assert_eq!(ana.get("/api/auth/sessions").await.with(200)["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(ana.delete("/api/auth/sessions").await.with(200)["data"], 1);
    assert_eq!(second.get("/api/auth/sessions").await.refused(401), "unauthenticated");

    test.clock.advance(std::time::Duration::from_secs(15 * 24 * 3600));
    assert_eq!(
        ana.get("/api/auth/sessions").await.refused(401),
        "unauthenticated",
        "idle for more than two weeks"
    );
}

#[tokio::test]
async fn writes_from_another_site_are_refused() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let headers = [
        ("content-type", "application/json"),
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ];
    let reply =
        ana.send(http::Method::POST, "/api/auth/signout", &headers, axum::body::Body::from("{}")).await;
    assert_eq!(reply.status, 403);
    assert_eq!(ana.get("/api/auth/session").await.with(200)["user"]["name"], "ana", "nothing happened");
}

//! Forgotten passwords, proven and changed addresses, and what people are told by mail.

use std::time::Duration;

use axum::body::Body;
use engify_core::message::MessageKind;
use engify_testkit::TestApp;
use http::Method;
use serde_json::json;

use crate::client::{Client, PASSWORD, Reply};

const NEW: &str = "seven quiet lamps at dusk";
const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

async fn sign_in(client: &Client, password: &str) -> Reply {
    client.post("/api/auth/signin", &json!({ "email": "ana@example.com", "password": password })).await
}

async fn forgot(client: &Client, email: &str) -> Reply {
    client.post("/api/auth/forgot-password", &json!({ "email": email })).await
}

async fn form(client: &Client, path: &str, body: &str) -> Reply {
    client.send(Method::POST, path, FORM, Body::from(body.to_owned())).await
}

#[tokio::test]
async fn a_forgotten_password_is_chosen_anew_once_and_ends_every_session() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let ana = stranger.signed_up("ana").await;
    forgot(&stranger, " Ana@Example.com ").await.with(200);
    let token = test.mail("ana@example.com", MessageKind::ResetPassword).await.token();

    let weak = json!({ "token": token, "password": "password123" });
    let refused = stranger.post("/api/auth/reset-password", &weak).await;
    assert_eq!(
        (refused.refused(400).as_str(), refused.fields()),
        ("invalid_request", vec!["password".to_owned()])
    );

    let body = json!({ "token": token, "password": NEW });
    let elsewhere = stranger.from(9);
    let (one, two) = tokio::join!(
        stranger.post("/api/auth/reset-password", &body),
        elsewhere.post("/api/auth/reset-password", &body)
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "of two at once, one wins");
    assert_eq!(stranger.post("/api/auth/reset-password", &body).await.refused(400), "link_invalid");

    assert_eq!(ana.get("/api/auth/sessions").await.status, 401, "the old session is over");
    assert_eq!(sign_in(&stranger, PASSWORD).await.status, 401);
    sign_in(&stranger, NEW).await.with(200);
    let notice = test.mail("ana@example.com", MessageKind::PasswordChanged).await;
    assert!(notice.content.text.contains("If this was not you"), "{}", notice.content.text);
}

#[tokio::test]
async fn a_link_ends_after_half_an_hour_and_with_the_use_of_another() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    stranger.signed_up("ana").await;
    forgot(&stranger, "ana@example.com").await.with(200);
    let old = test.mail("ana@example.com", MessageKind::ResetPassword).await.token();
    test.clock.advance(Duration::from_secs(30 * 60));
    let reply = stranger.post("/api/auth/reset-password", &json!({ "token": old, "password": NEW })).await;
    assert_eq!(reply.refused(400), "link_invalid");

    forgot(&stranger, "ana@example.com").await.with(200);
    let first = test.mail("ana@example.com", MessageKind::ResetPassword).await.token();
    test.clock.advance(Duration::from_secs(1));
    forgot(&stranger, "ana@example.com").await.with(200);
    let second = test.mail("ana@example.com", MessageKind::ResetPassword).await.token();
    assert_ne!(first, second);
    stranger.post("/api/auth/reset-password", &json!({ "token": second, "password": NEW })).await.with(200);
    let reply =
        stranger.post("/api/auth/reset-password", &json!({ "token": first, "password": PASSWORD })).await;
    assert_eq!(reply.refused(400), "link_invalid");
    for made_up in ["", "x", &"0".repeat(64), &"f".repeat(65)] {
        let reply =
            stranger.post("/api/auth/reset-password", &json!({ "token": made_up, "password": NEW })).await;
        assert_eq!(reply.refused(400), "link_invalid", "{made_up}");
    }
}

#[tokio::test]
async fn requests_for_unknown_addresses_look_the_same_and_send_nothing() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    stranger.signed_up("ana").await;
    let before = test.mailbox().await.len();
    let (known, unknown) =
        (forgot(&stranger, "ana@example.com").await, forgot(&stranger, "nobody@example.com").await);
    assert_eq!(known.with(200), unknown.with(200));
    let names = |reply: &Reply| reply.headers.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&known), names(&unknown));
    assert_eq!(test.mailbox().await.len(), before + 1);
    assert_eq!(forgot(&stranger, "no address").await.fields(), ["email"]);
}

#[tokio::test]
async fn whoever_asks_too_often_is_stopped_and_the_owner_is_not() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    stranger.signed_up("ana").await;
    for _ in 0..3 {
        forgot(&stranger, "ana@example.com").await.with(200);
    }
    assert_eq!(forgot(&stranger, "ana@example.com").await.refused(429), "rate_limited");
    assert_eq!(forgot(&stranger, "nobody@example.com").await.status, 200, "by account and address together");
    forgot(&stranger.from(5), "ana@example.com").await.with(200);
    assert_eq!(test.mailbox().await.iter().filter(|mail| mail.kind == MessageKind::ResetPassword).count(), 4);
}

#[tokio::test]
async fn whoever_took_an_address_before_its_owner_came_keeps_no_way_in() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let squatter = stranger.signed_up("ana").await;
    let key = squatter.post("/api/v2/users/api-keys", &json!({ "name": "later" })).await.with(201);
    let by_key = squatter.with_key(key["data"]["key"].as_str().unwrap());
    crate::factors::enrol(&test, &squatter).await;
    forgot(&stranger, "ana@example.com").await.with(200);
    let token = test.mail("ana@example.com", MessageKind::ResetPassword).await.token();
    stranger.post("/api/auth/reset-password", &json!({ "token": token, "password": NEW })).await.with(200);

    assert_eq!(squatter.get("/api/auth/session").await.with(200)["user"], serde_json::Value::Null);
    by_key.get("/api/v2/ai/runs").await.refused(401);
    let signed_in = json!({ "email": "ana@example.com", "password": NEW });
    let owner = stranger.post("/api/auth/signin", &signed_in).await.with(200);
    assert_eq!(owner["user"]["name"], "ana", "no factor of somebody else's is asked for: {owner}");
}

#[tokio::test]
async fn a_proven_address_resets_its_password_and_nothing_else() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let ana = stranger.signed_up("ana").await;
    let proof = test.mail("ana@example.com", MessageKind::VerifyAddress).await.token();
    stranger.post("/api/auth/verify-email", &json!({ "token": proof })).await.with(200);
    let key = ana.post("/api/v2/users/api-keys", &json!({ "name": "ci" })).await.with(201);
    let by_key = ana.with_key(key["data"]["key"].as_str().unwrap());
    crate::factors::enrol(&test, &ana).await;
    forgot(&stranger, "ana@example.com").await.with(200);
    let token = test.mail("ana@example.com", MessageKind::ResetPassword).await.token();
    stranger.post("/api/auth/reset-password", &json!({ "token": token, "password": NEW })).await.with(200);
    by_key.get("/api/v2/ai/runs").await.with(200);
    let signed_in = json!({ "email": "ana@example.com", "password": NEW });
    assert_eq!(stranger.post("/api/auth/signin", &signed_in).await.with(200)["mfaRequired"], true);
}

#[tokio::test]
async fn a_new_account_proves_its_address_by_a_button_behind_a_link() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let ana = stranger.signed_up("ana").await;
    assert!(ana.get("/settings/profile").await.text.contains("Confirm that"), "the page asks for it");
    let mail = test.mail("ana@example.com", MessageKind::VerifyAddress).await;
    assert!(mail.content.text.contains("Hello ana,") && mail.content.html.contains("Confirm this address"));
    for _ in 0..2 {
        let page = stranger.get(&mail.link()).await;
        assert_eq!(page.status, 200, "looking uses nothing up");
        assert!(page.text.contains("ana@example.com"));
    }
    let sent = form(&stranger, "/verify-email", &format!("token={}", mail.token())).await;
    assert_eq!(
        (sent.status.as_u16(), &sent.headers["location"]),
        (303, &"/login?done=address".parse().unwrap())
    );
    assert_eq!(form(&stranger, "/verify-email", &format!("token={}", mail.token())).await.status, 400);
    assert!(!ana.get("/settings/profile").await.text.contains("Confirm that"));
    assert_eq!(ana.post("/api/auth/verify-email/resend", &json!({})).await.refused(409), "already_verified");
}

#[tokio::test]
async fn an_address_changes_when_the_new_one_is_proven_and_the_old_one_is_told() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let ana = stranger.signed_up("ana").await;
    stranger.signed_up("benjamin").await;
    let change = |email: &str, password: &str| json!({ "email": email, "currentPassword": password });
    let wrong = ana.post("/api/auth/change-email", &change("no", "wrong")).await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.fields()),
        (400, vec!["email".to_owned(), "currentPassword".to_owned()])
    );
    ana.post("/api/auth/change-email", &change("benjamin@example.com", PASSWORD)).await.with(200);
    let mails = test.mailbox().await;
    assert_eq!(
        mails.iter().filter(|mail| mail.to == "benjamin@example.com").count(),
        1,
        "only their own welcome"
    );

    ana.post("/api/auth/change-email", &change("ana@new.example", PASSWORD)).await.with(200);
    let token = test.mail("ana@new.example", MessageKind::VerifyAddress).await.token();
    assert_eq!(
        ana.get("/api/auth/session").await.with(200)["user"]["email"],
        "ana@example.com",
        "not before"
    );
    let proven = stranger.post("/api/auth/verify-email", &json!({ "token": token })).await.with(200);
    assert_eq!(proven["data"]["email"], "ana@new.example");
    assert_eq!(ana.get("/api/auth/session").await.with(200)["user"]["email"], "ana@new.example");
    let notice = test.mail("ana@example.com", MessageKind::AddressChanged).await;
    assert!(notice.content.text.contains("ana@new.example"));
}

#[tokio::test]
async fn a_changed_password_and_a_new_device_are_told_and_a_known_one_is_not() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let ana = stranger.signed_up("ana").await;
    let news = async || {
        let mails = test.mailbox().await;
        mails.iter().filter(|mail| mail.kind == MessageKind::NewDevice).count()
    };
    let again = ana.clone().stranger();
    sign_in(&again, PASSWORD).await.with(200);
    assert_eq!(news().await, 0, "where the account was made");
    sign_in(&stranger.from(9), PASSWORD).await.with(200);
    assert_eq!(news().await, 1, "from another network");
    sign_in(&stranger.from(10), PASSWORD).await.with(200);
    assert_eq!(news().await, 1, "from that network again");

    let body = format!("current={}&password={}", PASSWORD.replace(' ', "+"), NEW.replace(' ', "+"));
    assert_eq!(form(&ana, "/settings/password", &body).await.status, 303);
    test.mail("ana@example.com", MessageKind::PasswordChanged).await;
}

#[tokio::test]
async fn a_password_is_forgotten_and_chosen_on_pages_without_scripts() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    stranger.signed_up("ana").await;
    assert!(stranger.get("/forgot-password").await.text.contains("Send the link"));
    let bad = form(&stranger, "/forgot-password", "email=ana").await;
    assert!(bad.status == 400 && bad.text.contains("value=\"ana\""), "what was typed comes back");
    let asked = form(&stranger, "/forgot-password", "email=ana%40example.com").await;
    assert_eq!(asked.headers["location"], "/forgot-password?done=reset-asked");
    let mail = test.mail("ana@example.com", MessageKind::ResetPassword).await;
    assert!(stranger.get(&mail.link()).await.text.contains("New password"));
    let weak = form(&stranger, "/reset-password", &format!("token={}&password=short", mail.token())).await;
    assert!(
        weak.status == 400 && weak.text.contains("10 to 200 characters") && !weak.text.contains("short\"")
    );
    let chosen = format!("token={}&password={}", mail.token(), NEW.replace(' ', "+"));
    assert_eq!(form(&stranger, "/reset-password", &chosen).await.headers["location"], "/login?done=reset");
    let spent = stranger.get(&mail.link()).await;
    assert!(
        spent.status == 400
            && spent.text.contains("works no more")
            && spent.text.contains("/forgot-password")
    );
}

#[tokio::test]
async fn a_new_second_factor_is_told_by_mail() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    crate::factors::enrol(&test, &ana).await;
    let letter = test.mail("ana@example.com", MessageKind::FactorsChanged).await;
    assert!(letter.content.text.contains("An authenticator app was added"), "{}", letter.content.text);
}

//! Passkeys at the boundary, with an authenticator in memory; browsers and real ceremonies are in `e2e/`.

use std::time::Duration;

use engify_testkit::{SoftPasskey, TestApp};
use serde_json::{Value, json};

use crate::client::{Client, PASSWORD, Reply};
use crate::factors::first_step;

pub(crate) async fn enrol(client: &Client, device: &mut SoftPasskey, name: &str) -> Reply {
    let started = client.post("/api/auth/passkeys/register/start", &json!({})).await.with(200);
    let credential = device.create(&started["publicKey"]);
    let body = json!({ "ceremony": started["ceremony"], "name": name, "credential": credential });
    client.post("/api/auth/passkeys/register/finish", &body).await
}

async fn show(client: &Client, device: &mut SoftPasskey) -> Reply {
    let started = client.post("/api/auth/passkeys/signin/start", &json!({})).await.with(200);
    finish(client, &started, device.get(&started["publicKey"])).await
}

async fn finish(client: &Client, started: &Value, credential: Value) -> Reply {
    let body = json!({ "ceremony": started["ceremony"], "credential": credential });
    client.post("/api/auth/passkeys/signin/finish", &body).await
}

#[tokio::test]
async fn a_passkey_opens_an_account_without_a_password() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let mut device = SoftPasskey::new("phone");
    let made = enrol(&ana, &mut device, "My phone").await.with(201);
    assert_eq!(made["passkey"]["name"], "My phone");
    assert_eq!(made["recoveryCodes"].as_array().map(Vec::len), Some(10));

    let mut stranger = ana.stranger();
    let options = stranger.post("/api/auth/passkeys/signin/start", &json!({})).await.with(200);
    assert_eq!(options["publicKey"]["allowCredentials"], json!([]), "strangers learn of no account");
    assert_eq!(options["publicKey"]["userVerification"], "required");
    let reply = show(&stranger, &mut device).await;
    assert_eq!(reply.with(200)["user"]["name"], "ana");
    stranger.keep_cookie(&reply);
    let list = stranger.get("/api/auth/passkeys").await.with(200);
    assert_eq!(list["data"][0]["lastUsedAt"], "2026-11-22T12:00:00.000Z");
}

#[tokio::test]
async fn the_first_passkey_ends_the_sessions_that_were_begun_without_it() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let other = ana.signed_in("ana@example.com").await;
    let mut device = SoftPasskey::new("phone");
    enrol(&ana, &mut device, "Phone").await.with(201);
    assert_eq!(other.get("/api/auth/session").await.with(200)["user"], Value::Null);
    let mut second = ana.stranger();
    let reply = show(&second, &mut device).await;
    second.keep_cookie(&reply);
    enrol(&second, &mut SoftPasskey::new("laptop"), "Laptop").await.with(201);
    ana.get("/api/auth/passkeys").await.with(200);
}

#[tokio::test]
async fn a_passkey_is_the_second_step_and_makes_a_session_fresh() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let mut device = SoftPasskey::new("phone");
    enrol(&ana, &mut device, "").await.with(201);
    let (mut half, first) = first_step(&ana, "ana").await;
    assert_eq!(first.with(200)["methods"], json!(["passkey", "recovery_code"]));
    let reply = show(&half, &mut device).await;
    assert_eq!(reply.with(200)["user"]["name"], "ana");
    half.keep_cookie(&reply);
    test.clock.advance(Duration::from_secs(601));
    assert_eq!(
        half.post("/api/auth/mfa/recovery-codes", &json!({})).await.refused(403),
        "fresh_factor_required"
    );
    show(&half, &mut device).await.with(200);
    half.post("/api/auth/mfa/recovery-codes", &json!({})).await.with(200);
}

#[tokio::test]
async fn a_passkey_of_somebody_else_is_no_second_step() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let ben = ana.signed_up("benjamin").await;
    let (mut anas, mut bens) = (SoftPasskey::new("ana"), SoftPasskey::new("ben"));
    enrol(&ana, &mut anas, "").await.with(201);
    enrol(&ben, &mut bens, "").await.with(201);
    let (half, _) = first_step(&ana, "ana").await;
    assert_eq!(show(&half, &mut bens).await.refused(401), "invalid_passkey");
    let started = ben.stranger().post("/api/auth/passkeys/signin/start", &json!({})).await.with(200);
    assert_eq!(
        finish(&half, &started, bens.get(&started["publicKey"])).await.refused(401),
        "invalid_passkey"
    );
}

#[tokio::test]
async fn a_ceremony_is_good_for_one_answer_by_whoever_began_it_within_five_minutes() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let mut device = SoftPasskey::new("phone");
    enrol(&ana, &mut device, "").await.with(201);
    let stranger = ana.stranger();
    let start =
        async |client: &Client| client.post("/api/auth/passkeys/signin/start", &json!({})).await.with(200);

    let started = start(&stranger).await;
    finish(&stranger, &started, device.get(&started["publicKey"])).await.with(200);
    assert_eq!(
        finish(&stranger, &started, device.get(&started["publicKey"])).await.refused(409),
        "ceremony_over"
    );

    let own = start(&ana).await;
    assert_eq!(finish(&stranger, &own, device.get(&own["publicKey"])).await.refused(409), "ceremony_over");

    let late = start(&stranger).await;
    test.clock.advance(Duration::from_secs(300));
    assert_eq!(finish(&stranger, &late, device.get(&late["publicKey"])).await.refused(409), "ceremony_over");

    let registration = ana.post("/api/auth/passkeys/register/start", &json!({})).await.with(200);
    let mixed = finish(&ana, &registration, device.get(&registration["publicKey"])).await;
    assert_eq!(mixed.refused(409), "ceremony_over", "one to enrol is none to sign in");
}

#[tokio::test]
async fn what_a_device_must_not_do_is_refused() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let mut device = SoftPasskey::new("phone");
    enrol(&ana, &mut device, "").await.with(201);
    let stranger = ana.stranger();
    show(&stranger, &mut device).await.with(200);

    let (mut copy, mut elsewhere, mut unasked) = (device.clone(), device.clone(), device.clone());
    (copy.counter, unasked.verifies) = (0, false);
    elsewhere.origin = "https://evil.example".to_owned();
    let copied = show(&stranger, &mut copy).await;
    assert_eq!(copied.refused(401), "invalid_passkey");
    assert!(copied.json()["message"].as_str().unwrap().contains("counter"), "{}", copied.text);
    assert_eq!(show(&stranger, &mut elsewhere).await.refused(401), "invalid_passkey");
    assert_eq!(show(&stranger, &mut unasked).await.refused(401), "invalid_passkey");
    let mut unknown = SoftPasskey::new("never enrolled");
    assert_eq!(show(&stranger, &mut unknown).await.refused(401), "invalid_passkey");
    let started = stranger.post("/api/auth/passkeys/signin/start", &json!({})).await.with(200);
    let nonsense = finish(&stranger, &started, json!({ "id": 7 })).await;
    assert_eq!(
        (nonsense.refused(400).as_str(), nonsense.fields()),
        ("invalid_request", vec!["credential".to_owned()])
    );
    show(&stranger, &mut device).await.with(200);
}

#[tokio::test]
async fn passkeys_are_named_renamed_and_deleted_by_their_owner_alone() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let ben = ana.signed_up("benjamin").await;
    let (mut phone, mut laptop) = (SoftPasskey::new("phone"), SoftPasskey::new("laptop"));
    let first = enrol(&ana, &mut phone, "Phone").await.with(201);
    let second = enrol(&ana, &mut laptop, "Laptop").await.with(201);
    assert_eq!(second["recoveryCodes"], json!([]), "codes that are there stay");
    assert_eq!(enrol(&ana, &mut phone, "Twice").await.refused(401), "invalid_passkey", "the same one again");
    let path = format!("/api/auth/passkeys/{}", first["passkey"]["id"].as_str().unwrap());
    assert_eq!(ben.delete(&path).await.refused(404), "not_found");
    assert_eq!(ben.patch(&path, &json!({ "name": "Mine" })).await.refused(404), "not_found");
    assert_eq!(ana.patch(&path, &json!({ "name": "" })).await.fields(), ["name"]);
    assert_eq!(
        ana.patch(&path, &json!({ "name": "Old phone" })).await.with(200)["data"]["name"],
        "Old phone"
    );

    ana.delete(&path).await.with(200);
    assert_eq!(show(&ana.stranger(), &mut phone).await.refused(401), "invalid_passkey");
    assert_eq!(first_step(&ana, "ana").await.1.with(200)["methods"], json!(["passkey", "recovery_code"]));
    show(&ana.stranger(), &mut laptop).await.with(200);
    let laptop_path = format!("/api/auth/passkeys/{}", second["passkey"]["id"].as_str().unwrap());
    ana.delete(&laptop_path).await.with(200);
    assert_eq!(
        first_step(&ana, "ana").await.1.with(200)["user"]["name"],
        "ana",
        "without factors the password opens"
    );
}

#[tokio::test]
async fn an_address_that_is_no_name_allows_no_passkeys_and_says_so() {
    let test = TestApp::with(&[("NEXTAUTH_URL", "http://127.0.0.1:3000")]).await;
    let ana = Client::of(&test).signed_up("ana").await;
    assert_eq!(
        ana.post("/api/auth/passkeys/register/start", &json!({})).await.refused(409),
        "passkeys_unavailable"
    );
    let body = json!({ "email": "ana@example.com", "password": PASSWORD });
    ana.stranger().post("/api/auth/signin", &body).await.with(200);
}

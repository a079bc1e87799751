//! Messages on their way: carried behind the answer, tried again, given up with a reason, kept where there is no server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use engify_core::message::{Message, MessageKind, MessageState};
use engify_testkit::TestApp;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::Client;

/// A SendGrid that answers what the test says and counts what it took.
#[derive(Clone)]
struct Double {
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
    address: String,
}

impl Double {
    async fn start(status: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let double = Self { status: Arc::new(AtomicU16::new(status)), asked: Arc::default(), address };
        let app = Router::new().fallback(answer).with_state(double.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        double
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn answer(
    State(double): State<Double>,
) -> (StatusCode, [(&'static str, &'static str); 1], &'static str) {
    double.asked.fetch_add(1, Ordering::SeqCst);
    let status = StatusCode::from_u16(double.status.load(Ordering::SeqCst)).unwrap();
    (status, [("x-message-id", "sg-1")], "{}")
}

async fn with(double: &Double) -> TestApp {
    with_key(double, KEY).await
}

async fn with_key(double: &Double, key: &str) -> TestApp {
    TestApp::with(&[
        ("SENDGRID_API_KEY", "SG.test"),
        ("SENDGRID_FROM_EMAIL", "ops@example.com"),
        ("SENDGRID_BASE_URL", &double.address),
        ("SENDGRID_WEBHOOK_PUBLIC_KEY", key),
    ])
    .await
}

/// A P-256 key that nobody has the other half of.
const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==";

async fn settled(test: &TestApp, admin: &Client) -> Value {
    engify_app::messages::settle(&test.app).await.unwrap();
    admin.get("/api/admin/messages").await.with(200)["data"][0].clone()
}

#[tokio::test]
async fn a_letter_goes_out_once_and_its_words_are_dropped() {
    let double = Double::start(202).await;
    let test = with(&double).await;
    let admin = Client::of(&test).admin(&test).await;
    admin.signed_up("ana").await;
    let sent = settled(&test, &admin).await;
    assert_eq!(
        (&sent["state"], &sent["kind"], &sent["to"]),
        (&json!("sent"), &json!("verify_address"), &json!("ana@example.com"))
    );
    settled(&test, &admin).await;
    assert_eq!(double.asked(), 1);
    let opened = admin.get(&format!("/api/admin/messages/{}", sent["id"].as_str().unwrap())).await.with(200);
    assert_eq!(opened["content"], Value::Null);
    assert_eq!(admin.get("/api/health").await.with(200)["services"]["sendgrid"], "operational");
}

#[tokio::test]
async fn a_server_that_is_away_fails_no_request_and_is_tried_again_later() {
    let double = Double::start(503).await;
    let test = with(&double).await;
    let admin = Client::of(&test).admin(&test).await;
    admin.signed_up("ana").await;
    let waiting = settled(&test, &admin).await;
    assert_eq!((&waiting["state"], &waiting["failure"]["kind"]), (&json!("queued"), &json!("away")));
    let health = admin.get("/api/health").await.with(200);
    assert_eq!((&health["services"]["sendgrid"], &health["status"]), (&json!("error"), &json!("degraded")));
    settled(&test, &admin).await;
    assert_eq!(double.asked(), 1, "not before its time");
    double.answers(202);
    test.clock.advance(Duration::from_secs(10));
    assert_eq!(settled(&test, &admin).await["state"], "sent");
    assert_eq!(admin.get("/api/health").await.with(200)["services"]["sendgrid"], "operational");
}

/// The one message of this kind as the program itself sees it: no session lasts as long as these tests wait.
async fn the(test: &TestApp, kind: MessageKind) -> Message {
    engify_app::messages::settle(&test.app).await.unwrap();
    let system = engify_app::Ctx::system(&test.app, "test");
    let all = engify_app::messages::list(&system, None, 100, None).await.unwrap().items;
    all.into_iter().find(|message| message.kind == kind).unwrap()
}

/// Waits until it is given up; how often it was tried, and why it failed last.
async fn given_up(test: &TestApp, kind: MessageKind) -> (u32, String) {
    for _ in 0..20 {
        let message = the(test, kind).await;
        if message.state == MessageState::Failed {
            return (message.attempts, message.failure.unwrap().kind);
        }
        test.clock.advance(Duration::from_secs(12 * 3600));
    }
    panic!("nobody gives it up");
}

#[tokio::test]
async fn a_letter_is_given_up_after_nine_tries_or_when_its_link_has_expired() {
    let double = Double::start(401).await;
    let test = with(&double).await;
    let ana = Client::of(&test).signed_up("ana").await;
    assert_eq!(
        given_up(&test, MessageKind::VerifyAddress).await,
        (3, "expired".to_owned()),
        "a link of the day before helps nobody"
    );

    let ana = ana.signed_in("ana@example.com").await;
    let body = "current=violet+tractor+hums+at+noon&password=seven+quiet+lamps+at+dusk";
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let changed = ana.send(Method::POST, "/settings/password", &form, Body::from(body)).await;
    assert_eq!(changed.status, 303, "{}", changed.text);
    assert_eq!(given_up(&test, MessageKind::PasswordChanged).await, (9, "bad_key".to_owned()));
    let admin = Client::of(&test).admin(&test).await;
    let id = the(&test, MessageKind::PasswordChanged).await.id;
    let page = admin.get(&format!("/opshub/messages/{id}")).await;
    assert!(page.text.contains("SENDGRID_API_KEY"), "it says what to do: {}", page.text);
}

#[tokio::test]
async fn a_wrong_receiver_is_not_tried_again_and_says_nothing_against_the_server() {
    let double = Double::start(413).await;
    let test = with(&double).await;
    let admin = Client::of(&test).admin(&test).await;
    admin.signed_up("ana").await;
    let failed = settled(&test, &admin).await;
    assert_eq!((&failed["state"], &failed["attempts"]), (&json!("failed"), &json!(1)));
    assert_eq!(admin.get("/api/health").await.with(200)["services"]["sendgrid"], "operational");
    double.answers(202);
    let path = format!("/opshub/messages/{}", failed["id"].as_str().unwrap());
    let page = admin.get(&path).await;
    assert!(
        page.text.contains("Send again") && page.text.contains("SendGrid refused the mail (413)"),
        "{}",
        page.text
    );
    let again = admin.send(Method::POST, &format!("{path}/retry"), &[], Body::empty()).await;
    assert_eq!(again.status, 303, "{}", again.text);
    assert_eq!(settled(&test, &admin).await["state"], "sent");
}

#[tokio::test]
async fn without_a_server_letters_are_kept_for_administrators_and_reading_one_is_audited() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    let ana = admin.signed_up("ana").await;
    let list = admin.get("/opshub/messages").await;
    assert!(
        list.text.contains("No mail server is set up") && list.text.contains("ana@example.com"),
        "{}",
        list.text
    );
    let kept = admin.get("/api/admin/messages?state=kept").await.with(200)["data"][0].clone();
    let id = kept["id"].as_str().unwrap();
    assert_eq!(kept.get("content"), None, "a list says nothing");
    let page = admin.get(&format!("/opshub/messages/{id}")).await;
    assert!(page.text.contains("/verify-email?token="), "{}", page.text);
    let log = admin.get("/api/admin/audit?action=message_read").await.with(200);
    assert_eq!(log["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(ana.get(&format!("/api/admin/messages/{id}")).await.status, 403);
    assert_eq!(admin.get("/api/health").await.with(200)["services"]["sendgrid"], "not_configured");
    assert_eq!(admin.get("/api/admin/messages?state=lost").await.fields(), ["state"]);
}

#[tokio::test]
async fn reports_without_the_right_signature_change_nothing() {
    let double = Double::start(202).await;
    let test = with(&double).await;
    let admin = Client::of(&test).admin(&test).await;
    admin.signed_up("ana").await;
    let sent = settled(&test, &admin).await;
    let body = json!([{ "event": "bounce", "engify_message": sent["id"], "reason": "x" }]).to_string();
    for headers in [
        &[][..],
        &[
            ("x-twilio-email-event-webhook-signature", "AAAA"),
            ("x-twilio-email-event-webhook-timestamp", "1795348800"),
        ][..],
    ] {
        let reply = admin
            .stranger()
            .send(Method::POST, "/api/webhooks/sendgrid", headers, Body::from(body.clone()))
            .await;
        assert_eq!(reply.refused(401), "bad_signature");
    }
    assert_eq!(settled(&test, &admin).await["state"], "sent");
    assert_eq!(
        admin.post("/api/webhooks/twilio", &json!({})).await.refused(404),
        "not_found",
        "Twilio is not set up"
    );
}

#[tokio::test]
async fn codes_are_kept_where_there_is_no_twilio_and_work_once() {
    let test = TestApp::start().await;
    let phone = engify_core::words::Phone::parse("+15005550009").unwrap();
    let ctx = engify_app::Ctx::system(&test.app, "test");
    engify_app::messages::codes::send(&ctx, &phone).await.unwrap();
    let code = test.mail("+15005550009", MessageKind::Code).await.code();
    use engify_app::messages::codes::{Checked, check};
    assert_eq!(check(&ctx, &phone, &code).await.unwrap(), Checked::Right);
    assert_eq!(check(&ctx, &phone, &code).await.unwrap(), Checked::Nothing);
}

/// Runs a line of Node's own cryptography, as SendGrid would sign.
fn node(script: &str, arguments: &[&str]) -> String {
    let output =
        std::process::Command::new("node").args(["-e", script, "--"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const MAKE_KEYS: &str = r#"
const { publicKey, privateKey } = require("node:crypto").generateKeyPairSync("ec", { namedCurve: "P-256" });
const open = publicKey.export({ format: "der", type: "spki" }).toString("base64");
console.log(JSON.stringify([open, privateKey.export({ format: "pem", type: "pkcs8" })]));
"#;
const SIGN: &str = r#"
const [pem, text] = process.argv.slice(1);
process.stdout.write(require("node:crypto").createSign("sha256").update(text).sign(pem).toString("base64"));
"#;

#[tokio::test]
async fn a_signed_bounce_is_noted_once_and_shown_with_its_reason() {
    let keys: [String; 2] = serde_json::from_str(&node(MAKE_KEYS, &[])).unwrap();
    let double = Double::start(202).await;
    let test = with_key(&double, &keys[0]).await;
    let admin = Client::of(&test).admin(&test).await;
    admin.signed_up("ana").await;
    let sent = settled(&test, &admin).await;
    let body = json!([
        { "event": "processed", "engify_message": sent["id"] },
        { "event": "bounce", "engify_message": sent["id"], "reason": "550 no such box" },
        { "event": "delivered", "engify_message": "somebody-elses" },
    ])
    .to_string();
    let timestamp = (test.clock.now().millis() / 1000).to_string();
    let signature = node(SIGN, &[&keys[1], &format!("{timestamp}{body}")]);
    let headers = [
        ("x-twilio-email-event-webhook-signature", signature.as_str()),
        ("x-twilio-email-event-webhook-timestamp", timestamp.as_str()),
    ];
    for _ in 0..2 {
        let report = Body::from(body.clone());
        let reply = admin.stranger().send(Method::POST, "/api/webhooks/sendgrid", &headers, report).await;
        assert_eq!(reply.with(200)["data"], 2);
    }
    let bounced = settled(&test, &admin).await;
    assert_eq!(bounced["state"], "bounced");
    let why = bounced["failure"]["message"].as_str().unwrap();
    assert!(why.contains("550 no such box") && why.contains("Check the address"), "{why}");
}

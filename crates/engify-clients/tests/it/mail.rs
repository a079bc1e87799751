//! Mail by SendGrid: what is sent, what each refusal means, and that nothing secret gets out.

use axum::response::Response;
use engify_clients::delivery::{FailureKind, Handed};
use engify_clients::mail::{Mail, Mailer};
use engify_core::settings::{self, load};
use engify_core::words::Email;
use engify_core::{Secret, Time};
use serde_json::{Value, json};

use crate::double::{Double, Seen, json as reply, text};

/// A key that must never show up anywhere but in its header.
pub(crate) const KEY: &str = "SG.test-0123456789abcdef";

/// Settings of mail with these pairs.
pub(crate) fn settings(pairs: &[(&str, &str)]) -> settings::Mail {
    let value = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    load(value).unwrap().mail
}

pub(crate) fn sendgrid(address: &str) -> Mailer {
    let pairs = [
        ("SENDGRID_API_KEY", KEY),
        ("SENDGRID_BASE_URL", address),
        ("SENDGRID_FROM_EMAIL", "ops@example.com"),
        ("SENDGRID_FROM_NAME", "Engify"),
    ];
    Mailer::new(&settings(&pairs)).unwrap()
}

pub(crate) fn mail(to: &str) -> Mail {
    Mail {
        id: "01940000-0000-7000-8000-000000000001".to_owned(),
        to: Email::parse(to).unwrap(),
        subject: "Grüße: confirm your address".to_owned(),
        text: Secret::new("Press https://engify.example.com/verify-email?token=abc".to_owned()),
        html: Secret::new(
            "<p>Press <a href=\"https://engify.example.com/verify-email?token=abc\">here</a>".to_owned(),
        ),
        at: "2026-11-22T18:04:05.000Z".parse::<Time>().unwrap(),
    }
}

/// SendGrid, as far as sending goes. Its official client accepts it (`part_sendgrid_client`), so what our client is tested
/// with is what that one knows.
pub(crate) async fn double() -> Double {
    Double::start(|_, seen| answer(seen)).await
}

fn answer(seen: &Seen) -> Response {
    let refused = |status, message: &str, field: Option<&str>| {
        reply(status, &json!({ "errors": [{ "message": message, "field": field, "help": null }] }))
    };
    if (seen.method.as_str(), seen.path.as_str()) != ("POST", "/v3/mail/send") {
        return refused(404, "Not Found", None);
    }
    if seen.header("authorization") != format!("Bearer {KEY}") {
        return refused(401, "The provided authorization grant is invalid, expired, or revoked", None);
    }
    let body = &seen.body;
    let to = body["personalizations"][0]["to"][0]["email"].as_str().unwrap_or_default();
    let filled = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
    match () {
        () if !filled(&body["personalizations"]) => refused(
            400,
            "The personalizations field is required and must have at least one personalization.",
            Some("personalizations"),
        ),
        () if !to.contains('@') => {
            refused(400, "Does not contain a valid address.", Some("personalizations.0.to.0.email"))
        }
        () if body["from"]["email"] != "ops@example.com" => {
            refused(403, "The from address does not match a verified Sender Identity.", Some("from"))
        }
        () if !body["subject"].is_string() => refused(400, "The subject is required.", Some("subject")),
        () if !filled(&body["content"]) => refused(
            400,
            "Unless a valid template_id is provided, the content parameter is required.",
            Some("content"),
        ),
        () => {
            let mut taken = text(202, "text/plain", "");
            taken.headers_mut().insert("x-message-id", "14c5d75ce93.dfd.64b469".parse().unwrap());
            taken
        }
    }
}

#[tokio::test]
async fn a_mail_is_one_request_with_both_forms_and_without_tracking() {
    let double = double().await;
    let handed = sendgrid(&double.address).send(&mail("ana@example.com")).await.unwrap();
    assert_eq!(handed, Handed::Over(Some("14c5d75ce93.dfd.64b469".to_owned())));
    let seen = double.only();
    assert_eq!(seen.body["personalizations"][0]["to"], json!([{ "email": "ana@example.com" }]));
    assert_eq!(seen.body["from"], json!({ "email": "ops@example.com", "name": "Engify" }));
    let kinds: Vec<_> =
        seen.body["content"].as_array().unwrap().iter().map(|part| part["type"].clone()).collect();
    assert_eq!(kinds, ["text/plain", "text/html"], "in this order, or SendGrid refuses it");
    for tracking in ["click_tracking", "open_tracking", "subscription_tracking"] {
        assert_eq!(seen.body["tracking_settings"][tracking]["enable"], false, "{tracking}");
    }
}

#[tokio::test]
async fn every_refusal_of_sendgrid_has_its_kind_and_a_remedy() {
    let said =
        |message: &str, field: Option<&str>| json!({ "errors": [{ "message": message, "field": field }] });
    let cases = [
        (
            401,
            said("The provided authorization grant is invalid, expired, or revoked", None),
            "bad_key",
            "SENDGRID_API_KEY",
        ),
        (401, said("Maximum credits exceeded", None), "rate_limited", "plan"),
        (
            403,
            said("The from address does not match a verified Sender Identity", Some("from")),
            "refused_sender",
            "Sender Authentication",
        ),
        (
            400,
            said("Does not contain a valid address.", Some("personalizations.0.to.0.email")),
            "refused_address",
            "receiver",
        ),
        (400, said("Bad Request", None), "rejected", "400"),
        (413, json!({}), "rejected", "413"),
        (429, said("too many requests", None), "rate_limited", "right now"),
        (500, json!({}), "away", "status.sendgrid.com"),
        (503, json!({}), "away", "503"),
        (307, json!({}), "away", "SENDGRID_BASE_URL"),
    ];
    for (status, body, word, remedy) in cases {
        let double = Double::json(status, body.clone()).await;
        let failure = sendgrid(&double.address).send(&mail("ana@example.com")).await.unwrap_err();
        assert_eq!(failure.kind.word(), word, "{status} {body}");
        assert!(failure.message.contains(remedy), "{failure}");
        assert_eq!(double.seen().len(), 1, "trying again is the courier's");
    }
}

#[tokio::test]
async fn waits_are_read_and_foreign_text_is_cleaned() {
    let double = Double::start(|_, _| {
        let mut busy =
            reply(429, &json!({ "errors": [{ "message": format!("slow \u{1b}[31m down, {KEY}") }] }));
        busy.headers_mut().insert("retry-after", "7".parse().unwrap());
        busy
    })
    .await;
    let failure = sendgrid(&double.address).send(&mail("ana@example.com")).await.unwrap_err();
    assert_eq!(failure.retry_after, Some(std::time::Duration::from_secs(7)));
    assert!(!failure.message.contains(KEY) && !failure.message.contains('\u{1b}'), "{failure}");
    assert!(failure.message.ends_with("SendGrid says: slow [31m down, [key]"), "{failure}");
}

#[tokio::test]
async fn a_server_that_is_away_is_named_by_its_setting() {
    let failure = sendgrid("http://127.0.0.1:9").send(&mail("ana@example.com")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Away);
    assert!(failure.message.contains("SENDGRID_BASE_URL") && failure.kind.may_pass(), "{failure}");
}

#[tokio::test]
async fn no_secret_is_in_debug() {
    let shown = format!("{:?} {:?}", sendgrid("http://127.0.0.1:9"), mail("ana@example.com"));
    let smtp = settings(&[("SMTP_URL", "smtp://ana:hunter2@127.0.0.1:9")]);
    let shown = format!("{shown} {:?} {smtp:?}", Mailer::new(&smtp).unwrap());
    for secret in [KEY, "hunter2", "token=abc"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

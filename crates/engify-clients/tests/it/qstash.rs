//! How handing a message to QStash fails.

use engify_clients::qstash::{FailureKind, Message, QStash};
use engify_core::{Secret, settings};
use serde_json::json;

use crate::double::{Double, text};

const TOKEN: &str = "qstash-token-0123456789";

fn qstash(address: &str) -> QStash {
    let secret = |text: &str| Secret::new(text.to_owned());
    let settings = settings::QStash {
        url: address.to_owned(),
        token: secret(TOKEN),
        current_signing_key: secret("current"),
        next_signing_key: secret("next"),
    };
    QStash::new(&settings).unwrap()
}

fn message() -> Message {
    Message { url: "https://engify.example.com/hook".to_owned(), ..Message::default() }
}

#[tokio::test]
async fn what_goes_wrong_is_named_with_the_remedy() {
    let cases = [
        (401, json!({ "error": "invalid token" }), FailureKind::BadToken, "QSTASH_TOKEN"),
        (429, json!({ "error": "Exceeded daily rate limit" }), FailureKind::RateLimited, "Exceeded daily"),
        (400, json!({ "error": "invalid destination url" }), FailureKind::Refused, "NEXTAUTH_URL"),
        (503, json!({}), FailureKind::Unreachable, "status 503"),
        (200, json!({ "ok": true }), FailureKind::Unreachable, "QSTASH_URL"),
    ];
    for (status, body, kind, word) in cases {
        let double = Double::json(status, body).await;
        let failure = qstash(&double.address).publish(&message()).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(word) && !failure.message.contains(TOKEN), "{failure}");
    }
    let nobody = qstash("http://127.0.0.1:1").publish(&message()).await.unwrap_err();
    assert_eq!(nobody.kind, FailureKind::Unreachable);
}

#[tokio::test]
async fn what_no_header_can_carry_is_refused_before_anything_is_sent() {
    let double = Double::start(|_, _| text(200, "text/plain", "")).await;
    let message = Message { deduplication_id: Some("a\r\nb".to_owned()), ..message() };
    assert_eq!(qstash(&double.address).publish(&message).await.unwrap_err().kind, FailureKind::Refused);
    assert!(double.seen().is_empty());
}

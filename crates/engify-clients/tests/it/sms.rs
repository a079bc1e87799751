//! What each of Twilio's numbers for errors means, on a server whose every answer is scripted here.

use engify_clients::delivery::FailureKind;
use engify_clients::sms::{Checked, Texter};
use engify_core::settings::load;
use engify_core::words::Phone;
use engify_core::{Clock, Ids};
use serde_json::json;

use crate::double::Double;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn texter(address: &str) -> Texter {
    let given = [
        ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_VERIFY_SERVICE_SID", "VA00000000000000000000000000000000"),
        ("TWILIO_BASE_URL", address),
    ];
    let value = |name: &str| given.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let clock = Clock::system();
    Texter::new(&load(value).unwrap().sms, Ids::system(clock.clone()), clock).unwrap()
}

#[tokio::test]
async fn every_refusal_of_twilio_has_its_kind_and_no_token_in_it() {
    let cases = [
        (401, 20003, FailureKind::BadKey),
        (404, 20404, FailureKind::BadKey),
        (400, 60200, FailureKind::RefusedAddress),
        (400, 60205, FailureKind::RefusedAddress),
        (400, 21211, FailureKind::RefusedAddress),
        (400, 21608, FailureKind::RefusedAddress),
        (403, 21408, FailureKind::RefusedAddress),
        (429, 60203, FailureKind::RateLimited),
        (429, 20429, FailureKind::RateLimited),
        (400, 21606, FailureKind::RefusedSender),
        (500, 20500, FailureKind::Away),
        (418, 99999, FailureKind::Rejected),
    ];
    let to = Phone::parse("+15005550009").unwrap();
    for (status, code, kind) in cases {
        let body = json!({ "code": code, "message": format!("no {TOKEN}"), "status": status });
        let double = Double::json(status, body).await;
        let failure = texter(&double.address).start(&to).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{code}");
        assert!(failure.message.contains(&code.to_string()) && !failure.message.contains(TOKEN), "{failure}");
        let request = double.only();
        assert_eq!(request.path, "/verify/v2/Services/VA00000000000000000000000000000000/Verifications");
    }
}

#[tokio::test]
async fn a_code_that_nobody_waits_for_is_nothing_and_not_a_failure() {
    let double = Double::json(404, json!({ "code": 20404, "message": "not found", "status": 404 })).await;
    let to = Phone::parse("+15005550009").unwrap();
    assert_eq!(texter(&double.address).check(&to, "123456").await.unwrap(), Checked::Nothing);
    assert_eq!(double.only().header("content-type"), "application/x-www-form-urlencoded");
}

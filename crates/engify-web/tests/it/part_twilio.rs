//! A phone as a second factor through the pages alone, without JavaScript: enrolled, used, removed. Its codes come from
//! `emulate`'s Twilio.

use std::time::Duration;

use engify_testkit::{TestApp, parts};

use crate::client::PASSWORD;
use crate::tab::Tab;

const NUMBER: &str = "+15005550009";
const PHONE: &str = "/settings/security/phone";

#[tokio::test]
async fn a_phone_is_enrolled_used_and_removed_by_forms() {
    let twilio = parts::twilio();
    let settings = twilio.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let test = TestApp::with(&settings).await;
    let mut ana = Tab::of(&test);
    let person = [("email", "ana@example.com"), ("password", PASSWORD), ("name", "Ana")];
    ana.submit("/signup", &person).await.goes();
    ana.get("/settings/security").await.says(200, "Set up a phone");

    let mistyped = ana.submit(PHONE, &[("phone", "0171 12")]).await;
    mistyped.says(400, "with its country");
    assert!(mistyped.text.contains("0171 12"), "what was typed comes back");
    assert_eq!(
        ana.submit(PHONE, &[("phone", "+1 (500) 555-0009")]).await.goes(),
        format!("{PHONE}?done=code")
    );
    ana.get(PHONE).await.says(200, "Sent to <span class=\"mono\">+…09</span>");
    let confirm = format!("{PHONE}/confirm");
    let code = twilio.code(NUMBER).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    ana.submit(&confirm, &[("code", wrong)]).await.says(400, "Is not the code of the last message");
    assert_eq!(ana.get("/api/auth/mfa/status").await.with(200)["enabled"], false, "nothing changed so far");
    ana.submit(&confirm, &[("code", &code)]).await.says(200, "Your recovery codes");
    ana.get("/settings/security").await.says(200, "+…09");

    let mut elsewhere = ana.elsewhere();
    let half = elsewhere.submit("/login", &person[..2]).await;
    assert!(half.goes().starts_with("/login/factor"), "{}", half.goes());
    elsewhere.submit("/login/factor/sms", &[]).await.goes();
    let code = twilio.code(NUMBER).await;
    elsewhere.submit("/login/factor", &[("method", "sms"), ("code", &code)]).await.goes();
    assert!(elsewhere.person().await.is_some());

    test.clock.advance(Duration::from_secs(11 * 60));
    let remove = [("factor", "sms")];
    let asked = ana.submit("/settings/security/remove", &remove).await;
    assert!(
        asked.goes().starts_with("/confirm"),
        "after ten minutes it asks for a fresh proof: {}",
        asked.goes()
    );
    ana.submit("/confirm/sms", &[]).await.goes();
    let code = twilio.code(NUMBER).await;
    ana.submit("/confirm", &[("method", "sms"), ("code", &code)]).await.goes();
    assert_eq!(
        ana.submit("/settings/security/remove", &remove).await.goes(),
        "/settings/security?done=factor-off"
    );
    assert_eq!(ana.get("/api/auth/mfa/status").await.with(200)["enabled"], false);
    assert_eq!(elsewhere.person().await, None, "other browsers are signed out");
}

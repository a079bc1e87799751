//! QStash against the vendor's own client: its receiver's verdicts are ours, its publisher's messages are ours.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engify_clients::qstash::{Message, QStash, Rejection, Verifier};
use engify_core::{Secret, Time, settings};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::double::{Double, Seen, json as answer};
use crate::parts::part;

const CURRENT: &str = "sig_current_0123456789";
const NEXT: &str = "sig_next_0123456789";
const URL: &str = "https://engify.example.com/api/webhooks/qstash";

/// Signs a table of cases with `jose` and asks the receiver what it thinks of each.
const SIGN: &str = r#"
const [folder, current, next, url, now] = process.argv.slice(1);
const require = (await import("node:module")).createRequire(folder + "/");
const { Receiver } = require("@upstash/qstash");
const { version } = JSON.parse((await import("node:fs")).readFileSync(folder + "/@upstash/qstash/package.json"));
if (version !== "2.12.0") throw new Error(version);
const { SignJWT, UnsecuredJWT } = await import(folder + "/jose/dist/webapi/index.js");
const { createHash } = await import("node:crypto");
const hash = (body, how = "base64url") => createHash("sha256").update(body).digest(how);
const bytes = (text) => new TextEncoder().encode(text);
const body = '{"job":"digest","text":"Grüße"}';
const at = Number(now);
const good = { iss: "Upstash", sub: url, iat: at, nbf: at - 10, exp: at + 300, jti: "jwt_1", body: hash(body) };
const sign = (claims, key = current, header = {}) => new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT", ...header }).sign(bytes(key));
const without = (name) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));
const cases = [
  ["good", await sign(good)],
  ["signed with the next key", await sign(good, next)],
  ["signed with a stranger's key", await sign(good, "sig_stranger_0123456789")],
  ["expired", await sign({ ...good, exp: at - 120 })],
  ["ends this second", await sign({ ...good, exp: at - 60 })],
  ["expired within the tolerance", await sign({ ...good, exp: at - 30 })],
  ["not begun", await sign({ ...good, nbf: at + 120 })],
  ["begins within the tolerance", await sign({ ...good, nbf: at + 60 })],
  ["of another issuer", await sign({ ...good, iss: "upstash" })],
  ["of no issuer", await sign(without("iss"))],
  ["for another address", await sign({ ...good, sub: url + "/" })],
  ["for no address", await sign(without("sub"))],
  ["for another body", await sign({ ...good, body: hash("other") })],
  ["for no body", await sign(without("body"))],
  ["with a padded hash", await sign({ ...good, body: hash(body) + "=" })],
  ["with a hash in standard base64", await sign({ ...good, body: hash(body, "base64") })],
  ["with a hash in hex", await sign({ ...good, body: hash(body, "hex") })],
  ["without an end", await sign(without("exp"))],
  ["without a beginning", await sign(without("nbf"))],
  ["with an end that is text", await sign({ ...good, exp: "soon" }).catch(() => "not.a.token")],
  ["unsigned", new UnsecuredJWT(good).encode()],
  ["with a part missing", (await sign(good)).split(".").slice(0, 2).join(".")],
  ["with a changed signature", (await sign(good)).replace(/.$/, (c) => (c === "A" ? "Q" : "A"))],
  ["with a critical extension", await sign(good, current, { crit: ["exp"], exp: at + 300 }).catch(() => "x.y.z")],
  ["empty", ""],
];
const receiver = new Receiver({ currentSigningKey: current, nextSigningKey: next });
for (const [name, signature] of cases) {
  const verdict = await receiver.verify({ signature, body, url, clockTolerance: 60 }).then(() => true, () => false);
  console.log(JSON.stringify({ name, signature, body, verdict }));
}
"#;

/// Asks the receiver what it thinks of the signatures on standard input, one JSON a line.
const JUDGE: &str = r#"
const [folder, current, next, url] = process.argv.slice(1);
const require = (await import("node:module")).createRequire(folder + "/");
const { Receiver } = require("@upstash/qstash");
const receiver = new Receiver({ currentSigningKey: current, nextSigningKey: next });
for (const line of (await import("node:fs")).readFileSync(0, "utf8").trim().split("\n")) {
  const { name, signature, body } = JSON.parse(line);
  const verdict = await receiver.verify({ signature, body, url, clockTolerance: 60 }).then(() => true, () => false);
  console.log(JSON.stringify({ name, signature, body, verdict }));
}
"#;

/// Hands over what our publisher hands over in the test below.
const PUBLISH: &str = r#"
const [folder, baseUrl, token] = process.argv.slice(1);
const require = (await import("node:module")).createRequire(folder + "/");
const { Client } = require("@upstash/qstash");
const client = new Client({ baseUrl, token, enableTelemetry: false, retry: false });
const message = {
  url: "https://engify.example.com/api/webhooks/qstash?kind=digest", body: '{"job":"digest"}', delay: 10, retries: 3, timeout: 30,
  deduplicationId: "digest-1", callback: "https://engify.example.com/done", failureCallback: "https://engify.example.com/failed",
  headers: { "content-type": "application/json", "X-Job": "digest" },
};
await client.publish(message);
await client.batch([message, { url: "https://engify.example.com/two", body: "two", headers: { "content-type": "text/plain" } }]);
await client.schedules.create({ destination: message.url, body: message.body, cron: "0 6 * * 1", scheduleId: "weekly", method: "POST", headers: { "content-type": "application/json" } });
await client.schedules.delete("weekly");
"#;

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    signature: String,
    body: String,
    verdict: bool,
}

fn settings(url: &str) -> settings::QStash {
    let secret = |text: &str| Secret::new(text.to_owned());
    settings::QStash {
        url: url.to_owned(),
        token: secret("qstash-token"),
        current_signing_key: secret(CURRENT),
        next_signing_key: secret(NEXT),
    }
}

fn verifier() -> Verifier {
    Verifier::new(&settings("https://qstash.example.com"), Duration::from_secs(60))
}

/// The vendor's receiver goes by the machine's clock, so its verdicts are compared at that time.
fn now() -> Time {
    engify_core::Clock::system().now()
}

async fn node(program: &str, args: &[&str], input: &str) -> String {
    let mut child = Command::new("node")
        .args(["--input-type=module", "-e", program])
        .arg(part("node/node_modules"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node is not installed: the vendor's client needs it");
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn cases(text: &str) -> Vec<Case> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A token as we make it ourselves.
fn signed(claims: &Value, alg: &str, key: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "alg": alg, "typ": "JWT" })), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(&text);
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn claims(body: &str, now: i64) -> Value {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(body));
    json!({ "iss": "Upstash", "sub": URL, "nbf": now - 10, "exp": now + 300, "jti": "jwt_2", "body": hash })
}

#[tokio::test]
async fn our_verdict_is_the_receivers_on_every_case() {
    let now = now();
    let seconds = now.millis().div_euclid(1000).to_string();
    let table = cases(&node(SIGN, &[CURRENT, NEXT, URL, &seconds], "").await);
    assert!(table.len() >= 25 && table.iter().filter(|case| case.verdict).count() >= 6, "{table:#?}");
    for case in table {
        let ours = verifier().verify(&case.signature, case.body.as_bytes(), URL, now);
        assert_eq!(ours.is_ok(), case.verdict, "{}: {ours:?}", case.name);
    }
}

#[tokio::test]
async fn the_receivers_verdict_is_ours_on_what_we_sign() {
    let now = now();
    let (body, seconds) = ("{\"a\":1}", now.millis().div_euclid(1000));
    let good = claims(body, seconds);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let ours = [
        ("good", signed(&good, "HS256", CURRENT), body),
        ("the next key", signed(&good, "HS256", NEXT), body),
        ("a stranger's key", signed(&good, "HS256", "stranger"), body),
        ("another body", signed(&good, "HS256", CURRENT), "{\"a\":2}"),
        ("another address", signed(&with("sub", json!("https://example.com")), "HS256", CURRENT), body),
        ("expired", signed(&with("exp", json!(seconds - 120)), "HS256", CURRENT), body),
        ("not begun", signed(&with("nbf", json!(seconds + 120)), "HS256", CURRENT), body),
        ("a fraction of a second", signed(&with("exp", json!(seconds as f64 + 0.5)), "HS256", CURRENT), body),
        ("an end that is text", signed(&with("exp", json!("soon")), "HS256", CURRENT), body),
        ("an age that is text", signed(&with("iat", json!("now")), "HS256", CURRENT), body),
        ("a body that is a number", signed(&with("body", json!(7)), "HS256", CURRENT), body),
        ("no algorithm", signed(&good, "none", CURRENT), body),
        ("claims that are a list", signed(&json!([good.clone()]), "HS256", CURRENT), body),
    ];
    let lines: Vec<String> = ours
        .iter()
        .map(|(name, signature, body)| {
            json!({ "name": name, "signature": signature, "body": body }).to_string()
        })
        .collect();
    let judged = cases(&node(JUDGE, &[CURRENT, NEXT, URL], &lines.join("\n")).await);
    assert_eq!(judged.len(), ours.len());
    for case in judged {
        let ours = verifier().verify(&case.signature, case.body.as_bytes(), URL, now);
        assert_eq!(ours.is_ok(), case.verdict, "{}: {ours:?}", case.name);
    }
}

#[tokio::test]
async fn hs512_with_the_right_key_is_refused_by_us_alone() {
    const SIGN_512: &str = r#"
const [folder, current, url, now] = process.argv.slice(1);
const { SignJWT } = await import(folder + "/jose/dist/webapi/index.js");
const { createHash } = await import("node:crypto");
const claims = { iss: "Upstash", sub: url, exp: Number(now) + 300, body: createHash("sha256").update("{}").digest("base64url") };
const key = new TextEncoder().encode(current);
console.log(await new SignJWT(claims).setProtectedHeader({ alg: "HS512" }).sign(key));
"#;
    let now = now();
    let seconds = now.millis().div_euclid(1000).to_string();
    let signature = node(SIGN_512, &[CURRENT, URL, &seconds], "").await.trim().to_owned();
    let line = json!({ "name": "HS512", "signature": signature, "body": "{}" }).to_string();
    assert!(cases(&node(JUDGE, &[CURRENT, NEXT, URL], &line).await)[0].verdict, "the reference takes it");
    assert_eq!(verifier().verify(&signature, b"{}", URL, now), Err(Rejection::Algorithm));
}

#[tokio::test]
async fn our_messages_are_those_of_the_official_client() {
    let script = |_: usize, seen: &Seen| match seen.path.as_str() {
        "/v2/batch" => answer(200, &json!([{ "messageId": "msg_1" }, { "messageId": "msg_2" }])),
        path if path.starts_with("/v2/schedules") => answer(200, &json!({ "scheduleId": "weekly" })),
        _ => answer(200, &json!({ "messageId": "msg_1" })),
    };
    let (theirs, ours) = (Double::start(script).await, Double::start(script).await);
    node(PUBLISH, &[&theirs.address, "qstash-token"], "").await;
    let qstash = QStash::new(&settings(&format!("{}/v2", ours.address))).unwrap();
    let message = Message {
        url: "https://engify.example.com/api/webhooks/qstash?kind=digest".to_owned(),
        body: "{\"job\":\"digest\"}".to_owned(),
        content_type: Some("application/json".to_owned()),
        delay: Some(Duration::from_secs(10)),
        retries: Some(3),
        timeout: Some(Duration::from_secs(30)),
        deduplication_id: Some("digest-1".to_owned()),
        callback: Some("https://engify.example.com/done".to_owned()),
        failure_callback: Some("https://engify.example.com/failed".to_owned()),
        forward: vec![("X-Job".to_owned(), "digest".to_owned())],
    };
    assert_eq!(qstash.publish(&message).await.unwrap(), "msg_1");
    let two = Message {
        url: "https://engify.example.com/two".to_owned(),
        body: "two".to_owned(),
        ..Message::default()
    };
    assert_eq!(qstash.batch(&[message.clone(), two]).await.unwrap(), ["msg_1", "msg_2"]);
    let weekly = Message {
        url: message.url.clone(),
        body: message.body.clone(),
        content_type: message.content_type.clone(),
        ..Message::default()
    };
    qstash.schedule("weekly", "0 6 * * 1", &weekly).await.unwrap();
    qstash.unschedule("weekly").await.unwrap();
    let (theirs, ours) = (theirs.seen(), ours.seen());
    assert_eq!((theirs.len(), ours.len()), (4, 4));
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(what(ours), what(theirs));
    }
}

/// What of a request QStash looks at.
fn what(seen: &Seen) -> (String, String, Vec<(String, String)>, Value) {
    let told = |name: &str| name.starts_with("upstash-") || name == "authorization";
    let mut headers: Vec<(String, String)> = seen
        .headers
        .iter()
        .filter(|(name, _)| told(name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    if seen.method == "POST" {
        headers.push(("content-type".to_owned(), seen.header("content-type").to_owned()));
    }
    headers.sort_unstable();
    (seen.method.clone(), seen.path.clone(), headers, seen.body.clone())
}

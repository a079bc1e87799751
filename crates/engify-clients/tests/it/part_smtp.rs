//! Mail over SMTP, against `aiosmtpd`, which other people wrote.

use std::process::Stdio;

use engify_clients::delivery::{FailureKind, Handed};
use engify_clients::mail::Mailer;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::mail::{mail, settings};
use crate::parts::part;

/// Takes mail with the login ana:secret, and answers some receivers as their names say.
const SERVER: &str = r#"
import email, json, logging, socket, sys
logging.disable()
from email import policy
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, SMTP

class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "nobody": return "550 5.1.1 No such user here"
        if name == "later": return "451 4.7.1 Greylisted, try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("spam"): return "554 5.7.1 Looks like spam"
        message = email.message_from_bytes(envelope.original_content, policy=policy.default)
        body = lambda kind: message.get_body(preferencelist=(kind,)).get_content()
        print(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": message["subject"],
            "sender": message["from"], "id": message["message-id"], "auto": message["auto-submitted"],
            "date": message["date"], "plain": body("plain"), "html": body("html")}), flush=True)
        return "250 2.0.0 Queued as abc"

def login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"ana", b"s/cret"), handled=False)

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
controller = Controller(Handler(), hostname="127.0.0.1", port=port, authenticator=login,
    auth_required=True, auth_require_tls=False, enable_SMTPUTF8=False)
controller.start()
print(port, flush=True)
sys.stdin.read()
controller.stop()
"#;

/// A running server; it ends when dropped.
struct Smtp {
    port: String,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Smtp {
    async fn start() -> Self {
        let mut child = Command::new(part("py/bin/python"))
            .args(["-W", "ignore", "-c", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().expect("aiosmtpd ended before it was ready");
        Self { port, lines, _child: child }
    }

    fn mailer(&self, login: &str) -> Mailer {
        let url = format!("smtp://{login}@127.0.0.1:{}", self.port);
        let from = [
            ("SMTP_URL", url.as_str()),
            ("SENDGRID_FROM_EMAIL", "ops@example.com"),
            ("SENDGRID_FROM_NAME", "Engify, Inc."),
        ];
        Mailer::new(&settings(&from)).unwrap()
    }

    async fn taken(&mut self) -> Value {
        let line = self.lines.next_line().await.unwrap().expect("a mail");
        serde_json::from_str(&line).unwrap()
    }
}

const LOGIN: &str = "ana:s%2Fcret";

#[tokio::test]
async fn a_mail_arrives_with_both_forms_and_its_headers() {
    let mut server = Smtp::start().await;
    let mailer = server.mailer(LOGIN);
    for _ in 0..2 {
        let handed = mailer.send(&mail("ana@example.com")).await.unwrap();
        assert!(matches!(&handed, Handed::Over(Some(line)) if line.contains("Queued as abc")), "{handed:?}");
    }
    let taken = server.taken().await;
    assert_eq!(taken["from"], "ops@example.com");
    assert_eq!(taken["to"], serde_json::json!(["ana@example.com"]));
    assert_eq!(taken["sender"], "\"Engify, Inc.\" <ops@example.com>");
    assert_eq!(taken["subject"], "Grüße: confirm your address");
    assert_eq!(taken["id"], "<01940000-0000-7000-8000-000000000001@example.com>");
    assert_eq!(taken["auto"], "auto-generated");
    assert_eq!(taken["date"], "Sun, 22 Nov 2026 18:04:05 +0000");
    for form in ["plain", "html"] {
        assert!(
            taken[form].as_str().unwrap().contains("https://engify.example.com/verify-email?token=abc"),
            "{taken}"
        );
    }
}

#[tokio::test]
async fn every_refusal_of_a_mail_server_has_its_kind() {
    let server = Smtp::start().await;
    let cases = [
        (LOGIN, "nobody@example.com", FailureKind::RefusedAddress),
        (LOGIN, "later@example.com", FailureKind::Away),
        (LOGIN, "spam@example.com", FailureKind::Rejected),
        ("ana:wrong", "ana@example.com", FailureKind::BadKey),
        (LOGIN, "grüße@example.com", FailureKind::RefusedAddress),
    ];
    for (login, to, kind) in cases {
        let failure = server.mailer(login).send(&mail(to)).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{to}: {failure}");
        assert!(!failure.message.contains("cret"), "{failure}");
    }
}

#[tokio::test]
async fn a_login_is_never_sent_to_a_server_without_tls() {
    let server = Smtp::start().await;
    // As an address elsewhere would: with a login, STARTTLS is a must, and this server offers none.
    let url = format!("smtp://{LOGIN}@127.0.0.1:{}?tls=required", server.port);
    assert!(engify_core::settings::load(|name| (name == "SMTP_URL").then(|| url.clone())).is_ok());
    let failure = Mailer::new(&settings(&[("SMTP_URL", &url)]))
        .unwrap()
        .send(&mail("ana@example.com"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadKey, "{failure}");
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_named() {
    let mailer = Mailer::new(&settings(&[("SMTP_URL", "smtp://127.0.0.1:9")])).unwrap();
    let failure = mailer.send(&mail("ana@example.com")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Away);
    assert!(failure.message.contains("SMTP_URL"), "{failure}");
}

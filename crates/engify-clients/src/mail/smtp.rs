//! Any mail server, over SMTP with TLS as its address says.

use std::time::{Duration, SystemTime};

use engify_core::settings::{self, SmtpTls};
use engify_core::words::Email;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::time::timeout;

use super::Mail;
use crate::delivery::{DEADLINE, Failure, FailureKind, Handed};
use crate::http::{cleaned, install_tls};

/// The most connections at once, and how long an idle one is kept.
const CONNECTIONS: u32 = 4;
const IDLE: Duration = Duration::from_secs(30);
const SERVER: &str = "The mail server";

/// A way to a mail server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    host: String,
    from: Mailbox,
}

impl Smtp {
    pub(super) fn new(mail: &settings::Mail, server: &settings::Smtp) -> Result<Self, String> {
        install_tls();
        let host = server.host.trim_matches(['[', ']']).to_owned();
        let parameters = || TlsParameters::new_rustls(host.clone()).map_err(|fault| fault.to_string());
        let tls = match server.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::Offered => Tls::Opportunistic(parameters()?),
            SmtpTls::Required => Tls::Required(parameters()?),
            SmtpTls::Whole => Tls::Wrapper(parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)
            .port(server.port)
            .tls(tls)
            .timeout(Some(DEADLINE))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS).idle_timeout(IDLE));
        if let Some((user, password)) = &server.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.reveal().clone()));
        }
        let from = Mailbox::new(Some(mail.from_name.clone()), address(&mail.from)?);
        Ok(Self { transport: builder.build(), host, from })
    }

    pub(super) async fn send(&self, mail: &Mail) -> Result<Handed, Failure> {
        let message = self.message(mail).map_err(|why| {
            Failure::new(FailureKind::RefusedAddress, format!("The mail cannot be written: {why}."))
        })?;
        match timeout(DEADLINE, self.transport.send(message)).await {
            Err(_) => Err(Failure::deadline(SERVER)),
            Ok(Err(fault)) => Err(self.failure(&fault)),
            Ok(Ok(answer)) => Ok(Handed::Over(answer.first_line().map(cleaned))),
        }
    }

    fn message(&self, mail: &Mail) -> Result<Message, String> {
        let millis = u64::try_from(mail.at.millis()).unwrap_or(0);
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address(&mail.to)?))
            .subject(&mail.subject)
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            // So that no holiday notice answers a program (RFC 3834).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(MultiPart::alternative_plain_html(
                mail.text.reveal().clone(),
                mail.html.reveal().clone(),
            ))
            .map_err(|fault| fault.to_string())
    }

    fn failure(&self, fault: &lettre::transport::smtp::Error) -> Failure {
        use FailureKind::{Away, BadKey, RefusedAddress, Rejected, Timeout};
        let code = fault.status().map(u16::from);
        let said = fault.to_string();
        let host = &self.host;
        let (kind, what) = match code {
            Some(530 | 534 | 535 | 538) => (
                BadKey,
                "The mail server does not accept the login. Check user and password in SMTP_URL.".to_owned(),
            ),
            Some(550 | 551 | 553 | 556) => (
                RefusedAddress,
                "The mail server does not take this receiver, or not from this sender (SENDGRID_FROM_EMAIL)."
                    .to_owned(),
            ),
            Some(500..) => (Rejected, "The mail server refused the mail.".to_owned()),
            Some(_) => (Away, "The mail server takes no mail right now.".to_owned()),
            None if fault.is_timeout() => (Timeout, format!("{SERVER} did not answer in time.")),
            None if fault.is_tls() => (
                Away,
                format!(
                    "No TLS with the mail server {host}: its certificate must carry that name and come from a public authority."
                ),
            ),
            None if fault.is_client() && said.to_ascii_uppercase().contains("UTF8") => (
                RefusedAddress,
                "The mail server does not take addresses with letters beyond ASCII.".to_owned(),
            ),
            // No way to log in that both sides know, or no STARTTLS where it is required.
            None if fault.is_client() => (
                BadKey,
                "The mail server offers no way to log in safely. Check SMTP_URL: smtps:// for port 465."
                    .to_owned(),
            ),
            None => {
                (Away, format!("The mail server {host} cannot be reached. Check SMTP_URL and the network."))
            }
        };
        Failure::new(kind, what).saying(SERVER, &said)
    }
}

fn address(email: &Email) -> Result<Address, String> {
    email.as_str().parse::<Address>().map_err(|fault| fault.to_string())
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("host", &self.host).finish_non_exhaustive()
    }
}

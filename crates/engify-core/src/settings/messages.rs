//! How mail and text messages leave: which server, with which credentials, from whom.

use url::Url;

use super::load::Reader;
use crate::secret::Secret;
use crate::words::{Email, Phone};

/// Which server takes mail, and from whom it comes. `SMTP_URL` wins over SendGrid.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The server.
    pub server: MailServer,
    /// Who writes: `SENDGRID_FROM_EMAIL`, else `engify@` and the host of `NEXTAUTH_URL`.
    pub from: Email,
    /// The name beside the address.
    pub from_name: String,
    /// Verifies what SendGrid says happened to a mail: its public key, base64 of DER.
    pub webhook_key: Option<String>,
}

/// Who takes mail onwards.
#[derive(Debug, Clone)]
pub enum MailServer {
    /// Nobody: mail is kept for administrators to read.
    Outbox,
    /// SendGrid's HTTP API.
    SendGrid {
        /// Its key.
        key: Secret<String>,
        /// Its address, without a slash at the end.
        base_url: String,
    },
    /// Any mail server.
    Smtp(Smtp),
}

/// A mail server that speaks SMTP.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Its name, which its certificate must carry.
    pub host: String,
    /// 465 for `smtps`, 587 with a login, else 25.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// User and password.
    pub login: Option<(String, Secret<String>)>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all: a server on this machine.
    None,
    /// By STARTTLS where the server offers it.
    Offered,
    /// By STARTTLS, or not at all.
    Required,
    /// From the first byte.
    Whole,
}

/// How text messages leave.
#[derive(Debug, Clone)]
pub enum Sms {
    /// Not at all: codes are kept for administrators to read.
    Outbox,
    /// Through Twilio.
    Twilio(Twilio),
}

/// An account of Twilio.
#[derive(Debug, Clone)]
pub struct Twilio {
    /// `AC` and 32 hex digits.
    pub account: String,
    /// Its token.
    pub token: Secret<String>,
    /// The number that texts come from.
    pub number: Option<Phone>,
    /// The Verify service that makes and checks codes: `VA` and 32 hex digits.
    pub verify_service: Option<String>,
    /// Where Twilio reports what became of a text: only where it can reach us by https.
    pub callback: Option<String>,
    /// Stands for both of Twilio's hosts, without a slash at the end; none for Twilio's own.
    pub base_url: Option<String>,
}

/// What every P-256 key in DER begins with (RFC 5480), as base64.
const P256_HEAD: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn mail(&mut self, url: &str) -> Mail {
        let given = self.text("SENDGRID_FROM_EMAIL");
        let key = self.secret("SENDGRID_API_KEY");
        let smtp = self.secret("SMTP_URL").and_then(|text| self.smtp(&text));
        if key.is_some() && smtp.is_none() && given.is_none() {
            let issue = "is missing beside SENDGRID_API_KEY; set the address that mail comes from";
            self.fault("SENDGRID_FROM_EMAIL", issue);
        }
        if key.as_ref().is_some_and(|key| !key.reveal().bytes().all(|byte| byte.is_ascii_graphic())) {
            self.fault("SENDGRID_API_KEY", "has characters that no key has; its keys look like SG.…");
        }
        let base_url = self.address("SENDGRID_BASE_URL", "https://api.sendgrid.com");
        let webhook_key = self.text("SENDGRID_WEBHOOK_PUBLIC_KEY");
        if webhook_key.as_ref().is_some_and(|key| key.len() != 124 || !key.starts_with(P256_HEAD)) {
            let issue = "is not the verification key that SendGrid shows beside its signed event webhook (MFkwEwYH…, 124 characters)";
            self.fault("SENDGRID_WEBHOOK_PUBLIC_KEY", issue);
        }
        Mail {
            server: match (smtp, key) {
                (Some(smtp), _) => MailServer::Smtp(smtp),
                (None, Some(key)) => MailServer::SendGrid { key, base_url },
                (None, None) => MailServer::Outbox,
            },
            from: self.sender(given, url),
            from_name: self.text("SENDGRID_FROM_NAME").unwrap_or_else(|| "Engify".to_owned()),
            webhook_key,
        }
    }

    fn sender(&mut self, given: Option<String>, url: &str) -> Email {
        let host = Url::parse(url).ok().and_then(|url| url.domain().map(str::to_owned));
        let own = format!("engify@{}", host.as_deref().unwrap_or("localhost"));
        Email::parse(given.as_deref().unwrap_or(&own)).unwrap_or_else(|issue| {
            self.fault("SENDGRID_FROM_EMAIL", issue);
            Email::local()
        })
    }

    fn smtp(&mut self, text: &Secret<String>) -> Option<Smtp> {
        let smtp = smtp(text.reveal());
        if smtp.is_none() {
            // The address itself may hold a password, so it is not repeated.
            let issue = "is not an address such as smtps://user:password@mail.example.com:465 or \
                         smtp://user:password@mail.example.com:587 (characters such as @ / : in the password are written as %40 %2F %3A)";
            self.fault("SMTP_URL", issue);
        }
        smtp
    }

    pub(super) fn sms(&mut self, url: &str) -> Sms {
        let account = self.text("TWILIO_ACCOUNT_SID");
        let token = self.secret("TWILIO_AUTH_TOKEN");
        let service = self.text("TWILIO_VERIFY_SERVICE_SID");
        if account.as_ref().is_some_and(|sid| !is_sid(sid, "AC")) {
            self.fault("TWILIO_ACCOUNT_SID", "is not AC and 32 hex digits; copy it from Twilio's console");
        }
        if service.as_ref().is_some_and(|sid| !is_sid(sid, "VA")) {
            self.fault(
                "TWILIO_VERIFY_SERVICE_SID",
                "is not VA and 32 hex digits; copy it from Verify, Services",
            );
        }
        let number = self.text("TWILIO_PHONE_NUMBER").and_then(|text| {
            Phone::parse(&text).map_err(|issue| self.fault("TWILIO_PHONE_NUMBER", issue)).ok()
        });
        let base_url = self.text("TWILIO_BASE_URL").map(|_| self.address("TWILIO_BASE_URL", ""));
        let (account, token) = match (account, token) {
            (Some(account), Some(token)) => (account, token),
            (None, None) => return Sms::Outbox,
            (missing, _) => {
                let (missing, there) = match missing {
                    None => ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"),
                    Some(_) => ("TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID"),
                };
                self.fault(missing, format!("is missing beside {there}; copy both from Twilio's console"));
                return Sms::Outbox;
            }
        };
        if number.is_none() && service.is_none() {
            let issue = "or TWILIO_PHONE_NUMBER is missing beside TWILIO_ACCOUNT_SID; make a service under Verify, Services";
            self.fault("TWILIO_VERIFY_SERVICE_SID", issue);
        }
        // One of Twilio's own hosts means both of them.
        let base_url = base_url.filter(|url| !url.ends_with(".twilio.com"));
        let callback = url.starts_with("https://").then(|| format!("{url}/api/webhooks/twilio"));
        Sms::Twilio(Twilio { account, token, number, verify_service: service, callback, base_url })
    }
}

fn is_sid(text: &str, head: &str) -> bool {
    text.strip_prefix(head)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Reads `smtp://` (STARTTLS where it is offered; always where there is a password, but for this machine) and `smtps://`.
fn smtp(text: &str) -> Option<Smtp> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
    let here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
    let login = match (url.username(), url.password()) {
        ("", None) => None,
        (user, Some(password)) if !user.is_empty() => {
            Some((unescaped(user)?, Secret::new(unescaped(password)?)))
        }
        _ => return None,
    };
    let asked = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    let tls = match (url.scheme(), asked.as_deref()) {
        ("smtps", None) => SmtpTls::Whole,
        ("smtp", None) if here => SmtpTls::None,
        ("smtp", None) if login.is_none() => SmtpTls::Offered,
        ("smtp", None | Some("required")) => SmtpTls::Required,
        _ => return None,
    };
    let usual = match tls {
        SmtpTls::Whole => 465,
        SmtpTls::Required => 587,
        SmtpTls::Offered | SmtpTls::None => 25,
    };
    Some(Smtp { host, port: url.port().unwrap_or(usual), tls, login })
}

/// Undoes `%40`.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        match (byte, behind) {
            (b'%', [high, low, behind @ ..]) => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(*high)? * 16 + digit(*low)?);
                rest = behind;
            }
            _ => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Fault, Settings, load};

    fn with(pairs: &[(&str, &str)]) -> Result<Settings, Vec<Fault>> {
        let given = pairs.to_vec();
        load(|name| given.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[track_caller]
    fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
        with(pairs).unwrap_err().into_iter().map(|fault| fault.name).collect()
    }

    const ACCOUNT: &str = "AC00000000000000000000000000000000";
    const SERVICE: &str = "VA00000000000000000000000000000000";

    #[test]
    fn without_settings_everything_is_kept_here() {
        let settings = with(&[]).unwrap();
        assert!(matches!(settings.mail.server, MailServer::Outbox) && matches!(settings.sms, Sms::Outbox));
        assert_eq!(settings.mail.from.as_str(), "engify@localhost");
    }

    #[test]
    fn addresses_of_mail_servers_say_how_they_are_protected() {
        let read = |text: &str| smtp(text).map(|smtp| (smtp.host, smtp.port, smtp.tls, smtp.login.is_some()));
        let of = |host: &str, port, tls, login| Some((host.to_owned(), port, tls, login));
        assert_eq!(read("smtps://u:p@mail.example.com"), of("mail.example.com", 465, SmtpTls::Whole, true));
        assert_eq!(
            read("smtp://u:p@mail.example.com:2525"),
            of("mail.example.com", 2525, SmtpTls::Required, true)
        );
        assert_eq!(read("smtp://mail.example.com"), of("mail.example.com", 25, SmtpTls::Offered, false));
        assert_eq!(
            read("smtp://mail.example.com?tls=required"),
            of("mail.example.com", 587, SmtpTls::Required, false)
        );
        assert_eq!(read("smtp://u:p@127.0.0.1:1025"), of("127.0.0.1", 1025, SmtpTls::None, true));
        for wrong in [
            "",
            "mail.example.com",
            "http://mail.example.com",
            "smtp://",
            "smtp://u@h",
            "smtp://h?tls=maybe",
            "smtps://u:%zz@h",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let (user, password) = smtp("smtps://ana%40example.com:p%2Fw+d@h").unwrap().login.unwrap();
        assert_eq!((user.as_str(), password.reveal().as_str()), ("ana@example.com", "p/w+d"));
    }

    #[test]
    fn every_fault_is_named_at_once_and_no_secret_is_repeated() {
        let pairs = [
            ("SENDGRID_API_KEY", "SG.key"),
            ("SENDGRID_WEBHOOK_PUBLIC_KEY", "nonsense"),
            ("TWILIO_ACCOUNT_SID", "AC..."),
            ("TWILIO_PHONE_NUMBER", "12"),
        ];
        let named = [
            "SENDGRID_FROM_EMAIL",
            "SENDGRID_WEBHOOK_PUBLIC_KEY",
            "TWILIO_ACCOUNT_SID",
            "TWILIO_PHONE_NUMBER",
            "TWILIO_AUTH_TOKEN",
        ];
        assert_eq!(faults(&pairs), named);
        let wrong = with(&[("SMTP_URL", "smtp://ana:hunter2@")]).unwrap_err();
        assert!(
            wrong.iter().all(|fault| fault.name == "SMTP_URL" && !fault.issue.contains("hunter2")),
            "{wrong:?}"
        );
        assert_eq!(faults(&[("TWILIO_AUTH_TOKEN", "t")]), ["TWILIO_ACCOUNT_SID"]);
        assert_eq!(
            faults(&[("TWILIO_ACCOUNT_SID", ACCOUNT), ("TWILIO_AUTH_TOKEN", "t")]),
            ["TWILIO_VERIFY_SERVICE_SID"]
        );
    }

    #[test]
    fn twilio_s_own_host_is_no_stand_in() {
        let base = |url: &'static str| {
            let pairs = [
                ("TWILIO_ACCOUNT_SID", ACCOUNT),
                ("TWILIO_AUTH_TOKEN", "t"),
                ("TWILIO_VERIFY_SERVICE_SID", SERVICE),
                ("TWILIO_BASE_URL", url),
            ];
            match with(&pairs).unwrap().sms {
                Sms::Twilio(twilio) => twilio.base_url,
                Sms::Outbox => panic!("Twilio is set"),
            }
        };
        assert_eq!(base("https://verify.twilio.com"), None);
        assert_eq!(base("http://127.0.0.1:4701/"), Some("http://127.0.0.1:4701".to_owned()));
    }
}

//! Mail: SendGrid, any SMTP server, or nobody. A closed enum whose last member serves local use and tests alike.
//!
//! It refuses to know why a mail is written, to try again, and to remember: that is the application's.

use engify_core::settings::{self, MailServer};
use engify_core::words::Email;
use engify_core::{Secret, Time};

use crate::delivery::{Failure, Handed};

mod sendgrid;
mod smtp;
pub mod webhook;

/// One mail to one person.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Ours; comes back in what SendGrid reports, and stands in `Message-ID`.
    pub id: String,
    /// Who gets it.
    pub to: Email,
    /// The subject line.
    pub subject: String,
    /// The plain text, which may carry a link that opens an account.
    pub text: Secret<String>,
    /// The same as HTML.
    pub html: Secret<String>,
    /// When it was written.
    pub at: Time,
}

/// Who takes mail onwards.
#[derive(Debug)]
pub enum Mailer {
    /// SendGrid's HTTP API.
    SendGrid(sendgrid::SendGrid),
    /// A mail server.
    Smtp(smtp::Smtp),
    /// Nobody: mail goes back to whoever sends it.
    Outbox,
}

impl Mailer {
    /// The mailer of these settings. With a mail server it needs a tokio runtime.
    ///
    /// # Errors
    /// Says why TLS cannot be set up.
    pub fn new(mail: &settings::Mail) -> Result<Self, String> {
        Ok(match &mail.server {
            MailServer::Outbox => Self::Outbox,
            MailServer::SendGrid { key, base_url } => {
                Self::SendGrid(sendgrid::SendGrid::new(mail, key.clone(), base_url)?)
            }
            MailServer::Smtp(server) => Self::Smtp(smtp::Smtp::new(mail, server)?),
        })
    }

    /// `sendgrid`, `smtp` or `outbox`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SendGrid(_) => "sendgrid",
            Self::Smtp(_) => "smtp",
            Self::Outbox => "outbox",
        }
    }

    /// Hands a mail over, once, within 20 seconds.
    ///
    /// # Errors
    /// See [`crate::delivery::FailureKind`].
    pub async fn send(&self, mail: &Mail) -> Result<Handed, Failure> {
        match self {
            Self::SendGrid(sendgrid) => sendgrid.send(mail).await,
            Self::Smtp(smtp) => smtp.send(mail).await,
            Self::Outbox => Ok(Handed::Back),
        }
    }
}

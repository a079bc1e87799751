//! Text messages and the codes that prove a phone: Twilio, or nobody. A closed enum whose last member serves local use and
//! tests alike: it makes and checks codes itself and hands their text back to whoever asked.
//!
//! It refuses to know whose phone it is, and how often somebody may ask: that is the application's.

use engify_core::settings;
use engify_core::words::Phone;
use engify_core::{Clock, Ids, Secret};

use crate::delivery::{Failure, Handed};

mod codes;
mod twilio;
pub mod webhook;

use codes::Codes;
pub use codes::{CODE_LIFE, TRIES};

/// Who takes text messages onwards.
#[derive(Debug)]
pub enum Texter {
    /// Twilio, with its Verify service where one is set.
    Twilio(twilio::Twilio),
    /// Nobody: texts go back to whoever sends them.
    Outbox(Codes),
}

/// What became of the start of a verification.
#[derive(Debug)]
pub enum Started {
    /// A code is on its way; the server that took it calls it so.
    Sent(Option<String>),
    /// There is no server: this text, with the code in it, is whoever asked's to keep.
    Kept(Secret<String>),
}

/// What became of a code that somebody typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is the one; it does not work a second time.
    Right,
    /// It is another one.
    Wrong,
    /// No code is waiting: none was asked for, it is older than 10 minutes, used up, or was tried wrongly 5 times.
    Nothing,
}

impl Texter {
    /// The texter of these settings.
    ///
    /// # Errors
    /// Says why TLS cannot be set up.
    pub fn new(sms: &settings::Sms, ids: Ids, clock: Clock) -> Result<Self, String> {
        let codes = Codes::new(ids, clock);
        Ok(match sms {
            settings::Sms::Outbox => Self::Outbox(codes),
            settings::Sms::Twilio(account) => Self::Twilio(twilio::Twilio::new(account, codes)?),
        })
    }

    /// `twilio` or `outbox`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Twilio(_) => "twilio",
            Self::Outbox(_) => "outbox",
        }
    }

    /// Sends a code of six digits that proves the phone. A code asked for before is void (Twilio Verify sends the same
    /// one again).
    ///
    /// # Errors
    /// See [`crate::delivery::FailureKind`].
    pub async fn start(&self, to: &Phone) -> Result<Started, Failure> {
        match self {
            Self::Twilio(twilio) => twilio.start(to).await,
            Self::Outbox(codes) => Ok(Started::Kept(codes.make(to))),
        }
    }

    /// Checks a code that somebody typed. What is not six digits is wrong without asking anybody.
    ///
    /// # Errors
    /// See [`crate::delivery::FailureKind`].
    pub async fn check(&self, to: &Phone, code: &str) -> Result<Checked, Failure> {
        let code = code.trim();
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Checked::Wrong);
        }
        match self {
            Self::Twilio(twilio) => twilio.check(to, code).await,
            Self::Outbox(codes) => Ok(codes.check(to, code)),
        }
    }

    /// Sends a text of at most 1600 characters.
    ///
    /// # Errors
    /// See [`crate::delivery::FailureKind`]; [`crate::delivery::FailureKind::RefusedSender`] where no number is set.
    pub async fn send(&self, to: &Phone, text: &Secret<String>) -> Result<Handed, Failure> {
        match self {
            Self::Twilio(twilio) => twilio.send(to, text).await.map(Handed::Over),
            Self::Outbox(_) => Ok(Handed::Back),
        }
    }
}

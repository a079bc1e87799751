//! What the servers that took messages report of them afterwards: delivered, or given back. A report can come twice and
//! late; what it says is noted all the same, and changes nothing the second time.

pub use engify_clients::mail::webhook::Request as SendGridReport;
use engify_clients::mail::webhook::{self, Fate};
use engify_clients::sms;
pub use engify_clients::sms::webhook::Request as TwilioReport;
use engify_core::ids::MessageId;
use engify_core::message::{Message, MessageFailure, MessageState};
use engify_core::settings::Sms;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, Patch, queries};

use super::everybody;
use crate::App;

/// Takes SendGrid's events; says how many were about messages of ours.
///
/// # Errors
/// `not_found` where `SENDGRID_WEBHOOK_PUBLIC_KEY` is not set; `bad_signature`.
pub async fn by_sendgrid(app: &App, report: SendGridReport<'_>) -> Result<usize> {
    let Some(key) = &app.settings().mail.webhook_key else { return Err(Error::not_found("webhook")) };
    let events = webhook::events(key, report, app.clock().now()).map_err(unsigned)?;
    let mut batch = Batch::new();
    for event in events {
        if let Ok(id) = MessageId::parse(&event.message) {
            batch = batch.patch::<Message>(fate(&id, event.fate)?);
        }
    }
    let count = batch.len();
    app.store().write(batch).await?;
    Ok(count)
}

/// Takes one event of Twilio's.
///
/// # Errors
/// `not_found` where Twilio is not set up; `bad_signature`.
pub async fn by_twilio(app: &App, report: TwilioReport<'_>) -> Result<usize> {
    let Sms::Twilio(account) = &app.settings().sms else { return Err(Error::not_found("webhook")) };
    let Some(event) = sms::webhook::event(account, report).map_err(unsigned)? else { return Ok(0) };
    let found = app.store().first(&queries::message_by_reference(&event.reference)).await?;
    let Some(message) = found else { return Ok(0) };
    let patch = fate(&message.id, event.fate)?;
    app.store().write(Batch::new().patch::<Message>(patch)).await?;
    Ok(1)
}

/// What is noted: only of a message that was sent, so that no report wakes one that failed.
fn fate(id: &MessageId, fate: Fate) -> Result<Patch> {
    let patch = Patch::new(everybody(), id).when("state", MessageState::Sent)?.or_skip();
    match fate {
        Fate::Delivered => patch.set("state", MessageState::Delivered),
        Fate::Bounced(why) => {
            tracing::warn!(message.id = %id, "message.bounced");
            let message = format!("It came back: {why}. Check the address with whoever it belongs to.");
            let failure = MessageFailure { kind: "bounced".to_owned(), message };
            patch.set("state", MessageState::Bounced)?.set("failure", failure)
        }
    }
}

fn unsigned(why: &'static str) -> Error {
    let message =
        "The signature does not fit. Check the key and the address that the sender's console shows.";
    Error::new(Kind::Unauthenticated, "bad_signature", message).because(why)
}

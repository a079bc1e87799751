//! Codes by text message, which prove a phone: sent and checked at once, because somebody waits for them.
//!
//! Whose phone it is, how often somebody may ask and what a right code opens is the caller's to know.

use std::time::Duration;

use engify_clients::delivery::{Failure, FailureKind};
pub use engify_clients::sms::Checked;
use engify_clients::sms::Started;
use engify_core::message::{Channel, Content, Message, MessageFailure, MessageKind, MessageState, Receiver};
use engify_core::words::Phone;
use engify_core::{Error, Kind, Result};
use engify_store::Batch;

use super::{RECORD, blank, masked, seal};
use crate::Ctx;

/// How long a caller should wait when the service says nothing of it.
const PAUSE: Duration = Duration::from_secs(60);

/// Sends a code of six digits that works for 10 minutes. Without Twilio it is kept where administrators read messages.
///
/// # Errors
/// `phone_refused` (details name `phone`); `rate_limited`; `sms_unavailable` with the remedy in the log and on OpsHub's page.
pub async fn send(ctx: &Ctx, to: &Phone) -> Result<()> {
    let app = ctx.app();
    let started = app.courier().texter.start(to).await;
    let record = Message {
        user_id: ctx.user_id().cloned(),
        attempts: 1,
        ..blank(app, Channel::Sms, MessageKind::Code, Receiver::new(to), ctx.now())
    };
    let (record, outcome) = match started {
        Ok(Started::Kept(text)) => {
            let content =
                Content { subject: String::new(), text: text.reveal().clone(), html: String::new() };
            (Message { content: Some(seal(app, &record.id, &content)?), ..record }, Ok(()))
        }
        Ok(Started::Sent(reference)) => {
            let sent = Message {
                state: MessageState::Sent,
                reference,
                sent_at: Some(ctx.now()),
                expires_at: ctx.now().plus(RECORD),
                ..record
            };
            (sent, Ok(()))
        }
        Err(failure) => {
            let told =
                MessageFailure { kind: failure.kind.word().to_owned(), message: failure.message.clone() };
            let failed = Message { state: MessageState::Failed, failure: Some(told), ..record };
            (failed, Err(refusal(failure)))
        }
    };
    tracing::info!(message.id = %record.id, message.to = masked(&record.to), message.state = record.state.as_str(), "message.code");
    metrics::counter!("engify_messages_total", "channel" => "sms", "state" => record.state.as_str())
        .increment(1);
    app.store().write(Batch::new().insert(&record)?).await?;
    outcome
}

/// Checks a code that somebody typed.
///
/// # Errors
/// `rate_limited`; `sms_unavailable`.
pub async fn check(ctx: &Ctx, to: &Phone, code: &str) -> Result<Checked> {
    ctx.app().courier().texter.check(to, code).await.map_err(refusal)
}

/// What whoever waits for the code is told. What the operator must mend is on OpsHub's page and in the log, not here.
fn refusal(failure: Failure) -> Error {
    match failure.kind {
        FailureKind::RefusedAddress => Error::new(
            Kind::Invalid,
            "phone_refused",
            "No code can be sent to this number. It must be a mobile phone, written with its country.",
        )
        .detail("phone", "is not a number that codes can be sent to"),
        FailureKind::RateLimited => {
            let wait = failure.retry_after.unwrap_or(PAUSE);
            Error::new(Kind::RateLimited, "rate_limited", "Too many codes for this number. Wait some minutes.")
                .retry_after(wait)
                .because(failure)
        }
        _ => Error::unavailable(
            "sms_unavailable",
            "Codes cannot be sent by text message at the moment. Use another factor or a recovery code, or try again shortly.",
        )
        .because(failure),
    }
}

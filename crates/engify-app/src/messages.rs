//! Messages to people outside the browser: letters by mail, codes by text message.
//!
//! A use case adds a letter to its own batch ([`post`]) and is done: mail that is away never blocks it and never makes it
//! fail. The courier carries what was posted, from this process or another, tries again where that can help, and
//! remembers why it could not. Between handing a letter over and noting that, a crash may make it go out twice; it never
//! gets lost.
//!
//! This module knows what letters say and how they travel; it refuses to know why one is written.

use std::time::Duration;

use engify_clients::mail::Mailer;
use engify_core::account::User;
use engify_core::ids::{MessageId, UserId};
use engify_core::message::{Channel, Content, Message, MessageKind, MessageState, Receiver};
use engify_core::tenancy::Scope;
use engify_core::words::Email;
use engify_core::{Error, Result, Secret, Time};
use engify_store::Batch;
use sha2::{Digest, Sha256};

use crate::{App, Ctx};

mod administer;
pub mod codes;
mod courier;
mod letter;
mod page;
mod reports;

pub use administer::{Opened, list, open, retry};
pub(crate) use courier::{Courier, start};
pub use letter::{Deed, Letter};
pub use reports::{SendGridReport, TwilioReport, by_sendgrid, by_twilio};

/// How long what is kept or could not be sent stays readable.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the record of what was sent stays.
const RECORD: Duration = Duration::from_secs(30 * 24 * 3600);

/// Who gets a letter.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// Where it goes.
    pub email: &'a Email,
    /// How the letter calls them; empty where nobody knows.
    pub name: &'a str,
    /// Their account, where they have one.
    pub user: Option<&'a UserId>,
}

impl<'a> From<&'a User> for Recipient<'a> {
    fn from(user: &'a User) -> Self {
        Self { email: &user.email, name: &user.name, user: Some(&user.id) }
    }
}

impl<'a> Recipient<'a> {
    /// Somebody without an account.
    pub fn stranger(email: &'a Email) -> Self {
        Self { email, name: "", user: None }
    }
}

/// Adds a letter to a batch: it goes out once the batch is written, and not at all where it is not.
///
/// ```text
/// let batch = messages::post(ctx, batch, (&user).into(), &Letter::PasswordChanged { … })?;
/// app.store().write(batch).await?;
/// ```
///
/// # Errors
/// Defects only: nothing that a mail server does is seen here.
pub fn post(ctx: &Ctx, batch: Batch, to: Recipient<'_>, letter: &Letter) -> Result<Batch> {
    let app = ctx.app();
    let content = page::content(app, letter, to.name);
    let kept = matches!(app.courier().mailer, Mailer::Outbox);
    let message = Message {
        next_try_at: (!kept).then(|| ctx.now()),
        useful_until_at: letter.useful_until(),
        user_id: to.user.cloned(),
        ..blank(app, Channel::Mail, letter.kind(), Receiver::new(to.email), ctx.now())
    };
    let message = Message { content: Some(seal(app, &message.id, &content)?), ..message };
    batch.insert(&message)
}

/// A message without content, kept here.
fn blank(app: &App, channel: Channel, kind: MessageKind, to: Receiver, now: Time) -> Message {
    let kept = match channel {
        Channel::Mail => matches!(app.courier().mailer, Mailer::Outbox),
        Channel::Sms => true,
    };
    Message {
        id: MessageId::make(app.ids()),
        channel,
        kind,
        to,
        user_id: None,
        content: None,
        state: if kept { MessageState::Kept } else { MessageState::Queued },
        attempts: 0,
        next_try_at: None,
        useful_until_at: None,
        failure: None,
        reference: None,
        created_at: now,
        sent_at: None,
        expires_at: now.plus(KEPT),
    }
}

/// The address of a page of this installation, for a letter; `path` begins with a slash.
pub fn address(app: &App, path: &str) -> Secret<String> {
    Secret::new(format!("{}{path}", app.settings().public.app_url))
}

/// Carries everything that is due and waits until that is done: for tests and for the end of a command.
///
/// # Errors
/// Those of the store.
pub async fn settle(app: &App) -> Result<()> {
    app.behind().flush().await;
    courier::round(app).await
}

/// Whether letters reach people, or stay here for administrators to read.
pub fn mail_is_set_up(app: &App) -> bool {
    !matches!(app.courier().mailer, Mailer::Outbox)
}

/// Where the content of a message belongs.
pub(crate) fn place(id: &MessageId) -> String {
    format!("message:{id}")
}

fn seal(app: &App, id: &MessageId, content: &Content) -> Result<engify_core::Sealed> {
    let text = serde_json::to_string(content).map_err(Error::internal)?;
    app.vault().seal(&place(id), &Secret::new(text))
}

/// What a message says; none where that is dropped already.
fn unseal(app: &App, message: &Message) -> Result<Option<Content>> {
    let Some(sealed) = &message.content else { return Ok(None) };
    let text = app.vault().open(&place(&message.id), sealed)?;
    serde_json::from_str(text.reveal()).map(Some).map_err(Error::internal)
}

/// An address as the log shows it: the same for the same address, and telling nobody which.
fn masked(to: &Receiver) -> String {
    hex::encode(Sha256::digest(to.as_str())).chars().take(12).collect()
}

fn everybody() -> Scope {
    Scope::Everything("the courier carries everybody's messages")
}

//! The courier: carries letters that were posted to whoever takes them onwards.
//!
//! Several processes on one database carry together: before a try, a letter is claimed by a patch that only one of them
//! can make (it counts the attempt and moves the next try into the future). A process that dies meanwhile leaves a claim
//! that runs out, and the letter is tried again.

use std::time::Duration;

use engify_clients::delivery::{Failure, Handed};
use engify_clients::mail::{Mail, Mailer};
use engify_clients::sms::Texter;
use engify_core::message::{Message, MessageFailure, MessageState};
use engify_core::settings::Settings;
use engify_core::words::Email;
use engify_core::{Clock, Error, Ids, Result, Secret, Time};
use engify_store::journal::Change;
use engify_store::{Batch, Entity, Patch, queries};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{RECORD, everybody, masked, unseal};
use crate::App;
use crate::rounds::{self, REST};

/// How many letters are on their way at once.
const TOGETHER: usize = 8;
/// How many are looked at in one go.
const BAG: u32 = 64;
/// How long a claim holds: longer than any try takes.
const CLAIM: Duration = Duration::from_secs(90);
/// How long to wait after each try that failed; after the last one nobody tries again by itself. About a day in all.
const WAITS: [Duration; 8] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(3 * 3600),
    Duration::from_secs(6 * 3600),
    Duration::from_secs(12 * 3600),
];
/// How long the end of the process waits for letters on their way.
const PATIENCE: Duration = Duration::from_secs(25);

/// Who carries, and with what.
pub(crate) struct Courier {
    pub(crate) mailer: Mailer,
    pub(crate) texter: Texter,
    /// Held while letters are carried, so that whoever waits for it waits for them.
    round: Mutex<()>,
    stop: CancellationToken,
}

impl Courier {
    pub(crate) fn new(settings: &Settings, ids: Ids, clock: Clock) -> Result<Self> {
        Ok(Self {
            mailer: Mailer::new(&settings.mail).map_err(Error::internal)?,
            texter: Texter::new(&settings.sms, ids, clock).map_err(Error::internal)?,
            round: Mutex::new(()),
            stop: CancellationToken::new(),
        })
    }

    /// Begins no further try and waits, at most 25 seconds, for those under way.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        if tokio::time::timeout(PATIENCE, self.round.lock()).await.is_err() {
            tracing::warn!("courier.unfinished: letters under way are tried again at the next start");
        }
    }
}

/// Carries what is posted, here or by another process, until the application stops.
pub(crate) fn start(app: &App) {
    let stop = app.courier().stop.clone();
    rounds::start(app, stop, "courier", is_posted, |app| async move { carry(&app).await });
}

/// One round; says how long there is nothing to do.
async fn carry(app: &App) -> Result<Duration> {
    round(app).await?;
    let now = app.clock().now();
    let next = app.store().first(&queries::messages_waiting()).await?.and_then(|message| message.next_try_at);
    Ok(next.map_or(REST, |at| at.since(now)).clamp(Duration::from_millis(50), REST))
}

/// Whether a letter was posted. What was tried before is no news; its next try has its time.
fn is_posted(change: &Change) -> bool {
    let field = |name| change.document.as_ref().and_then(|doc| doc.get(name));
    change.collection == Message::COLLECTION.name
        && field("state").and_then(Value::as_str) == Some(MessageState::Queued.as_str())
        && field("attempts").and_then(Value::as_u64) == Some(0)
}

/// Carries everything that is due.
pub(super) async fn round(app: &App) -> Result<()> {
    let courier = app.courier();
    let _carrying = courier.round.lock().await;
    while !courier.stop.is_cancelled() {
        let due = app.store().find(&queries::messages_due(app.clock().now()).limit(BAG)).await?.items;
        if due.is_empty() {
            return Ok(());
        }
        let mut tries = stream::iter(due).map(|message| attempt(app, message)).buffer_unordered(TOGETHER);
        while let Some(tried) = tries.next().await {
            tried?;
        }
    }
    Ok(())
}

/// Claims a letter, tries once, and notes what came of it.
async fn attempt(app: &App, mut message: Message) -> Result<()> {
    let now = app.clock().now();
    let before = message.attempts;
    message.attempts += 1;
    let claim = Patch::new(everybody(), &message.id)
        .when("state", MessageState::Queued)?
        .when("attempts", before)?
        .set("attempts", message.attempts)?
        .set("nextTryAt", now.plus(CLAIM))?;
    match app.store().write(Batch::new().patch::<Message>(claim)).await {
        Ok(_) => {}
        // Another process was first.
        Err(fault) if fault.code() == "stale" => return Ok(()),
        Err(fault) => return Err(fault),
    }
    let outcome = hand_over(app, &message, now).await;
    let noted = note(app, &message, outcome)?;
    // A letter that somebody deleted meanwhile needs no note.
    app.store().write(Batch::new().patch::<Message>(noted.or_skip())).await.map(drop)
}

/// Why a letter stays here.
enum Stuck {
    /// The server did not take it.
    Refused(Failure),
    /// It cannot be sent at all; a word and a sentence.
    Never(&'static str, String),
}

async fn hand_over(app: &App, message: &Message, now: Time) -> Result<Handed, Stuck> {
    if message.useful_until_at.is_some_and(|until| until <= now) {
        let why = "It could not be sent while it was of use: its link has expired. Whoever needs it asks for it again.";
        return Err(Stuck::Never("expired", why.to_owned()));
    }
    let unreadable = |fault: Error| Stuck::Never("unreadable", fault.message().to_owned());
    let content = unseal(app, message).map_err(unreadable)?;
    let content = content.ok_or_else(|| Stuck::Never("unreadable", "Its content is gone.".to_owned()))?;
    let to = Email::parse(message.to.as_str())
        .map_err(|issue| Stuck::Never("refused_address", format!("The address {issue}.")))?;
    let mail = Mail {
        id: message.id.to_string(),
        to,
        subject: content.subject,
        text: Secret::new(content.text),
        html: Secret::new(content.html),
        at: message.created_at,
    };
    app.courier().mailer.send(&mail).await.map_err(Stuck::Refused)
}

/// What is written about a try, in the letter's record, the log, the figures and health.
fn note(app: &App, message: &Message, outcome: Result<Handed, Stuck>) -> Result<Patch> {
    let now = app.clock().now();
    let patch = Patch::new(everybody(), &message.id);
    let (patch, state, word) = match outcome {
        Ok(Handed::Over(reference)) => {
            app.vitals().mail_went();
            let patch = patch
                .set("content", Value::Null)?
                .set("reference", reference)?
                .set("sentAt", now)?
                .set("failure", Value::Null)?
                .set("nextTryAt", Value::Null)?
                .set("expiresAt", now.plus(RECORD))?;
            (patch, MessageState::Sent, "none")
        }
        Ok(Handed::Back) => (patch.set("nextTryAt", Value::Null)?, MessageState::Kept, "none"),
        Err(Stuck::Never(kind, message)) => {
            let failure = MessageFailure { kind: kind.to_owned(), message };
            (patch.set("failure", failure)?.set("nextTryAt", Value::Null)?, MessageState::Failed, kind)
        }
        Err(Stuck::Refused(failure)) => {
            app.vitals().mail_failed(&failure);
            let word = failure.kind.word();
            let wait =
                usize::try_from(message.attempts).ok().and_then(|tries| WAITS.get(tries.saturating_sub(1)));
            let wait = wait.filter(|_| failure.kind.may_pass()).copied();
            let next = wait.map(|wait| now.plus(wait.max(failure.retry_after.unwrap_or_default())));
            let failure = MessageFailure { kind: word.to_owned(), message: failure.message };
            let state = if next.is_some() { MessageState::Queued } else { MessageState::Failed };
            (patch.set("failure", failure)?.set("nextTryAt", next)?, state, word)
        }
    };
    metrics::counter!("engify_messages_total", "channel" => message.channel.as_str(), "state" => state.as_str())
        .increment(1);
    let (id, kind, to, attempt) = (&message.id, message.kind.as_str(), masked(&message.to), message.attempts);
    match state {
        MessageState::Failed => {
            tracing::error!(message.id = %id, message.kind = kind, message.to = to, message.attempt = attempt, message.failure = word, "message.failed: OpsHub, Messages says why");
        }
        MessageState::Queued => {
            tracing::warn!(message.id = %id, message.kind = kind, message.to = to, message.attempt = attempt, message.failure = word, "message.not_sent: trying again");
        }
        _ => {
            tracing::info!(message.id = %id, message.kind = kind, message.to = to, message.attempt = attempt, message.state = state.as_str(), "message.sent")
        }
    }
    patch.set("state", state)
}

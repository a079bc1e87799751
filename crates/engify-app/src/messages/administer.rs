//! Messages as administrators see them: what became of each, what is kept here, and another try.

use engify_core::audit::{Action, Outcome, Target};
use engify_core::ids::MessageId;
use engify_core::message::{Channel, Content, Message, MessageState};
use engify_core::permission::Permission;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, Cursor, Page, Patch, queries};
use serde_json::{Value, json};

use super::{KEPT, everybody, unseal};
use crate::Ctx;

/// Messages, newest first.
///
/// # Errors
/// `forbidden` without `system:read`; `invalid_cursor`.
pub async fn list(
    ctx: &Ctx,
    state: Option<MessageState>,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page<Message>> {
    ctx.require(Permission::SystemRead)?;
    let query = queries::messages(state);
    let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// A message with what it says, where that is still here.
#[derive(Debug)]
pub struct Opened {
    /// The record.
    pub message: Message,
    /// What it says; none once it was sent.
    pub content: Option<Content>,
}

/// One message. Reading what it says is audited: it can hold a link that opens somebody's account.
///
/// # Errors
/// `forbidden` without `system:settings`; `not_found`.
pub async fn open(ctx: &Ctx, id: &str) -> Result<Opened> {
    ctx.require_for(Permission::SystemSettings, Action::MessageRead, Target::new("message", id)).await?;
    let message = find(ctx, id).await?;
    // What cannot be opened any more is shown as gone; the record itself still tells something.
    let content = unseal(ctx.app(), &message).unwrap_or_default();
    if content.is_some() {
        let details = json!({ "kind": message.kind, "state": message.state });
        let audit =
            ctx.audit(Action::MessageRead, Outcome::Success, Target::new("message", &message.id), details);
        ctx.app().store().write(Batch::new().insert(&audit)?).await?;
    }
    Ok(Opened { message, content })
}

/// Has a message that failed or was kept sent again, at once and with all its tries.
///
/// # Errors
/// `forbidden` without `system:settings`; `not_found`; `not_sendable` where it was sent, waits anyway, has lost its
/// content, or there is no mail server.
pub async fn retry(ctx: &Ctx, id: &str) -> Result<Message> {
    ctx.require_for(Permission::SystemSettings, Action::MessageRetried, Target::new("message", id)).await?;
    let mut message = find(ctx, id).await?;
    let refused = |why: &'static str| Error::new(Kind::Conflict, "not_sendable", why);
    if message.channel == Channel::Sms {
        return Err(refused("A code is not sent again; whoever needs one asks for a new one."));
    }
    if !super::mail_is_set_up(ctx.app()) {
        return Err(refused("No mail server is set up. Set SENDGRID_API_KEY or SMTP_URL first."));
    }
    if !matches!(message.state, MessageState::Failed | MessageState::Kept) {
        return Err(refused("Only messages that failed or are kept here can be sent again."));
    }
    if message.content.is_none() || message.useful_until_at.is_some_and(|until| until <= ctx.now()) {
        return Err(refused("What it says is gone or has expired. Whoever needs it asks for it again."));
    }
    let details = json!({ "kind": message.kind, "was": message.state });
    let patch = Patch::new(everybody(), &message.id)
        .when("state", message.state)?
        .set("state", MessageState::Queued)?
        .set("attempts", 0)?
        .set("failure", Value::Null)?
        .set("nextTryAt", ctx.now())?
        .set("expiresAt", ctx.now().plus(KEPT))?;
    let audit =
        ctx.audit(Action::MessageRetried, Outcome::Success, Target::new("message", &message.id), details);
    ctx.app().store().write(Batch::new().patch::<Message>(patch).insert(&audit)?).await?;
    message.state = MessageState::Queued;
    message.attempts = 0;
    message.failure = None;
    message.next_try_at = Some(ctx.now());
    Ok(message)
}

async fn find(ctx: &Ctx, id: &str) -> Result<Message> {
    let found = match MessageId::parse(id) {
        Ok(id) => ctx.app().store().get::<Message>(&everybody(), id.as_str()).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| Error::not_found("message"))
}

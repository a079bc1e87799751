//! Tickets: what is remembered of somebody on their way through a provider.

use std::time::Duration;

use engify_core::identity::{OauthStep, OauthTicket};
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result, Secret};
use engify_store::{Batch, Patch};

use crate::{Ctx, token};

/// How long a ticket holds.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// What a new ticket is for.
pub(super) struct Purpose<'a> {
    /// The provider's id.
    pub(super) provider: &'a str,
    /// Where the person is.
    pub(super) step: OauthStep,
    /// The account to link, or to confirm.
    pub(super) user: Option<engify_core::ids::UserId>,
    /// Whether it is only to be confirmed.
    pub(super) confirms: bool,
    /// Where they go afterwards.
    pub(super) next: Option<String>,
}

/// Writes a ticket under `token`, held by `browser`.
pub(super) async fn issue(
    ctx: &Ctx,
    token: &Secret<String>,
    browser: &Secret<String>,
    purpose: Purpose<'_>,
) -> Result<()> {
    let (app, now) = (ctx.app(), ctx.now());
    let ticket = OauthTicket {
        id: token::hash(token.reveal()),
        browser: token::hash(browser.reveal()),
        provider: purpose.provider.to_owned(),
        step: purpose.step,
        user_id: purpose.user,
        confirms: purpose.confirms,
        next: purpose.next,
        used_at: None,
        expires_at: now.plus(LIFE),
    };
    app.store().write(Batch::new().insert(&ticket)?).await.map(drop)
}

/// The ticket under `token`, if this browser holds it and it still holds.
///
/// # Errors
/// `oauth_state_mismatch` for one that is unknown, used, or held by another browser; `oauth_expired`.
pub(super) async fn held(ctx: &Ctx, token: &str, browser: Option<&str>) -> Result<OauthTicket> {
    let found = match (token::has_form(token), browser.filter(|browser| token::has_form(browser))) {
        (true, Some(browser)) => {
            let everything = Scope::Everything("the ticket tells who is on their way");
            let ticket = ctx.app().store().get::<OauthTicket>(&everything, &token::hash(token)).await?;
            // Both are hashes of secrets: how they compare tells nothing of the secrets.
            ticket.filter(|ticket| ticket.browser == token::hash(browser) && ticket.used_at.is_none())
        }
        _ => None,
    };
    let ticket = found.ok_or_else(mismatch)?;
    if ticket.expires_at <= ctx.now() {
        let message = "This sign-in took longer than ten minutes. Begin again.";
        return Err(Error::new(Kind::Forbidden, "oauth_expired", message));
    }
    Ok(ticket)
}

/// The use of a ticket, for the batch that does what it is for: of two uses at once, one wins.
pub(super) fn used(ctx: &Ctx, ticket: &OauthTicket) -> Result<Batch> {
    let scope = Scope::Everything("the ticket tells who is on their way");
    let patch =
        Patch::new(scope, &ticket.id).when("usedAt", serde_json::Value::Null)?.set("usedAt", ctx.now())?;
    Ok(Batch::new().patch::<OauthTicket>(patch))
}

/// Writes a batch that uses a ticket.
///
/// # Errors
/// `oauth_state_mismatch` where somebody else was first.
pub(super) async fn spend(ctx: &Ctx, batch: Batch) -> Result<()> {
    let spent = ctx.app().store().write(batch).await.map(drop);
    spent.map_err(|fault| if fault.code() == "stale" { mismatch() } else { fault })
}

pub(super) fn mismatch() -> Error {
    let message = "This sign-in was not begun in this browser, or was finished already. Begin again.";
    Error::new(Kind::Forbidden, "oauth_state_mismatch", message)
}

//! Links that prove an address: made for a letter, used once.

use std::time::Duration;

use engify_core::account::User;
use engify_core::link::{Link, Purpose};
use engify_core::tenancy::Scope;
use engify_core::words::Email;
use engify_core::{Error, Kind, Result, Secret, Time};
use engify_store::{Batch, Patch, queries};
use serde_json::Value;

use crate::Ctx;
use crate::{messages, token};

/// Whoever shows the token acts for its owner.
fn by_token() -> Scope {
    Scope::Everything("the link's token tells whose it is")
}

/// A link just made: the only moment its token is known.
pub(super) struct Made {
    /// What is stored.
    pub(super) link: Link,
    /// The whole address for the letter.
    pub(super) address: Secret<String>,
}

/// Makes a link to the page of its purpose, sent to `email`.
pub(super) fn make(ctx: &Ctx, user: &User, purpose: Purpose, email: &Email, life: Duration) -> Made {
    let token = token::make(ctx.app().ids());
    let page = match purpose {
        Purpose::VerifyAddress | Purpose::ChangeAddress => "/verify-email",
        Purpose::ResetPassword => "/reset-password",
    };
    let link = Link {
        id: token::hash(token.reveal()),
        purpose,
        user_id: user.id.clone(),
        email: email.clone(),
        created_at: ctx.now(),
        expires_at: ctx.now().plus(life),
        used_at: None,
    };
    Made { link, address: messages::address(ctx.app(), &format!("{page}?token={}", token.reveal())) }
}

/// The link of a token and whose it is, if it is for one of these purposes and still works.
///
/// # Errors
/// `link_invalid`, the same for every reason: used, expired, made up, of a disabled account.
pub(super) async fn find(ctx: &Ctx, token: &str, purposes: &[Purpose]) -> Result<(Link, User)> {
    let store = ctx.app().store();
    if !token::has_form(token) {
        return Err(invalid());
    }
    let link = store.get::<Link>(&by_token(), &token::hash(token)).await?.ok_or_else(invalid)?;
    let works = link.used_at.is_none() && link.expires_at > ctx.now() && purposes.contains(&link.purpose);
    let user = store.get::<User>(&by_token(), link.user_id.as_str()).await?;
    match user.filter(|user| works && user.disabled_at.is_none()) {
        Some(user) => Ok((link, user)),
        None => Err(invalid()),
    }
}

/// Uses a link up: of two who do so at once, one wins and the other's batch fails ([`named`]).
pub(super) fn used(batch: Batch, link: &Link, now: Time) -> Result<Batch> {
    Ok(batch.patch::<Link>(Patch::new(by_token(), &link.id).when("usedAt", Value::Null)?.set("usedAt", now)?))
}

/// Voids the other links of whoever used this one: what opens an account must not outlive a change of what it opens.
pub(super) async fn void_others(ctx: &Ctx, batch: Batch, used: &Link) -> Result<Batch> {
    let links = ctx.app().store().find(&queries::links_of(&used.user_id).limit(200)).await?.items;
    let others = links.iter().filter(|link| link.id != used.id);
    Ok(others.fold(batch, |batch, link| batch.delete::<Link>(by_token(), &link.id)))
}

/// A lost race, in the words of the link.
pub(super) fn named(fault: Error) -> Error {
    if fault.code() == "stale" { invalid() } else { fault }
}

fn invalid() -> Error {
    let message = "This link was used, has expired, or is not of this installation. Ask for a new one.";
    Error::new(Kind::Invalid, "link_invalid", message)
}

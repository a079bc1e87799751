//! What lies between the two requests of a passkey ceremony. It is kept here, not with the browser, because it is good for
//! one answer within five minutes.

use std::time::Duration;

use engify_core::factor::Ceremony;
use engify_core::ids::UserId;
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result, Secret};
use engify_store::{Batch, Patch};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use webauthn_rs::prelude::{DiscoverableAuthentication, PasskeyAuthentication, PasskeyRegistration};

use crate::ctx::Ctx;
use crate::token;

/// How long an answer may take; as long as the options tell the browser.
const LIFE: Duration = Duration::from_secs(5 * 60);

/// A ceremony just begun.
#[derive(Debug)]
pub struct Started {
    /// Names the ceremony when its answer comes.
    pub token: Secret<String>,
    /// What the browser needs to know, with `publicKey` inside.
    pub options: Value,
}

/// What a ceremony is for, and what must hold of its answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum State {
    /// Enrols a passkey.
    Register(PasskeyRegistration),
    /// Proves an account that is known.
    Known(PasskeyAuthentication),
    /// Proves whichever account the passkey belongs to.
    Whoever(DiscoverableAuthentication),
}

/// Keeps the state of a ceremony that begins.
pub(super) async fn begin(
    ctx: &Ctx,
    user: Option<&UserId>,
    state: &State,
    options: Value,
) -> Result<Started> {
    let app = ctx.app();
    let token = token::make(app.ids());
    let ceremony = Ceremony {
        id: token::hash(token.reveal()),
        user_id: user.cloned(),
        state: serde_json::to_string(state).map_err(Error::internal)?,
        used_at: None,
        expires_at: ctx.now().plus(LIFE),
    };
    app.store().write(Batch::new().insert(&ceremony)?).await?;
    Ok(Started { token, options })
}

/// Takes the state of a ceremony, once. Of two answers at once, one gets it.
pub(super) async fn take(ctx: &Ctx, token: &str, user: Option<&UserId>) -> Result<State> {
    let everything = || Scope::Everything("the token tells which ceremony is answered");
    let id = token::hash(token);
    let ceremony = ctx.app().store().get::<Ceremony>(&everything(), &id).await?;
    // A ceremony that anybody may answer is good for somebody who meanwhile showed a password, too.
    let fits = |kept: &Ceremony| {
        kept.used_at.is_none()
            && kept.expires_at > ctx.now()
            && (kept.user_id.is_none() || kept.user_id.as_ref() == user)
    };
    let ceremony = ceremony.filter(fits).ok_or_else(over)?;
    let patch = Patch::new(everything(), &id).when("usedAt", Value::Null)?.set("usedAt", ctx.now())?;
    let taken = ctx.app().store().write(Batch::new().patch::<Ceremony>(patch)).await;
    taken.map_err(|fault| if fault.code() == "stale" { over() } else { fault })?;
    serde_json::from_str(&ceremony.state).map_err(Error::internal)
}

/// The answer came too late, twice, or to something else.
pub(super) fn over() -> Error {
    let message =
        "This request to the passkey is over: it is good for one answer within 5 minutes. Begin again.";
    Error::new(Kind::Conflict, "ceremony_over", message)
}

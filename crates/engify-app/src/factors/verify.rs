//! The second step of signing in, and the proof that somebody still is who signed in.

use std::sync::Arc;

use engify_core::account::{Session, User};
use engify_core::audit::{Action, Outcome, Target};
use engify_core::factor::Method;
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result, Secret, Time};
use engify_store::{Batch, Patch};
use serde_json::json;

use super::{Browser, browser, held, is_race, proofs, recovery, totp, used};
use crate::accounts::{self, SignedIn};
use crate::ctx::Ctx;
use crate::messages::codes::{self, Checked};
use crate::tries;

/// What a proof opened.
#[derive(Debug)]
pub enum Verified {
    /// The sign-in is complete.
    SignedIn(SignedIn),
    /// The session that there is counts as fresh for ten minutes.
    Refreshed {
        /// Whose it is.
        user: Arc<User>,
        /// Its end, which did not move.
        expires: Time,
    },
}

/// Takes a code: completes a sign-in that is half-way, or makes the session that asks fresh again. Whoever has no second
/// factor refreshes with the password ([`Method::Password`]).
///
/// # Errors
/// `unauthenticated` where nobody is signed in or half-way; `invalid_code` for one that is wrong or used up;
/// `invalid_request` for a method that is not theirs; `rate_limited`; `account_disabled`.
pub async fn verify(ctx: &Ctx, method: Method, code: Secret<String>) -> Result<Verified> {
    let user = asker(ctx)?;
    let app = ctx.app();
    let address = ctx.origin.counted();
    let mut held = held(app, &user.id).await?;
    let methods = proofs(&user, &held);
    if !methods.contains(&method) {
        let there: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        return Err(Error::field("method", format!("is not one of yours: {}", there.join(", "))));
    }
    let attempt = app.tries().begin(&[(tries::FACTOR, user.id.as_str()), (tries::ADDRESS, &address)]).await?;
    let right = match method {
        Method::Totp => totp::spend(app, &mut held, &code)?,
        Method::RecoveryCode => recovery::spend(&mut held, code.reveal()),
        Method::Password => accounts::knows_password(app, code, Some(&user)).await?,
        Method::Sms => match &held.phone {
            Some(phone) => codes::check(ctx, &phone.number, code.reveal().trim()).await? == Checked::Right,
            None => false,
        },
        Method::Passkey => {
            let issue = "is shown by a browser: begin with POST /api/auth/passkeys/signin/start";
            return Err(Error::field("method", issue));
        }
    };
    if !right {
        return Err(wrong(ctx, &user, method).await);
    }
    let batch = if method == Method::Password { Batch::new() } else { used(ctx, held)? };
    match open(ctx, user.as_ref().clone(), method, batch).await {
        Ok(verified) => {
            attempt.right().await;
            Ok(verified)
        }
        // Another request used the code up in the moment between.
        Err(fault) if is_race(&fault) => Err(wrong(ctx, &user, method).await),
        Err(fault) => Err(fault),
    }
}

/// Whose proof is asked for: somebody half-way, or at a browser.
pub(super) fn asker(ctx: &Ctx) -> Result<Arc<User>> {
    if let Some(half) = ctx.half_way() {
        return Ok(Arc::clone(&half.user));
    }
    if ctx.identity().is_none() {
        let message = "Sign in with your password first; the second step is open for 10 minutes after it.";
        return Err(Error::new(Kind::Unauthenticated, "unauthenticated", message));
    }
    browser(ctx).map(|browser| Arc::clone(&browser.person.user))
}

/// Opens what a right proof opens; `with` happens in the same transaction.
pub(super) async fn open(ctx: &Ctx, user: User, method: Method, with: Batch) -> Result<Verified> {
    let target = Target::new("user", &user.id);
    let line = |purpose: &str| {
        let details = json!({ "method": method, "for": purpose });
        ctx.audit(Action::FactorVerified, Outcome::Success, target.clone(), details)
    };
    match browser(ctx) {
        Ok(Browser { person, session }) if person.user.id == user.id => {
            let patch = Patch::new(Scope::Owner(user.id), &session.id).set("provenAt", ctx.now())?;
            let batch = with.patch::<Session>(patch).insert(&line("confirmation"))?;
            ctx.app().store().write(batch).await?;
            ctx.app().caches().session_changed(&session.id).await;
            Ok(Verified::Refreshed { user: Arc::clone(&person.user), expires: session.expires_at })
        }
        _ => {
            let half = ctx.half_way().map(|half| accounts::spent(&half.half)).unwrap_or_default();
            let by = if ctx.half_way().is_some() { "second_factor" } else { "passkey" };
            let batch = with.and(half).insert(&line("sign_in"))?;
            let details = json!({ "by": by, "method": method });
            accounts::enter(ctx, user, details, batch, ctx.now()).await.map(Verified::SignedIn)
        }
    }
}

/// Makes the session that asks fresh since `at`, because the identity provider `by` asked its owner again. Only for whoever
/// has nothing of their own to show: a provider's word is worth less than a factor.
///
/// # Errors
/// `unauthenticated`; `forbidden` for an API key, and for whoever has a password or a factor.
pub(crate) async fn vouched(ctx: &Ctx, by: &str, at: Time) -> Result<()> {
    let Browser { person, session } = browser(ctx)?;
    if !proofs(&person.user, &held(ctx.app(), &person.user.id).await?).is_empty() {
        return Err(Error::forbidden("Your account has a password or a second factor: show that instead."));
    }
    let fresh =
        Patch::new(Scope::Owner(person.user.id.clone()), &session.id).set("provenAt", at.min(ctx.now()))?;
    let details = json!({ "method": by, "for": "confirmation" });
    let audit =
        ctx.audit(Action::FactorVerified, Outcome::Success, Target::new("user", &person.user.id), details);
    ctx.app().store().write(Batch::new().patch::<Session>(fresh).insert(&audit)?).await?;
    ctx.app().caches().session_changed(&session.id).await;
    Ok(())
}

/// Writes a wrong proof down, and says so.
async fn wrong(ctx: &Ctx, user: &User, method: Method) -> Error {
    let details = json!({ "method": method });
    let target = Target::new("user", &user.id);
    ctx.app().recorder().note(ctx.audit(Action::FactorVerified, Outcome::Refused, target, details)).await;
    metrics::counter!("engify_factor_failures_total").increment(1);
    let message = match method {
        Method::Password => "The password is not right.",
        Method::RecoveryCode => "The recovery code is not right or was used already. Each is good once.",
        Method::Totp | Method::Sms | Method::Passkey => {
            "The code is not right or was used already. Wait for the next one."
        }
    };
    Error::new(Kind::Unauthenticated, "invalid_code", message)
}

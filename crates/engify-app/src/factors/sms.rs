//! Codes by text message. The weakest of the factors, because numbers can be taken over; better than a password alone.
//!
//! Each costs money, and some numbers earn it: messages are limited by account, address and number, and those to numbers
//! that nobody has proven also all together. What strangers can use up never keeps a proven phone from its code.

use engify_core::audit::{Action, Outcome, Target};
use engify_core::factor::PhoneFactor;
use engify_core::ids::UserId;
use engify_core::words::Phone;
use engify_core::{Error, Kind, Result, Secret};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::recovery::{self, Codes};
use super::{browser, held, kinds, passkeys_of, raced, saved, tell, used, verify};
use crate::ctx::Ctx;
use crate::doors::Doors;
use crate::limits::presets;
use crate::messages::codes::{self, Checked};
use crate::tries;

/// Begins to enrol a phone: sends a code to it. Nothing changes until [`confirm`].
///
/// # Errors
/// `fresh_factor_required`; `invalid_request` or `phone_refused` for the number; `rate_limited`; `sms_unavailable`.
pub async fn enroll(ctx: &Ctx, number: &str) -> Result<()> {
    let user = &browser(ctx)?.person.user;
    ctx.require_fresh()?;
    let number = Phone::parse(number).map_err(|issue| Error::field("phone", issue))?;
    count(ctx, &user.id, &number, Proven::No).await?;
    let mut held = held(ctx.app(), &user.id).await?;
    held.phone_pending = Some(PhoneFactor { number: number.clone(), created_at: ctx.now() });
    ctx.app().store().write(used(ctx, held)?).await.map_err(raced)?;
    codes::send(ctx, &number).await
}

/// The phone that waits for its first code, so that only its owner recognises it.
///
/// # Errors
/// `unauthenticated`; `forbidden` for an API key.
pub async fn pending(ctx: &Ctx) -> Result<Option<String>> {
    let user = &browser(ctx)?.person.user;
    Ok(held(ctx.app(), &user.id).await?.phone_pending.map(|phone| phone.number.masked()))
}

/// Sends a code to the phone that is enrolled: for the second step, or to be fresh again.
///
/// # Errors
/// `unauthenticated` where nobody is signed in or half-way; `not_found` where no phone is enrolled; `rate_limited`.
pub async fn send(ctx: &Ctx) -> Result<()> {
    let user = verify::asker(ctx)?;
    let phone = held(ctx.app(), &user.id).await?.phone.ok_or_else(|| Error::not_found("phone"))?;
    count(ctx, &user.id, &phone.number, Proven::Yes).await?;
    codes::send(ctx, &phone.number).await
}

/// Whether a code from this phone came back before.
#[derive(PartialEq)]
enum Proven {
    Yes,
    No,
}

/// Counts a message before it is sent, from the narrowest limit to the widest: what a narrow one refuses uses up nothing that
/// others share.
async fn count(ctx: &Ctx, user: &UserId, number: &Phone, proven: Proven) -> Result<()> {
    let limiter = ctx.app().limiter();
    // What counts may lie in a memory that others read, and needs no number in the clear.
    let number = hex::encode(Sha256::digest(number.as_str()));
    limiter.take(presets::SMS, user.as_str(), 1).await?;
    limiter.take(presets::SMS_ADDRESS, &ctx.origin.counted(), 1).await?;
    if proven == Proven::No {
        limiter.take(presets::SMS_NEW_NUMBER, &number, 1).await?;
    }
    limiter.take(presets::SMS_NUMBER, &number, 1).await?;
    if proven == Proven::No {
        limiter.take(presets::SMS_NEW_NUMBERS, "all", 1).await?;
    }
    Ok(())
}

/// Enrols the phone whose code this is. Answers with recovery codes, unless there are some already, and ends the caller's
/// other sessions.
///
/// # Errors
/// `fresh_factor_required`; `not_enrolling`; `invalid_request` for a wrong code; `rate_limited`.
pub async fn confirm(ctx: &Ctx, code: &Secret<String>) -> Result<Codes> {
    let person = browser(ctx)?.person;
    ctx.require_fresh()?;
    let app = ctx.app();
    let mut held = held(app, &person.user.id).await?;
    let Some(pending) = held.phone_pending.take() else {
        let message = "There is no phone to confirm. Begin with POST /api/auth/mfa/sms/send and its number.";
        return Err(Error::new(Kind::Conflict, "not_enrolling", message));
    };
    let attempt = app.tries().begin(&[(tries::FACTOR, person.user.id.as_str())]).await?;
    if codes::check(ctx, &pending.number, code.reveal().trim()).await? != Checked::Right {
        return Err(Error::field("code", "is not the code of the last message, or is older than 10 minutes"));
    }
    attempt.right().await;
    held.phone = Some(PhoneFactor { created_at: ctx.now(), ..pending });
    let codes = recovery::make_first(app.ids(), &mut held);
    let kinds = kinds(&held, passkeys_of(app, &person.user.id).await?.len());
    let doors = Doors::sessions_of(app, &person.user).await?.but(person.session.as_deref());
    let details = json!({ "factor": "sms", "recoveryCodes": codes.len() });
    let audit =
        ctx.audit(Action::FactorEnrolled, Outcome::Success, Target::new("user", &person.user.id), details);
    let batch = doors.close(saved(ctx, held, &kinds)?, ctx.now())?.insert(&audit)?;
    let batch = tell(ctx, batch, &person.user, "A phone was added to your account.")?;
    app.store().write(batch).await.map_err(raced)?;
    doors.forget(app).await;
    Ok(codes)
}

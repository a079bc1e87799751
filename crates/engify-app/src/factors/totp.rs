//! Codes of an authenticator app: TOTP (RFC 6238), SHA-1, 6 digits, 30 seconds, one step early or late.

use engify_core::audit::{Action, Outcome, Target};
use engify_core::factor::{Factors, TotpFactor};
use engify_core::ids::UserId;
use engify_core::{Error, Kind, Result, Secret};
use serde_json::json;
use totp_rs::{Builder, Totp};

use super::recovery::{self, Codes};
use super::{browser, held, kinds, passkeys_of, raced, saved, tell, used};
use crate::App;
use crate::ctx::Ctx;
use crate::doors::Doors;
use crate::tries;

/// Who the app says the code is for.
const ISSUER: &str = "Engify";

/// What an authenticator app needs to know. Shown until the first code confirms that it does.
#[derive(Debug)]
pub struct Enrolment {
    /// 160 bits, base32, to type in.
    pub secret: Secret<String>,
    /// `otpauth://totp/…`, to scan.
    pub url: Secret<String>,
}

/// Begins to enrol an authenticator app: nothing changes until [`confirm`]. A second one takes the place of the first.
///
/// # Errors
/// `fresh_factor_required`.
pub async fn enroll(ctx: &Ctx) -> Result<Enrolment> {
    let person = browser(ctx)?.person;
    ctx.require_fresh()?;
    let app = ctx.app();
    let secret = totp_rs::Secret::new_stack(app.ids().random::<20>());
    let base32 = Secret::new(secret.to_base32());
    let mut held = held(app, &person.user.id).await?;
    let sealed = app.vault().seal(&place(&person.user.id), &base32)?;
    held.totp_pending = Some(TotpFactor { secret: sealed, last_step: None, created_at: ctx.now() });
    app.store().write(used(ctx, held)?).await.map_err(raced)?;
    shown(base32, person.user.email.as_str())
}

/// The enrolment that waits for its first code, for showing it again.
///
/// # Errors
/// `unauthenticated`; `fresh_factor_required`.
pub async fn pending(ctx: &Ctx) -> Result<Option<Enrolment>> {
    let person = browser(ctx)?.person;
    ctx.require_fresh()?;
    let held = held(ctx.app(), &person.user.id).await?;
    let Some(pending) = held.totp_pending else { return Ok(None) };
    let base32 = ctx.app().vault().open(&place(&person.user.id), &pending.secret)?;
    shown(base32, person.user.email.as_str()).map(Some)
}

fn shown(secret: Secret<String>, account: &str) -> Result<Enrolment> {
    let url = totp(&secret, account)?.to_url().map_err(Error::internal)?;
    Ok(Enrolment { secret, url: Secret::new(url) })
}

/// Enrols the app whose first code this is. Answers with recovery codes, unless there are some already, and ends the
/// caller's other sessions: they were begun without it.
///
/// # Errors
/// `fresh_factor_required`; `not_enrolling` where [`enroll`] was not called; `invalid_request` for a wrong code; `rate_limited`.
pub async fn confirm(ctx: &Ctx, code: &Secret<String>) -> Result<Codes> {
    let person = browser(ctx)?.person;
    ctx.require_fresh()?;
    let app = ctx.app();
    let attempt = app.tries().begin(&[(tries::FACTOR, person.user.id.as_str())]).await?;
    let mut held = held(app, &person.user.id).await?;
    let Some(pending) = held.totp_pending.take() else {
        let message = "There is no authenticator app to confirm. Begin with POST /api/auth/mfa/totp/enroll.";
        return Err(Error::new(Kind::Conflict, "not_enrolling", message));
    };
    let Some(step) = step(app, &person.user.id, &pending, code)? else {
        let issue =
            "is not the code that the app shows now; check the clock of the device, then take the next code";
        return Err(Error::field("code", issue));
    };
    attempt.right().await;
    held.totp = Some(TotpFactor { last_step: Some(step), created_at: ctx.now(), ..pending });
    let codes = recovery::make_first(app.ids(), &mut held);
    let kinds = kinds(&held, passkeys_of(app, &person.user.id).await?.len());
    let doors = Doors::sessions_of(app, &person.user).await?.but(person.session.as_deref());
    let details = json!({ "factor": "totp", "recoveryCodes": codes.len() });
    let audit =
        ctx.audit(Action::FactorEnrolled, Outcome::Success, Target::new("user", &person.user.id), details);
    let batch = doors.close(saved(ctx, held, &kinds)?, ctx.now())?.insert(&audit)?;
    let batch = tell(ctx, batch, &person.user, "An authenticator app was added to your account.")?;
    app.store().write(batch).await.map_err(raced)?;
    doors.forget(app).await;
    Ok(codes)
}

/// Takes a code: marks its time step as used and says yes, or says no. A step that was used, or lies before one that
/// was, is used up (RFC 6238 §5.2).
pub(super) fn spend(app: &App, held: &mut Factors, code: &Secret<String>) -> Result<bool> {
    let Some(totp) = held.totp.as_mut() else { return Ok(false) };
    let Some(step) = step(app, &held.id, totp, code)? else { return Ok(false) };
    if totp.last_step.is_some_and(|last| step <= last) {
        return Ok(false);
    }
    totp.last_step = Some(step);
    Ok(true)
}

/// The time step that a code belongs to, within one of now.
fn step(app: &App, user: &UserId, factor: &TotpFactor, code: &Secret<String>) -> Result<Option<u64>> {
    let secret = app.vault().open(&place(user), &factor.secret)?;
    let digits: String = code.reveal().chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let seconds = u64::try_from(app.clock().now().millis() / 1000).unwrap_or(0);
    Ok(totp(&secret, "account")?.check(&digits, seconds))
}

fn totp(secret: &Secret<String>, account: &str) -> Result<Totp> {
    let secret = totp_rs::Secret::try_from_base32(secret.reveal()).map_err(Error::internal)?;
    let builder = Builder::new().with_secret(secret).with_account_name(account).with_issuer(Some(ISSUER));
    builder.build().map_err(Error::internal)
}

/// Where the secret belongs, for the vault.
pub(crate) fn place(user: &UserId) -> String {
    format!("totp:{user}")
}

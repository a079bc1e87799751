//! A forgotten password: a link by mail, and a new password through it.

use std::time::Duration;

use engify_core::account::User;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::error::Faults;
use engify_core::identity::LinkedIdentity;
use engify_core::link::Purpose;
use engify_core::tenancy::Scope;
use engify_core::words::Email;
use engify_core::{Error, Result, Secret};
use engify_store::{Batch, Patch, queries};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::links;
use crate::doors::{Doors, all};
use crate::limits::presets;
use crate::messages::{self, Deed, Letter};
use crate::{Ctx, factors, passwords};

/// How long the link works.
const LINK_LIFE: Duration = Duration::from_secs(30 * 60);

/// Sends a link to choose a new password, if the address is an account's. The answer and its time are the same if it is
/// not: the look-up happens behind the answer.
///
/// # Errors
/// `invalid_request` for what is no address; `rate_limited`; `busy`.
pub async fn forgot_password(ctx: &Ctx, email: &str) -> Result<()> {
    let email = Email::parse(email).map_err(|issue| Error::field("email", issue))?;
    let account = hex::encode(Sha256::digest(email.as_str()));
    let limiter = ctx.app().limiter();
    // By account and address together, so that a stranger elsewhere cannot keep anybody from asking.
    limiter.take(presets::FORGOT_ACCOUNT, &format!("{account}@{}", ctx.origin.counted()), 1).await?;
    // Many strangers together cannot fill somebody's mailbox either; the links that were sent go on working.
    if limiter.take(presets::FORGOT_MAILBOX, &account, 1).await.is_err() {
        return Ok(());
    }
    let behind = ctx.clone();
    ctx.app().behind().put(async move {
        if let Err(fault) = send_link(&behind, &email).await {
            tracing::error!(error = ?fault, request.id = behind.origin.request_id, "password_reset.not_sent");
        }
    })
}

async fn send_link(ctx: &Ctx, email: &Email) -> Result<()> {
    let app = ctx.app();
    let user = app.store().first(&queries::user_by_email(email)).await?;
    let Some(user) = user.filter(|user| user.disabled_at.is_none()) else { return Ok(()) };
    let made = links::make(ctx, &user, Purpose::ResetPassword, &user.email, LINK_LIFE);
    let letter = Letter::ResetPassword { link: made.address, expires: made.link.expires_at };
    let target = Target::new("user", &user.id);
    let audit = ctx.audit(Action::PasswordResetRequested, Outcome::Success, target, json!({}));
    let batch = Batch::new().insert(&made.link)?.insert(&audit)?;
    app.store().write(messages::post(ctx, batch, (&user).into(), &letter)?).await.map(drop)
}

/// How long the first link of an account works that an administrator made.
const FIRST_LINK_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Adds a letter with a link to choose the first password to the batch that makes the account.
pub(crate) fn welcome(ctx: &Ctx, batch: Batch, user: &User) -> Result<Batch> {
    let made = links::make(ctx, user, Purpose::ResetPassword, &user.email, FIRST_LINK_LIFE);
    let maker = ctx.identity().map_or("An administrator", |identity| identity.user.name.as_str()).to_owned();
    let letter = Letter::AccountMade { maker, link: made.address, expires: made.link.expires_at };
    messages::post(ctx, batch.insert(&made.link)?, user.into(), &letter)
}

/// Whether a link still works, before its form is shown.
///
/// # Errors
/// `link_invalid`.
pub async fn check_reset(ctx: &Ctx, token: &str) -> Result<()> {
    links::find(ctx, token, &[Purpose::ResetPassword]).await.map(drop)
}

/// Chooses a new password through a link. All sessions of the account end; the link proves its address too. Nobody is
/// signed in by it: second factors are asked for at the sign-in that follows.
///
/// Where nobody had proven the address before, whoever made the account may be somebody else than its owner: then its API
/// keys, linked identities and second factors go as well, or they would let that one in again.
///
/// # Errors
/// `link_invalid`; `invalid_request` where the password is weak, and the link then still works.
pub async fn reset_password(ctx: &Ctx, token: &str, password: Secret<String>) -> Result<()> {
    let app = ctx.app();
    let (link, user) = links::find(ctx, token, &[Purpose::ResetPassword]).await?;
    let mut faults = Faults::default();
    let known = [user.name.as_str(), user.email.as_str(), "engify"];
    faults.take("password", passwords::check_new(password.reveal(), &known));
    faults.check()?;
    let hash = app.hasher().hash(password).await?;
    let scope = Scope::Everything("the link's token tells whose it is");
    // Only while the account still has the address that the link was sent to.
    let patch = Patch::new(scope, &user.id)
        .when("email", &link.email)?
        .set("passwordHash", hash.reveal())?
        .set("emailVerifiedAt", user.email_verified_at.unwrap_or(ctx.now()))?
        .set("updatedAt", ctx.now())?;
    let is_first_proof = user.email_verified_at.is_none();
    let doors = if is_first_proof {
        Doors::all_of(app, &user).await?
    } else {
        Doors::sessions_of(app, &user).await?
    };
    let batch = links::used(Batch::new(), &link, ctx.now())?.patch::<User>(patch);
    let batch = doors.close(batch, ctx.now())?;
    let batch = if is_first_proof { cleared(ctx, batch, &user).await? } else { batch };
    let (sessions, keys) = doors.count();
    let details = json!({ "sessionsEnded": sessions, "keysRevoked": keys, "firstProof": is_first_proof });
    let audit = ctx.audit(Action::PasswordReset, Outcome::Success, Target::new("user", &user.id), details);
    let letter = Letter::PasswordChanged { deed: Deed::now(ctx) };
    let batch = messages::post(ctx, batch.insert(&audit)?, (&user).into(), &letter)?;
    let batch = links::void_others(ctx, batch, &link).await?;
    app.store().write(batch).await.map_err(links::named)?;
    doors.forget(app).await;
    Ok(())
}

/// Adds the removal of every way in but the password.
async fn cleared(ctx: &Ctx, batch: Batch, user: &User) -> Result<Batch> {
    let identities = all(ctx.app(), queries::identities_of(&user.id)).await?;
    let own = || Scope::Owner(user.id.clone());
    let batch = identities.iter().fold(batch, |batch, one| batch.delete::<LinkedIdentity>(own(), &one.id));
    factors::strip(ctx, batch, user).await
}

//! The address of an account: proving it, and changing it. Both end with a link that was sent to the address in question.

use std::time::Duration;

use engify_core::account::User;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::error::Faults;
use engify_core::link::{Link, Purpose};
use engify_core::tenancy::Scope;
use engify_core::words::Email;
use engify_core::{Error, Kind, Result, Secret};
use engify_store::{Batch, Patch, queries};
use serde_json::json;

use super::{knows_password, links, named_taken};
use crate::limits::presets;
use crate::messages::{self, Deed, Letter, Recipient};
use crate::{Ctx, tries};

/// How long the link works.
const LINK_LIFE: Duration = Duration::from_secs(24 * 3600);
const PURPOSES: &[Purpose] = &[Purpose::VerifyAddress, Purpose::ChangeAddress];

/// Adds the letter that asks a new account to prove its address.
pub(crate) fn welcome(ctx: &Ctx, batch: Batch, user: &User) -> Result<Batch> {
    send(ctx, batch, user, Purpose::VerifyAddress, &user.email)
}

/// Sends the caller another link to prove their address.
///
/// # Errors
/// `unauthenticated`; `already_verified`; `rate_limited`.
pub async fn resend(ctx: &Ctx) -> Result<()> {
    let user = &ctx.person()?.user;
    if user.email_verified_at.is_some() {
        let message = "This address is confirmed already; there is nothing to do.";
        return Err(Error::new(Kind::Conflict, "already_verified", message));
    }
    ctx.app().limiter().take(presets::VERIFY, user.id.as_str(), 1).await?;
    ctx.app().store().write(welcome(ctx, Batch::new(), user)?).await.map(drop)
}

/// Begins a change of the caller's address: a link goes to the new one, and nothing changes before it is used. Whether
/// somebody else has that address is not told here.
///
/// # Errors
/// `unauthenticated`; `invalid_request` where the password is wrong or the address is none; `rate_limited`.
pub async fn change_address(ctx: &Ctx, email: &str, password: Secret<String>) -> Result<()> {
    let user = &ctx.person()?.user;
    let app = ctx.app();
    app.limiter().take(presets::VERIFY, user.id.as_str(), 1).await?;
    let mut faults = Faults::default();
    let email = faults.take("email", Email::parse(email));
    if email.as_ref() == Some(&user.email) {
        faults.push("email", "is your address already");
    }
    // Wrong ones count as they do at the change of the password.
    let attempt = app.tries().begin(&[(tries::PASSWORD, user.id.as_str())]).await?;
    if knows_password(app, password, Some(user)).await? {
        attempt.right().await;
    } else {
        faults.push("currentPassword", "is not your password");
    }
    faults.check()?;
    let email = email.ok_or_else(|| Error::internal("a form without faults has all fields"))?;
    let (behind, user) = (ctx.clone(), user.clone());
    app.behind().put(async move {
        if let Err(fault) = propose(&behind, &user, &email).await {
            tracing::error!(error = ?fault, request.id = behind.origin.request_id, "address_change.not_sent");
        }
    })
}

async fn propose(ctx: &Ctx, user: &User, email: &Email) -> Result<()> {
    // Somebody else's mailbox gets no letter from a form that anybody can fill in.
    if ctx.app().store().first(&queries::user_by_email(email)).await?.is_some() {
        return Ok(());
    }
    ctx.app().store().write(send(ctx, Batch::new(), user, Purpose::ChangeAddress, email)?).await.map(drop)
}

fn send(ctx: &Ctx, batch: Batch, user: &User, purpose: Purpose, email: &Email) -> Result<Batch> {
    let made = links::make(ctx, user, purpose, email, LINK_LIFE);
    let letter = Letter::VerifyAddress { link: made.address, expires: made.link.expires_at };
    let to = Recipient { email, name: &user.name, user: Some(&user.id) };
    messages::post(ctx, batch.insert(&made.link)?, to, &letter)
}

/// The address that a link proves, before its button is pressed: programs that look into mails follow links, and must not
/// use them up.
///
/// # Errors
/// `link_invalid`.
pub async fn check_address(ctx: &Ctx, token: &str) -> Result<Email> {
    links::find(ctx, token, PURPOSES).await.map(|(link, _)| link.email)
}

/// Uses a link: the address is proven, and becomes the account's where it was another.
///
/// # Errors
/// `link_invalid`; `email_taken` where somebody else has the address by now.
pub async fn verify_address(ctx: &Ctx, token: &str) -> Result<Email> {
    let app = ctx.app();
    let (link, user) = links::find(ctx, token, PURPOSES).await?;
    let scope = Scope::Everything("the link's token tells whose it is");
    let patch = Patch::new(scope, &user.id).set("emailVerifiedAt", ctx.now())?.set("updatedAt", ctx.now())?;
    let batch = links::used(Batch::new(), &link, ctx.now())?;
    let batch = match link.purpose {
        Purpose::ChangeAddress => {
            let batch = batch.patch::<User>(patch.set("email", &link.email)?);
            // A link for a new password that lies in the old mailbox opens nothing any more.
            links::void_others(ctx, changed(ctx, batch, &link, &user)?, &link).await?
        }
        _ => batch.patch::<User>(patch.when("email", &link.email)?),
    };
    let target = Target::new("user", &user.id);
    let audit = ctx.audit(Action::EmailVerified, Outcome::Success, target, json!({}));
    app.store()
        .write(batch.insert(&audit)?)
        .await
        .map_err(|fault| named_taken(links::named(fault), "email"))?;
    app.caches().user_changed(user.id.as_str()).await;
    Ok(link.email)
}

/// What else belongs to a change of address: the audit line, and a letter to the old one.
fn changed(ctx: &Ctx, batch: Batch, link: &Link, user: &User) -> Result<Batch> {
    let target = Target::new("user", &user.id);
    let audit = ctx.audit(Action::UserUpdated, Outcome::Success, target, json!({ "fields": ["email"] }));
    let letter = Letter::AddressChanged { to: link.email.clone(), deed: Deed::now(ctx) };
    messages::post(ctx, batch.insert(&audit)?, user.into(), &letter)
}

//! Which identities open an account: linking one, listing them, unlinking one.

use engify_core::account::User;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::factor::FactorKind;
use engify_core::identity::{LinkedIdentity, OauthStep, OauthTicket, ProvenPerson};
use engify_core::ids::{IdentityId, UserId};
use engify_core::tenancy::Scope;
use engify_core::words::Email;
use engify_core::{Error, Kind, Result, Secret};
use engify_store::{Batch, queries};
use serde_json::json;

use super::arrival::{Arrival, admit};
use super::{SignInProvider, standing, taken, ticket};
use crate::messages::{self, Deed, Letter};
use crate::{Ctx, accounts, tries};

/// The most identities of one account.
const MOST: u32 = 20;

/// What is asked before a link is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The provider, as people call it.
    pub provider: String,
    /// The address there.
    pub email: Email,
    /// What proves that the account is theirs.
    pub proof: Proof,
}

/// What proves that an account is somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its password.
    Password,
    /// They are signed in and showed a moment ago who they are: their consent is enough.
    Consent,
    /// It has no password and they are not signed in: they must come in another way first.
    SignIn,
}

/// What a link waits for.
///
/// # Errors
/// `oauth_state_mismatch`, `oauth_expired`.
pub async fn pending(ctx: &Ctx, token: &str, browser: Option<&str>) -> Result<Pending> {
    let (ticket, person, user) = waiting(ctx, token, browser).await?;
    let provider = ctx.app().identity_providers().named(&ticket.provider)?;
    Ok(Pending { provider: provider.label().to_owned(), email: person.email, proof: proof(ctx, &user) })
}

/// Links the identity of a ticket to its account, once the account is proven to be theirs; whoever is not signed in yet is
/// admitted then. A wrong password leaves the ticket as it is.
///
/// # Errors
/// `invalid_request` for a wrong password, `rate_limited`; `fresh_factor_required`; `sign_in_first`; `identity_taken`; those of [`pending`].
pub async fn link(
    ctx: &Ctx,
    token: &str,
    browser: Option<&str>,
    password: Secret<String>,
) -> Result<Arrival> {
    let (ticket, person, user) = waiting(ctx, token, browser).await?;
    let provider = ctx.app().identity_providers().named(&ticket.provider)?;
    match proof(ctx, &user) {
        Proof::Password => check_password(ctx, &user, password).await?,
        Proof::Consent => ctx.require_fresh()?,
        Proof::SignIn => {
            let message = "This account has no password. Sign in the way you do otherwise, then link it under Settings, Security.";
            return Err(Error::new(Kind::Forbidden, "sign_in_first", message));
        }
    }
    let identity = new_identity(ctx, provider.id(), &user.id, &person);
    let details = json!({ "through": provider.id() });
    let audit = ctx.as_person(&user).audit(
        Action::IdentityLinked,
        Outcome::Success,
        Target::new("user", &user.id),
        details,
    );
    let batch = ticket::used(ctx, &ticket)?.insert(&identity)?.insert(&audit)?;
    let what = format!("Your account can now be opened through {} as well.", provider.label());
    let batch =
        messages::post(ctx, batch, (&user).into(), &Letter::FactorsChanged { what, deed: Deed::now(ctx) })?;
    ticket::spend(ctx, batch).await.map_err(|fault| taken(provider, fault))?;
    if ctx.user_id() == Some(&user.id) {
        standing::refresh(ctx, provider, &user.id, &identity, &person).await?;
        return Ok(Arrival::Known(ticket.next));
    }
    let admission = admit(ctx, provider, user, &identity, &person).await?;
    Ok(Arrival::Admitted(admission, ticket.next))
}

fn proof(ctx: &Ctx, user: &User) -> Proof {
    match (ctx.user_id() == Some(&user.id), &user.password_hash) {
        (true, _) => Proof::Consent,
        (false, Some(_)) => Proof::Password,
        (false, None) => Proof::SignIn,
    }
}

async fn check_password(ctx: &Ctx, user: &User, password: Secret<String>) -> Result<()> {
    let app = ctx.app();
    // As at sign-in: wrong tries count against account and address together.
    let address = ctx.origin.counted();
    let bucket = format!("{}@{address}", user.id);
    let attempt = app.tries().begin(&[(tries::PASSWORD, &bucket), (tries::ADDRESS, &address)]).await?;
    if !accounts::knows_password(app, password, Some(user)).await? {
        return Err(Error::field("password", "is not the password of that account"));
    }
    attempt.right().await;
    Ok(())
}

async fn waiting(ctx: &Ctx, token: &str, browser: Option<&str>) -> Result<(OauthTicket, ProvenPerson, User)> {
    let ticket = ticket::held(ctx, token, browser).await?;
    let (OauthStep::Proof(person), Some(owner)) = (&ticket.step, &ticket.user_id) else {
        return Err(ticket::mismatch());
    };
    // Whoever began signed in as somebody must still be that one.
    if ctx.user_id().is_some_and(|caller| caller != owner) {
        return Err(ticket::mismatch());
    }
    let scope = Scope::Everything("the ticket names the account to be linked");
    let user = ctx.app().store().get::<User>(&scope, owner.as_str()).await?.ok_or_else(ticket::mismatch)?;
    let person = person.clone();
    Ok((ticket, person, user))
}

pub(super) fn new_identity(
    ctx: &Ctx,
    provider: &str,
    user: &UserId,
    person: &ProvenPerson,
) -> LinkedIdentity {
    LinkedIdentity {
        id: IdentityId::make(ctx.app().ids()),
        user_id: user.clone(),
        provider: provider.to_owned(),
        issuer: person.issuer.clone(),
        subject: person.subject.clone(),
        email: person.email.clone(),
        mapped_role: None,
        mapped_organization: None,
        created_at: ctx.now(),
        last_used_at: ctx.now(),
    }
}

/// The identities that open the caller's account, oldest first.
///
/// # Errors
/// `unauthenticated`.
pub async fn list(ctx: &Ctx) -> Result<Vec<LinkedIdentity>> {
    let person = ctx.person()?;
    Ok(ctx.app().store().find(&queries::identities_of(&person.user.id).limit(MOST)).await?.items)
}

/// The caller's own providers that can be made to ask them again who they are.
///
/// # Errors
/// `unauthenticated`.
pub async fn confirmers(ctx: &Ctx) -> Result<Vec<SignInProvider>> {
    let all = list(ctx).await?;
    let providers = ctx.app().identity_providers();
    let own = all.iter().filter_map(|identity| providers.named(&identity.provider).ok());
    let own = own.filter(|provider| provider.asks_again());
    Ok(own.map(|it| SignInProvider { id: it.id(), label: it.label().to_owned() }).collect())
}

/// Unlinks an identity of the caller's account, unless it is the last way in.
///
/// # Errors
/// `unauthenticated`; `fresh_factor_required`; `not_found`; `last_way_in`.
pub async fn unlink(ctx: &Ctx, id: &str) -> Result<()> {
    ctx.require_fresh()?;
    let person = ctx.person()?;
    let all = list(ctx).await?;
    let identity = all.iter().find(|identity| identity.id.as_str() == id);
    let identity = identity.ok_or_else(|| Error::not_found("linked account"))?;
    let opens_alone =
        person.user.password_hash.is_some() || person.user.factors.contains(&FactorKind::Passkey);
    if all.len() == 1 && !opens_alone {
        let message = "This is the only way into your account. Choose a password first, through \"Forgot the password\" on the sign-in page.";
        return Err(Error::new(Kind::Conflict, "last_way_in", message));
    }
    let details = json!({ "through": identity.provider });
    let target = Target::new("user", &person.user.id);
    let audit = ctx.audit(Action::IdentityUnlinked, Outcome::Success, target, details);
    let scope = Scope::Owner(person.user.id.clone());
    let batch = Batch::new().delete::<LinkedIdentity>(scope, &identity.id).insert(&audit)?;
    ctx.app().store().write(batch).await.map(drop)
}

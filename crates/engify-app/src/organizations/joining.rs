//! Becoming a member: through the link of an invitation, or through a mail domain that is the organization's own.

use std::sync::Arc;

use engify_core::account::{Session, User};
use engify_core::audit::{Action, Outcome, Target};
use engify_core::ids::OrganizationId;
use engify_core::organization::{Domain, Invitation, Organization};
use engify_core::permission::{Permission, Role};
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result, Secret};
use engify_store::{Batch, Patch, queries};
use serde_json::json;

use super::{check_seat, insist, known, membership, next_revision};
use crate::accounts::{self, SignUp, SignedIn};
use crate::ctx::{Actor, Ctx, Identity};
use crate::token;

/// What the holder of an invitation's link may know of it.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The organization's name.
    pub organization: String,
    /// Who invites.
    pub inviter: String,
    /// The invitation.
    pub invitation: Invitation,
    /// What they can do with it as they are now.
    pub answer: Answer,
}

/// What the holder of a link can do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Join: they are signed in with the invited address.
    Join,
    /// Sign in first: there is an account with the invited address.
    SignIn,
    /// Make an account, with the invited address.
    SignUp,
    /// Sign out first: they are signed in with another address.
    WrongAddress,
    /// Leave their organization first.
    Elsewhere,
}

/// What somebody without an account says of themselves.
#[derive(Debug)]
pub struct NewPerson {
    /// The name, as typed.
    pub name: String,
    /// The password, as typed.
    pub password: Secret<String>,
}

/// Somebody joined.
#[derive(Debug)]
pub struct Accepted {
    /// Into which organization.
    pub organization: Organization,
    /// Their first session, where their account was made now.
    pub signed_in: Option<SignedIn>,
}

/// Opens the link of an invitation.
///
/// # Errors
/// `not_found` for one that is unknown, used, taken back or older than a week.
pub async fn open(ctx: &Ctx, token: &str) -> Result<Letter> {
    let (invitation, organization) = found(ctx, token).await?;
    let scope = Scope::Everything("the link tells who invites");
    let inviter = ctx.app().store().get::<User>(&scope, invitation.invited_by.as_str()).await?;
    let answer = match ctx.identity() {
        Some(identity) if identity.user.email != invitation.email => Answer::WrongAddress,
        Some(identity) if identity.user.organization_id.is_some() => Answer::Elsewhere,
        Some(_) => Answer::Join,
        None if ctx.app().store().first(&queries::user_by_email(&invitation.email)).await?.is_some() => {
            Answer::SignIn
        }
        None => Answer::SignUp,
    };
    let inviter = inviter.map_or_else(|| "Somebody".to_owned(), |user| user.name);
    Ok(Letter { organization: organization.name, inviter, invitation, answer })
}

/// Accepts an invitation: as whoever is signed in, or as a new person. The link came by mail, so the address is proven.
/// Works also while sign-up is closed.
///
/// # Errors
/// `not_found`; `wrong_address`; `already_member`; `no_seats`; `email_taken` for a new person who has an account already;
/// `invalid_request`; `unauthenticated` for a stranger who says nothing of themselves.
pub async fn accept(ctx: &Ctx, token: &str, person: Option<NewPerson>) -> Result<Accepted> {
    let (invitation, _) = found(ctx, token).await?;
    match (ctx.identity(), person) {
        (Some(identity), _) => {
            let user = Arc::clone(&identity.user);
            insist(|| as_member(ctx, token, &user)).await
        }
        (None, Some(person)) => {
            let form =
                SignUp { email: invitation.email.to_string(), password: person.password, name: person.name };
            let mut user = accounts::new_user(ctx, form, invitation.role).await?;
            user.email_verified_at = Some(ctx.now());
            user.organization_id = Some(invitation.organization_id);
            insist(|| as_newcomer(ctx, token, &user)).await
        }
        (None, None) => Err(Error::unauthenticated()),
    }
}

async fn as_member(ctx: &Ctx, token: &str, user: &User) -> Result<Accepted> {
    let (invitation, organization) = found(ctx, token).await?;
    if user.email != invitation.email {
        let message = "This invitation is for another address. Sign in with the account that it was sent to.";
        return Err(Error::new(Kind::Forbidden, "wrong_address", message));
    }
    check_seat(ctx.app(), &organization, 1).await?;
    let moved = membership::enter(ctx, user, &organization.id, invitation.role).await?;
    let mut batch = moved.batch;
    if user.email_verified_at.is_none() {
        let scope = Scope::Everything("the link came by mail");
        batch = batch.patch::<User>(Patch::new(scope, &user.id).set("emailVerifiedAt", ctx.now())?);
    }
    let batch = batch.and(settled(ctx, &organization, &invitation, user)?);
    ctx.app().store().write(batch).await?;
    moved.doors.forget(ctx.app()).await;
    Ok(Accepted { organization, signed_in: None })
}

async fn as_newcomer(ctx: &Ctx, token: &str, user: &User) -> Result<Accepted> {
    let (invitation, organization) = found(ctx, token).await?;
    check_seat(ctx.app(), &organization, 1).await?;
    let (session, session_token) = accounts::new_session(ctx, user);
    let details = json!({ "role": user.role, "through": "invitation" });
    let created = as_person(ctx, user).audit(
        Action::UserCreated,
        Outcome::Success,
        Target::new("user", &user.id),
        details,
    );
    let batch = Batch::new().insert(user)?.insert::<Session>(&session)?.insert(&created)?;
    let batch = batch.and(settled(ctx, &organization, &invitation, user)?);
    ctx.app().store().write(batch).await.map_err(|fault| accounts::named_taken(fault, "email"))?;
    tracing::info!(user.id = %user.id, "account.created");
    let signed_in =
        SignedIn { expires: session.expires_at, user: Arc::new(user.clone()), token: session_token };
    Ok(Accepted { organization, signed_in: Some(signed_in) })
}

/// What every acceptance writes: the invitation is used up, the organization changed, the log knows.
fn settled(ctx: &Ctx, organization: &Organization, invitation: &Invitation, user: &User) -> Result<Batch> {
    let scope = Scope::Organization(organization.id.clone());
    let details = json!({ "role": invitation.role, "invitedBy": invitation.invited_by });
    let audit = joined(ctx, organization, user, details);
    let patch = next_revision(ctx, organization)?;
    Batch::new().delete::<Invitation>(scope, &invitation.id).patch::<Organization>(patch).insert(&audit)
}

fn joined(
    ctx: &Ctx,
    organization: &Organization,
    user: &User,
    details: serde_json::Value,
) -> engify_core::audit::AuditEntry {
    let target = Target::new("user", &user.id);
    as_person(ctx, user)
        .audit(Action::MemberJoined, Outcome::Success, target, details)
        .concerning(Some(&organization.id))
}

/// The context of somebody who is only just known.
fn as_person(ctx: &Ctx, user: &User) -> Ctx {
    let identity = Identity { user: Arc::new(user.clone()), session: None, key: None };
    Ctx::new(ctx.app(), Actor::Person(identity), ctx.origin.clone())
}

/// The invitation whose link this is, while it holds, and its organization.
async fn found(ctx: &Ctx, token: &str) -> Result<(Invitation, Organization)> {
    let ended = || {
        let message = "This invitation is used up, was taken back or is older than 7 days. Ask whoever sent it for another.";
        Error::new(Kind::NotFound, "not_found", message)
    };
    if !token::has_form(token) {
        return Err(ended());
    }
    let store = ctx.app().store();
    let invitation = store.first(&queries::invitation_by_token(&token::hash(token))).await?;
    let invitation = invitation.filter(|one| one.expires_at > ctx.now()).ok_or_else(ended)?;
    let organization = store.get::<Organization>(&known(), invitation.organization_id.as_str()).await?;
    Ok((invitation, organization.ok_or_else(ended)?))
}

/// The most organizations that are offered to somebody.
const OFFERED: u32 = 20;

/// The organizations that the caller may join by themselves: those that own the domain of their proven address. None for
/// members.
///
/// # Errors
/// `forbidden` without `organization:join`.
pub async fn joinable(ctx: &Ctx) -> Result<Vec<Organization>> {
    ctx.require(Permission::OrganizationJoin)?;
    let user = &ctx.person()?.user;
    if user.organization_id.is_some() || user.email_verified_at.is_none() {
        return Ok(Vec::new());
    }
    let store = ctx.app().store();
    let open = store.find(&queries::open_domains(&Domain::of(&user.email)).limit(OFFERED)).await?.items;
    let ids: Vec<&str> = open.iter().map(|domain| domain.organization_id.as_str()).collect();
    store.get_many(&known(), &ids).await
}

/// Joins an organization through one's own mail domain, as `org_member`.
///
/// # Errors
/// `not_found` where it does not admit the caller so; `already_member`; `no_seats`; `forbidden` without
/// `organization:join`.
pub async fn join(ctx: &Ctx, id: &str) -> Result<Organization> {
    ctx.require_for(Permission::OrganizationJoin, Action::MemberJoined, Target::new("organization", id))
        .await?;
    let user = &ctx.person()?.user;
    let missing = || Error::not_found("organization that you may join");
    let id = OrganizationId::parse(id).map_err(|_| missing())?;
    insist(|| async {
        let organization: Organization =
            ctx.app().store().get(&known(), id.as_str()).await?.ok_or_else(missing)?;
        let settings = &organization.settings;
        let admits =
            settings.domain_join && settings.has_domain_of(&user.email) && user.email_verified_at.is_some();
        if !admits {
            return Err(missing());
        }
        check_seat(ctx.app(), &organization, 0).await?;
        let moved = membership::enter(ctx, user, &organization.id, Role::OrgMember).await?;
        let details = json!({ "role": Role::OrgMember, "through": "domain" });
        let audit = joined(ctx, &organization, user, details);
        let patch = next_revision(ctx, &organization)?;
        ctx.app().store().write(moved.batch.patch::<Organization>(patch).insert(&audit)?).await?;
        moved.doors.forget(ctx.app()).await;
        Ok(organization)
    })
    .await
}

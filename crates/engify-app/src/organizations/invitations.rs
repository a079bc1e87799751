//! Invitations, as an organization's administrators see them: sending, sending again, taking back.

use std::time::Duration;

use engify_core::audit::{Action, Outcome, Target};
use engify_core::error::Faults;
use engify_core::ids::InvitationId;
use engify_core::organization::{Invitation, Organization};
use engify_core::permission::{Permission, Role};
use engify_core::tenancy::Scope;
use engify_core::words::Email;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, Cursor, Page, queries};
use serde_json::json;

use super::{check_domain, check_seat, insist, next_revision, reached};
use crate::messages::{self, Letter, Recipient};
use crate::{Ctx, token};

/// A link works this long.
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// The most invitations that an organization keeps, ended ones that nobody took away included.
const MOST: u64 = 1000;

/// Who is asked to join, and as what.
#[derive(Debug, Clone, Default)]
pub struct Invited {
    /// The address, as typed.
    pub email: String,
    /// The role's word; `org_member` where it is empty.
    pub role: String,
}

/// The invitations of an organization, newest first, ended ones included.
///
/// # Errors
/// `not_found`; `invalid_cursor`; `forbidden` without `organization:manage`.
pub async fn invitations(ctx: &Ctx, id: &str, limit: u32, cursor: Option<&str>) -> Result<Page<Invitation>> {
    let organization = reached(ctx, id, Permission::OrganizationManage).await?;
    let query = queries::invitations_of(&organization.id);
    let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// Invites an address by mail. A second invitation of the same address replaces the first, whose link then ends.
///
/// # Errors
/// `not_found`; `invalid_request`; `already_member`; `no_seats`; `forbidden` without `organization:manage`, and without
/// `users:manage_roles` for more than a member; `fresh_factor_required` for an administrator.
pub async fn invite(ctx: &Ctx, id: &str, invited: &Invited) -> Result<Invitation> {
    let target = Target::new("organization", id);
    ctx.require_for(Permission::OrganizationManage, Action::MemberInvited, target).await?;
    let mut faults = Faults::default();
    let email = faults.take("email", Email::parse(&invited.email));
    let role = faults.take("role", role(ctx, &invited.role));
    let (Some(email), Some(role), true) = (email, role, faults.is_empty()) else {
        faults.check()?;
        return Err(Error::internal("a form without faults has all fields"));
    };
    crate::users::check_gift(ctx, role)?;
    insist(|| async {
        let organization = reached(ctx, id, Permission::OrganizationManage).await?;
        check_domain(&organization, &email)?;
        check_stranger(ctx, &organization, &email).await?;
        let old = ctx.app().store().first(&queries::invitation_to(&organization.id, &email)).await?;
        let old = old.map(|old| Invitation { role, ..old });
        send(ctx, &organization, old, &email, role).await
    })
    .await
}

/// Sends an invitation again, with a new link that works for another 7 days; the old link ends.
///
/// # Errors
/// `not_found`; `no_seats` where it had ended; `forbidden` without `organization:manage`.
pub async fn resend(ctx: &Ctx, id: &str, invitation: &str) -> Result<Invitation> {
    let target = Target::new("invitation", invitation);
    ctx.require_for(Permission::OrganizationManage, Action::MemberInvited, target).await?;
    insist(|| async {
        let organization = reached(ctx, id, Permission::OrganizationManage).await?;
        let old = one(ctx, &organization, invitation).await?;
        let (email, role) = (old.email.clone(), old.role);
        check_domain(&organization, &email)?;
        check_stranger(ctx, &organization, &email).await?;
        crate::users::check_rank(ctx, role)?;
        send(ctx, &organization, Some(old), &email, role).await
    })
    .await
}

/// Takes an invitation back: its link ends.
///
/// # Errors
/// `not_found`; `forbidden` without `organization:manage`.
pub async fn revoke(ctx: &Ctx, id: &str, invitation: &str) -> Result<()> {
    let target = Target::new("invitation", invitation);
    ctx.require_for(Permission::OrganizationManage, Action::InvitationRevoked, target.clone()).await?;
    let organization = reached(ctx, id, Permission::OrganizationManage).await?;
    let invitation = one(ctx, &organization, invitation).await?;
    let details = json!({ "role": invitation.role });
    let audit = ctx
        .audit(Action::InvitationRevoked, Outcome::Success, target, details)
        .concerning(Some(&organization.id));
    let scope = Scope::Organization(organization.id);
    let batch = Batch::new().delete::<Invitation>(scope, &invitation.id).insert(&audit)?;
    ctx.app().store().write(batch).await?;
    Ok(())
}

/// A role as the letter says it.
fn spoken(role: Role) -> &'static str {
    match role {
        Role::OrgManager => "a manager",
        Role::OrgAdmin => "an administrator",
        _ => "a member",
    }
}

fn role(ctx: &Ctx, word: &str) -> Result<Role, String> {
    let role = if word.is_empty() { Role::OrgMember } else { Role::parse(word)? };
    if !role.is_of_organization() {
        return Err("is one of org_member, org_manager, org_admin".to_owned());
    }
    crate::users::check_rank(ctx, role).map_err(|_| "is above your own".to_owned())?;
    Ok(role)
}

/// Fails for the address of a member. Whether somebody has an account here, or belongs to another organization, is not
/// told.
async fn check_stranger(ctx: &Ctx, organization: &Organization, email: &Email) -> Result<()> {
    let user = ctx.app().store().first(&queries::user_by_email(email)).await?;
    if user.is_none_or(|user| user.organization_id.as_ref() != Some(&organization.id)) {
        return Ok(());
    }
    let message = "This address belongs to a member already.";
    Err(Error::new(Kind::Conflict, "already_member", message).detail("email", "belongs to a member already"))
}

async fn one(ctx: &Ctx, organization: &Organization, id: &str) -> Result<Invitation> {
    let scope = Scope::Organization(organization.id.clone());
    let found = match InvitationId::parse(id) {
        Ok(id) => ctx.app().store().get::<Invitation>(&scope, id.as_str()).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| Error::not_found("invitation"))
}

/// Writes the invitation, its mail and its audit line together.
async fn send(
    ctx: &Ctx,
    organization: &Organization,
    old: Option<Invitation>,
    email: &Email,
    role: Role,
) -> Result<Invitation> {
    let app = ctx.app();
    let now = ctx.now();
    let held = u64::from(old.as_ref().is_some_and(|old| old.expires_at > now));
    check_seat(app, organization, held).await?;
    if old.is_none() && app.store().count(&queries::invitations_of(&organization.id)).await? >= MOST {
        let message = format!("There are {MOST} invitations; revoke those that ended before you send more.");
        return Err(Error::new(Kind::Conflict, "too_many_invitations", message));
    }
    let token = token::make(app.ids());
    let inviter = &ctx.person()?.user;
    let invitation = Invitation {
        id: old.as_ref().map_or_else(|| InvitationId::make(app.ids()), |old| old.id.clone()),
        organization_id: organization.id.clone(),
        email: email.clone(),
        role,
        token_hash: token::hash(token.reveal()),
        invited_by: inviter.id.clone(),
        created_at: old.as_ref().map_or(now, |old| old.created_at),
        sent_at: now,
        expires_at: now.plus(LIFE),
    };
    let details = json!({ "role": role, "again": old.is_some() });
    let target = Target::new("invitation", &invitation.id);
    let audit = ctx
        .audit(Action::MemberInvited, Outcome::Success, target, details)
        .concerning(Some(&organization.id));
    let patch = next_revision(ctx, organization)?;
    let letter = Letter::Invitation {
        organization: organization.name.clone(),
        inviter: inviter.name.clone(),
        role: spoken(role).to_owned(),
        link: messages::address(app, &format!("/invitations/{}", token.reveal())),
        expires: invitation.expires_at,
    };
    let batch = Batch::new().put(&invitation)?.patch::<Organization>(patch).insert(&audit)?;
    let batch = messages::post(ctx, batch, Recipient::stranger(email), &letter)?;
    app.store().write(batch).await?;
    Ok(invitation)
}

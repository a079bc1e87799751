//! Handing an organization to another member.

use engify_core::account::User;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::organization::Organization;
use engify_core::permission::{Permission, Role};
use engify_core::{Error, Kind, Result};
use serde_json::json;

use super::members::fresh;
use super::{insist, is_owner, membership, next_revision, reached, sees_all};
use crate::Ctx;

/// Makes another member the owner, and their `org_admin`; the old owner stays an `org_admin`.
///
/// # Errors
/// `not_found`; `not_owner` for everybody but the owner and super admins; `fresh_factor_required`; `account_disabled`.
pub async fn transfer(ctx: &Ctx, id: &str, to: &str) -> Result<Organization> {
    let target = Target::new("organization", id);
    ctx.require_for(Permission::OrganizationManage, Action::OrganizationTransferred, target).await?;
    ctx.require_fresh()?;
    insist(|| attempt(ctx, id, to)).await
}

async fn attempt(ctx: &Ctx, id: &str, to: &str) -> Result<Organization> {
    let mut organization = reached(ctx, id, Permission::OrganizationManage).await?;
    check_owner(ctx, &organization)?;
    let member = fresh(ctx, &organization, to).await?;
    if is_owner(&organization, &member) {
        return Ok(organization);
    }
    check_able(&member)?;
    let moved = membership::promote(ctx, &member, membership::role_within(&member, Role::OrgAdmin)).await?;
    let details = json!({ "from": organization.owner_id, "to": member.id });
    let target = Target::new("organization", &organization.id);
    let audit = ctx
        .audit(Action::OrganizationTransferred, Outcome::Success, target, details)
        .concerning(Some(&organization.id));
    let patch = next_revision(ctx, &organization)?.set("ownerId", &member.id)?;
    ctx.app().store().write(moved.batch.patch::<Organization>(patch).insert(&audit)?).await?;
    moved.doors.forget(ctx.app()).await;
    organization.owner_id = Some(member.id);
    organization.revision += 1;
    Ok(organization)
}

fn check_able(member: &User) -> Result<()> {
    if member.disabled_at.is_none() {
        return Ok(());
    }
    let message = "This account is switched off and cannot own an organization. Switch it on first.";
    Err(Error::new(Kind::Conflict, "account_disabled", message))
}

/// Only the owner and super admins hand an organization on or end it.
pub(super) fn check_owner(ctx: &Ctx, organization: &Organization) -> Result<()> {
    let owns = ctx.identity().is_some_and(|identity| is_owner(organization, &identity.user));
    if owns || sees_all(ctx) {
        return Ok(());
    }
    let message = "Only the owner of the organization and super admins may do this.";
    Err(Error::new(Kind::Forbidden, "not_owner", message))
}

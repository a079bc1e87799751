//! Members: seeing them, removing one, leaving.

use engify_core::account::User;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::ids::UserId;
use engify_core::organization::Organization;
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_core::{Error, Result};
use engify_store::{Cursor, Page, queries};
use serde_json::json;

use super::{insist, is_owner, membership, next_revision, owner_protected, reached};
use crate::Ctx;

/// The members of an organization, by name.
///
/// # Errors
/// `not_found`; `invalid_cursor`; `forbidden` without `organization:read`.
pub async fn members(ctx: &Ctx, id: &str, limit: u32, cursor: Option<&str>) -> Result<Page<User>> {
    let organization = reached(ctx, id, Permission::OrganizationRead).await?;
    let query = queries::users_of_organization(&organization.id);
    let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// One member.
///
/// # Errors
/// `not_found`; `forbidden` without `organization:read`.
pub async fn member(ctx: &Ctx, id: &str, user: &str) -> Result<User> {
    let organization = reached(ctx, id, Permission::OrganizationRead).await?;
    fresh(ctx, &organization, user).await
}

/// One member, fresh from the store.
pub(super) async fn fresh(ctx: &Ctx, organization: &Organization, id: &str) -> Result<User> {
    let scope = Scope::Organization(organization.id.clone());
    let found = match UserId::parse(id) {
        Ok(id) => ctx.app().store().get::<User>(&scope, id.as_str()).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| Error::not_found("member"))
}

/// Removes a member: their sessions and keys end at once; what they shared with the organization stays with it, what is
/// private stays theirs.
///
/// # Errors
/// `not_found`; `owner_protected`; `forbidden` without `organization:manage`, and for somebody of a higher role.
pub async fn remove(ctx: &Ctx, id: &str, user: &str) -> Result<()> {
    ctx.require_for(Permission::OrganizationManage, Action::MemberRemoved, Target::new("user", user)).await?;
    insist(|| async {
        let organization = reached(ctx, id, Permission::OrganizationManage).await?;
        let member = fresh(ctx, &organization, user).await?;
        crate::users::check_rank(ctx, member.role)?;
        part(ctx, &organization, &member, "removed").await
    })
    .await
}

/// Leaves the caller's organization.
///
/// # Errors
/// `not_found` for those without one; `owner_protected`; `forbidden` without `organization:join`.
pub async fn leave(ctx: &Ctx, id: &str) -> Result<()> {
    ctx.require_for(Permission::OrganizationJoin, Action::MemberRemoved, Target::new("organization", id))
        .await?;
    let person = ctx.person()?;
    if person.user.organization_id.as_ref().is_none_or(|own| own.as_str() != id) {
        return Err(Error::not_found("organization"));
    }
    insist(|| async {
        let organization = reached(ctx, id, Permission::OrganizationRead).await?;
        let member = fresh(ctx, &organization, person.user.id.as_str()).await?;
        part(ctx, &organization, &member, "left").await
    })
    .await
}

async fn part(ctx: &Ctx, organization: &Organization, member: &User, how: &str) -> Result<()> {
    if is_owner(organization, member) {
        return Err(owner_protected(organization));
    }
    let moved = membership::exit(ctx, member).await?;
    let (sessions, keys) = moved.doors.count();
    let details = json!({ "how": how, "role": member.role, "sessions": sessions, "keys": keys });
    let target = Target::new("user", &member.id);
    let audit = ctx
        .audit(Action::MemberRemoved, Outcome::Success, target, details)
        .concerning(Some(&organization.id));
    let batch = moved.batch.patch::<Organization>(next_revision(ctx, organization)?).insert(&audit)?;
    ctx.app().store().write(batch).await?;
    moved.doors.forget(ctx.app()).await;
    Ok(())
}

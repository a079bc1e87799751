//! Making an account for somebody, who then chooses the password.

use engify_core::account::User;
use engify_core::audit::{Action, Target};
use engify_core::error::Faults;
use engify_core::organization::Organization;
use engify_core::permission::{Permission, Role};
use engify_core::words::{Email, line};
use engify_core::{Error, Result};
use engify_store::Batch;
use serde_json::json;

use super::change::{check_place, line_on};
use super::{check_gift, check_rank};
use crate::organizations::{check_domain, check_seat, insist, next_revision, reached, sees_all};
use crate::{Ctx, accounts};

/// Whom to make an account for.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// The address, as typed.
    pub email: String,
    /// The name, as typed.
    pub name: String,
    /// The role's word; `org_member` in an organization and `user` outside where it is empty.
    pub role: String,
    /// Into which organization; an organization's administrator may leave it out.
    pub organization: Option<String>,
}

/// Makes an account without a password, and sends its owner a letter to choose one.
///
/// # Errors
/// `invalid_request`; `email_taken`; `not_found` for another organization than one's own; `no_seats`; `forbidden` without
/// `users:write`, and without `users:manage_roles` for more than the usual role; `fresh_factor_required` for an
/// administrator's.
pub async fn create(ctx: &Ctx, new: NewUser) -> Result<User> {
    ctx.require_for(Permission::UsersWrite, Action::UserCreated, Target::new("user", "new")).await?;
    let asked = new.organization.as_deref().filter(|id| !id.is_empty());
    let organization = match asked {
        Some(id) => Some(reached(ctx, id, Permission::UsersWrite).await?.id),
        None if sees_all(ctx) => None,
        None => Some(ctx.organization_id().cloned().ok_or_else(|| Error::not_found("organization"))?),
    };
    let described = described(ctx, &new, organization.is_some())?;
    let user = User { organization_id: organization, last_sign_in_at: None, ..described };
    check_rank(ctx, user.role)?;
    check_place(&user, user.role)?;
    check_gift(ctx, user.role)?;
    insist(|| write(ctx, &user)).await?;
    tracing::info!(user.id = %user.id, "account.created");
    Ok(user)
}

fn described(ctx: &Ctx, new: &NewUser, member: bool) -> Result<User> {
    let mut faults = Faults::default();
    let email = faults.take("email", Email::parse(&new.email));
    let name = faults.take("name", line(&new.name, 1, 100));
    let usual = if member { Role::OrgMember } else { Role::User };
    let role = if new.role.is_empty() { Some(usual) } else { faults.take("role", Role::parse(&new.role)) };
    let (Some(email), Some(name), Some(role), true) = (email, name, role, faults.is_empty()) else {
        faults.check()?;
        return Err(Error::internal("a form without faults has all fields"));
    };
    Ok(accounts::account(ctx, email, name, role, None))
}

async fn write(ctx: &Ctx, user: &User) -> Result<()> {
    let details = json!({ "role": user.role, "through": "administrator" });
    let mut batch = Batch::new().insert(user)?.insert(&line_on(ctx, Action::UserCreated, user, details))?;
    if let Some(id) = &user.organization_id {
        let organization = reached(ctx, id.as_str(), Permission::UsersWrite).await?;
        check_domain(&organization, &user.email)?;
        check_seat(ctx.app(), &organization, 0).await?;
        batch = batch.patch::<Organization>(next_revision(ctx, &organization)?);
    }
    let batch = accounts::welcome(ctx, batch, user)?;
    ctx.app().store().write(batch).await.map_err(|fault| accounts::named_taken(fault, "email"))?;
    Ok(())
}

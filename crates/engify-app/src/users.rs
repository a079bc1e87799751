//! People as administrators see them: those of their organization, super admins everybody.
//!
//! Three rules hold for every change here: nobody acts on somebody of a higher role or lifts anybody above their own; the
//! owner of an organization is changed by a transfer only; the installation keeps a super admin who can sign in.

use std::collections::BTreeMap;

use engify_core::account::{Session, User};
use engify_core::ids::UserId;
use engify_core::organization::Organization;
use engify_core::permission::{Permission, Role};
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result};
use engify_store::{Patch, queries};

use crate::doors::all;
use crate::organizations::{is_owner, known, owner_protected, sees_all};
use crate::{App, Ctx};

mod change;
mod create;
mod delete;
mod list;

pub use change::{disable, enable, end_sessions, rename, set_role};
pub use create::{NewUser, create};
pub use delete::delete;
pub use list::{People, Search, count, export, list};

/// One person with what an administrator needs to know.
#[derive(Debug, Clone)]
pub struct Detail {
    /// The account.
    pub user: User,
    /// Where they belong.
    pub organization: Option<Organization>,
    /// Whether that is theirs.
    pub owner: bool,
    /// Their sessions that still hold, the last used first.
    pub sessions: Vec<Session>,
    /// How many of their API keys open something.
    pub keys: usize,
}

/// One person.
///
/// # Errors
/// `not_found`, also for people of other organizations; `forbidden` without `users:read`.
pub async fn get(ctx: &Ctx, id: &str) -> Result<Detail> {
    let user = reached(ctx, id, Permission::UsersRead).await?;
    let organization = organization_of(ctx.app(), &user).await?;
    let now = ctx.now();
    let mut sessions = all(ctx.app(), queries::sessions_of(&user.id)).await?;
    sessions.retain(|session| session.expires_at > now);
    sessions.sort_by_key(|session| std::cmp::Reverse(session.last_seen_at));
    let keys = all(ctx.app(), queries::api_keys_of(&user.id)).await?;
    Ok(Detail {
        owner: organization.as_ref().is_some_and(|organization| is_owner(organization, &user)),
        keys: keys.iter().filter(|key| key.is_live(now)).count(),
        organization,
        sessions,
        user,
    })
}

/// The roles that this person can be given by the caller, their own included; empty where that is none.
pub fn roles_for(ctx: &Ctx, detail: &Detail) -> Vec<Role> {
    let user = &detail.user;
    if !ctx.allows(Permission::UsersManageRoles) || check_rank(ctx, user.role).is_err() {
        return Vec::new();
    }
    let fits = |role: &Role| {
        let kept = !detail.owner || *role >= Role::OrgAdmin;
        kept && check_rank(ctx, *role).is_ok() && change::check_place(user, *role).is_ok()
    };
    Role::ALL.iter().copied().filter(fits).collect()
}

/// The names of these people, for the audit log; those whom the caller may not see, or who are gone, are left out.
///
/// # Errors
/// `forbidden` without `audit:read`.
pub async fn names(ctx: &Ctx, ids: &[UserId]) -> Result<BTreeMap<UserId, String>> {
    ctx.require(Permission::AuditRead)?;
    let Some(scope) = scope(ctx) else { return Ok(BTreeMap::new()) };
    let ids: Vec<&str> = ids.iter().map(UserId::as_str).collect();
    let users = ctx.app().store().get_many::<User>(&scope, &ids).await?;
    Ok(users.into_iter().map(|user| (user.id, user.name)).collect())
}

/// Whom the caller administers; nobody without an organization.
pub(crate) fn scope(ctx: &Ctx) -> Option<Scope> {
    if sees_all(ctx) {
        return Some(Scope::Everything("super admins see everybody"));
    }
    ctx.organization_id().cloned().map(Scope::Organization)
}

/// One person, fresh from the store, if the caller may do this to them.
pub(crate) async fn reached(ctx: &Ctx, id: &str, permission: Permission) -> Result<User> {
    ctx.require(permission)?;
    let missing = || Error::not_found("user");
    let scope = scope(ctx).ok_or_else(missing)?;
    let id = UserId::parse(id).map_err(|_| missing())?;
    ctx.app().store().get::<User>(&scope, id.as_str()).await?.ok_or_else(missing)
}

/// Fails where `role` is above the caller's own: neither may they act on who has it, nor give it.
pub(crate) fn check_rank(ctx: &Ctx, role: Role) -> Result<()> {
    if ctx.role().is_some_and(|own| own >= role) {
        return Ok(());
    }
    let message = format!("The role {role} is above your own; ask somebody who has it.");
    Err(Error::new(Kind::Forbidden, "outranked", message))
}

/// Whether the caller may bring somebody in with this role: to give more than what everybody gets is to change a role, and to
/// make an administrator is as grave, whichever form it is done with.
pub(crate) fn check_gift(ctx: &Ctx, role: Role) -> Result<()> {
    if !matches!(role, Role::Free | Role::User | Role::OrgMember) {
        ctx.require(Permission::UsersManageRoles)?;
    }
    if role.is_admin() { ctx.require_fresh() } else { Ok(()) }
}

async fn organization_of(app: &App, user: &User) -> Result<Option<Organization>> {
    match &user.organization_id {
        Some(id) => app.store().get(&known(), id.as_str()).await,
        None => Ok(None),
    }
}

/// Fails for the owner of an organization.
async fn check_not_owner(ctx: &Ctx, user: &User) -> Result<()> {
    match organization_of(ctx.app(), user).await? {
        Some(organization) if is_owner(&organization, user) => Err(owner_protected(&organization)),
        _ => Ok(()),
    }
}

/// Somebody else who stays a super admin while this one stops being one: a patch that changes nothing and fails the batch
/// where that one is none any more. Two who end each other's rule at once: one wins.
async fn remaining_super_admin(ctx: &Ctx, user: &User) -> Result<Option<Patch>> {
    if user.role != Role::SuperAdmin || user.disabled_at.is_some() {
        return Ok(None);
    }
    let admins = all(ctx.app(), queries::users_by_role(Role::SuperAdmin)).await?;
    let other = admins.into_iter().find(|admin| admin.id != user.id && admin.disabled_at.is_none());
    let other = other.ok_or_else(|| {
        let message = "This is the last super admin who can sign in. Make another one first.";
        Error::new(Kind::Conflict, "last_super_admin", message)
    })?;
    let patch = Patch::new(Scope::Everything("the installation keeps a super admin"), &other.id);
    let null = serde_json::Value::Null;
    Ok(Some(patch.when("role", Role::SuperAdmin)?.when("disabledAt", null)?.set("role", Role::SuperAdmin)?))
}

//! Changing a person's account: role, name, on and off, sessions.

use engify_core::account::User;
use engify_core::audit::{Action, AuditEntry, Outcome, Target};
use engify_core::permission::{Permission, Role};
use engify_core::tenancy::Scope;
use engify_core::words::line;
use engify_core::{Error, Kind, Result, Time};
use engify_store::{Batch, Patch};
use serde_json::{Value, json};

use super::{check_not_owner, check_rank, reached, remaining_super_admin};
use crate::Ctx;
use crate::doors::Doors;
use crate::organizations::{insist, membership};

/// Changes somebody's role: dead for every session of theirs at once here, within a second everywhere.
///
/// # Errors
/// `not_found`; `fresh_factor_required`; `outranked`; `owner_protected`; `last_super_admin`; `invalid_request` for a role that does not go with
/// where they belong; `forbidden` without `users:manage_roles`.
pub async fn set_role(ctx: &Ctx, id: &str, role: &str) -> Result<User> {
    ctx.require_for(Permission::UsersManageRoles, Action::UserRoleChanged, Target::new("user", id)).await?;
    ctx.require_fresh()?;
    let role = Role::parse(role).map_err(|issue| Error::field("role", issue))?;
    insist(|| async {
        let user = reached(ctx, id, Permission::UsersManageRoles).await?;
        if user.role == role {
            return Ok(user);
        }
        check_rank(ctx, user.role)?;
        check_rank(ctx, role)?;
        check_place(&user, role)?;
        if role < Role::OrgAdmin {
            check_not_owner(ctx, &user).await?;
        }
        let witness = remaining_super_admin(ctx, &user).await?;
        let moved = membership::promote(ctx, &user, role).await?;
        let details = json!({ "before": user.role, "after": role, "sessions": moved.doors.count().0 });
        let batch = moved.batch.insert(&line_on(ctx, Action::UserRoleChanged, &user, details))?;
        ctx.app().store().write(with(batch, witness)).await?;
        moved.doors.forget(ctx.app()).await;
        Ok(User { role, updated_at: ctx.now(), ..user })
    })
    .await
}

/// Fails for a role that does not go with belonging to an organization, or with belonging to none.
pub(super) fn check_place(user: &User, role: Role) -> Result<()> {
    match (role, user.organization_id.is_some()) {
        (Role::SuperAdmin, _) => Ok(()),
        (role, true) if !role.is_of_organization() => Err(Error::field(
            "role",
            "is for people without an organization; remove this person from theirs first",
        )),
        (role, false) if role.is_of_organization() => {
            Err(Error::field("role", "is for members of an organization; invite this person into one"))
        }
        _ => Ok(()),
    }
}

/// Changes somebody's name.
///
/// # Errors
/// `not_found`; `outranked`; `invalid_request`; `forbidden` without `users:write`.
pub async fn rename(ctx: &Ctx, id: &str, name: &str) -> Result<User> {
    ctx.require_for(Permission::UsersWrite, Action::UserUpdated, Target::new("user", id)).await?;
    let user = reached(ctx, id, Permission::UsersWrite).await?;
    check_rank(ctx, user.role)?;
    let name = line(name, 1, 100).map_err(|issue| Error::field("name", issue))?;
    let patch = patch(&user).set("name", &name)?.set("updatedAt", ctx.now())?;
    let audit = line_on(ctx, Action::UserUpdated, &user, json!({ "fields": ["name"] }));
    ctx.app().store().write(Batch::new().patch::<User>(patch).insert(&audit)?).await?;
    ctx.app().caches().user_changed(user.id.as_str()).await;
    Ok(User { name, updated_at: ctx.now(), ..user })
}

/// Switches an account off: its sessions end, its keys open nothing while it is off.
///
/// # Errors
/// `not_found`; `outranked`; `owner_protected`; `last_super_admin`; `own_account`; `forbidden` without `users:write`.
pub async fn disable(ctx: &Ctx, id: &str) -> Result<User> {
    ctx.require_for(Permission::UsersWrite, Action::UserDisabled, Target::new("user", id)).await?;
    insist(|| async {
        let user = changeable(ctx, id).await?;
        if user.disabled_at.is_some() {
            return Ok(user);
        }
        let witness = remaining_super_admin(ctx, &user).await?;
        let doors = Doors::sessions_of(ctx.app(), &user).await?;
        let batch = Batch::new().patch::<User>(switched(ctx, &user, Some(ctx.now()))?);
        let batch = doors.close(with(batch, witness), ctx.now())?;
        let details = json!({ "sessions": doors.count().0 });
        let batch = batch.insert(&line_on(ctx, Action::UserDisabled, &user, details))?;
        ctx.app().store().write(batch).await?;
        doors.forget(ctx.app()).await;
        Ok(User { disabled_at: Some(ctx.now()), ..user })
    })
    .await
}

/// Switches an account on again. Its keys go on where they were.
///
/// # Errors
/// `not_found`; `outranked`; `forbidden` without `users:write`.
pub async fn enable(ctx: &Ctx, id: &str) -> Result<User> {
    ctx.require_for(Permission::UsersWrite, Action::UserEnabled, Target::new("user", id)).await?;
    let user = reached(ctx, id, Permission::UsersWrite).await?;
    check_rank(ctx, user.role)?;
    if user.disabled_at.is_none() {
        return Ok(user);
    }
    let audit = line_on(ctx, Action::UserEnabled, &user, json!({}));
    let batch = Batch::new().patch::<User>(switched(ctx, &user, None)?).insert(&audit)?;
    ctx.app().store().write(batch).await?;
    ctx.app().caches().user_changed(user.id.as_str()).await;
    Ok(User { disabled_at: None, ..user })
}

/// Ends somebody's sessions, all of them but the caller's own. Returns how many.
///
/// # Errors
/// `not_found`; `outranked`; `forbidden` without `users:write`.
pub async fn end_sessions(ctx: &Ctx, id: &str) -> Result<usize> {
    ctx.require_for(Permission::UsersWrite, Action::SessionsEnded, Target::new("user", id)).await?;
    let user = reached(ctx, id, Permission::UsersWrite).await?;
    check_rank(ctx, user.role)?;
    let own = ctx.identity().and_then(|identity| identity.session.as_deref());
    let doors = Doors::sessions_of(ctx.app(), &user).await?.but(own);
    let (ended, _) = doors.count();
    let audit = line_on(ctx, Action::SessionsEnded, &user, json!({ "sessions": ended }));
    ctx.app().store().write(doors.close(Batch::new(), ctx.now())?.insert(&audit)?).await?;
    doors.forget(ctx.app()).await;
    Ok(ended)
}

/// Somebody whose account the caller may take away: neither their own nor an owner's.
pub(super) async fn changeable(ctx: &Ctx, id: &str) -> Result<User> {
    let user = reached(ctx, id, Permission::UsersWrite).await?;
    check_rank(ctx, user.role)?;
    if ctx.user_id() == Some(&user.id) {
        let message = "This is your own account. Another administrator can do this, so that nobody locks themselves out.";
        return Err(Error::new(Kind::Conflict, "own_account", message));
    }
    check_not_owner(ctx, &user).await?;
    Ok(user)
}

fn switched(ctx: &Ctx, user: &User, disabled_at: Option<Time>) -> Result<Patch> {
    patch(user).when("role", user.role)?.set("disabledAt", disabled_at)?.set("updatedAt", ctx.now())
}

fn patch(user: &User) -> Patch {
    Patch::new(Scope::Everything("whom the caller may change was settled before"), &user.id)
}

fn with(batch: Batch, witness: Option<Patch>) -> Batch {
    match witness {
        Some(patch) => batch.patch::<User>(patch),
        None => batch,
    }
}

/// A line of the log about somebody, filed under their organization.
pub(super) fn line_on(ctx: &Ctx, action: Action, user: &User, details: Value) -> AuditEntry {
    ctx.audit(action, Outcome::Success, Target::new("user", &user.id), details)
        .concerning(user.organization_id.as_ref())
}

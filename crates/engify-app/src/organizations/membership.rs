//! Moving one person into an organization or out of it, with everything that must happen in the same moment.

use engify_core::account::{Session, User};
use engify_core::ids::OrganizationId;
use engify_core::permission::Role;
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, Patch};

use crate::Ctx;
use crate::doors::Doors;

/// A person's move, not yet written.
pub(crate) struct Move {
    /// What is to be written together with whatever else belongs to it.
    pub(crate) batch: Batch,
    /// What closes with it; to be forgotten once the batch is written.
    pub(crate) doors: Doors,
}

/// The role of somebody who becomes a member as `role`. Super admins stay what they are.
pub(crate) fn role_within(user: &User, role: Role) -> Role {
    if user.role == Role::SuperAdmin { user.role } else { role }
}

/// The role of somebody who belongs nowhere any more.
pub(crate) fn role_outside(user: &User) -> Role {
    if user.role == Role::SuperAdmin { user.role } else { Role::User }
}

/// Moves somebody in. Their other sessions end; their keys go on with what the new role allows.
pub(crate) async fn enter(ctx: &Ctx, user: &User, organization: &OrganizationId, role: Role) -> Result<Move> {
    if user.organization_id.is_some() {
        return Err(elsewhere());
    }
    let doors = Doors::sessions_of(ctx.app(), user).await?.but(own_session(ctx));
    moved(ctx, user, Some(organization), role_within(user, role), doors)
}

/// Moves somebody out. Their sessions (but the caller's own) and all their keys end.
pub(crate) async fn exit(ctx: &Ctx, user: &User) -> Result<Move> {
    let doors = Doors::all_of(ctx.app(), user).await?.but(own_session(ctx));
    moved(ctx, user, None, role_outside(user), doors)
}

/// Changes the role alone. Their sessions (but the caller's own) end.
pub(crate) async fn promote(ctx: &Ctx, user: &User, role: Role) -> Result<Move> {
    let doors = Doors::sessions_of(ctx.app(), user).await?.but(own_session(ctx));
    moved(ctx, user, user.organization_id.as_ref(), role, doors)
}

fn own_session(ctx: &Ctx) -> Option<&Session> {
    ctx.identity().and_then(|identity| identity.session.as_deref())
}

fn moved(ctx: &Ctx, user: &User, to: Option<&OrganizationId>, role: Role, doors: Doors) -> Result<Move> {
    let patch = Patch::new(Scope::Everything("membership was settled before"), &user.id)
        .when("organizationId", &user.organization_id)?
        .when("role", user.role)?
        .set("organizationId", to)?
        .set("role", role)?
        .set("updatedAt", ctx.now())?;
    let batch = doors.close(Batch::new().patch::<User>(patch), ctx.now())?;
    let batch = begun_anew(ctx, batch, user, role)?;
    Ok(Move { batch, doors })
}

/// An administrator's session is short, counted from its beginning. Whoever becomes one by their own act begins anew with
/// the session they have; else one that is older than that would end with the act.
fn begun_anew(ctx: &Ctx, batch: Batch, user: &User, role: Role) -> Result<Batch> {
    let own = own_session(ctx).filter(|session| session.user_id == user.id);
    match own {
        Some(session) if role.is_admin() && !user.role.is_admin() => {
            let scope = Scope::Owner(user.id.clone());
            Ok(batch.patch::<Session>(Patch::new(scope, &session.id).set("createdAt", ctx.now())?.or_skip()))
        }
        _ => Ok(batch),
    }
}

fn elsewhere() -> Error {
    let message = "You belong to an organization already. Leave it first; a person belongs to one at most.";
    Error::new(Kind::Conflict, "already_member", message)
}

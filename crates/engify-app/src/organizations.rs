//! Organizations: making one, whom it admits, who runs it, and its end.
//!
//! A person belongs to one organization at most. Whatever changes who belongs where goes through [`membership`], which
//! closes doors, and carries the organization's revision in its batch, so that of two changes at once one wins: seats are
//! never oversold.

use engify_core::account::User;
use engify_core::organization::Organization;
use engify_core::permission::{Permission, Role};
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result};
use engify_store::{Cursor, Page, Patch, queries};

use crate::{App, Ctx};

mod create;
mod dissolve;
mod invitations;
mod joining;
mod members;
pub(crate) mod membership;
mod retention;
mod settings;
mod transfer;

pub use create::{NewOrganization, create};
pub use dissolve::dissolve;
pub use invitations::{Invited, invitations, invite, resend, revoke};
pub use joining::{Accepted, Answer, Letter, NewPerson, accept, join, joinable, open};
pub use members::{leave, member, members, remove};
pub use retention::prune_runs;
pub use settings::{Edit, edit};
pub use transfer::transfer;

/// How often a change is tried again that another change of the same organization got ahead of.
const TRIES: usize = 8;

/// An organization with how full it is.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The organization.
    pub organization: Organization,
    /// How many members.
    pub members: u64,
    /// How many invitations are open.
    pub invitations: u64,
}

/// The caller's own organization; none for those without one.
///
/// # Errors
/// `forbidden` without `organization:read`.
pub async fn own(ctx: &Ctx) -> Result<Option<Organization>> {
    ctx.require(Permission::OrganizationRead)?;
    match ctx.organization_id() {
        Some(id) => ctx.app().store().get(&known(), id.as_str()).await,
        None => Ok(None),
    }
}

/// One organization: members see their own, super admins each.
///
/// # Errors
/// `not_found`, also where it exists and is not the caller's to know; `forbidden` without `organization:read`.
pub async fn get(ctx: &Ctx, id: &str) -> Result<Overview> {
    let organization = reached(ctx, id, Permission::OrganizationRead).await?;
    overview(ctx.app(), organization).await
}

/// The organizations that the caller may see: super admins all, by their beginning where `beginning` says one; others their
/// own.
///
/// # Errors
/// `forbidden` without `organization:read`; `invalid_cursor`.
pub async fn list(ctx: &Ctx, beginning: &str, limit: u32, cursor: Option<&str>) -> Result<Page<Overview>> {
    ctx.require(Permission::OrganizationRead)?;
    let page = if sees_all(ctx) {
        let query = match beginning.trim() {
            "" => queries::organizations_all(),
            beginning => queries::organizations_by_name(beginning),
        };
        let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
        ctx.app().store().find(&query.limit(limit).after(cursor)).await?
    } else {
        Page { items: own(ctx).await?.into_iter().collect(), next: None }
    };
    let mut items = Vec::with_capacity(page.items.len());
    for organization in page.items {
        items.push(overview(ctx.app(), organization).await?);
    }
    Ok(Page { items, next: page.next })
}

async fn overview(app: &App, organization: Organization) -> Result<Overview> {
    let (members, invitations) = fullness(app, &organization).await?;
    Ok(Overview { organization, members, invitations })
}

/// Whether the caller acts on every organization.
pub(crate) fn sees_all(ctx: &Ctx) -> bool {
    ctx.role() == Some(Role::SuperAdmin)
}

/// The organization with this id, fresh from the store, if the caller may do this to it.
///
/// # Errors
/// `forbidden` without the permission; `not_found` for another one than the caller's own.
pub(crate) async fn reached(ctx: &Ctx, id: &str, permission: Permission) -> Result<Organization> {
    ctx.require(permission)?;
    let missing = || Error::not_found("organization");
    if !sees_all(ctx) && ctx.organization_id().is_none_or(|own| own.as_str() != id) {
        return Err(missing());
    }
    ctx.app().store().get(&known(), id).await?.ok_or_else(missing)
}

/// The scope of the organization's own document, which carries no tenant field: whether the caller may see it is decided
/// by [`reached`].
pub(crate) fn known() -> Scope {
    Scope::Everything("whose organization it is was settled before")
}

/// A patch that holds only if nobody changed the organization meanwhile.
pub(crate) fn next_revision(ctx: &Ctx, organization: &Organization) -> Result<Patch> {
    // Documents from before revisions have no such field, which compares as null.
    let seen = (organization.revision > 0).then_some(organization.revision);
    Patch::new(known(), &organization.id)
        .when("revision", seen)?
        .set("revision", organization.revision + 1)?
        .set("updatedAt", ctx.now())
}

/// How many members, how many open invitations.
async fn fullness(app: &App, organization: &Organization) -> Result<(u64, u64)> {
    let members = app.store().count(&queries::users_of_organization(&organization.id)).await?;
    let open = queries::invitations_open(&organization.id, app.clock().now());
    Ok((members, app.store().count(&open).await?))
}

/// Fails where no seat is left. `held` is 1 where the newcomer's own invitation already holds one.
pub(crate) async fn check_seat(app: &App, organization: &Organization, held: u64) -> Result<()> {
    let (members, invitations) = fullness(app, organization).await?;
    let places = organization.settings.places();
    if (members + invitations).saturating_sub(held) < places {
        return Ok(());
    }
    let message = format!(
        "All {places} seats of {} are taken, open invitations included. Its administrators can remove somebody, revoke an \
         invitation or set more seats.",
        organization.name
    );
    Err(Error::new(Kind::Conflict, "no_seats", message))
}

/// Fails for an address that the organization does not admit.
pub(crate) fn check_domain(organization: &Organization, user: &engify_core::words::Email) -> Result<()> {
    let settings = &organization.settings;
    if !settings.domain_only || settings.has_domain_of(user) {
        return Ok(());
    }
    let domains: Vec<&str> = settings.domains.iter().map(|domain| domain.as_str()).collect();
    let issue = format!("is not of the domains that this organization admits: {}", domains.join(", "));
    Err(Error::field("email", issue))
}

/// Whether the organization belongs to this person.
pub(crate) fn is_owner(organization: &Organization, user: &User) -> bool {
    organization.owner_id.as_ref() == Some(&user.id)
}

/// What only a transfer of ownership makes possible.
pub(crate) fn owner_protected(organization: &Organization) -> Error {
    let message =
        format!("This person owns {}. Transfer the organization to another member first.", organization.name);
    Error::new(Kind::Conflict, "owner_protected", message)
}

/// Does it, and again where another change of the same organization got ahead.
pub(crate) async fn insist<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> Result<T> {
    for _ in 1..TRIES {
        match attempt().await {
            Err(fault) if fault.code() == "stale" => {}
            done => return done,
        }
    }
    attempt().await
}

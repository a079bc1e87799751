//! What a provider's word changes about an account: its role, its organization, its proven address. Written down at each
//! sign-in, so that a group that somebody left takes its role with it.

use engify_clients::identity::Provider;
use engify_core::account::User;
use engify_core::audit::{Action, AuditEntry, Outcome, Target, changed};
use engify_core::identity::{LinkedIdentity, ProvenPerson};
use engify_core::ids::{OrganizationId, UserId};
use engify_core::organization::Organization;
use engify_core::tenancy::Scope;
use engify_core::words::Slug;
use engify_core::{Error, Result};
use engify_store::{Batch, Patch, queries};
use serde_json::json;

use super::mapping::{self, Given, Standing};
use crate::doors::Doors;
use crate::organizations::{check_seat, insist, is_owner, known, next_revision};
use crate::{App, Ctx};

/// The provider whose groups give roles.
const GROUPS_OF: &str = "oidc";

/// What groups and domain give a person who is in `home` now. An organization that is full or not there gives nothing: that
/// must not keep anybody from signing in, so the log says it.
pub(super) async fn given(
    ctx: &Ctx,
    provider: &Provider,
    person: &ProvenPerson,
    home: Option<&OrganizationId>,
) -> Result<Given> {
    let settings = &ctx.app().settings().identity;
    let groups: &[String] = if provider.id() == GROUPS_OF { &person.groups } else { &[] };
    let organization = match mapping::organization(settings, groups, &person.email) {
        Some(slug) => place(ctx, slug, home).await?,
        None => None,
    };
    Ok(Given { role: mapping::role(settings, groups), organization })
}

async fn place(ctx: &Ctx, slug: &Slug, home: Option<&OrganizationId>) -> Result<Option<OrganizationId>> {
    let Some(found) = ctx.app().store().first(&queries::organization_by_slug(slug)).await? else {
        tracing::warn!(organization.slug = %slug, "identity.unmapped: OIDC_ORGANIZATION_MAP names an organization that is not there");
        return Ok(None);
    };
    if home != Some(&found.id)
        && let Err(fault) = check_seat(ctx.app(), &found, 0).await
    {
        if fault.code() != "no_seats" {
            return Err(fault);
        }
        tracing::warn!(organization.slug = %slug, "identity.unmapped: no seat is left");
        return Ok(None);
    }
    Ok(Some(found.id))
}

/// Gives `user` the standing that follows from what mappings gave last and give `now`; `identity` remembers the latter.
pub(super) fn renew(user: &mut User, identity: &mut LinkedIdentity, now: Given) {
    let last = Given { role: identity.mapped_role, organization: identity.mapped_organization.take() };
    let before = Standing { role: user.role, organization: user.organization_id.clone() };
    let after = before.after(&last, &now);
    (user.role, user.organization_id) = (after.role, after.organization);
    (identity.mapped_role, identity.mapped_organization) = (now.role, now.organization);
}

/// Brings a stored account to what its provider says now. Where role or organization change, the account's sessions end, and
/// with an organization that is left its keys: nothing may outlive the rights that it was begun with.
pub(super) async fn refresh(
    ctx: &Ctx,
    provider: &Provider,
    user: &UserId,
    identity: &LinkedIdentity,
    person: &ProvenPerson,
) -> Result<User> {
    insist(|| refreshed(ctx, provider, user, identity.clone(), person)).await
}

async fn refreshed(
    ctx: &Ctx,
    provider: &Provider,
    user: &UserId,
    mut identity: LinkedIdentity,
    person: &ProvenPerson,
) -> Result<User> {
    let (app, now) = (ctx.app(), ctx.now());
    let scope = || Scope::Everything("the provider proved who it is");
    let before = app.store().get::<User>(&scope(), user.as_str()).await?;
    let before = before.ok_or_else(|| Error::not_found("account"))?;
    let home = organization(app, before.organization_id.as_ref()).await?;
    let mut user = before.clone();
    // Whoever owns an organization leaves it by a transfer only.
    if !home.as_ref().is_some_and(|home| is_owner(home, &user)) {
        let given = given(ctx, provider, person, before.organization_id.as_ref()).await?;
        renew(&mut user, &mut identity, given);
    }
    identity.email = person.email.clone();
    identity.last_used_at = now;
    if user.email == person.email {
        user.email_verified_at = user.email_verified_at.or(Some(now));
    }
    let patch = Patch::new(scope(), &user.id)
        .when("role", before.role)?
        .when("organizationId", &before.organization_id)?
        .set("role", user.role)?
        .set("organizationId", &user.organization_id)?
        .set("emailVerifiedAt", user.email_verified_at)?
        .set("updatedAt", now)?;
    let mut batch = Batch::new().put(&identity)?.patch::<User>(patch);
    let moves = user.organization_id != before.organization_id;
    if moves || user.role != before.role {
        let own = ctx.identity().and_then(|person| person.session.as_deref());
        let leaves = moves && home.is_some();
        let doors =
            if leaves { Doors::all_of(app, &user).await? } else { Doors::sessions_of(app, &user).await? };
        let doors = doors.but(own);
        let place = if moves { organization(app, user.organization_id.as_ref()).await? } else { None };
        batch = doors.close(batch, now)?;
        batch = told(ctx, provider, batch, (&before, home.filter(|_| moves)), (&user, place))?;
        app.store().write(batch).await?;
        doors.forget(app).await;
    } else {
        app.store().write(batch).await?;
        app.caches().user_changed(user.id.as_str()).await;
    }
    Ok(user)
}

async fn organization(app: &App, id: Option<&OrganizationId>) -> Result<Option<Organization>> {
    match id {
        Some(id) => app.store().get(&known(), id.as_str()).await,
        None => Ok(None),
    }
}

/// Writes down who left what and became what, and counts the changes of both organizations.
fn told(
    ctx: &Ctx,
    provider: &Provider,
    mut batch: Batch,
    (before, left): (&User, Option<Organization>),
    (after, joined): (&User, Option<Organization>),
) -> Result<Batch> {
    if let Some(left) = left {
        let details = json!({ "how": "mapping", "role": before.role, "through": provider.id() });
        let line = line(ctx, before, Action::MemberRemoved, details).concerning(Some(&left.id));
        batch = batch.patch::<Organization>(next_revision(ctx, &left)?).insert(&line)?;
    }
    if let Some(joined) = joined {
        batch = batch.and(entered(ctx, provider, after, &joined)?);
    }
    if before.role != after.role {
        let mut details = changed(&json!({ "role": before.role }), &json!({ "role": after.role }));
        details["through"] = json!(provider.id());
        batch = batch.insert(&line(ctx, after, Action::UserRoleChanged, details))?;
    }
    Ok(batch)
}

/// What an organization and the log learn of somebody who comes in through a mapping.
pub(super) fn entered(
    ctx: &Ctx,
    provider: &Provider,
    user: &User,
    organization: &Organization,
) -> Result<Batch> {
    let details = json!({ "role": user.role, "through": provider.id() });
    let line = line(ctx, user, Action::MemberJoined, details).concerning(Some(&organization.id));
    Batch::new().patch::<Organization>(next_revision(ctx, organization)?).insert(&line)
}

/// The organization of somebody who is about to be stored.
pub(super) async fn home_of(ctx: &Ctx, user: &User) -> Result<Option<Organization>> {
    organization(ctx.app(), user.organization_id.as_ref()).await
}

fn line(ctx: &Ctx, user: &User, action: Action, details: serde_json::Value) -> AuditEntry {
    ctx.as_person(user).audit(action, Outcome::Success, Target::new("user", &user.id), details)
}

//! The end of an organization: everybody leaves, and what was shared goes back to people.

use engify_core::account::User;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::organization::{Invitation, OpenDomain, Organization};
use engify_core::permission::Permission;
use engify_core::prompt::Prompt;
use engify_core::provider_key::ProviderKey;
use engify_core::tenancy::{Audience, Scope, Tenancy, Visibility};
use engify_core::{Error, Result};
use engify_store::{Batch, Patch, queries};
use serde_json::json;

use super::transfer::check_owner;
use super::{insist, is_owner, known, membership, next_revision, reached};
use crate::Ctx;
use crate::doors::all;

/// How many members leave, and how many prompts go back, in one batch.
const STEP: u32 = 50;

/// Deletes an organization. `name` is its name, typed by whoever means it. Members become `user`, their sessions and keys
/// end; prompts shared with the organization become private ones of their authors, or of the owner where the author left
/// before. Done in steps, each whole: one that is broken off is finished by asking again.
///
/// # Errors
/// `not_found`; `not_owner` for everybody but the owner and super admins; `fresh_factor_required`; `invalid_request` for
/// another name.
pub async fn dissolve(ctx: &Ctx, id: &str, name: &str) -> Result<()> {
    let target = Target::new("organization", id);
    ctx.require_for(Permission::OrganizationManage, Action::OrganizationDeleted, target).await?;
    ctx.require_fresh()?;
    let organization = reached(ctx, id, Permission::OrganizationManage).await?;
    check_owner(ctx, &organization)?;
    if name.trim() != organization.name {
        return Err(Error::field("name", format!("is not the organization's name, {}", organization.name)));
    }
    insist(|| attempt(ctx, id)).await
}

async fn attempt(ctx: &Ctx, id: &str) -> Result<()> {
    let organization = reached(ctx, id, Permission::OrganizationManage).await?;
    return_prompts(ctx, &organization).await?;
    let mut owner = None;
    while let Some(members) = others(ctx, &organization, &mut owner).await? {
        release(ctx, &members).await?;
    }
    // What a member shared in the meantime.
    return_prompts(ctx, &organization).await?;
    end(ctx, &organization, owner).await
}

/// The next members to leave. The owner, found on the way, leaves last: while there is one, this can be asked again.
async fn others(
    ctx: &Ctx,
    organization: &Organization,
    owner: &mut Option<User>,
) -> Result<Option<Vec<User>>> {
    let query = queries::users_of_organization(&organization.id).limit(STEP);
    let (owners, others): (Vec<User>, Vec<User>) = ctx
        .app()
        .store()
        .find(&query)
        .await?
        .items
        .into_iter()
        .partition(|user| is_owner(organization, user));
    *owner = owners.into_iter().next().or(owner.take());
    Ok((!others.is_empty()).then_some(others))
}

async fn release(ctx: &Ctx, members: &[User]) -> Result<()> {
    let mut batch = Batch::new();
    let mut doors = Vec::with_capacity(members.len());
    for member in members {
        let moved = membership::exit(ctx, member).await?;
        batch = batch.and(moved.batch);
        doors.push(moved.doors);
    }
    ctx.app().store().write(batch).await?;
    for one in &doors {
        one.forget(ctx.app()).await;
    }
    Ok(())
}

/// The last step: the owner leaves, and the organization is gone with its invitations, open domains and provider keys. Fails with `stale`
/// where somebody joined in the meantime.
async fn end(ctx: &Ctx, organization: &Organization, owner: Option<User>) -> Result<()> {
    let scope = || Scope::Organization(organization.id.clone());
    let details = json!({ "name": organization.name, "slug": organization.slug });
    let target = Target::new("organization", &organization.id);
    let audit = ctx
        .audit(Action::OrganizationDeleted, Outcome::Success, target, details)
        .concerning(Some(&organization.id));
    let mut batch = Batch::new().patch::<Organization>(next_revision(ctx, organization)?);
    let owner = match &owner {
        Some(owner) => Some(membership::exit(ctx, owner).await?),
        None => None,
    };
    if let Some(moved) = &owner {
        batch = batch.and(moved.batch.clone());
    }
    for invitation in all(ctx.app(), queries::invitations_of(&organization.id)).await? {
        batch = batch.delete::<Invitation>(scope(), &invitation.id);
    }
    let keys = Audience::Organization(organization.id.clone());
    for key in all(ctx.app(), queries::provider_keys_of(&keys)).await? {
        batch = batch.delete::<ProviderKey>(Scope::Audiences(vec![keys.clone()]), &key.id);
    }
    for domain in &organization.settings.domains {
        batch = batch.delete::<OpenDomain>(known(), OpenDomain::new(domain, &organization.id).id);
    }
    let batch = batch.delete::<Organization>(known(), &organization.id).insert(&audit)?;
    ctx.app().store().write(batch).await?;
    ctx.app().caches().provider_keys_changed(&keys.to_string()).await;
    if let Some(moved) = owner {
        moved.doors.forget(ctx.app()).await;
    }
    tracing::info!(organization.id = %organization.id, "organization.deleted");
    Ok(())
}

/// Prompts shared with the organization become private: of their author while that is a member, else of the owner.
async fn return_prompts(ctx: &Ctx, organization: &Organization) -> Result<()> {
    let store = ctx.app().store();
    let audience = Audience::Organization(organization.id.clone());
    loop {
        let shared = queries::prompts_all(Scope::Audiences(vec![audience.clone()])).limit(STEP);
        let prompts = store.find(&shared).await?.items;
        if prompts.is_empty() {
            return Ok(());
        }
        let authors: Vec<&str> = prompts
            .iter()
            .filter_map(|prompt| prompt.tenancy.user_id.as_ref())
            .map(|id| id.as_str())
            .collect();
        let members = store.get_many::<User>(&Scope::Organization(organization.id.clone()), &authors).await?;
        let mut batch = Batch::new();
        for prompt in &prompts {
            let author = prompt.tenancy.user_id.clone();
            let author = author.filter(|author| members.iter().any(|member| member.id == *author));
            let tenancy = Tenancy::new(author.or(organization.owner_id.clone()), None, Visibility::Private);
            let patch = Patch::new(Scope::Audiences(vec![audience.clone()]), &prompt.id)
                .set("userId", &tenancy.user_id)?
                .set("organizationId", &tenancy.organization_id)?
                .set("visibility", tenancy.visibility)?
                .set("audience", &tenancy.audience)?
                .or_skip();
            batch = batch.patch::<Prompt>(patch);
        }
        let position = store.write(batch).await?;
        ctx.app().caches().library_changed(position);
    }
}

//! Making an organization.

use engify_core::audit::{Action, Outcome, Target};
use engify_core::error::Faults;
use engify_core::ids::OrganizationId;
use engify_core::organization::{Organization, OrganizationSettings};
use engify_core::permission::{Permission, Role};
use engify_core::words::{Slug, line};
use engify_core::{Error, Kind, Result};
use serde_json::json;

use super::membership;
use crate::Ctx;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct NewOrganization {
    /// As people call it.
    pub name: String,
    /// Its name in addresses; made from the name where it is left out.
    pub slug: Option<String>,
}

/// Makes an organization; the caller, who must belong to none, becomes its owner and `org_admin`.
///
/// # Errors
/// `already_member`; `invalid_request`; `slug_taken`; `forbidden` without `organization:join`.
pub async fn create(ctx: &Ctx, new: NewOrganization) -> Result<Organization> {
    ctx.require_for(
        Permission::OrganizationJoin,
        Action::OrganizationCreated,
        Target::new("organization", "new"),
    )
    .await?;
    let person = ctx.person()?;
    let mut faults = Faults::default();
    let name = faults.take("name", line(&new.name, 1, 100));
    let wanted = new.slug.as_deref().map(str::trim).filter(|slug| !slug.is_empty());
    let wanted = wanted.and_then(|slug| faults.take("slug", Slug::parse(slug)));
    let (Some(name), true) = (name, faults.is_empty()) else {
        faults.check()?;
        return Err(Error::internal("a form without faults has all fields"));
    };
    let first = wanted.clone().unwrap_or_else(|| Slug::from_title(&name));
    let now = ctx.now();
    let mut organization = Organization {
        id: OrganizationId::make(ctx.app().ids()),
        slug: first.clone(),
        name,
        owner_id: Some(person.user.id.clone()),
        settings: OrganizationSettings::default(),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    for number in 2..100 {
        let moved = membership::enter(ctx, &person.user, &organization.id, Role::OrgAdmin).await?;
        let target = Target::new("organization", &organization.id);
        let details = json!({ "name": organization.name, "slug": organization.slug });
        let audit = ctx
            .audit(Action::OrganizationCreated, Outcome::Success, target, details)
            .concerning(Some(&organization.id));
        let batch = moved.batch.insert(&organization)?.insert(&audit)?;
        match ctx.app().store().write(batch).await {
            Ok(_) => {
                moved.doors.forget(ctx.app()).await;
                tracing::info!(organization.id = %organization.id, user.id = %person.user.id, "organization.created");
                return Ok(organization);
            }
            Err(fault) if fault.code() == "duplicate" && wanted.is_none() => {
                organization.slug = first.numbered(number)
            }
            Err(fault) if fault.code() == "duplicate" => break,
            Err(fault) => return Err(fault),
        }
    }
    Err(slug_taken(&first))
}

/// Another organization has this name in addresses.
pub(super) fn slug_taken(slug: &Slug) -> Error {
    let message = format!("There is an organization called {slug} already; choose another slug.");
    Error::new(Kind::Conflict, "slug_taken", message).detail("slug", "is taken")
}

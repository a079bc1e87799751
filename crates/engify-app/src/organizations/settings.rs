//! Changing an organization: name, slug, whom it admits, how long it keeps things.

use engify_core::audit::{Action, Outcome, Target};
use engify_core::error::Faults;
use engify_core::organization::{
    Domain, LONGEST_RETENTION, MOST_DOMAINS, MOST_SEATS, OpenDomain, Organization, OrganizationSettings,
};
use engify_core::permission::{Permission, Role};
use engify_core::words::{Slug, line};
use engify_core::{Error, Result};
use engify_store::Batch;
use serde_json::json;

use super::create::slug_taken;
use super::{fullness, insist, known, next_revision, reached};
use crate::Ctx;

/// What is said differently; none to leave it. A limit of 0 takes the limit away.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// As people call it.
    pub name: Option<String>,
    /// Its name in addresses.
    pub slug: Option<String>,
    /// Mail domains of its own.
    pub domains: Option<Vec<String>>,
    /// Whether addresses of these domains may join by themselves.
    pub domain_join: Option<bool>,
    /// Whether only addresses of these domains are admitted.
    pub domain_only: Option<bool>,
    /// The most members and open invitations.
    pub seats: Option<u32>,
    /// Days until runs are deleted.
    pub data_retention_days: Option<u32>,
    /// Days until lines of the audit log are pruned.
    pub audit_retention_days: Option<u32>,
}

/// Changes an organization.
///
/// # Errors
/// `not_found`; `invalid_request`; `slug_taken`; `forbidden` without `organization:manage`.
pub async fn edit(ctx: &Ctx, id: &str, edit: Edit) -> Result<Organization> {
    let target = Target::new("organization", id);
    ctx.require_for(Permission::OrganizationManage, Action::OrganizationUpdated, target).await?;
    insist(|| attempt(ctx, id, &edit)).await
}

async fn attempt(ctx: &Ctx, id: &str, edit: &Edit) -> Result<Organization> {
    let old = reached(ctx, id, Permission::OrganizationManage).await?;
    let mut new = old.clone();
    let mut faults = Faults::default();
    if let Some(name) = edit.name.as_deref().and_then(|name| faults.take("name", line(name, 1, 100))) {
        new.name = name;
    }
    if let Some(slug) = edit.slug.as_deref().and_then(|slug| faults.take("slug", Slug::parse(slug.trim()))) {
        new.slug = slug;
    }
    let (members, _) = fullness(ctx.app(), &old).await?;
    new.settings = settings(&old.settings, edit, members, &mut faults);
    check_opened(ctx, &old.settings, &new.settings, &mut faults);
    faults.check()?;
    if (&new.name, &new.slug, &new.settings) == (&old.name, &old.slug, &old.settings) {
        return Ok(old);
    }
    new.revision = old.revision + 1;
    new.updated_at = ctx.now();
    let patch = next_revision(ctx, &old)?
        .set("name", &new.name)?
        .set("slug", &new.slug)?
        .set("domains", &new.settings.domains)?
        .set("domainJoin", new.settings.domain_join)?
        .set("domainOnly", new.settings.domain_only)?
        .set("seats", new.settings.seats)?
        .set("dataRetentionDays", new.settings.data_retention_days)?
        .set("auditRetentionDays", new.settings.audit_retention_days)?;
    let said = |one: &Organization| json!({ "name": one.name, "slug": one.slug, "settings": one.settings });
    let details = json!({ "before": said(&old), "after": said(&new) });
    let target = Target::new("organization", &old.id);
    let audit =
        ctx.audit(Action::OrganizationUpdated, Outcome::Success, target, details).concerning(Some(&old.id));
    let batch = doors_of_domains(Batch::new().patch::<Organization>(patch).insert(&audit)?, &old, &new)?;
    ctx.app().store().write(batch).await.map_err(|fault| match fault.code() {
        "duplicate" => slug_taken(&new.slug),
        _ => fault,
    })?;
    Ok(new)
}

/// The settings with what is said differently. `members` is how many there are: seats cannot be fewer.
fn settings(
    old: &OrganizationSettings,
    edit: &Edit,
    members: u64,
    faults: &mut Faults,
) -> OrganizationSettings {
    let mut new = old.clone();
    if let Some(words) = &edit.domains {
        new.domains = domains(words, faults);
    }
    new.domain_join = edit.domain_join.unwrap_or(old.domain_join);
    new.domain_only = edit.domain_only.unwrap_or(old.domain_only);
    if new.domains.is_empty() && (new.domain_join || new.domain_only) && faults.is_empty() {
        faults.push("domains", "needs at least one domain where domains decide who may join");
    }
    let mut limit = |field: &str, asked: Option<u32>, old: Option<u32>, most: u32| match asked {
        None => old,
        Some(0) => None,
        Some(number) if number <= most => Some(number),
        Some(_) => {
            faults.push(field, format!("is a whole number from 1 to {most}, or 0 for no limit"));
            old
        }
    };
    new.seats = limit("seats", edit.seats, old.seats, MOST_SEATS);
    new.data_retention_days =
        limit("dataRetentionDays", edit.data_retention_days, old.data_retention_days, LONGEST_RETENTION);
    new.audit_retention_days =
        limit("auditRetentionDays", edit.audit_retention_days, old.audit_retention_days, LONGEST_RETENTION);
    if edit.seats.is_some() && new.places() < members {
        faults.push("seats", format!("is fewer than the {members} members there are"));
    }
    new
}

fn domains(words: &[String], faults: &mut Faults) -> Vec<Domain> {
    let mut domains = Vec::new();
    for (at, word) in words.iter().enumerate() {
        match Domain::parse(word) {
            Ok(domain) if !domains.contains(&domain) => domains.push(domain),
            Ok(_) => {}
            Err(issue) => faults.push(format!("domains.{at}"), issue),
        }
    }
    if domains.len() > MOST_DOMAINS {
        faults.push("domains", format!("takes at most {MOST_DOMAINS}"));
    }
    domains.sort_unstable();
    domains
}

/// The domains whose people may join by themselves.
fn open(settings: &OrganizationSettings) -> &[Domain] {
    if settings.domain_join { &settings.domains } else { &[] }
}

/// The domains that are open in `one` and not in `other`.
fn only_in<'a>(
    one: &'a OrganizationSettings,
    other: &'a OrganizationSettings,
) -> impl Iterator<Item = &'a Domain> {
    open(one).iter().filter(|domain| !open(other).contains(domain))
}

/// An organization offers itself to everybody of an open domain, so only somebody of that domain opens it, or whoever runs
/// the installation: else a stranger could pose as a company to its own people.
fn check_opened(ctx: &Ctx, old: &OrganizationSettings, new: &OrganizationSettings, faults: &mut Faults) {
    let Some(user) = ctx.identity().map(|identity| &identity.user) else { return };
    if user.role == Role::SuperAdmin {
        return;
    }
    let own = user.email_verified_at.map(|_| Domain::of(&user.email));
    for domain in only_in(new, old).filter(|domain| own.as_ref() != Some(domain)) {
        let issue = format!(
            "needs an administrator with a confirmed address of {domain}; confirm yours under Settings, Profile, or ask whoever runs this installation"
        );
        faults.push("domainJoin", issue);
    }
}

/// Keeps the list of open domains what the settings say.
fn doors_of_domains(mut batch: Batch, old: &Organization, new: &Organization) -> Result<Batch, Error> {
    for domain in only_in(&old.settings, &new.settings) {
        batch = batch.delete::<OpenDomain>(known(), OpenDomain::new(domain, &old.id).id);
    }
    for domain in only_in(&new.settings, &old.settings) {
        batch = batch.put(&OpenDomain::new(domain, &old.id))?;
    }
    Ok(batch)
}

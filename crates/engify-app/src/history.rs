//! The history of runs: the caller's own, or the organization's for those who manage it.

use std::collections::BTreeMap;

use engify_core::audit::{Action, Outcome, Target, changed};
use engify_core::ids::RunId;
use engify_core::permission::Permission;
use engify_core::run::Run;
use engify_core::tenancy::{Scope, Tenancy, Visibility};
use engify_core::{Error, Result, Time};
use engify_store::queries::{self, RunFilter};
use engify_store::{Batch, Cursor, Page, Patch};
use serde_json::json;

use crate::Ctx;

/// What to show, as asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of the prompt with this slug.
    pub prompt: Option<String>,
    /// On this provider.
    pub provider: Option<String>,
    /// On this model.
    pub model: Option<String>,
    /// That ended so.
    pub status: Option<String>,
    /// The organization's instead of the caller's own; needs `runs:read_organization`.
    pub organization: bool,
}

fn scope(ctx: &Ctx, organization: bool) -> Result<Scope> {
    ctx.require(Permission::RunsRead)?;
    if !organization {
        return Ok(Scope::Owner(ctx.person()?.user.id.clone()));
    }
    ctx.require(Permission::RunsReadOrganization)?;
    ctx.organization_id().cloned().map(Scope::Organization).ok_or_else(|| Error::not_found("organization"))
}

/// Runs, newest first.
///
/// # Errors
/// `forbidden`; `not_found` for an unknown prompt; `invalid_cursor`.
pub async fn list(ctx: &Ctx, filter: &Filter, limit: u32, cursor: Option<&str>) -> Result<Page<Run>> {
    let scope = scope(ctx, filter.organization)?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let prompt = match given(&filter.prompt) {
        Some(slug) => Some(crate::prompts::get(ctx, &slug).await?.id.clone()),
        None => None,
    };
    let narrowed = RunFilter {
        prompt,
        provider: given(&filter.provider),
        model: given(&filter.model),
        status: given(&filter.status),
        since: None,
        before: None,
    };
    let query = queries::runs(scope, &narrowed);
    let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// How many runs a search reads at a time, and how often.
const STEP: u32 = 50;
const STEPS: u32 = 40;

/// Runs whose prompt or answer holds `text`, whatever the case, newest first. One call looks through at most 2 000 runs,
/// so a page may hold less than `limit` and still have a next one.
///
/// # Errors
/// As [`list`].
pub async fn search(
    ctx: &Ctx,
    filter: &Filter,
    text: &str,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page<Run>> {
    let wanted = text.trim().to_lowercase();
    if wanted.is_empty() {
        return list(ctx, filter, limit, cursor).await;
    }
    let holds =
        |run: &Run| [&run.prompt, &run.response].iter().any(|text| text.to_lowercase().contains(&wanted));
    let mut found = Page { items: Vec::new(), next: None };
    let mut after = cursor.map(str::to_owned);
    for _ in 0..STEPS {
        let page = list(ctx, filter, STEP, after.as_deref()).await?;
        found.items.extend(page.items.into_iter().filter(|run| holds(run)));
        after = page.next.as_ref().map(Cursor::encode);
        found.next = page.next;
        if after.is_none() || found.items.len() >= limit as usize {
            break;
        }
    }
    Ok(found)
}

/// One run: one's own, or one that was shared inside the organization.
///
/// # Errors
/// `not_found`.
pub async fn get(ctx: &Ctx, id: &str) -> Result<Run> {
    ctx.require(Permission::RunsRead)?;
    let id = RunId::parse(id).map_err(|_| Error::not_found("run"))?;
    let store = ctx.app().store();
    if let Some(run) = store.get::<Run>(&ctx.scope(), id.as_str()).await? {
        return Ok(run);
    }
    // One that was shared inside an organization which its owner has left since.
    let own = match ctx.user_id() {
        Some(user) => store.get::<Run>(&Scope::Owner(user.clone()), id.as_str()).await?,
        None => None,
    };
    own.ok_or_else(|| Error::not_found("run"))
}

/// Shares a run inside the organization, or takes it back.
///
/// # Errors
/// `not_found` for somebody else's; `invalid_request` without an organization.
pub async fn share(ctx: &Ctx, id: &str, shared: bool) -> Result<()> {
    let run = get(ctx, id).await?;
    let person = ctx.person()?;
    if run.tenancy.user_id.as_ref() != Some(&person.user.id) {
        return Err(Error::not_found("run"));
    }
    if shared && ctx.organization_id().is_none() {
        return Err(Error::field("visibility", "needs an organization, and you belong to none"));
    }
    let made_elsewhere = run.tenancy.organization_id.is_some()
        && run.tenancy.organization_id.as_ref() != ctx.organization_id();
    if shared && made_elsewhere {
        return Err(Error::field(
            "visibility",
            "cannot be your organization: the run was made in another one",
        ));
    }
    let visibility = if shared { Visibility::Organization } else { Visibility::Private };
    // What is taken back stays among the runs of the organization in which it was made.
    let organization = if shared { ctx.organization_id().cloned() } else { run.tenancy.organization_id };
    let tenancy = Tenancy::new(run.tenancy.user_id, organization, visibility);
    let patch = Patch::new(Scope::Owner(person.user.id.clone()), &run.id)
        .set("visibility", tenancy.visibility)?
        .set("organizationId", &tenancy.organization_id)?
        .set("audience", &tenancy.audience)?;
    let details =
        changed(&json!({ "visibility": run.tenancy.visibility }), &json!({ "visibility": visibility }));
    let audit = ctx.audit(Action::RunShared, Outcome::Success, Target::new("run", &run.id), details);
    ctx.app().store().write(Batch::new().patch::<Run>(patch).insert(&audit)?).await?;
    Ok(())
}

/// The figures of one day.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Day {
    /// `2026-11-22`, UTC.
    pub day: String,
    /// How many runs.
    pub runs: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Tokens, in and out.
    pub tokens: u64,
    /// US dollars, of the runs whose price is known.
    pub cost: f64,
}

/// The caller's figures for each of the last `days` days (1 to 90), oldest first, days without runs included.
///
/// # Errors
/// `forbidden`.
pub async fn by_day(ctx: &Ctx, days: u32, organization: bool) -> Result<Vec<Day>> {
    let scope = scope(ctx, organization)?;
    let days = i64::from(days.clamp(1, 90));
    let now = ctx.now();
    let day_of = |back: i64| Time::from_millis(now.millis() - back * 86_400_000).day();
    let mut by_day: BTreeMap<String, Day> =
        (0..days).map(day_of).map(|day| (day.clone(), Day { day, ..Day::default() })).collect();
    let since: Time = format!("{}T00:00:00.000Z", day_of(days - 1)).parse().map_err(Error::internal)?;
    let mut query = queries::run_figures(scope, since).limit(engify_store::query::LIMIT);
    // At most 50 000 runs are added up here; busier installations read their figures from /metrics.
    for _ in 0..50 {
        let page = ctx.app().store().find_docs(&query).await?;
        for run in &page.items {
            let text = |field: &str| run.get(field).and_then(serde_json::Value::as_str).unwrap_or_default();
            let number = |outer: &str, inner: &str| {
                run.get(outer)
                    .and_then(|value| value.get(inner))
                    .and_then(serde_json::Value::as_u64)
                    .unwrap_or(0)
            };
            let Some(day) = text("createdAt").get(..10).and_then(|day| by_day.get_mut(day)) else { continue };
            day.runs += 1;
            day.failed += u64::from(text("status") == "failed");
            day.tokens += number("usage", "totalTokens");
            day.cost +=
                engify_core::run::NanoUsd(number("cost", "promptNanos") + number("cost", "completionNanos"))
                    .usd();
        }
        if page.next.is_none() {
            break;
        }
        query = query.after(page.next);
    }
    Ok(by_day.into_values().collect())
}

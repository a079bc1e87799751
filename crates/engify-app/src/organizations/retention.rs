//! Keeping runs no longer than their organization says.

use std::time::Duration;

use engify_core::permission::Permission;
use engify_core::run::Run;
use engify_core::tenancy::Scope;
use engify_core::{Result, Time};
use engify_store::queries::RunFilter;
use engify_store::{Batch, queries};

use crate::Ctx;
use crate::doors::all;

/// How many runs go in one batch: others write meanwhile.
const STEP: u32 = 200;

/// Deletes the runs of every organization that are older than its `dataRetentionDays`. Returns how many.
///
/// # Errors
/// `forbidden` without `system:settings`; those of the store.
pub async fn prune_runs(ctx: &Ctx) -> Result<u64> {
    ctx.require(Permission::SystemSettings)?;
    let mut pruned = 0;
    for organization in all(ctx.app(), queries::organizations_all()).await? {
        let Some(days) = organization.settings.data_retention_days else { continue };
        let before = ctx.now().minus(Duration::from_secs(u64::from(days) * 86_400));
        let count = prune(ctx, &Scope::Organization(organization.id.clone()), before).await?;
        if count > 0 {
            tracing::info!(organization.id = %organization.id, runs = count, retention.days = days, "runs.pruned");
        }
        pruned += count;
    }
    Ok(pruned)
}

async fn prune(ctx: &Ctx, scope: &Scope, before: Time) -> Result<u64> {
    let old = RunFilter { before: Some(before), ..RunFilter::default() };
    let mut pruned = 0;
    loop {
        let runs = ctx.app().store().find(&queries::runs(scope.clone(), &old).limit(STEP)).await?.items;
        if runs.is_empty() {
            return Ok(pruned);
        }
        let batch = runs.iter().fold(Batch::new(), |batch, run| batch.delete::<Run>(scope.clone(), &run.id));
        ctx.app().store().write(batch).await?;
        pruned += runs.len() as u64;
    }
}

//! The alert that a way back was not proven for too long: a line of the audit log, once for each outage. What is wrong
//! right now is what health says.

use std::time::Duration;

use engify_core::account::Milestone;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::backup::{BackupState, DrillKind, DrillOutcome};
use engify_core::permission::Permission;
use engify_core::{Result, Time};
use engify_store::{Batch, queries};
use serde_json::json;

use crate::Ctx;
use crate::health::OLD;

/// Looks whether the newest proven backup and the last drill of a restore that went well are younger than they have to be;
/// answers what was told now.
///
/// # Errors
/// `forbidden` without `system:backup`; those of the store.
pub(crate) async fn watch(ctx: &Ctx) -> Result<Vec<&'static str>> {
    ctx.require(Permission::SystemBackup)?;
    let (store, now) = (ctx.app().store(), ctx.now());
    let proven = store.first(&queries::backups(Some(BackupState::Verified)).limit(1)).await?;
    let drills = store.find(&queries::drills(Some(DrillKind::Restore)).limit(100)).await?.items;
    let passed = drills.iter().find(|drill| drill.outcome == DrillOutcome::Passed);
    // Where there is none, this process's life is what is known to have gone by.
    let begun = now.minus(ctx.app().uptime());
    let practised_every = Duration::from_secs(ctx.app().settings().backups.goals.proof_days * 86_400);
    let mut told = Vec::new();
    for (what, last, longest) in [
        ("backup", proven.map(|backup| backup.verified_at.unwrap_or(backup.created_at)), OLD),
        ("drill", passed.map(|drill| drill.started_at), practised_every),
    ] {
        if now.since(last.unwrap_or(begun)) > longest && tell(ctx, what, last).await? {
            told.push(what);
        }
    }
    Ok(told)
}

/// Writes the line, unless it was written since the last proof.
async fn tell(ctx: &Ctx, what: &'static str, last: Option<Time>) -> Result<bool> {
    let outage = last.map_or_else(|| "never".to_owned(), |last| last.to_string());
    let once = Milestone { id: format!("recovery_unproven:{what}:{outage}"), created_at: ctx.now() };
    let details = json!({ "lastProvenAt": last });
    let line = ctx.audit(Action::RecoveryUnproven, Outcome::Failed, Target::new("recovery", what), details);
    match ctx.app().store().write(Batch::new().insert(&once)?.insert(&line)?).await {
        Ok(_) => {
            tracing::error!(
                recovery.what = what,
                recovery.last = outage,
                "recovery.unproven: see /api/health"
            );
            Ok(true)
        }
        Err(fault) if fault.code() == "duplicate" => Ok(false),
        Err(fault) => Err(fault),
    }
}

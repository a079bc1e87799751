//! The jobs that an installation does by itself: what each does, how often, and what it says afterwards.

use std::time::Duration;

use engify_core::job::CatchUp;
use engify_core::{Error, Result};
use serde_json::json;

use super::JobKind;
use crate::{audit, backups, keys, organizations};

mod digest;
mod refresh;
mod sweep;
mod usage;

/// How long a try of one of these may take.
const LONGEST: Duration = Duration::from_secs(1800);

/// The kinds that need nothing but the application.
pub(super) fn kinds() -> Result<Vec<JobKind>> {
    let kind = |kind: JobKind| kind.together(1).longest(LONGEST);
    Ok(vec![
        kind(JobKind::new(
            "key_reminders",
            "Writes to the owners of API keys that end in 14, 3 or 1 days.",
            |ctx, _| async move { Ok(json!({ "letters": keys::remind(&ctx).await? })) },
        ))
        .scheduled("0 * * * *", CatchUp::Once)?,
        kind(JobKind::new(
            "run_retention",
            "Deletes the runs that are older than their organization keeps them.",
            |ctx, _| async move { Ok(json!({ "runs": organizations::prune_runs(&ctx).await? })) },
        ))
        .scheduled("15 * * * *", CatchUp::Once)?,
        kind(JobKind::new(
            "audit_retention",
            "Deletes the lines of the audit log that are older than they are kept.",
            |ctx, _| async move { serde_json::to_value(audit::prune(&ctx).await?).map_err(Error::internal) },
        ))
        .scheduled("40 2 * * *", CatchUp::Once)?,
        kind(JobKind::new(
            "cleanup",
            "Deletes what has ended: sessions, links, tickets, half sign-ins, letters and the records of jobs.",
            |ctx, _| async move { sweep::expired(&ctx).await },
        ))
        .scheduled("30 * * * *", CatchUp::Once)?,
        kind(JobKind::new(
            "library_refresh",
            "Adds up the stars of all prompts anew, and fills the home page where fewer than 12 prompts are featured.",
            |ctx, _| async move { refresh::library(&ctx).await },
        ))
        .scheduled("10 */6 * * *", CatchUp::Once)?,
        kind(JobKind::new(
            "recovery_watch",
            "Tells the audit log, once, where for too long no backup was proven or no restore was practised.",
            |ctx, _| async move { Ok(json!({ "unproven": backups::watch(&ctx).await? })) },
        ))
        .scheduled("50 * * * *", CatchUp::Once)?,
        kind(JobKind::new(
            "weekly_digest",
            "Writes to the super admins what the last seven days brought.",
            |ctx, task| async move { digest::send(&ctx, &task.id).await },
        ))
        .scheduled("0 7 * * 1", CatchUp::Once)?,
        kind(JobKind::new(
            "usage_report",
            "Adds up runs, tokens and cost of the month before, by organization and by provider; what it says is the report.",
            |ctx, _| async move { usage::last_month(&ctx).await },
        ))
        .scheduled("0 5 1 * *", CatchUp::Once)?,
    ])
}

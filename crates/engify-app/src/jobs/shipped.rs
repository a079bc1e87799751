//! The jobs that an installation does by itself: what each does, how often, and what it says afterwards.

use std::time::Duration;

use engify_core::job::CatchUp;
use engify_core::{Error, Result};
use serde_json::json;

use super::JobKind;
use crate::{audit, keys, organizations};

mod sweep;

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
    ])
}

//! Which moments can be restored: how far the journal is at each target, as far as the database remembers.

use std::time::Duration;

use engify_core::backup::{Backup, Shipping};
use engify_core::permission::Permission;
use engify_core::settings::ObjectPlace;
use engify_core::{Result, Time};
use engify_store::queries;
use serde::Serialize;

use super::is_there;
use crate::Ctx;

/// How far the journal is at one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// The target, as settings write it.
    pub target: String,
    /// The first moment that can be restored from there; null where there is no backup to begin with.
    pub since: Option<Time>,
    /// The last one; null where nothing was shipped yet. Now, where nothing waits to be shipped.
    pub until: Option<Time>,
    /// The journal's last position there.
    pub position: u64,
    /// How many positions wait to be shipped.
    pub behind: u64,
    /// Since when shipping fails; null while it works.
    pub failing_since: Option<Time>,
    /// Why, with the remedy.
    pub failure: Option<String>,
}

/// How far the journal is at each target of the settings; `backups` are the newest ones.
///
/// # Errors
/// `forbidden` without `system:backup`; those of the store.
pub async fn coverage(ctx: &Ctx, backups: &[Backup]) -> Result<Vec<Coverage>> {
    ctx.require(Permission::SystemBackup)?;
    let store = ctx.app().store();
    let settings = &ctx.app().settings().backups;
    let shipped = store.find(&queries::all_of::<Shipping>().limit(100)).await?.items;
    let end = store.journal_position().await?;
    let oldest = ctx.now().minus(Duration::from_secs(u64::from(settings.journal_days) * 86_400));
    let at = |place: &ObjectPlace| {
        let target = place.to_string();
        let first = backups.iter().filter(|backup| is_at(backup, &target, settings.replica.as_ref()));
        let since = first.map(|backup| backup.created_at.max(oldest)).min();
        let shipping = shipped.iter().find(|one| one.id == target);
        let position = shipping.map_or(0, |one| one.position);
        let behind = end.saturating_sub(position);
        let last = shipping.and_then(|one| one.shipped_at);
        Coverage {
            since,
            // A backup is a moment too, however long ago something was shipped.
            until: last.map(|last| {
                if behind == 0 { ctx.now() } else { since.map_or(last, |since| since.max(last)) }
            }),
            position,
            behind,
            failing_since: shipping.and_then(|one| one.failing_since),
            failure: shipping.and_then(|one| one.failure.clone()),
            target,
        }
    };
    Ok(std::iter::once(&settings.target).chain(&settings.replica).map(at).collect())
}

fn is_at(backup: &Backup, target: &str, replica: Option<&ObjectPlace>) -> bool {
    let copied =
        || backup.replicated_at.is_some() && replica.is_some_and(|replica| replica.to_string() == target);
    is_there(backup) && (backup.target == target || copied())
}

//! Deleting backups whose time is over, at both targets.

use engify_clients::objects::Objects;
use engify_core::backup::{Backup, BackupState};
use engify_core::ids::BackupId;
use engify_core::settings::KeepDays;
use engify_core::{Result, Time};
use engify_store::Store;
use serde::Serialize;

use super::{EVERYTHING, Plan, ended, list, remember, sweep};

/// What was deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pruned {
    /// At the first target.
    pub ids: Vec<BackupId>,
    /// At the second.
    pub replica: Vec<BackupId>,
}

/// Deletes what [`ended`] names, at each target by what lies there.
///
/// # Errors
/// How the database or a target fails; what was deleted by then is gone.
pub async fn prune(store: &Store, plan: &Plan<'_>, now: Time) -> Result<Pruned> {
    let Some(keep) = plan.keep else { return Ok(Pruned::default()) };
    let ids = at(plan.target, keep, now).await?;
    for id in &ids {
        if let Some(mut record) = store.get::<Backup>(&EVERYTHING, id.as_str()).await? {
            record.state = BackupState::Pruned;
            remember(store, &record).await?;
        }
    }
    let replica = match plan.replica {
        Some(replica) => at(replica, keep, now).await?,
        None => Vec::new(),
    };
    Ok(Pruned { ids, replica })
}

async fn at(objects: &Objects, keep: &KeepDays, now: Time) -> Result<Vec<BackupId>> {
    let listing = list(objects).await?;
    let mut gone = Vec::new();
    for one in ended(&listing.backups, keep, now) {
        sweep::discard(objects, &one.id).await?;
        gone.push(one.id.clone());
    }
    Ok(gone)
}

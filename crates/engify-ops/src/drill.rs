//! Drills: a disaster is practised against a copy of the database, and what it costs is measured.
//!
//! - **RTO**: from "go" to a database that answers verified reads and takes a write.
//! - **RPO**: how far before the disaster the oldest acknowledged write lies that did not come back; 0 where all did.
//!
//! The copy, its backup targets and everything else is in a folder of its own that goes with the drill; of the installation
//! only the record is written. What each drill does and does not show: `docs/drills.md`.

use std::path::Path;

use engify_core::backup::{Drill, DrillGoals, DrillKind, DrillOutcome};
use engify_core::ids::DrillId;
use engify_core::settings::RecoveryGoals;
use engify_core::{Clock, Ids, Result};
use engify_store::{Batch, Store};

mod rig;
mod scenarios;

use rig::Rig;

/// Runs a drill and stores its record.
///
/// # Errors
/// Where no copy can be made, or the record cannot be written. That nothing came back is a record, not an error.
pub async fn drill(
    kind: DrillKind,
    live: &Store,
    folder: &Path,
    goals: RecoveryGoals,
    (clock, ids): (&Clock, &Ids),
) -> Result<Drill> {
    let started_at = clock.now();
    let goals = DrillGoals { rto_seconds: goals.rto_seconds, rpo_seconds: goals.rpo_seconds };
    let mut rig = Rig::build(live, folder, (clock, ids)).await?;
    let reached = Box::pin(scenarios::run(kind, &mut rig)).await;
    let (rto, rpo, outcome) = match reached {
        Ok(()) => {
            let (rto, rpo) = (rig.rto(), rig.rpo());
            let within = |figure: Option<f64>, goal: u64| figure.is_some_and(|figure| figure <= goal as f64);
            let passed = within(rto, goals.rto_seconds) && within(rpo, goals.rpo_seconds);
            (rto, rpo, if passed { DrillOutcome::Passed } else { DrillOutcome::Missed })
        }
        Err(error) => {
            rig.note("failed", 0.0, error.message());
            (None, None, DrillOutcome::Failed)
        }
    };
    let drill = Drill {
        id: DrillId::make(ids),
        kind,
        started_at,
        finished_at: clock.now(),
        rto_seconds: rto,
        rpo_seconds: rpo,
        goals,
        outcome,
        steps: rig.end().await,
    };
    live.write(Batch::new().insert(&drill)?).await?;
    let kind = kind.as_str();
    metrics::counter!("engify_drills_total", "kind" => kind, "outcome" => outcome.as_str()).increment(1);
    if let Some(rto) = rto {
        metrics::gauge!("engify_drill_rto_seconds", "kind" => kind).set(rto);
    }
    if let Some(rpo) = rpo {
        metrics::gauge!("engify_drill_rpo_seconds", "kind" => kind).set(rpo);
    }
    Ok(drill)
}

//! The JSON of backups and drills, as administrators see them.

use engify_app::backups::{Ending, Rule};
use engify_core::Time;
use engify_core::backup::{Backup, BackupKind, BackupState, Drill, DrillKind, DrillOutcome};
use schemars::JsonSchema;
use serde::Serialize;

/// A backup.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupView {
    id: String,
    /// Why it was taken.
    kind: BackupKind,
    /// What is known of it.
    state: BackupState,
    /// The moment that it holds.
    created_at: Time,
    /// When its last part was at the target.
    finished_at: Option<Time>,
    /// The journal's position: everything up to it is inside.
    position: u64,
    /// Documents in it.
    documents: u64,
    /// Bytes at its target.
    bytes: u64,
    /// SHA-256 of its content as hex.
    sha256: Option<String>,
    /// Where it is.
    target: String,
    /// Whether it can only be read with the key.
    encrypted: bool,
    /// How long taking it took, milliseconds.
    duration_millis: u64,
    /// When it was last restored and compared.
    verified_at: Option<Time>,
    /// When the second target had all of it.
    replicated_at: Option<Time>,
    /// What went wrong, in a sentence.
    failure: Option<String>,
}

impl From<&Backup> for BackupView {
    fn from(backup: &Backup) -> Self {
        Self {
            id: backup.id.to_string(),
            kind: backup.kind,
            state: backup.state,
            created_at: backup.created_at,
            finished_at: backup.finished_at,
            position: backup.position,
            documents: backup.documents,
            bytes: backup.bytes,
            sha256: backup.sha256.clone(),
            target: backup.target.clone(),
            encrypted: backup.encrypted,
            duration_millis: backup.duration_millis,
            verified_at: backup.verified_at,
            replicated_at: backup.replicated_at,
            failure: backup.failure.clone(),
        }
    }
}

/// A backup that goes at some time, and why.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndingView {
    /// The backup.
    id: String,
    /// Why it was taken.
    kind: BackupKind,
    /// The moment that it holds.
    created_at: Time,
    /// When its time is over.
    until: Time,
    /// What is to become of it.
    rule: Rule,
}

impl From<&Ending<'_>> for EndingView {
    fn from(ending: &Ending<'_>) -> Self {
        let backup = ending.backup;
        Self {
            id: backup.id.to_string(),
            kind: backup.kind,
            created_at: backup.created_at,
            until: ending.at,
            rule: ending.rule,
        }
    }
}

/// A drill.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DrillView {
    id: String,
    /// What it tried.
    kind: DrillKind,
    started_at: Time,
    finished_at: Time,
    /// From "go" to verified reads and writes; null where it did not get there.
    rto_seconds: Option<f64>,
    /// How far before the disaster the oldest write lies that did not come back; 0 where all did.
    rpo_seconds: Option<f64>,
    /// What was hoped for.
    goals: DrillGoalsView,
    /// How it ended.
    outcome: DrillOutcome,
    /// What was done, in order.
    steps: Vec<DrillStepView>,
}

/// The goals of a drill.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DrillGoalsView {
    rto_seconds: u64,
    rpo_seconds: u64,
}

/// One step of a drill.
#[derive(Debug, Serialize, JsonSchema)]
struct DrillStepView {
    name: String,
    seconds: f64,
    found: String,
}

impl From<&Drill> for DrillView {
    fn from(drill: &Drill) -> Self {
        let steps = drill.steps.iter();
        Self {
            id: drill.id.to_string(),
            kind: drill.kind,
            started_at: drill.started_at,
            finished_at: drill.finished_at,
            rto_seconds: drill.rto_seconds,
            rpo_seconds: drill.rpo_seconds,
            goals: DrillGoalsView {
                rto_seconds: drill.goals.rto_seconds,
                rpo_seconds: drill.goals.rpo_seconds,
            },
            outcome: drill.outcome,
            steps: steps
                .map(|step| DrillStepView {
                    name: step.name.clone(),
                    seconds: step.seconds,
                    found: step.found.clone(),
                })
                .collect(),
        }
    }
}

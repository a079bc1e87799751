//! Backups and drills, as the installation remembers them. The backups themselves are at their target, with a manifest
//! beside them that needs no database to be read.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{BackupId, DrillId};
use crate::permission::words;

/// Below what name backups lie at a target.
pub const BACKUPS: &str = "backups";

/// What the object of a backup is called that says what belongs to it. It is written last: without one there is no backup.
pub const MANIFEST: &str = "manifest.json";

/// What the object of a backup is called that says that it was restored and compared.
pub const PROOF: &str = "proof.json";

impl BackupId {
    /// Below what name the backup's objects lie at a target.
    pub fn folder(&self) -> String {
        format!("{BACKUPS}/{self}")
    }

    /// What an object of the backup is called at a target.
    pub fn object(&self, name: &str) -> String {
        format!("{BACKUPS}/{self}/{name}")
    }
}

words! {
    /// Why a backup was taken; how long it is kept follows from it.
    BackupKind, "a kind of backup", {
        /// By the clock, every few hours.
        Snapshot = "snapshot",
        /// By the clock, once a day.
        Daily = "daily",
        /// By the clock, once a week.
        Weekly = "weekly",
        /// Because somebody asked for it, or something needed it: before a restore.
        Manual = "manual",
    }
}

words! {
    /// What is known of a backup.
    BackupState, "a state of a backup", {
        /// It is being taken; where it stays so, the program ended before it did.
        Running = "running",
        /// It is at its target, whole, and nobody restored it yet.
        Taken = "taken",
        /// It was restored into a scratch database and compared: it can be restored.
        Verified = "verified",
        /// It could not be taken, or what came back is not what went in.
        Failed = "failed",
        /// It was deleted when its time was over.
        Pruned = "pruned",
    }
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// The document's id, and the backup's name at its target.
    #[serde(rename = "_id")]
    pub id: BackupId,
    /// Why it was taken.
    pub kind: BackupKind,
    /// What is known of it.
    pub state: BackupState,
    /// The moment that it holds.
    pub created_at: Time,
    /// When the last part of it was at its target.
    pub finished_at: Option<Time>,
    /// The journal's position: everything up to it is inside.
    pub position: u64,
    /// Documents in it.
    pub documents: u64,
    /// Bytes at its target: compressed, and encrypted where a key is set.
    pub bytes: u64,
    /// SHA-256 of its content as hex, whatever it is compressed and encrypted with.
    pub sha256: Option<String>,
    /// Where it is: `file:/var/backups`, `s3://bucket/prefix`; never with a key.
    pub target: String,
    /// Whether it can only be read with the key.
    pub encrypted: bool,
    /// How long taking it took, milliseconds; proving it does not count.
    pub duration_millis: u64,
    /// When it was last restored and compared.
    pub verified_at: Option<Time>,
    /// When the second target had all of it.
    pub replicated_at: Option<Time>,
    /// What went wrong, in a sentence.
    pub failure: Option<String>,
    /// While it is taken: when whoever takes it was last known to be at it.
    #[serde(default)]
    pub alive_at: Option<Time>,
}

words! {
    /// What a drill tries.
    DrillKind, "a kind of drill", {
        /// The newest backup comes back.
        Restore = "restore",
        /// A moment between two backups comes back.
        PointInTime = "point-in-time",
        /// The disk fills up.
        DiskFull = "disk-full",
        /// The database file is damaged.
        Corruption = "corruption",
        /// The first target is gone, the second has to do.
        LostTarget = "lost-target",
        /// A restore is killed half-way.
        KillDuringRestore = "kill-during-restore",
        /// The version before comes back, with its data.
        Rollback = "rollback",
    }
}

words! {
    /// How a drill ended.
    DrillOutcome, "an outcome of a drill", {
        /// Everything came back within the goals.
        Passed = "passed",
        /// Everything came back, later or with more missing than the goals allow.
        Missed = "missed",
        /// It did not come back.
        Failed = "failed",
    }
}

/// One drill, run against a copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drill {
    /// The document's id.
    #[serde(rename = "_id")]
    pub id: DrillId,
    /// What it tried.
    pub kind: DrillKind,
    /// When it began.
    pub started_at: Time,
    /// When it was over.
    pub finished_at: Time,
    /// From "go" to verified reads and writes, seconds; none where it did not get there.
    pub rto_seconds: Option<f64>,
    /// How far before the disaster the oldest acknowledged write lies that is missing, seconds; 0 where none is.
    pub rpo_seconds: Option<f64>,
    /// What was hoped for.
    pub goals: DrillGoals,
    /// How it ended.
    pub outcome: DrillOutcome,
    /// What was done, in order.
    pub steps: Vec<DrillStep>,
}

/// The goals of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillGoals {
    /// Recovery time objective, seconds.
    pub rto_seconds: u64,
    /// Recovery point objective, seconds.
    pub rpo_seconds: u64,
}

/// One step of a drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillStep {
    /// What was done.
    pub name: String,
    /// How long it took, seconds.
    pub seconds: f64,
    /// What was found.
    pub found: String,
}

/// How far the journal is at one target, and which replica ships it. Changes of it are not journaled: that would never end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipping {
    /// The document's id: the target, as settings write it.
    #[serde(rename = "_id")]
    pub id: String,
    /// The process that ships there.
    pub holder: String,
    /// Until when no other one does.
    pub held_until: Time,
    /// The last position that is at the target.
    pub position: u64,
    /// When something was shipped last.
    pub shipped_at: Option<Time>,
    /// Since when shipping fails; none while it works.
    pub failing_since: Option<Time>,
    /// Why, in a sentence with the remedy.
    pub failure: Option<String>,
}

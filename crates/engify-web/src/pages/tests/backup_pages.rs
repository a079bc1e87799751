//! Backups and drills, with a hostile word wherever a target, a failure or a step is told.

use engify_app::backups::{Coverage, Restoration, endings};
use engify_core::Time;
use engify_core::backup::{Backup, Drill};
use engify_core::job::Job;
use engify_core::settings::{KeepDays, RecoveryGoals};
use maud::Markup;
use serde_json::json;

use super::HOSTILE;
use crate::pages::backups::{self, drills, restore};
use crate::ui::Frame;

fn backup() -> Backup {
    serde_json::from_value(json!({
        "_id": "b", "kind": "snapshot", "state": "failed", "createdAt": "2026-11-18T18:04:05.000Z",
        "finishedAt": "2026-11-18T18:04:06.000Z", "position": 7, "documents": 9, "bytes": 4096, "sha256": HOSTILE,
        "target": HOSTILE, "encrypted": true, "durationMillis": 12, "verifiedAt": null, "replicatedAt": null,
        "failure": HOSTILE,
    }))
    .unwrap()
}

fn drill() -> Drill {
    serde_json::from_value(json!({
        "_id": "d", "kind": "restore", "startedAt": "2026-11-18T18:04:05.000Z", "finishedAt": "2026-11-18T18:04:06.000Z",
        "rtoSeconds": 4.2, "rpoSeconds": null, "goals": { "rtoSeconds": 3600, "rpoSeconds": 21600 }, "outcome": "failed",
        "steps": [{ "name": HOSTILE, "seconds": 0.1, "found": HOSTILE }],
    }))
    .unwrap()
}

fn restoration(kind: &str) -> Job {
    serde_json::from_value(json!({
        "_id": "j", "kind": kind, "payload": {}, "state": "done", "priority": "high", "lane": null,
        "dueAt": "2026-11-22T18:04:05.000Z", "singleton": null, "slot": null, "lease": null, "attempts": 1,
        "schedule": null, "askedBy": null, "handedAt": null, "failure": { "code": HOSTILE, "message": HOSTILE },
        "outcome": {
            "plan": { "backup": HOSTILE, "from": HOSTILE, "takenAt": null, "verified": true, "documents": 1, "bytes": 2,
                "journal": "shipped", "segments": 1, "position": 4, "into": "sqlite", "there": 3,
                "collections": [HOSTILE], "filter": [], "estimatedSeconds": 2 },
            "dryRun": true, "safety": HOSTILE, "written": { "inserted": 1, "replaced": 2, "removed": 3, "position": 4 },
            "differences": [{ "collection": HOSTILE, "added": 1, "changed": 1, "removed": 1, "examples": [] }],
            "kept": { "revokedKeys": 1, "deletedKeys": 0, "disabledAccounts": 0, "revived": 0, "olderPasswords": 2 },
            "sha256": "", "verified": true, "movedAside": null, "durationMillis": 12,
        },
        "createdAt": "2026-11-22T18:04:05.000Z", "startedAt": null, "endedAt": null, "expiresAt": null,
    }))
    .unwrap()
}

/// The pages, in the frame that `at` puts around an address.
pub(super) fn all<'a>(at: &impl Fn(&'a str) -> Frame<'a>) -> Vec<(&'static str, Markup)> {
    let (backup, drill) = (backup(), drill());
    let now = Time::from_millis(1_795_000_000_000);
    let coverage = Coverage {
        target: HOSTILE.into(),
        since: Some(backup.created_at),
        until: Some(now),
        position: 1,
        behind: 2,
        failing_since: Some(now),
        failure: Some(HOSTILE.into()),
    };
    let all = std::slice::from_ref(&backup);
    let list = backups::BackupsView {
        backups: all,
        recent: all,
        coverage: &[coverage],
        endings: &endings(all, &KeepDays::default(), now),
        last_drill: Some(drill.clone()),
        encrypted: false,
        state: None,
        cursor: None,
        next: Some(HOSTILE.into()),
    };
    let drills_view = drills::DrillsView {
        drills: std::slice::from_ref(&drill),
        goals: RecoveryGoals::default(),
        kind: None,
        cursor: Some(HOSTILE.into()),
        next: Some(HOSTILE.into()),
    };
    let choose = restore::ChooseView {
        backups: vec![backup.clone()],
        from: HOSTILE.into(),
        date: HOSTILE.into(),
        time: HOSTILE.into(),
        problem: Some(HOSTILE.into()),
        ..Default::default()
    };
    let (planned, restored) = (restoration("restore_plan"), restoration("restore"));
    let look = |job| restore::RestoreView {
        job,
        came_to: Restoration::of(job),
        confirm: HOSTILE.into(),
        faults: Vec::new(),
        problem: Some(HOSTILE.into()),
    };
    vec![
        ("choose what to restore", restore::choose(&at("/opshub/backups/restore"), &choose)),
        ("plan of a restore", restore::look(&at("/opshub/backups/restore/j"), &look(&planned))),
        ("restored", restore::look(&at("/opshub/backups/restore/j"), &look(&restored))),
        ("backups", backups::list(&at("/opshub/backups"), &list)),
        ("backup", backups::one(&at("/opshub/backups/b"), &backup)),
        ("drills", drills::page(&at("/opshub/backups/drills"), &drills_view)),
    ]
}

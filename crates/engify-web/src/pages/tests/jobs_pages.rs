//! Jobs and schedules, with a hostile word wherever somebody may choose one.

use engify_core::error::Detail;
use engify_core::job::{Job, JobState, Schedule};
use maud::Markup;
use serde_json::json;

use super::HOSTILE;
use crate::pages::{jobs, schedules};
use crate::ui::Frame;

fn job() -> Job {
    serde_json::from_value(json!({
        "_id": "j", "kind": HOSTILE, "payload": { "a": HOSTILE }, "state": "dead", "priority": "normal", "lane": null,
        "dueAt": "2026-11-22T18:04:05.000Z", "singleton": HOSTILE, "slot": null, "lease": null, "attempts": 3,
        "schedule": "cleanup", "askedBy": null, "handedAt": null, "failure": { "code": HOSTILE, "message": HOSTILE },
        "outcome": { "a": HOSTILE }, "createdAt": "2026-11-22T18:04:05.000Z", "startedAt": "2026-11-22T18:04:05.000Z",
        "endedAt": "2026-11-22T18:04:06.000Z", "expiresAt": null,
    }))
    .unwrap()
}

fn schedule() -> Schedule {
    serde_json::from_value(json!({
        "_id": "cleanup", "cron": HOSTILE, "catchUp": "once", "enabled": true, "custom": true, "nextAt": null,
        "lastJob": "j", "lastEndedAt": null, "lastState": "dead", "updatedAt": "2026-11-22T18:04:05.000Z",
    }))
    .unwrap()
}

/// The pages, in the frame that `at` puts around an address.
pub(super) fn all<'a>(at: &impl Fn(&'a str) -> Frame<'a>) -> Vec<(&'static str, Markup)> {
    let (job, schedule) = (job(), schedule());
    let list = jobs::JobsView {
        jobs: std::slice::from_ref(&job),
        counts: &[(JobState::Dead, 1)],
        state: None,
        kind: HOSTILE.into(),
        cursor: None,
        next: Some(HOSTILE.into()),
    };
    let row = || schedules::ScheduleRow { schedule: &schedule, about: "What it does." };
    let one = schedules::ScheduleView {
        row: row(),
        cron: HOSTILE.into(),
        catch_up: "once".into(),
        enabled: true,
        may_change: true,
        faults: vec![Detail { field: "cron".into(), issue: HOSTILE.into() }],
        problem: Some(HOSTILE.into()),
    };
    vec![
        ("jobs", jobs::list(&at("/opshub/jobs"), &list)),
        ("job", jobs::one(&at("/opshub/jobs/j"), &job, "What it does.")),
        ("schedules", schedules::list(&at("/opshub/schedules"), &[row()], true)),
        ("schedule", schedules::one(&at("/opshub/schedules/cleanup"), &one)),
    ]
}

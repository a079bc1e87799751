//! Operations, for administrators. What has no history yet is shown as it is now, not as a made-up chart.

use std::time::Duration;

use engify_app::{health, jobs};
use engify_core::Result;
use engify_core::job::JobState;
use engify_core::permission::Permission;

use super::ok;
use super::system::services;
use super::visit::Visit;
use crate::pages::opshub::{self, Need, OverviewView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;
use crate::ui::{Tone, figures};

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/opshub", Policy::needs(Permission::SystemRead), overview).page()]
}

/// Jobs that nobody tries again by themselves.
async fn dead_letters(visit: &Visit) -> Result<Option<Need>> {
    let counts = jobs::counts(&visit.ctx).await?;
    let dead = counts.iter().find(|(state, count)| *state == JobState::Dead && *count > 0);
    Ok(dead.map(|(_, count)| Need {
        tone: Tone::Bad,
        title: figures::counted(*count, "job failed", "jobs failed"),
        text: "They are not tried again by themselves. Each says why it failed; retry it when the cause is gone, or discard it."
            .to_owned(),
        link: Some(("Look at them".to_owned(), "/opshub/jobs?state=dead".to_owned())),
    }))
}

async fn overview(visit: Visit) -> Reply {
    let health = health::check(visit.app()).await;
    let need = |text: &String| Need {
        tone: Tone::Warn,
        title: "Look at this".to_owned(),
        text: text.clone(),
        link: None,
    };
    let holdings = health::collections(&visit.ctx).await?.into_iter();
    let name = |collection: &str| match collection {
        "ai_runs" => "Runs".to_owned(),
        other => figures::label(other),
    };
    let view = OverviewView {
        services: services(&health),
        uptime: Duration::from_secs(health.uptime_seconds),
        version: health.version.clone(),
        window: String::new(),
        tiles: Vec::new(),
        counts: holdings.map(|holding| (name(&holding.collection), holding.documents)).collect(),
        proven_at: health.backups.last_proven_at,
        needs: health.remedies.iter().map(need).chain(dead_letters(&visit).await?).collect(),
    };
    Ok(ok(opshub::overview(&visit.frame(), &view)))
}

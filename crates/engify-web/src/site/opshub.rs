//! Operations, for administrators. What has no history yet is shown as it is now, not as a made-up chart.

use std::time::Duration;

use engify_app::audit::{self, Filter};
use engify_app::{health, setup, users};
use engify_core::ids::UserId;
use engify_core::permission::Permission;
use engify_core::{Kind, Result, Time};
use serde::Deserialize;

use super::ok;
use super::system::services;
use super::visit::Visit;
use crate::extract::Query;
use crate::pages::opshub::{self, AuditFilters, AuditView, Need, OverviewView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;
use crate::ui::{Tone, figures};

/// How many lines a page lists.
const PAGE: u32 = 50;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/opshub", Policy::needs(Permission::SystemRead), overview).page(),
        Route::get("/opshub/audit", Policy::needs(Permission::AuditRead), log).page(),
    ]
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
        needs: health.remedies.iter().map(need).collect(),
    };
    Ok(ok(opshub::overview(&visit.frame(), &view)))
}

/// The filters, as they stand in the address.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    user: String,
    action: String,
    from: String,
    to: String,
    cursor: Option<String>,
}

async fn log(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let ctx = &visit.ctx;
    let filters = AuditFilters { user: asked.user, action: asked.action, from: asked.from, to: asked.to };
    let filter = Filter {
        user: person(&visit, filters.user.trim()).await?,
        action: Some(filters.action.clone()),
        since: day(&filters.from, 0),
        until: day(&filters.to, 1),
    };
    let cursor = asked.cursor.filter(|cursor| !cursor.is_empty());
    let page = audit::list(ctx, &filter, PAGE, cursor.as_deref()).await?;
    let ids: Vec<UserId> = page.items.iter().filter_map(|entry| entry.user_id.clone()).collect();
    let names = users::names(ctx, &ids).await?;
    let name = |id: &Option<UserId>| id.as_ref().and_then(|id| names.get(id).cloned());
    let view = AuditView {
        entries: page.items.iter().map(|entry| (entry, name(&entry.user_id))).collect(),
        filters,
        cursor,
        next: page.next.map(|cursor| cursor.encode()),
    };
    Ok(ok(opshub::audit(&visit.frame(), &view)))
}

/// The id of whoever the filter names, by id or by address. An address that nobody has stays as it is: nothing matches.
async fn person(visit: &Visit, word: &str) -> Result<Option<String>> {
    if !word.contains('@') {
        return Ok(Some(word.to_owned()));
    }
    match setup::check_user(&visit.ctx, word).await {
        Ok(user) => Ok(Some(user.id.to_string())),
        Err(error) if error.kind() == Kind::NotFound => Ok(Some("nobody".to_owned())),
        Err(error) => Err(error),
    }
}

/// The beginning of the day that is `later` days after this one; as it stands where it is no day, so that the use case
/// says so.
fn day(text: &str, later: u64) -> Option<String> {
    let given = Some(text.trim()).filter(|text| !text.is_empty())?;
    let time: Result<Time, _> = format!("{given}T00:00:00Z").parse();
    Some(
        time.map_or_else(
            |_| given.to_owned(),
            |time| time.plus(Duration::from_secs(later * 86_400)).to_string(),
        ),
    )
}

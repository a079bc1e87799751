//! The audit log as pages. Its filters stand in the address, so that a view of it can be sent to somebody.

use std::time::Duration;

use axum::extract::Path;
use axum::response::sse::Event;
use engify_app::audit::{self, Filter, Format};
use engify_app::{Ctx, setup, users};
use engify_core::audit::AuditEntry;
use engify_core::ids::UserId;
use engify_core::permission::Permission;
use engify_core::{Error, Kind, Result, Time};
use http::HeaderMap;
use serde::Deserialize;

use super::said::Said;
use super::visit::Visit;
use super::{html, ok};
use crate::api::audit::{VERIFY, events, last_event, sent};
use crate::extract::Query;
use crate::pages::audit::{self as pages, AuditFilters, AuditView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// How many lines a page lists.
const PAGE: u32 = 50;

pub(super) fn routes() -> Vec<Route> {
    let reads = || Policy::needs(Permission::AuditRead);
    vec![
        Route::get("/opshub/audit", reads(), log).page(),
        Route::get("/opshub/audit/live", reads(), live).page(),
        Route::get("/opshub/audit/export", reads(), export).page(),
        Route::post(
            "/opshub/audit/verify",
            Policy::needs(Permission::SystemRead).limit(VERIFY).deadline(120),
            verify,
        )
        .page(),
        Route::get("/opshub/audit/{id}", reads(), line).page(),
    ]
}

/// The filters, as they stand in the address.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    user: String,
    action: String,
    outcome: String,
    target: String,
    address: String,
    from: String,
    to: String,
    cursor: Option<String>,
    format: String,
}

impl Asked {
    async fn filter(&self, visit: &Visit) -> Result<Filter> {
        Ok(Filter {
            user: person(visit, self.user.trim()).await?,
            action: Some(self.action.clone()),
            outcome: Some(self.outcome.clone()),
            target: Some(self.target.clone()),
            address: Some(self.address.clone()),
            since: day(&self.from, 0),
            until: day(&self.to, 1),
        })
    }

    fn shown(self) -> AuditFilters {
        let Self { user, action, outcome, target, address, from, to, .. } = self;
        AuditFilters { user, action, outcome, target, address, from, to }
    }
}

async fn log(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    Ok(ok(page(&visit, asked, None).await?))
}

async fn page(visit: &Visit, asked: Asked, broken: Option<String>) -> Result<maud::Markup> {
    let ctx = &visit.ctx;
    let filter = asked.filter(visit).await?;
    let cursor = asked.cursor.clone().filter(|cursor| !cursor.is_empty());
    let page = audit::list(ctx, &filter, PAGE, cursor.as_deref()).await?;
    let ids: Vec<UserId> = page.items.iter().filter_map(|entry| entry.user_id.clone()).collect();
    let names = users::names(ctx, &ids).await?;
    let name = |id: &Option<UserId>| id.as_ref().and_then(|id| names.get(id).cloned());
    let view = AuditView {
        entries: page.items.iter().map(|entry| (entry, name(&entry.user_id))).collect(),
        filters: asked.shown(),
        cursor,
        next: page.next.map(|cursor| cursor.encode()),
        head: audit::head(ctx).await?,
        broken,
        may_verify: ctx.allows(Permission::SystemRead),
    };
    Ok(pages::page(&visit.frame(), &view))
}

async fn line(visit: Visit, Path(id): Path<String>) -> Reply {
    let entry = audit::read(&visit.ctx, &id).await?;
    let name = name_of(&visit.ctx, &entry).await;
    Ok(ok(pages::line(&visit.frame(), &entry, name.as_deref())))
}

async fn verify(visit: Visit) -> Reply {
    let visit = visit.at("/opshub/audit");
    let verdict = audit::verify(&visit.ctx, None, |_, _| {}).await?;
    match verdict.broken {
        None => Ok(Said::AuditIntact.at("/opshub/audit")),
        Some(broken) => {
            let page = page(&visit, Asked::default(), Some(broken.sentence())).await?;
            Ok(html(http::StatusCode::OK, page))
        }
    }
}

async fn export(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let format = Format::parse(&asked.format).map_err(|issue| Error::field("format", issue))?;
    let filter = asked.filter(&visit).await?;
    Ok(sent(audit::export(&visit.ctx, &filter, format).await?, format))
}

/// Rows as they come, as the table shows them.
async fn live(visit: Visit, headers: HeaderMap, Query(asked): Query<Asked>) -> Reply {
    let filter = asked.filter(&visit).await?;
    let lines = audit::tail(&visit.ctx, &filter, last_event(&headers)).await?;
    let visit = std::sync::Arc::new(visit);
    Ok(events(lines, move |entry| {
        let visit = std::sync::Arc::clone(&visit);
        async move {
            let name = name_of(&visit.ctx, &entry).await;
            let row = pages::row(&visit.frame(), &entry, name.as_deref()).into_string();
            Event::default().event("line").id(entry.id.to_string()).data(row.replace(['\r', '\n'], " "))
        }
    }))
}

async fn name_of(ctx: &Ctx, entry: &AuditEntry) -> Option<String> {
    let id = entry.user_id.clone()?;
    // A line without a name is better than no line.
    users::names(ctx, std::slice::from_ref(&id)).await.ok()?.remove(&id)
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

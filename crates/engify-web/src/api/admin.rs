//! Administration: audit log, figures of the store.

use engify_app::audit::{self, Filter};
use engify_app::health;
use engify_app::health::Holding;
use engify_core::permission::Permission;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::limit;
use crate::extract::{Caller, Query};
use crate::policy::Policy;
use crate::reply::{List, Reply};
use crate::route::Route;
use crate::views::AuditView;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/admin/audit", Policy::needs(Permission::AuditRead), entries)
            .named("Administration", "The audit log, newest first")
            .query::<AuditQuery>()
            .gives::<List<AuditView>>(StatusCode::OK, "lines of the log"),
        Route::get("/api/admin/stats", Policy::needs(Permission::SystemRead), stats)
            .named("Administration", "How much each collection holds")
            .gives::<List<Holding>>(StatusCode::OK, "by name"),
    ]
}

/// Which lines.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// By this person's id.
    user: Option<String>,
    /// Of this kind, such as `prompt_executed`.
    action: Option<String>,
    /// Not before, RFC 3339.
    since: Option<String>,
    /// Before, RFC 3339.
    until: Option<String>,
    /// 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn entries(caller: Caller, Query(query): Query<AuditQuery>) -> Reply {
    let filter = Filter { user: query.user, action: query.action, since: query.since, until: query.until };
    let page = audit::list(&caller.0, &filter, limit(query.limit)?, query.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.into_iter().map(AuditView::from).collect(), next).reply())
}

async fn stats(caller: Caller) -> Reply {
    Ok(List::new(health::collections(&caller.0).await?, None).reply())
}

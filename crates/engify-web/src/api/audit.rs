//! The audit log: as a list, line by line as it grows, as a file, and the state of its chain.

use axum::body::Body;
use axum::extract::Path;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use engify_app::audit::{self, Filter, Format, HeadView, Verdict};
use engify_app::limits::Limit;
use engify_core::Error;
use engify_core::audit::AuditEntry;
use engify_core::permission::Permission;
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limit;
use crate::extract::{Caller, Query};
use crate::policy::Policy;
use crate::reply::{List, Reply, json};
use crate::route::Route;
use crate::sse;
use crate::views::AuditView;

/// A check reads the whole log.
pub(crate) const VERIFY: Limit = Limit::new("audit-verify", 6, 60);

pub(super) fn routes() -> Vec<Route> {
    let reads = || Policy::needs(Permission::AuditRead);
    vec![
        Route::get("/api/admin/audit", reads(), entries)
            .named("Administration", "The audit log, newest first")
            .query::<AuditQuery>()
            .gives::<List<AuditView>>(
                StatusCode::OK,
                "lines of the log: the installation's, or the organization's",
            ),
        Route::get("/api/admin/audit/export", reads(), export)
            .named("Administration", "The audit log as a file")
            .query::<ExportQuery>()
            .gives_nothing(StatusCode::OK, "JSON Lines or CSV, newest first"),
        Route::get("/api/admin/audit/tail", reads(), tail)
            .named("Administration", "Lines of the audit log as they are written")
            .query::<TailQuery>()
            .streams()
            .gives_nothing(StatusCode::OK, "server-sent events `line` for 20 seconds; Last-Event-ID goes on"),
        Route::get("/api/admin/audit/chain", reads(), chain)
            .named("Administration", "Where the audit log's chain ends")
            .gives::<ChainView>(StatusCode::OK, "the newest block"),
        Route::post(
            "/api/admin/audit/verify",
            Policy::needs(Permission::SystemRead).limit(VERIFY).deadline(120),
            verify,
        )
        .named("Administration", "Prove the audit log's chain")
        .gives::<Verdict>(StatusCode::OK, "whether it holds, and where it breaks first"),
        Route::get("/api/admin/audit/{id}", reads(), one)
            .named("Administration", "One line of the audit log")
            .gives::<AuditView>(StatusCode::OK, "the line"),
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
    /// `success`, `refused` or `failed`.
    outcome: Option<String>,
    /// Done to this: an id, or a kind and an id as in `prompt:code-review`.
    target: Option<String>,
    /// From this address.
    address: Option<String>,
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
    let AuditQuery { user, action, outcome, target, address, since, until, limit: asked, cursor } = query;
    let filter = Filter { user, action, outcome, target, address, since, until };
    let page = audit::list(&caller.0, &filter, limit(asked)?, cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.into_iter().map(AuditView::from).collect(), next).reply())
}

async fn one(caller: Caller, Path(id): Path<String>) -> Reply {
    Ok(json(StatusCode::OK, &AuditView::from(audit::read(&caller.0, &id).await?)))
}

/// Which lines, and how they are laid out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// `jsonl` or `csv` [`jsonl`].
    format: Option<String>,
    /// By this person's id.
    user: Option<String>,
    /// Of this kind.
    action: Option<String>,
    /// `success`, `refused` or `failed`.
    outcome: Option<String>,
    /// Done to this.
    target: Option<String>,
    /// From this address.
    address: Option<String>,
    /// Not before, RFC 3339.
    since: Option<String>,
    /// Before, RFC 3339.
    until: Option<String>,
}

async fn export(caller: Caller, Query(query): Query<ExportQuery>) -> Reply {
    let ExportQuery { format, user, action, outcome, target, address, since, until } = query;
    let format =
        Format::parse(format.as_deref().unwrap_or("jsonl")).map_err(|issue| Error::field("format", issue))?;
    let filter = Filter { user, action, outcome, target, address, since, until };
    let file = audit::export(&caller.0, &filter, format).await?;
    Ok(sent(file, format))
}

/// A file on its way. A fault in the middle breaks the connection off, so that nobody takes half a log for a whole one.
pub(crate) fn sent(file: audit::Export, format: Format) -> Response {
    let pieces = stream::try_unfold(file, async |mut file| {
        Ok::<_, Error>(file.next().await?.map(|piece| (piece, file)))
    });
    let kind = match format {
        Format::JsonLines => "application/jsonl; charset=utf-8",
        Format::Csv => "text/csv; charset=utf-8",
    };
    let name = format!("attachment; filename=\"audit.{}\"", format.as_str());
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)];
    (headers, Body::from_stream(pieces)).into_response()
}

/// Which lines.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TailQuery {
    /// By this person's id.
    user: Option<String>,
    /// Of this kind.
    action: Option<String>,
    /// `success`, `refused` or `failed`.
    outcome: Option<String>,
    /// Done to this.
    target: Option<String>,
    /// From this address.
    address: Option<String>,
}

async fn tail(caller: Caller, headers: HeaderMap, Query(query): Query<TailQuery>) -> Reply {
    let TailQuery { user, action, outcome, target, address } = query;
    let filter = Filter { user, action, outcome, target, address, ..Filter::default() };
    let lines = audit::tail(&caller.0, &filter, last_event(&headers)).await?;
    Ok(events(lines, |entry| async move {
        let id = entry.id.to_string();
        let data = serde_json::to_string(&AuditView::from(entry)).unwrap_or_default();
        Event::default().event("line").id(id).data(data)
    }))
}

/// The last line that the reader of an earlier tail saw.
pub(crate) fn last_event(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty())
}

/// A tail as server-sent events.
pub(crate) fn events<F, W>(lines: audit::Tail, render: F) -> Response
where
    F: Fn(AuditEntry) -> W + Send + Sync + 'static,
    W: Future<Output = Event> + Send,
{
    sse::events(stream::unfold((lines, render), async |(mut lines, render)| {
        let event = render(lines.next().await?).await;
        Some((event, (lines, render)))
    }))
}

/// Where the chain ends.
#[derive(Serialize, JsonSchema)]
struct ChainView {
    /// The newest block; null while nothing is sealed.
    head: Option<HeadView>,
}

async fn chain(caller: Caller) -> Reply {
    Ok(json(StatusCode::OK, &ChainView { head: audit::head(&caller.0).await? }))
}

async fn verify(caller: Caller) -> Reply {
    Ok(json(StatusCode::OK, &audit::verify(&caller.0, None, |_, _| {}).await?))
}

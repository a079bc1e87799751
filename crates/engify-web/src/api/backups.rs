//! Backups and drills, for administrators. What changes something is a job; its id is the answer.

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use engify_app::audit::Format;
use engify_app::backups::{self, Coverage, Download};
use engify_app::limits::presets;
use engify_core::Error;
use engify_core::backup::{BackupState, DrillKind};
use engify_core::error::Faults;
use engify_core::permission::Permission;
use futures_util::stream;
use http::{StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;

use super::jobs::{QueuedView, accepted};
use super::limit;
use crate::extract::{Caller, Json, Query};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply, json};
use crate::route::Route;
use crate::views::{BackupView, DrillView, EndingView};

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::SystemBackup);
    const WRITE: Policy = READ.limit(presets::WRITE);
    vec![
        Route::get("/api/admin/backups", READ, list)
            .named("Backups", "Backups, newest first")
            .query::<BackupsQuery>()
            .gives::<List<BackupView>>(StatusCode::OK, "as the database remembers them"),
        Route::post("/api/admin/backups", WRITE, take)
            .named("Backups", "Take a backup and prove it")
            .gives::<Done<QueuedView>>(StatusCode::ACCEPTED, "the job; while it is open, the same one"),
        Route::get("/api/admin/backups/journal", READ, journal)
            .named("Backups", "Which moments can be restored, at each target")
            .gives::<List<Coverage>>(StatusCode::OK, "the first target, then the second"),
        Route::get("/api/admin/backups/retention", READ, retention)
            .named("Backups", "Which backups go next, and why")
            .gives::<List<EndingView>>(StatusCode::OK, "the first to go first"),
        Route::get("/api/admin/backups/{id}", READ, one)
            .named("Backups", "One backup")
            .gives::<BackupView>(StatusCode::OK, "the backup"),
        Route::get("/api/admin/backups/{id}/download", WRITE, download)
            .named("Backups", "A backup as one file; needs a fresh factor")
            .gives_nothing(StatusCode::OK, "a tar of its objects; unpacked, it is a target of its own")
            .refuses(&[StatusCode::CONFLICT]),
        Route::post("/api/admin/backups/{id}/verify", WRITE, verify)
            .named("Backups", "Restore a backup into a scratch database and compare it")
            .gives::<Done<QueuedView>>(StatusCode::ACCEPTED, "the job; while it is open, the same one")
            .refuses(&[StatusCode::CONFLICT]),
        Route::get("/api/admin/drills", READ, drills)
            .named("Backups", "Drills, newest first")
            .query::<DrillsQuery>()
            .gives::<List<DrillView>>(StatusCode::OK, "what was tried, and what it cost"),
        Route::post("/api/admin/drills", WRITE, drill)
            .named("Backups", "Run a drill against a copy")
            .takes::<DrillBody>()
            .gives::<Done<QueuedView>>(StatusCode::ACCEPTED, "the job; while it is open, the same one"),
        Route::get("/api/admin/drills/export", READ, export)
            .named("Backups", "All drills as a file, for auditors")
            .query::<ExportQuery>()
            .gives_nothing(StatusCode::OK, "JSON Lines or CSV, newest first"),
    ]
}

/// Which backups.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BackupsQuery {
    /// `running`, `taken`, `verified`, `failed` or `pruned`.
    state: Option<String>,
    /// 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn list(caller: Caller, Query(query): Query<BackupsQuery>) -> Reply {
    let state = word(query.state.as_deref(), "state", BackupState::parse)?;
    let page = backups::list(&caller.0, state, limit(query.limit)?, query.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.iter().map(BackupView::from).collect(), next).reply())
}

/// A word of a query, where one is given.
pub(crate) fn word<T>(
    given: Option<&str>,
    field: &str,
    parse: fn(&str) -> Result<T, String>,
) -> engify_core::Result<Option<T>> {
    let mut faults = Faults::default();
    let given = given.filter(|word| !word.is_empty()).and_then(|word| faults.take(field, parse(word)));
    faults.check()?;
    Ok(given)
}

async fn take(caller: Caller) -> Reply {
    accepted(backups::take(&caller.0).await?)
}

async fn journal(caller: Caller) -> Reply {
    let recent = backups::recent(&caller.0).await?;
    Ok(List::new(backups::coverage(&caller.0, &recent).await?, None).reply())
}

async fn retention(caller: Caller) -> Reply {
    let recent = backups::recent(&caller.0).await?;
    let keep = &caller.0.app().settings().backups.keep;
    let endings = backups::endings(&recent, keep, caller.0.now());
    Ok(List::new(endings.iter().map(EndingView::from).collect(), None).reply())
}

async fn one(caller: Caller, Path(id): Path<String>) -> Reply {
    Ok(json(StatusCode::OK, &BackupView::from(&backups::get(&caller.0, &id).await?)))
}

async fn verify(caller: Caller, Path(id): Path<String>) -> Reply {
    accepted(backups::verify(&caller.0, &id).await?)
}

async fn download(caller: Caller, Path(id): Path<String>) -> Reply {
    Ok(sent(backups::download(&caller.0, &id).await?, &id))
}

/// A backup on its way. A fault in the middle breaks the connection off, so that nobody takes half of it for a whole one.
pub(crate) fn sent(file: Download, id: &str) -> Response {
    let length = file.bytes().to_string();
    let pieces = stream::try_unfold(file, async |mut file| {
        Ok::<_, Error>(file.next().await?.map(|piece| (piece, file)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"engify-{id}.tar\"")),
        (header::CONTENT_LENGTH, length),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// Which drills.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DrillsQuery {
    /// Of this kind: `restore`, `point-in-time`, …
    kind: Option<String>,
    /// 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn drills(caller: Caller, Query(query): Query<DrillsQuery>) -> Reply {
    let kind = word(query.kind.as_deref(), "kind", DrillKind::parse)?;
    let page = backups::drills(&caller.0, kind, limit(query.limit)?, query.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.iter().map(DrillView::from).collect(), next).reply())
}

/// What to practise.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DrillBody {
    /// Which disaster.
    kind: DrillKind,
}

async fn drill(caller: Caller, Json(body): Json<DrillBody>) -> Reply {
    accepted(backups::drill(&caller.0, body.kind).await?)
}

/// How the file is laid out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// `jsonl` or `csv` [`jsonl`].
    format: Option<String>,
}

async fn export(caller: Caller, Query(query): Query<ExportQuery>) -> Reply {
    let format = Format::parse(query.format.as_deref().unwrap_or("jsonl"));
    let format = format.map_err(|issue| Error::field("format", issue))?;
    Ok(file(backups::export(&caller.0, format).await?, format))
}

/// Drills as a file to be saved.
pub(crate) fn file(text: String, format: Format) -> Response {
    let kind = match format {
        Format::JsonLines => "application/jsonl; charset=utf-8",
        Format::Csv => "text/csv; charset=utf-8",
    };
    let name = format!("attachment; filename=\"drills.{}\"", format.as_str());
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)], text).into_response()
}

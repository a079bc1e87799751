//! Drills: what was tried, how long it took and what was missing; for people and, as a file, for auditors.

use engify_core::backup::{Drill, DrillKind};
use engify_core::cells;
use engify_core::permission::Permission;
use engify_core::{Error, Result};
use engify_store::{Cursor, Page, queries};

use crate::Ctx;
use crate::audit::Format;

/// The most drills of one export: one a day for 27 years.
const MOST: usize = 10_000;

/// Drills, newest first; `kind`: those of this one only.
///
/// # Errors
/// `forbidden` without `system:backup`; `invalid_cursor`.
pub async fn drills(
    ctx: &Ctx,
    kind: Option<DrillKind>,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page<Drill>> {
    ctx.require(Permission::SystemBackup)?;
    let query = queries::drills(kind);
    let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// The newest drill; none while there was none.
///
/// # Errors
/// `forbidden` without `system:backup`; those of the store.
pub async fn newest_drill(ctx: &Ctx) -> Result<Option<Drill>> {
    Ok(drills(ctx, None, 1, None).await?.items.pop())
}

/// All drills as a file, newest first; at most 10 000, the newest.
///
/// # Errors
/// `forbidden` without `system:backup`; those of the store.
pub async fn export(ctx: &Ctx, format: Format) -> Result<String> {
    ctx.require(Permission::SystemBackup)?;
    let mut file = match format {
        Format::JsonLines => String::new(),
        Format::Csv => format!("{}\r\n", COLUMNS.join(",")),
    };
    let mut rows = 0;
    let mut query = queries::drills(None).limit(1000);
    while rows < MOST {
        let page = ctx.app().store().find(&query).await?;
        rows += page.items.len();
        for drill in &page.items {
            match format {
                Format::JsonLines => json_line(drill, &mut file)?,
                Format::Csv => file.push_str(&csv_line(drill)),
            }
        }
        if page.next.is_none() {
            break;
        }
        query = query.after(page.next);
    }
    Ok(file)
}

fn json_line(drill: &Drill, out: &mut String) -> Result<()> {
    let mut value = serde_json::to_value(drill).map_err(Error::internal)?;
    if let Some(fields) = value.as_object_mut()
        && let Some(id) = fields.remove("_id")
    {
        fields.insert("id".to_owned(), id);
    }
    out.push_str(&value.to_string());
    out.push('\n');
    Ok(())
}

const COLUMNS: [&str; 10] = [
    "startedAt",
    "finishedAt",
    "kind",
    "outcome",
    "rtoSeconds",
    "rtoGoalSeconds",
    "rpoSeconds",
    "rpoGoalSeconds",
    "steps",
    "id",
];

fn csv_line(drill: &Drill) -> String {
    let seconds = |seconds: Option<f64>| seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
    let steps = drill.steps.iter().map(|step| format!("{} ({} s): {}", step.name, step.seconds, step.found));
    cells::row([
        drill.started_at.to_string(),
        drill.finished_at.to_string(),
        drill.kind.to_string(),
        drill.outcome.to_string(),
        seconds(drill.rto_seconds),
        drill.goals.rto_seconds.to_string(),
        seconds(drill.rpo_seconds),
        drill.goals.rpo_seconds.to_string(),
        steps.collect::<Vec<_>>().join("; "),
        drill.id.to_string(),
    ])
}

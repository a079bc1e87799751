//! The log as a file: JSON Lines or CSV, page after page as the reader takes it.

use std::collections::VecDeque;

use engify_core::audit::{Action, AuditEntry, Outcome, Target};
use engify_core::cells;
use engify_core::{Error, Result};
use engify_store::{Batch, Cursor, Query, queries};
use serde_json::json;

use super::Filter;
use crate::Ctx;

/// Lines that are read at a time: what an export holds in memory, however long it is.
const LINES: u32 = 200;

/// How lines are laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, as the API shows it.
    JsonLines,
    /// A table with a header, for spreadsheets.
    Csv,
}

impl Format {
    /// Reads `jsonl` or `csv`.
    ///
    /// # Errors
    /// Names the two.
    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "jsonl" => Ok(Self::JsonLines),
            "csv" => Ok(Self::Csv),
            _ => Err("is jsonl or csv".to_owned()),
        }
    }

    /// The word, which is also the file's ending.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// A file on its way out.
pub struct Export {
    ctx: Ctx,
    query: Query<AuditEntry>,
    format: Format,
    ready: VecDeque<String>,
    after: Option<Cursor>,
    ended: bool,
    lines: u64,
}

/// Begins an export of the lines that the caller may see, newest first; that it was made is a line itself.
///
/// # Errors
/// `forbidden` without `audit:read`; `invalid_request`; those of the store.
pub async fn export(ctx: &Ctx, filter: &Filter, format: Format) -> Result<Export> {
    let query = queries::audit_entries(super::scope(ctx)?, &filter.read()?).limit(LINES);
    let given = json!({
        "user": filter.user, "action": filter.action, "outcome": filter.outcome, "target": filter.target,
        "address": filter.address, "since": filter.since, "until": filter.until,
    });
    let details = json!({ "format": format.as_str(), "filter": given });
    let line = ctx.audit(Action::AuditExported, Outcome::Success, Target::new("audit", "export"), details);
    ctx.app().store().write(Batch::new().insert(&line)?).await?;
    let header = matches!(format, Format::Csv).then(|| format!("{}\r\n", COLUMNS.join(",")));
    Ok(Export {
        ctx: ctx.clone(),
        query,
        format,
        ready: header.into_iter().collect(),
        after: None,
        ended: false,
        lines: 0,
    })
}

impl Export {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn next(&mut self) -> Result<Option<String>> {
        if let Some(piece) = self.ready.pop_front() {
            return Ok(Some(piece));
        }
        if self.ended {
            return Ok(None);
        }
        let page = self.ctx.app().store().find(&self.query.clone().after(self.after.take())).await?;
        let mut piece = String::with_capacity(page.items.len() * 400);
        for entry in &page.items {
            match self.format {
                Format::JsonLines => json_line(entry, &mut piece)?,
                Format::Csv => csv_line(entry, &mut piece),
            }
        }
        self.lines += page.items.len() as u64;
        self.ended = page.next.is_none();
        self.after = page.next;
        Ok((!piece.is_empty()).then_some(piece))
    }

    /// How many lines of the log came out so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}

fn json_line(entry: &AuditEntry, out: &mut String) -> Result<()> {
    let mut value = serde_json::to_value(entry).map_err(Error::internal)?;
    if let Some(fields) = value.as_object_mut()
        && let Some(id) = fields.remove("_id")
    {
        fields.insert("id".to_owned(), id);
    }
    out.push_str(&value.to_string());
    out.push('\n');
    Ok(())
}

const COLUMNS: [&str; 13] = [
    "createdAt",
    "action",
    "outcome",
    "userId",
    "organizationId",
    "keyId",
    "targetKind",
    "targetId",
    "address",
    "agent",
    "requestId",
    "details",
    "id",
];

fn csv_line(entry: &AuditEntry, out: &mut String) {
    let AuditEntry {
        id,
        user_id,
        organization_id,
        key_id,
        action,
        outcome,
        target,
        address,
        agent,
        request_id,
        details,
        created_at,
    } = entry;
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    let cells = [
        created_at.to_string(),
        action.to_string(),
        outcome.to_string(),
        text(user_id.as_ref().map(|id| id.as_str())),
        text(organization_id.as_ref().map(|id| id.as_str())),
        text(key_id.as_ref().map(|id| id.as_str())),
        target.kind.clone(),
        target.id.clone(),
        address.clone(),
        agent.clone(),
        request_id.clone(),
        details.to_string(),
        id.to_string(),
    ];
    out.push_str(&cells::row(cells));
}

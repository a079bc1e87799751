//! `engify security audit-export`: the audit log as a file, as the API gives it.

use std::path::Path;

use engify_app::Ctx;
use engify_app::audit::{self, Filter, Format};
use serde_json::json;

use super::out_file::OutFile;
use crate::cli::{AuditExport, Lines};
use crate::printer;
use crate::stop::{Ended, Verdict};

/// Writes the lines that are asked for, and tells how many.
pub(super) async fn run(ctx: &Ctx, options: AuditExport) -> Ended {
    let AuditExport { out, format, user, action, outcome, target, address, since, until, report } = options;
    let format = layout(format, &out);
    let filter = Filter { user, action, outcome, target, address, since, until };
    if out == Path::new("-") {
        let mut export = audit::export(ctx, &filter, format).await?;
        while let Some(piece) = export.next().await? {
            printer::raw(&piece)?;
        }
        return Ok(Verdict::Done);
    }
    // First of all: the log tells of no export that could not be written.
    let mut file = OutFile::begin(&out).await?;
    let mut export = audit::export(ctx, &filter, format).await?;
    let mut bytes = 0;
    while let Some(piece) = export.next().await? {
        file.write(piece.as_bytes()).await?;
        bytes += piece.len() as u64;
    }
    file.finish().await?;
    let (lines, out) = (export.lines(), out.display().to_string());
    if report.json {
        printer::json(&json!({ "out": out, "format": format.as_str(), "lines": lines, "bytes": bytes }))?;
    } else {
        printer::line(format_args!("Wrote {lines} lines, {}, to {out}", printer::bytes(bytes)))?;
    }
    Ok(Verdict::Done)
}

fn layout(asked: Option<Lines>, out: &Path) -> Format {
    let csv = match asked {
        Some(asked) => asked == Lines::Csv,
        None => out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")),
    };
    if csv { Format::Csv } else { Format::JsonLines }
}

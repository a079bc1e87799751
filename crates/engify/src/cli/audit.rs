//! What may be typed after `engify security audit-…`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engify_app::audit::Anchor;

use super::Report;

/// What to prove beside the chain itself.
#[derive(Debug, Args)]
pub(crate) struct AuditVerify {
    /// A block that was there before, as an earlier check or the log named it: also prove that nothing was cut off
    #[arg(long, value_name = "NUMBER:HASH", value_parser = anchor)]
    pub(crate) head: Option<Anchor>,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Which lines of the audit log to write where.
#[derive(Debug, Args)]
pub(crate) struct AuditExport {
    /// The file, - for stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The layout; left out, the ending of FILE says it
    #[arg(long, value_enum)]
    pub(crate) format: Option<Lines>,
    /// Only what this person did, by id
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<String>,
    /// Only of this kind, such as user_signed_in
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only success, refused or failed
    #[arg(long)]
    pub(crate) outcome: Option<String>,
    /// Only what was done to this: an id, or a kind and an id as in prompt:code-review
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Only from this address
    #[arg(long)]
    pub(crate) address: Option<String>,
    /// Not before, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// How lines are laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lines {
    /// One JSON object a line
    Jsonl,
    /// A table for spreadsheets
    Csv,
}

fn anchor(text: &str) -> Result<Anchor, String> {
    let read = text.split_once(':').and_then(|(block, hash)| Some((block.parse::<u64>().ok()?, hash)));
    match read {
        Some((block, hash)) if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Anchor { block, hash: hash.to_owned() })
        }
        _ => Err("is not NUMBER:HASH with 64 hex digits".to_owned()),
    }
}

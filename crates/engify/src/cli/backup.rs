//! Backups, and single collections to files and back.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Report;

/// What to take, and where to put it.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The layout: engify is proven, compressed and kept by the table; mongodump is for mongorestore and the like
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Layout,
    /// A folder to put it into, instead of BACKUP_TARGET
    #[arg(long, value_name = "DIR", conflicts_with = "to")]
    pub(crate) out: Option<PathBuf>,
    /// Another target: file:path or s3://bucket/prefix
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// How a backup is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// Parts and a manifest: docs/backup-format.md
    #[default]
    Engify,
    /// <collection>.bson and <collection>.metadata.json, neither compressed nor encrypted
    Mongodump,
}

/// Which target to list.
#[derive(Debug, Args)]
pub(crate) struct Backups {
    /// Another target than BACKUP_TARGET: file:path or s3://bucket/prefix
    #[arg(long, value_name = "URL")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// What to verify.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// An id, a target, or a backup at a target [the newest at BACKUP_TARGET]
    #[arg(value_name = "ID|PATH|URL")]
    pub(crate) backup: Option<String>,
    /// Also restore it into a scratch database and compare every document
    #[arg(long)]
    pub(crate) deep: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// What to export.
#[derive(Debug, Args)]
pub(crate) struct CollectionExport {
    /// The collection, as `engify db stats` names it: users, prompts, api_keys, …
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: String,
    /// The file, - for stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The layout
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Table,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// How documents are laid out in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Table {
    /// MongoDB Extended JSON, one document a line, as mongoexport writes it
    #[default]
    Json,
    /// A table for spreadsheets
    Csv,
    /// BSON, as mongodump writes it
    Bson,
}

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct CollectionImport {
    /// The collection
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: String,
    /// Extended JSON, one document a line; or .bson
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Do it; without it only the plan is printed
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

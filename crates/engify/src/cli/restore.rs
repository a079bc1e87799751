//! Restores, differences between moments, drills.

use clap::{Args, ValueEnum};
use engify_core::backup::DrillKind;
use engify_ops::restore::Moment;

use super::{Report, assignment};

/// What to bring back.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// A backup's id, a target, or a folder of mongodump [the newest backup that leads to the moment]
    #[arg(long, value_name = "ID|PATH|URL")]
    pub(crate) from: Option<String>,
    /// The moment: a time such as 2026-11-22T18:04:05Z, or a position of the journal
    #[arg(long, value_name = "TIME|POSITION", value_parser = Moment::parse)]
    pub(crate) at: Option<Moment>,
    /// Another database than the one of the settings: mongodb://… or a data folder
    #[arg(long, value_name = "URL|DIR")]
    pub(crate) into: Option<String>,
    /// Only this collection; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Vec<String>,
    /// Of the one collection, only documents whose field has this value, then or now
    #[arg(long, value_name = "FIELD=VALUE", value_parser = assignment)]
    pub(crate) filter: Vec<(String, String)>,
    /// Let keys and accounts that were revoked or disabled since come back to life
    #[arg(long)]
    pub(crate) revive: bool,
    /// Do everything but the switch, and tell what differs
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do it; without it only the plan is printed
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Between which moments.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The first moment: a time or a position of the journal
    #[arg(long, value_name = "TIME|POSITION", value_parser = Moment::parse)]
    pub(crate) from: Moment,
    /// The second [now]
    #[arg(long, value_name = "TIME|POSITION", value_parser = Moment::parse)]
    pub(crate) to: Option<Moment>,
    /// Only this collection; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Vec<String>,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// What to practise.
#[derive(Debug, Args)]
pub(crate) struct Drill {
    /// What goes wrong
    #[arg(value_enum)]
    pub(crate) kind: Disaster,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// What goes wrong in a drill, against a copy.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Disaster {
    /// The machine is lost with its disk
    Restore,
    /// Somebody deletes what they should not have
    PointInTime,
    /// The disk fills up
    DiskFull,
    /// The database file is damaged
    Corruption,
    /// The first backup target is lost as well
    LostTarget,
    /// A restore is killed half-way
    KillDuringRestore,
    /// A change of the whole database is taken back
    Rollback,
}

impl Disaster {
    pub(crate) fn kind(self) -> DrillKind {
        match self {
            Self::Restore => DrillKind::Restore,
            Self::PointInTime => DrillKind::PointInTime,
            Self::DiskFull => DrillKind::DiskFull,
            Self::Corruption => DrillKind::Corruption,
            Self::LostTarget => DrillKind::LostTarget,
            Self::KillDuringRestore => DrillKind::KillDuringRestore,
            Self::Rollback => DrillKind::Rollback,
        }
    }
}

//! Moving to another database.

use clap::Args;

use super::Report;

/// Where to move to.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// The new database: mongodb://… or mongodb+srv://…, or the data folder of an embedded one
    #[arg(long, value_name = "URL|DIR")]
    pub(crate) to: String,
    /// Instead delete what an interrupted migration copied to there, so that it can be used for something else
    #[arg(long)]
    pub(crate) give_up: bool,
    /// Do it; without it only the plan is printed
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

//! What may be typed after `engify jobs` and `engify cron`.

use clap::{Args, Subcommand};
use engify_core::job::JobState;
use serde_json::Value;

use super::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// List jobs, the newest first; exit code 1 where there are dead letters among them
    List(ListJobs),
    /// Do a job here and now, or have servers do it
    Run(RunJob),
    /// Do a dead letter again
    Retry {
        /// The job's id, as `engify jobs list --state dead` shows it
        id: String,
        #[command(flatten)]
        how: How,
    },
    /// Call off a job that waits or runs; one that runs ends within seconds
    Cancel {
        /// The job's id, as `engify jobs list` shows it
        id: String,
        #[command(flatten)]
        report: Report,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cron {
    /// List the schedules: times, next and last
    List(Report),
    /// Do the job of a schedule now
    Run(RunCron),
}

/// Which jobs to list.
#[derive(Debug, Args)]
pub(crate) struct ListJobs {
    /// queued, running, done, dead or cancelled
    #[arg(long, value_parser = JobState::parse)]
    pub(crate) state: Option<JobState>,
    /// Only this kind
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// How many, 1 to 100
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Which job to do.
#[derive(Debug, Args)]
pub(crate) struct RunJob {
    /// Which: a wrong one is answered with those that there are
    pub(crate) kind: String,
    /// What its handler is told
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub(crate) payload: Option<Value>,
    /// Of jobs with this key, one only is open at a time
    #[arg(long)]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) how: How,
}

/// Which schedule.
#[derive(Debug, Args)]
pub(crate) struct RunCron {
    /// Its name, as `engify cron list` shows it
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) how: How,
}

/// Who does it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct How {
    /// Leave it to the servers instead of doing it here and waiting for its end
    #[arg(long)]
    pub(crate) queue: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

impl Jobs {
    /// Whether the person asked for JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::List(list) => list.report.json,
            Self::Run(run) => run.how.report.json,
            Self::Retry { how, .. } => how.report.json,
            Self::Cancel { report, .. } => report.json,
        }
    }
}

impl Cron {
    /// Whether the person asked for JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::List(report) => report.json,
            Self::Run(run) => run.how.report.json,
        }
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|fault| format!("is not JSON: {fault}"))
}

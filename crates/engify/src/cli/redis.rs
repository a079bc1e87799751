//! What may be typed after `engify redis`.

use clap::{Args, Subcommand};

use super::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Redis {
    /// Try all that is used of it: round trip, locks, limits, version, memory, encryption, latency
    Test(RedisTest),
    /// Ask once whether it answers
    Health(Report),
    /// Delete what is ours there, and nothing else
    Flush(Flush),
}

impl Redis {
    /// Whether the person asked for JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Test(test) => test.report.json,
            Self::Health(report) => report.json,
            Self::Flush(flush) => flush.report.json,
        }
    }
}

/// How to test.
#[derive(Debug, Args)]
pub(crate) struct RedisTest {
    /// How often to read for the latency, 1 to 100000
    #[arg(long, default_value_t = 500, value_parser = rounds)]
    pub(crate) rounds: usize,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Whether to delete.
#[derive(Debug, Args)]
pub(crate) struct Flush {
    /// Delete; without it the plan is printed
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds @ 1..=100_000) => Ok(rounds),
        _ => Err("is not a whole number from 1 to 100000".to_owned()),
    }
}

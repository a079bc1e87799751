//! `cargo xtask ci`: what must pass before a merge. The same on a laptop as in the workflow.

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{Outcome, process, test};

#[derive(clap::Args)]
// Two structs of this name would be two groups of this name.
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    test: test::Options,
}

/// The image is to stay under 60 MB: the binary, and 6 MB for the base and the C library (`deploy/Dockerfile`).
const LARGEST: u64 = 54_000_000;

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    let cargo = |arguments: &[&str]| process::run(workspace.cargo().args(arguments));
    let mut failed = Vec::new();
    // Cheapest first; each one runs even when an earlier one failed, so that one round shows all there is to do.
    if !cargo(&["fmt", "--all", "--check"])? {
        failed.push("format: run `cargo fmt --all`");
    }
    if !cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])? {
        failed.push("lints: see clippy's findings above");
    }
    if !cargo(&["build", "--release", "--locked", "--package", "engify"])? {
        failed.push("release build: see the error above");
    } else if std::fs::metadata(workspace.target.join("release/engify"))?.len() > LARGEST {
        failed.push("size: the image would be larger than 60 MB");
    }
    let tests = test::run(workspace, &options.test)?;
    for step in &failed {
        eprintln!("failed: {step}");
    }
    Ok(Outcome::of(failed.is_empty() && tests == Outcome::Done))
}

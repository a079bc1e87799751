//! `cargo xtask faults`: a site of three replicas under load, and one thing after the other that breaks. It says for each what
//! callers noticed, holds that against what we promise, and writes the table of docs/reliability.md.
//!
//! Promised whatever happens: no acknowledged write is lost, nobody is told that they are signed out or that there is
//! nothing because something is away, and the site recovers by itself.

mod fault;
mod http;
mod load;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::cluster::{self, Cluster, Plan};
use crate::server::free_port;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{Outcome, parts};

use fault::Fault;
use load::Load;
use report::Row;

/// What the faults need.
pub(crate) const PARTS: &[&str] = cluster::PARTS;
/// How long a fault lasts, in full and in short.
const LASTS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3));
/// So long without a failure, and the site counts as recovered.
const CALM: Duration = Duration::from_secs(2);
/// The longest that recovery is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the faults whose names contain this; the table is then printed and not written.
    filter: Option<String>,
    /// Each fault for 3 s instead of 10; the table is then printed and not written.
    #[arg(long)]
    quick: bool,
    /// The debug build instead of the release build.
    #[arg(long)]
    debug: bool,
    /// This program instead of one built now.
    #[arg(long = "bin", value_name = "PATH", conflicts_with = "debug")]
    binary: Option<PathBuf>,
}

impl Options {
    /// Which build is broken; one that is given says so by its folder.
    fn build(&self) -> &'static str {
        let in_debug = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "debug");
        if self.debug || self.binary.as_ref().is_some_and(in_debug) { "debug" } else { "release" }
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    parts::require(workspace, PARTS)?;
    let binary = cluster::binary(workspace, options.binary.as_deref(), !options.debug)?;
    let wanted = |fault: &Fault| options.filter.as_ref().is_none_or(|part| fault.name().contains(part));
    let lasts = if options.quick { LASTS.1 } else { LASTS.0 };
    let (rows, mut tally) = break_all(workspace, binary, lasts, wanted)?;
    tally.fail_if_empty("no fault has such a name");
    println!("{}", report::table(&rows));
    if options.filter.is_none() && !options.quick {
        report::write(workspace, &rows, options.build())?;
    }
    tally.print();
    Ok(Outcome::of(tally.is_good()))
}

/// All faults as one group of tests, short unless `deep`.
pub(crate) fn tests(workspace: &Workspace, deep: bool) -> Result<Tally> {
    let lasts = if deep { LASTS.0 } else { LASTS.1 };
    let binary = cluster::binary(workspace, None, false)?;
    let (rows, tally) = break_all(workspace, binary, lasts, |_| true)?;
    println!("{}", report::table(&rows));
    Ok(tally)
}

fn break_all(
    workspace: &Workspace,
    binary: PathBuf,
    lasts: Duration,
    wanted: impl Fn(&Fault) -> bool,
) -> Result<(Vec<Row>, Tally)> {
    let plan = Plan { binary, replicas: 3, port: free_port()?, with_network: true };
    let mut cluster = Cluster::start(workspace, &plan)?;
    let (mut rows, mut tally) = (Vec::new(), Tally::default());
    let load = Load::start(&cluster.url)?;
    wait_for_calm(&load).context("the site is not well before anything is broken")?;
    for fault in Fault::ALL.iter().filter(|fault| wanted(fault)) {
        if fault.needs_network() && cluster.network.is_none() {
            tally.skip(format!("faults: {}: needs root and Linux' network namespaces", fault.name()));
            continue;
        }
        eprintln!("faults: {}", fault.name());
        let begun = Instant::now();
        fault.begin(&mut cluster).with_context(|| format!("cannot break: {}", fault.name()))?;
        pass(lasts.max(fault.at_least()).saturating_sub(begun.elapsed()));
        let mended = Instant::now();
        fault.end(&mut cluster).with_context(|| format!("cannot mend: {}", fault.name()))?;
        let calm = wait_for_calm(&load);
        rows.push(Row::of(*fault, load.take(), (begun, mended), calm.is_ok()));
    }
    for (row, lost) in rows.iter_mut().zip(load.stop_and_read_back()?) {
        row.lost = lost;
    }
    for row in &rows {
        let broken = row.broken_promises();
        if broken.is_empty() {
            tally.pass();
        }
        broken.into_iter().for_each(|line| tally.fail(format!("faults: {}: {line}", row.fault.name())));
    }
    if !tally.is_good() {
        for replica in &cluster.replicas {
            eprintln!("--- {}\n{}", replica.name, replica.last_words());
        }
    }
    Ok((rows, tally))
}

/// Waits until nothing has failed for a while.
fn wait_for_calm(load: &Load) -> Result<()> {
    let begun = Instant::now();
    loop {
        pass(Duration::from_millis(100));
        let since = load.last_failure().map_or(begun, |failure| failure.max(begun));
        if since.elapsed() >= CALM {
            return Ok(());
        }
        anyhow::ensure!(begun.elapsed() < PATIENCE, "requests still fail after {} s", PATIENCE.as_secs());
    }
}

/// Lets time pass: how long things are broken, and how fast callers ask, is part of the experiment.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no event to wait for: time itself is what is measured"
)]
fn pass(time: Duration) {
    std::thread::sleep(time);
}

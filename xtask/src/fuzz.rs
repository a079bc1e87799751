//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer, each for a while, from their seeds on.
//!
//! The layout is cargo-fuzz's, and `cargo fuzz run NAME fuzz/corpus/NAME fuzz/seeds/NAME` does the same where it is installed.
//! It asks for a nightly compiler, for the address sanitizer; this chore does not: coverage alone is in the stable one, and
//! none of our code is `unsafe`. It refuses to know what a target checks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, Result, ensure};

use crate::Outcome;
use crate::process::{capture, must_run};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// How long each target runs unless something else is said, seconds.
const SECONDS: u32 = 60;

/// What the compiler is told: counters at every edge and what comparisons compare, which libFuzzer is led by.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
                     -Ccodegen-units=1";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the targets whose names contain this.
    name: Option<String>,
    /// How long each target runs, seconds.
    #[arg(long, default_value_t = SECONDS)]
    seconds: u32,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    let targets = targets(workspace, options.name.as_deref().unwrap_or_default())?;
    let tally = fuzz(workspace, &targets, options.seconds)?;
    tally.print();
    Ok(Outcome::of(tally.is_good()))
}

/// Every target for a minute.
pub(crate) fn tally(workspace: &Workspace) -> Result<Tally> {
    fuzz(workspace, &targets(workspace, "")?, SECONDS)
}

fn fuzz(workspace: &Workspace, targets: &[String], seconds: u32) -> Result<Tally> {
    ensure!(!targets.is_empty(), "no target has such a name; they are the files of fuzz/fuzz_targets");
    let programs = build(workspace, targets)?;
    let left = Mutex::new(targets.iter());
    let tally = Mutex::new(Tally::default());
    let side_by_side = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..side_by_side {
            scope.spawn(|| {
                // Both locks are held by nobody who could panic.
                while let Some(name) = left.lock().ok().and_then(|mut left| left.next()) {
                    let survived = survives(workspace, &programs, name, seconds);
                    let Ok(mut tally) = tally.lock() else { return };
                    match survived {
                        Ok(said) => {
                            println!("ok fuzz {name}: {said}");
                            tally.pass();
                        }
                        Err(fault) => tally.fail(format!("fuzz {name}: {fault:#}")),
                    }
                }
            });
        }
    });
    tally.into_inner().ok().context("a thread that fuzzes panicked")
}

/// Builds the targets and says where they are. With `--target`, build scripts and macros are spared the counters.
fn build(workspace: &Workspace, targets: &[String]) -> Result<PathBuf> {
    let manifest = workspace.root.join("fuzz/Cargo.toml");
    // The very versions that ship are fuzzed: whatever else the targets need is added to a copy.
    let lock = workspace.root.join("fuzz/Cargo.lock");
    std::fs::copy(workspace.root.join("Cargo.lock"), &lock)
        .with_context(|| format!("cannot write {}", lock.display()))?;
    let about = capture(Command::new("rustc").arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let folder = workspace.target.join("fuzz");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--target", host, "--manifest-path"]).arg(&manifest);
    cargo.arg("--target-dir").arg(&folder).env("RUSTFLAGS", FLAGS);
    cargo.args(targets.iter().flat_map(|name| ["--bin", name]));
    must_run(&mut cargo)?;
    Ok(folder.join(host).join("release"))
}

/// Runs one target; what it says at its end.
fn survives(workspace: &Workspace, programs: &Path, name: &str, seconds: u32) -> Result<String> {
    let folder = |kind: &str| workspace.root.join("fuzz").join(kind).join(name);
    let (corpus, artifacts) = (folder("corpus"), folder("artifacts"));
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut program = Command::new(programs.join(name));
    program
        .args([format!("-max_total_time={seconds}"), format!("-artifact_prefix={}/", artifacts.display())])
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
        .args([corpus, folder("seeds")])
        .stdin(Stdio::null());
    let output = program.output().with_context(|| format!("cannot start {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", last_lines(&said));
    Ok(runs(&said).map_or_else(|| "done".to_owned(), |runs| format!("{runs} cases")))
}

/// How many cases were run, as libFuzzer writes it at the end.
fn runs(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")).map(str::trim)
}

fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// The targets whose names contain `part`, in order.
fn targets(workspace: &Workspace, part: &str) -> Result<Vec<String>> {
    let folder = workspace.root.join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if name.contains(part) {
            names.push(name.into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_cases_is_read_from_the_last_figures() {
        let said = "#1024 pulse\nDone 4096 runs in 61 second(s)\nstat::number_of_executed_units: 4096\nstat::average_exec_per_sec:     67\n";
        assert_eq!(runs(said), Some("4096"));
        assert_eq!(runs("==1== ERROR: libFuzzer: deadly signal"), None);
    }
}

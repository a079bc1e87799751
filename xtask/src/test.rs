//! `cargo xtask test`: every test there is, and one line of totals. It knows the order and the counting; what a group
//! checks is its own file's business.

use anyhow::Result;

use crate::parts::{self, Missing};
use crate::process::stream;
use crate::tally::{CargoTests, Tally};
use crate::workspace::Workspace;
use crate::{Outcome, e2e, faults, fuzz, scan, tidy};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave out the tests whose servers or tools cannot be installed here, instead of failing.
    #[arg(long)]
    allow_missing: bool,
    /// Also what takes long: fuzzing, more cases of bad input, page scores, and Rust tests that ask for ENGIFY_DEEP.
    #[arg(long)]
    pub(crate) deep: bool,
    /// Only Rust tests whose names contain this.
    filter: Option<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    let missing = parts::install_all(workspace)?;
    let mut total = Tally::default();
    if !workspace.root.join("../shared").is_dir() {
        total.note("what reads ../shared, which is absent");
    }
    total.add(rust(workspace, options, &missing)?);
    if options.filter.is_some() {
        total.note("everything but Rust tests, because of the filter");
        total.fail_if_empty("the filter matches no test");
    } else {
        let groups = Groups { missing: &missing, allow_missing: options.allow_missing };
        total.add(groups.run("tidy", &[], || tidy::tally(workspace)));
        total.add(groups.run("browser", e2e::PARTS, || e2e::browser_tests(workspace)));
        total.add(
            groups.run("bad input", e2e::CONTRACT_PARTS, || e2e::bad_input_tests(workspace, options.deep)),
        );
        total.add(groups.run("scan", scan::PARTS, || scan::scans(workspace)));
        total.add(groups.run("faults", faults::PARTS, || faults::tests(workspace, options.deep)));
        if options.deep {
            total.add(groups.run("fuzz", &[], || fuzz::tally(workspace)));
            total.add(groups.run("page scores", e2e::LIGHTHOUSE_PARTS, || e2e::page_scores(workspace)));
        }
    }
    total.print();
    Ok(Outcome::of(total.is_good()))
}

fn rust(workspace: &Workspace, options: &Options, missing: &[Missing]) -> Result<Tally> {
    let mut command = workspace.cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]).args(&options.filter).arg("--");
    command.env("ENGIFY_PARTS", workspace.parts());
    if options.deep {
        command.env("ENGIFY_DEEP", "1");
    }
    let mut lacking = Tally::default();
    for (part, word) in missing.iter().filter_map(|part| Some((part, part.test_word?))) {
        if options.allow_missing {
            command.args(["--skip", word]);
            lacking.skip(format!("Rust tests named {word}: {} is missing", part.name));
        } else {
            lacking.fail(format!("Rust tests named {word}: {} is missing: {}", part.name, part.reason));
        }
    }
    let mut tests = CargoTests::default();
    let status = stream(&mut command, |stream, line| tests.look(stream, line))?;
    let mut tally = tests.end(status.success());
    tally.add(lacking);
    Ok(tally)
}

/// Runs groups of tests, or says why one did not run.
struct Groups<'a> {
    missing: &'a [Missing],
    allow_missing: bool,
}

impl Groups<'_> {
    fn run(&self, name: &str, needs: &[&str], group: impl FnOnce() -> Result<Tally>) -> Tally {
        let mut tally = Tally::default();
        match self.missing.iter().find(|part| needs.contains(&part.name)) {
            Some(part) if self.allow_missing => {
                tally.skip(format!("{name}: {} is missing: {}", part.name, part.reason));
            }
            Some(part) => {
                tally.fail(format!("{name}: did not run, {} is missing: {}", part.name, part.reason));
            }
            None => match group() {
                Ok(done) => tally = done,
                Err(error) => tally.fail(format!("{name}: did not run: {error:#}")),
            },
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(allow_missing: bool) -> Tally {
        let missing = [Missing { name: "chromium", test_word: None, reason: "not here".into() }];
        let groups = Groups { missing: &missing, allow_missing };
        groups.run("browser", &["chromium"], || unreachable!("the group must not start"))
    }

    #[test]
    fn a_missing_part_is_a_failure_unless_allowed() {
        assert!(!run(false).is_good());
        assert!(run(true).is_good());
    }
}

//! `cargo xtask`: the project's own chores. It starts other programs and adds up what they say; it refuses to know
//! any of the product's crates, so that it compiles first and in seconds on every machine.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore reports on the terminal")]

mod bench;
mod ci;
mod cluster;
mod dev;
mod e2e;
mod faults;
mod fuzz;
mod parts;
mod process;
mod scan;
mod server;
mod tally;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The chores of the Engify workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build, run, watch: rebuild and restart on change; assets are read from the source folder.
    Dev(dev::Options),
    /// Every test there is: installs what it needs, runs it all, ends with one line of totals.
    Test(test::Options),
    /// What must pass before a merge: format, lints, tidy, tests, release build.
    Ci(ci::Options),
    /// The rules of the house that the compiler does not know.
    Tidy,
    /// Install the third-party servers and tools that tests run against, into target/parts/.
    Parts(parts::Options),
    /// The browser tests, in a real Chromium against a real server.
    E2e(e2e::Options),
    /// Every page, light and dark, wide and narrow, as pictures.
    Screenshots(e2e::ScreenshotOptions),
    /// Wrong requests made from the published OpenAPI document: no 5xx, no undocumented status.
    BadInput(e2e::BadInputOptions),
    /// Lighthouse scores of the pages that decide the first impression.
    Lighthouse(e2e::LighthouseOptions),
    /// The parsers of what strangers send, fuzzed with coverage, each for a minute.
    Fuzz(fuzz::Options),
    /// A scanner for known weaknesses over a running server, as a stranger and signed in.
    Scan,
    /// Three replicas behind a load balancer, with a MongoDB-wire server and a Redis, until Ctrl-C.
    Cluster(cluster::Options),
    /// What breaks is broken under load, and the outcome written into docs/reliability.md.
    Faults(faults::Options),
    /// The speed of the release build beside bare peers.
    Bench(bench::Options),
}

/// How a chore ended, when it could run at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Exit code 0.
    Done,
    /// Exit code 1: checked, and found wanting.
    Wanting,
}

impl Outcome {
    fn of(good: bool) -> Self {
        if good { Self::Done } else { Self::Wanting }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().chore) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Wanting) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<Outcome> {
    let workspace = workspace::Workspace::read()?;
    match chore {
        Chore::Dev(options) => dev::run(&workspace, &options),
        Chore::Test(options) => test::run(&workspace, &options),
        Chore::Ci(options) => ci::run(&workspace, &options),
        Chore::Tidy => tidy::run(&workspace),
        Chore::Parts(options) => parts::run(&workspace, &options),
        Chore::E2e(options) => e2e::run(&workspace, &options),
        Chore::Screenshots(options) => e2e::screenshots(&workspace, &options),
        Chore::BadInput(options) => e2e::bad_input(&workspace, &options),
        Chore::Lighthouse(options) => e2e::lighthouse(&workspace, &options),
        Chore::Fuzz(options) => fuzz::run(&workspace, &options),
        Chore::Scan => scan::run(&workspace),
        Chore::Cluster(options) => cluster::run(&workspace, &options),
        Chore::Faults(options) => faults::run(&workspace, &options),
        Chore::Bench(options) => bench::run(&workspace, &options),
    }
}

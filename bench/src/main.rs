//! The speed of the release binary, measured from outside: `cargo xtask bench`. Each figure of a server is taken beside
//! a bare one that returns the same bytes, in turn, in one run, so that it means the same on every machine.
//!
//! It knows the product only as its users do: by its commands, its settings and HTTP.

mod bare;
mod compare;
mod library;
mod load;
mod machine;
mod measures;
mod provider;
mod redis;
mod report;
mod server;
mod wire;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

use crate::library::Stock;
use crate::machine::Machine;
use crate::measures::{ALL, Bench, PROMPTS};
use crate::provider::Provider;
use crate::report::{Line, Report};
use crate::server::Site;

/// Measures the release binary beside bare peers; exit code 1 where a goal is missed.
#[derive(Parser)]
struct Options {
    /// Only the measurements whose names contain one of these
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Shorter rounds and a smaller library: a look, not a result
    #[arg(long)]
    quick: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// The binary to measure [beside this program]
    #[arg(long, value_name = "PATH")]
    engify: Option<PathBuf>,
    /// Be the bare server that gives the replies in this file
    #[arg(long, value_name = "FILE", hide = true)]
    bare: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let ended = match &options.bare {
        Some(file) => bare::serve(file).map(|()| true),
        None => run(&options),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            talk(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Runs the measurements and prints the report; true where every goal is met.
fn run(options: &Options) -> Result<bool> {
    let wanted =
        |name: &str| options.names.is_empty() || options.names.iter().any(|part| name.contains(part));
    let chosen: Vec<_> = ALL.iter().filter(|(name, _)| wanted(name)).collect();
    let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    ensure!(!chosen.is_empty(), "there is no such measurement; there are {}", names.join(", "));
    let program = std::env::current_exe().context("this program has no path")?;
    let folder = program.parent().context("this program is in no folder")?;
    let binary = options.engify.clone().unwrap_or_else(|| folder.join("engify")).canonicalize();
    let binary = binary.context("there is no engify beside this program: give its path with --engify")?;
    let machine = Machine::look();
    talk(&machine.line());
    if machine.load > 0.5 {
        talk("others are at work on this machine: ratios hold, other figures are worse than they could be");
    }
    // Beside the program rather than in the system's folder for such things, which may be in memory: syncs are to cost
    // what they cost.
    let scratch = tempfile::Builder::new().prefix("bench-").tempdir_in(folder)?;
    let bench = prepare(scratch.path(), binary, options.quick)?;
    let mut lines = Vec::new();
    for (_, measure) in chosen {
        measure(&bench, &mut |line: Line| {
            talk(&report::said(&line));
            lines.push(line);
        })?;
    }
    let report = Report { date: today()?, machine, quick: options.quick, lines };
    let text = if options.json { serde_json::to_string_pretty(&report)? } else { report.markdown() };
    writeln!(std::io::stdout(), "\n{text}")?;
    Ok(report.good())
}

/// A folder with the library in it, and a provider.
fn prepare(scratch: &Path, binary: PathBuf, quick: bool) -> Result<Bench> {
    let provider = Provider::start()?;
    let site = Site {
        binary,
        data: scratch.join("site"),
        log: scratch.join("server.log"),
        provider: provider.url(),
    };
    std::fs::create_dir_all(&site.data)?;
    let stock = Stock::read(&server::shipped())?;
    let file = scratch.join("library.jsonl");
    stock.write(0..PROMPTS, &file)?;
    let report = site.report(&["prompts", "import", &file.display().to_string(), "--json"])?;
    ensure!(report["created"] == PROMPTS, "the import made {} of {PROMPTS} prompts", report["created"]);
    // Seeds what is shipped, and leaves the database as a server leaves it.
    site.start()?.stop()?;
    Ok(Bench { scratch: scratch.to_owned(), site, provider, stock, quick })
}

/// Today's date, UTC.
fn today() -> Result<String> {
    let now = std::process::Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output()?;
    Ok(String::from_utf8(now.stdout)?.trim().to_owned())
}

#[expect(clippy::print_stderr, reason = "a program that takes minutes says what it found as it finds it")]
fn talk(text: &str) {
    eprintln!("{text}");
}

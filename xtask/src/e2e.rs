//! What is tried on a running server from the outside: the browser tests, pictures of pages, page scores, bad input.
//! The scripts stand in `e2e/`; this file starts a server for each and reads what they say.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{Stream, capture, find_program, stream};
use crate::server::{self, Server};
use crate::tally::{NamedChecks, Tally};
use crate::workspace::Workspace;
use crate::{Outcome, parts};

/// What the browser tests need.
pub(crate) const PARTS: &[&str] = &["chromium", "playwright", "axe", "aimock", "oidc-provider"];
/// What the search for bad input needs.
pub(crate) const CONTRACT_PARTS: &[&str] = &["python3-venv", "schemathesis", "aimock", "oidc-provider"];
/// What page scores need.
pub(crate) const LIGHTHOUSE_PARTS: &[&str] =
    &["chromium", "playwright", "axe", "lighthouse", "aimock", "oidc-provider"];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only checks whose names contain one of these.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    binary: Binary,
}

#[derive(clap::Args)]
pub(crate) struct ScreenshotOptions {
    /// Where the pictures go.
    #[arg(value_name = "OUT", default_value = "target/screenshots")]
    out: PathBuf,
    #[command(flatten)]
    binary: Binary,
}

#[derive(clap::Args)]
pub(crate) struct LighthouseOptions {
    #[command(flatten)]
    binary: Binary,
}

#[derive(clap::Args)]
pub(crate) struct BadInputOptions {
    /// Many more cases.
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    binary: Binary,
}

#[derive(clap::Args)]
struct Binary {
    /// Try this binary; without it the debug profile is built and tried.
    #[arg(long = "bin", value_name = "PATH")]
    path: Option<PathBuf>,
}

impl Binary {
    fn get(&self, workspace: &Workspace) -> Result<PathBuf> {
        match &self.path {
            Some(path) => path.canonicalize().with_context(|| format!("there is no {}", path.display())),
            None => server::build(workspace),
        }
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    parts::require(workspace, PARTS)?;
    let tally = browser(workspace, &options.binary.get(workspace)?, &options.names)?;
    tally.print();
    Ok(Outcome::of(tally.is_good()))
}

pub(crate) fn screenshots(workspace: &Workspace, options: &ScreenshotOptions) -> Result<Outcome> {
    parts::require(workspace, PARTS)?;
    let server = Server::start(workspace, &options.binary.get(workspace)?)?;
    let mut script = script(workspace, &server, "screenshots.mjs")?;
    script.arg(&options.out);
    Ok(Outcome::of(crate::process::run(&mut script)?))
}

pub(crate) fn lighthouse(workspace: &Workspace, options: &LighthouseOptions) -> Result<Outcome> {
    parts::require(workspace, LIGHTHOUSE_PARTS)?;
    let tally = scores(workspace, &options.binary.get(workspace)?)?;
    tally.print();
    Ok(Outcome::of(tally.is_good()))
}

pub(crate) fn bad_input(workspace: &Workspace, options: &BadInputOptions) -> Result<Outcome> {
    parts::require(workspace, CONTRACT_PARTS)?;
    let tally = contract(workspace, &options.binary.get(workspace)?, options.deep)?;
    tally.print();
    Ok(Outcome::of(tally.is_good()))
}

/// All browser tests on the debug build.
pub(crate) fn browser_tests(workspace: &Workspace) -> Result<Tally> {
    browser(workspace, &server::build(workspace)?, &[])
}

/// Page scores on the release build, because a debug build is slow for reasons that no visitor will meet.
pub(crate) fn page_scores(workspace: &Workspace) -> Result<Tally> {
    crate::process::must_run(workspace.cargo().args(["build", "--release", "--package", "engify"]))?;
    scores(workspace, &workspace.target.join("release/engify"))
}

/// Bad input on the debug build.
pub(crate) fn bad_input_tests(workspace: &Workspace, deep: bool) -> Result<Tally> {
    contract(workspace, &server::build(workspace)?, deep)
}

/// Thousands of wrong requests made from the published OpenAPI document, with an API key and as a stranger: none may end in a
/// 5xx or in a status that the document does not name.
fn contract(workspace: &Workspace, binary: &Path, deep: bool) -> Result<Tally> {
    let server = Server::start(workspace, binary)?;
    let key = capture(&mut script(workspace, &server, "api-key.mjs")?)?;
    let signed_in = ["--header".to_owned(), format!("Authorization: Bearer {}", key.trim())];
    let mut tally = Tally::default();
    // Strangers are turned away before most of what there is to try: fewer cases find as much.
    for (who, identity, cases) in [
        ("with a key", &signed_in[..], if deep { "300" } else { "25" }),
        ("as a stranger", &signed_in[..0], "10"),
    ] {
        let mut schemathesis = Command::new(workspace.parts().join("py/bin/schemathesis"));
        schemathesis
            .current_dir(workspace.target.join("e2e"))
            .arg("run")
            .arg(format!("{}/api/openapi.json", server.url))
            .args(["--checks", "not_a_server_error,status_code_conformance"])
            .args(["--max-examples", cases])
            // The same cases on every machine and in every run.
            .args(["--generation-deterministic", "--no-color"])
            .args(identity);
        let status = stream(&mut schemathesis, |_, _| {})?;
        if status.success() {
            tally.pass();
        } else {
            tally.fail(format!(
                "bad input {who}: schemathesis found a 5xx or an undocumented status, see above"
            ));
            eprintln!("{}", server.last_words());
        }
    }
    Ok(tally)
}

fn browser(workspace: &Workspace, binary: &Path, names: &[String]) -> Result<Tally> {
    let server = Server::start(workspace, binary)?;
    let mut script = script(workspace, &server, "run.mjs")?;
    script.args(names);
    named_checks("browser", &server, &mut script)
}

fn scores(workspace: &Workspace, binary: &Path) -> Result<Tally> {
    let server = Server::start(workspace, binary)?;
    named_checks("page scores", &server, &mut script(workspace, &server, "lighthouse.mjs")?)
}

fn named_checks(group: &str, server: &Server, script: &mut Command) -> Result<Tally> {
    let mut checks = NamedChecks::default();
    let status = stream(script, |stream: Stream, line| checks.look(stream, line))?;
    if !status.success() {
        eprintln!("the server's last words:\n{}", server.last_words());
    }
    Ok(checks.end(group, status.success()))
}

/// A script of `e2e/`, told where the server, the parts and the browser are.
pub(crate) fn script(workspace: &Workspace, server: &Server, name: &str) -> Result<Command> {
    let node = find_program(&["node"]).context("node is missing: install Node.js 20 or newer")?;
    let mut command = Command::new(node);
    command
        .current_dir(&workspace.root)
        .arg(Path::new("e2e").join(name))
        .env("ENGIFY_URL", &server.url)
        .env("ENGIFY_SETUP_URL", &server.setup_url)
        .env("ENGIFY_PARTS", workspace.parts())
        .env("ENGIFY_E2E_OUT", workspace.target.join("e2e"));
    if let Ok(browser) = parts::browser() {
        command.env("CHROME_PATH", browser);
    }
    Ok(command)
}

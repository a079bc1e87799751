//! `cargo xtask dev`: build, run, watch. Sources are watched by their modification times, because a look at a few
//! hundred files twice a second costs nothing and needs no dependency.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::Outcome;
use crate::process::{Leashed, News, Output, run as run_program};
use crate::workspace::Workspace;

/// How often to look for changes.
const PACE: Duration = Duration::from_millis(500);
/// Read by the server at run time, so a change here needs no build.
const ASSETS: &str = "crates/engify-web/assets";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The port to serve on.
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    let binary = workspace.target.join("debug/engify");
    let mut seen = newest_change(&workspace.root);
    let mut server = build(workspace)?.then(|| start(workspace, &binary, options)).transpose()?;
    loop {
        wait(&mut server)?;
        let now = newest_change(&workspace.root);
        if now == seen {
            continue;
        }
        seen = now;
        let before = modified(&binary);
        if !build(workspace)? {
            eprintln!("dev: the build failed; the last good one keeps running");
        } else if server.is_none() || modified(&binary) != before {
            // The old one must have let go of the port and the database before the new one starts.
            drop(server.take());
            server = Some(start(workspace, &binary, options)?);
        }
    }
}

fn build(workspace: &Workspace) -> Result<bool> {
    run_program(workspace.cargo().args(["build", "--package", "engify"]))
}

fn start(workspace: &Workspace, binary: &Path, options: &Options) -> Result<Leashed> {
    Leashed::start(binary, 50, Output::Terminal, |command| {
        command
            .arg("serve")
            .current_dir(&workspace.root)
            .env("PORT", options.port.to_string())
            .env("NEXTAUTH_URL", format!("http://localhost:{}", options.port))
            .env("ENGIFY_ASSETS_DIR", ASSETS)
            // Nobody stands in front who would have to notice that it stops.
            .env("ENGIFY_STOP_GRACE_SECONDS", "0")
            .env("LOG_LEVEL", "debug");
    })
}

/// Lets a while pass, and notices when the server has ended by itself.
fn wait(server: &mut Option<Leashed>) -> Result<()> {
    let Some(running) = server else {
        std::thread::park_timeout(PACE);
        return Ok(());
    };
    if let News::Ended(status) = running.news(PACE)? {
        eprintln!("dev: the server ended with {status}; it starts again after the next change");
        *server = None;
    }
    Ok(())
}

fn modified(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|about| about.modified()).ok()
}

/// The latest modification time and the number of files, so that a removed file counts as a change too.
fn newest_change(root: &Path) -> (Option<SystemTime>, usize) {
    let mut files = Vec::new();
    for folder in ["crates", "content"] {
        collect(&root.join(folder), &root.join(ASSETS), &mut files);
    }
    (files.iter().max().copied(), files.len())
}

fn collect(folder: &Path, except: &Path, files: &mut Vec<SystemTime>) {
    // A file may vanish while we look, as editors write; the next look sees what became of it.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() && path != except {
            collect(&path, except, files);
        } else if about.is_file() {
            files.extend(about.modified());
        }
    }
}

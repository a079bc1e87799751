//! From what was typed to one call: the commands, each in a file of its own.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory;
use engify_app::{Ctx, setup};
use engify_core::settings::Settings;
use engify_core::{Clock, Error};
use engify_store::Store;

use crate::background;
use crate::cli::{Cli, Command};
use crate::environment::Environment;
use crate::logging::{self, Audience, Log};
use crate::stop::{Ended, Stop, Verdict, bad_settings, exit_code};
use crate::{printer, serve, wiring};

mod admin;
mod audit_export;
mod audit_verify;
mod backup;
mod collection;
mod config;
mod db;
mod export;
mod import;
mod jobs;
mod migrate;
mod out_file;
mod prompts;
mod ready;
mod redis;
mod restore;
mod run;
mod security;

/// How the audit log names what is done here.
const PART: &str = "command line";

/// Runs a command to its end and says how it ended.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let command = cli.asked();
    let json = command.json();
    if command.gives_way() {
        background::give_way();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&Err(Stop::Fault(Error::internal(error))), json),
    };
    let ended = runtime.block_on(Box::pin(walk(command)));
    // A thread that waits for the keyboard does not keep the program.
    runtime.shutdown_timeout(Duration::from_secs(1));
    end(&ended, json)
}

async fn walk(command: Command) -> Ended {
    let environment = || Environment::read(Path::new("."));
    match command {
        Command::Serve(options) => serve::run(environment(), options).await,
        Command::Config(command) => config::run(&environment, command),
        Command::Db(command) => db::run(&environment(), command).await,
        Command::Admin(command) => admin::run(&environment(), command).await,
        Command::Prompts(command) => prompts::run(&environment(), command).await,
        Command::Run(options) => run::run(&environment(), options).await,
        Command::Security(command) => security::run(&environment(), command).await,
        Command::Ready(report) => ready::run(&environment(), report).await,
        Command::Redis(command) => redis::run(&environment(), command).await,
        Command::Jobs(command) => jobs::run(&environment(), command).await,
        Command::Cron(command) => jobs::cron(&environment(), command).await,
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: clap_complete::Shell) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "engify", &mut script);
    printer::raw(&String::from_utf8_lossy(&script))?;
    Ok(Verdict::Done)
}

fn end(ended: &Ended, json: bool) -> ExitCode {
    if let Err(Stop::Fault(fault)) = ended {
        printer::fault(fault, json);
    }
    exit_code(ended)
}

/// The settings, and the log of a command.
fn begin(environment: &Environment) -> Result<(Settings, Log), Error> {
    let settings = environment.settings().map_err(bad_settings)?;
    let level_given = environment.found("LOG_LEVEL").is_some();
    let log = logging::start(&settings, Audience::Command, level_given);
    Ok((settings, log))
}

/// Works with the application, and waits until everything that it promised to record is recorded.
async fn with_app<T>(
    environment: &Environment,
    work: impl AsyncFnOnce(&Ctx) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let (settings, _log) = begin(environment)?;
    let app = wiring::app(environment, settings).await?;
    let ended = work(&Ctx::system(&app, PART)).await;
    app.stop().await;
    ended
}

/// As [`with_app`], with the shipped prompts in place, as after a first start.
async fn with_library<T>(
    environment: &Environment,
    work: impl AsyncFnOnce(&Ctx) -> Result<T, Stop>,
) -> Result<T, Stop> {
    with_app(environment, async |ctx| {
        setup::prepare(ctx.app()).await?;
        work(ctx).await
    })
    .await
}

/// Works with the database alone.
async fn with_store<T>(
    environment: &Environment,
    work: impl AsyncFnOnce(&Store) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let (settings, _log) = begin(environment)?;
    let store = wiring::store(&settings, &Clock::system()).await?;
    let ended = work(&store).await;
    store.close().await;
    ended
}

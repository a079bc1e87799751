//! `engify config`: what is set, what is wrong, what there is.

use engify_core::settings::Shown;
use engify_ops::config::{self, Check};

use crate::cli::{Config, Docs, Report};
use crate::environment::Environment;
use crate::printer::{self, Printed};
use crate::stop::{Ended, Verdict};

/// Runs one of the `config` commands. The tables of the docs do not depend on any environment, so none is read for them.
pub(super) fn run(environment: &impl Fn() -> Environment, command: Config) -> Ended {
    match command {
        Config::Check(report) => check(&environment(), report),
        Config::Show(report) => show(&environment(), report),
        Config::Docs { format } => {
            printer::raw(&match format {
                Docs::Markdown => config::markdown(),
                Docs::Env => config::env_example(),
                Docs::Permissions => config::permissions(),
            })?;
            Ok(Verdict::Done)
        }
    }
}

fn check(environment: &Environment, report: Report) -> Ended {
    let faults = environment.settings().err().unwrap_or_default();
    let check = config::check(faults, [environment.notes(), environment.idle().as_slice()].concat());
    if report.json {
        printer::json(&check)?
    } else {
        tell(&check)?
    }
    Ok(Verdict::wanting_if(!check.ok))
}

fn tell(check: &Check) -> Printed {
    for fault in &check.faults {
        printer::line(format_args!("wrong: {} {}", fault.name, fault.issue))?;
    }
    for note in &check.notes {
        printer::line(format_args!("note:  {} {}", note.name, note.issue))?;
    }
    match check.faults.len() {
        0 => printer::line("The settings are in order."),
        1 => printer::line("One setting is wrong; the server would not start."),
        count => printer::line(format_args!("{count} settings are wrong; the server would not start.")),
    }
}

fn show(environment: &Environment, report: Report) -> Ended {
    let shown = environment.shown();
    if report.json {
        printer::json(&shown)?;
    } else {
        let row = |one: &Shown| {
            [
                one.name.to_owned(),
                one.value.clone().unwrap_or_else(|| "not set".to_owned()),
                one.source.to_owned(),
            ]
        };
        printer::table(["name", "value", "from"], shown.iter().map(row))?;
    }
    if let Err(faults) = environment.settings() {
        printer::talk(format_args!(
            "{} of these are wrong: `engify config check` tells which.",
            faults.len()
        ));
    }
    Ok(Verdict::Done)
}

//! `engify db migrate`: to another database, while the site runs.

use engify_core::audit::{Action, Outcome, Target};
use engify_core::{Clock, Ids};
use engify_ops::audit;
use engify_ops::migrate::{self, Ends, Migrated, Plan};
use engify_store::{Options, Store};
use serde_json::json;

use super::backup::note;
use super::{begin, restore};
use crate::cli::Migrate;
use crate::environment::Environment;
use crate::printer::{self, Printed};
use crate::stop::{Ended, Stop, Verdict};

/// Plans it, and with `--yes` does it.
pub(super) async fn run(environment: &Environment, options: Migrate) -> Ended {
    let (settings, _log) = begin(environment)?;
    let clock = Clock::system();
    let (here, there) = (restore::target(&settings, None), restore::target(&settings, Some(&options.to)));
    let (from, to) = (migrate::name(&here), migrate::name(&there));
    let half = Options { unfinished_migration: true, ..Options::new(clock.clone()) };
    if options.give_up {
        let target = Store::open(there, half).await?;
        let ended = give_up(&target, &to, &options).await;
        target.close().await;
        return ended;
    }
    let source = Store::open(here, Options::new(clock.clone())).await?;
    // The same one is not opened twice: its name alone tells.
    let target = if from == to { source.clone() } else { Store::open(there, half).await? };
    let ends = Ends { source: &source, from: &from, target: &target, to: &to };
    let ended = Box::pin(work(&ends, &settings.core.data_dir, &clock, &options)).await;
    target.close().await;
    source.close().await;
    ended
}

async fn work(
    ends: &Ends<'_>,
    folder: &std::path::Path,
    clock: &Clock,
    options: &Migrate,
) -> Result<Verdict, Stop> {
    let plan = migrate::plan(ends).await?;
    if !options.yes {
        if options.report.json {
            printer::json(&plan)?;
        } else {
            tell_plan(&plan)?;
        }
        printer::talk("Nothing was written; --yes does it.");
        return Ok(Verdict::Done);
    }
    let ids = Ids::system(clock.clone());
    let line = |outcome| {
        let target = Target::new("database", &plan.to);
        let details = json!({ "from": plan.from, "to": plan.to });
        audit::line((clock, &ids), (Action::DatabaseMigrated, outcome), target, details)
    };
    // In the source and before anything is copied: so the line goes with the rest, and both stay the same.
    audit::write(ends.source, &line(Outcome::Success)).await?;
    printer::talk(format_args!("{} documents go from {} to {}.", plan.documents, plan.from, plan.to));
    let bar = printer::progress(plan.documents.max(1), "copied");
    let migrated = migrate::migrate(ends, (folder, clock), &|copied| bar.set_position(copied)).await;
    bar.finish_and_clear();
    if !migrated.as_ref().is_ok_and(|migrated| migrated.verified) {
        note(ends.source, &line(Outcome::Failed)).await;
    }
    let migrated = migrated?;
    if options.report.json {
        printer::json(&migrated)?;
    } else {
        tell(&migrated)?;
    }
    Ok(Verdict::wanting_if(!migrated.verified))
}

/// Deletes what an interrupted migration copied; without `--yes` says so.
async fn give_up(target: &Store, to: &str, options: &Migrate) -> Ended {
    let from = target.half_of().await?;
    if !options.yes {
        let documents: u64 = target.stats().await?.iter().map(|one| one.documents).sum();
        if options.report.json {
            printer::json(&json!({ "to": to, "halfOf": from, "documents": documents }))?;
        } else {
            match &from {
                Some(from) => printer::line(format_args!(
                    "{to} is half a copy of {from}: its {documents} documents would be deleted. {from} stays as it is."
                ))?,
                None => printer::line(format_args!("{to} is no half copy: there is nothing to give up."))?,
            }
        }
        printer::talk("Nothing was deleted; --yes does it.");
        return Ok(Verdict::wanting_if(from.is_none()));
    }
    let removed = migrate::give_up(target, to).await?;
    if options.report.json {
        printer::json(&json!({ "to": to, "removed": removed }))?;
    } else {
        printer::line(format_args!("{removed} documents deleted: {to} is empty, and may be used."))?;
    }
    Ok(Verdict::Done)
}

fn tell_plan(plan: &Plan) -> Printed {
    printer::line(format_args!(
        "{} documents, about {}, go from {} to {}.",
        plan.documents,
        printer::bytes(plan.bytes),
        plan.from,
        plan.to
    ))?;
    match plan.state {
        "resumes" => printer::line(format_args!(
            "An earlier run was interrupted: {} are copied already, and it goes on there.",
            plan.copied
        )),
        "follows" => printer::line(format_args!(
            "They are copied already; about {} changes are to be followed.",
            plan.behind
        )),
        _ => printer::line("The target is empty. The site may run on; nobody may use the target meanwhile."),
    }
}

fn tell(migrated: &Migrated) -> Printed {
    let rows = migrated.collections.0.iter();
    printer::table(
        ["collection", "documents", "sha256"],
        rows.map(|(name, content)| {
            [name.clone(), content.documents.to_string(), content.sha256.chars().take(16).collect()]
        }),
    )?;
    printer::line(format_args!(
        "{} documents copied, {} changes followed, in {}.",
        migrated.copied,
        migrated.followed,
        printer::duration(std::time::Duration::from_millis(migrated.took_millis).as_secs_f64() * 1000.0)
    ))?;
    if !migrated.verified {
        return printer::line(format_args!(
            "NOT the same: {}. Does anybody else write to {}? Empty it and begin anew.",
            migrated.differences.join(", "),
            migrated.to
        ));
    }
    printer::line(format_args!(
        "Both hold the same at position {}. Now stop every server, run this once more for what was written since, and start them on {}.",
        migrated.position, migrated.to
    ))
}

//! `engify db restore|diff|drill`: getting back, and practising it.

use std::path::PathBuf;

use engify_core::audit::{Action, Outcome, Target as Aim};
use engify_core::settings::{Database, Settings};
use engify_core::{Clock, Ids, Secret};
use engify_ops::audit;
use engify_ops::backup::Setup;
use engify_ops::diff::CollectionDiff;
use engify_ops::drill;
use engify_ops::restore::{self, Live, Moment, Plan, Restored, Site, Wish};
use engify_store::{Options, Store, Target};
use serde_json::json;

use super::backup::{Bars, note, untold};
use super::begin;
use crate::cli::{Diff, Drill, Restore};
use crate::environment::Environment;
use crate::printer::{self, Printed};
use crate::stop::{Ended, Verdict};

/// Brings back a backup or a moment.
pub(super) async fn restore(environment: &Environment, options: Restore) -> Ended {
    let (settings, _log) = begin(environment)?;
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let setup = Setup::of(&settings)?;
    let into = target(&settings, options.into.as_deref());
    let live = Live::at(into.clone(), &clock).await?;
    let site = Site::of(&setup, &clock, &ids);
    let asked = json!({
        "from": options.from, "at": options.at.map(|moment| moment.to_string()), "collections": options.collection,
        "filter": options.filter, "revive": options.revive,
    });
    let wish = Wish {
        from: options.from,
        moment: options.at.unwrap_or(Moment::Newest),
        collections: options.collection,
        filter: options.filter,
        revive: options.revive,
    };
    if !options.yes && !options.dry_run {
        let plan = Box::pin(restore::plan(&site, &wish, &live)).await;
        live.close().await;
        let plan = plan?;
        if options.report.json {
            printer::json(&plan)?;
        } else {
            tell_plan(&plan)?;
        }
        printer::talk("Nothing was touched; --yes does it, --dry-run tries everything but the switch.");
        return Ok(Verdict::Done);
    }
    let line = |outcome| {
        let aim = Aim::new("database", live.kind());
        audit::line((&clock, &ids), (Action::RestoreStarted, outcome), aim, json!({ "restore": asked }))
    };
    let started = line(Outcome::Success);
    // Before anything is touched: what cannot be told is not done.
    if let (Live::Open(store), false) = (&live, options.dry_run) {
        audit::write(store, &started).await?;
    }
    let bars = Bars::default();
    let show = |stage, done, all| bars.show(stage, done, all);
    let restored = Box::pin(restore::restore(&site, &wish, live.clone(), options.dry_run, &show)).await;
    bars.end();
    match (&live, &restored) {
        _ if options.dry_run => {}
        (Live::Open(store), Ok(_)) => note(store, &started).await,
        (Live::Open(store), Err(_)) => note(store, &line(Outcome::Failed)).await,
        // What was restored is told, whatever becomes of its line in the log.
        (Live::Missing(_) | Live::Damaged(_), Ok(_)) => {
            match Store::open(into, Options::new(clock.clone())).await {
                Ok(store) => {
                    note(&store, &started).await;
                    store.close().await;
                }
                Err(error) => untold(&error),
            }
        }
        (Live::Missing(_) | Live::Damaged(_), Err(_)) => {}
    }
    live.close().await;
    let restored = restored?;
    if options.report.json {
        printer::json(&restored)?;
    } else {
        tell_plan(&restored.plan)?;
        tell_restored(&restored)?;
    }
    Ok(Verdict::Done)
}

/// The database of the settings, or the one that was named.
pub(super) fn target(settings: &Settings, into: Option<&str>) -> Target {
    match (into, &settings.core.database) {
        (Some(text), _) if text.starts_with("mongodb://") || text.starts_with("mongodb+srv://") => {
            Target::Mongo { uri: Secret::new(text.to_owned()) }
        }
        (Some(text), _) => {
            Target::Embedded { dir: PathBuf::from(text.strip_prefix("file:").unwrap_or(text)) }
        }
        (None, Database::Mongo(uri)) => Target::Mongo { uri: uri.clone() },
        (None, Database::Embedded) => Target::Embedded { dir: settings.core.data_dir.clone() },
    }
}

fn tell_plan(plan: &Plan) -> Printed {
    let base = match (&plan.backup, plan.taken_at) {
        (Some(id), Some(at)) => format!(
            "the backup {id} of {at} ({} documents, {}, {})",
            plan.documents,
            printer::bytes(plan.bytes),
            if plan.verified { "proven" } else { "not proven yet" }
        ),
        _ => "a dump of mongodump".to_owned(),
    };
    printer::line(format_args!("Begins with {base} at {}.", plan.from))?;
    if let (Some(position), false) = (plan.position, plan.journal == "none") {
        let from = match plan.journal {
            "shipped" => format!("{} shipped segments", plan.segments),
            _ => "the database's own journal".to_owned(),
        };
        printer::line(format_args!(
            "Then does again what was changed up to the position {position}, from {from}."
        ))?;
    }
    let filter =
        if plan.filter.is_empty() { String::new() } else { format!(" where {}", plan.filter.join(" and ")) };
    printer::line(format_args!("Becomes as it was: {}{filter}.", plan.collections.join(", ")))?;
    match plan.into {
        "new" => printer::line(
            "There is no usable database; the restored file takes its place. No server may run meanwhile.",
        )?,
        kind => printer::line(format_args!(
            "The {kind} database has {} documents there now; a backup of it is taken first, and only what differs is written.",
            plan.there
        ))?,
    }
    printer::line(format_args!("Takes about {} s.", plan.estimated_seconds))
}

fn tell_restored(restored: &Restored) -> Printed {
    if restored.dry_run {
        tell_differences(&restored.differences, ("now", "then"))?;
        printer::line("The side database passed all checks. Nothing was touched.")?;
    } else {
        tell_written(restored)?;
    }
    let kept = restored.kept;
    for (count, what) in [
        (kept.revoked_keys, "API keys that were revoked since stay revoked (--revive brings them back)"),
        (kept.deleted_keys, "API keys that were deleted since stay deleted (--revive brings them back)"),
        (kept.disabled_accounts, "accounts that were disabled since stay disabled (--revive enables them)"),
        (kept.revived, "keys and accounts come back to life"),
        (kept.older_passwords, "accounts have an older password again"),
    ] {
        if count > 0 {
            printer::line(format_args!("{count} {what}."))?;
        }
    }
    if let Some(id) = &restored.safety {
        printer::line(format_args!("How it was before: engify db restore --from {id} --yes"))?;
    }
    if let Some(path) = &restored.moved_aside {
        printer::line(format_args!("The damaged file is kept as {path}."))?;
    }
    let seconds = restored.duration_millis as f64 / 1000.0;
    printer::line(format_args!("Took {seconds:.1} s."))
}

fn tell_written(restored: &Restored) -> Printed {
    let written = restored.written;
    if restored.plan.into == "new" {
        return printer::line(format_args!(
            "Restored, checked and put in place, as of the position {} of the journal.",
            restored.plan.position.unwrap_or_default()
        ));
    }
    printer::line(format_args!(
        "Restored and compared: {} documents came back, {} changed, {} went. The journal goes on at {}.",
        written.inserted, written.replaced, written.removed, written.position
    ))
}

/// What differs between two moments.
pub(super) async fn diff(environment: &Environment, options: Diff) -> Ended {
    let (settings, _log) = begin(environment)?;
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let setup = Setup::of(&settings)?;
    let live = Live::at(target(&settings, None), &clock).await?;
    let site = Site::of(&setup, &clock, &ids);
    let bars = Bars::default();
    let show = |stage, done, all| bars.show(stage, done, all);
    let between = (options.from, options.to);
    let found = Box::pin(restore::moments(&site, &live, between, &options.collection, &show)).await;
    bars.end();
    live.close().await;
    let found = found?;
    if options.report.json {
        printer::json(&found)?;
    } else {
        tell_differences(&found, ("the first moment", "the second"))?;
    }
    Ok(Verdict::Done)
}

fn tell_differences(found: &[CollectionDiff], (before, after): (&str, &str)) -> Printed {
    if found.is_empty() {
        return printer::line(format_args!("Nothing differs between {before} and {after}."));
    }
    let row = |one: &CollectionDiff| {
        [one.collection.to_owned(), one.added.to_string(), one.changed.to_string(), one.removed.to_string()]
    };
    printer::table(["collection", "added", "changed", "removed"], found.iter().map(row))?;
    for one in found {
        for example in &one.examples {
            printer::line(format_args!("{} {example}", one.collection))?;
        }
    }
    Ok(())
}

/// Practises.
pub(super) async fn drill(environment: &Environment, options: Drill) -> Ended {
    let (settings, _log) = begin(environment)?;
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let store = crate::wiring::store(&settings, &clock).await?;
    let goals = settings.backups.goals;
    let by = (&clock, &ids);
    let drilled =
        Box::pin(drill::drill(options.kind.kind(), &store, &settings.core.data_dir, goals, by)).await;
    if let Ok(drilled) = &drilled {
        let details = json!({
            "kind": drilled.kind, "outcome": drilled.outcome, "rtoSeconds": drilled.rto_seconds, "rpoSeconds": drilled.rpo_seconds,
        });
        let target = Aim::new("drill", &drilled.id);
        note(&store, &audit::line(by, (Action::DrillRun, Outcome::Success), target, details)).await;
    }
    store.close().await;
    let drilled = drilled?;
    if options.report.json {
        printer::json(&json!({
            "id": drilled.id, "kind": drilled.kind, "outcome": drilled.outcome,
            "startedAt": drilled.started_at, "finishedAt": drilled.finished_at,
            "rtoSeconds": drilled.rto_seconds, "rpoSeconds": drilled.rpo_seconds,
            "goals": drilled.goals, "steps": drilled.steps,
        }))?;
    } else {
        let row = |step: &engify_core::backup::DrillStep| {
            [step.name.clone(), format!("{:.2} s", step.seconds), step.found.clone()]
        };
        printer::table(["step", "took", "found"], drilled.steps.iter().map(row))?;
        let figure =
            |seconds: Option<f64>| seconds.map_or_else(|| "not reached".to_owned(), |s| format!("{s:.2} s"));
        printer::line(format_args!(
            "{}: {}. RTO {} (goal {} s), RPO {} (goal {} s)",
            drilled.kind,
            drilled.outcome,
            figure(drilled.rto_seconds),
            drilled.goals.rto_seconds,
            figure(drilled.rpo_seconds),
            drilled.goals.rpo_seconds,
        ))?;
    }
    Ok(Verdict::wanting_if(drilled.outcome != engify_core::backup::DrillOutcome::Passed))
}

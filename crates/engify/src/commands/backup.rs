//! `engify db backup|backups|verify|backup-key`: taking, listing and proving backups.

use std::path::Path;
use std::sync::Mutex;

use engify_core::audit::{Action, AuditEntry, Outcome, Target};
use engify_core::backup::BackupKind;
use engify_core::settings::{ObjectPlace, Settings};
use engify_core::{Clock, Error, Ids, Kind, Result};
use engify_ops::audit;
use engify_ops::backup::{self, Created, Listed, Setup, Stage, Verified, dump, located};
use engify_store::Store;
use indicatif::ProgressBar;
use serde_json::json;

use super::begin;
use crate::cli::{Backup, Backups, Layout, Report, Verify};
use crate::environment::Environment;
use crate::printer::{self, Printed};
use crate::stop::{Ended, Stop, Verdict};
use crate::wiring;

/// Takes a backup.
pub(super) async fn take(environment: &Environment, options: Backup) -> Ended {
    let (settings, _log) = begin(environment)?;
    let clock = Clock::system();
    if options.format == Layout::Mongodump {
        return plain(&settings, options, &clock).await;
    }
    let elsewhere = match (options.out, options.to) {
        (Some(folder), _) => Some(ObjectPlace::Dir(folder)),
        (None, Some(text)) => Some(place("to", &text)?),
        (None, None) => None,
    };
    let setup = setup(&settings, elsewhere.as_ref())?;
    let store = wiring::store(&settings, &clock).await?;
    let bars = Bars::default();
    let ids = Ids::system(clock.clone());
    let plan = setup.plan(BackupKind::Manual);
    let created = Box::pin(backup::create(&store, &plan, (&clock, &ids), &|stage, done, all| {
        bars.show(stage, done, all)
    }))
    .await;
    let (id, details) = match &created {
        Ok(created) => {
            (created.id.to_string(), json!({ "target": created.target, "documents": created.documents }))
        }
        Err(error) => ("none".to_owned(), json!({ "failure": error.code() })),
    };
    let outcome = if created.is_ok() { Outcome::Success } else { Outcome::Failed };
    let target = Target::new("backup", id);
    note(&store, &audit::line((&clock, &ids), (Action::BackupTaken, outcome), target, details)).await;
    store.close().await;
    bars.end();
    let created = created?;
    if options.report.json {
        printer::json(&created)?;
    } else {
        tell_created(&created)?;
    }
    Ok(Verdict::wanting_if(!created.warnings.is_empty()))
}

fn tell_created(created: &Created) -> Printed {
    printer::line(format_args!(
        "Backup {} of {}: {} documents, {}, journal position {}, at {}",
        created.id,
        created.created_at,
        created.documents,
        printer::bytes(created.bytes),
        created.position,
        created.target,
    ))?;
    let as_millis =
        |millis: u64| printer::duration(std::time::Duration::from_millis(millis).as_secs_f64() * 1000.0);
    printer::line(format_args!(
        "Taken in {}; restored into a scratch database and compared in {}: it can be restored.",
        as_millis(created.duration_millis),
        as_millis(created.proof_millis),
    ))?;
    if !created.encrypted {
        printer::talk("It is not encrypted: BACKUP_ENCRYPTION_KEY is not set.");
    }
    if let Some(replica) = &created.replica {
        printer::line(format_args!("Copied to {replica}."))?;
    }
    if !created.pruned.is_empty() {
        printer::line(format_args!("Deleted {} backups whose time was over.", created.pruned.len()))?;
    }
    created.warnings.iter().for_each(|warning| printer::talk(format_args!("warning: {warning}")));
    Ok(())
}

async fn plain(settings: &Settings, options: Backup, clock: &Clock) -> Ended {
    if options.to.is_some() {
        return Err(Error::field("to", "is for the layout engify; name a folder with --out").into());
    }
    let out = options.out.as_deref().unwrap_or(Path::new("dump"));
    let store = wiring::store(settings, clock).await?;
    let bars = Bars::default();
    let folder = &settings.core.data_dir;
    let dumped =
        Box::pin(dump::dump(&store, (out, folder), clock, &|stage, done, all| bars.show(stage, done, all)))
            .await;
    if let Ok(dumped) = &dumped {
        let details = json!({ "format": "mongodump", "documents": dumped.documents });
        let target = Target::new("backup", dumped.folder.display());
        let by = (clock, &Ids::system(clock.clone()));
        note(&store, &audit::line(by, (Action::BackupTaken, Outcome::Success), target, details)).await;
    }
    store.close().await;
    bars.end();
    let dumped = dumped?;
    if options.report.json {
        printer::json(&dumped)?;
    } else {
        printer::line(format_args!(
            "{} documents, {}, journal position {}, in {}; read back and compared. It is neither compressed nor encrypted.",
            dumped.documents,
            printer::bytes(dumped.bytes),
            dumped.position,
            dumped.folder.display(),
        ))?;
    }
    Ok(Verdict::Done)
}

/// Lists what lies at a target.
pub(super) async fn list(environment: &Environment, options: Backups) -> Ended {
    let (settings, _log) = begin(environment)?;
    let at = options.at.as_deref().map(|text| place("at", text)).transpose()?;
    let listing = backup::list(&setup(&settings, at.as_ref())?.target).await?;
    if options.report.json {
        printer::json(&listing)?;
        return Ok(Verdict::wanting_if(!listing.unreadable.is_empty()));
    }
    let row = |one: &Listed| {
        let proven = one.verified_at.map_or_else(|| "no".to_owned(), |at| at.to_string());
        let key = one.key.clone().unwrap_or_else(|| "none".to_owned());
        [
            one.id.to_string(),
            one.kind.to_string(),
            one.created_at.to_string(),
            proven,
            one.documents.to_string(),
            printer::bytes(one.bytes),
            key,
        ]
    };
    printer::table(
        ["id", "kind", "of", "proven", "documents", "size", "key"],
        listing.backups.iter().map(row),
    )?;
    let unit = if listing.backups.len() == 1 { "backup" } else { "backups" };
    printer::line(format_args!("{} {unit} at {}", listing.backups.len(), listing.target))?;
    for one in &listing.unreadable {
        printer::talk(format_args!("warning: {}: {}", one.id, one.failure));
    }
    Ok(Verdict::wanting_if(!listing.unreadable.is_empty()))
}

/// Checks a backup.
pub(super) async fn verify(environment: &Environment, options: Verify) -> Ended {
    let (settings, _log) = begin(environment)?;
    let clock = Clock::system();
    let asked = options.backup.as_deref().map(located).transpose()?;
    let at = asked.as_ref().and_then(|asked| asked.target.as_ref());
    let Setup { target, key, .. } = setup(&settings, at)?;
    let id = match asked.and_then(|asked| asked.id) {
        Some(id) => id,
        None => backup::newest(&target).await?.id,
    };
    let deep = options.deep.then_some((settings.core.data_dir.as_path(), &clock));
    let bars = Bars::default();
    let show = |stage, done, all| bars.show(stage, done, all);
    let verified = Box::pin(backup::verify((&target, &id), key.as_ref(), deep, &show)).await;
    bars.end();
    let verified = verified?;
    if options.report.json {
        printer::json(&verified)?;
    } else {
        tell_verified(&verified)?;
    }
    Ok(Verdict::wanting_if(!verified.ok))
}

fn tell_verified(verified: &Verified) -> Printed {
    if let Some(failure) = &verified.failure {
        return printer::line(failure);
    }
    let how = if verified.deep {
        "restored and compared"
    } else {
        "all sums are right; --deep restores it as well"
    };
    printer::line(format_args!(
        "Backup {} at {}: {} documents, {}, {how}",
        verified.id,
        verified.target,
        verified.documents,
        printer::bytes(verified.bytes),
    ))
}

/// Prints the key as age writes it, for decrypting by hand.
pub(super) fn backup_key(environment: &Environment, report: Report) -> Ended {
    let (settings, _log) = begin(environment)?;
    let key = Setup::of(&settings)?.key.ok_or_else(|| {
        Error::new(
            Kind::Invalid,
            "not_configured",
            "BACKUP_ENCRYPTION_KEY is not set. Make one with `openssl rand -hex 32`.",
        )
    })?;
    let (public, identity) = key.age_identity();
    if report.json {
        printer::json(&json!({ "id": key.id(), "recipient": public, "identity": identity.reveal() }))?;
    } else {
        printer::line(format_args!(
            "# key {}, as age-keygen would write it\n# public key: {public}\n{}",
            key.id(),
            identity.reveal()
        ))?;
    }
    Ok(Verdict::Done)
}

/// Writes a line of the audit log about what was done: that it cannot be written does not undo it.
pub(super) async fn note(store: &Store, line: &AuditEntry) {
    if let Err(error) = audit::write(store, line).await {
        untold(&error);
    }
}

/// Says that the audit log lacks a line.
pub(super) fn untold(error: &Error) {
    printer::talk(format_args!("warning: the audit log does not tell of this: {}", error.message()));
}

/// What the settings say, at another target where one is named.
fn setup(settings: &Settings, elsewhere: Option<&ObjectPlace>) -> Result<Setup> {
    let setup = Setup::of(settings)?;
    match elsewhere {
        Some(place) => setup.at(place),
        None => Ok(setup),
    }
}

fn place(option: &str, text: &str) -> Result<ObjectPlace, Stop> {
    ObjectPlace::parse(text).map_err(|issue| Error::field(option, issue).into())
}

/// A bar for each stage of a long work, one after the other.
#[derive(Default)]
pub(super) struct Bars(Mutex<Option<(Stage, ProgressBar)>>);

impl Bars {
    pub(super) fn show(&self, stage: Stage, done: u64, all: u64) {
        let mut shown = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if shown.as_ref().is_none_or(|(before, _)| *before != stage) {
            if let Some((_, bar)) = shown.take() {
                bar.finish_and_clear();
            }
            *shown = Some((stage, printer::progress(all, word(stage))));
        }
        if let Some((_, bar)) = &*shown {
            bar.set_length(all.max(done));
            bar.set_position(done);
        }
    }

    pub(super) fn end(&self) {
        if let Some((_, bar)) = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Taking => "taking",
        Stage::Checking => "checking",
        Stage::Loading => "restoring",
        Stage::Comparing => "comparing",
        Stage::Replaying => "replaying",
        Stage::Switching => "switching",
    }
}

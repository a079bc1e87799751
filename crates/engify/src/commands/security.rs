//! `engify security`: do the providers' keys work, and encrypting what is stored with another key. What is done with the
//! audit log has files of its own.

use std::io::{Read, Write as _};
use std::path::Path;

use engify_app::Ctx;
use engify_app::provider_keys::{self, Trial};
use engify_app::vault::{self, Progress, Report as Rotated, Rotation, Standing};
use engify_core::{Error, Kind, Secret};
use serde_json::json;

use super::{audit_export, audit_verify, with_app};
use crate::cli::{RotateKey, Security, TestKeys};
use crate::environment::Environment;
use crate::printer::{self, Printed};
use crate::stop::{Ended, Stop, Verdict};

/// More than any key has, line breaks included.
const KEY_BYTES: u64 = 4096;

/// Runs one of the `security` commands.
pub(super) async fn run(environment: &Environment, command: Security) -> Ended {
    match command {
        Security::TestKeys(options) => {
            with_app(environment, async |ctx| test_keys(ctx, &options).await).await
        }
        Security::AuditVerify(options) => {
            with_app(environment, async |ctx| audit_verify::run(ctx, options).await).await
        }
        Security::AuditExport(options) => {
            with_app(environment, async |ctx| audit_export::run(ctx, options).await).await
        }
        Security::RotateKey(options) => {
            let new_key = new_key(&options)?;
            with_app(environment, async |ctx| rotate_key(ctx, &options, new_key).await).await
        }
    }
}

async fn test_keys(ctx: &Ctx, options: &TestKeys) -> Ended {
    let mut trials = provider_keys::try_installation(ctx).await?;
    if options.stored {
        trials.extend(provider_keys::try_all_stored(ctx).await?);
    }
    let bad = trials.iter().filter(|trial| !trial.ok).count();
    if options.report.json {
        printer::json(&json!({ "ok": bad == 0, "configured": !trials.is_empty(), "keys": trials }))?;
    } else {
        tell_trials(&trials, bad, options.stored)?;
    }
    Ok(Verdict::wanting_if(bad > 0))
}

fn tell_trials(trials: &[Trial], bad: usize, stored: bool) -> Printed {
    if trials.is_empty() {
        let place = if stored { "in the settings, and none is stored" } else { "in the settings" };
        return printer::line(format_args!(
            "No provider has a key {place}: runs are dry runs. Set OPENAI_API_KEY, ANTHROPIC_API_KEY, GOOGLE_API_KEY, GROQ_API_KEY \
             or REPLICATE_API_TOKEN, or OLLAMA_BASE_URL."
        ));
    }
    let row = |trial: &Trial| {
        let format = match trial.format_ok {
            Some(true) => "right",
            Some(false) => "unusual",
            None => "no key",
        };
        let hint = trial
            .hint
            .as_deref()
            .filter(|hint| !hint.is_empty())
            .map_or("-".to_owned(), |hint| format!("…{hint}"));
        [
            trial.provider.clone(),
            trial.owner.clone().unwrap_or_else(|| "installation".to_owned()),
            hint,
            format.to_owned(),
            trial.reason.replace('_', " "),
            trial.latency_ms.map_or("-".to_owned(), printer::duration),
        ]
    };
    printer::table(["provider", "whose", "key", "format", "result", "time"], trials.iter().map(row))?;
    for trial in trials.iter().filter(|trial| !trial.ok) {
        printer::line(format_args!("{}: {}", trial.provider, trial.message))?;
    }
    match (trials.len(), bad) {
        (1, 0) => printer::line("The key works."),
        (all, 0) => printer::line(format_args!("All {all} keys work.")),
        (all, bad) => printer::line(format_args!("{bad} of {all} do not work.")),
    }
}

async fn rotate_key(ctx: &Ctx, options: &RotateKey, new_key: Option<Secret<String>>) -> Ended {
    if let Some(key) = new_key.as_ref().filter(|_| !options.dry_run) {
        warn_unless_known(ctx, key);
    }
    let asked = Rotation { new_key, dry_run: options.dry_run, skip_unreadable: options.skip_unreadable };
    let mut bar = Bar::default();
    let report = vault::rotate(ctx, asked, &mut |progress| bar.show(progress)).await?;
    if options.report.json {
        printer::json(&report)?;
    } else {
        tell_rotation(&report)?;
    }
    Ok(Verdict::wanting_if(!report.complete && !report.dry_run))
}

/// Servers with the settings that this command has cannot open what they will find: worth knowing before, not after.
fn warn_unless_known(ctx: &Ctx, key: &Secret<String>) {
    let security = &ctx.app().settings().security;
    let mut known = security.encryption_key.iter().chain(&security.previous_encryption_keys);
    if !known.any(|known| known.reveal().eq_ignore_ascii_case(key.reveal())) {
        printer::talk(
            "note: the new key is not in the settings here. Servers that run with them cannot open what is encrypted with it \
             until API_KEY_ENCRYPTION_KEY or API_KEY_ENCRYPTION_KEY_PREVIOUS names it (docs/keys-and-secrets.md).",
        );
    }
}

fn tell_rotation(report: &Rotated) -> Printed {
    if report.keys.is_empty() {
        return printer::line("Nothing is encrypted here yet.");
    }
    let row = |key: &vault::Count| {
        let standing = match key.standing {
            Standing::Sealing => "encrypts",
            Standing::Opening => "opens only",
            Standing::Unknown => "unknown here",
        };
        [key.key_id.clone(), standing.to_owned(), key.values.to_string()]
    };
    printer::table(["key", "state", "values"], report.keys.iter().map(row))?;
    for one in &report.unreadable {
        printer::line(format_args!("unreadable: {} {} (key {})", one.collection, one.id, one.key_id))?;
    }
    match (report.dry_run, report.complete) {
        (true, true) => printer::line(format_args!(
            "Everything is encrypted with {}; there is nothing to do.",
            report.key_id
        )),
        (true, false) => printer::line("Nothing was changed."),
        (false, true) => printer::line(format_args!(
            "{} encrypted anew: everything is encrypted with {} now. Set API_KEY_ENCRYPTION_KEY to it, if it is not, and restart.",
            report.rotated, report.key_id
        )),
        (false, false) => printer::line(format_args!(
            "{} encrypted anew, and not everything is: look at the table, then run it again.",
            report.rotated
        )),
    }
}

/// Progress: a bar on a terminal, else a line for each hundred documents.
#[derive(Default)]
struct Bar(Option<(&'static str, indicatif::ProgressBar)>);

impl Bar {
    fn show(&mut self, Progress { collection, done, of }: Progress) {
        let begun = self.0.as_ref().is_some_and(|(name, _)| *name == collection);
        if !begun {
            self.0 = Some((collection, printer::progress(of, collection)));
        }
        let Some((_, bar)) = &self.0 else { return };
        if bar.is_hidden() {
            // Where stderr is closed, nobody is there to be told.
            let _ = writeln!(std::io::stderr().lock(), "{collection}: {done} of {of}");
        } else {
            bar.set_length(of);
            bar.set_position(done);
        }
    }
}

/// The new key, from a file or stdin; none is fine only where nothing is to be changed, and for going on with the
/// settings' own.
fn new_key(options: &RotateKey) -> Result<Option<Secret<String>>, Stop> {
    let text = match (&options.new_key_file, options.new_key_stdin) {
        (Some(path), _) => read_file(path)?,
        (None, true) => {
            let mut text = String::new();
            let read = std::io::stdin().lock().take(KEY_BYTES).read_to_string(&mut text);
            read.map_err(|error| unreadable("stdin", error.kind()))?;
            text
        }
        (None, false) => return Ok(None),
    };
    let key = Secret::new(text.trim().to_owned());
    vault::check_key(&key)?;
    Ok(Some(key))
}

fn read_file(path: &Path) -> Result<String, Stop> {
    std::fs::read_to_string(path).map_err(|error| unreadable(&path.display().to_string(), error.kind()))
}

fn unreadable(place: &str, why: std::io::ErrorKind) -> Stop {
    let message =
        format!("The new key cannot be read from {place} ({why}). Make one with: openssl rand -hex 32");
    Error::new(Kind::Invalid, "unreadable", message).into()
}

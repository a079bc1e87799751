//! Whether this process can do its work, and what each dependency did when it was last asked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engify_clients::delivery::Failure;
use engify_core::backup::{BackupState, DrillKind, DrillOutcome, Shipping};
use engify_core::permission::Permission;
use engify_core::settings::Shown;
use engify_core::tenancy::Scope;
use engify_core::{Result, Time};
use engify_store::queries;
use serde::Serialize;

use crate::shared::State;
use crate::{App, Ctx, messages};

/// How long the database may take to answer a health check.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a provider's failure is held against it.
const RECENT: Duration = Duration::from_secs(300);
/// Older than that, the newest backup is a matter for somebody: eight of those that are taken every six hours are missing.
pub(crate) const OLD: Duration = Duration::from_secs(2 * 86_400);

/// The state of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything that is configured works.
    Healthy,
    /// Something that is configured does not, and requests are served all the same.
    Degraded,
    /// Requests cannot be served.
    Unhealthy,
}

/// The guide's shape, with further keys behind.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `healthy`, `degraded`, `unhealthy`.
    pub status: Status,
    /// When it was asked.
    pub timestamp: Time,
    /// One word for each dependency.
    pub services: Services,
    /// The program's version.
    pub version: String,
    /// Seconds since this process started.
    pub uptime_seconds: u64,
    /// `sqlite` or `mongodb`.
    pub database: String,
    /// `local`, `preview`, `staging`, `production`.
    pub environment: String,
    /// The last backup that was proven.
    pub backups: Backups,
    /// What is wrong and what to do, one sentence each.
    pub remedies: Vec<String>,
}

/// The last backup that was restored and compared.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backups {
    /// `proven`, `old` (the newest proven one is older than two days), `none`, or `unknown` while the database is away.
    pub state: String,
    /// The moment that it holds.
    pub last_backup_at: Option<Time>,
    /// When it was last restored and compared.
    pub last_proven_at: Option<Time>,
    /// The journal at the first target: `shipped`, `failing`, `none` (nothing was shipped yet), or `unknown`.
    pub journal: String,
    /// When something of it was shipped last; nothing is while nothing changes.
    pub last_shipped_at: Option<Time>,
}

/// One word for each dependency. `not_configured` is not a fault.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Services {
    /// `connected` or `disconnected`.
    pub database: String,
    /// `connected`, `not_configured`, `disabled` or `error` (it is away or takes no writes; the site works without it).
    pub redis: String,
    /// Mail, by SendGrid or SMTP: `operational`, `error` (the last letter was not taken) or `not_configured`.
    pub sendgrid: String,
    /// `operational`, `degraded` or `not_configured`.
    pub ai_providers: String,
}

/// What was seen of the providers, call by call.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    providers: Mutex<HashMap<&'static str, Seen>>,
    /// Why the mail server took no letter, until it takes one.
    mail: Mutex<Option<String>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    good: Option<Time>,
    bad: Option<(Time, &'static str)>,
}

impl Vitals {
    pub(crate) fn provider_answered(&self, provider: &'static str, at: Time) {
        self.seen(|seen| seen.entry(provider).or_default().good = Some(at));
    }

    pub(crate) fn provider_failed(&self, provider: &'static str, at: Time, why: &'static str) {
        self.seen(|seen| seen.entry(provider).or_default().bad = Some((at, why)));
    }

    pub(crate) fn mail_went(&self) {
        *self.mail.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Holds it against the mail server, unless it is about one receiver or one letter.
    pub(crate) fn mail_failed(&self, failure: &Failure) {
        if failure.kind.may_pass() {
            *self.mail.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.message.clone());
        }
    }

    fn mail_trouble(&self) -> Option<String> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seen<T>(&self, work: impl FnOnce(&mut HashMap<&'static str, Seen>) -> T) -> T {
        work(&mut self.providers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Providers whose last call failed, not long ago, with the failure's word.
    fn failing(&self, now: Time) -> Vec<(&'static str, &'static str)> {
        self.seen(|seen| {
            let mut failing: Vec<_> = seen
                .iter()
                .filter_map(|(provider, seen)| {
                    let (at, why) = seen.bad?;
                    let still = seen.good.is_none_or(|good| good < at) && now.since(at) < RECENT;
                    still.then_some((*provider, why))
                })
                .collect();
            failing.sort_unstable();
            failing
        })
    }
}

/// Looks at every dependency. Never fails: what is wrong is what it says.
pub async fn check(app: &App) -> Health {
    let now = app.clock().now();
    let mut remedies = Vec::new();
    let (ping, redis) =
        tokio::join!(tokio::time::timeout(PATIENCE, app.store().ping()), app.shared().state());
    let database = match ping {
        Ok(Ok(_)) => "connected",
        Ok(Err(fault)) => {
            remedies.push(fault.message().to_owned());
            "disconnected"
        }
        Err(_) => {
            remedies.push(
                "The database did not answer within 2 s. Check its load, its network access list and the connection string \
                 (MONGODB_URI)."
                    .to_owned(),
            );
            "disconnected"
        }
    };
    let backups = backups(app, now, database == "connected").await;
    if backups.state == "old" {
        remedies.push("The newest backup that was proven is older than two days. See what `engify jobs list` says of backup_snapshot, or run `engify db backup`.".to_owned());
    }
    if backups.journal == "failing" {
        remedies.push("The journal does not reach the backup target, so a lost machine would lose what was changed since. The server's log says why; check BACKUP_TARGET and its credentials.".to_owned());
    }
    if database == "connected" {
        remedies.extend(unpractised(app, now).await);
    }
    let configured = app.settings().ai.providers.iter().filter(|provider| provider.configured).count();
    let failing = app.vitals().failing(now);
    for (provider, why) in &failing {
        remedies.push(format!("The last call to {provider} failed ({why}). `engify security test-keys` and the provider's status page tell more."));
    }
    let ai_providers = match (configured, failing.is_empty()) {
        (0, _) => "not_configured",
        (_, true) => "operational",
        (_, false) => "degraded",
    };
    let trouble = app.vitals().mail_trouble();
    let mail = match (messages::mail_is_set_up(app), &trouble) {
        (false, _) => "not_configured",
        (true, None) => "operational",
        (true, Some(_)) => "error",
    };
    remedies.extend(trouble);
    let redis_word = redis.word();
    if let State::Error(remedy) = redis {
        remedies.push(remedy);
    }
    let status = match (database, ai_providers, mail, redis_word) {
        ("disconnected", ..) => Status::Unhealthy,
        (_, "degraded", ..) | (_, _, "error", _) | (.., "error") => Status::Degraded,
        _ => Status::Healthy,
    };
    Health {
        status,
        timestamp: now,
        services: Services {
            database: database.to_owned(),
            redis: redis_word.to_owned(),
            sendgrid: mail.to_owned(),
            ai_providers: ai_providers.to_owned(),
        },
        version: app.settings().public.version.clone(),
        uptime_seconds: app.uptime().as_secs(),
        database: app.store().kind().to_owned(),
        environment: app.settings().core.environment.as_str().to_owned(),
        backups,
        remedies,
    }
}

/// What the database remembers of backups. Their target is not asked: health is looked at every few seconds.
async fn backups(app: &App, now: Time, connected: bool) -> Backups {
    let query = queries::backups(Some(BackupState::Verified)).limit(1);
    let asked = tokio::time::timeout(PATIENCE, app.store().first(&query));
    let newest = match if connected { asked.await.ok() } else { None } {
        Some(Ok(newest)) => newest,
        _ => return unknown(),
    };
    let target = app.settings().backups.target.to_string();
    let everything = Scope::Everything("how the journal is shipped is the installation's own");
    let shipping = tokio::time::timeout(PATIENCE, app.store().get::<Shipping>(&everything, &target));
    let Ok(Ok(shipping)) = shipping.await else { return unknown() };
    let journal = match &shipping {
        Some(shipping) if shipping.failing_since.is_some() => "failing",
        Some(shipping) if shipping.shipped_at.is_some() => "shipped",
        _ => "none",
    };
    let state = match &newest {
        None => "none",
        Some(newest) if now.since(newest.created_at) > OLD => "old",
        Some(_) => "proven",
    };
    Backups {
        state: state.to_owned(),
        last_backup_at: newest.as_ref().map(|newest| newest.created_at),
        last_proven_at: newest.and_then(|newest| newest.verified_at),
        journal: journal.to_owned(),
        last_shipped_at: shipping.and_then(|shipping| shipping.shipped_at),
    }
}

/// What is to be said of the last drill of a restore; nothing where it went well not long ago, or none was due yet.
async fn unpractised(app: &App, now: Time) -> Option<String> {
    let query = queries::drills(Some(DrillKind::Restore)).limit(1);
    let last = tokio::time::timeout(PATIENCE, app.store().first(&query)).await.ok()?.ok()??;
    if last.outcome != DrillOutcome::Passed {
        return Some("The last drill of a restore did not reach its goals. Its steps are under OpsHub, Backups; `engify db drill restore` tries again.".to_owned());
    }
    let days = app.settings().backups.goals.proof_days;
    let late = now.since(last.started_at) > Duration::from_secs(days * 86_400);
    late.then(|| format!("The last drill of a restore is older than {days} days. See what `engify jobs list` says of drill_restore, or run `engify db drill restore`."))
}

fn unknown() -> Backups {
    Backups {
        state: "unknown".to_owned(),
        last_backup_at: None,
        last_proven_at: None,
        journal: "unknown".to_owned(),
        last_shipped_at: None,
    }
}

/// How much there is of what: documents and bytes per collection.
///
/// # Errors
/// `forbidden` without `system:read`.
pub async fn collections(ctx: &Ctx) -> Result<Vec<Holding>> {
    ctx.require(Permission::SystemRead)?;
    let stats = ctx.app().store().stats().await?;
    Ok(stats
        .into_iter()
        .map(|one| Holding {
            collection: one.collection.to_owned(),
            documents: one.documents,
            bytes: one.bytes,
        })
        .collect())
}

/// What this process runs on: every setting with its value, secrets left out, and where that was found.
///
/// # Errors
/// `forbidden` without `system:read`.
pub fn settings(ctx: &Ctx) -> Result<Vec<Shown>> {
    ctx.require(Permission::SystemRead)?;
    Ok(ctx.app().shown().to_vec())
}

/// How much a collection holds.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Holding {
    /// Its name.
    pub collection: String,
    /// How many documents.
    pub documents: u64,
    /// How many bytes, roughly.
    pub bytes: u64,
}

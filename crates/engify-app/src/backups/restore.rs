//! Restores that are asked for at a page or the API. What is asked for is worked out first, by a job that touches nothing;
//! what that job was told is what the second one does, once somebody has seen its plan, proven who they are and typed which
//! installation they mean.

use std::time::Duration;

use engify_core::audit::{Action, Outcome, Target};
use engify_core::backup::Backup;
use engify_core::error::Faults;
use engify_core::ids::{BackupId, JobId};
use engify_core::job::{Job, JobState, Priority};
use engify_core::permission::Permission;
use engify_core::{Error, Kind, Result, Time};
use engify_store::{Batch, collections};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{EVERYTHING, is_there};
use crate::Ctx;
use crate::jobs::{self, NewJob, Queued};

/// The kind of job that works a restore out.
pub const PLAN: &str = "restore_plan";
/// The kind of job that does it.
pub const RESTORE: &str = "restore";

/// How long a plan counts: the database goes on.
const FRESH: Duration = Duration::from_secs(3600);

/// Collections that are not restored alone: the lines of the audit log are sealed into a chain that goes on.
const CHAIN: [&str; 2] = ["audit_logs", "audit_chain"];

/// What is to come back, as a job is told it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wish {
    /// This backup, or what was changed behind it; none: the newest that leads to the moment.
    pub from: Option<BackupId>,
    /// The moment; none: that of the backup.
    pub at: Option<Time>,
    /// These collections only; empty for all that go back.
    #[serde(default)]
    pub collections: Vec<String>,
    /// Keys and accounts that were revoked or disabled since come back as they were.
    #[serde(default)]
    pub revive: bool,
}

/// What is to come back, as somebody typed it.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// A backup's id; empty for none.
    pub from: String,
    /// RFC 3339; empty for none.
    pub at: String,
    /// Names of collections.
    pub collections: Vec<String>,
    /// Whether what was revoked comes back to life.
    pub revive: bool,
}

/// The collections that can be restored alone, by name.
pub fn collections() -> Vec<&'static str> {
    let names = collections::ALL.iter().map(|collection| collection.name);
    let mut names: Vec<_> = names.filter(|name| !CHAIN.contains(name)).collect();
    names.sort_unstable();
    names
}

/// Has a restore worked out: everything but the switch, so that what differs is known. Nothing is touched.
///
/// # Errors
/// `forbidden` without `system:backup`; `invalid_request`, field by field.
pub async fn plan_restore(ctx: &Ctx, asked: &Asked) -> Result<Queued> {
    ctx.require_for(Permission::SystemBackup, Action::JobQueued, Target::new("job", PLAN)).await?;
    let wish = wish(ctx, asked).await?;
    let payload = serde_json::to_value(&wish).map_err(Error::internal)?;
    jobs::enqueue(ctx, NewJob::of(PLAN).payload(payload).priority(Priority::High)).await
}

async fn wish(ctx: &Ctx, asked: &Asked) -> Result<Wish> {
    let mut faults = Faults::default();
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let from = given(&asked.from).and_then(|id| faults.take("from", BackupId::parse(&id)));
    let at = given(&asked.at).and_then(|text| faults.take("at", text.parse::<Time>()));
    if given(&asked.from).is_none() && given(&asked.at).is_none() {
        faults.push("from", "or a moment must be given: which backup or which time is to come back?");
    }
    if at.is_some_and(|at| at > ctx.now()) {
        faults.push("at", "lies in the future");
    }
    let known = collections();
    for name in asked.collections.iter().filter(|name| !known.contains(&name.as_str())) {
        faults.push("collections", format!("{name} is none of {}", known.join(", ")));
    }
    if let Some(id) = &from {
        let backup = ctx.app().store().get::<Backup>(&EVERYTHING, id.as_str()).await?;
        if !backup.is_some_and(|backup| is_there(&backup)) {
            faults.push("from", "is no backup that the database remembers and that is still there");
        }
    }
    faults.check()?;
    Ok(Wish { from, at, collections: asked.collections.clone(), revive: asked.revive })
}

/// What has to be typed to confirm a restore: the installation's own host, so that nobody means another one.
pub fn confirmation(ctx: &Ctx) -> String {
    let url = &ctx.app().settings().core.url;
    url.split_once("://").map_or(url.as_str(), |(_, host)| host).trim_end_matches('/').to_owned()
}

/// Does what a plan showed. The job takes a backup first, as the command line does.
///
/// # Errors
/// `forbidden` without `system:backup`; `fresh_factor_required`; `not_found`; `plan_needed` where the plan did not end well or is
/// older than an hour; `invalid_request` where `typed` is not [`confirmation`]; `restore_running`.
pub async fn restore(ctx: &Ctx, plan: &str, typed: &str) -> Result<Queued> {
    let target = Target::new("job", RESTORE);
    ctx.require_for(Permission::SystemBackup, Action::RestoreStarted, target.clone()).await?;
    ctx.require_fresh()?;
    let planned = restoration(ctx, plan).await?;
    let ended = planned.ended_at.filter(|_| planned.kind == PLAN && planned.state == JobState::Done);
    if ended.is_none_or(|ended| ctx.now().since(ended) > FRESH) {
        let message =
            "Only a plan that was worked out within the last hour can be carried out: work it out again.";
        return Err(Error::new(Kind::Conflict, "plan_needed", message));
    }
    let expected = confirmation(ctx);
    if typed.trim() != expected {
        return Err(Error::field("confirm", format!("is not {expected}")));
    }
    let wish = planned.payload.clone();
    let new = NewJob::of(RESTORE).payload(wish.clone()).key(RESTORE).priority(Priority::High);
    let (batch, id) = jobs::post(ctx, Batch::new(), new)?;
    let details = json!({ "job": id, "plan": planned.id, "restore": wish });
    let line = ctx.audit(Action::RestoreStarted, Outcome::Success, target, details);
    match ctx.app().store().write(batch.insert(&line)?).await {
        Ok(_) => Ok(Queued { id, fresh: true }),
        Err(fault) if fault.code() == "duplicate" => {
            let message = "Another restore is under way. Wait until its job has ended.";
            Err(Error::new(Kind::Conflict, "restore_running", message))
        }
        Err(fault) => Err(fault),
    }
}

/// The job of a plan or a restore.
///
/// # Errors
/// `forbidden` without `system:backup`; `not_found`.
pub async fn restoration(ctx: &Ctx, id: &str) -> Result<Job> {
    ctx.require(Permission::SystemBackup)?;
    let found = match JobId::parse(id) {
        Ok(id) => ctx.app().store().get::<Job>(&EVERYTHING, id.as_str()).await?,
        Err(_) => None,
    };
    let found = found.filter(|job| [PLAN, RESTORE].contains(&job.kind.as_str()));
    found.ok_or_else(|| Error::not_found("restore"))
}

/// What a plan or a restore came to, as its job says.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restoration {
    /// What it set out to do.
    pub plan: PlanView,
    /// The backup of how it was before; null for a plan, and where nothing was there.
    pub safety: Option<String>,
    /// What differs between now and then; of a plan only.
    pub differences: Vec<Differences>,
    /// What was written; nothing by a plan.
    pub written: Written,
    /// What does not go back in time.
    pub kept: Kept,
    /// How long it took, milliseconds.
    pub duration_millis: u64,
}

/// What a restore sets out to do.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// The backup that it begins with.
    pub backup: Option<String>,
    /// Where that is.
    pub from: String,
    /// The moment that it holds.
    pub taken_at: Option<Time>,
    /// Whether it was restored and compared before.
    pub verified: bool,
    /// Documents in it.
    pub documents: u64,
    /// Bytes of it.
    pub bytes: u64,
    /// Where the changes behind it come from: `none`, `shipped` or `database`.
    pub journal: String,
    /// The journal's position that is restored.
    pub position: Option<u64>,
    /// Documents that are there now.
    pub there: u64,
    /// The collections that become as they were.
    pub collections: Vec<String>,
    /// About how long it takes.
    pub estimated_seconds: u64,
}

/// What differs in one collection between now and then.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
pub struct Differences {
    /// Its name.
    pub collection: String,
    /// Documents that come back.
    pub added: u64,
    /// Documents that become as they were.
    pub changed: u64,
    /// Documents that go.
    pub removed: u64,
}

/// What a restore wrote.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, schemars::JsonSchema)]
pub struct Written {
    /// Documents that came back.
    pub inserted: u64,
    /// Documents that became as they were.
    pub replaced: u64,
    /// Documents that went.
    pub removed: u64,
}

/// What does not go back in time.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// API keys that were revoked since and stay so.
    pub revoked_keys: u64,
    /// API keys that were deleted since and stay so.
    pub deleted_keys: u64,
    /// Accounts that were disabled since and stay so.
    pub disabled_accounts: u64,
    /// Revoked keys and disabled accounts that come back to life because somebody asked for it.
    pub revived: u64,
    /// Accounts whose password was changed since and is the old one again.
    pub older_passwords: u64,
}

impl Restoration {
    /// What a job says, where it ended well.
    pub fn of(job: &Job) -> Option<Self> {
        job.outcome.as_ref().and_then(|outcome| Self::deserialize(outcome).ok())
    }
}

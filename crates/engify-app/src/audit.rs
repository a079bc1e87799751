//! The audit log: reading it, exporting it, following it, proving it, and forgetting what is old. Writing a line belongs
//! to the use cases: each adds it to its own transaction.

use engify_core::audit::{Action, AuditEntry, Outcome, Target};
use engify_core::ids::{AuditId, UserId};
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_core::{Error, Result, Time};
use engify_store::queries::{self, AuditFilter};
use engify_store::{Cursor, Page};

use crate::Ctx;
use crate::limits::Limit;

pub(crate) mod chain;
mod export;
mod prune;
pub(crate) mod sealer;
mod tail;
mod verify;

pub use export::{Export, Format, export};
pub use prune::{Pruned, prune};
pub use tail::{Tail, tail};
pub use verify::{Anchor, Break, HeadView, Verdict, Wrong, head, verify};

/// What to show, as asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By this person's id.
    pub user: Option<String>,
    /// Of this kind.
    pub action: Option<String>,
    /// `success`, `refused` or `failed`.
    pub outcome: Option<String>,
    /// Done to this: an id, or a kind and an id as in `prompt:code-review`.
    pub target: Option<String>,
    /// From this address.
    pub address: Option<String>,
    /// Not before, RFC 3339.
    pub since: Option<String>,
    /// Before, RFC 3339.
    pub until: Option<String>,
}

impl Filter {
    /// The filter with its words read.
    fn read(&self) -> Result<AuditFilter> {
        let mut faults = engify_core::error::Faults::default();
        let given = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let (target_kind, target) = match given(&self.target) {
            Some(target) => match target.split_once(':') {
                Some((kind, id)) => (Some(kind.to_owned()), Some(id.to_owned())),
                None => (None, Some(target)),
            },
            None => (None, None),
        };
        let narrowed = AuditFilter {
            user: given(&self.user).and_then(|text| faults.take("user", UserId::parse(&text))),
            action: given(&self.action).and_then(|text| faults.take("action", Action::parse(&text))),
            outcome: given(&self.outcome).and_then(|text| faults.take("outcome", Outcome::parse(&text))),
            target_kind,
            target,
            address: given(&self.address),
            since: given(&self.since).and_then(|text| faults.take("since", text.parse::<Time>())),
            before: given(&self.until).and_then(|text| faults.take("until", text.parse::<Time>())),
        };
        faults.check()?;
        Ok(narrowed)
    }
}

/// Whose lines a reader sees: all of the installation for who runs it, else those of their own organization; without one,
/// their own.
fn scope(ctx: &Ctx) -> Result<Scope> {
    ctx.require(Permission::AuditRead)?;
    match crate::users::scope(ctx) {
        Some(scope) => Ok(scope),
        None => Ok(Scope::Owner(ctx.person()?.user.id.clone())),
    }
}

/// The audit log, newest first.
///
/// # Errors
/// `forbidden` without `audit:read`; `invalid_request`; `invalid_cursor`.
pub async fn list(ctx: &Ctx, filter: &Filter, limit: u32, cursor: Option<&str>) -> Result<Page<AuditEntry>> {
    let scope = scope(ctx)?;
    let query = queries::audit_entries(scope, &filter.read()?);
    let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// One line.
///
/// # Errors
/// `forbidden` without `audit:read`; `not_found`, also for a line of another organization.
pub async fn read(ctx: &Ctx, id: &str) -> Result<AuditEntry> {
    let scope = scope(ctx)?;
    let missing = || Error::not_found("audit line");
    let id = AuditId::parse(id).map_err(|_| missing())?;
    ctx.app().store().get(&scope, id.as_str()).await?.ok_or_else(missing)
}

/// Waits until every record that was promised before is written and sealed.
///
/// # Errors
/// Never, so far.
pub async fn settle(ctx: &Ctx) -> Result<(), Error> {
    ctx.app().recorder().flush().await;
    ctx.app().sealer().settle().await;
    Ok(())
}

/// Writes a line that tells of nothing else that is written: behind the answer, with the next group of records.
pub async fn note(ctx: &Ctx, line: AuditEntry) {
    ctx.app().recorder().note(line).await;
}

/// Refusals of one caller that are told one by one, per minute; the log is no way to fill a disk.
const REFUSALS: Limit = Limit::new("audited-refusals", 10, 60);

/// Tells of a refusal that no use case saw, because the guard in front of it refused: who, where, which permission.
pub async fn refused(ctx: &Ctx, route: &str, lacks: Permission) {
    let details = serde_json::json!({ "lacks": lacks.as_str() });
    note_refusal(ctx, Action::AccessRefused, Target::new("route", route), details).await;
}

/// Writes a refusal that a stranger can cause at will: at most ten a minute of one caller.
pub(crate) async fn note_refusal(ctx: &Ctx, action: Action, target: Target, details: serde_json::Value) {
    let who = ctx.user_id().map_or(ctx.origin.address.as_str(), UserId::as_str);
    if ctx.app().limiter().take(REFUSALS, who, 1).await.is_ok() {
        note(ctx, ctx.audit(action, Outcome::Refused, target, details)).await;
    }
}

//! Reading the audit log. Writing it belongs to the use cases: each adds its line to its own transaction.

use engify_core::audit::{Action, AuditEntry};
use engify_core::ids::UserId;
use engify_core::permission::Permission;
use engify_core::{Error, Result, Time};
use engify_store::queries::{self, AuditFilter};
use engify_store::{Cursor, Page};

use crate::Ctx;

/// What to show, as asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By this person's id.
    pub user: Option<String>,
    /// Of this kind.
    pub action: Option<String>,
    /// Not before, RFC 3339.
    pub since: Option<String>,
    /// Before, RFC 3339.
    pub until: Option<String>,
}

/// The audit log, newest first.
///
/// # Errors
/// `forbidden` without `audit:read`; `invalid_request`; `invalid_cursor`.
pub async fn list(ctx: &Ctx, filter: &Filter, limit: u32, cursor: Option<&str>) -> Result<Page<AuditEntry>> {
    ctx.require(Permission::AuditRead)?;
    let mut faults = engify_core::error::Faults::default();
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let narrowed = AuditFilter {
        user: given(&filter.user).and_then(|text| faults.take("user", UserId::parse(&text))),
        action: given(&filter.action).and_then(|text| faults.take("action", Action::parse(&text))),
        since: given(&filter.since).and_then(|text| faults.take("since", text.parse::<Time>())),
        before: given(&filter.until).and_then(|text| faults.take("until", text.parse::<Time>())),
    };
    faults.check()?;
    let Some(scope) = crate::users::scope(ctx) else { return Ok(Page { items: Vec::new(), next: None }) };
    let query = queries::audit_entries(scope, &narrowed);
    let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
    ctx.app().store().find(&query.limit(limit).after(cursor)).await
}

/// Waits until every record that was promised before is written: for the end of a command.
///
/// # Errors
/// Never, so far.
pub async fn settle(ctx: &Ctx) -> Result<(), Error> {
    ctx.app().recorder().flush().await;
    Ok(())
}

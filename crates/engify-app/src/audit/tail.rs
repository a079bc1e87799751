//! The log as it grows: lines as they are committed, by whichever process.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engify_core::Result;
use engify_core::audit::AuditEntry;
use engify_core::tenancy::Scope;
use engify_store::journal::Change;
use engify_store::queries::AuditFilter;
use engify_store::{Entity, queries};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;

use super::Filter;
use crate::{Ctx, accounts};

/// One tail lives this long. Its reader comes back by itself and is looked at anew; and a server that ends does not wait
/// for its readers.
const LIFE: Duration = Duration::from_secs(20);
/// The most lines that are caught up on.
const MISSED: u32 = 100;

/// Lines as they come.
pub struct Tail {
    ctx: Ctx,
    scope: Scope,
    filter: AuditFilter,
    feed: broadcast::Receiver<Arc<Vec<Change>>>,
    ready: VecDeque<AuditEntry>,
    end: Instant,
}

/// Follows the log from now on, or from behind the line `after`, which an earlier tail ended with.
///
/// # Errors
/// `forbidden` without `audit:read`; `invalid_request`; those of the store.
pub async fn tail(ctx: &Ctx, filter: &Filter, after: Option<&str>) -> Result<Tail> {
    let scope = super::scope(ctx)?;
    let filter = filter.read()?;
    // Before the store is asked, so that nothing is missed in between.
    let feed = ctx.app().store().changes();
    let mut tail =
        Tail { ctx: ctx.clone(), scope, filter, feed, ready: VecDeque::new(), end: Instant::now() + LIFE };
    if let Some(last) = after
        && let Ok(last) = super::read(ctx, last).await
    {
        tail.catch_up(&last).await?;
    }
    Ok(tail)
}

impl Tail {
    /// The next line; none once the tail's life or the caller's session is over.
    pub async fn next(&mut self) -> Option<AuditEntry> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Some(entry);
            }
            let changes = match tokio::time::timeout_at(self.end, self.feed.recv()).await {
                Ok(Ok(changes)) => changes,
                // Lines were missed, the store is closed, or it is over: whoever comes back catches up.
                Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) | Err(_) => return None,
            };
            let fresh: Vec<AuditEntry> =
                changes.iter().filter_map(line).filter(|entry| self.shows(entry)).collect();
            if fresh.is_empty() {
                continue;
            }
            if !accounts::still_holds(&self.ctx).await {
                return None;
            }
            self.ready.extend(fresh);
        }
    }

    async fn catch_up(&mut self, last: &AuditEntry) -> Result<()> {
        let since = AuditFilter { since: Some(last.created_at), ..self.filter.clone() };
        let page = self
            .ctx
            .app()
            .store()
            .find(&queries::audit_entries(self.scope.clone(), &since).limit(MISSED))
            .await?;
        let newer = page.items.into_iter().take_while(|entry| entry.id != last.id);
        newer.for_each(|entry| self.ready.push_front(entry));
        Ok(())
    }

    fn shows(&self, entry: &AuditEntry) -> bool {
        let AuditFilter { user, action, outcome, target_kind, target, address, since, before } = &self.filter;
        let in_scope = match &self.scope {
            Scope::Organization(organization) => entry.organization_id.as_ref() == Some(organization),
            Scope::Everything(_) => true,
            Scope::Owner(owner) => entry.user_id.as_ref() == Some(owner),
            Scope::Audiences(_) => false,
        };
        in_scope
            && user.as_ref().is_none_or(|user| entry.user_id.as_ref() == Some(user))
            && action.is_none_or(|action| entry.action == action)
            && outcome.is_none_or(|outcome| entry.outcome == outcome)
            && target_kind.as_ref().is_none_or(|kind| &entry.target.kind == kind)
            && target.as_ref().is_none_or(|id| &entry.target.id == id)
            && address.as_ref().is_none_or(|address| &entry.address == address)
            && since.is_none_or(|since| entry.created_at >= since)
            && before.is_none_or(|before| entry.created_at < before)
    }
}

fn line(change: &Change) -> Option<AuditEntry> {
    if change.collection != AuditEntry::COLLECTION.name {
        return None;
    }
    let doc = change.document.clone()?;
    serde_json::from_value(serde_json::Value::Object(doc)).ok()
}

//! Removal of old lines: each organization says how long its lines are kept, the installation says it for all others.
//!
//! A pruned line leaves its hash in its block, marked and proven by the chain's key, so that the chain still holds and a
//! line that somebody else removed is still missed. Works block by block, oldest first; of two processes that prune at
//! once, one wins each block.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use engify_core::audit::{Action, AuditBlock, AuditEntry, Outcome, Target};
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_core::{Result, Time};
use engify_store::{Batch, Cursor, Patch, queries};
use serde::Serialize;
use serde_json::json;

use crate::Ctx;

const BLOCKS: u32 = 20;
/// Lines that are removed in one transaction.
const TOGETHER: usize = 200;
const EVERYTHING: Scope = Scope::Everything("how long lines are kept is a rule of the installation");
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Lines.
    pub lines: u64,
}

/// Removes the lines that are older than their organization, or the installation, wants to keep them.
///
/// # Errors
/// `forbidden` without `system:settings`; those of the store.
pub async fn prune(ctx: &Ctx) -> Result<Pruned> {
    ctx.require(Permission::SystemSettings)?;
    let rules = Rules::read(ctx).await?;
    let mut work = Work { ctx, rules, gone: BTreeMap::new() };
    let Some(youngest) = work.rules.youngest else { return Ok(Pruned::default()) };
    let mut after: Option<Cursor> = None;
    'blocks: loop {
        let page = ctx.app().store().find(&queries::audit_blocks(0).limit(BLOCKS).after(after)).await?;
        for block in page.items {
            // Lines are sealed after they were written: nothing behind this block is old enough either.
            if block.sealed_at >= youngest {
                break 'blocks;
            }
            work.block(block).await?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    work.tell().await
}

/// From which time on lines are kept.
struct Rules {
    default: Option<Time>,
    organizations: HashMap<String, Option<Time>>,
    youngest: Option<Time>,
}

impl Rules {
    async fn read(ctx: &Ctx) -> Result<Self> {
        let now = ctx.now();
        // 0 days: for ever.
        let from = |days: u64| {
            (days > 0).then(|| now.minus(DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX))))
        };
        let default = from(u64::from(ctx.app().settings().security.audit_retention_days));
        let mut organizations = HashMap::new();
        let mut after = None;
        loop {
            let page =
                ctx.app().store().find_docs(&queries::organizations_all().limit(500).after(after)).await?;
            for doc in &page.items {
                let id = doc.get("_id").and_then(serde_json::Value::as_str).unwrap_or_default();
                if let Some(days) = doc.get("auditRetentionDays").and_then(serde_json::Value::as_u64) {
                    organizations.insert(id.to_owned(), from(days));
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let youngest = organizations.values().copied().chain([default]).flatten().max();
        Ok(Self { default, organizations, youngest })
    }

    fn is_old(&self, entry: &AuditEntry) -> bool {
        let own = entry.organization_id.as_ref().and_then(|id| self.organizations.get(id.as_str()));
        own.copied().unwrap_or(self.default).is_some_and(|from| entry.created_at < from)
    }
}

struct Work<'a> {
    ctx: &'a Ctx,
    rules: Rules,
    /// How many lines of which organization are gone.
    gone: BTreeMap<Option<engify_core::ids::OrganizationId>, u64>,
}

impl Work<'_> {
    async fn block(&mut self, mut block: AuditBlock) -> Result<()> {
        let app = self.ctx.app();
        // A block of another secret cannot be marked; its lines stay until that secret is here.
        let Some(key) = app.chain_keys().named(&block.key_id).cloned() else { return Ok(()) };
        let ids: Vec<String> =
            block.lines.iter().filter(|line| !line.gone).map(|line| line.id.clone()).collect();
        let entries: Vec<AuditEntry> = app.store().get_many(&EVERYTHING, &ids).await?;
        let old: Vec<AuditEntry> = entries.into_iter().filter(|entry| self.rules.is_old(entry)).collect();
        for some in old.chunks(TOGETHER) {
            let before = block.pruned.clone();
            let going: HashSet<&str> = some.iter().map(|entry| entry.id.as_str()).collect();
            for line in block.lines.iter_mut().filter(|line| going.contains(line.id.as_str())) {
                line.gone = true;
            }
            if block.lines.iter().all(|line| line.gone) {
                block.lines.clear();
            }
            block.pruned = Some(key.pruned(&block));
            let patch = Patch::new(EVERYTHING, &block.id)
                .set("lines", &block.lines)?
                .set("pruned", &block.pruned)?
                .when("pruned", &before)?;
            let mut batch = Batch::new().patch::<AuditBlock>(patch);
            for entry in some {
                batch = batch.delete::<AuditEntry>(EVERYTHING, &entry.id);
            }
            match app.store().write(batch).await {
                Ok(_) => {}
                // Another process prunes this block.
                Err(fault) if fault.code() == "stale" => return Ok(()),
                Err(fault) => return Err(fault),
            }
            for entry in some {
                *self.gone.entry(entry.organization_id.clone()).or_default() += 1;
            }
        }
        Ok(())
    }

    /// One line for each organization that lost lines, for its own administrators to see.
    async fn tell(self) -> Result<Pruned> {
        let mut batch = Batch::new();
        let mut lines = 0;
        for (organization, count) in self.gone {
            lines += count;
            let target = Target::new("audit", organization.as_ref().map_or("installation", |id| id.as_str()));
            let mut entry =
                self.ctx.audit(Action::AuditPruned, Outcome::Success, target, json!({ "lines": count }));
            entry.organization_id = organization;
            batch = batch.insert(&entry)?;
        }
        self.ctx.app().store().write(batch).await?;
        Ok(Pruned { lines })
    }
}

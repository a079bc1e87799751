//! Lines of the audit log about work at a terminal: who may run commands there is the system itself.

use engify_core::audit::{Action, AuditEntry, Outcome, Target};
use engify_core::ids::AuditId;
use engify_core::tenancy::Scope;
use engify_core::{Clock, Ids, Result};
use engify_store::{Batch, Store};
use serde_json::Value;

/// A line.
pub fn line(
    (clock, ids): (&Clock, &Ids),
    (action, outcome): (Action, Outcome),
    target: Target,
    details: Value,
) -> AuditEntry {
    AuditEntry {
        id: AuditId::make(ids),
        user_id: None,
        organization_id: None,
        key_id: None,
        action,
        outcome,
        target,
        address: "local".to_owned(),
        agent: "command line".to_owned(),
        request_id: ids.uuid(),
        details,
        created_at: clock.now(),
    }
}

/// Writes it, where it is not written yet: a restore may have taken it back. The next server that runs seals it.
///
/// # Errors
/// How the database fails.
pub async fn write(store: &Store, line: &AuditEntry) -> Result<()> {
    let everything = Scope::Everything("a line is looked for by its id");
    if store.get::<AuditEntry>(&everything, line.id.as_str()).await?.is_none() {
        store.write(Batch::new().insert(line)?).await?;
    }
    Ok(())
}

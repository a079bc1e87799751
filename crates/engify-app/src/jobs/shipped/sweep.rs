//! Clean-up: what has an end is of no use behind it. Doors check the end themselves; this only makes room.

use engify_core::Result;
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_store::{Batch, Entity, Query, queries};
use serde_json::{Value, json};

use crate::Ctx;

/// How many documents go in one batch: others write meanwhile.
const STEP: u32 = 200;

/// Deletes what has ended; says how many of each.
pub(super) async fn expired(ctx: &Ctx) -> Result<Value> {
    ctx.require(Permission::SystemSettings)?;
    let now = ctx.now();
    Ok(json!({
        "sessions": sweep(ctx, &queries::sessions_expired(now)).await?,
        "halfSessions": sweep(ctx, &queries::half_sessions_expired(now)).await?,
        "ceremonies": sweep(ctx, &queries::ceremonies_expired(now)).await?,
        "tickets": sweep(ctx, &queries::oauth_tickets_expired(now)).await?,
        "links": sweep(ctx, &queries::links_expired(now)).await?,
        "messages": sweep(ctx, &queries::messages_expired(now)).await?,
        "jobs": sweep(ctx, &queries::jobs_expired(now)).await?,
    }))
}

async fn sweep<E: Entity>(ctx: &Ctx, ended: &Query<E>) -> Result<u64> {
    const ALL: Scope = Scope::Everything("clean-up of what has ended");
    let mut swept = 0;
    loop {
        let some = ctx.app().store().find(&ended.clone().limit(STEP)).await?.items;
        if some.is_empty() {
            return Ok(swept);
        }
        let batch = some.iter().fold(Batch::new(), |batch, one| batch.delete::<E>(ALL, one.id()));
        ctx.app().store().write(batch).await?;
        swept += some.len() as u64;
    }
}

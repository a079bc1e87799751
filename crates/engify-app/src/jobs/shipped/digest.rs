//! The letter of the week to those who run the installation.

use std::time::Duration;

use engify_core::Result;
use engify_core::account::{Milestone, User};
use engify_core::ids::JobId;
use engify_core::job::JobState;
use engify_core::permission::{Permission, Role};
use engify_core::prompt::Prompt;
use engify_store::queries::JobFilter;
use engify_store::{Batch, queries};
use serde_json::{Value, json};

use super::usage;
use crate::Ctx;
use crate::doors::all;
use crate::messages::{self, Letter};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Posts the letter to every super admin, once for each job: a second try finds it posted.
pub(super) async fn send(ctx: &Ctx, job: &JobId) -> Result<Value> {
    ctx.require(Permission::SystemSettings)?;
    let letter = letter(ctx).await?;
    let posted = Milestone { id: format!("digest:{job}"), created_at: ctx.now() };
    let mut batch = Batch::new().insert(&posted)?;
    let mut letters = 0;
    for admin in all(ctx.app(), queries::users_by_role(Role::SuperAdmin)).await? {
        if admin.disabled_at.is_none() {
            batch = messages::post(ctx, batch, (&admin).into(), &letter)?;
            letters += 1;
        }
    }
    match ctx.app().store().write(batch).await {
        Ok(_) => Ok(json!({ "letters": letters })),
        Err(fault) if fault.code() == "duplicate" => Ok(json!({ "letters": 0 })),
        Err(fault) => Err(fault),
    }
}

async fn letter(ctx: &Ctx) -> Result<Letter> {
    let (now, store) = (ctx.now(), ctx.app().store());
    let since = now.minus(WEEK);
    let usage = usage::between(ctx, since, now).await?;
    let dead = JobFilter { state: Some(JobState::Dead), kind: None };
    let mut facts = vec![
        ("Runs", format!("{}, {} of them failed", usage.total.runs, usage.total.failed)),
        ("Tokens", usage.total.tokens.to_string()),
        ("Cost", format!("${:.2}", usage.total.cost.usd())),
    ];
    if let Some((provider, sums)) = usage.by_provider.iter().max_by_key(|(_, sums)| sums.runs) {
        facts.push(("Most used", format!("{provider}, {} runs", sums.runs)));
    }
    facts.extend([
        ("New people", store.count(&queries::made_since::<User>(since)).await?.to_string()),
        ("New prompts", store.count(&queries::made_since::<Prompt>(since)).await?.to_string()),
        ("Failed jobs", store.count(&queries::jobs(&dead)).await?.to_string()),
    ]);
    Ok(Letter::Digest { facts, link: messages::address(ctx.app(), "/opshub") })
}

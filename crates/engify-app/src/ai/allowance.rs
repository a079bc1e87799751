//! What a caller may run: their tier's requests and tokens, and their key's own tokens.

use engify_clients::ai::Provider;
use engify_core::ids::UserId;
use engify_core::run::{NanoUsd, Run};
use engify_core::{Error, Kind, Result};

use crate::limits::{Limit, Standing, tier};
use crate::{Ctx, keys};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Takes one request from the caller's tier; the operator at the command line has none. Dry runs cost no tokens.
pub(super) async fn take(ctx: &Ctx, dry: bool) -> Result<Option<Standing>> {
    let tier = tier(&ctx.app().settings().ai.tiers, ctx.role());
    let Some(who) = ctx.user_id().map(UserId::as_str) else { return Ok(None) };
    let limiter = ctx.app().limiter();
    if !dry {
        left(ctx, tokens_a_day(tier.tokens_per_day), who, "Your tier's").await?;
        if let Some((key, limit)) = key_limit(ctx) {
            left(ctx, limit, key, "This API key's").await?;
        }
    }
    limiter.take(Limit::new("ai-day", tier.per_day, DAY), who, 1).await?;
    limiter.take(Limit::new("ai-hour", tier.per_hour, HOUR), who, 1).await.map(Some)
}

/// Counts what a run used.
pub(super) async fn spend(ctx: &Ctx, run: &Run) {
    let Some(user) = ctx.user_id() else { return };
    let dry = run.provider == Provider::DryRun.name();
    let tokens = if dry { 0 } else { run.usage.total_tokens };
    if !dry {
        let tier = tier(&ctx.app().settings().ai.tiers, ctx.role());
        ctx.app().limiter().add(tokens_a_day(tier.tokens_per_day), user.as_str(), tokens).await;
        if let Some((key, limit)) = key_limit(ctx) {
            ctx.app().limiter().add(limit, key, tokens).await;
        }
    }
    if let Some(key) = &run.key_id {
        let cost = run.cost.map_or(0, |cost| cost.prompt_nanos.0 + cost.completion_nanos.0);
        ctx.app().tallies().run(user, key, ctx.now(), tokens, NanoUsd(cost));
    }
}

/// Fails where a day's tokens are used up.
async fn left(ctx: &Ctx, limit: Limit, who: &str, whose: &str) -> Result<()> {
    let standing = ctx.app().limiter().standing(limit, who).await;
    if standing.remaining > 0 {
        return Ok(());
    }
    // Asked for one more, the limiter says from when on that fits.
    let Err(refusal) = ctx.app().limiter().take(limit, who, 1).await else { return Ok(()) };
    let message = format!("{whose} {} tokens a day are used up. Dry runs still work.", limit.max);
    let refused = Error::new(Kind::RateLimited, "rate_limited", message).at_limit(standing);
    Err(refused.retry_after(refusal.retry_wait().unwrap_or_default()))
}

fn tokens_a_day(max: u64) -> Limit {
    Limit::new("ai-tokens-day", max, DAY)
}

fn key_limit(ctx: &Ctx) -> Option<(&str, Limit)> {
    let key = ctx.identity()?.key.as_ref()?;
    Some((key.id.as_str(), keys::tokens_a_day(key)?))
}

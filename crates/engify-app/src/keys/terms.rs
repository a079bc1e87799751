//! The terms of a key: where it may come from and how much it may be used. They are parsed when a key is made or read
//! from the store, never while a request waits.

use engify_core::address::AddressRange;
use engify_core::api_key::{ApiKey, KeyLimits};
use engify_core::audit::{Action, Target};
use engify_core::error::Faults;
use engify_core::{Error, Kind, Result};
use serde_json::json;

use crate::limits::{Limit, Standing};
use crate::{Ctx, audit};

/// The most entries of an allow-list.
const ADDRESSES: usize = 50;
/// The largest limits.
const REQUESTS: u64 = 1_000_000;
const TOKENS: u64 = 1_000_000_000;

/// Reads an allow-list.
pub(crate) fn addresses(faults: &mut Faults, given: &[String]) -> Vec<AddressRange> {
    let mut ranges = Vec::new();
    let texts = given.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    for (at, text) in texts.enumerate() {
        if at == ADDRESSES {
            faults.push("allowedAddresses", format!("takes at most {ADDRESSES} addresses and blocks"));
            break;
        }
        match faults.take(&format!("allowedAddresses.{at}"), text.parse::<AddressRange>()) {
            Some(range) if !ranges.contains(&range) => ranges.push(range),
            _ => {}
        }
    }
    ranges
}

/// Fails where a caller who comes with a key makes or changes one that is wider than their own: a key that leaked would
/// else lift its own bounds, or come back with those of a key that can do more.
pub(super) fn within_own(ctx: &Ctx, key: &ApiKey) -> Result<()> {
    let Some(own) = ctx.identity().and_then(|who| who.key.as_ref()) else { return Ok(()) };
    let scopes = key.scopes.iter().all(|scope| own.scopes.contains(scope));
    let ends = own.expires_at.is_none_or(|end| key.expires_at.is_some_and(|at| at <= end));
    let addresses = own.allowed_addresses.is_empty()
        || !key.allowed_addresses.is_empty()
            && key.allowed_addresses.iter().all(|range| own.allowed_addresses.contains(range));
    let holds =
        |own: Option<u64>, given: Option<u64>| own.is_none_or(|most| given.is_some_and(|n| n <= most));
    let limits = holds(own.limits.per_minute, key.limits.per_minute)
        && holds(own.limits.per_hour, key.limits.per_hour)
        && holds(own.limits.tokens_per_day, key.limits.tokens_per_day);
    if scopes && ends && addresses && limits {
        return Ok(());
    }
    let message = format!(
        "The API key {}… makes and changes no key that is wider than itself: in scopes, end, addresses and limits. Do it in a \
         browser.",
        own.prefix
    );
    Err(Error::new(Kind::Forbidden, "wider_than_key", message))
}

/// Checks limits.
pub(super) fn limits(faults: &mut Faults, given: KeyLimits) -> KeyLimits {
    for (field, limit, most) in [
        ("limits.perMinute", given.per_minute, REQUESTS),
        ("limits.perHour", given.per_hour, REQUESTS),
        ("limits.tokensPerDay", given.tokens_per_day, TOKENS),
    ] {
        if limit.is_some_and(|limit| !(1..=most).contains(&limit)) {
            faults.push(field, format!("is a whole number from 1 to {most}, or left out for none"));
        }
    }
    given
}

/// Lets a caller in as far as their key's terms go, and counts the request; whoever comes without a key has none. What is
/// left is that of the limit that ends first.
///
/// # Errors
/// `address_not_allowed`, written into the audit log; `rate_limited`.
pub async fn admit(ctx: &Ctx) -> Result<Option<Standing>> {
    let Some((identity, key)) = ctx.identity().and_then(|who| Some((who, who.key.as_ref()?))) else {
        return Ok(None);
    };
    if !key.allows_address(&ctx.origin.address) {
        return Err(refuse_address(ctx, key).await);
    }
    let limiter = ctx.app().limiter();
    let mut least: Option<Standing> = None;
    for (name, max, seconds) in
        [("key-hour", key.limits.per_hour, 3600), ("key-minute", key.limits.per_minute, 60)]
    {
        let Some(max) = max else { continue };
        let standing = limiter.take(Limit::new(name, max, seconds), key.id.as_str(), 1).await?;
        least = Some(tighter(least, standing));
    }
    ctx.app().tallies().request(&identity.user.id, &key.id, ctx.now());
    Ok(least)
}

/// The one of two that ends first.
pub fn tighter(one: Option<Standing>, other: Standing) -> Standing {
    one.filter(|one| one.remaining <= other.remaining).unwrap_or(other)
}

async fn refuse_address(ctx: &Ctx, key: &ApiKey) -> Error {
    let address = &ctx.origin.address;
    let details = json!({ "why": "address_not_allowed", "prefix": key.prefix });
    audit::note_refusal(ctx, Action::ApiKeyRefused, Target::new("api_key", &key.id), details).await;
    let message = format!(
        "The API key {}… may not be used from {address}. Its owner can add the address under Settings, API keys.",
        key.prefix
    );
    Error::new(Kind::Forbidden, "address_not_allowed", message)
}

/// The key's own limit on tokens, if it has one.
pub(crate) fn tokens_a_day(key: &ApiKey) -> Option<Limit> {
    key.limits.tokens_per_day.map(|max| Limit::new("key-tokens-day", max, 24 * 3600))
}

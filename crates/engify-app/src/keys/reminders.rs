//! Reminders before a key ends: 14, 3 and 1 days before, each once.
//!
//! What was sent is noted with the key, in the transaction that posts the letter, under the condition that nobody noted it
//! before: however many processes remind at once, and however often, one letter goes out for each threshold.

use std::time::Duration;

use engify_core::account::User;
use engify_core::api_key::ApiKey;
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_core::{Result, Time};
use engify_store::{Batch, Patch, queries};

use crate::Ctx;
use crate::messages::{self, Letter};

/// So many days before, the nearest first.
const BEFORE: [u32; 3] = [1, 3, 14];

/// Reminds the owners of all keys that end soon; says how many letters were posted. May be called at any time.
///
/// # Errors
/// `forbidden` without `system:settings`; those of the store.
pub async fn remind(ctx: &Ctx) -> Result<u64> {
    ctx.require(Permission::SystemSettings)?;
    let now = ctx.now();
    // The query's end is exclusive, the thresholds are not.
    let until = now.plus(days(BEFORE[2]) + Duration::from_millis(1));
    let mut query = queries::api_keys_ending(now, until).limit(200);
    let mut posted = 0;
    loop {
        let page = ctx.app().store().find(&query).await?;
        for key in &page.items {
            if let Some((expires, threshold)) = due(key, now) {
                posted += u64::from(send(ctx, key, expires, threshold).await?);
            }
        }
        if page.next.is_none() {
            return Ok(posted);
        }
        query = query.after(page.next);
    }
}

fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 86_400)
}

/// The end of a key and the threshold that it has crossed and nobody was told of.
fn due(key: &ApiKey, now: Time) -> Option<(Time, u32)> {
    let expires = key.expires_at.filter(|_| key.is_live(now) && key.replaced_by.is_none())?;
    let threshold = BEFORE.into_iter().find(|before| expires.since(now) <= days(*before))?;
    // Whoever makes a key for two days knows that it ends within fourteen.
    let meant = expires.since(key.created_at) > days(threshold);
    let told = key.reminded_days.is_some_and(|told| told <= threshold);
    (meant && !told).then_some((expires, threshold))
}

/// Posts one letter; false where another process was first, or where nobody is there to read it.
async fn send(ctx: &Ctx, key: &ApiKey, expires: Time, threshold: u32) -> Result<bool> {
    let scope = Scope::Everything("the installation reminds the owners of all keys");
    let owner = key.tenancy.user_id.as_ref().map_or("", |owner| owner.as_str());
    let Some(user) = ctx.app().store().get::<User>(&scope, owner).await? else { return Ok(false) };
    if user.disabled_at.is_some() {
        return Ok(false);
    }
    let note =
        Patch::new(scope, &key.id).set("remindedDays", threshold)?.when("remindedDays", key.reminded_days)?;
    let letter = Letter::KeyExpires { name: key.name.clone(), prefix: key.prefix.clone(), expires };
    let batch = Batch::new().patch::<ApiKey>(note);
    let batch = messages::post(ctx, batch, (&user).into(), &letter)?;
    match ctx.app().store().write(batch).await {
        Ok(_) => Ok(true),
        Err(fault) if fault.code() == "stale" => Ok(false),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T12:00:00.000Z";

    fn key(lives: u64, left: u64, told: Option<u32>) -> ApiKey {
        let now: Time = NOW.parse().unwrap();
        let expires = now.plus(Duration::from_secs(left * 3600));
        serde_json::from_value(serde_json::json!({
            "_id": "k", "userId": "u", "organizationId": null, "visibility": "private", "audience": "user:u", "name": "ci",
            "prefix": "egf_", "keyHash": "h", "scopes": [], "expiresAt": expires, "lastUsedAt": null, "revokedAt": null,
            "replacedBy": null, "remindedDays": told, "createdAt": expires.minus(Duration::from_secs(lives * 86_400)),
        }))
        .unwrap()
    }

    #[test]
    fn a_key_is_due_at_each_threshold_that_it_lives_long_enough_for() {
        let now: Time = NOW.parse().unwrap();
        for (lives, hours_left, told, expected) in [
            (90, 15 * 24, None, None),
            (90, 14 * 24, None, Some(14)),
            (90, 14 * 24, Some(14), None),
            (90, 4 * 24, Some(14), None),
            (90, 72, Some(14), Some(3)),
            (90, 20, Some(3), Some(1)),
            (90, 20, Some(1), None),
            (90, 20, None, Some(1)),
            (2, 40, None, None),
            (2, 24, None, Some(1)),
            (1, 12, None, None),
        ] {
            let found = due(&key(lives, hours_left, told), now).map(|(_, threshold)| threshold);
            assert_eq!(found, expected, "lives {lives} d, {hours_left} h left, told {told:?}");
        }
    }
}

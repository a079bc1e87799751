//! API keys of the caller.

use std::time::Duration;

use axum::extract::{Path, Request};
use engify_app::history;
use engify_app::keys::{self, KeyChanges, NewKey, UsageDay};
use engify_app::limits::presets;
use engify_core::api_key::KeyLimits;
use engify_core::permission::Permission;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Paging, limit};
use crate::extract::{Caller, Json, Query, optional};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply};
use crate::route::Route;
use crate::views::{KeyView, MadeKeyView};

pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Policy = Policy::needs(Permission::KeysManage);
    const CONFLICT: &[StatusCode] = &[StatusCode::CONFLICT];
    vec![
        Route::get("/api/v2/users/api-keys", MANAGE, list)
            .named("API keys", "The caller's keys, newest first")
            .query::<Paging>()
            .gives::<List<KeyView>>(StatusCode::OK, "never the keys themselves"),
        Route::post("/api/v2/users/api-keys", MANAGE.limit(presets::KEY_CREATE), create)
            .named("API keys", "Make a key; it is shown in this reply only")
            .takes::<NewKeyBody>()
            .gives::<Done<MadeKeyView>>(StatusCode::CREATED, "the key")
            .refuses(CONFLICT),
        Route::get("/api/v2/users/api-keys/usage", Policy::needs(Permission::RunsRead), usage)
            .named("API keys", "Runs, tokens and cost of the caller, day by day")
            .query::<UsageQuery>()
            .gives::<List<DayView>>(StatusCode::OK, "oldest first"),
        Route::patch("/api/v2/users/api-keys/{id}", MANAGE.limit(presets::WRITE), update)
            .named("API keys", "Change a key's name, allowed addresses or limits")
            .takes::<ChangesBody>()
            .gives::<Done<KeyView>>(StatusCode::OK, "changed")
            .refuses(CONFLICT),
        Route::get("/api/v2/users/api-keys/{id}/usage", MANAGE, usage_of)
            .named("API keys", "Requests, runs, tokens and cost of one key, day by day")
            .query::<UsageQuery>()
            .gives::<List<KeyDayView>>(StatusCode::OK, "oldest first"),
        Route::post("/api/v2/users/api-keys/{id}/rotate", MANAGE.limit(presets::KEY_CREATE), rotate)
            .named("API keys", "Replace a key; the old one works for the grace")
            .takes::<RotateBody>()
            .gives::<Done<MadeKeyView>>(StatusCode::CREATED, "the new key")
            .refuses(CONFLICT),
        Route::post("/api/v2/users/api-keys/{id}/revoke", MANAGE.limit(presets::WRITE), revoke)
            .named("API keys", "End a key")
            .gives::<Done<KeyView>>(StatusCode::OK, "ended"),
    ]
}

async fn list(caller: Caller, Query(paging): Query<Paging>) -> Reply {
    let page = keys::list(&caller.0, limit(paging.limit)?, paging.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    let now = caller.0.now();
    Ok(List::new(page.items.iter().map(|key| KeyView::new(key, now)).collect(), next).reply())
}

/// A new key.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewKeyBody {
    /// 1 to 100 characters.
    name: String,
    /// `area:verb` words; reading prompts, running them and reading one's runs where it is left out.
    scopes: Option<Vec<String>>,
    /// RFC 3339; never where it is left out.
    expires_at: Option<String>,
    /// IPv4 and IPv6 addresses and blocks that it may come from, at most 50: `203.0.113.7`, `2001:db8::/32`; all where it is
    /// left out.
    #[serde(default)]
    allowed_addresses: Vec<String>,
    /// How much it may be used, within its owner's own limits.
    #[serde(default)]
    limits: KeyLimits,
}

async fn create(caller: Caller, Json(body): Json<NewKeyBody>) -> Reply {
    let new = NewKey {
        name: body.name,
        scopes: body.scopes,
        expires_at: body.expires_at,
        allowed_addresses: body.allowed_addresses,
        limits: body.limits,
    };
    let made = keys::create(&caller.0, new).await?;
    Ok(Done::reply(StatusCode::CREATED, MadeKeyView::new(&made.key, &made.plain)))
}

/// What to change; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangesBody {
    /// 1 to 100 characters.
    name: Option<String>,
    /// Addresses and blocks that it may come from, at most 50; an empty list for all.
    allowed_addresses: Option<Vec<String>>,
    /// All three at once: what is left out of them, or null, is no limit.
    limits: Option<KeyLimits>,
}

async fn update(caller: Caller, Path(id): Path<String>, Json(body): Json<ChangesBody>) -> Reply {
    let ChangesBody { name, allowed_addresses, limits } = body;
    let key = keys::update(&caller.0, &id, KeyChanges { name, allowed_addresses, limits }).await?;
    Ok(Done::reply(StatusCode::OK, KeyView::new(&key, caller.0.now())))
}

/// How long the old key goes on.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RotateBody {
    /// 0 to 604800 seconds; a day where it is left out.
    #[schemars(range(min = 0, max = 604_800))]
    grace_seconds: Option<u64>,
}

async fn rotate(caller: Caller, Path(id): Path<String>, request: Request) -> Reply {
    let body: RotateBody = optional(request, 4096).await?;
    let grace = Duration::from_secs(body.grace_seconds.unwrap_or(24 * 3600));
    let made = keys::rotate(&caller.0, &id, grace).await?;
    Ok(Done::reply(StatusCode::CREATED, MadeKeyView::new(&made.key, &made.plain)))
}

async fn revoke(caller: Caller, Path(id): Path<String>) -> Reply {
    let key = keys::revoke(&caller.0, &id).await?;
    Ok(Done::reply(StatusCode::OK, KeyView::new(&key, caller.0.now())))
}

/// How far back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UsageQuery {
    /// 1 to 90; 30 where it is left out.
    #[schemars(range(min = 1, max = 90))]
    days: Option<u32>,
}

/// The figures of one day, UTC.
#[derive(Serialize, JsonSchema)]
struct DayView {
    day: String,
    runs: u64,
    failed: u64,
    tokens: u64,
    /// US dollars, of the runs whose price is known.
    cost: f64,
}

/// What one key was used for on one day, UTC.
#[derive(Serialize, JsonSchema)]
struct KeyDayView {
    day: String,
    /// Requests that the key's own terms let through, whatever became of them.
    requests: u64,
    /// Runs, dry runs included.
    runs: u64,
    /// Tokens of those runs; those of dry runs are not counted.
    tokens: u64,
    /// US dollars, of the runs whose price is known.
    cost: f64,
}

async fn usage_of(caller: Caller, Path(id): Path<String>, Query(query): Query<UsageQuery>) -> Reply {
    let view = |day: UsageDay| {
        let UsageDay { day, requests, runs, tokens, cost } = day;
        KeyDayView { day, requests, runs, tokens, cost }
    };
    let days = keys::usage(&caller.0, &id, query.days()?).await?;
    Ok(List::new(days.into_iter().map(view).collect(), None).reply())
}

impl UsageQuery {
    fn days(&self) -> engify_core::Result<u32> {
        match self.days {
            None => Ok(30),
            Some(days @ 1..=90) => Ok(days),
            Some(_) => Err(engify_core::Error::field("days", "is a whole number from 1 to 90")),
        }
    }
}

async fn usage(caller: Caller, Query(query): Query<UsageQuery>) -> Reply {
    let days = query.days()?;
    let days = history::by_day(&caller.0, days, false).await?.into_iter().map(|day| DayView {
        day: day.day,
        runs: day.runs,
        failed: day.failed,
        tokens: day.tokens,
        cost: day.cost,
    });
    Ok(List::new(days.collect(), None).reply())
}

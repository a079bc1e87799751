//! What keys are used for: counted in memory with each request, written day by day behind the answers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use engify_core::api_key::KeyUsage;
use engify_core::ids::{ApiKeyId, UserId};
use engify_core::permission::Permission;
use engify_core::run::NanoUsd;
use engify_core::tenancy::Scope;
use engify_core::{Error, Result, Time};
use engify_store::{Batch, Patch, Store, queries};

use super::own;
use crate::Ctx;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// So many documents are known to be there before the list of them is begun anew.
const KNOWN: usize = 100_000;

/// What was counted since it was last written.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<HashMap<ApiKeyId, Tally>>);

/// The counts of one key.
#[derive(Debug)]
struct Tally {
    user: UserId,
    /// By days since 1970-01-01, UTC. Nearly always one.
    days: Vec<(i64, Counts)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    requests: u64,
    runs: u64,
    tokens: u64,
    cost_nanos: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.runs += other.runs;
        self.tokens += other.tokens;
        self.cost_nanos += other.cost_nanos;
    }
}

impl Tallies {
    /// A request came.
    pub(crate) fn request(&self, user: &UserId, key: &ApiKeyId, now: Time) {
        self.add(user, key, now, Counts { requests: 1, ..Counts::default() });
    }

    /// A run ended.
    pub(crate) fn run(&self, user: &UserId, key: &ApiKeyId, now: Time, tokens: u64, cost: NanoUsd) {
        self.add(user, key, now, Counts { requests: 0, runs: 1, tokens, cost_nanos: cost.0 });
    }

    fn add(&self, user: &UserId, key: &ApiKeyId, now: Time, counts: Counts) {
        let day = now.millis().div_euclid(DAY);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tally) = all.get_mut(key) else {
            all.insert(key.clone(), Tally { user: user.clone(), days: vec![(day, counts)] });
            return;
        };
        match tally.days.iter_mut().find(|(counted, _)| *counted == day) {
            Some((_, before)) => before.add(counts),
            None => tally.days.push((day, counts)),
        }
    }

    /// What changes the stored counts by what was counted. What cannot be prepared now stays for the next time.
    pub(crate) async fn drain(&self, store: &Store, known: &mut HashSet<String>) -> Batch {
        let counted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if known.len() > KNOWN {
            known.clear();
        }
        let mut batch = Batch::new();
        for (key, Tally { user, days }) in counted {
            for (day, counts) in days {
                let day = Time::from_millis(day * DAY);
                match prepared(store, known, &KeyUsage::none(&user, &key, &day.day()), counts).await {
                    Ok(patch) => batch = batch.patch::<KeyUsage>(patch),
                    Err(fault) => {
                        tracing::warn!(error = %fault, key.id = %key, "keys.uncounted: trying again");
                        self.add(&user, &key, day, counts);
                    }
                }
            }
        }
        batch
    }
}

/// Makes the day's document where it is missing, and says how to change it.
async fn prepared(
    store: &Store,
    known: &mut HashSet<String>,
    empty: &KeyUsage,
    counts: Counts,
) -> Result<Patch> {
    let everything = Scope::Everything("counters");
    if !known.contains(&empty.id) {
        if store.get::<KeyUsage>(&everything, &empty.id).await?.is_none() {
            match store.write(Batch::new().insert(empty)?).await {
                // Another process was first.
                Err(fault) if fault.code() != "duplicate" => return Err(fault),
                _ => {}
            }
        }
        known.insert(empty.id.clone());
    }
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let Counts { requests, runs, tokens, cost_nanos } = counts;
    Ok(Patch::new(everything, &empty.id)
        .add("requests", count(requests))
        .add("runs", count(runs))
        .add("tokens", count(tokens))
        .add("costNanos", count(cost_nanos))
        .or_skip())
}

/// What a key was used for on one day.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UsageDay {
    /// `2026-11-22`, UTC.
    pub day: String,
    /// Requests that the key's own terms let through.
    pub requests: u64,
    /// Runs, dry runs included.
    pub runs: u64,
    /// Tokens, in and out; those of dry runs are not counted.
    pub tokens: u64,
    /// US dollars, of the runs whose price is known.
    pub cost: f64,
}

/// A key's use on each of the last `days` days (1 to 90), oldest first, days without use included. The last second may be
/// missing.
///
/// # Errors
/// `not_found`; `forbidden` without `keys:manage`.
pub async fn usage(ctx: &Ctx, id: &str, days: u32) -> Result<Vec<UsageDay>> {
    ctx.require(Permission::KeysManage)?;
    let key = own(ctx, id).await?;
    let now = ctx.now().millis();
    let day_of = |back: i64| Time::from_millis(now - back * DAY).day();
    let days = i64::from(days.clamp(1, 90));
    let empty = |day: String| (day.clone(), UsageDay { day, ..UsageDay::default() });
    let mut by_day: BTreeMap<String, UsageDay> = (0..days).map(day_of).map(empty).collect();
    let owner = key.tenancy.user_id.as_ref().ok_or_else(|| Error::internal("an API key has an owner"))?;
    let query = queries::key_usage_of(owner, &key.id, &day_of(days - 1)).limit(100);
    for stored in ctx.app().store().find(&query).await?.items {
        if let Some(day) = by_day.get_mut(&stored.day) {
            day.requests = stored.requests;
            day.runs = stored.runs;
            day.tokens = stored.tokens;
            day.cost = NanoUsd(stored.cost_nanos).usd();
        }
    }
    Ok(by_day.into_values().collect())
}

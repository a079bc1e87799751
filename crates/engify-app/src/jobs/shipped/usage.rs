//! What was used in a time, added up over the whole installation.

use std::collections::BTreeMap;

use engify_core::permission::Permission;
use engify_core::run::NanoUsd;
use engify_core::{Error, Result, Time};
use engify_store::{Doc, queries};
use serde::Serialize;
use serde_json::Value;

use crate::Ctx;

/// How many organizations a report names; the others are one line.
const NAMED: usize = 50;
/// Runs of nobody's organization, and the organizations beyond those that are named.
const NONE: &str = "none";
const OTHERS: &str = "others";

/// Sums over runs.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Sums {
    pub(super) runs: u64,
    pub(super) failed: u64,
    /// In and out.
    pub(super) tokens: u64,
    #[serde(rename = "costUsd", serialize_with = "usd")]
    pub(super) cost: NanoUsd,
}

/// A report.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    pub(super) from: String,
    pub(super) to: String,
    #[serde(flatten)]
    pub(super) total: Sums,
    pub(super) by_provider: BTreeMap<String, Sums>,
    pub(super) by_organization: BTreeMap<String, Sums>,
}

/// The report of the calendar month before this one, UTC.
pub(super) async fn last_month(ctx: &Ctx) -> Result<Value> {
    ctx.require(Permission::SystemSettings)?;
    let today = ctx.now().timestamp().to_zoned(jiff::tz::TimeZone::UTC).date();
    let first = today.first_of_month();
    let before = first.yesterday().map_err(Error::internal)?.first_of_month();
    let at = |day: jiff::civil::Date| format!("{day}T00:00:00.000Z").parse::<Time>().map_err(Error::internal);
    serde_json::to_value(between(ctx, at(before)?, at(first)?).await?).map_err(Error::internal)
}

/// What was used from a moment on, before another.
pub(super) async fn between(ctx: &Ctx, from: Time, to: Time) -> Result<Usage> {
    let mut usage = Usage { from: from.to_string(), to: to.to_string(), ..Usage::default() };
    let end = to.to_string();
    let mut after = None;
    loop {
        let page =
            ctx.app().store().find_docs(&queries::run_figures_since(from).limit(1000).after(after)).await?;
        for run in &page.items {
            let text = |field: &str| run.get(field).and_then(Value::as_str);
            if text("createdAt").is_none_or(|at| at >= end.as_str()) {
                continue;
            }
            let one = sums(run);
            usage.total.add(one);
            usage.by_provider.entry(text("provider").unwrap_or(NONE).to_owned()).or_default().add(one);
            usage
                .by_organization
                .entry(text("organizationId").unwrap_or(NONE).to_owned())
                .or_default()
                .add(one);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    usage.shorten();
    Ok(usage)
}

fn sums(run: &Doc) -> Sums {
    let number = |outer: &str, inner: &str| {
        run.get(outer).and_then(|value| value.get(inner)).and_then(Value::as_u64).unwrap_or(0)
    };
    Sums {
        runs: 1,
        failed: u64::from(run.get("status").and_then(Value::as_str) == Some("failed")),
        tokens: number("usage", "totalTokens"),
        cost: NanoUsd(number("cost", "promptNanos") + number("cost", "completionNanos")),
    }
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.failed += other.failed;
        self.tokens += other.tokens;
        self.cost.0 += other.cost.0;
    }
}

impl Usage {
    /// Names the organizations that ran the most, and adds up the others.
    fn shorten(&mut self) {
        let mut all: Vec<(String, Sums)> = std::mem::take(&mut self.by_organization).into_iter().collect();
        all.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.runs));
        let mut others = Sums::default();
        let rest = all.split_off(all.len().min(NAMED));
        rest.iter().for_each(|(_, sums)| others.add(*sums));
        self.by_organization = all.into_iter().collect();
        if !rest.is_empty() {
            self.by_organization.insert(OTHERS.to_owned(), others);
        }
    }
}

fn usd<S: serde::Serializer>(cost: &NanoUsd, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(cost.usd())
}

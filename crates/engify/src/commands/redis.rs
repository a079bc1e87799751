//! `engify redis`: whether the memory that replicas share answers, how well, and forgetting what is ours there.

use engify_clients::kv::{Failure, FailureKind, Kv};
use engify_core::{Clock, Error, Ids, Kind};
use engify_ops::redis::{self, Check, Health, Target, Test};

use super::begin;
use crate::cli::{Flush, Redis, RedisTest, Report};
use crate::environment::Environment;
use crate::printer::{self, Printed};
use crate::stop::{Ended, Stop, Verdict};

/// Runs one of the `redis` commands.
pub(super) async fn run(environment: &Environment, command: Redis) -> Ended {
    let (settings, _log) = begin(environment)?;
    let ids = Ids::system(Clock::system());
    let target = redis::open(&settings, ids.clone())?;
    match command {
        Redis::Health(report) => health(&target, report).await,
        Redis::Test(options) => test(server(target)?, &ids, options).await,
        Redis::Flush(options) => flush(server(target)?, options).await,
    }
}

/// The server, or why there is none.
fn server(target: Target) -> Result<Kv, Stop> {
    let message = match target {
        Target::Server(kv) => return Ok(kv),
        Target::Disabled => "Redis is switched off. Take REDIS_ENABLED=false out of the settings.",
        Target::NotConfigured => {
            "No Redis is set up. Set REDIS_URL, or UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN."
        }
    };
    Err(Error::new(Kind::Invalid, "redis_not_configured", message).into())
}

async fn health(target: &Target, report: Report) -> Ended {
    let health = redis::health(target).await;
    if report.json {
        printer::json(&health)?;
    } else {
        tell_health(&health)?;
    }
    Ok(Verdict::wanting_if(health.is_wanting()))
}

fn tell_health(health: &Health) -> Printed {
    let address = health.address.as_deref().unwrap_or_default();
    match (health.state, &health.remedy, health.answer_ms) {
        ("not_configured", ..) => printer::line(
            "not_configured: no Redis is set up; the memory of one process is enough for one process.",
        ),
        ("disabled", ..) => printer::line("disabled: REDIS_ENABLED=false."),
        (state, Some(remedy), _) => printer::line(format_args!("{state}: {remedy}")),
        (state, None, millis) => {
            let took = printer::duration(millis.unwrap_or_default());
            printer::line(format_args!("{state}: {address} answers in {took}"))
        }
    }
}

async fn test(kv: Kv, ids: &Ids, options: RedisTest) -> Ended {
    let test = redis::test(&kv, ids, options.rounds).await;
    if options.report.json {
        printer::json(&test)?;
    } else {
        tell_test(&test)?;
    }
    Ok(Verdict::wanting_if(!test.ok))
}

fn tell_test(test: &Test) -> Printed {
    printer::line(format_args!("{} at {}", test.kind, test.address))?;
    let row = |check: &Check| [check.name.to_owned(), check.state.to_owned(), check.found.clone()];
    printer::table(["check", "state", "found"], test.checks.iter().map(row))?;
    if let Some(latency) = test.latency {
        printer::line(format_args!(
            "{} reads: p50 {:.3} ms, p95 {:.3} ms, p99 {:.3} ms, slowest {:.3} ms",
            latency.rounds, latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms
        ))?;
    }
    printer::line(if test.ok { "Nothing is wanting." } else { "Something is wanting; see above." })
}

async fn flush(kv: Kv, options: Flush) -> Ended {
    let flush = redis::flush(&kv, options.yes).await.map_err(unavailable)?;
    if options.report.json {
        printer::json(&flush)?;
    } else if options.yes {
        printer::line(format_args!(
            "Deleted {} keys that begin with {} at {}.",
            flush.deleted, flush.prefix, flush.address
        ))?;
    } else {
        printer::line(format_args!(
            "Would delete {} keys that begin with {} at {}, and no others. Caches fill again by themselves; running rate \
             limits begin anew.",
            flush.found, flush.prefix, flush.address
        ))?;
    }
    if !options.yes {
        printer::talk("Nothing was deleted; --yes does it.");
    }
    Ok(Verdict::Done)
}

/// A failure of the server's, as commands report what keeps them from running.
fn unavailable(failure: Failure) -> Error {
    let kind = match failure.kind {
        FailureKind::Timeout => Kind::Timeout,
        _ => Kind::Unavailable,
    };
    Error::new(kind, "redis_unavailable", failure.message.to_string())
}

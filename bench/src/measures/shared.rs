//! What replicas have of a Redis beside them, and what it costs to ask it.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};

use super::accounts::{TURN, apart};
use super::reads::{Beside, PROGRAM};
use super::{BUSY, Bench};
use crate::compare::{Side, alone, pairs};
use crate::library::slug;
use crate::load::{Load, Until};
use crate::redis::Redis;
use crate::report::{Line, Spread};
use crate::server::Server;
use crate::wire::request;

/// Prompts that one replica made and another is asked for, each once.
const MADE: usize = 3_000;

/// Prompts that another replica made: found in Redis, each for the first time here, beside a bare server.
pub(super) fn replica(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let redis = Redis::start(&bench.scratch.join("redis"))?;
    let url = redis.url();
    let with_redis = [("REDIS_URL", url.as_str())];
    let maker = bench.site.start_with(&with_redis)?;
    // Each is asked once only, and all are there before the first thing is made.
    let others: Vec<Server> =
        (0..bench.rounds()).map(|_| bench.site.start_with(&with_redis)).collect::<Result<_>>()?;
    let targets: Vec<String> = (0..MADE).map(|number| format!("/api/prompts/{}", slug(number))).collect();
    let beside = Beside::start(bench, &maker, targets.clone(), PROGRAM)?;
    let requests = beside.requests(targets.into_iter());
    let once = |address| Load {
        address,
        requests: Arc::clone(&requests),
        connections: BUSY,
        until: Until::Count(MADE as u64),
    };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for other in &others {
        ours.extend(alone(&Side { load: once(other.address), pid: other.pid() }, 1)?.rates);
        bare.extend(alone(&Side { load: once(beside.bare.address), pid: beside.bare.pid() }, 1)?.rates);
    }
    let ratio = pairs(&ours, &bare, |ours, bare| ours / bare);
    let figure = format!("{} of bare axum", ratio.text(2));
    say(Line::stated("replica", format!("{MADE} prompts that another replica made"), figure)
        .goal("at least 0.25", ratio.median >= 0.25));
    let found = metric(&others[0], "engify_cache_reads_total{family=\"reply\",level=\"l2\"}")?;
    say(Line::stated("replica", "of these found in Redis", format!("{found} of {MADE}")));
    Ok(())
}

/// What a request costs in processor time when one replica answers all, and when three answer a third each: on one machine
/// they cannot be faster together, but no request may cost more because there are others.
pub(super) fn spread(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let redis = Redis::start(&bench.scratch.join("redis"))?;
    let url = redis.url();
    let replicas: Vec<Server> =
        (0..3).map(|_| bench.site.start_with(&[("REDIS_URL", url.as_str())])).collect::<Result<_>>()?;
    let requests = Arc::new(vec![request("GET", "/api/prompts?featured=true", PROGRAM, b"")]);
    let side = |server: &Server, connections| Side {
        load: bench.load(server, &requests, connections),
        pid: server.pid(),
    };
    let (mut one, mut three) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        one.extend(alone(&side(&replicas[0], BUSY), 1)?.costs);
        let thirds = std::thread::scope(|scope| {
            let sides = replicas.iter().map(|server| side(server, BUSY / 3));
            let runs: Vec<_> = sides.map(|side| scope.spawn(move || alone(&side, 1))).collect();
            runs.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        let mut costs = 0.0;
        for third in thirds {
            costs += third.map_err(|_| anyhow!("the load's thread panicked"))??.cost().median / 3.0;
        }
        three.push(costs);
    }
    let ratio = pairs(&three, &one, |three, one| three / one);
    let figure = format!(
        "{} times: {:.1} µs beside {:.1}",
        ratio.text(2),
        Spread::of(three).median,
        Spread::of(one).median
    );
    say(Line::stated("spread", "processor time of a request at three replicas, beside one", figure)
        .goal("at most 1.25 times", ratio.median <= 1.25));
    Ok(())
}

/// One more limit on the cheapest reply that a key is counted for: in this process's memory, and in Redis.
pub(super) fn limit(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let redis = Redis::start(&bench.scratch.join("redis"))?;
    let url = redis.url();
    let site = bench.site.copy(bench.scratch.join("limit"))?;
    for (what, settings) in [("in memory", None), ("in Redis on loopback", Some(("REDIS_URL", url.as_str())))]
    {
        let server = site.start_with(settings.as_slice())?;
        let cookie = server.sign_up(&format!("limit-{}@example.com", what.len()))?;
        let keys =
            [key(&server, &cookie, json!({}))?, key(&server, &cookie, json!({ "perMinute": 1_000_000 }))?];
        let sides = keys.map(|key| Load {
            address: server.address,
            requests: Arc::new(vec![request(
                "GET",
                "/api/v2/ai/execute",
                &[("authorization", key.as_str())],
                b"",
            )]),
            connections: 1,
            until: Until::Count(TURN),
        });
        let (costs, waits) = apart(bench, &server, &sides)?;
        let figure = format!("{} µs of waiting; {} µs of processor time", waits.text(1), costs.text(1));
        say(Line::stated("limit", format!("one limit more, {what}"), figure)
            .goal("under 200 µs", waits.median < 200.0));
    }
    Ok(())
}

/// An API key with these limits, as `Authorization` header.
fn key(server: &Server, cookie: &str, limits: Value) -> Result<String> {
    let body = json!({ "name": "limit", "limits": limits }).to_string();
    let made =
        server.must(&request("POST", "/api/v2/users/api-keys", &[("cookie", cookie)], body.as_bytes()))?;
    let made: Value = serde_json::from_slice(&made.body)?;
    let key = made["data"]["key"].as_str().context("no key came")?;
    Ok(format!("Bearer {key}"))
}

/// One figure of `/metrics`.
fn metric(server: &Server, name: &str) -> Result<u64> {
    let page = server.must(&request("GET", "/metrics", &[], b""))?;
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).context("no such figure")?;
    Ok(line.trim().parse()?)
}

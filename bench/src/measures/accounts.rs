//! Accounts: what knowing a caller costs, what signing in costs, and whom a crowd at the door keeps waiting.

use std::sync::Arc;
use std::thread;

use anyhow::{Result, anyhow};

use super::Bench;
use crate::load::{Load, Until};
use crate::machine;
use crate::report::{Line, Spread};
use crate::server::Server;
use crate::wire::request;

/// People who sign in at once.
const CROWD: usize = 50;

/// The same question of somebody with a session and of a stranger: the difference is the check of the session.
pub(super) fn session(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let server = bench.site.start()?;
    let cookie = server.sign_up("session@example.com")?;
    let stranger = Arc::new(vec![request("GET", "/api/auth/session", &[], b"")]);
    let known = Arc::new(vec![request("GET", "/api/auth/session", &[("cookie", &cookie)], b"")]);
    let (mut waits, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        let mut sides = Vec::new();
        for requests in [&stranger, &known] {
            let before = machine::processor_time(server.pid())?;
            let tally = bench.load(&server, requests, 1).run()?;
            let spent = machine::processor_time(server.pid())? - before;
            // The first tenth of a round is not counted, but it is paid for.
            let made = tally.made() as f64 / 0.9;
            sides.push((tally.millis(0.5) * 1e3, spent.as_secs_f64() * 1e6 / made));
        }
        waits.push(sides[1].0 - sides[0].0);
        costs.push(sides[1].1 - sides[0].1);
    }
    let (waits, costs) = (Spread::of(waits), Spread::of(costs));
    let figure = format!("{} µs; {} µs of processor time", waits.text(1), costs.text(1));
    say(Line::stated("session", "check of a session, added at the median", figure)
        .goal("under 50 µs", waits.median < 50.0));
    Ok(())
}

/// Signing in: the hash is meant to be slow.
pub(super) fn sign_in(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let server = bench.site.start_with(&[("ENGIFY_TRUSTED_PROXIES", "1")])?;
    server.sign_up("slow@example.com")?;
    // Tries are limited by address, so each comes from another one.
    let requests = |block: u8| -> Vec<Vec<u8>> {
        let from = |number: u8| format!("10.{block}.0.{number}");
        (1..=250).map(|number| Server::sign_in_request("slow@example.com", &from(number))).collect()
    };
    let count = if bench.quick { 20 } else { 100 };
    let load = |connections, block| Load {
        address: server.address,
        requests: Arc::new(requests(block)),
        connections,
        until: Until::Count(count),
    };
    let one = load(1, 1).run()?;
    let many = load(8, 2).run()?;
    let figure = format!("{:.1} ms (p99 {:.1} ms)", one.millis(0.5), one.millis(0.99));
    say(Line::stated("sign-in", "one (Argon2id, 19 MiB, t = 2, p = 1)", figure));
    let figure = format!("{:.0}/s, p99 {:.0} ms", many.rate(), many.millis(0.99));
    say(Line::stated("sign-in", "at 8 connections", figure));
    crowd(bench, &server, say)
}

/// A list that everybody reads, while a crowd signs in.
fn crowd(bench: &Bench, server: &Server, say: &mut dyn FnMut(Line)) -> Result<()> {
    let list = Arc::new(vec![request("GET", "/api/prompts?featured=true", &[], b"")]);
    let readers = || bench.load(server, &list, 8).run();
    let (mut idle, mut busy, mut signed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..bench.rounds() {
        idle.push(readers()?.millis(0.95));
        let requests = (0..CROWD).map(|number| {
            let from = format!("10.{}.1.{number}", 16 + round);
            Server::sign_in_request("slow@example.com", &from)
        });
        let crowd = Load {
            address: server.address,
            requests: Arc::new(requests.collect()),
            connections: CROWD,
            until: Until::Count(2 * CROWD as u64),
        };
        let crowd = thread::spawn(move || crowd.run());
        busy.push(readers()?.millis(0.95));
        signed.push(crowd.join().map_err(|_| anyhow!("the crowd's thread panicked"))??.rate());
    }
    let (idle, busy, signed) = (Spread::of(idle), Spread::of(busy), Spread::of(signed));
    let ratio = busy.median / idle.median;
    let figure = format!(
        "{ratio:.1} times: p95 {:.2} ms beside {:.2} ms; {:.0} sign-ins/s",
        busy.median, idle.median, signed.median
    );
    say(Line::stated("sign-in", format!("the featured list while {CROWD} sign in at once"), figure)
        .goal("at most 3 times", ratio <= 3.0));
    Ok(())
}

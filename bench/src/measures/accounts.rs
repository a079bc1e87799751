//! Accounts: what knowing a caller costs, what signing in costs, and whom a crowd at the door keeps waiting.

use std::sync::Arc;
use std::thread;

use anyhow::{Result, anyhow};

use super::Bench;
use crate::load::{Load, Until};
use crate::machine::Running;
use crate::report::{Line, Spread};
use crate::server::Server;
use crate::wire::request;

/// People who sign in at once.
const CROWD: usize = 50;

/// The cheapest reply there is, asked for with a session and without: the difference is the check of the session.
///
/// It is a few microseconds beside a reply of some fifty, and what else happens on the machine is more than either. So both
/// sides are asked in many short turns, in changing order; each pair of neighbouring turns gives one difference, of the time
/// that the server's threads ran; and the median of the differences is the figure, with the middle half of them.
pub(super) fn session(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let server = bench.site.start()?;
    let cookie = server.sign_up("session@example.com")?;
    let headers: [&[(&str, &str)]; 2] = [&[], &[("cookie", &cookie)]];
    let sides = headers.map(|headers| Load {
        address: server.address,
        requests: Arc::new(vec![request("GET", "/api/health/live", headers, b"")]),
        connections: 1,
        until: Until::Count(TURN),
    });
    let (costs, waits) = apart(bench, &server, &sides)?;
    let figure = format!("{} µs of processor time; {} µs of waiting", costs.text(1), waits.text(1));
    say(Line::stated("session", "check of a session, added to a request", figure)
        .goal("under 50 µs", costs.median < 50.0));
    Ok(())
}

/// What the second side costs more than the first, microseconds a request: of processor time, and of waiting at the median.
/// Both are asked in turns of [`TURN`] requests.
pub(super) fn apart(bench: &Bench, server: &Server, sides: &[Load; 2]) -> Result<(Spread, Spread)> {
    for side in sides {
        side.run()?;
    }
    let (mut waits, mut costs) = (Vec::new(), Vec::new());
    for pair in 0..if bench.quick { 20 } else { 100 } {
        let (mut wait, mut cost) = ([0.0; 2], [0.0; 2]);
        for turn in 0..2 {
            let side = (pair + turn) % 2;
            let before = Running::of(server.pid())?;
            let tally = sides[side].run()?;
            let ran = Running::of(server.pid())?.since(&before);
            wait[side] = tally.millis(0.5) * 1e3;
            cost[side] = ran.as_secs_f64() * 1e6 / tally.made() as f64;
        }
        waits.push(wait[1] - wait[0]);
        costs.push(cost[1] - cost[0]);
    }
    Ok((Spread::of_middle_half(costs), Spread::of_middle_half(waits)))
}

/// Requests of one turn: about a tenth of a second.
pub(super) const TURN: u64 = 2000;

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

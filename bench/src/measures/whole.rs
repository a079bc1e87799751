//! The server as a whole: how soon it is ready, what it holds in memory.

use std::sync::Arc;

use anyhow::Result;

use super::runs::run_request;
use super::{BUSY, Bench, PROMPTS};
use crate::library::{encoded, slug};
use crate::load::{Load, Until};
use crate::machine;
use crate::report::{Line, Spread};
use crate::server::Site;
use crate::wire::request;

/// From the start of the process to the first 200 of `/api/health/ready`.
pub(super) fn ready(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let starts = if bench.quick { 5 } else { 15 };
    let seeded = Site { data: bench.scratch.join("seeded"), ..bench.site.clone() };
    std::fs::create_dir_all(&seeded.data)?;
    let first = seeded.start()?;
    let seeding = first.ready;
    first.stop()?;
    let times = |site: &Site| -> Result<Spread> {
        let mut all = Vec::new();
        for _ in 0..starts {
            let server = site.start()?;
            all.push(server.ready.as_secs_f64() * 1e3);
            server.stop()?;
        }
        Ok(Spread::of(all))
    };
    let spread = times(&seeded)?;
    say(Line::stated("ready", "on a seeded database", format!("{} ms", spread.text(0)))
        .goal("under 300 ms", spread.median < 300.0));
    let spread = times(&bench.site)?;
    say(Line::stated("ready", format!("with {PROMPTS} prompts"), format!("{} ms", spread.text(0))));
    let figure = format!("{:.0} ms", seeding.as_secs_f64() * 1e3);
    say(Line::stated("ready", "on an empty folder, seeding included", figure));
    Ok(())
}

/// Resident memory after 100 000 requests of all kinds.
pub(super) fn memory(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let site = bench.site.copy(bench.scratch.join("memory"))?;
    let server = site.start()?;
    let idle = machine::memory(server.pid())?;
    let count: u64 = if bench.quick { 20_000 } else { 100_000 };
    let run = run_request(&server.key()?, false);
    let questions = bench.stock.questions(2_000, PROMPTS, 0x77);
    let get = |target: String| request("GET", &target, &[("accept-encoding", "gzip, deflate, br")], b"");
    // In ten requests: two lists, three pages, three searches, two runs.
    let requests = (0..2_000).flat_map(|number| {
        let question =
            |at: usize| get(format!("/api/prompts?q={}", encoded(&questions[(number * 3 + at) % 2_000])));
        let page = |at: usize| get(format!("/prompts/{}", slug((number * 3 + at) % PROMPTS)));
        let list = get(format!("/api/prompts?limit={}", 1 + number % 100));
        let featured = get("/api/prompts?featured=true".to_owned());
        [
            featured,
            list,
            page(0),
            page(1),
            page(2),
            question(0),
            question(1),
            question(2),
            run.clone(),
            run.clone(),
        ]
    });
    let load = Load {
        address: server.address,
        requests: Arc::new(requests.collect()),
        connections: BUSY,
        until: Until::Count(count),
    };
    let tally = load.run()?;
    let after = machine::memory(server.pid())?;
    let line =
        Line::stated("memory", format!("after {count} requests"), format!("{:.0} MiB", after.resident));
    say(if bench.quick { line } else { line.goal("under 120 MB", after.resident * 1.048_576 < 120.0) });
    let figure = format!(
        "{:.0} MiB after the start; {:.0} MiB not backed by files; {:.0} MiB at the most; {:.0} requests/s of this mix",
        idle.resident,
        after.own,
        after.peak,
        tally.rate()
    );
    say(Line::stated("memory", "beside that", figure));
    Ok(())
}

//! Backups and restores, beside the shell's own tools on the same file; and what shipping the journal costs writes.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::json;

use super::{BUSY, Bench, PROMPTS};
use crate::report::{Line, Spread};
use crate::server::{Server, Site};
use crate::wire::request;

/// Requests of one round, more than it can make.
const ROUND: usize = 60_000;
/// Writers that wait for their answers while a backup is taken: not so many that they alone fill the machine.
const WRITERS: usize = 4;
/// Backups of one round.
const BACKUPS: usize = 4;
/// A megabyte, as disks are sold.
const MB: f64 = 1e6;

/// How fast a backup is taken, proven and restored, beside `cp`, `sha256sum` and `zstd` of the database file.
pub(super) fn recovery(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let site = bench.site.copy(bench.scratch.join("recovery"))?;
    let file = site.data.join("engify.db");
    let size = std::fs::metadata(&file)?.len() as f64 / MB;
    let rate = |seconds: f64| format!("{:.0} MB/s of the file's {size:.0} MB", size / seconds.max(1e-9));
    let taken = site.report(&["db", "backup", "--json"])?;
    let seconds = |field: &str| -> Result<f64> {
        Ok(taken[field].as_f64().with_context(|| format!("no {field}"))? / 1e3)
    };
    say(Line::stated("recovery", format!("backup, {PROMPTS} prompts"), rate(seconds("durationMillis")?)));
    say(Line::stated("recovery", "its proof: restored and compared", rate(seconds("proofMillis")?)));
    let into = bench.scratch.join("recovered");
    let into = into.to_str().context("a path that is text")?;
    let restored = site.report(&["db", "restore", "--into", into, "--yes", "--json"])?;
    let seconds = restored["durationMillis"].as_f64().context("no durationMillis")? / 1e3;
    say(Line::stated("recovery", "restore, all checks included", rate(seconds)));

    let tools = "cp engify.db copy.db && sha256sum copy.db >/dev/null && zstd -q -3 -f copy.db -o copy.db.zst && sync";
    let began = Instant::now();
    let ran = Command::new("sh").args(["-c", tools]).current_dir(&site.data).status()?;
    let figure = if ran.success() {
        rate(began.elapsed().as_secs_f64())
    } else {
        "not measured: cp, sha256sum or zstd is missing".to_owned()
    };
    say(Line::stated("recovery", "cp, sha256sum and zstd -3 of the same file", figure));
    Ok(())
}

/// Writes while the journal is shipped, beside writes while the target is away.
pub(super) fn shipping(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let ships = bench.site.copy(bench.scratch.join("ships"))?;
    let alone = bench.site.copy(bench.scratch.join("alone"))?;
    let ships = ships.start()?;
    // A file where the folder should be: nothing is shipped, and every further try waits twice as long.
    let blocked = bench.scratch.join("blocked");
    std::fs::write(&blocked, b"")?;
    let target = format!("file:{}/below", blocked.display());
    let alone = alone.start_with(&[("BACKUP_TARGET", &target)])?;
    let (mut ships_writes, mut alone_writes) = (Writes::on(&ships)?, Writes::on(&alone)?);
    let mut ratios = Vec::new();
    for round in 0..2 * bench.rounds() {
        // Each goes first as often as the other: what a round leaves to be shipped is shipped in the next one's time.
        let run = |server, writes: &mut Writes| bench.load(server, &writes.fresh(), BUSY).run();
        let (with, without) = if round % 2 == 0 {
            let with = run(&ships, &mut ships_writes)?;
            (with, run(&alone, &mut alone_writes)?)
        } else {
            let without = run(&alone, &mut alone_writes)?;
            (run(&ships, &mut ships_writes)?, without)
        };
        ensure!(with.made() > 0 && without.made() > 0, "nothing was written");
        ratios.push((without.rate() / with.rate() - 1.0) * 100.0);
    }
    let spread = Spread::of(ratios);
    say(Line::stated("shipping", "journal overhead on writes", format!("{} %", spread.text(1)))
        .goal("at most 10 %", spread.median <= 10.0));
    Ok(())
}

/// How long a few writers wait while snapshots are taken without a pause, and while the server takes and proves backups, beside
/// how long they wait else.
pub(super) fn snapshot(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let site = bench.site.copy(bench.scratch.join("snapshot"))?;
    let server = site.start()?;
    let mut writes = Writes::on(&server)?;
    let (mut idle, mut read, mut proven) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        let mut p95 =
            || Ok::<_, anyhow::Error>(bench.load(&server, &writes.fresh(), WRITERS).run()?.millis(0.95));
        let alone = p95()?;
        read.push(beside_snapshots(&site, &bench.scratch.join("dump"), &mut p95)? / alone);
        let backups = Backups::begin(&site)?;
        let beside = p95()?;
        backups.end(&site)?;
        proven.push(beside / alone);
        idle.push(alone);
    }
    let (idle, read, proven) = (Spread::of(idle), Spread::of(read), Spread::of(proven));
    let p95 = |meanwhile| format!("p95 of {WRITERS} writers while {meanwhile}");
    say(Line::stated("snapshot", p95("nothing else is done"), format!("{} ms", idle.text(1))));
    say(Line::stated("snapshot", p95("snapshots are taken"), format!("{} times that", read.text(2)))
        .goal("at most twice", read.median <= 2.0));
    say(Line::stated(
        "snapshot",
        p95("backups are taken and proven"),
        format!("{} times that", proven.text(2)),
    ));
    server.stop()
}

/// Measures while one snapshot after the other is read and written to files, as for `mongorestore`.
fn beside_snapshots(site: &Site, out: &Path, measure: &mut impl FnMut() -> Result<f64>) -> Result<f64> {
    let (stop, begun) = (AtomicBool::new(false), Barrier::new(2));
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| {
            begun.wait();
            while !stop.load(Ordering::Relaxed) {
                let folder = out.to_str().context("a path that is text")?;
                site.report(&["db", "backup", "--format", "mongodump", "--out", folder, "--json"])?;
                std::fs::remove_dir_all(out)?;
            }
            anyhow::Ok(())
        });
        begun.wait();
        let measured = measure();
        stop.store(true, Ordering::Relaxed);
        taking.join().map_err(|_| anyhow!("the thread that takes snapshots panicked"))??;
        measured
    })
}

/// Backups that a server takes one after the other, more than end in a round.
struct Backups {
    ids: Vec<String>,
}

impl Backups {
    /// Returns when the first has begun.
    fn begin(site: &Site) -> Result<Self> {
        let queue = || -> Result<String> {
            let queued = site.report(&["jobs", "run", "backup", "--queue", "--json"])?;
            Ok(queued["id"].as_str().context("a job without an id")?.to_owned())
        };
        let begun = Self { ids: (0..BACKUPS).map(|_| queue()).collect::<Result<_>>()? };
        begun.await_that(site, |states| states.iter().any(|state| state == "running"))?;
        Ok(begun)
    }

    /// Waits until all are done, and sees to it that there was always one under way.
    fn end(self, site: &Site) -> Result<()> {
        let is_done = |state: &String| state == "done";
        ensure!(!self.states(site)?.iter().all(is_done), "the backups ended before the round");
        self.await_that(site, |states| states.iter().all(is_done))
    }

    fn await_that(&self, site: &Site, is_so: impl Fn(&[String]) -> bool) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(120);
        loop {
            let states = self.states(site)?;
            if is_so(&states) {
                return Ok(());
            }
            ensure!(Instant::now() < until, "the backups are {states:?}");
        }
    }

    /// None of them may have been tried twice: while it waits for the next try, nothing is under way.
    fn states(&self, site: &Site) -> Result<Vec<String>> {
        let report = site.report(&["jobs", "list", "--kind", "backup", "--limit", "10", "--json"])?;
        let jobs = report["jobs"].as_array().context("no jobs")?;
        let ours = jobs.iter().filter(|job| self.ids.iter().any(|id| job["id"] == *id));
        ours.map(|job| {
            ensure!(job["attempts"].as_u64() < Some(2), "a backup failed: {job}");
            Ok(job["state"].as_str().context("no state")?.to_owned())
        })
        .collect()
    }
}

/// Dry runs that carry an id of their own: each is written before it is answered, and no limit of requests holds it back.
struct Writes {
    key: String,
    made: usize,
}

impl Writes {
    fn on(server: &Server) -> Result<Self> {
        Ok(Self { key: server.key()?, made: 0 })
    }

    /// More than a round can make, none of them made before.
    fn fresh(&mut self) -> Arc<Vec<Vec<u8>>> {
        let run = |number: usize| {
            let body =
                json!({ "prompt": "Say hello.", "provider": "dry-run", "runId": format!("bench-{number}") });
            let headers = [("authorization", self.key.as_str())];
            request("POST", "/api/v2/ai/execute", &headers, body.to_string().as_bytes())
        };
        let requests = (self.made..self.made + ROUND).map(run).collect();
        self.made += ROUND;
        Arc::new(requests)
    }
}

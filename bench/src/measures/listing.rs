//! Deep pages: the last of a large library's pages must cost what the first ones do.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Bench, PROMPTS};
use crate::library::encoded;
use crate::report::{Line, Spread};
use crate::server::{Server, Site};
use crate::wire::{Connection, Nothing, Whole, request};

/// The page that is compared, counted from 1.
const DEEP: usize = 1000;
/// Prompts of a large library.
const LARGE: usize = 100_000;
/// Of which a file of at most 64 MiB, the bound of an import, holds this many.
const A_FILE: usize = 20_000;
/// Pages at either end. More than the server remembers, so that each one is made when it is asked for.
const PAGES: usize = 100;

/// Pages 1 to 100 beside pages 901 to 1000, with a key, so that no reply is a kept one.
pub(super) fn listing(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let (site, prompts, limit) = if bench.quick {
        (bench.site.copy(bench.scratch.join("listing"))?, PROMPTS, 10)
    } else {
        (large(bench, say)?, LARGE, 100)
    };
    let server = site.start()?;
    let key = server.key()?;
    for sort in ["newest", "used"] {
        let cursors = walk(&server, &key, sort, limit)?;
        let (first, last) = timed(&server, &key, sort, limit, &cursors, if bench.quick { 3 } else { 10 })?;
        let ratio = last.median / first.median;
        let figure = format!("{ratio:.2}: {:.2} ms beside {:.2} ms", last.median, first.median);
        let from = DEEP - PAGES + 1;
        let what = format!("{sort}: pages {from} to {DEEP} of {prompts} prompts beside 1 to {PAGES}");
        say(Line::stated("listing", what, figure).goal("0.80 to 1.20", (0.8..=1.2).contains(&ratio)));
    }
    Ok(())
}

fn large(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<Site> {
    let site = Site { data: bench.scratch.join("large"), ..bench.site.clone() };
    std::fs::create_dir_all(&site.data)?;
    let mut command = vec!["prompts".to_owned(), "import".to_owned(), "--json".to_owned()];
    for from in (0..LARGE).step_by(A_FILE) {
        let file = bench.scratch.join(format!("large-{from}.jsonl"));
        bench.stock.write(from..from + A_FILE, &file)?;
        command.push(file.display().to_string());
    }
    let began = Instant::now();
    let report = site.report(&command.iter().map(String::as_str).collect::<Vec<_>>())?;
    ensure!(report["created"] == LARGE, "the import made {} of {LARGE} prompts", report["created"]);
    let rate = LARGE as f64 / began.elapsed().as_secs_f64();
    say(Line::stated("listing", format!("import of {LARGE} prompts"), format!("{rate:.0}/s")));
    Ok(site)
}

fn page(key: &str, sort: &str, limit: usize, cursor: Option<&str>) -> Vec<u8> {
    let cursor = cursor.map(|cursor| format!("&cursor={}", encoded(cursor))).unwrap_or_default();
    let target = format!("/api/prompts?sort={sort}&limit={limit}{cursor}");
    request("GET", &target, &[("authorization", key)], b"")
}

/// The cursors of all pages from the second on.
fn walk(server: &Server, key: &str, sort: &str, limit: usize) -> Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(server.address).await?;
        let mut cursors: Vec<String> = Vec::with_capacity(DEEP);
        while cursors.len() < DEEP - 1 {
            let mut reply = Whole::default();
            let request = page(key, sort, limit, cursors.last().map(String::as_str));
            let status = connection.exchange(&request, &mut reply).await?;
            ensure!(status == 200, "page {} answered {status}", cursors.len() + 1);
            let reply: Value = serde_json::from_slice(&reply.body)?;
            let next = reply["nextCursor"].as_str();
            cursors.push(next.with_context(|| format!("page {} is the last", cursors.len() + 1))?.to_owned());
        }
        Ok(cursors)
    })
}

/// Milliseconds of the pages at either end, asked for in turn.
fn timed(
    server: &Server,
    key: &str,
    sort: &str,
    limit: usize,
    cursors: &[String],
    rounds: usize,
) -> Result<(Spread, Spread)> {
    let pages: Vec<Vec<u8>> = std::iter::once(None)
        .chain(cursors.iter().map(|cursor| Some(cursor.as_str())))
        .map(|cursor| page(key, sort, limit, cursor))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(server.address).await?;
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            for number in 0..PAGES {
                for (request, times) in
                    [(&pages[number], &mut first), (&pages[DEEP - PAGES + number], &mut last)]
                {
                    let began = Instant::now();
                    let status = connection.exchange(request, &mut Nothing).await?;
                    ensure!(status == 200, "a page answered {status}");
                    times.push(began.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
        Ok((Spread::of(first), Spread::of(last)))
    })
}

//! Reading the library, beside a bare server that returns the same bytes: the featured list, prompt pages, search.

use std::sync::Arc;

use anyhow::Result;

use super::{BUSY, Bench, PROMPTS};
use crate::bare::Bare;
use crate::compare::{self, Side, alternate};
use crate::library::{encoded, slug};
use crate::load::{Load, Until};
use crate::report::{Line, Spread};
use crate::server::Server;
use crate::wire;

/// What a browser sends along.
const BROWSER: &[(&str, &str)] = &[
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "none"),
];
/// What a program sends along.
pub(super) const PROGRAM: &[(&str, &str)] = &[("user-agent", "engify-bench"), ("accept", "application/json")];
/// Pages that are asked for in turn, and questions.
const PAGES: usize = 50;
const QUESTIONS: usize = 200;

/// `GET /api/prompts?featured=true` by a stranger.
pub(super) fn featured(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let server = bench.site.start()?;
    let targets = vec!["/api/prompts?featured=true".to_owned()];
    let compared = Beside::start(bench, &server, targets, PROGRAM)?.compare(bench)?;
    say(compared.line("featured", "featured list").goal("at least 0.70", compared.ratio.median >= 0.70));
    say(compared.costs("featured"));
    Ok(())
}

/// `GET /prompts/{slug}`: kept for strangers; made anew for who is signed in.
pub(super) fn page(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let server = bench.site.start()?;
    let targets: Vec<String> = (0..PAGES).map(|number| format!("/prompts/{}", slug(number * 7))).collect();
    let compared = Beside::start(bench, &server, targets.clone(), BROWSER)?.compare(bench)?;
    say(compared.line("page", "prompt page, strangers").goal("at least 0.35", compared.ratio.median >= 0.35));
    say(compared.costs("page"));
    let cookie = server.sign_up("reader@example.com")?;
    let signed_in = [BROWSER, &[("cookie", cookie.as_str())]].concat();
    let compared = Beside::start(bench, &server, targets, &signed_in)?.compare(bench)?;
    say(compared.line("page", "prompt page, signed in (made anew)"));
    say(compared.costs("page"));
    Ok(())
}

/// `GET /api/prompts?q=…`: what many ask, and what nobody asked before.
pub(super) fn search(bench: &Bench, say: &mut dyn FnMut(Line)) -> Result<()> {
    let server = bench.site.start()?;
    let target = |question: &String| format!("/api/prompts?q={}", encoded(question));
    let asked = bench.stock.questions(QUESTIONS, PROMPTS, 0xa5);
    let beside = Beside::start(bench, &server, asked.iter().map(target).collect(), PROGRAM)?;
    let compared = beside.compare(bench)?;
    let what = format!("search, {QUESTIONS} questions in turn");
    say(compared.line("search", &what).goal("at least 0.15", compared.ratio.median >= 0.15));
    let p95 = compared.ours.sum.millis(0.95);
    let what = format!("p95 at {BUSY} connections");
    say(Line::stated("search", what, format!("{p95:.2} ms")).goal("under 10 ms", p95 < 10.0));
    say(compared.costs("search"));
    let count = if bench.quick { 1_000 } else { 4_000 };
    let new = bench.stock.questions(count, PROMPTS, 0x5a);
    let load = Load {
        address: server.address,
        requests: beside.requests(new.iter().filter(|question| !asked.contains(question)).map(target)),
        connections: BUSY,
        until: Until::Count(0),
    };
    let load = Load { until: Until::Count(load.requests.len() as u64), ..load };
    let cold = compare::alone(&Side { load, pid: server.pid() }, 1)?;
    let ratio = cold.rate().median / compared.bare.rate().median;
    let figure = format!(
        "{ratio:.2} of bare axum: {:.0}/s; p50 {:.1}, p95 {:.1}, p99 {:.1} ms; {:.0} µs of processor time each",
        cold.rate().median,
        cold.sum.millis(0.5),
        cold.sum.millis(0.95),
        cold.sum.millis(0.99),
        cold.cost().median
    );
    say(Line::stated("search", format!("each of {} questions for the first time", cold.sum.made()), figure));
    Ok(())
}

/// A server and a bare one that gives the same replies.
pub(super) struct Beside<'a> {
    server: &'a Server,
    pub(super) bare: Bare,
    headers: Vec<(&'a str, &'a str)>,
    targets: Vec<String>,
}

impl<'a> Beside<'a> {
    pub(super) fn start(
        bench: &Bench,
        server: &'a Server,
        targets: Vec<String>,
        headers: &[(&'a str, &'a str)],
    ) -> Result<Self> {
        let mut replies = Vec::with_capacity(targets.len());
        for target in &targets {
            let request = wire::request("GET", target, headers, b"");
            // The first one is made, later ones may be kept ones: those are what is compared.
            server.must(&request)?;
            server.must(&request)?;
            replies.push((target.clone(), server.must(&request)?));
        }
        let bare = Bare::start(&bench.scratch.join("replies"), &replies)?;
        Ok(Self { server, bare, headers: headers.to_vec(), targets })
    }

    pub(super) fn requests(&self, targets: impl Iterator<Item = String>) -> Arc<Vec<Vec<u8>>> {
        Arc::new(targets.map(|target| wire::request("GET", &target, &self.headers, b"")).collect())
    }

    fn compare(&self, bench: &Bench) -> Result<Compared> {
        let requests = self.requests(self.targets.iter().cloned());
        let ours = Side { load: bench.load(self.server, &requests, BUSY), pid: self.server.pid() };
        let load = Load { address: self.bare.address, ..ours.load.clone() };
        let bare = Side { load, pid: self.bare.pid() };
        let (ours, bare) = alternate(&ours, &bare, bench.rounds())?;
        let ratio = compare::pairs(&ours.rates, &bare.rates, |ours, bare| ours / bare);
        Ok(Compared { ours, bare, ratio })
    }
}

struct Compared {
    ours: compare::Rounds,
    bare: compare::Rounds,
    ratio: Spread,
}

impl Compared {
    fn line(&self, name: &'static str, what: &str) -> Line {
        let figure = format!(
            "{} of bare axum: {:.0}/s beside {:.0}/s",
            self.ratio.text(2),
            self.ours.rate().median,
            self.bare.rate().median
        );
        Line::stated(name, what, figure)
    }

    fn costs(&self, name: &'static str) -> Line {
        let figure = format!(
            "p50 {:.2}, p99 {:.2} ms beside {:.2}, {:.2}; {:.1} µs of processor time a request beside {:.1}",
            self.ours.sum.millis(0.5),
            self.ours.sum.millis(0.99),
            self.bare.sum.millis(0.5),
            self.bare.sum.millis(0.99),
            self.ours.cost().median,
            self.bare.cost().median
        );
        Line::stated(name, format!("latency at {BUSY} connections, cost"), figure)
    }
}

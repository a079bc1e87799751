//! What a fault came to: figures, the promises they are held against, and the table.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::fault::{Fault, Notice};
use super::load::{Came, Seen};
use crate::workspace::Workspace;

/// Where the table is kept, between these two lines.
const PAGE: &str = "docs/reliability.md";
const MARKS: (&str, &str) = ("<!-- written by `cargo xtask faults` -->\n", "<!-- end -->\n");
/// A refusal must not take longer than this, nine of ten times: "come again" is only good news when it is quick.
const QUICK: Duration = Duration::from_secs(1);
/// The longest from mending to the last failure.
const RECOVERY: Duration = Duration::from_secs(10);
/// Requests that may be under way in one replica: one a caller.
const UNDER_WAY: usize = 8;

/// One fault's line.
pub(super) struct Row {
    pub(super) fault: Fault,
    seen: Vec<Seen>,
    /// From the first to the last failure.
    trouble: Duration,
    /// From mending to the last failure.
    recovery: Duration,
    recovered: bool,
    /// Acknowledged writes, and how many of them are not there any more.
    pub(super) lost: (usize, usize),
}

impl Row {
    pub(super) fn of(
        fault: Fault,
        seen: Vec<Seen>,
        (begun, mended): (Instant, Instant),
        recovered: bool,
    ) -> Self {
        // What ended before the fault began is nobody's business here.
        let seen: Vec<Seen> = seen.into_iter().filter(|one| one.begun + one.took >= begun).collect();
        let failures = || seen.iter().filter(|one| one.came != Came::Good);
        let first = failures().map(|one| one.begun).min();
        let last = failures().map(|one| one.begun + one.took).max();
        let trouble = first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first);
        let recovery = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(mended));
        Self { fault, trouble, recovery, recovered, seen, lost: (0, 0) }
    }

    fn count(&self, which: impl Fn(&Seen) -> bool) -> usize {
        self.seen.iter().filter(|one| which(one)).count()
    }

    /// The slowest but so many of a hundred.
    fn slowest_but(&self, share: usize, which: impl Fn(&Seen) -> bool) -> Duration {
        let mut times: Vec<Duration> =
            self.seen.iter().filter(|one| which(one)).map(|one| one.took).collect();
        times.sort_unstable();
        times.get((times.len() * (100 - share)).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    }

    /// What was promised and not kept, in sentences.
    pub(super) fn broken_promises(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let untrue = self.count(|one| one.came == Came::Untrue);
        let unknown = self.count(|one| one.came == Came::Broken);
        let refused = self.count(|one| one.came == Came::Refused);
        if untrue > 0 {
            broken.push(format!("{untrue} replies were not true: {}", self.examples(Came::Untrue)));
        }
        if self.lost.1 > 0 {
            broken.push(format!("{} of {} acknowledged writes are lost", self.lost.1, self.lost.0));
        }
        if !self.recovered || self.recovery > RECOVERY {
            broken.push(format!("it had not recovered {:.1} s after", self.recovery.as_secs_f64()));
        }
        match self.fault.allows() {
            Notice::Nothing if unknown + refused > 0 => broken.push(format!(
                "{} requests failed: {} {}",
                unknown + refused,
                self.examples(Came::Broken),
                self.examples(Came::Refused)
            )),
            Notice::UnderWay if unknown + refused > UNDER_WAY => broken.push(format!(
                "{} requests failed, more than can have been under way: {} {}",
                unknown + refused,
                self.examples(Came::Broken),
                self.examples(Came::Refused)
            )),
            Notice::Refusals => self.check_refusals(&mut broken),
            Notice::Nothing | Notice::UnderWay => {}
        }
        broken
    }

    fn check_refusals(&self, broken: &mut Vec<String>) {
        let unknown = self.count(|one| one.came == Came::Broken);
        if unknown > UNDER_WAY {
            let examples = self.examples(Came::Broken);
            broken.push(format!(
                "{unknown} requests failed in another way than 503 with Retry-After: {examples}"
            ));
        }
        let p90 = self.slowest_but(10, |one| one.write && one.came == Came::Refused);
        if p90 > QUICK {
            broken.push(format!("a tenth of the refused writes took {:.1} s or more", p90.as_secs_f64()));
        }
        if self.count(|one| one.write && one.came == Came::Refused) == 0 {
            broken.push("no write was refused: was anything broken?".to_owned());
        }
        let strangers = self.count(|one| !one.signed_in && one.came != Came::Good);
        if strangers > 0 {
            let examples = self.words(|one| !one.signed_in && one.came != Came::Good);
            broken
                .push(format!("{strangers} reads of strangers failed, which memory can answer: {examples}"));
        }
    }

    fn examples(&self, came: Came) -> String {
        self.words(|one| one.came == came)
    }

    /// What came how often, the most frequent first.
    fn words(&self, which: impl Fn(&Seen) -> bool) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for one in self.seen.iter().filter(|one| which(one)) {
            *counts.entry(&one.words).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let words = counts.into_iter().take(5).map(|(words, count)| format!("\n    {count} × {words}"));
        words.collect()
    }

    fn cells(&self) -> [String; 9] {
        let all = self.seen.len();
        let failed = self.count(|one| one.came != Came::Good);
        let refused = self.count(|one| one.came == Came::Refused);
        let share = if all == 0 { 0.0 } else { failed as f64 * 100.0 / all as f64 };
        let p95 = self.slowest_but(5, |_| true).as_secs_f64() * 1000.0;
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        [
            self.fault.name().to_owned(),
            all.to_string(),
            format!("{failed} ({share:.2} %)"),
            refused.to_string(),
            format!("{p95:.0} ms"),
            seconds(self.trouble),
            seconds(self.recovery),
            self.lost.0.to_string(),
            self.lost.1.to_string(),
        ]
    }
}

/// The table, as Markdown.
pub(super) fn table(rows: &[Row]) -> String {
    let head = [
        "what breaks",
        "requests",
        "failed",
        "of them told when to come again",
        "p95",
        "trouble lasted",
        "recovered after",
        "writes acknowledged",
        "of them lost",
    ];
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.map(str::to_owned)) + &line(&head.map(|_| "---".to_owned()));
    rows.iter().for_each(|row| text.push_str(&line(&row.cells())));
    text
}

/// Puts the table into its page, and what was broken below it.
pub(super) fn write(workspace: &Workspace, rows: &[Row], build: &str) -> Result<()> {
    let path = workspace.root.join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("no {PAGE}"))?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let table =
        format!("{}\nThe {build} build, everything on one machine with {cores} cores.\n", table(rows));
    std::fs::write(&path, fitted(&page, &table)?).with_context(|| format!("cannot write {PAGE}"))?;
    eprintln!("faults: wrote {PAGE}");
    Ok(())
}

fn fitted(page: &str, table: &str) -> Result<String> {
    let parts =
        page.split_once(MARKS.0).and_then(|(before, rest)| Some((before, rest.split_once(MARKS.1)?.1)));
    let (before, after) = parts.with_context(|| format!("{PAGE} has lost the marks around its table"))?;
    Ok(format!("{before}{}{table}{}{after}", MARKS.0, MARKS.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: Instant, millis: u64, came: Came) -> Seen {
        let took = Duration::from_millis(millis);
        Seen { begun: at, took, signed_in: true, write: true, came, words: "x".to_owned() }
    }

    #[test]
    fn trouble_and_recovery_are_counted_from_the_failures() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let all = vec![
            seen(at(0), 5, Came::Good),
            seen(at(100), 50, Came::Refused),
            seen(at(900), 300, Came::Refused),
            seen(at(1500), 5, Came::Good),
        ];
        let row = Row::of(Fault::KillDatabase, all, (begun, at(1000)), true);
        assert_eq!((row.trouble.as_millis(), row.recovery.as_millis()), (1100, 200));
        assert!(row.broken_promises().is_empty(), "{:?}", row.broken_promises());
    }

    #[test]
    fn an_untrue_reply_and_a_lost_write_break_a_promise_whatever_the_fault() {
        let now = Instant::now();
        for fault in Fault::ALL {
            let mut row = Row::of(*fault, vec![seen(now, 1, Came::Untrue)], (now, now), true);
            row.lost = (10, 1);
            let broken = row.broken_promises().join("\n");
            assert!(broken.contains("not true") && broken.contains("1 of 10"), "{broken}");
        }
    }

    #[test]
    fn the_table_takes_the_place_of_the_old_one() {
        let page = format!("before\n{}old\n{}after\n", MARKS.0, MARKS.1);
        let new = fitted(&page, "new\n").expect("marks");
        assert_eq!(new, format!("before\n{}new\n{}after\n", MARKS.0, MARKS.1));
        assert!(fitted("no marks", "new\n").is_err());
    }
}

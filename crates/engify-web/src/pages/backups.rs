//! Backups, for administrators: what there is, what of it was proven, which moments can be restored, what goes next.

use std::time::Duration;

use engify_app::backups::{Coverage, Ending, Rule, is_there};
use engify_core::Time;
use engify_core::backup::{Backup, BackupKind, BackupState, Drill};
use maud::{Markup, html};

use crate::ui::chart::{Point, Series, bars};
use crate::ui::{
    Confirm, Frame, Head, Icon, Notice, Tone, breadcrumb, card, empty, figures, flush, frame, heading,
    status, tabs,
};

pub mod drills;
pub mod restore;
mod timeline;

/// How many backups the chart of sizes shows.
const SIZES: usize = 60;
/// How many of those that go next are named.
const NEXT: usize = 6;
/// A backup that is being taken for longer than that is not any more.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// What the list shows.
pub struct BackupsView<'a> {
    /// Those of this page, newest first.
    pub backups: &'a [Backup],
    /// The newest ones, for the charts.
    pub recent: &'a [Backup],
    /// How far the journal is at each target.
    pub coverage: &'a [Coverage],
    /// Those that go at some time, the first to go first.
    pub endings: &'a [Ending<'a>],
    /// The newest drill.
    pub last_drill: Option<Drill>,
    /// Whether a key is set.
    pub encrypted: bool,
    /// Only those in this state.
    pub state: Option<BackupState>,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// `/opshub/backups`
pub fn list(at: &Frame<'_>, view: &BackupsView<'_>) -> Markup {
    let body = html! {
        (heading("Backups", html! {
            a.btn href="/opshub/backups/restore" { (Icon::Again) "Restore" }
            form method="post" action="/opshub/backups/take" { button.btn.go type="submit" { (Icon::Archive) "Back up now" } }
        }))
        (parts("backups"))
        @for coverage in view.coverage { @if let Some(failure) = &coverage.failure {
            (Notice::new(Tone::Bad, format!("The journal does not get to {}. {failure}", coverage.target)))
        } }
        (summary(at, view))
        (timeline::card(at, view.recent, view.coverage))
        div.pair {
            (card("Size", html! { span.small.faint { "the newest " (SIZES.min(sizes(view.recent).points.len())) } }, html! {
                @if sizes(view.recent).points.is_empty() { p.quiet { "Sizes stand here after the first backup." } } @else { (bars(&sizes(view.recent))) }
            }))
            (flush("Goes next", html! { span.small.faint { "ENGIFY_BACKUP_KEEP_DAYS" } }, endings(at, view.endings)))
        }
        (table(at, view))
        (super::pager(
            view.cursor.as_ref().map(|_| address(view.state, None)),
            view.next.as_deref().map(|next| address(view.state, Some(next))),
        ))
        p.small.faint {
            "Each was restored into a scratch database and compared before it counted. "
            @if !view.encrypted { "They are not encrypted: set " code { "BACKUP_ENCRYPTION_KEY" } ". " }
            "Each can be downloaded from its page; " code { "engify db backup --format mongodump --out dump" } " writes one for other programs."
        }
    };
    frame(at, &Head::new("Backups", "What was saved, what of it was proven, and what can be restored."), body)
}

/// The three pages of this part; `here` is the current one.
fn parts(here: &str) -> Markup {
    let link = |name: &'static str, path: &str| (name, None, path.to_owned(), here == name);
    tabs(
        "Backups",
        &[
            link("backups", "/opshub/backups"),
            link("drills", "/opshub/backups/drills"),
            link("restore", "/opshub/backups/restore"),
        ],
    )
}

fn address(state: Option<BackupState>, cursor: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let state = state.map(|state| ("state", state.as_str()));
    for (name, value) in state.into_iter().chain(cursor.map(|cursor| ("cursor", cursor))) {
        query.append_pair(name, value);
    }
    format!("/opshub/backups?{}", query.finish())
}

fn summary(at: &Frame<'_>, view: &BackupsView<'_>) -> Markup {
    let proven = view.recent.iter().find(|one| one.state == BackupState::Verified);
    let newest = view.recent.iter().find(|one| is_there(one));
    let never = || html! { span.faint { "none yet" } };
    html! {
        div.wall {
            (tile("Last proven restore", match proven.and_then(|one| one.verified_at) {
                Some(when) => figures::when(at.now, when), None => never(),
            }, proven.map(|one| format!("{} documents", figures::count(one.documents)))))
            (tile("Newest backup", match newest { Some(one) => figures::when(at.now, one.created_at), None => never() },
                newest.map(|one| figures::bytes(one.bytes))))
            (tile("Journal", match view.coverage.first() {
                Some(Coverage { until: Some(_), behind: 0, .. }) => html! { "all shipped" },
                Some(Coverage { until: Some(until), .. }) => figures::when(at.now, *until),
                _ => html! { span.faint { "not shipped yet" } },
            }, view.coverage.first().map(|one| figures::counted(one.behind, "change waits", "changes wait"))))
            (tile("Last drill", match &view.last_drill {
                Some(drill) => { let (tone, word) = drills::ended(drill.outcome); html! { a href="/opshub/backups/drills" { span class=(tone.class()) { (word) } } } },
                None => never(),
            }, view.last_drill.as_ref().map(|drill| figures::label(drill.kind.as_str()))))
        }
    }
}

fn tile(name: &str, value: Markup, below: Option<String>) -> Markup {
    html! {
        section.card.figure-tile aria-label=(name) {
            p.k { (name) } p.v { (value) }
            p.small.faint { (below.unwrap_or_default()) }
        }
    }
}

fn sizes(recent: &[Backup]) -> Series {
    let there = recent.iter().filter(|one| one.sha256.is_some()).take(SIZES);
    let mut points: Vec<Point> = there
        .map(|one| Point {
            label: figures::day(one.created_at),
            value: one.bytes as f64,
            text: figures::bytes(one.bytes),
        })
        .collect();
    points.reverse();
    Series { name: "Size of each backup".to_owned(), points, limit: None }
}

fn endings(at: &Frame<'_>, endings: &[Ending<'_>]) -> Markup {
    html! {
        @if endings.is_empty() { p.body.quiet { "Nothing goes: there is no backup yet, or all are kept for ever." } }
        @else { ul.needs { @for one in endings.iter().take(NEXT) { li {
            span { a href={ "/opshub/backups/" (one.backup.id) } { (name(one.backup.kind)) " of " (figures::day(one.backup.created_at)) } " · " (figures::when(at.now, one.at)) }
            p.small.quiet { (why(one)) }
        } } } }
        @if endings.len() > NEXT { p.pad.small.faint { "and " (endings.len() - NEXT) " later" } }
    }
}

fn why(one: &Ending<'_>) -> String {
    let days = one.at.since(one.backup.created_at).as_secs() / 86_400;
    let kept = format!("This kind is kept for {}", figures::counted(days, "day", "days"));
    match one.rule {
        Rule::Over => format!("{kept}, which are over: it goes once the next backup was proven."),
        Rule::Kept => format!("{kept}; it goes after that, if a newer one was proven."),
        Rule::LastGood => format!("{kept}, which are over. It stays: there is no newer one that was proven."),
    }
}

/// A kind as people read it.
pub(crate) fn name(kind: BackupKind) -> &'static str {
    match kind {
        BackupKind::Snapshot => "Snapshot",
        BackupKind::Daily => "Daily",
        BackupKind::Weekly => "Weekly",
        BackupKind::Manual => "By hand",
    }
}

/// The state of a backup, in its colour.
fn state(backup: &Backup, now: Time) -> (Tone, &'static str) {
    match backup.state {
        BackupState::Running if now.since(backup.created_at) > LONGEST => (Tone::Warn, "broken off"),
        BackupState::Running => (Tone::Info, "being taken"),
        BackupState::Taken => (Tone::Warn, "not proven yet"),
        BackupState::Verified => (Tone::Ok, "proven"),
        BackupState::Failed => (Tone::Bad, "failed"),
        BackupState::Pruned => (Tone::Plain, "deleted"),
    }
}

fn table(at: &Frame<'_>, view: &BackupsView<'_>) -> Markup {
    let mut links = vec![("all", None, address(None, None), view.state.is_none())];
    for state in [BackupState::Verified, BackupState::Taken, BackupState::Failed, BackupState::Pruned] {
        links.push((state.as_str(), None, address(Some(state), None), view.state == Some(state)));
    }
    html! {
        (tabs("State", &links))
        @if view.backups.is_empty() {
            (empty("No backups", html! {
                @if view.state.is_some() { a href="/opshub/backups" { "Show all" } "." }
                @else { "The first is taken within six hours. Take one now, above, or with " code { "engify db backup" } "." }
            }))
        } @else {
            div.card { table.data {
                thead { tr { th { "Moment" } th { "Kind" } th { "State" } th.r { "Size" } th.r { "Documents" } th.r { "Took" } } }
                tbody { @for one in view.backups { (row(at, one)) } }
            } }
        }
    }
}

fn row(at: &Frame<'_>, backup: &Backup) -> Markup {
    let (tone, word) = state(backup, at.now);
    html! {
        tr.run {
            td.main { a.cover href={ "/opshub/backups/" (backup.id) } { (figures::when(at.now, backup.created_at)) } }
            td data-label="Kind" { (name(backup.kind)) }
            td data-label="State" { (status(tone, word)) }
            td.r data-label="Size" { @if backup.sha256.is_some() { (figures::bytes(backup.bytes)) } }
            td.r data-label="Docs" { @if backup.sha256.is_some() { (figures::count(backup.documents)) } }
            td.r data-label="Took" { @if backup.finished_at.is_some() { (figures::millis(backup.duration_millis as f64)) } }
        }
    }
}

/// `/opshub/backups/{id}`
pub fn one(at: &Frame<'_>, backup: &Backup) -> Markup {
    let title = format!("{} of {}", name(backup.kind), figures::day(backup.created_at));
    let (tone, word) = state(backup, at.now);
    let body = html! {
        (breadcrumb(&[("Backups", "/opshub/backups")]))
        (heading(&title, html! {
            (status(tone, word))
            @if is_there(backup) {
                (Confirm {
                    open: "Verify", title: "Verify this backup?",
                    consequence: "It is restored into a scratch database and compared, document by document. The site goes on meanwhile.",
                    button: "Verify the backup", action: format!("/opshub/backups/{}/verify", backup.id), fields: Vec::new(), destroys: false,
                })
                a.btn href={ "/opshub/backups/" (backup.id) "/download" } { "Download" }
                a.btn href={ "/opshub/backups/restore?from=" (backup.id) } { (Icon::Again) "Restore it" }
            }
        }))
        @if let Some(failure) = &backup.failure { (Notice::new(Tone::Warn, failure.clone())) }
        div.pair {
            (card("What it holds", html! {}, html! { dl.facts {
                dt { "Moment" } dd { (figures::exact(backup.created_at)) }
                dt { "Position" } dd.num { (figures::count(backup.position)) " of the journal" }
                dt { "Documents" } dd.num { (figures::count(backup.documents)) }
                dt { "Size" } dd.num { (figures::bytes(backup.bytes)) }
                dt { "Took" } dd { (figures::millis(backup.duration_millis as f64)) }
                @if let Some(sum) = &backup.sha256 { dt { "SHA-256" } dd.mono { (sum) } }
            } }))
            (card("Where it is", html! {}, html! { dl.facts {
                dt { "Target" } dd.mono { (backup.target) }
                dt { "Second place" } dd { @match backup.replicated_at { Some(when) => { "since " (figures::when(at.now, when)) }, None => "not there" } }
                dt { "Encrypted" } dd { (if backup.encrypted { "yes, with BACKUP_ENCRYPTION_KEY" } else { "no" }) }
                dt { "Proven" } dd { @match backup.verified_at { Some(when) => (figures::when(at.now, when)), None => "never" } }
                dt { "Id" } dd.mono { (backup.id) }
            } }))
        }
        p.small.faint { "In a terminal: " code { "engify db verify --deep " (backup.id) } ", " code { "engify db restore --from " (backup.id) } "." }
    };
    frame(at, &Head::new(&title, "One backup, and what is known of it."), body)
}

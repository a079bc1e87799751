//! Drills, for administrators: how long a recovery takes and what it loses, measured against the goals.

use std::time::Duration;

use engify_core::backup::{Drill, DrillKind, DrillOutcome};
use engify_core::settings::RecoveryGoals;
use maud::{Markup, html};

use super::parts;
use crate::ui::chart::{Point, Series, bars};
use crate::ui::form::{Field, options};
use crate::ui::{Frame, Head, Tone, card, empty, figures, frame, heading, status, tabs};

/// How many drills the charts show.
const CHARTED: usize = 30;

/// What the page shows.
pub struct DrillsView<'a> {
    /// Newest first.
    pub drills: &'a [Drill],
    /// What drills are measured against from now on.
    pub goals: RecoveryGoals,
    /// Only those of this kind.
    pub kind: Option<DrillKind>,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// `/opshub/backups/drills`
pub fn page(at: &Frame<'_>, view: &DrillsView<'_>) -> Markup {
    let goal = |seconds| figures::span(Duration::from_secs(seconds));
    let body = html! {
        (heading("Drills", html! {
            a.btn href="/opshub/backups/drills/export?format=csv" download { "CSV" }
            a.btn href="/opshub/backups/drills/export?format=jsonl" download { "JSON Lines" }
        }))
        (parts("drills"))
        div.pair {
            (card("Time to recover", html! { span.small.faint { "goal " (goal(view.goals.rto_seconds)) } }, chart(view.drills, "Time to recover", |drill| drill.rto_seconds, view.goals.rto_seconds)))
            (card("Writes lost", html! { span.small.faint { "goal " (goal(view.goals.rpo_seconds)) } }, chart(view.drills, "Age of the oldest write that was lost", |drill| drill.rpo_seconds, view.goals.rpo_seconds)))
        }
        (start())
        (kinds(view.kind))
        @if view.drills.is_empty() {
            (empty("No drills yet", html! { "The drill of the month runs by itself on the first. Run one now, above, or with " code { "engify db drill restore" } "." }))
        } @else {
            div.card { table.data {
                thead { tr { th { "When" } th { "Drill" } th { "Outcome" } th.r { "Recovered in" } th.r { "Lost" } th { "Steps" } } }
                tbody { @for drill in view.drills { (row(at, drill)) } }
            } }
        }
        (super::super::pager(
            view.cursor.as_ref().map(|_| address(view.kind, None)),
            view.next.as_deref().map(|next| address(view.kind, Some(next))),
        ))
    };
    frame(at, &Head::new("Drills", "How long a recovery takes, and what it loses."), body)
}

fn address(kind: Option<DrillKind>, cursor: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let kind = kind.map(|kind| ("kind", kind.as_str()));
    for (name, value) in kind.into_iter().chain(cursor.map(|cursor| ("cursor", cursor))) {
        query.append_pair(name, value);
    }
    format!("/opshub/backups/drills?{}", query.finish())
}

fn kinds(current: Option<DrillKind>) -> Markup {
    let mut links = vec![("all", None, address(None, None), current.is_none())];
    for kind in DrillKind::ALL {
        links.push((kind.as_str(), None, address(Some(*kind), None), current == Some(*kind)));
    }
    tabs("Kind of drill", &links)
}

fn start() -> Markup {
    let words = options(None, DrillKind::ALL.iter().map(|kind| kind.as_str()));
    card(
        "Run one now",
        html! {},
        html! {
            form.stack.gap-16 method="post" action="/opshub/backups/drills" {
                (Field::select("Disaster", "kind", words).value("restore"))
                p.small.quiet { "It works on a copy, which needs room for the whole database twice. The site goes on meanwhile; of the installation only the record is written." }
                div.row { button.btn.go type="submit" { "Run the drill" } }
            }
        },
    )
}

/// Figures from a second to hours on one drawing: heights are logarithms, words are the figures.
fn chart(drills: &[Drill], name: &str, figure: fn(&Drill) -> Option<f64>, goal: u64) -> Markup {
    let height = |seconds: f64| (1.0 + seconds).log10();
    let mut points: Vec<Point> = drills
        .iter()
        .take(CHARTED)
        .map(|drill| Point {
            label: format!("{}, {}", figures::day(drill.started_at), drill.kind),
            value: figure(drill).map_or(0.0, height),
            text: seconds(figure(drill)),
        })
        .collect();
    points.reverse();
    if points.is_empty() {
        return html! { p.quiet { "Measured by the first drill." } };
    }
    let limit = Some((height(goal as f64), format!("goal {goal} s")));
    bars(&Series { name: format!("{name}, each drill, on a logarithmic scale"), points, limit })
}

fn seconds(figure: Option<f64>) -> String {
    figure.map_or_else(
        || "not reached".to_owned(),
        |seconds| {
            if seconds == 0.0 { "nothing".to_owned() } else { figures::millis(seconds * 1000.0) }
        },
    )
}

/// How a drill ended, in a word and a colour.
pub(super) fn ended(outcome: DrillOutcome) -> (Tone, &'static str) {
    match outcome {
        DrillOutcome::Passed => (Tone::Ok, "passed"),
        DrillOutcome::Missed => (Tone::Warn, "missed its goals"),
        DrillOutcome::Failed => (Tone::Bad, "failed"),
    }
}

fn row(at: &Frame<'_>, drill: &Drill) -> Markup {
    let (tone, word) = ended(drill.outcome);
    html! {
        tr {
            td.main { (figures::when(at.now, drill.started_at)) }
            td data-label="Drill" { (figures::label(drill.kind.as_str())) }
            td data-label="Outcome" { (status(tone, word)) }
            td.r data-label="Recovered" { (seconds(drill.rto_seconds)) }
            td.r data-label="Lost" { (seconds(drill.rpo_seconds)) }
            td data-label="Detail" { details {
                summary { (figures::counted(drill.steps.len() as u64, "step", "steps")) }
                ol { @for step in &drill.steps { li.small { b { (step.name) } " " span.faint { (figures::millis(step.seconds * 1000.0)) } " " (step.found) } } }
            } }
        }
    }
}

//! Backups and the journal along time, drawn: one lane for each kind of backup and each target of the journal.

use std::time::Duration;

use engify_app::backups::Coverage;
use engify_core::Time;
use engify_core::backup::{Backup, BackupKind, BackupState};
use maud::{Markup, html};

use crate::ui::chart::{Mark, lane};
use crate::ui::{Frame, Tone, figures};

/// How far back it goes.
const WINDOW: Duration = Duration::from_secs(30 * 86_400);

pub(super) fn card(at: &Frame<'_>, recent: &[Backup], coverage: &[Coverage]) -> Markup {
    let from = at.now.minus(WINDOW);
    let aside = html! { span.small.faint { (figures::day(from)) " to today" } };
    let body = html! {
        div.stack { dl.facts {
            @for (number, one) in coverage.iter().enumerate() {
                dt { (if number == 0 { "Any moment" } else { "Second place" }) }
                dd { (journal(one, at.now, from)) }
            }
            @for kind in BackupKind::ALL {
                dt { (super::name(*kind)) }
                dd { (backups(*kind, recent, at.now, from)) }
            }
        }
        p.small.faint { "Tall: proven. Half: taken, not proven yet. Low: failed. The list below says the same in words." } }
    };
    crate::ui::card("Last 30 days", aside, body)
}

/// Where a moment stands, 0 to 1.
fn place(time: Time, from: Time) -> f64 {
    time.since(from).as_secs_f64() / WINDOW.as_secs_f64()
}

fn journal(one: &Coverage, now: Time, from: Time) -> Markup {
    let (Some(since), Some(until)) = (one.since, one.until) else {
        return lane("The journal: no moment between backups can be restored yet", &[]);
    };
    let tone = if one.failing_since.is_some() { Tone::Bad } else { Tone::Ok };
    let end = if until == now { "now".to_owned() } else { figures::exact(until) };
    let text = format!("The journal at {}: any moment from {} to {end}", one.target, figures::exact(since));
    let mark =
        Mark { from: place(since, from), to: place(until, from), height: 1.0, tone, text: text.clone() };
    lane(&text, &[mark])
}

fn backups(kind: BackupKind, recent: &[Backup], now: Time, from: Time) -> Markup {
    let shown = recent.iter().filter(|one| one.kind == kind && one.created_at >= from);
    let marks: Vec<Mark> = shown
        .map(|one| {
            let (tone, word) = super::state(one, now);
            let height = match one.state {
                BackupState::Verified => 1.0,
                BackupState::Taken | BackupState::Running => 0.6,
                BackupState::Failed | BackupState::Pruned => 0.3,
            };
            let (at, text) =
                (place(one.created_at, from), format!("{}: {word}", figures::exact(one.created_at)));
            Mark { from: at, to: at, height, tone, text }
        })
        .collect();
    let proven = marks.iter().filter(|mark| mark.tone == Tone::Ok).count();
    lane(&format!("{}: {} in 30 days, {proven} of them proven", super::name(kind), marks.len()), &marks)
}

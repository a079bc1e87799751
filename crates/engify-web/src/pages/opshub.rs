//! Operations, for administrators: how it runs.

use std::time::Duration;

use engify_core::Time;
use engify_core::permission::Permission;
use maud::{Markup, html};

use super::status::{ServiceRow, overall};
use crate::ui::chart::{Series, sparkline};
use crate::ui::{Frame, Head, Tone, card, figures, flush, frame, heading, status, tabs};

/// What the overview shows.
pub struct OverviewView {
    /// The health of each service.
    pub services: Vec<ServiceRow>,
    /// Since when it runs.
    pub uptime: Duration,
    /// Which version runs.
    pub version: String,
    /// `hour`, `day` or `week`; empty where there are no courses to show.
    pub window: String,
    /// One small chart each.
    pub tiles: Vec<Tile>,
    /// Plain counts: users, prompts, runs, keys.
    pub counts: Vec<(String, u64)>,
    /// What needs a human now.
    pub needs: Vec<Need>,
    /// When a backup was last restored and compared.
    pub proven_at: Option<Time>,
}

/// One figure with its course.
pub struct Tile {
    /// `Requests`
    pub name: String,
    /// `412`
    pub value: String,
    /// `per s`
    pub unit: String,
    /// Its course, with the line that should not be crossed.
    pub series: Series,
    /// Whether it is over the line now.
    pub over: bool,
}

/// Something that needs a human.
pub struct Need {
    /// How soon.
    pub tone: Tone,
    /// What it is, in a few words.
    pub title: String,
    /// What happened and what to do.
    pub text: String,
    /// Where to do it: text and address.
    pub link: Option<(String, String)>,
}

/// `/opshub`
pub fn overview(at: &Frame<'_>, view: &OverviewView) -> Markup {
    let (tone, word) = overall(&view.services);
    let windows: Vec<_> = ["hour", "day", "week"]
        .into_iter()
        .map(|window| (window, None, format!("/opshub?window={window}"), view.window == window))
        .collect();
    let body = html! {
        (heading("OpsHub", html! {
            (status(tone, word)) span.small.faint.num { "up " (figures::span(view.uptime)) " · version " (view.version) }
        }))
        @if !view.window.is_empty() {
            (tabs("Time shown", &windows))
            div.wall { @for tile in &view.tiles { (figure(tile)) } }
        }
        div.pair {
            (flush("Services", html! {}, super::status::table(&view.services)))
            div.stack.gap-16 {
                (proven(at, view.proven_at))
                (flush("Needs you", html! { span.small.faint { (view.needs.len()) } }, needs(&view.needs)))
                (flush("In the database", html! {}, html! { dl.facts.pad { @for (name, number) in &view.counts { dt { (name) } dd.num { (figures::count(*number)) } } } }))
            }
        }
    };
    frame(at, &Head::new("OpsHub", "How this installation runs."), body)
}

fn proven(at: &Frame<'_>, when: Option<Time>) -> Markup {
    let link =
        html! { @if at.may(Permission::SystemBackup) { a.small.quiet href="/opshub/backups" { "Backups" } } };
    card(
        "Last proven restore",
        link,
        html! {
            @match when {
                Some(when) => (figures::when(at.now, when)),
                None => p.quiet { "None yet: the first backup is taken, restored and compared within six hours." },
            }
        },
    )
}

fn figure(tile: &Tile) -> Markup {
    html! {
        section.card.figure-tile aria-label=(tile.name) {
            p.k { span { (tile.name) } @if let Some((_, limit)) = &tile.series.limit { span class=(if tile.over { "bad" } else { "faint" }) { (limit) } } }
            p.v { (tile.value) " " small { (tile.unit) } }
            (sparkline(&tile.series))
        }
    }
}

fn needs(needs: &[Need]) -> Markup {
    html! {
        @if needs.is_empty() { div.body { (status(Tone::Ok, "nothing")) } }
        @else { ul.needs { @for need in needs { li {
            (status(need.tone, &need.title))
            p.quiet { (need.text) }
            @if let Some((text, href)) = &need.link { a.btn href=(href) { (text) } }
        } } } }
    }
}

//! Schedules, for administrators: when which jobs are done by themselves.

use engify_core::error::Detail;
use engify_core::job::{CatchUp, JobState, Schedule};
use maud::{Markup, html};

use super::jobs::tone;
use crate::ui::form::{Faults, Field, checkbox};
use crate::ui::{Frame, Head, Tone, breadcrumb, card, figures, frame, heading, problem, status};

/// A schedule, and what jobs of its kind do.
pub struct ScheduleRow<'a> {
    /// The schedule.
    pub schedule: &'a Schedule,
    /// What its job does, a sentence.
    pub about: &'static str,
}

/// `/opshub/schedules`; `may_change`: whether the reader may change them and start their jobs.
pub fn list(at: &Frame<'_>, rows: &[ScheduleRow<'_>], may_change: bool) -> Markup {
    let body = html! {
        (breadcrumb(&[("Jobs", "/opshub/jobs")]))
        (heading("Schedules", html! {}))
        div.card { table.data {
            thead { tr { th { "Job" } th { "Times, UTC" } th { "Next" } th { "Last" } @if may_change { th { span.sr { "Start" } } } } }
            tbody { @for row in rows { (line(at, row, may_change)) } }
        } }
    };
    frame(at, &Head::new("Schedules", "When which jobs are done by themselves."), body)
}

fn line(at: &Frame<'_>, row: &ScheduleRow<'_>, may_change: bool) -> Markup {
    let schedule = row.schedule;
    html! {
        tr {
            td.main {
                div {
                    a href={ "/opshub/schedules/" (schedule.id) } { (figures::label(&schedule.id)) }
                    br; span.small.faint { (row.about) }
                }
            }
            td data-label="Times" { code { (schedule.cron) } @if schedule.custom { " " span.chip { "changed" } } }
            td data-label="Next" { (next(at, schedule)) }
            td data-label="Last" { (last(at, schedule)) }
            @if may_change { td { form method="post" action={ "/opshub/schedules/" (schedule.id) "/run" } {
                button.btn type="submit" { "Run now" span.sr { ": " (figures::label(&schedule.id)) } }
            } } }
        }
    }
}

fn next(at: &Frame<'_>, schedule: &Schedule) -> Markup {
    match schedule.next_at {
        Some(next) => html! { span.quiet { (figures::when(at.now, next)) } },
        None => status(Tone::Plain, "switched off"),
    }
}

fn last(at: &Frame<'_>, schedule: &Schedule) -> Markup {
    let Some(job) = &schedule.last_job else { return html! { span.faint { "never" } } };
    let state = schedule.last_state.unwrap_or(JobState::Queued);
    html! {
        a href={ "/opshub/jobs/" (job) } { (status(tone(state, false), state.as_str())) }
        @if let Some(ended) = schedule.last_ended_at { " " span.small.quiet { (figures::when(at.now, ended)) } }
    }
}

/// What the page of one schedule shows.
pub struct ScheduleView<'a> {
    /// As it is stored.
    pub row: ScheduleRow<'a>,
    /// The times as typed.
    pub cron: String,
    /// What becomes of missed times, as chosen.
    pub catch_up: String,
    /// Whether it makes jobs, as ticked.
    pub enabled: bool,
    /// Whether the reader may change it.
    pub may_change: bool,
    /// What is wrong with the form.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
}

/// `/opshub/schedules/{name}`
pub fn one(at: &Frame<'_>, view: &ScheduleView<'_>) -> Markup {
    let schedule = view.row.schedule;
    let title = figures::label(&schedule.id);
    let query = format!("/opshub/jobs?kind={}", schedule.id);
    let body = html! {
        (breadcrumb(&[("Jobs", "/opshub/jobs"), ("Schedules", "/opshub/schedules")]))
        (heading(&title, html! { a.btn href=(query) { "Its jobs" } }))
        (problem(view.problem.as_deref()))
        p.quiet { (view.row.about) }
        div.pair {
            @if view.may_change { (card("Times", html! {}, form(view))) }
            (card("How it goes", html! {}, html! { dl.facts {
                dt { "Times, UTC" } dd { code { (schedule.cron) } }
                dt { "Next" } dd { (next(at, schedule)) }
                dt { "Last" } dd { (last(at, schedule)) }
                dt { "Missed times" } dd { (missed(schedule.catch_up)) }
                dt { "Set by" } dd { @if schedule.custom { "an administrator" } @else { "the program" } }
            } }))
        }
    };
    frame(at, &Head::new(&title, "When a job is done by itself."), body)
}

fn missed(catch_up: CatchUp) -> &'static str {
    match catch_up {
        CatchUp::Once => "are made up for, once",
        CatchUp::Skip => "are left out",
    }
}

fn form(view: &ScheduleView<'_>) -> Markup {
    let faults = Faults(&view.faults);
    let policies =
        CatchUp::ALL.iter().map(|one| (one.to_string(), figures::sentence(missed(*one)))).collect();
    html! {
        form.stack.gap-16 method="post" action={ "/opshub/schedules/" (view.row.schedule.id) } {
            (Field::text("Times", "cron").value(&view.cron).required().autocomplete("off").placeholder("30 2 * * *")
                .help("Minute, hour, day of the month, month, day of the week, in UTC: 30 2 * * * is half past two at night, */15 * * * * every quarter of an hour.").faults(faults))
            (Field::select("Times that were missed while no server ran", "catch_up", policies).value(&view.catch_up).faults(faults))
            (checkbox("Switched on", "enabled", "true", view.enabled))
            div.row { button.btn.go type="submit" { "Save the schedule" } }
        }
    }
}

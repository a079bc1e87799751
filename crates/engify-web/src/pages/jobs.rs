//! Jobs, for administrators: what waits, what runs, what failed and what came of the others.

use engify_core::job::{Job, JobState};
use maud::{Markup, html};
use serde_json::Value;

use crate::ui::{
    Confirm, Frame, Head, Notice, Tone, breadcrumb, card, empty, figures, frame, heading, status, tabs,
};

/// What the list shows.
pub struct JobsView<'a> {
    /// Newest first.
    pub jobs: &'a [Job],
    /// How many are in each state.
    pub counts: &'a [(JobState, u64)],
    /// Only those in this state.
    pub state: Option<JobState>,
    /// Only those of this kind; empty for all.
    pub kind: String,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// `/opshub/jobs`
pub fn list(at: &Frame<'_>, view: &JobsView<'_>) -> Markup {
    let address = |path: &str, state: Option<JobState>, cursor: Option<&str>| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let state = state.map(|state| ("state", state.as_str()));
        let kind = Some(view.kind.as_str()).filter(|kind| !kind.is_empty()).map(|kind| ("kind", kind));
        for (name, value) in state.into_iter().chain(kind).chain(cursor.map(|cursor| ("cursor", cursor))) {
            query.append_pair(name, value);
        }
        format!("{path}?{}", query.finish())
    };
    let mut links = vec![("all", None, address("/opshub/jobs", None, None), view.state.is_none())];
    for (state, count) in view.counts {
        let here = view.state == Some(*state);
        links.push((state.as_str(), Some(*count), address("/opshub/jobs", Some(*state), None), here));
    }
    // Where only some states are shown, a row would have to go when its job goes on; without rows there is no table to follow.
    let live = view.cursor.is_none() && view.state.is_none() && !view.jobs.is_empty();
    let body = html! {
        (heading("Jobs", html! {
            @if live { button.btn.js type="button" #live data-from=(address("/opshub/jobs/live", None, None)) aria-pressed="false" { "Follow" } }
            a.btn href=(address("/opshub/jobs", view.state, None)) { "Refresh" }
            a.btn href="/opshub/schedules" { "Schedules" }
        }))
        (tabs("State", &links))
        @if !view.kind.is_empty() {
            p.small.quiet { "Only " (figures::label(&view.kind)) ". " a href="/opshub/jobs" { "Show all kinds" } "." }
        }
        @if view.jobs.is_empty() {
            (empty("No jobs", html! { "What is done outside of requests is listed here: 14 days after it was done, 90 days after it failed." }))
        } @else {
            div.card { table.data {
                thead { tr { th { "Job" } th { "State" } th { "When" } th { "Tries" } th { "Took" } th { "Note" } } }
                tbody #lines { @for job in view.jobs { (row(at, job)) } }
            } }
        }
        (super::pager(
            view.cursor.as_ref().map(|_| address("/opshub/jobs", view.state, None)),
            view.next.as_deref().map(|next| address("/opshub/jobs", view.state, Some(next))),
        ))
    };
    let scripts: &[&str] = if live { &["tail.js"] } else { &[] };
    frame(at, &Head::new("Jobs", "What is done outside of requests.").with_scripts(scripts), body)
}

/// One job of the table, also sent alone while the list is followed.
pub fn row(at: &Frame<'_>, job: &Job) -> Markup {
    html! {
        tr.run id=(job.id) {
            td.main { a.cover href={ "/opshub/jobs/" (job.id) } { (figures::label(&job.kind)) } }
            td data-label="State" { (state(job)) }
            td data-label="When" { span.quiet { (figures::when(at.now, job.ended_at.unwrap_or(job.due_at))) } }
            td.num data-label="Tries" { (job.attempts) }
            td.num data-label="Took" { (took(job)) }
            td data-label="Note" { span.small.faint { (note(job)) } }
        }
    }
}

/// The state of a job, in its colour.
fn state(job: &Job) -> Markup {
    let word = match job.state {
        JobState::Queued if job.failure.is_some() => "waits to be tried again",
        JobState::Running if job.cancelled_at.is_some() => "being called off",
        state => state.as_str(),
    };
    status(tone(job.state, job.failure.is_some()), word)
}

/// How serious a state is.
pub(super) fn tone(state: JobState, failed: bool) -> Tone {
    match state {
        JobState::Queued if failed => Tone::Warn,
        JobState::Queued | JobState::Running => Tone::Info,
        JobState::Done => Tone::Ok,
        JobState::Dead => Tone::Bad,
        JobState::Cancelled => Tone::Plain,
    }
}

fn took(job: &Job) -> String {
    match (job.started_at, job.ended_at) {
        (Some(begun), Some(ended)) => figures::millis(ended.since(begun).as_secs_f64() * 1000.0),
        _ => String::new(),
    }
}

/// A line about what came of it.
fn note(job: &Job) -> String {
    match (&job.failure, &job.outcome) {
        (Some(failure), _) => failure.code.replace('_', " "),
        (None, Some(outcome)) => said(outcome).chars().take(80).collect(),
        (None, None) => String::new(),
    }
}

/// An outcome in a line: a sentence as it is, figures as `letters 3, jobs 12`.
fn said(outcome: &Value) -> String {
    match outcome {
        Value::String(sentence) => sentence.clone(),
        Value::Object(figures) => {
            let flat = figures.iter().filter(|(_, value)| !value.is_object() && !value.is_array());
            flat.map(|(name, value)| format!("{name} {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        other => plain(other),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `/opshub/jobs/{id}`; `about` says what jobs of its kind do.
pub fn one(at: &Frame<'_>, job: &Job, about: &str) -> Markup {
    let title = figures::label(&job.kind);
    let path = format!("/opshub/jobs/{}", job.id);
    let body = html! {
        (breadcrumb(&[("Jobs", "/opshub/jobs")]))
        (heading(&title, html! {
            (state(job))
            @if job.state == JobState::Dead { (Confirm {
                open: "Retry", title: "Do this job again?",
                consequence: "It is queued at once, with all its tries. What the failed tries did already is not done twice.",
                button: "Retry the job", action: format!("{path}/retry"), fields: Vec::new(), destroys: false,
            }) }
            @if matches!(job.state, JobState::Queued | JobState::Running) && job.cancelled_at.is_none() { (Confirm {
                open: "Cancel", title: "Call this job off?",
                consequence: "It is not done, or not to its end: what it did already stays as it is. Its record stays.",
                button: "Call the job off", action: format!("{path}/cancel"), fields: Vec::new(), destroys: true,
            }) }
            @if matches!(job.state, JobState::Dead | JobState::Queued) { (Confirm {
                open: "Discard", title: "Discard this job?",
                consequence: "It is not done any more, and its record goes.",
                button: "Discard the job", action: format!("{path}/discard"), fields: Vec::new(), destroys: true,
            }) }
        }))
        @if !about.is_empty() { p.quiet { (about) } }
        @if let Some(failure) = &job.failure { (Notice::new(Tone::Warn, failure.message.clone())) }
        div.pair {
            (card("What it says", html! {}, html! {
                @match &job.outcome {
                    Some(outcome) => div.verbatim { (pretty(outcome)) },
                    None => p.quiet { "Nothing yet." },
                }
                @if !job.payload.is_null() { h3 { "What it was told" } div.verbatim { (pretty(&job.payload)) } }
            }))
            (card("Its way", html! {}, html! { dl.facts {
                dt { "Queued" } dd { (figures::when(at.now, job.created_at)) }
                @if let Some(schedule) = &job.schedule { dt { "By" } dd { "the schedule " a href={ "/opshub/schedules/" (schedule) } { (figures::label(schedule)) } } }
                dt { "Priority" } dd { (job.priority) }
                @if job.state == JobState::Queued { dt { "Due" } dd { (figures::when(at.now, job.due_at)) } }
                @if job.state == JobState::Running { dt { "Lease ends" } dd { (figures::when(at.now, job.due_at)) } }
                @if let Some(begun) = job.started_at { dt { "Last try" } dd { (figures::when(at.now, begun)) } }
                @if job.attempts > 0 { dt { "Tries" } dd { (job.attempts) } }
                @if let Some(called) = job.cancelled_at { dt { "Called off" } dd { (figures::when(at.now, called)) } }
                @if let Some(ended) = job.ended_at { dt { "Ended" } dd { (figures::when(at.now, ended)) } }
                @if let Some(key) = &job.singleton { dt { "Key" } dd { span.mono { (key) } } }
                dt { "Id" } dd { span.mono { (job.id) } }
            } }))
        }
    };
    frame(at, &Head::new(&title, "One job, and what became of it."), body)
}

fn pretty(value: &Value) -> String {
    match value {
        Value::String(sentence) => sentence.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

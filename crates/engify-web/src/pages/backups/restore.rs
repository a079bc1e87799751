//! The way back as pages: what is to come back, what that would change, and what came of it.

use engify_app::backups::{Coverage, Differences, Kept, PLAN, Restoration};
use engify_core::backup::{Backup, BackupState};
use engify_core::error::Detail;
use engify_core::job::{Job, JobState};
use maud::{Markup, html};

use super::{name, parts};
use crate::ui::form::{Faults, Field, checkbox};
use crate::ui::{
    Frame, Head, Notice, Tone, breadcrumb, card, empty, figures, flush, frame, heading, problem, status,
};

/// How many backups are offered; older ones by their own pages.
const OFFERED: usize = 200;

/// The first step: what was typed, and what there is.
#[derive(Debug, Default)]
pub struct ChooseView {
    /// Those that are there, newest first.
    pub backups: Vec<Backup>,
    /// How far the journal is at the first target.
    pub coverage: Option<Coverage>,
    /// The collections that can be restored alone.
    pub collections: Vec<&'static str>,
    /// The backup's id; empty for the newest that leads to the moment.
    pub from: String,
    /// The day of the moment; empty for that of the backup.
    pub date: String,
    /// The time of that day.
    pub time: String,
    /// One collection; empty for all.
    pub collection: String,
    /// Whether what was revoked comes back to life.
    pub revive: bool,
    /// What is wrong, by field.
    pub faults: Vec<Detail>,
    /// What is wrong beyond single fields.
    pub problem: Option<String>,
}

/// `/opshub/backups/restore`
pub fn choose(at: &Frame<'_>, view: &ChooseView) -> Markup {
    let body = html! {
        (heading("Restore", html! {}))
        (parts("restore"))
        (problem(view.problem.as_deref()))
        @if view.backups.is_empty() {
            (empty("Nothing to restore", html! {
                "The database remembers no backup. " a href="/opshub/backups" { "Take one" } ", or bring one from elsewhere back in a terminal: " code { "engify db restore --from s3://bucket/prefix" } "."
            }))
        } @else {
            div.pair {
                (card("1. What is to come back", html! {}, form(view)))
                (card("How it goes", html! {}, steps()))
            }
        }
    };
    frame(at, &Head::new("Restore", "Bring back a backup, or any moment between backups."), body)
}

fn form(view: &ChooseView) -> Markup {
    let faults = Faults(&view.faults);
    let option = |backup: &Backup| {
        let proven = if backup.state == BackupState::Verified { "proven" } else { "not proven" };
        let text = format!("{}, {}, {proven}", figures::exact(backup.created_at), name(backup.kind));
        (backup.id.to_string(), text)
    };
    let mut offered = vec![(String::new(), "The newest before the moment".to_owned())];
    offered.extend(view.backups.iter().take(OFFERED).map(option));
    // A backup that is too old for the list was chosen on its own page.
    if !view.from.is_empty() && !offered.iter().any(|(id, _)| *id == view.from) {
        offered.push((view.from.clone(), view.from.clone()));
    }
    let mut whole = vec![(String::new(), "Everything that goes back".to_owned())];
    whole.extend(view.collections.iter().map(|name| ((*name).to_owned(), format!("Only {name}"))));
    let help = match &view.coverage {
        Some(Coverage { since: Some(since), until: Some(until), .. }) => {
            format!(
                "Empty for that of the backup. Any moment from {} to {} can be reached.",
                figures::exact(*since),
                figures::exact(*until)
            )
        }
        _ => "Empty for that of the backup. The journal was not shipped yet: moments between backups are reached as far as the database's own journal goes.".to_owned(),
    };
    html! {
        form.stack.gap-16 method="post" action="/opshub/backups/restore" {
            (Field::select("Backup", "from", offered).value(&view.from).faults(faults))
            div.trio {
                (Field::input("date", "Day, UTC", "date").value(&view.date).faults(faults))
                (Field::text("Time, UTC", "time").value(&view.time).placeholder("18:04:05").autocomplete("off"))
            }
            p.help { (help) }
            (Field::select("What", "collection", whole).value(&view.collection).faults(faults))
            (checkbox("API keys and accounts that were revoked or disabled since come back to life", "revive", "true", view.revive))
            div.row { button.btn.go type="submit" { "Work out the plan" } }
        }
    }
}

fn steps() -> Markup {
    html! {
        div.prose { ol {
            li { b { "The plan." } " The backup is restored into a side database, the journal is done again up to the moment, and all of it is compared. You see what would change. Nothing is touched." }
            li { b { "Your word." } " You prove that it is you, and type which installation you mean." }
            li { b { "The restore." } " A backup of how it is now is taken first. Then the database becomes equal to the side database in one step; killed at any moment, it is the old one or the new one." }
        }
        p { "The audit log, jobs, backups and sessions do not go back." } }
    }
}

/// What a plan or a restore shows.
pub struct RestoreView<'a> {
    /// Its job.
    pub job: &'a Job,
    /// What it came to; none until it has ended well.
    pub came_to: Option<Restoration>,
    /// What has to be typed.
    pub confirm: String,
    /// What is wrong with that.
    pub faults: Vec<Detail>,
    /// What is wrong beyond it.
    pub problem: Option<String>,
}

/// `/opshub/backups/restore/{id}`
pub fn look(at: &Frame<'_>, view: &RestoreView<'_>) -> Markup {
    let plan = view.job.kind == PLAN;
    let title = if plan { "Plan of a restore" } else { "Restore" };
    let (tone, word) = state(view.job.state, plan);
    let body = html! {
        (breadcrumb(&[("Backups", "/opshub/backups"), ("Restore", "/opshub/backups/restore")]))
        (heading(title, html! { (status(tone, word)) a.btn href={ "/opshub/jobs/" (view.job.id) } { "Its job" } }))
        (problem(view.problem.as_deref()))
        @if let Some(failure) = &view.job.failure { (Notice::new(Tone::Bad, failure.message.clone())) }
        @match (&view.came_to, view.job.state) {
            (Some(came_to), _) => (ended(view, came_to, plan)),
            (None, JobState::Queued | JobState::Running) => (waiting(at, view.job, plan)),
            (None, JobState::Dead) => p.quiet {
                @if plan { "Nothing was touched. " } @else { "The database is the old one or the new one, never a mixture; the job tells which step failed. " }
                a href="/opshub/backups/restore" { "Choose again" } "."
            },
            (None, JobState::Cancelled) => p.quiet { "Called off: nothing was touched. " a href="/opshub/backups/restore" { "Choose again" } "." },
            (None, JobState::Done) => p.quiet { "Its record is in its job." },
        }
    };
    frame(at, &Head::new(title, "What a restore would change, or changed."), body)
}

fn state(state: JobState, plan: bool) -> (Tone, &'static str) {
    match (state, plan) {
        (JobState::Queued, _) => (Tone::Info, "waits for a worker"),
        (JobState::Running, true) => (Tone::Info, "being worked out"),
        (JobState::Running, false) => (Tone::Info, "being restored"),
        (JobState::Done, true) => (Tone::Ok, "ready"),
        (JobState::Done, false) => (Tone::Ok, "restored and compared"),
        (JobState::Dead, _) => (Tone::Bad, "failed"),
        (JobState::Cancelled, _) => (Tone::Plain, "called off"),
    }
}

fn waiting(at: &Frame<'_>, job: &Job, plan: bool) -> Markup {
    let what = if plan { "The plan is being worked out" } else { "The database is being restored" };
    empty(
        what,
        html! {
            "Asked for " (figures::when(at.now, job.created_at)) ". A gigabyte takes a few minutes; the site goes on meanwhile. "
            a href={ "/opshub/backups/restore/" (job.id) } { "Look again" } "."
        },
    )
}

fn ended(view: &RestoreView<'_>, came_to: &Restoration, plan: bool) -> Markup {
    html! {
        div.pair {
            (card("Where it comes from", html! {}, origin(came_to)))
            div.stack.gap-16 {
                @if plan { (card("Do it", html! {}, confirm(view))) } @else { (card("What was done", html! {}, written(came_to))) }
                @if !notes(came_to.kept).is_empty() { (card("Worth knowing", html! {}, html! { ul.stack { @for note in notes(came_to.kept) { li { (note) } } } })) }
            }
        }
        @if plan { (flush("What would change", html! {}, differences(&came_to.differences))) }
    }
}

fn origin(came_to: &Restoration) -> Markup {
    let plan = &came_to.plan;
    html! { dl.facts {
        @if let Some(id) = &plan.backup { dt { "Backup" } dd { a.mono href={ "/opshub/backups/" (id) } { (id) } } }
        @if let Some(when) = plan.taken_at { dt { "Of" } dd { (figures::exact(when)) ", " (if plan.verified { "proven" } else { "not proven before" }) } }
        dt { "From" } dd.mono { (plan.from) }
        dt { "Holds" } dd.num { (figures::counted(plan.documents, "document", "documents")) ", " (figures::bytes(plan.bytes)) }
        dt { "Changes behind it" } dd { @match plan.journal.as_str() {
            "shipped" => "from the shipped journal",
            "database" => "from the database's own journal",
            _ => "none",
        } }
        @if let Some(position) = plan.position { dt { "Up to position" } dd.num { (figures::count(position)) } }
        dt { "Worked out" } dd { (figures::millis(came_to.duration_millis as f64)) }
        dt { "Becomes as it was" } dd { details { summary { (figures::counted(plan.collections.len() as u64, "collection", "collections")) } p.small.mono { (plan.collections.join(", ")) } } }
    } }
}

fn confirm(view: &RestoreView<'_>) -> Markup {
    let label = format!("Type {} to confirm", view.confirm);
    html! {
        form.stack.gap-16 method="post" action={ "/opshub/backups/restore/" (view.job.id) } {
            p { "Everything that was written since is undone. A backup of how it is now is taken first, so that this can be undone as well." }
            (Field::text(&label, "confirm").required().autocomplete("off").faults(Faults(&view.faults)))
            div.row { button.btn.danger type="submit" { "Restore" } a.btn.bare href="/opshub/backups/restore" { "Choose again" } }
            p.small.quiet { "A plan counts for an hour. You may be asked for your second factor." }
        }
    }
}

fn written(came_to: &Restoration) -> Markup {
    html! { dl.facts {
        dt { "Came back" } dd.num { (figures::count(came_to.written.inserted)) }
        dt { "Became as they were" } dd.num { (figures::count(came_to.written.replaced)) }
        dt { "Went" } dd.num { (figures::count(came_to.written.removed)) }
        @if let Some(id) = &came_to.safety { dt { "How it was before" } dd { a.mono href={ "/opshub/backups/" (id) } { (id) } } }
    } }
}

fn differences(differences: &[Differences]) -> Markup {
    html! {
        @if differences.is_empty() { p.body.quiet { "Nothing: the database is as it was then." } }
        @else { table.data {
            thead { tr { th { "Collection" } th.r { "Come back" } th.r { "Become as they were" } th.r { "Go" } } }
            tbody { @for one in differences { tr {
                td.main.mono { (one.collection) }
                td.r data-label="Back" { (figures::count(one.added)) }
                td.r data-label="Changed" { (figures::count(one.changed)) }
                td.r data-label="Go" { (figures::count(one.removed)) }
            } } }
        } }
    }
}

fn notes(kept: Kept) -> Vec<String> {
    let notes = [
        (
            kept.revoked_keys,
            "API key that was revoked since stays revoked",
            "API keys that were revoked since stay revoked",
        ),
        (
            kept.deleted_keys,
            "API key that was deleted since stays deleted",
            "API keys that were deleted since stay deleted",
        ),
        (
            kept.disabled_accounts,
            "account that was disabled since stays disabled",
            "accounts that were disabled since stay disabled",
        ),
        (kept.revived, "key or account comes back to life", "keys and accounts come back to life"),
        (
            kept.older_passwords,
            "account has an older password again",
            "accounts have an older password again",
        ),
    ];
    let said = notes.into_iter().filter(|(count, ..)| *count > 0);
    said.map(|(count, one, many)| format!("{}.", figures::counted(count, one, many))).collect()
}

//! Jobs and schedules, for administrators; and the two doors through which others have jobs done: outside schedulers with
//! `CRON_SECRET`, and QStash with its signature.

use std::time::Duration;

use axum::extract::{Path, Request, State};
use engify_app::jobs::{self, Call, Called, Change, JobFilter, NewJob, Queued};
use engify_app::limits::presets;
use engify_app::{Actor, Ctx};
use engify_core::error::Faults;
use engify_core::job::{CatchUp, JobState, Priority};
use engify_core::permission::Permission;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::limit;
use crate::extract::{Caller, Json, Query};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply, json};
use crate::route::{self, Route};
use crate::views::{JobView, ScheduleView};
use crate::web::Web;

/// The largest request for a job: a payload of 64 KiB, escaped.
const NEW_JOB: usize = 256 * 1024;
/// The largest message of QStash's: it carries an id.
const MESSAGE: usize = 16 * 1024;

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::SystemRead);
    const WRITE: Policy = READ.limit(presets::WRITE);
    const SETTINGS: Policy = Policy::needs(Permission::SystemSettings).limit(presets::WRITE);
    const CRON: Policy = Policy::cron().limit(presets::WRITE);
    vec![
        Route::get("/api/admin/jobs", READ, list)
            .named("Jobs", "Jobs, newest first")
            .query::<JobsQuery>()
            .gives::<List<JobView>>(StatusCode::OK, "without what their handlers are told"),
        Route::post("/api/admin/jobs", WRITE.body(NEW_JOB), enqueue)
            .named("Jobs", "Have a job done")
            .takes::<NewBody>()
            .gives::<Done<QueuedView>>(
                StatusCode::ACCEPTED,
                "the job is queued, or one with its key is open",
            ),
        Route::get("/api/admin/jobs/{id}", READ, one)
            .named("Jobs", "One job")
            .gives::<JobView>(StatusCode::OK, "the job"),
        Route::post("/api/admin/jobs/{id}/retry", WRITE, retry)
            .named("Jobs", "Do a dead letter again")
            .gives::<JobView>(StatusCode::OK, "the job, queued")
            .refuses(&[StatusCode::CONFLICT]),
        Route::post("/api/admin/jobs/{id}/cancel", WRITE, cancel)
            .named("Jobs", "Call off a job that waits or runs")
            .gives::<JobView>(
                StatusCode::OK,
                "the job: cancelled, or running until its worker has heard of it",
            )
            .refuses(&[StatusCode::CONFLICT]),
        Route::delete("/api/admin/jobs/{id}", WRITE, discard)
            .named("Jobs", "Discard a job that waits, or a dead letter")
            .gives_nothing(StatusCode::NO_CONTENT, "it is gone")
            .refuses(&[StatusCode::CONFLICT]),
        Route::get("/api/admin/schedules", READ, schedules)
            .named("Jobs", "When which jobs are done by themselves")
            .gives::<List<ScheduleView>>(StatusCode::OK, "by name"),
        Route::patch("/api/admin/schedules/{name}", SETTINGS, change)
            .named("Jobs", "Change a schedule, or switch it on or off")
            .takes::<ChangeBody>()
            .gives::<ScheduleView>(StatusCode::OK, "the schedule as it is now")
            .refuses(&[StatusCode::CONFLICT]),
        Route::post("/api/admin/schedules/{name}/run", WRITE, run)
            .named("Jobs", "Do the job of a schedule now")
            .gives::<Done<QueuedView>>(StatusCode::ACCEPTED, "the job; within a minute it is the same one"),
        Route::get("/api/cron/{job}", CRON, cron)
            .named(
                "Jobs",
                "Do the job of a schedule now, for outside schedulers that call by GET, as Vercel's",
            )
            .gives::<Done<QueuedView>>(StatusCode::ACCEPTED, "the job; within a minute it is the same one"),
        Route::post("/api/cron/{job}", CRON, cron)
            .named("Jobs", "Do the job of a schedule now, for outside schedulers")
            .gives::<Done<QueuedView>>(StatusCode::ACCEPTED, "the job; within a minute it is the same one"),
        Route::post("/api/webhooks/qstash", Policy::PUBLIC.body(MESSAGE).deadline(60), by_qstash)
            .named("Webhooks", "QStash's signed call about a job that was handed to it")
            .gives::<Done<CalledView>>(StatusCode::OK, "a try of the job has ended")
            .gives::<Done<CalledView>>(StatusCode::ACCEPTED, "the job goes on, or there is nothing to do")
            .refuses(&[StatusCode::NOT_FOUND]),
    ]
}

/// Which jobs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JobsQuery {
    /// `queued`, `running`, `done`, `dead` or `cancelled`.
    state: Option<String>,
    /// Of this kind.
    kind: Option<String>,
    /// 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// The filter that a query asks for.
pub(crate) fn narrowed(state: Option<&str>, kind: Option<String>) -> engify_core::Result<JobFilter> {
    let mut faults = Faults::default();
    let state = state.filter(|word| !word.is_empty());
    let state = state.and_then(|word| faults.take("state", JobState::parse(word)));
    faults.check()?;
    Ok(JobFilter { state, kind: kind.filter(|kind| !kind.is_empty()) })
}

async fn list(caller: Caller, Query(query): Query<JobsQuery>) -> Reply {
    let narrowed = narrowed(query.state.as_deref(), query.kind)?;
    let page = jobs::list(&caller.0, &narrowed, limit(query.limit)?, query.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.iter().map(JobView::from).collect(), next).reply())
}

/// A job to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewBody {
    /// Which job.
    kind: String,
    /// What its handler is told; at most 64 KiB.
    payload: Option<Value>,
    /// How urgent it is [`normal`].
    priority: Option<Priority>,
    /// Not before so many seconds from now, at most 30 days.
    #[schemars(range(min = 0, max = 2_592_000))]
    delay_seconds: Option<u64>,
    /// Of jobs with this key, one only is open at a time; 1 to 200 characters.
    key: Option<String>,
}

async fn enqueue(caller: Caller, Json(body): Json<NewBody>) -> Reply {
    let delay = body.delay_seconds.unwrap_or(0);
    if delay > 2_592_000 {
        return Err(engify_core::Error::field("delaySeconds", "is at most 2592000, 30 days").into());
    }
    let mut new = NewJob::of(body.kind)
        .payload(body.payload.unwrap_or_default())
        .priority(body.priority.unwrap_or(Priority::Normal))
        .delay(Duration::from_secs(delay));
    if let Some(key) = body.key {
        new = new.key(key);
    }
    accepted(jobs::enqueue(&caller.0, new).await?)
}

/// A job that was asked for.
#[derive(Serialize, JsonSchema)]
pub(crate) struct QueuedView {
    /// The job.
    id: String,
    /// False where it was there already: one with the same key is open, or it was made for the same minute.
    fresh: bool,
}

pub(crate) fn accepted(queued: Queued) -> Reply {
    let view = QueuedView { id: queued.id.to_string(), fresh: queued.fresh };
    Ok(Done::reply(StatusCode::ACCEPTED, view))
}

async fn one(caller: Caller, Path(id): Path<String>) -> Reply {
    Ok(json(StatusCode::OK, &JobView::whole(&jobs::get(&caller.0, &id).await?)))
}

async fn retry(caller: Caller, Path(id): Path<String>) -> Reply {
    Ok(json(StatusCode::OK, &JobView::whole(&jobs::retry(&caller.0, &id).await?)))
}

async fn cancel(caller: Caller, Path(id): Path<String>) -> Reply {
    Ok(json(StatusCode::OK, &JobView::whole(&jobs::cancel(&caller.0, &id).await?)))
}

async fn discard(caller: Caller, Path(id): Path<String>) -> Reply<StatusCode> {
    jobs::discard(&caller.0, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn schedules(caller: Caller) -> Reply {
    let all = jobs::schedules(&caller.0).await?;
    let views = all.iter().map(|one| ScheduleView::new(one, jobs::about(&caller.0, &one.id)));
    Ok(List::new(views.collect(), None).reply())
}

/// What is to be different; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ChangeBody {
    /// Cron's five fields, UTC: `30 2 * * *`.
    cron: Option<String>,
    /// Whether it makes jobs.
    enabled: Option<bool>,
    /// What becomes of missed times.
    catch_up: Option<CatchUp>,
}

async fn change(caller: Caller, Path(name): Path<String>, Json(body): Json<ChangeBody>) -> Reply {
    let change = Change { cron: body.cron, enabled: body.enabled, catch_up: body.catch_up };
    let schedule = jobs::change(&caller.0, &name, change).await?;
    Ok(json(StatusCode::OK, &ScheduleView::new(&schedule, jobs::about(&caller.0, &name))))
}

async fn run(caller: Caller, Path(name): Path<String>) -> Reply {
    accepted(jobs::run_now(&caller.0, &name).await?)
}

/// Whoever shows the secret may what the program itself may.
async fn cron(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Reply {
    let ctx = Ctx::new(&web.app, Actor::System("outside scheduler"), caller.0.origin);
    accepted(jobs::run_now(&ctx, &name).await?)
}

/// What came of a call.
#[derive(Serialize, JsonSchema)]
struct CalledView {
    /// Where the job is after this try; null where the job goes on, or there was nothing to do.
    state: Option<JobState>,
}

async fn by_qstash(State(web): State<Web>, request: Request) -> Reply {
    let signature = request.headers().get("upstash-signature").and_then(|value| value.to_str().ok());
    let signature = signature.unwrap_or_default().to_owned();
    let body = route::bytes(request, MESSAGE).await?;
    let (status, state) = match jobs::by_qstash(&web.app, Call { signature: &signature, body: &body }).await?
    {
        Called::Ended(state) => (StatusCode::OK, Some(state)),
        Called::UnderWay | Called::Nothing => (StatusCode::ACCEPTED, None),
    };
    Ok(Done::reply(status, CalledView { state }))
}

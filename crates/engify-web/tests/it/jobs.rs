//! Jobs: each done once by one of many workers, tried again, given up with a reason; schedules that make one job a tick.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engify_app::Ctx;
use engify_app::jobs::{self, JobFilter, JobKind, NewJob, Registry};
use engify_core::Error;
use engify_core::job::{CatchUp, Job, JobState, Priority};
use engify_testkit::TestApp;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::client::Client;

/// What handlers of a test did.
#[derive(Default)]
struct Done {
    /// How often each job was begun.
    begun: Mutex<HashMap<String, usize>>,
    /// In which order.
    order: Mutex<Vec<String>>,
    /// How many run now, and how many ran at once at most.
    now: AtomicUsize,
    most: AtomicUsize,
    /// Whether they fail.
    failing: AtomicBool,
    /// Lets go of those that are held.
    go: Notify,
}

/// A try of a job, under way.
type Tried = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

impl Done {
    /// Kinds that count: `count`, `two` (two at once), `fail` (three tries), `hold` (waits for `go` in its first try).
    fn registry(self: &Arc<Self>) -> Registry {
        let kind = |name, work: fn(Arc<Done>, u32) -> Tried| {
            let done = Arc::clone(self);
            JobKind::new(name, "A kind of a test.", move |_, task| {
                let done = Arc::clone(&done);
                async move {
                    *done.begun.lock().unwrap().entry(task.id.to_string()).or_default() += 1;
                    done.order
                        .lock()
                        .unwrap()
                        .push(task.payload["name"].as_str().unwrap_or_default().to_owned());
                    let now = done.now.fetch_add(1, Ordering::SeqCst) + 1;
                    done.most.fetch_max(now, Ordering::SeqCst);
                    let ended = work(Arc::clone(&done), task.attempt).await;
                    done.now.fetch_sub(1, Ordering::SeqCst);
                    ended.map(|()| json!({ "attempt": task.attempt }))
                }
            })
        };
        let wait = |_: Arc<Done>, _: u32| -> Tried {
            Box::pin(async {
                tokio::task::yield_now().await;
                Ok(())
            })
        };
        Registry::shipped()
            .unwrap()
            .with(kind("count", wait))
            .with(kind("two", wait).together(2))
            .with(
                kind("fail", |done, _| {
                    Box::pin(async move {
                        let away = || Error::unavailable("away", "It is away. Try again.");
                        if done.failing.load(Ordering::SeqCst) { Err(away()) } else { Ok(()) }
                    })
                })
                .attempts(3),
            )
            .with(
                JobKind::new("watch", "Runs until it is called off.", |_, task| async move {
                    task.stop.cancelled().await;
                    Err(Error::unavailable("away", "It was in the middle."))
                })
                .together(1),
            )
            .with(
                JobKind::new("whole", "Is not called off.", |_, task| async move {
                    task.stop.cancelled().await;
                    Ok(Value::Null)
                })
                .whole(),
            )
            .with(kind("hold", |done, attempt| {
                Box::pin(async move {
                    if attempt == 1 {
                        done.go.notified().await;
                    }
                    Ok(())
                })
            }))
    }

    fn times(&self) -> Vec<usize> {
        self.begun.lock().unwrap().values().copied().collect()
    }
}

async fn replicas(count: u64, extra: &[(&str, &str)]) -> (Arc<Done>, Vec<TestApp>) {
    let done = Arc::new(Done::default());
    let replicas = TestApp::doing(done.registry(), count, extra).await;
    (done, replicas)
}

fn system(test: &TestApp) -> Ctx {
    Ctx::system(&test.app, "test")
}

async fn all(test: &TestApp, kind: &str) -> Vec<Job> {
    let narrowed = JobFilter { kind: Some(kind.to_owned()), state: None };
    jobs::list(&system(test), &narrowed, 1000, None).await.unwrap().items
}

async fn settle_all(replicas: &[TestApp]) {
    let settled = futures_util::future::join_all(replicas.iter().map(|one| jobs::settle(&one.app))).await;
    settled.into_iter().for_each(|settled| settled.unwrap());
}

async fn of_many_workers_one_does_each_job(extra: &[(&str, &str)]) {
    let (done, replicas) = replicas(3, extra).await;
    for number in 0..30 {
        let kind = if number % 2 == 0 { "count" } else { "two" };
        jobs::enqueue(&system(&replicas[number % 3]), NewJob::of(kind)).await.unwrap();
    }
    settle_all(&replicas).await;
    // Where a kind was full, another replica's end of a job is what makes room.
    settle_all(&replicas).await;
    assert_eq!(done.times(), vec![1; 30], "each once");
    for kind in ["count", "two"] {
        assert!(
            all(&replicas[0], kind).await.iter().all(|job| job.state == JobState::Done && job.slot.is_none())
        );
    }
}

async fn of_three_replicas_one_makes_the_job_of_each_tick(extra: &[(&str, &str)]) {
    let (_, replicas) = replicas(3, extra).await;
    let made = async || all(&replicas[0], "key_reminders").await.len();
    settle_all(&replicas).await;
    assert_eq!(made().await, 0, "not before its time");
    for hour in 1..=3 {
        replicas[0].clock.advance(Duration::from_secs(3600));
        settle_all(&replicas).await;
        settle_all(&replicas).await;
        assert_eq!(made().await, hour, "one a tick");
    }
}

async fn a_job_whose_worker_is_gone_is_done_by_another_when_its_lease_ends(extra: &[(&str, &str)]) {
    let (done, replicas) = replicas(2, extra).await;
    let id = jobs::enqueue(&system(&replicas[0]), NewJob::of("hold")).await.unwrap().id;
    let first = replicas[0].app.clone();
    let held = tokio::spawn(async move { jobs::settle(&first).await });
    while done.times().is_empty() {
        tokio::task::yield_now().await;
    }
    jobs::settle(&replicas[1].app).await.unwrap();
    assert_eq!(done.times(), [1], "its lease holds");
    replicas[1].clock.advance(Duration::from_secs(61));
    jobs::settle(&replicas[1].app).await.unwrap();
    assert_eq!(done.times(), [2]);
    // The first worker was only slow: what it says now counts no more.
    done.go.notify_one();
    held.await.unwrap().unwrap();
    let job = jobs::get(&system(&replicas[0]), id.as_str()).await.unwrap();
    assert_eq!((job.state, job.attempts, &job.outcome.unwrap()["attempt"]), (JobState::Done, 2, &json!(2)));
}

async fn a_key_is_taken_while_its_job_is_open(extra: &[(&str, &str)]) {
    let (_, replicas) = replicas(1, extra).await;
    let ctx = system(&replicas[0]);
    let new = || NewJob::of("count").key("the one");
    let first = jobs::enqueue(&ctx, new()).await.unwrap();
    let second = jobs::enqueue(&ctx, new()).await.unwrap();
    assert!(first.fresh && !second.fresh);
    assert_eq!(first.id, second.id);
    jobs::settle(&replicas[0].app).await.unwrap();
    assert!(jobs::enqueue(&ctx, new()).await.unwrap().fresh, "the first has ended");
}

async fn a_job_that_is_under_way_when_its_process_ends_is_given_back(extra: &[(&str, &str)]) {
    let (done, replicas) = replicas(2, extra).await;
    let id = jobs::enqueue(&system(&replicas[0]), NewJob::of("hold")).await.unwrap().id;
    let first = replicas[0].app.clone();
    let held = tokio::spawn(async move { jobs::settle(&first).await });
    while done.times().is_empty() {
        tokio::task::yield_now().await;
    }
    replicas[0].app.leave();
    held.await.unwrap().unwrap();
    let given_back = jobs::get(&system(&replicas[1]), id.as_str()).await.unwrap();
    assert_eq!((given_back.state, given_back.attempts), (JobState::Queued, 0), "the try does not count");
    done.go.notify_one();
    jobs::settle(&replicas[1].app).await.unwrap();
    assert_eq!(jobs::get(&system(&replicas[1]), id.as_str()).await.unwrap().state, JobState::Done);
}

async fn a_job_that_runs_elsewhere_is_called_off_and_leaves_its_place(extra: &[(&str, &str)]) {
    let (_, replicas) = replicas(2, extra).await;
    let ctx = system(&replicas[1]);
    let id = jobs::enqueue(&ctx, NewJob::of("watch")).await.unwrap().id;
    let now = async || jobs::get(&ctx, id.as_str()).await.unwrap();
    let first = replicas[0].app.clone();
    let held = tokio::spawn(async move { jobs::settle(&first).await });
    while now().await.state != JobState::Running {
        tokio::task::yield_now().await;
    }
    let asked = jobs::cancel(&ctx, id.as_str()).await.unwrap();
    assert!(asked.state == JobState::Running && asked.cancelled_at.is_some(), "its worker ends it");
    held.await.unwrap().unwrap();
    let job = now().await;
    assert_eq!((job.state, &job.lease, &job.slot, &job.lane), (JobState::Cancelled, &None, &None, &None));
    assert_eq!(jobs::cancel(&ctx, id.as_str()).await.unwrap().state, JobState::Cancelled, "again: the same");
    assert_eq!(jobs::retry(&ctx, id.as_str()).await.unwrap_err().code(), "not_dead");
}

macro_rules! on_both {
    ($($case:ident in $database:literal),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test] async fn $case() { super::$case(&[]).await; })+
        }
        mod secantus {
            $(#[tokio::test] async fn $case() {
                let uri = engify_testkit::parts::secantus().uri($database);
                super::$case(&[("MONGODB_URI", &uri)]).await;
            })+
        }
    };
}

on_both! {
    of_many_workers_one_does_each_job in "jobs-many",
    of_three_replicas_one_makes_the_job_of_each_tick in "jobs-ticks",
    a_job_whose_worker_is_gone_is_done_by_another_when_its_lease_ends in "jobs-lease",
    a_job_that_is_under_way_when_its_process_ends_is_given_back in "jobs-end",
    a_key_is_taken_while_its_job_is_open in "jobs-key",
    a_job_that_runs_elsewhere_is_called_off_and_leaves_its_place in "jobs-cancel",
}

#[tokio::test]
async fn no_more_of_a_kind_run_at_once_than_may() {
    let (done, replicas) = replicas(3, &[]).await;
    for _ in 0..20 {
        jobs::enqueue(&system(&replicas[0]), NewJob::of("two")).await.unwrap();
    }
    while done.times().len() < 20 {
        settle_all(&replicas).await;
    }
    assert_eq!(done.times(), vec![1; 20]);
    assert!(done.most.load(Ordering::SeqCst) <= 2, "{:?} at once", done.most);
}

#[tokio::test]
async fn what_fails_is_tried_again_later_and_is_a_dead_letter_in_the_end() {
    let (done, replicas) = replicas(1, &[]).await;
    let (test, ctx) = (&replicas[0], system(&replicas[0]));
    done.failing.store(true, Ordering::SeqCst);
    let id = jobs::enqueue(&ctx, NewJob::of("fail")).await.unwrap().id;
    let mut tries = Vec::new();
    for wait in [0, 5, 10, 20, 40] {
        test.clock.advance(Duration::from_secs(wait));
        jobs::settle(&test.app).await.unwrap();
        tries.push(jobs::get(&ctx, id.as_str()).await.unwrap().attempts);
    }
    assert_eq!(tries, [1, 1, 2, 2, 3], "after about 10 s, then after about 30 s");
    let dead = jobs::get(&ctx, id.as_str()).await.unwrap();
    let failure = dead.failure.unwrap();
    assert_eq!((dead.state, failure.code.as_str()), (JobState::Dead, "away"));
    assert_eq!(failure.message, "It is away. Try again.");

    done.failing.store(false, Ordering::SeqCst);
    jobs::retry(&ctx, id.as_str()).await.unwrap();
    jobs::settle(&test.app).await.unwrap();
    let again = jobs::get(&ctx, id.as_str()).await.unwrap();
    assert_eq!((again.state, again.attempts, again.failure), (JobState::Done, 1, None));
    assert_eq!(jobs::retry(&ctx, id.as_str()).await.unwrap_err().code(), "not_dead");
}

#[tokio::test]
async fn what_must_not_be_half_done_is_called_off_only_while_it_waits() {
    let (_, replicas) = replicas(1, &[]).await;
    let (test, ctx) = (&replicas[0], system(&replicas[0]));
    let waiting = jobs::enqueue(&ctx, NewJob::of("whole")).await.unwrap().id;
    assert_eq!(jobs::cancel(&ctx, waiting.as_str()).await.unwrap().state, JobState::Cancelled);
    let id = jobs::enqueue(&ctx, NewJob::of("whole")).await.unwrap().id;
    let app = test.app.clone();
    let held = tokio::spawn(async move { jobs::settle(&app).await });
    while jobs::get(&ctx, id.as_str()).await.unwrap().state != JobState::Running {
        tokio::task::yield_now().await;
    }
    assert_eq!(jobs::cancel(&ctx, id.as_str()).await.unwrap_err().code(), "not_cancellable");
    held.abort();
}

#[tokio::test]
async fn the_urgent_goes_first_and_the_delayed_waits() {
    let (done, replicas) = replicas(1, &[]).await;
    let (test, ctx) = (&replicas[0], system(&replicas[0]));
    let named = |name: &str| NewJob::of("count").payload(json!({ "name": name }));
    jobs::enqueue(&ctx, named("low").priority(Priority::Low)).await.unwrap();
    jobs::enqueue(&ctx, named("later").delay(Duration::from_secs(60)).priority(Priority::High))
        .await
        .unwrap();
    jobs::enqueue(&ctx, named("normal")).await.unwrap();
    jobs::enqueue(&ctx, named("high").priority(Priority::High)).await.unwrap();
    jobs::settle(&test.app).await.unwrap();
    assert_eq!(*done.order.lock().unwrap(), ["high", "normal", "low"]);
    test.clock.advance(Duration::from_secs(60));
    jobs::settle(&test.app).await.unwrap();
    assert_eq!(done.order.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn missed_times_are_made_up_for_once_or_left_out_as_the_schedule_says() {
    let (_, replicas) = replicas(1, &[]).await;
    let (test, ctx) = (&replicas[0], system(&replicas[0]));
    let skip = jobs::Change { catch_up: Some(CatchUp::Skip), ..jobs::Change::default() };
    jobs::change(&ctx, "cleanup", skip).await.unwrap();
    test.clock.advance(Duration::from_secs(5 * 3600 + 120));
    jobs::settle(&test.app).await.unwrap();
    assert_eq!(all(test, "key_reminders").await.len(), 1, "five times were missed");
    assert_eq!(all(test, "cleanup").await.len(), 0);
    // Noon and a bit, half past is ahead.
    test.clock.advance(Duration::from_secs(28 * 60));
    jobs::settle(&test.app).await.unwrap();
    assert_eq!(all(test, "cleanup").await.len(), 1, "its next time was met");
}

#[tokio::test]
async fn every_shipped_job_does_its_work_and_says_so() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    admin.post("/api/v2/ai/execute", &json!({ "prompt": "hi" })).await.with(200);
    engify_app::audit::settle(&system(&test)).await.unwrap();
    test.clock.advance(Duration::from_secs(1));
    let schedules = admin.get("/api/admin/schedules").await.with(200)["data"].clone();
    let names: Vec<&str> =
        schedules.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.len() >= 7, "{names:?}");
    for name in &names {
        jobs::run_now(&system(&test), name).await.unwrap();
    }
    jobs::settle(&test.app).await.unwrap();
    for job in admin.get("/api/admin/jobs").await.with(200)["data"].as_array().unwrap() {
        assert_eq!((&job["state"], &job["failure"]), (&json!("done"), &Value::Null), "{job:#}");
    }
    let digest = test.mail("root@example.com", engify_core::message::MessageKind::Digest).await;
    assert!(digest.content.text.contains("Runs: 1, 0 of them failed"), "{}", digest.content.text);
    let schedules = admin.get("/api/admin/schedules").await.with(200);
    assert_eq!(schedules["data"][0]["lastState"], "done");
}

#[tokio::test]
async fn stars_are_added_up_anew_and_an_empty_home_page_is_filled() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    let slug = admin.get("/api/prompts?limit=1&featured=true").await.with(200)["data"][0]["slug"].clone();
    let path = format!("/api/prompts/{}", slug.as_str().unwrap());
    admin.post(&format!("{path}/rating"), &json!({ "stars": 4 })).await;
    let database = rusqlite::Connection::open(test.folder().join("engify.db")).unwrap();
    database
        .execute("UPDATE prompts SET doc = jsonb_set(doc, '$.ratingSum', 9, '$.ratingCount', 3, '$.featured', json('false'))", [])
        .unwrap();
    jobs::run_now(&system(&test), "library_refresh").await.unwrap();
    jobs::settle(&test.app).await.unwrap();
    let prompt = admin.get(&path).await.with(200);
    assert_eq!(
        (&prompt["rating"], &prompt["ratingCount"], &prompt["featured"]),
        (&json!(4.0), &json!(1), &json!(true)),
        "{prompt:#}"
    );
}

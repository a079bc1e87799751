//! QStash as another way to a worker: it is told of a job by its id and calls us about it, and whichever replica it
//! reaches does that job.
//!
//! The store keeps the job whatever happens: one that was handed over and not called for within [`HEAD_START`], and every
//! one that QStash did not take, is done by the workers here. So QStash being away delays jobs and loses none, and what it
//! delivers twice is claimed once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engify_clients::qstash::{Message, QStash, Verifier};
use engify_core::ids::JobId;
use engify_core::job::{Job, JobState};
use engify_core::settings::Settings;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, Patch};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::EVERYTHING;
use super::lease::as_read;
use super::worker::{Took, take};
use crate::App;

/// Where it calls us, below the address that people reach us at.
const PATH: &str = "/api/webhooks/qstash";
/// How long it has for its call before the workers here take the job.
const HEAD_START: Duration = Duration::from_secs(60);
/// How far its clock and ours may differ.
const TOLERANCE: Duration = Duration::from_secs(5);
/// How long a call waits for the end of its job. The job goes on behind the answer; QStash need not know how long.
const WAIT: Duration = Duration::from_secs(20);
/// How often it tries to reach us, each time after a longer wait.
const RETRIES: u32 = 3;

/// The way through QStash.
pub(super) struct Handover {
    qstash: QStash,
    verifier: Verifier,
    url: String,
    /// Whether the last message was not taken: one line when it breaks, one when it is back.
    away: AtomicBool,
}

/// What QStash sent.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The header `Upstash-Signature`.
    pub signature: &'a str,
    /// The body as it came.
    pub body: &'a [u8],
}

/// What came of a call. In no case is QStash to call again: the store knows what is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// A try of the job has ended, and this is where the job is now.
    Ended(JobState),
    /// The job goes on behind the answer.
    UnderWay,
    /// There is nothing to do: somebody else has the job, it has ended, or its record is gone.
    Nothing,
}

#[derive(Deserialize)]
struct Told {
    job: String,
}

impl Handover {
    /// None where there is no QStash.
    pub(super) fn new(settings: &Settings) -> Result<Option<Self>> {
        let Some(qstash) = &settings.qstash else { return Ok(None) };
        Ok(Some(Self {
            qstash: QStash::new(qstash).map_err(Error::internal)?,
            verifier: Verifier::new(qstash, TOLERANCE),
            url: format!("{}{PATH}", settings.public.app_url),
            away: AtomicBool::new(false),
        }))
    }

    /// Whether this job goes through QStash. Each goes once; what comes back is done here.
    pub(super) fn wants(&self, job: &Job) -> bool {
        job.state == JobState::Queued && job.handed_at.is_none()
    }

    async fn publish(&self, job: &Job) -> bool {
        let message = Message {
            url: self.url.clone(),
            body: json!({ "job": job.id.as_str() }).to_string(),
            content_type: Some("application/json".to_owned()),
            retries: Some(RETRIES),
            // Two messages about one try are one.
            deduplication_id: Some(format!("{}-{}", job.id.as_str().replace(':', "-"), job.attempts)),
            ..Message::default()
        };
        let published = self.qstash.publish(&message).await;
        let was_away = self.away.swap(published.is_err(), Ordering::Relaxed);
        match &published {
            Err(failure) if !was_away => {
                tracing::warn!(
                    qstash.failure = failure.message,
                    "qstash.away: jobs are done by the workers here"
                );
            }
            Ok(_) if was_away => tracing::info!("qstash.back: jobs go through it again"),
            Err(_) | Ok(_) => {}
        }
        published.is_ok()
    }
}

/// Hands a job over. Of several replicas, one does; where QStash does not take it, the workers here do.
pub(super) async fn pass(app: &App, job: Job, place: OwnedSemaphorePermit) -> Result<()> {
    let now = app.clock().now();
    let until = now.plus(HEAD_START);
    let patch = as_read(&job)?.set("handedAt", now)?.set("dueAt", until)?;
    match app.store().write(Batch::new().patch::<Job>(patch)).await {
        Ok(_) => {}
        Err(fault) if fault.code() == "stale" => return Ok(()),
        Err(fault) => return Err(fault),
    }
    let tracker = app.jobs().under_way.clone();
    let app = app.clone();
    tracker.spawn(async move {
        let _place = place;
        let taken = match &app.jobs().handover {
            Some(handover) => handover.publish(&job).await,
            None => false,
        };
        if !taken && let Err(fault) = due_now(&app, &job.id, until).await {
            tracing::warn!(job.id = %job.id, error = %fault, "job.waits: it was not handed over, and is done here within a minute");
        }
    });
    Ok(())
}

async fn due_now(app: &App, id: &JobId, until: engify_core::Time) -> Result<()> {
    let patch = Patch::new(EVERYTHING, id)
        .when("state", JobState::Queued)?
        .when("dueAt", until)?
        .set("dueAt", app.clock().now())?
        .or_skip();
    app.store().write(Batch::new().patch::<Job>(patch)).await.map(drop)
}

/// Takes a call of QStash's: does the job that it names, and waits up to 20 s for the end of that.
///
/// # Errors
/// `not_found` where `QSTASH_TOKEN` is not set; `bad_signature`; `busy` where no further job can begin here now, so that it
/// calls again.
pub async fn by_qstash(app: &App, call: Call<'_>) -> Result<Called> {
    let Some(handover) = &app.jobs().handover else { return Err(Error::not_found("webhook")) };
    handover.verifier.verify(call.signature, call.body, &handover.url, app.clock().now()).map_err(|why| {
        let message = "The signature does not fit. Check QSTASH_CURRENT_SIGNING_KEY, QSTASH_NEXT_SIGNING_KEY and NEXTAUTH_URL.";
        Error::new(Kind::Unauthenticated, "bad_signature", message).because(format!("{why:?}"))
    })?;
    let told: Told =
        serde_json::from_slice(call.body).map_err(|fault| Error::field("job", fault.to_string()))?;
    let id = JobId::parse(&told.job).map_err(|issue| Error::field("job", issue))?;
    let Some(job) = app.store().get::<Job>(&EVERYTHING, id.as_str()).await? else {
        return Ok(Called::Nothing);
    };
    // One that failed waits for its next time, whatever an older message says.
    let waits = job.state == JobState::Queued && (job.handed_at.is_some() || job.due_at <= app.clock().now());
    let Some(kind) = app.jobs().registry.get(&job.kind).filter(|_| waits) else { return Ok(Called::Nothing) };
    let busy = || {
        let message = "As many jobs run here as may. Call again shortly.";
        Error::unavailable("busy", message).retry_after(Duration::from_secs(5))
    };
    if app.is_leaving() {
        return Err(busy());
    }
    let place = Arc::clone(&app.jobs().places).try_acquire_owned().map_err(|_| busy())?;
    match take(app, kind, job, place).await? {
        Took::Full => Err(busy()),
        Took::Nothing => Ok(Called::Nothing),
        Took::Begun(job) => match tokio::time::timeout(WAIT, job).await {
            Ok(ended) => Ok(ended.map_err(Error::internal)?.map_or(Called::Nothing, Called::Ended)),
            Err(_) => Ok(Called::UnderWay),
        },
    }
}

//! The run itself: limits, the call, the record.

use std::time::{Duration, Instant};

use engify_clients::ai::{
    Completion, Event, EventStream, Failure, FailureKind, Finish, Provider, Usage as Counted, models,
};
use engify_core::audit::{Action, Outcome, Target as Audited};
use engify_core::ids::RunId;
use engify_core::permission::Permission;
use engify_core::provider_key::KeySource;
use engify_core::run::{NanoUsd, Run, RunCost, RunStatus, Usage};
use engify_core::tenancy::Visibility;
use engify_core::{Error, Kind, Result};
use engify_store::Batch;
use futures_util::StreamExt;
use serde_json::json;
use tokio::sync::mpsc;

use super::ask::{Plan, Target};
use super::{Answer, Ask, Cost, allowance, dry_run, tokens};
use crate::limits::Standing;
use crate::recorder::{Place, Record};
use crate::{App, Ctx, ending};

/// How long a run may take in all.
const DEADLINE: Duration = Duration::from_secs(300);
/// How long a provider may be silent between two chunks.
const IDLE: Duration = Duration::from_secs(60);
/// How many pieces of a stream may wait for a slow reader.
const PIECES: usize = 64;

/// A run under way: everything that its record will need.
struct Running {
    ctx: Ctx,
    plan: Plan,
    run: Run,
    place: Place,
    began: Instant,
    first_word: Option<Duration>,
}

/// Runs a prompt and waits for the whole answer.
///
/// # Errors
/// `unauthenticated`, `forbidden`; `invalid_request`, `invalid_variables`, `not_found`, `provider_not_configured`;
/// `rate_limited`; `replay_detected`; the provider's `bad_key`, `rate_limited`, `refused`, `too_long`, `timeout`,
/// `upstream`; `database_unavailable`.
pub async fn execute(ctx: &Ctx, ask: Ask) -> Result<(Answer, Option<Standing>)> {
    let (running, standing) = begin(ctx, ask).await?;
    let answer = match &running.plan.target {
        Target::Nobody(model) => {
            let model = model.clone();
            running.rehearse(model.as_deref()).await
        }
        Target::Provider(choice) => {
            let caller = &ctx.app().providers().caller;
            let call = caller.complete(&choice.endpoint, &running.plan.request, DEADLINE, IDLE);
            match ctx.app().last_called().run_until_cancelled(call).await {
                Some(Ok(completion)) => running.complete(completion).await,
                Some(Err(failure)) => return Err(running.fail(failure).await),
                None => return Err(running.interrupt(String::new()).await),
            }
        }
    };
    Ok((answer, standing))
}

/// One thing that happens on a stream.
#[derive(Debug)]
pub enum Frame {
    /// More words.
    Delta(String),
    /// The end, with the whole answer.
    Done(Box<Answer>),
    /// It broke; what came is kept in the history.
    Failed(Error),
}

/// A stream of [`Frame`]s. Dropping it tells the provider to stop.
pub type Frames = tokio_stream::wrappers::ReceiverStream<Frame>;

/// Runs a prompt and hands on its words as they come.
///
/// # Errors
/// As [`execute`], for what goes wrong before the first word; afterwards it is a [`Frame::Failed`].
pub async fn stream(ctx: &Ctx, ask: Ask) -> Result<(Frames, Option<Standing>)> {
    let (running, standing) = begin(ctx, ask).await?;
    let (pieces, frames) = mpsc::channel(PIECES);
    let providers = ctx.app().providers();
    let target = match &running.plan.target {
        Target::Nobody(model) => Err(model.clone()),
        Target::Provider(choice) => Ok(std::sync::Arc::clone(&choice.endpoint)),
    };
    match target {
        Err(model) => {
            providers.running.spawn(running.rehearse_aloud(model, pieces));
        }
        Ok(endpoint) => {
            let events = providers.caller.stream(&endpoint, &running.plan.request, DEADLINE, IDLE).await;
            match events {
                Ok(events) => drop(providers.running.spawn(running.follow(events, pieces))),
                Err(failure) => return Err(running.fail(failure).await),
            }
        }
    }
    Ok((Frames::new(frames), standing))
}

/// Everything before the call: permission, checks, limits, a place for the record, the guard against replays.
async fn begin(ctx: &Ctx, ask: Ask) -> Result<(Running, Option<Standing>)> {
    ctx.require_for(Permission::WorkbenchRun, Action::PromptExecuted, Audited::new("run", "new")).await?;
    let began = Instant::now();
    let plan = ask.plan(ctx).await?;
    let standing = allowance::take(ctx, plan.target.provider() == Provider::DryRun).await?;
    let place = ctx.app().recorder().place().await?;
    let run = started(ctx, &plan);
    if plan.run_id.is_some() {
        // The caller's own id is written before anything is spent: of two with the same id, one runs.
        ctx.app().store().write(Batch::new().insert(&run)?).await.map_err(|fault| {
            if fault.code() != "duplicate" {
                return fault;
            }
            let message = format!("The run {} was made before. Use a new runId to run again.", run.run_id);
            Error::new(Kind::Conflict, "replay_detected", message).detail("runId", "was used before")
        })?;
    }
    Ok((Running { ctx: ctx.clone(), plan, run, place, began, first_word: None }, standing))
}

fn started(ctx: &Ctx, plan: &Plan) -> Run {
    let id = RunId::make(ctx.app().ids());
    Run {
        run_id: plan.run_id.clone().unwrap_or_else(|| id.to_string()),
        id,
        tenancy: ctx.tenancy(Visibility::Private),
        key_id: ctx.identity().and_then(|identity| identity.key.as_ref()).map(|key| key.id.clone()),
        prompt_id: plan.from.as_ref().map(|prompt| prompt.id.clone()),
        prompt_slug: plan.from.as_ref().map(|prompt| prompt.slug.to_string()),
        prompt_version: plan.from.as_ref().map(|prompt| prompt.version),
        provider: plan.target.provider().name().to_owned(),
        model: plan.request.model.clone(),
        key_source: plan.target.key_source(),
        status: RunStatus::Running,
        failure: None,
        system_prompt: plan.request.system.clone(),
        prompt: plan.prompt.clone(),
        response: String::new(),
        usage: Usage::default(),
        cost: None,
        latency_ms: 0.0,
        first_token_ms: None,
        temperature: plan.request.temperature,
        max_tokens: plan.request.max_tokens,
        created_at: ctx.now(),
    }
}

impl Running {
    async fn complete(self, completion: Completion) -> Answer {
        let Completion { text, usage, model, finish } = completion;
        self.end(text, usage, model, finish).await
    }

    /// Hands on a provider's stream until it ends, breaks, or nobody listens any more.
    async fn follow(mut self, mut events: EventStream, pieces: mpsc::Sender<Frame>) {
        let mut text = String::new();
        let last_call = self.ctx.app().last_called();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = pieces.closed() => None,
                () = last_call.cancelled() => {
                    let told = self.interrupt(text).await;
                    let _ = pieces.send(Frame::Failed(told)).await;
                    return;
                }
            };
            match event {
                Some(Ok(Event::Delta(more))) => {
                    self.first_word.get_or_insert_with(|| self.began.elapsed());
                    text.push_str(&more);
                    if pieces.send(Frame::Delta(more)).await.is_err() {
                        return self.cancel(text).await;
                    }
                }
                Some(Ok(Event::End { usage, model, finish })) => {
                    let answer = self.end(text, usage, model, finish).await;
                    // The reader may have left with the last word; the run is recorded all the same.
                    let _ = pieces.send(Frame::Done(Box::new(answer))).await;
                    return;
                }
                Some(Err(failure)) => {
                    let failure = self.break_off(text, failure).await;
                    let _ = pieces.send(Frame::Failed(failure)).await;
                    return;
                }
                None => return self.cancel(text).await,
            }
        }
    }

    async fn rehearse(mut self, model: Option<&str>) -> Answer {
        let rehearsal = dry_run::rehearse(&self.plan, model).await;
        self.run.status = RunStatus::Completed;
        self.run.response = rehearsal.text;
        self.run.usage = Usage {
            prompt_tokens: rehearsal.tokens,
            completion_tokens: 0,
            total_tokens: rehearsal.tokens,
            estimated: true,
        };
        self.run.cost = Some(RunCost { prompt_nanos: NanoUsd(0), completion_nanos: NanoUsd(0) });
        let mut answer = self.answer(Finish::Stop);
        answer.cost = rehearsal.cost;
        self.record().await;
        answer
    }

    async fn rehearse_aloud(self, model: Option<String>, pieces: mpsc::Sender<Frame>) {
        let answer = self.rehearse(model.as_deref()).await;
        for piece in answer.response.split_inclusive('\n') {
            if pieces.send(Frame::Delta(piece.to_owned())).await.is_err() {
                return;
            }
        }
        let _ = pieces.send(Frame::Done(Box::new(answer))).await;
    }

    /// The whole answer is there.
    async fn end(
        mut self,
        text: String,
        usage: Option<Counted>,
        model: Option<String>,
        finish: Finish,
    ) -> Answer {
        self.settle(text, usage).await;
        self.run.status = RunStatus::Completed;
        if let Some(model) = model {
            self.run.model = model;
        }
        self.ctx.app().vitals().provider_answered(self.plan.target.provider().name(), self.ctx.now());
        let answer = self.answer(finish);
        self.record().await;
        answer
    }

    /// The stream broke after some words.
    async fn break_off(self, text: String, failure: Failure) -> Error {
        note_failure(&self.ctx, &self.plan.target, &failure);
        let error = named(&failure);
        let kept = self.keep_part(text, failure.kind.word()).await;
        Error::new(error.kind(), error.code(), format!("{} {kept}", failure.message))
    }

    /// This process ends before the answer does.
    async fn interrupt(self, text: String) -> Error {
        ending::broken_off(&self.keep_part(text, ending::CODE).await)
    }

    /// Records what came and why no more did; says so in a sentence.
    async fn keep_part(mut self, text: String, failure: &str) -> String {
        let kept = text.chars().count();
        self.settle(text, None).await;
        self.run.status = if kept == 0 { RunStatus::Failed } else { RunStatus::Partial };
        self.run.failure = Some(failure.to_owned());
        self.record().await;
        format!("What came before, {kept} characters, is kept in the history.")
    }

    /// Nobody listens any more; the provider was told to stop when its stream was dropped.
    async fn cancel(mut self, text: String) {
        self.settle(text, None).await;
        self.run.status = RunStatus::Cancelled;
        self.record().await;
    }

    /// Nothing came.
    async fn fail(mut self, failure: Failure) -> Error {
        self.run.status = RunStatus::Failed;
        self.run.failure = Some(failure.kind.word().to_owned());
        note_failure(&self.ctx, &self.plan.target, &failure);
        self.record().await;
        named(&failure)
    }

    /// Tokens and cost of what came: the provider's own numbers, else counted.
    async fn settle(&mut self, text: String, usage: Option<Counted>) {
        let provider = self.plan.target.provider();
        let (usage, estimated) = match usage {
            Some(usage) => (usage, false),
            None => {
                let system = self.plan.request.system.as_deref().unwrap_or_default();
                let prompt_tokens =
                    tokens::count(provider, &self.plan.prompt).await + tokens::count(provider, system).await;
                let completion_tokens = tokens::count(provider, &text).await;
                (Counted { prompt_tokens, completion_tokens, ..Default::default() }, true)
            }
        };
        self.run.response = text;
        self.run.usage = Usage {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens + usage.completion_tokens,
            estimated,
        };
        let cost =
            models::find(provider, &self.plan.request.model).map(|model| models::cost_nanos(model, usage));
        self.run.cost = cost.map(|cost| RunCost {
            prompt_nanos: NanoUsd(cost.prompt),
            completion_nanos: NanoUsd(cost.completion),
        });
    }

    fn answer(&mut self, finish: Finish) -> Answer {
        let run = &mut self.run;
        run.latency_ms = millis(self.began.elapsed());
        run.first_token_ms = self.first_word.map(millis);
        Answer {
            success: true,
            response: run.response.clone(),
            usage: run.usage,
            cost: run.cost.map(|cost| Cost {
                prompt: cost.prompt_nanos.usd(),
                completion: cost.completion_nanos.usd(),
                total: NanoUsd(cost.prompt_nanos.0 + cost.completion_nanos.0).usd(),
            }),
            latency: run.latency_ms,
            first_token_latency: run.first_token_ms,
            provider: run.provider.clone(),
            model: run.model.clone(),
            run_id: run.run_id.clone(),
            id: run.id.to_string(),
            finish: finish.word().to_owned(),
            key_source: run.key_source,
            dry_run: run.provider == Provider::DryRun.name(),
        }
    }

    /// Hands the record to the writer: run, audit, counters, figures.
    async fn record(self) {
        let Self { ctx, mut run, place, began, .. } = self;
        run.latency_ms = millis(began.elapsed());
        let app: &App = ctx.app();
        let outcome = if run.status == RunStatus::Failed { Outcome::Failed } else { Outcome::Success };
        let details = json!({ "provider": run.provider, "model": run.model, "tokens": run.usage.total_tokens, "status": run.status });
        let audit = ctx.audit(Action::PromptExecuted, outcome, Audited::new("run", &run.id), details);
        allowance::spend(&ctx, &run).await;
        if let Some(prompt) = &run.prompt_id {
            app.recorder().count(Record::Used(prompt.clone()));
        }
        let labels = [("provider", run.provider.clone()), ("status", run.status.as_str().to_owned())];
        metrics::counter!("engify_ai_runs_total", &labels).increment(1);
        metrics::histogram!("engify_ai_run_seconds", "provider" => run.provider.clone())
            .record(run.latency_ms / 1000.0);
        metrics::counter!("engify_ai_tokens_total", "provider" => run.provider.clone())
            .increment(run.usage.total_tokens);
        drop(place.send(Record::Run(Box::new(run), Box::new(audit))));
    }
}

fn note_failure(ctx: &Ctx, target: &Target, failure: &Failure) {
    let (provider, word) = (target.provider(), failure.kind.word());
    tracing::warn!(
        ai.provider = provider.name(),
        ai.failure = word,
        http.status = failure.status,
        "ai.failed"
    );
    metrics::counter!("engify_ai_failures_total", "provider" => provider.name(), "failure" => word)
        .increment(1);
    // What one caller's prompt or key provokes says nothing of the provider.
    let brought = target.key_source() != Some(KeySource::Installation);
    let is_theirs = match failure.kind {
        FailureKind::Refused | FailureKind::TooLong => true,
        FailureKind::BadKey | FailureKind::RateLimited => brought,
        _ => false,
    };
    if !is_theirs {
        ctx.app().vitals().provider_failed(provider.name(), ctx.now(), word);
    }
}

/// A provider's failure in our words; the code is the failure's own.
fn named(failure: &Failure) -> Error {
    let kind = match failure.kind {
        FailureKind::BadKey | FailureKind::Upstream => Kind::Upstream,
        FailureKind::RateLimited => Kind::RateLimited,
        FailureKind::Refused => Kind::Invalid,
        FailureKind::TooLong => Kind::TooLarge,
        FailureKind::Timeout => Kind::Timeout,
    };
    let error = Error::new(kind, failure.kind.word(), failure.message.clone());
    match failure.retry_after {
        Some(wait) => error.retry_after(wait),
        None => error,
    }
}

/// Nano-dollars as dollars.
pub(super) fn usd(cost: models::Cost) -> Cost {
    Cost {
        prompt: NanoUsd(cost.prompt).usd(),
        completion: NanoUsd(cost.completion).usd(),
        total: NanoUsd(cost.total).usd(),
    }
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

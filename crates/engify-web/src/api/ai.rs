//! Running prompts, and the history of runs.

use std::collections::BTreeMap;

use axum::extract::Path;
use engify_app::ai::{self, Answer, Ask, ProviderInfo};
use engify_app::history::{self, Filter};
use engify_core::permission::Permission;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limit;
use crate::extract::{Caller, Json, Query};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply, json, write_standing};
use crate::route::Route;
use crate::sse;
use crate::views::RunView;

pub(super) fn routes() -> Vec<Route> {
    const RUN: Policy = Policy::needs(Permission::WorkbenchRun).deadline(320);
    const READ: Policy = Policy::needs(Permission::RunsRead);
    const FAILURES: &[StatusCode] = &[
        StatusCode::NOT_FOUND,
        StatusCode::CONFLICT,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    vec![
        Route::get("/api/v2/ai/execute", Policy::PUBLIC, available)
            .named("AI", "Which providers and models can be used")
            .gives::<Available>(StatusCode::OK, "what is configured"),
        Route::post("/api/v2/ai/execute", RUN, execute)
            .named("AI", "Run a prompt; with stream:true as server-sent events delta, done, error")
            .takes::<AskBody>()
            .gives::<Answer>(StatusCode::OK, "the answer")
            .streams()
            .refuses(FAILURES),
        Route::get("/api/v2/ai/runs", READ, runs)
            .named("AI", "The history of runs, newest first")
            .query::<RunsQuery>()
            .gives::<List<RunView>>(StatusCode::OK, "runs")
            .refuses(&[StatusCode::NOT_FOUND]),
        Route::get("/api/v2/ai/runs/{id}", READ, run)
            .named("AI", "One run")
            .gives::<RunView>(StatusCode::OK, "the run"),
        Route::patch("/api/v2/ai/runs/{id}", READ, share)
            .named("AI", "Share a run inside the organization, or take it back")
            .takes::<ShareBody>()
            .gives::<Done<ShareBody>>(StatusCode::OK, "done"),
    ]
}

/// What can be used.
#[derive(Serialize, JsonSchema)]
struct Available {
    /// Those that are configured for this caller, the dry run last.
    providers: Vec<ProviderInfo>,
    /// `provider/model` by price of a million tokens out: `economical` below $1, `balanced` below $10, `premium`.
    categories: BTreeMap<&'static str, Vec<String>>,
}

async fn available(caller: Caller) -> Reply {
    let mut providers = ai::providers(&caller.0).await?;
    providers.retain(|provider| provider.configured);
    let mut categories: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for provider in &providers {
        for model in &provider.models {
            let category = match model.output_per_million {
                price if price < 1.0 => "economical",
                price if price < 10.0 => "balanced",
                _ => "premium",
            };
            categories.entry(category).or_default().push(format!("{}/{}", provider.id, model.id));
        }
    }
    Ok(json(StatusCode::OK, &Available { providers, categories }))
}

/// A run: either `prompt`, or `promptSlug` with `variables`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AskBody {
    /// The prompt itself, at most 1 000 000 characters.
    prompt: Option<String>,
    /// A prompt of the library.
    prompt_slug: Option<String>,
    /// What fills its blanks.
    #[serde(default)]
    variables: BTreeMap<String, Value>,
    /// `openai`, `anthropic` (`claude`), `google` (`gemini`), `groq`, `replicate`, `ollama`, `dry-run`.
    provider: Option<String>,
    /// As the provider names it.
    model: Option<String>,
    /// Instructions above the prompt.
    system_prompt: Option<String>,
    /// 0 to 2.
    #[schemars(range(min = 0.0, max = 2.0))]
    temperature: Option<f64>,
    /// 1 to 1 000 000.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_tokens: Option<u32>,
    /// The caller's own id for this run; a second run with it is refused.
    run_id: Option<String>,
    /// Words as they come.
    #[serde(default)]
    stream: bool,
}

/// A variable's value: text, or a number that is written as one.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(serde_json::Number),
}

async fn execute(caller: Caller, Json(body): Json<AskBody>) -> Reply {
    let text = |value| match value {
        Value::Text(text) => text,
        Value::Number(number) => number.to_string(),
    };
    let ask = Ask {
        prompt: body.prompt,
        prompt_slug: body.prompt_slug,
        variables: body.variables.into_iter().map(|(name, value)| (name, text(value))).collect(),
        provider: body.provider,
        model: body.model,
        system_prompt: body.system_prompt,
        temperature: body.temperature,
        max_tokens: body.max_tokens,
        run_id: body.run_id,
    };
    let (mut response, standing) = if body.stream {
        let (frames, standing) = ai::stream(&caller.0, ask).await?;
        (sse::reply(frames, caller.0.origin.request_id.clone()), standing)
    } else {
        let (answer, standing) = ai::execute(&caller.0, ask).await?;
        (json(StatusCode::OK, &answer), standing)
    };
    if let Some(standing) = standing {
        write_standing(response.headers_mut(), &standing);
    }
    Ok(response)
}

/// Which runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RunsQuery {
    /// Of the prompt with this slug.
    prompt: Option<String>,
    /// On this provider.
    provider: Option<String>,
    /// On this model.
    model: Option<String>,
    /// `completed`, `partial`, `cancelled`, `failed`, `running`.
    status: Option<String>,
    /// The organization's instead of the caller's own.
    #[serde(default)]
    organization: bool,
    /// 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn runs(caller: Caller, Query(query): Query<RunsQuery>) -> Reply {
    let filter = Filter {
        prompt: query.prompt,
        provider: query.provider,
        model: query.model,
        status: query.status,
        organization: query.organization,
    };
    let page = history::list(&caller.0, &filter, limit(query.limit)?, query.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.into_iter().map(RunView::from).collect(), next).reply())
}

async fn run(caller: Caller, Path(id): Path<String>) -> Reply {
    Ok(json(StatusCode::OK, &RunView::from(history::get(&caller.0, &id).await?)))
}

/// Whether a run is shared.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShareBody {
    /// Inside the organization.
    shared: bool,
}

async fn share(caller: Caller, Path(id): Path<String>, Json(body): Json<ShareBody>) -> Reply {
    history::share(&caller.0, &id, body.shared).await?;
    Ok(Done::reply(StatusCode::OK, body))
}

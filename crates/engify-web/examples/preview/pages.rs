//! Which page stands at which path of the preview.

use std::time::Duration;

use engify_app::identities::SignInProvider;
use engify_core::Time;
use engify_core::error::Detail;
use engify_core::permission::Permission;
use engify_core::provider_key::KeySource;
use engify_web::pages::audit::{AuditFilters, AuditView};
use engify_web::pages::identities::IdentityRow;
use engify_web::pages::opshub::{Need, OverviewView, Tile};
use engify_web::pages::patterns::PatternsView;
use engify_web::pages::providers::{ProviderRow, ProvidersView};
use engify_web::pages::security::{SecurityView, SessionRow};
use engify_web::pages::settings::ProfileView;
use engify_web::pages::status::{Health, ServiceRow, StatusView};
use engify_web::pages::users::UsersView;
use engify_web::pages::workbench::{Answer, WorkbenchView};
use engify_web::pages::{self, RunRow, account, errors, history, home, keys};
use engify_web::ui::{Frame, Tone};
use maud::Markup;

use crate::library::{cards, form, library, one_pattern, pattern, prompt};
use crate::samples::{ANSWER, Samples, series};

pub(crate) fn page(at: &Frame<'_>, samples: &Samples, has: &dyn Fn(&str) -> bool) -> Markup {
    let faulty = if has("faulty") { faults() } else { Vec::new() };
    let person = account::AccountView {
        name: "Ana".into(),
        email: "ana@exa".into(),
        faults: faulty.clone(),
        problem: has("faulty").then(|| "The email or the password is not right.".into()),
        next: None,
        sign_in_providers: sign_in_providers(),
    };
    match at.path {
        "/" => home::page(
            at,
            &home::HomeView {
                prompts: 128,
                patterns: 26,
                providers_ready: 3,
                trouble: None,
                featured: cards(samples, 12),
            },
        ),
        "/prompts" => library(at, samples, has),
        "/prompts/new" => form(at, samples, faulty, has),
        "/patterns" => pages::patterns::list(
            at,
            &PatternsView { patterns: samples.patterns.iter().map(pattern).collect() },
        ),
        "/workbench" => workbench(at, samples, has),
        "/dashboard" => dashboard(at, samples, has),
        "/history" => runs(at, samples, has),
        "/settings/profile" => pages::settings::profile(
            at,
            &ProfileView {
                name: "Ana Núñez".into(),
                email: "ana@example.com".into(),
                role: "super_admin".into(),
                password_faults: faulty,
                ..ProfileView::default()
            },
        ),
        "/settings/security" => pages::security::page(
            at,
            &SecurityView {
                passkeys_possible: true,
                sessions: (0..3).map(|n| session(samples.now, n)).collect(),
                identities: vec![identity(samples.now)],
                sign_in_providers: sign_in_providers(),
                ..SecurityView::default()
            },
        ),
        "/settings/keys" => keys::page(at, &keys_view(samples, faulty, has)),
        "/settings/providers" => providers(at, samples, has),
        "/login" => account::login(at, &person),
        "/signup" => account::signup(at, &person),
        "/setup" => account::setup(at, &person, "token"),
        "/forgot-password" => pages::recovery::forgot(at, &person, has("mailed")),
        "/opshub" => overview(at, has),
        "/opshub/audit" => pages::audit::page(
            at,
            &AuditView {
                entries: samples
                    .audit
                    .iter()
                    .map(|entry| (entry, entry.user_id.as_ref().map(|_| "Ana Núñez".to_owned())))
                    .collect(),
                filters: AuditFilters::default(),
                cursor: None,
                next: Some("n".into()),
                head: None,
                broken: None,
                may_verify: true,
            },
        ),
        "/opshub/users" => {
            let view = UsersView {
                users: &samples.users,
                total: Some(6),
                text: String::new(),
                role: String::new(),
                cursor: None,
                next: None,
            };
            pages::users::list(at, &view)
        }
        "/status" => pages::status::page(
            at,
            &StatusView { services: services(), checked_at: samples.now, version: "0.1.0".into() },
        ),
        "/api-docs" => pages::api_docs::page(at, &openapi(), "http://localhost:3005"),
        "/500" => error(at, 500, "Something broke on our side. The request id leads to the log line."),
        "/403" => error(
            at,
            403,
            "Only administrators see the operations pages. Ask one if you need a figure from here.",
        ),
        "/429" => error(at, 429, "Too many requests from this address."),
        path => match (
            path.strip_prefix("/prompts/"),
            path.strip_prefix("/patterns/"),
            path.strip_prefix("/history/"),
        ) {
            (Some(slug), ..) if samples.prompts.iter().any(|prompt| prompt.slug.as_str() == slug) => {
                prompt(at, samples, slug, has)
            }
            (_, Some(slug), _) if samples.patterns.iter().any(|pattern| pattern.0 == slug) => {
                one_pattern(at, samples, slug)
            }
            (_, _, Some(id)) if samples.runs.iter().any(|run| run.id.as_str() == id) => {
                one_run(at, samples, id)
            }
            _ => error(
                at,
                404,
                "There is no such page, or you may not see it. Perhaps the library has what you look for.",
            ),
        },
    }
}

fn faults() -> Vec<Detail> {
    let fault = |field: &str, issue: &str| Detail { field: field.into(), issue: issue.into() };
    vec![
        fault("email", "is not a mail address such as ana@example.com"),
        fault("title", "takes 4 to 120 characters, this has 2"),
        fault("password", "is easy to guess; add one or two words"),
        fault("variables.0.default", "is not one of the options"),
        fault("name", "takes 1 to 100 characters, this has 0"),
    ]
}

pub(crate) fn rows(samples: &Samples, count: usize) -> Vec<RunRow<'_>> {
    let title = |slug: &Option<String>| {
        samples
            .prompts
            .iter()
            .find(|prompt| Some(prompt.slug.as_str()) == slug.as_deref())
            .map(|prompt| prompt.draft.title.clone())
    };
    samples.runs.iter().take(count).map(|run| RunRow { run, title: title(&run.prompt_slug) }).collect()
}

fn workbench(at: &Frame<'_>, samples: &Samples, has: &dyn Fn(&str) -> bool) -> Markup {
    let chosen: Vec<String> = samples.models.iter().take(3).map(pages::ModelChoice::value).collect();
    let answers = if has("answered") {
        vec![
            Answer { model: chosen[0].clone(), run: Some(&samples.runs[0]), problem: None },
            Answer { model: chosen[1].clone(), run: Some(&samples.runs[1]), problem: None },
            Answer {
                model: chosen[2].clone(),
                run: Some(&samples.runs[3]),
                problem: Some("OpenAI asked us to slow down. Try again in 18 s.".into()),
            },
        ]
    } else {
        Vec::new()
    };
    pages::workbench::page(
        at,
        &WorkbenchView {
            prompt:
                "Explain to a product manager in five sentences why our write path needs an idempotency key."
                    .into(),
            models: samples.models.clone(),
            chosen,
            answers,
            ..WorkbenchView::default()
        },
    )
}

fn runs(at: &Frame<'_>, samples: &Samples, has: &dyn Fn(&str) -> bool) -> Markup {
    history::list(
        at,
        &history::HistoryView {
            rows: if has("empty") { Vec::new() } else { rows(samples, 14) },
            matching: Some(214),
            filters: history::HistoryFilters::default(),
            providers: vec!["anthropic".into(), "openai".into()],
            cost: series("Cost a day", "$", None),
            cost_sum: "$4.12".into(),
            cursor: None,
            next: Some("c".into()),
        },
    )
}

fn one_run(at: &Frame<'_>, samples: &Samples, id: &str) -> Markup {
    let Some(run) = samples.runs.iter().find(|run| run.id.as_str() == id) else { return Markup::default() };
    history::page(
        at,
        &history::RunView {
            run,
            title: Some(samples.prompts[0].draft.title.clone()),
            owner: None,
            may_share: true,
            problem: run
                .failure
                .as_ref()
                .map(|_| "Groq asked us to slow down (429). The limit resets in 18 s.".into()),
        },
    )
}

fn dashboard(at: &Frame<'_>, samples: &Samples, has: &dyn Fn(&str) -> bool) -> Markup {
    let full = !has("empty");
    pages::dashboard::page(
        at,
        &pages::dashboard::DashboardView {
            runs: 214,
            cost: "$4.12".into(),
            tokens: 283_114,
            keys: 3,
            runs_by_day: series("Runs a day", "runs", None),
            cost_by_day: series("Cost a day", "$", None),
            tokens_by_day: series("Tokens", "tokens", None),
            recent: if full { rows(samples, 6) } else { Vec::new() },
            favorites: if full { cards(samples, 5) } else { Vec::new() },
            written: Vec::new(),
        },
    )
}

fn session(now: Time, at: u64) -> SessionRow {
    let past = |hours| now.minus(Duration::from_secs(hours * 3600));
    SessionRow {
        id: at.to_string(),
        agent: ["Firefox on Linux", "Chrome on macOS", "Safari on iPhone"][at as usize].into(),
        address: "10.0.4.17".into(),
        place: Some("DE".into()),
        created_at: past(at * 40 + 2),
        last_seen_at: past(at * 9),
        current: at == 0,
    }
}

fn identity(now: Time) -> IdentityRow {
    IdentityRow {
        id: "1".into(),
        provider: "GitHub".into(),
        email: "ana@example.com".into(),
        created_at: now.minus(Duration::from_secs(40 * 86_400)),
        last_used_at: now.minus(Duration::from_secs(7_200)),
    }
}

fn sign_in_providers() -> Vec<SignInProvider> {
    [("github", "GitHub"), ("oidc", "Acme")]
        .map(|(id, label)| SignInProvider { id, label: label.into() })
        .into()
}

fn keys_view<'a>(
    samples: &'a Samples,
    faults: Vec<Detail>,
    has: &dyn Fn(&str) -> bool,
) -> keys::KeysView<'a> {
    let fresh = has("fresh").then(|| keys::FreshKey {
        name: "CI review bot".into(),
        key: "egf_7Kd02mQpXq81LmZa0b9Xc4rT1yHn5VwUe3Gs6JkPf2tDoC".into(),
    });
    keys::KeysView {
        keys: if has("empty") { &[] } else { &samples.keys },
        fresh,
        url: "http://localhost:3005".into(),
        scopes: vec![
            Permission::PromptsRead,
            Permission::PromptsWrite,
            Permission::WorkbenchRun,
            Permission::RunsRead,
        ],
        ticked: vec![Permission::PromptsRead, Permission::WorkbenchRun],
        days: "90".into(),
        faults,
        grace: Duration::from_secs(86_400),
        ..keys::KeysView::default()
    }
}

fn providers(at: &Frame<'_>, samples: &Samples, has: &dyn Fn(&str) -> bool) -> Markup {
    let mut rows: Vec<ProviderRow> = Vec::new();
    for model in &samples.models {
        if !rows.iter().any(|row| row.id == model.provider) {
            let hosted = model.provider != "dry-run";
            rows.push(ProviderRow {
                id: model.provider.clone(),
                label: model.provider_label.clone(),
                source: (hosted && model.ready && !has("none")).then_some(KeySource::Installation),
                setting: format!("{}_API_KEY", model.provider.to_uppercase()),
                key_format: hosted.then(|| "sk-…".into()),
                key_page: Some("https://platform.example.com/keys".into()),
                own: None,
                organization: None,
                models: Vec::new(),
            });
        }
        if let Some(row) = rows.iter_mut().find(|row| row.id == model.provider && row.id != "dry-run") {
            row.models.push((model.clone(), Some(200_000)));
        }
    }
    let view = ProvidersView {
        providers: rows,
        prices_as_of: "2026-11-05".into(),
        may_configure: true,
        ..ProvidersView::default()
    };
    pages::providers::page(at, &view)
}

fn services() -> Vec<ServiceRow> {
    let row =
        |name: &str, state, detail: &str| ServiceRow { name: name.into(), state, detail: detail.into() };
    vec![
        row("Database", Health::Up, "embedded, 0.2 ms"),
        row("AI providers", Health::Up, "Anthropic, OpenAI and Groq have keys"),
        row("Mail", Health::Unused, "SENDGRID_API_KEY is not set"),
        row("Redis", Health::Degraded, "did not answer within 1 s; memory stands in"),
    ]
}

fn overview(at: &Frame<'_>, has: &dyn Fn(&str) -> bool) -> Markup {
    let tile = |name: &str, value: &str, unit: &str, limit| Tile {
        name: name.into(),
        value: value.into(),
        unit: unit.into(),
        series: series(name, unit, limit),
        over: false,
    };
    let tiles = vec![
        tile("Requests", "412", "per s", None),
        tile("Errors", "0.03", "%", Some((12.0, "alert at 1 %"))),
        tile("Response p95", "18", "ms", Some((11.0, "alert at 2 s"))),
        tile("AI spend today", "$14.80", "of $40", None),
    ];
    let needs = if has("well") {
        Vec::new()
    } else {
        vec![Need {
            tone: Tone::Warn,
            title: "The Groq key hits its limit".into(),
            text: "41 of 412 calls in the last hour were answered 429. Runs fell back to OpenAI.".into(),
            link: Some(("See the runs".into(), "/history?provider=groq".into())),
        }]
    };
    pages::opshub::overview(
        at,
        &OverviewView {
            services: services(),
            uptime: Duration::from_secs(1_051_000),
            version: "0.1.0".into(),
            window: "hour".into(),
            tiles,
            counts: vec![
                ("Users".into(), 12),
                ("Prompts".into(), 128),
                ("Runs".into(), 20_411),
                ("Live keys".into(), 7),
            ],
            needs,
            proven_at: Some(at.now.minus(Duration::from_secs(7200))),
        },
    )
}

fn error(at: &Frame<'_>, status: u16, message: &str) -> Markup {
    errors::page(
        at,
        &errors::ErrorView {
            status,
            message,
            request_id: "01J9ZK3M5Q8XV7R2T4WY6B0CDE",
            retry_after: Some(Duration::from_secs(18)),
        },
    )
}

fn openapi() -> serde_json::Value {
    serde_json::json!({
        "info": { "version": "0.1.0", "description": "JSON, camelCase. Failures carry a `requestId` that leads to the log line." },
        "security": [{ "bearer": [] }],
        "components": { "schemas": {
            "Execute": { "type": "object", "required": ["provider", "model"], "properties": {
                "prompt": { "type": "string", "description": "The text itself; or promptSlug with variables." },
                "provider": { "type": "string", "enum": ["openai", "anthropic", "dry-run"], "description": "Who answers." },
                "model": { "type": "string", "example": "gpt-4o-mini", "description": "As the provider names it." },
                "temperature": { "type": ["number", "null"], "description": "0 to 2." } } },
            "Answer": { "type": "object", "required": ["response"], "properties": { "response": { "type": "string", "description": ANSWER.split('.').next() }, "usage": { "type": "object", "properties": { "promptTokens": { "type": "integer", "description": "Tokens in." } } } } } } },
        "paths": {
            "/api/prompts": { "get": { "tags": ["library"], "security": [], "summary": "Finds prompts", "parameters": [{ "name": "q", "in": "query", "schema": { "type": "string" }, "description": "Words to search." }, { "name": "limit", "in": "query", "schema": { "type": "integer" }, "description": "1 to 100." }], "responses": { "200": { "description": "One page of prompts." } } } },
            "/api/v2/ai/execute": { "post": { "tags": ["ai"], "summary": "Runs a prompt", "description": "With `stream: true` the answer comes as server-sent events.", "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Execute" } } } }, "responses": { "200": { "description": "The answer.", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Answer" } } } }, "429": { "description": "Too many requests." } } } },
        }
    })
}

//! The public status and the API's reference.

use axum::response::Response;
use engify_app::health::{self, Health as State};

use super::visit::Visit;
use super::{KEPT, ok};
use crate::openapi;
use crate::pages::api_docs;
use crate::pages::status::{self, Health, ServiceRow, StatusView};
use crate::policy::Policy;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/status", Policy::PUBLIC.always(), page).page(),
        Route::get("/api-docs", Policy::PUBLIC.cache(KEPT), reference).page(),
    ]
}

async fn page(visit: Visit) -> Response {
    let health = health::check(visit.app()).await;
    let view =
        StatusView { services: services(&health), checked_at: health.timestamp, version: health.version };
    ok(status::page(&visit.frame(), &view))
}

async fn reference(visit: Visit) -> Response {
    let url = &visit.app().settings().public.app_url;
    ok(api_docs::page(&visit.frame(), &openapi::document(url), url))
}

/// What health says of each dependency, as the pages show it.
pub(super) fn services(health: &State) -> Vec<ServiceRow> {
    let database = match health.database.as_str() {
        "sqlite" => "embedded",
        _ => "MongoDB",
    };
    let row = |name: &str, word: &str, used: &str, unused: &str| {
        let (state, detail) = match word {
            "connected" | "operational" => (Health::Up, used),
            "not_configured" => (Health::Unused, unused),
            "degraded" => (Health::Degraded, "the last call failed; runs on other providers work"),
            "error" => (Health::Degraded, "the last letter was not taken; it is tried again"),
            _ => (Health::Down, "does not answer"),
        };
        ServiceRow { name: name.to_owned(), state, detail: detail.to_owned() }
    };
    vec![
        row("Database", &health.services.database, database, ""),
        row(
            "AI providers",
            &health.services.ai_providers,
            "ready",
            "no provider has a key; the dry run works",
        ),
        row("Mail", &health.services.sendgrid, "ready", "letters are kept for administrators to read"),
        redis(&health.services.redis),
    ]
}

fn redis(word: &str) -> ServiceRow {
    let (state, detail) = match word {
        "connected" => (Health::Up, "connected"),
        "disabled" => (Health::Unused, "switched off by REDIS_ENABLED=false"),
        "error" => (Health::Degraded, "does not answer as it should; the site works without it"),
        _ => (Health::Unused, "not needed; memory is enough for one process"),
    };
    ServiceRow { name: "Redis".to_owned(), state, detail: detail.to_owned() }
}

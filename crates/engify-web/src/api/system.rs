//! Health, figures, and the API's own description.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use engify_app::health::{self, Health, Status};
use http::{StatusCode, header};
use serde::Serialize;

use crate::openapi;
use crate::policy::Policy;
use crate::reply::json;
use crate::route::Route;
use crate::web::Web;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/health", Policy::PUBLIC.before_enrolment().always(), whole)
            .named("System", "Whether everything works, dependency by dependency")
            .gives::<Health>(StatusCode::OK, "healthy or degraded")
            .gives::<Health>(StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
        Route::get("/api/health/live", Policy::PUBLIC.before_enrolment().always(), live)
            .named("System", "Whether the process runs")
            .gives::<Word>(StatusCode::OK, "it does"),
        Route::get("/api/health/ready", Policy::PUBLIC.before_enrolment().always(), ready)
            .named("System", "Whether requests can be served")
            .gives::<Word>(StatusCode::OK, "they can")
            .gives::<Word>(StatusCode::SERVICE_UNAVAILABLE, "they cannot"),
        Route::get("/api/openapi.json", Policy::PUBLIC.cache(300), description)
            .named("System", "This description")
            .gives::<serde_json::Value>(StatusCode::OK, "OpenAPI 3.1"),
        Route::get("/metrics", Policy::metrics(), figures)
            .named("System", "Figures for Prometheus")
            .gives_nothing(StatusCode::OK, "Prometheus text"),
    ]
}

/// One word.
#[derive(Serialize, schemars::JsonSchema)]
struct Word {
    /// `live`, `ready`, `not_ready`; `leaving` once the server was told to stop.
    status: &'static str,
}

async fn whole(State(web): State<Web>) -> Response {
    let health = health::check(&web.app).await;
    let status =
        if health.status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    json(status, &health)
}

async fn live() -> Response {
    json(StatusCode::OK, &Word { status: "live" })
}

async fn ready(State(web): State<Web>) -> Response {
    if web.app.is_leaving() {
        return json(StatusCode::SERVICE_UNAVAILABLE, &Word { status: "leaving" });
    }
    match health::check(&web.app).await.status {
        Status::Unhealthy => json(StatusCode::SERVICE_UNAVAILABLE, &Word { status: "not_ready" }),
        Status::Healthy | Status::Degraded => json(StatusCode::OK, &Word { status: "ready" }),
    }
}

async fn description(State(web): State<Web>) -> Response {
    json(StatusCode::OK, &openapi::document(&web.app.settings().public.app_url))
}

async fn figures(State(web): State<Web>) -> Response {
    let text = web.options.metrics.as_ref().map(|render| render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

//! Administration: figures of the store, and the settings.

use engify_app::health;
use engify_app::health::Holding;
use engify_core::permission::Permission;
use engify_core::settings::Shown;
use http::StatusCode;

use crate::extract::Caller;
use crate::policy::Policy;
use crate::reply::{List, Reply};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/admin/stats", Policy::needs(Permission::SystemRead), stats)
            .named("Administration", "How much each collection holds")
            .gives::<List<Holding>>(StatusCode::OK, "by name"),
        Route::get("/api/admin/settings", Policy::needs(Permission::SystemRead), settings)
            .named("Administration", "What this server runs on: every setting, without secrets")
            .gives::<List<Shown>>(StatusCode::OK, "in the order of the documentation"),
    ]
}

async fn stats(caller: Caller) -> Reply {
    Ok(List::new(health::collections(&caller.0).await?, None).reply())
}

async fn settings(caller: Caller) -> Reply {
    Ok(List::new(health::settings(&caller.0)?, None).reply())
}

//! Administration: figures of the store.

use engify_app::health;
use engify_app::health::Holding;
use engify_core::permission::Permission;
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
    ]
}

async fn stats(caller: Caller) -> Reply {
    Ok(List::new(health::collections(&caller.0).await?, None).reply())
}

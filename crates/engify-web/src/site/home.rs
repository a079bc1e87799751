//! The front page.

use engify_app::ai;
use engify_app::health::{self, Status};
use engify_app::patterns;
use engify_app::prompts::{self, Question};

use super::cards::cards;
use super::visit::Visit;
use super::{KEPT, ok};
use crate::pages::home::{self, HomeView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/", Policy::PUBLIC.cache(KEPT), front).page()]
}

async fn front(visit: Visit) -> Reply {
    let (ctx, app) = (&visit.ctx, visit.app());
    let all = Question { limit: 1, ..Question::default() };
    let featured = Question { featured: Some(true), limit: 12, ..Question::default() };
    let trouble = match health::check(app).await.status {
        Status::Healthy => None,
        Status::Degraded => Some("works, degraded".to_owned()),
        Status::Unhealthy => Some("something is down".to_owned()),
    };
    let ready = ai::installed(app);
    let view = HomeView {
        prompts: prompts::list(ctx, &all).await?.total,
        patterns: patterns::list(app).len() as u64,
        providers_ready: ready as u64,
        trouble,
        featured: cards(prompts::list(ctx, &featured).await?.cards),
    };
    Ok(ok(home::page(&visit.frame(), &view)))
}

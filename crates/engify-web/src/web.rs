//! What handlers share, and how the routes become a server.

use std::sync::Arc;

use axum::Router;
use engify_app::App;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use crate::assets::Assets;
use crate::outer::Server;
use crate::page_cache::{PageCache, Replies};
use crate::route::Route;
use crate::{api, guard, outer, security, site};

/// What a server may be given beside the application.
#[derive(Clone, Default)]
pub struct Options {
    /// Renders `/metrics`; none where no figures are kept.
    pub metrics: Option<Arc<dyn Fn() -> String + Send + Sync>>,
}

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Web(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) app: App,
    pub(crate) assets: Assets,
    pub(crate) pages: PageCache,
    pub(crate) options: Options,
}

impl std::ops::Deref for Web {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Every route of the server, with its policy. Tests walk this list.
pub fn routes() -> Vec<Route> {
    api::routes().into_iter().chain(site::routes()).collect()
}

/// The server: every route behind its policy, and around all of them request ids, the log, figures and headers.
pub fn server(app: &App, options: Options) -> Server {
    let assets = Assets::new(app.settings().core.assets_dir.clone());
    let routes = routes();
    let pages = Replies::cache(&routes, &assets, app.cache_backing());
    let web = Web(Arc::new(Shared { app: app.clone(), assets, pages, options }));
    let mut router = Router::new();
    for route in routes {
        let (path, methods) = guard::guarded(route, &web);
        router = router.route(path, methods);
    }
    let router = router
        .fallback(site::not_found)
        .method_not_allowed_fallback(site::method_not_allowed)
        .layer(security::writes(app))
        // What is kept is packed well, once; what is made for one reader is packed quickly.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .with_state(web.clone());
    outer::around(router, web)
}

//! The journal goes to the backup targets while the server runs.

use engify_app::App;
use engify_clients::objects::Objects;
use engify_core::Result;
use engify_ops::backup::Setup;
use engify_ops::ship;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::background;

/// Shipping to each target.
pub(super) struct Shipping {
    tasks: TaskTracker,
    /// Ends the threads that give way.
    _quiet: DropGuard,
    stop: CancellationToken,
}

impl Shipping {
    /// Begins. Of several servers on one database one ships, by a lease.
    pub(super) fn start(app: &App) -> Result<Self> {
        let settings = app.settings();
        let Setup { target, replica, key, .. } = Setup::of(settings)?;
        let targets: Vec<Objects> = std::iter::once(target).chain(replica).collect();
        let (quiet, guard) = background::threads()?;
        let options = ship::Options {
            key,
            clock: app.clock().clone(),
            ids: app.ids().clone(),
            keep_days: settings.backups.journal_days,
            targets: targets.iter().map(|objects| objects.place().to_string()).collect(),
            quiet: Some(quiet),
        };
        let shipping = Self { tasks: TaskTracker::new(), _quiet: guard, stop: CancellationToken::new() };
        for objects in targets {
            let work = ship::run(app.store().clone(), objects, options.clone(), shipping.stop.clone());
            shipping.tasks.spawn(work);
        }
        shipping.tasks.close();
        Ok(shipping)
    }

    /// Ships what is left, for a few seconds at most.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

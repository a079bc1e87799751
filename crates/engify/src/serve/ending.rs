//! The end of a server, in an order that fails no request:
//!
//! 1. told: it is not ready any more, and every reply closes its connection, so that load balancers and clients go elsewhere;
//!    whoever comes all the same is answered. Lasts `ENGIFY_STOP_GRACE_SECONDS`; Ctrl-C skips it.
//! 2. closing: no new connections, idle ones are closed, requests under way go on.
//! 3. last call, after [`LAST_CALL`]: what is still under way, above all streams of AI providers, breaks off and says so.
//! 4. cut, after [`DRAIN`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engify_app::App;
use tokio_util::sync::CancellationToken;

/// From closing to the cut.
pub(super) const DRAIN: Duration = Duration::from_secs(25);
/// From closing to the last call; what is left of [`DRAIN`] is for saying so.
const LAST_CALL: Duration = Duration::from_secs(20);

/// The stages. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending(Arc<Stages>);

#[derive(Debug, Default)]
struct Stages {
    /// As `told`, for those who ask at each request: a token's answer takes a lock.
    is_told: AtomicBool,
    told: CancellationToken,
    closing: CancellationToken,
}

impl Ending {
    /// Tells the server to end.
    pub(super) fn tell(&self) {
        self.0.is_told.store(true, Ordering::Release);
        self.0.told.cancel();
    }

    /// Ends the grace, if there was any.
    pub(super) fn close(&self) {
        self.tell();
        self.0.closing.cancel();
    }

    pub(super) fn is_told(&self) -> bool {
        self.0.is_told.load(Ordering::Acquire)
    }

    /// Cancelled when the server is told.
    pub(super) fn told(&self) -> &CancellationToken {
        &self.0.told
    }

    /// Cancelled when the doors close.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    /// Walks through the stages, once the server is told.
    pub(super) fn conduct(&self, app: &App) {
        let (ending, app) = (self.clone(), app.clone());
        let grace = Duration::from_secs(app.settings().core.stop_grace.into());
        tokio::spawn(async move {
            ending.told().cancelled().await;
            app.leave();
            // Elapsed or told again: closing comes either way.
            let _ = tokio::time::timeout(grace, ending.closing().cancelled()).await;
            ending.close();
            tokio::time::sleep(LAST_CALL).await;
            app.last_call();
        });
    }
}

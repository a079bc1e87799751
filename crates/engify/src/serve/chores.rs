//! What a server does by itself beside answering. Each chore may run in any number of processes at once: it is the use
//! case that sees to it that nothing is done twice.

use std::time::Duration;

use engify_app::{App, Ctx, audit, keys, organizations};
use engify_core::Result;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long after the start old audit lines are first looked for: a start has other things to do.
const SETTLED: Duration = Duration::from_secs(600);

/// Begins all chores; they go on until the server stops.
pub(super) fn start(app: &App, stop: &CancellationToken) {
    let chores = Chores { app: app.clone(), stop: stop.clone() };
    chores.every("reminders", Duration::ZERO, HOUR, |ctx| async move {
        let letters = keys::remind(&ctx).await?;
        if letters > 0 {
            tracing::info!(letters, "keys.reminded");
        }
        Ok(())
    });
    chores.every("retention", Duration::ZERO, HOUR, |ctx| async move {
        organizations::prune_runs(&ctx).await.map(drop)
    });
    chores.every("audit retention", SETTLED, DAY, |ctx| async move {
        let pruned = audit::prune(&ctx).await?;
        if pruned.lines > 0 {
            tracing::info!(audit.lines = pruned.lines, "audit.pruned");
        }
        Ok(())
    });
}

struct Chores {
    app: App,
    stop: CancellationToken,
}

impl Chores {
    /// Does `chore` for the first time after `first`, then every `period`. A fault is told and the next tick tries again.
    fn every<C, W>(&self, part: &'static str, first: Duration, period: Duration, chore: C)
    where
        C: Fn(Ctx) -> W + Send + Sync + 'static,
        W: Future<Output = Result<()>> + Send,
    {
        let (app, stop) = (self.app.clone(), self.stop.clone());
        tokio::spawn(async move {
            let mut ticks = interval_at(Instant::now() + first, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                if let Err(fault) = chore(Ctx::system(&app, part)).await {
                    tracing::warn!(chore = part, error = %fault, "chore.failed: it is tried again at its next time");
                }
            }
        });
    }
}

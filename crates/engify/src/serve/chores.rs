//! What a server does by itself beside answering. Each chore may run in any number of processes at once: it is the use
//! case that sees to it that nothing is done twice.

use std::time::Duration;

use engify_app::{App, Ctx, keys};
use tokio_util::sync::CancellationToken;

/// How often chores are looked at.
const EVERY: Duration = Duration::from_secs(3600);

/// Does the chores, now and every hour, until the server stops.
pub(super) fn start(app: &App, stop: &CancellationToken) {
    let (app, stop) = (app.clone(), stop.clone());
    tokio::spawn(async move {
        let mut hours = tokio::time::interval(EVERY);
        hours.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(hours.tick()).await.is_some() {
            match keys::remind(&Ctx::system(&app, "reminders")).await {
                Ok(0) => {}
                Ok(letters) => tracing::info!(letters, "keys.reminded"),
                Err(fault) => tracing::warn!(error = %fault, "keys.not_reminded: trying again in an hour"),
            }
        }
    });
}

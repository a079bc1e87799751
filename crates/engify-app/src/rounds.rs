//! Rounds over work that lies in the database: one when something is due, and one whenever a change says that there is more.

use std::sync::Arc;
use std::time::Duration;

use engify_core::Result;
use engify_store::journal::Change;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::App;

/// The longest rest between two rounds.
pub(crate) const REST: Duration = Duration::from_secs(3600);

/// How long to rest when the database did not answer.
const AWAY: Duration = Duration::from_secs(5);

/// Does rounds until it is told to stop, or the store is closed. A round says how long there is nothing to do; `what` is named
/// in the log where it fails.
pub(crate) fn start<R: Future<Output = Result<Duration>> + Send>(
    app: &App,
    stop: CancellationToken,
    what: &'static str,
    is_news: fn(&Change) -> bool,
    round: impl Fn(App) -> R + Send + 'static,
) {
    // From here on nothing is missed, whatever the first round sees.
    let mut changes = app.store().changes();
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            let rest = round(app.clone()).await.unwrap_or_else(|fault| {
                if !fault.is_told() {
                    tracing::error!(error = ?fault, rounds = what, "rounds.database_away: trying again");
                }
                AWAY
            });
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(rest) => {}
                open = news(&mut changes, is_news) => if !open { return },
            }
        }
    });
}

/// Returns when a change is news, or some were missed; false when the store is closed.
pub(crate) async fn news(changes: &mut Receiver<Arc<Vec<Change>>>, is_news: fn(&Change) -> bool) -> bool {
    loop {
        match changes.recv().await {
            Ok(commit) if commit.iter().any(is_news) => return true,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}

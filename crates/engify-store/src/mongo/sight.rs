//! Whether the driver sees a server that takes writes. It learns of one that goes at once, from the connection itself; whoever
//! asks for something instead waits for one to come back.

use std::time::Duration;

use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use tokio::sync::watch;

/// How long there may be none before the database counts as away: a connection that breaks is made anew within it.
const BLINK: Duration = Duration::from_secs(1);

/// The receiving side of what the driver sees.
#[derive(Debug)]
pub(super) struct Sight(watch::Receiver<bool>);

impl Sight {
    /// What is seen, and where the driver is to tell it.
    pub(super) fn new() -> (Self, EventHandler<SdamEvent>) {
        let (sees, sight) = watch::channel(true);
        let handler = EventHandler::callback(move |event| {
            if let SdamEvent::TopologyDescriptionChanged(change) = event {
                sees.send_replace(change.new_description.has_writable_server());
            }
        });
        (Self(sight), handler)
    }

    /// Waits until no server has been seen for a while.
    pub(super) async fn lost(&self) {
        let mut sight = self.0.clone();
        loop {
            // The driver is gone together with its end of the channel: then there is nothing to wait for.
            if sight.wait_for(|sees| !sees).await.is_err() {
                return std::future::pending().await;
            }
            if tokio::time::timeout(BLINK, sight.wait_for(|sees| *sees)).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_server_that_was_not_seen_for_a_while_is_lost_and_one_that_is_back_is_not() {
        let (sees, sight) = watch::channel(true);
        let sight = Sight(sight);
        assert!(sight.lost().now_or_never().is_none());
        sees.send_replace(false);
        assert!(sight.lost().now_or_never().is_none(), "a blink is no loss");
        sight.lost().await;
        sees.send_replace(true);
        assert!(sight.lost().now_or_never().is_none());
    }
}

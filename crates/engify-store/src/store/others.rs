//! Following what other processes commit on the same database.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use engify_core::Result;

use super::{Backend, Store, outlook};
use crate::feed::{Feed, Follower};
use crate::mongo::Mongo;
use crate::search::Catalogue;

/// How long another process's commit may stay unseen.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// How long a MongoDB may take to say what others committed before it counts as away.
const PATIENCE: Duration = Duration::from_secs(3);

impl Store {
    /// Looks for other processes' commits until the store is closed or its last clone is gone.
    pub(super) fn follow_others(&self) {
        let weak = Arc::downgrade(&self.inner);
        let outlook = Arc::clone(&self.inner.outlook);
        tokio::spawn(async move {
            loop {
                outlook.next_look(FOLLOW_EVERY).await;
                let Some(inner) = weak.upgrade() else { return };
                if inner.closed.load(Ordering::Acquire) {
                    return;
                }
                let begun = Instant::now();
                let followed = match &inner.backend {
                    Backend::Sqlite(sqlite) => sqlite.follow().await.map(|()| true),
                    Backend::Mongo(mongo, follower) => {
                        let look = look(mongo, follower, &inner.catalogue, &inner.feed);
                        tokio::select! {
                            followed = Box::pin(look) => followed,
                            () = mongo.lost() => Err(outlook::silent()),
                        }
                    }
                };
                outlook.looked(begun, followed);
            }
        });
    }
}

/// Reads what others committed; whether all of it was read.
async fn look(mongo: &Mongo, follower: &Follower, catalogue: &Catalogue, feed: &Feed) -> Result<bool> {
    match tokio::time::timeout(PATIENCE, follower.follow(mongo, catalogue, feed)).await {
        Ok(followed) => followed,
        // Much to read, or nobody there.
        Err(_) => match tokio::time::timeout(PATIENCE, mongo.ping()).await {
            Ok(answered) => answered.map(|()| false),
            Err(_) => Err(outlook::silent()),
        },
    }
}

//! Shipping the journal: what was changed goes to the backup targets within about a second, as small sealed segments, so
//! that any moment of the last days can be restored and a lost machine loses seconds.
//!
//! Of all replicas one ships to a target, under a lease in the database. Nothing is done while nothing changes. Memory is
//! bounded by one segment; what cannot be shipped stays in the database's journal until it can.

use std::time::Duration;

use engify_clients::objects::Objects;
use engify_core::backup::Shipping;
use engify_core::ids::BackupId;
use engify_core::tenancy::Scope;
use engify_core::{Clock, Ids, Result, Time};
use engify_store::{Batch, Patch, Store};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::seal::Key;

mod leisure;
pub(crate) mod segment;
mod shipper;
pub(crate) mod trail;
mod upkeep;

pub use segment::Name;
pub use shipper::{Round, Shipper};
pub use trail::{Reach, Trail};
pub use upkeep::{Upkeep, upkeep};

/// The shortest time between two rounds.
const PACE: Duration = Duration::from_secs(1);

/// The longest wait after a failure; it doubles from [`PACE`].
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long a lease lasts.
const LEASE: Duration = Duration::from_secs(30);

/// How long the last round at the program's end may take.
const LAST: Duration = Duration::from_secs(8);

/// How often old pieces are looked for.
const UPKEEP: Duration = Duration::from_secs(3600);

/// What shipping needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// What segments are encrypted with.
    pub key: Option<Key>,
    /// Where the times in names come from.
    pub clock: Clock,
    /// Names this process in the lease.
    pub ids: Ids,
    /// How long segments and the database's own journal are kept, days.
    pub keep_days: u32,
    /// Every target that is shipped to, as settings write it: the database's own journal keeps what one of them lacks.
    pub targets: Vec<String>,
    /// Threads that give way to all others: they read and pack as long as they are done with it within half a second.
    pub quiet: Option<Handle>,
}

/// Ships to one target until told to stop; then ships what is left, for a few seconds at most.
pub async fn run(store: Store, objects: Objects, options: Options, stop: CancellationToken) {
    let mut shipping = Running::new(store.clone(), objects, options);
    let mut written = store.written();
    let mut wait = PACE;
    while !stop.is_cancelled() {
        written.mark_unchanged();
        let Some(held) = shipping.round().await else {
            let _ = stop.run_until_cancelled(sleep(wait)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            continue;
        };
        wait = PACE;
        shipping.upkeep_sometimes().await;
        let change = async {
            if written.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            // Whatever comes in the meantime is shipped with it.
            sleep(PACE).await;
        };
        // Whoever ships may have died before the last changes were: then nothing more tells of them.
        let idle = if held { Duration::MAX } else { LEASE };
        let _ = stop.run_until_cancelled(timeout(idle, change)).await;
    }
    if timeout(LAST, shipping.round()).await.is_err() {
        tracing::warn!(
            backup.target = shipping.id,
            "journal.unshipped: the rest is shipped after the next start"
        );
    }
}

struct Running {
    store: Store,
    objects: Objects,
    options: Options,
    shipper: Shipper,
    /// The target, which is also the lease's name.
    id: String,
    /// This process.
    holder: String,
    failing_since: Option<Time>,
    next_upkeep: Instant,
}

impl Running {
    fn new(store: Store, objects: Objects, options: Options) -> Self {
        let id = objects.place().to_string();
        let holder = BackupId::make(&options.ids).to_string();
        let shipper =
            Shipper::new(store.clone(), objects.clone(), options.key.clone(), options.clock.clone())
                .with_quiet(options.quiet.clone());
        let next_upkeep = Instant::now() + PACE * 60;
        Self { store, objects, options, shipper, id, holder, failing_since: None, next_upkeep }
    }

    /// One round, told in the log when it begins to fail. Answers whether this process ships; none where the round failed.
    async fn round(&mut self) -> Option<bool> {
        match Box::pin(self.try_round()).await {
            Ok(held) => Some(held),
            Err(error) => {
                metrics::counter!("engify_journal_shipping_failures_total", "target" => self.id.clone())
                    .increment(1);
                if self.failing_since.is_none() {
                    let now = self.options.clock.now();
                    self.failing_since = Some(now);
                    tracing::warn!(backup.target = self.id, error = %error, "journal.unshipped: it is tried again");
                    self.tell(|patch| patch.set("failingSince", now)?.set("failure", error.message())).await;
                }
                let age =
                    self.failing_since.map_or(Duration::ZERO, |since| self.options.clock.now().since(since));
                self.lag(age);
                None
            }
        }
    }

    async fn try_round(&mut self) -> Result<bool> {
        if !self.hold().await? {
            self.shipper.forget();
            // How far it is, and since when it fails, is now told by whoever ships.
            self.failing_since = None;
            self.lag(Duration::ZERO);
            return Ok(false);
        }
        let round = self.shipper.round().await?;
        let failed = self.failing_since.take().is_some();
        if round.segments > 0 || failed {
            let now = self.options.clock.now();
            let none: Option<Time> = None;
            self.tell(|patch| {
                let patch = patch.set("position", round.position)?.set("shippedAt", now)?;
                patch.set("failingSince", none)?.set("failure", none)
            })
            .await;
        }
        let target = || self.id.clone();
        metrics::counter!("engify_journal_shipped_bytes_total", "target" => target()).increment(round.bytes);
        metrics::counter!("engify_journal_shipped_segments_total", "target" => target())
            .increment(round.segments as u64);
        self.lag(round.oldest.map_or(Duration::ZERO, |oldest| self.options.clock.now().since(oldest)));
        Ok(true)
    }

    fn lag(&self, lag: Duration) {
        metrics::gauge!("engify_journal_shipping_lag_seconds", "target" => self.id.clone())
            .set(lag.as_secs_f64());
    }

    /// Notes how it goes, for health and pages. Where even that fails, the next round says it.
    async fn tell(&self, change: impl FnOnce(Patch) -> Result<Patch>) {
        let patch = Patch::new(everything(), &self.id).or_skip();
        let Ok(patch) = change(patch) else { return };
        let _ = self.store.write(Batch::new().patch::<Shipping>(patch)).await;
    }

    /// Whether this process ships; takes the lease where it is free.
    async fn hold(&self) -> Result<bool> {
        let now = self.options.clock.now();
        let until = now.plus(LEASE);
        let written = match self.store.get::<Shipping>(&everything(), &self.id).await? {
            Some(lease) if lease.holder == self.holder && lease.held_until > now.plus(LEASE / 2) => {
                return Ok(true);
            }
            // A clock that went back does not hold a lease for ever.
            Some(lease)
                if lease.holder == self.holder
                    || lease.held_until <= now
                    || lease.held_until > until.plus(LEASE) =>
            {
                let patch = Patch::new(everything(), &self.id)
                    .when("heldUntil", lease.held_until)?
                    .when("holder", &lease.holder)?
                    .set("holder", &self.holder)?
                    .set("heldUntil", until)?;
                self.store.write(Batch::new().patch::<Shipping>(patch)).await
            }
            Some(_) => return Ok(false),
            None => {
                let lease = Shipping {
                    id: self.id.clone(),
                    holder: self.holder.clone(),
                    held_until: until,
                    position: 0,
                    shipped_at: None,
                    failing_since: None,
                    failure: None,
                };
                self.store.write(Batch::new().insert(&lease)?).await
            }
        };
        match written {
            Ok(_) => Ok(true),
            Err(lost) if matches!(lost.code(), "stale" | "duplicate") => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn upkeep_sometimes(&mut self) {
        if Instant::now() < self.next_upkeep {
            return;
        }
        self.next_upkeep = Instant::now() + UPKEEP;
        match self.upkeep().await {
            Ok(done) if done != Upkeep::default() => {
                tracing::info!(
                    journal.segments = done.segments,
                    journal.entries = done.entries,
                    "journal.pruned"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "journal.unpruned: it is tried again in an hour"),
        }
    }

    async fn upkeep(&self) -> Result<Upkeep> {
        // What this process does not ship is looked after by the one that does.
        let mut shipped = self.shipper.position();
        for target in self.options.targets.iter().filter(|target| **target != self.id) {
            let other = self.store.get::<Shipping>(&everything(), target).await?;
            shipped = shipped.min(other.map_or(0, |other| other.position));
        }
        let (keep, clock) = (self.options.keep_days, &self.options.clock);
        Box::pin(upkeep(&self.store, &self.objects, (shipped, keep), clock)).await
    }
}

fn everything() -> Scope {
    Scope::Everything("how the journal is shipped is the installation's own")
}

#[cfg(test)]
mod tests {
    use engify_core::account::Milestone;
    use engify_store::Target;

    use super::*;
    use crate::backup::dump::folder_of;

    /// A database with something in its journal, and shipping of it to two targets.
    async fn two_targets(folder: &std::path::Path) -> (Clock, Store, [Running; 2]) {
        let clock = Clock::fixed(Time::from_millis(1_795_370_645_123));
        let store_options = engify_store::Options::new(clock.clone());
        let store = Store::open(Target::Embedded { dir: folder.join("data") }, store_options).await.unwrap();
        let milestone = Milestone { id: "first".to_owned(), created_at: clock.now() };
        store.write(Batch::new().insert(&milestone).unwrap()).await.unwrap();
        let objects = ["one", "two"].map(|name| folder_of(&folder.join(name)).unwrap());
        let targets: Vec<String> = objects.iter().map(|one| one.place().to_string()).collect();
        let ids = Ids::system(clock.clone());
        let options = Options { key: None, clock: clock.clone(), ids, keep_days: 7, targets, quiet: None };
        let running = objects.map(|objects| Running::new(store.clone(), objects, options.clone()));
        (clock, store, running)
    }

    #[tokio::test]
    async fn the_database_keeps_what_one_of_two_targets_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, store, [mut one, mut two]) = two_targets(folder.path()).await;
        assert_eq!(one.round().await, Some(true));
        clock.advance(Duration::from_secs(8 * 24 * 3600));
        assert_eq!(one.upkeep().await.unwrap().entries, 0, "the second target was away all the time");
        assert_eq!(two.round().await, Some(true));
        assert_eq!(one.upkeep().await.unwrap().entries, 1);
        store.close().await;
    }

    #[tokio::test]
    async fn a_lease_of_somebody_who_died_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, store, [mut one, _]) = two_targets(folder.path()).await;
        let mut other = Running::new(store.clone(), one.objects.clone(), one.options.clone());
        assert_eq!(one.round().await, Some(true));
        assert_eq!(other.round().await, Some(false));
        clock.advance(LEASE + PACE);
        assert_eq!((other.round().await, one.round().await), (Some(true), Some(false)));
        store.close().await;
    }
}

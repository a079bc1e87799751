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
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::seal::Key;

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
}

/// Ships to one target until told to stop; then ships what is left, for a few seconds at most.
pub async fn run(store: Store, objects: Objects, options: Options, stop: CancellationToken) {
    let mut shipping = Running::new(store.clone(), objects, options);
    let mut written = store.written();
    let mut wait = PACE;
    while !stop.is_cancelled() {
        written.mark_unchanged();
        let went_well = shipping.round().await;
        if went_well {
            wait = PACE;
            shipping.upkeep_sometimes().await;
            let change = async {
                if written.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                // Whatever comes in the meantime is shipped with it.
                sleep(wait).await;
            };
            if stop.run_until_cancelled(change).await.is_none() {
                break;
            }
        } else {
            let _ = stop.run_until_cancelled(sleep(wait)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
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
            Shipper::new(store.clone(), objects.clone(), options.key.clone(), options.clock.clone());
        let next_upkeep = Instant::now() + PACE * 60;
        Self { store, objects, options, shipper, id, holder, failing_since: None, next_upkeep }
    }

    /// One round, told in the log when it begins to fail and when it works again.
    async fn round(&mut self) -> bool {
        match Box::pin(self.try_round()).await {
            Ok(()) => true,
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
                false
            }
        }
    }

    async fn try_round(&mut self) -> Result<()> {
        if !self.hold().await? {
            self.shipper.forget();
            return Ok(());
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
        Ok(())
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
        let shipped = self.shipper.position();
        let (keep, clock) = (self.options.keep_days, &self.options.clock);
        match Box::pin(upkeep(&self.store, &self.objects, (shipped, keep), clock)).await {
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
}

fn everything() -> Scope {
    Scope::Everything("how the journal is shipped is the installation's own")
}

//! Records that are written behind the answer: runs, their audit lines, counters, "last used".
//!
//! A place in the queue is taken before money is spent, so that what ran is also recorded: while the database is away
//! and the queue is full, nothing runs. Records wait for at most one group commit of the store (about a millisecond),
//! and [`MOMENT`] more while there are many; a process that is killed inside it loses the record of an answer that was
//! already given, never one that [`Recorder::stop`] was asked to wait for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use engify_core::api_key::ApiKey;
use engify_core::audit::AuditEntry;
use engify_core::ids::{ApiKeyId, PromptId, ProviderKeyId};
use engify_core::prompt::Prompt;
use engify_core::provider_key::ProviderKey;
use engify_core::run::Run;
use engify_core::tenancy::Scope;
use engify_core::{Clock, Error, Result, Time};
use engify_store::{Batch, Entity, Patch, Store};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::keys::Tallies;

/// How many records may wait.
const WAITING: usize = 4096;
/// How many are written together.
const TOGETHER: usize = 512;
/// That many at once are a busy time: then others are waited for, because what is written together shares the pages and
/// the sync that each commit costs.
const BUSY: usize = 48;
/// How long others are waited for.
const MOMENT: Duration = Duration::from_millis(8);
/// How long a caller waits for a place.
const PATIENCE: Duration = Duration::from_secs(1);
/// Counters are added up for this long, so that a busy prompt is not rewritten with every run.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// One thing to write.
#[derive(Debug)]
pub(crate) enum Record {
    /// A run with its audit line.
    Run(Box<Run>, Box<AuditEntry>),
    /// An audit line alone.
    Audit(Box<AuditEntry>),
    /// A prompt was run.
    Used(PromptId),
    /// A key was used.
    KeyUsed(ApiKeyId),
    /// A provider's stored key was used.
    ProviderKeyUsed(ProviderKeyId),
    /// Says when everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// The queue's near end.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<Record>,
    /// Somebody waits for what is written.
    hurry: Arc<Notify>,
}

/// A place in the queue.
pub(crate) type Place = mpsc::OwnedPermit<Record>;

impl Recorder {
    pub(crate) fn start(store: Store, clock: Clock, tallies: Arc<Tallies>) -> Self {
        let (queue, records) = mpsc::channel(WAITING);
        let hurry = Arc::new(Notify::new());
        let writer = Writer {
            store,
            hurry: Arc::clone(&hurry),
            clock,
            tallies,
            counted: HashSet::new(),
            used: HashMap::new(),
            keys: HashMap::new(),
            provider_keys: HashMap::new(),
        };
        tokio::spawn(writer.run(records));
        Self { queue, hurry }
    }

    /// Takes a place; fails fast while the database does not keep up.
    pub(crate) async fn place(&self) -> Result<Place> {
        let place = tokio::time::timeout(PATIENCE, self.queue.clone().reserve_owned()).await;
        place.ok().and_then(std::result::Result::ok).ok_or_else(|| {
            let message = "The database does not take records at the moment, so nothing is run that could not be recorded. \
                           Try again shortly; /api/health names the cause.";
            Error::unavailable("database_unavailable", message).retry_after(Duration::from_secs(5))
        })
    }

    /// Writes an audit line; waits for a place, and logs the line where there is none.
    pub(crate) async fn note(&self, entry: AuditEntry) {
        match self.place().await {
            Ok(place) => drop(place.send(Record::Audit(Box::new(entry)))),
            Err(_) => tracing::error!(
                audit.action = entry.action.as_str(),
                audit.target = entry.target.id,
                "audit.lost"
            ),
        }
    }

    /// Counts, if there is room: losing one costs nothing.
    pub(crate) fn count(&self, record: Record) {
        // A full queue already shows in health and refuses runs.
        let _ = self.queue.try_send(record);
    }

    /// Waits until everything before is written.
    pub(crate) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.queue.send(Record::Flush(done)).await.is_ok() {
            self.hurry.notify_one();
            // An error means that the writer ended, and with it everything it had.
            let _ = wait.await;
        }
    }

    /// Waits, at most 10 seconds, until everything is written.
    pub(crate) async fn stop(&self) {
        if tokio::time::timeout(Duration::from_secs(10), self.flush()).await.is_err() {
            tracing::error!("recorder.unwritten: the database did not take the last records within 10 s");
        }
    }
}

struct Writer {
    store: Store,
    hurry: Arc<Notify>,
    clock: Clock,
    tallies: Arc<Tallies>,
    /// Documents of usage that are known to be there.
    counted: HashSet<String>,
    used: HashMap<PromptId, i64>,
    keys: HashMap<ApiKeyId, Time>,
    provider_keys: HashMap<ProviderKeyId, Time>,
}

impl Writer {
    async fn run(mut self, mut records: mpsc::Receiver<Record>) {
        let mut waiting = Vec::with_capacity(TOGETHER);
        let mut counting = tokio::time::interval(COUNT_EVERY);
        counting.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                count = records.recv_many(&mut waiting, TOGETHER) => {
                    if count == 0 {
                        return self.write_counts().await;
                    }
                    self.gather(&mut records, &mut waiting).await;
                    self.write(&mut waiting).await;
                }
                _ = counting.tick() => self.write_counts().await,
            }
        }
    }

    /// Waits a moment for others where many came at once, unless somebody waits for these.
    async fn gather(&self, records: &mut mpsc::Receiver<Record>, waiting: &mut Vec<Record>) {
        if !(BUSY..TOGETHER).contains(&waiting.len()) {
            return;
        }
        // Either way the moment is over.
        let _ = tokio::time::timeout(MOMENT, self.hurry.notified()).await;
        while waiting.len() < TOGETHER
            && let Ok(record) = records.try_recv()
        {
            waiting.push(record);
        }
    }

    async fn write(&mut self, waiting: &mut Vec<Record>) {
        let mut rows = Vec::with_capacity(waiting.len());
        let mut flushed = Vec::new();
        for record in waiting.drain(..) {
            match record {
                Record::Run(..) | Record::Audit(_) => rows.push(record),
                Record::Used(prompt) => *self.used.entry(prompt).or_default() += 1,
                Record::KeyUsed(key) => drop(self.keys.insert(key, self.clock.now())),
                Record::ProviderKeyUsed(key) => drop(self.provider_keys.insert(key, self.clock.now())),
                Record::Flush(done) => flushed.push(done),
            }
        }
        self.insist(|| rows.iter().fold(Batch::new(), written)).await;
        if !flushed.is_empty() {
            self.write_counts().await;
        }
        for done in flushed {
            // Whoever asked may have given up.
            let _ = done.send(());
        }
    }

    async fn write_counts(&mut self) {
        let mut batch = self.tallies.drain(&self.store, &mut self.counted).await;
        for (prompt, count) in self.used.drain() {
            let patch = Patch::new(Scope::Everything("counters"), prompt).add("uses", count).or_skip();
            batch = batch.patch::<Prompt>(patch);
        }
        for (key, at) in self.keys.drain() {
            batch = used_at::<ApiKey>(batch, key, at);
        }
        for (key, at) in self.provider_keys.drain() {
            batch = used_at::<ProviderKey>(batch, key, at);
        }
        self.insist(|| batch.clone()).await;
    }

    /// Writes until it is written: the queue behind is bounded, and while it is full nothing new runs. The batch is made
    /// anew for each try, so that the first one, which is nearly always the last, needs no copy.
    async fn insist(&self, batch: impl Fn() -> Batch) {
        let mut wait = Duration::from_millis(100);
        loop {
            let batch = batch();
            let writes = batch.len();
            match self.store.write(batch).await {
                Ok(_) => return,
                Err(fault) if fault.is_ours() && fault.kind() != engify_core::Kind::Internal => {
                    if !fault.is_told() {
                        tracing::error!(error = ?fault, writes, "recorder.database_away: trying again");
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(5));
                }
                Err(fault) => {
                    tracing::error!(error = ?fault, writes, "recorder.refused: the records are dropped");
                    return;
                }
            }
        }
    }
}

/// Adds the documents of a record that has any.
fn written(batch: Batch, record: &Record) -> Batch {
    let documents = match record {
        Record::Run(run, audit) => Batch::new().put(&**run).and_then(|batch| batch.put(&**audit)),
        Record::Audit(audit) => Batch::new().put(&**audit),
        _ => return batch,
    };
    match documents {
        Ok(documents) => batch.and(documents),
        Err(fault) => {
            tracing::error!(error = ?fault, "recorder.unwritable");
            batch
        }
    }
}

/// Adds when something was last used.
fn used_at<E: Entity>(batch: Batch, id: impl ToString, at: Time) -> Batch {
    match Patch::new(Scope::Everything("counters"), id).set("lastUsedAt", at) {
        Ok(patch) => batch.patch::<E>(patch.or_skip()),
        Err(fault) => {
            tracing::error!(error = ?fault, "recorder.unwritable");
            batch
        }
    }
}

//! The one thread that writes. Batches that wait together are committed together: one sync for all of them.
//!
//! It also knows the order of commits, so it is what feeds the changes to the rest of the program: its own ones after
//! each commit, those of other processes as it finds them in the journal.

use std::sync::Arc;
use std::time::Duration;

use engify_core::{Clock, Error, Result};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::apply::{Applied, Prepared, apply};
use super::fault::fault;
use super::journal;
use crate::adapter::closed;
use crate::feed::Feed;
use crate::journal::Change;
use crate::search::catalogue::Touched;
use crate::search::generations::Generations;

/// Batches that may wait; further callers wait for a place.
const QUEUE: usize = 1024;
/// Writes of one commit, after which no further batch joins it.
const GROUP: usize = 1024;
/// Changes of other processes that are read at a time.
const PAGE: u32 = 500;

/// The way to the writer thread. Clones share it; the thread ends with the last one.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

enum Job {
    Batch(Vec<Prepared>, oneshot::Sender<Result<u64>>),
    Follow(oneshot::Sender<Result<()>>),
    Task(Task),
    Close(oneshot::Sender<()>),
}

/// Something rare that needs the writing connection.
type Task = Box<dyn FnOnce(&mut Connection) + Send>;

/// What the thread works with.
pub(crate) struct Desk {
    pub(crate) connection: Connection,
    pub(crate) clock: Clock,
    pub(crate) feed: Feed,
    pub(crate) generations: Arc<Generations>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system has no thread left, or the journal cannot be read.
    pub(crate) fn start(desk: Desk) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        // The version first: a commit between the two is then looked at once too often, never missed.
        let version = data_version(&desk.connection).map_err(fault)?;
        let seen = journal::position(&desk.connection)?;
        let thread = Thread { desk, seen, version };
        std::thread::Builder::new()
            .name("engify-writer".to_owned())
            .spawn(move || thread.run(receiver))
            .map_err(Error::internal)?;
        Ok(Self { jobs: sender })
    }

    /// Writes a batch; it is on disk when this returns. The answer is the journal position of its last change.
    pub(crate) async fn write(&self, batch: Vec<Prepared>) -> Result<u64> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Batch(batch, answer)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Looks for commits of other processes.
    pub(crate) async fn follow(&self) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Follow(answer)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Runs something on the writing connection.
    pub(crate) async fn task<T, F>(&self, task: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let task: Task = Box::new(move |connection| {
            // Nobody waits for the answer where the caller gave up.
            let _ = answer.send(task(connection));
        });
        self.jobs.send(Job::Task(task)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Ends the thread once everything accepted so far is answered.
    pub(crate) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.jobs.send(Job::Close(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }
}

type Answer = oneshot::Sender<Result<u64>>;

struct Thread {
    desk: Desk,
    /// The last journal position that the feed has.
    seen: u64,
    /// SQLite's own count of other connections' commits.
    version: i64,
}

impl Thread {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = jobs.blocking_recv();
        while let Some(job) = next.take() {
            match job {
                Job::Batch(batch, answer) => {
                    let mut size = batch.len();
                    let mut group = vec![(batch, answer)];
                    while size < GROUP {
                        match jobs.try_recv() {
                            Ok(Job::Batch(batch, answer)) => {
                                size += batch.len();
                                group.push((batch, answer));
                            }
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.commit(group);
                }
                Job::Follow(answer) => drop(answer.send(self.follow())),
                Job::Task(task) => {
                    task(&mut self.desk.connection);
                    // What it journaled, it did not tell. Where the journal cannot be read, the next commit tells.
                    let _ = self.pass_on_rest();
                }
                Job::Close(answer) => {
                    jobs.close();
                    let _ = carry_over(&self.desk.connection);
                    drop(self.desk);
                    let _ = answer.send(());
                    return;
                }
            }
            if next.is_none() {
                next = jobs.blocking_recv();
            }
        }
    }

    /// One transaction for a group of batches: each stands or falls alone, all share the sync.
    fn commit(&mut self, group: Vec<(Vec<Prepared>, Answer)>) {
        let (batches, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        match self.transact(batches) {
            Ok(outcomes) => {
                let mut changes = Vec::new();
                let mut results = Vec::with_capacity(outcomes.len());
                let mut touched = Touched::default();
                for outcome in outcomes {
                    results.push(outcome.map(|applied| {
                        touched = touched.max(applied.touched);
                        let position = applied.changes.last().map_or(0, |change| change.position);
                        changes.extend(applied.changes);
                        position
                    }));
                }
                self.desk.generations.note(touched);
                self.deliver(changes);
                for (answer, result) in answers.into_iter().zip(results) {
                    drop(answer.send(result));
                }
            }
            Err(fault) => {
                let (kind, code, message) = (fault.kind(), fault.code(), fault.message().to_owned());
                for answer in answers {
                    let same = Error::new(kind, code, message.clone()).because(format!("{fault:?}"));
                    drop(answer.send(Err(same)));
                }
            }
        }
    }

    /// The outcome of each batch, once all that succeeded are on disk; or why nothing is.
    fn transact(&mut self, batches: Vec<Vec<Prepared>>) -> Result<Vec<Result<Applied>>> {
        let connection = &self.desk.connection;
        run(connection, "BEGIN IMMEDIATE")?;
        let at = self.desk.clock.now();
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            run(connection, "SAVEPOINT batch")?;
            let outcome = apply(connection, at, batch);
            if outcome.is_err() {
                // After a full disk or the like SQLite has rolled back everything by itself: then the group failed.
                if connection.is_autocommit() {
                    return outcome.map(|_| Vec::new());
                }
                run(connection, "ROLLBACK TO batch")?;
            }
            run(connection, "RELEASE batch")?;
            outcomes.push(outcome);
        }
        if let Err(fault) = run(connection, "COMMIT") {
            if !connection.is_autocommit() {
                run(connection, "ROLLBACK")?;
            }
            return Err(fault);
        }
        Ok(outcomes)
    }

    /// Passes a commit of ours on, behind whatever others committed before it.
    fn deliver(&mut self, changes: Vec<Change>) {
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return };
        let (first, last) = (first.position, last.position);
        while self.seen + 1 < first {
            let missing = u32::try_from(first - 1 - self.seen).unwrap_or(PAGE).min(PAGE);
            let others = journal::after(&self.desk.connection, self.seen, missing).map(|mut others| {
                // Where the journal was made to go on behind a later position, what follows the hole is ours already.
                others.retain(|change| change.position < first);
                others
            });
            match others {
                Ok(others) if !others.is_empty() => self.pass_on(others),
                // A hole or a failure: nothing to hand over, and the commit itself is done.
                _ => break,
            }
        }
        self.seen = last;
        self.desk.feed.deliver(Arc::new(changes));
    }

    fn follow(&mut self) -> Result<()> {
        let version = data_version(&self.desk.connection).map_err(fault)?;
        if version == self.version {
            return Ok(());
        }
        self.pass_on_rest()?;
        self.version = version;
        Ok(())
    }

    /// Passes on whatever is in the journal behind what the feed has.
    fn pass_on_rest(&mut self) -> Result<()> {
        loop {
            let others = journal::after(&self.desk.connection, self.seen, PAGE)?;
            if others.is_empty() {
                return Ok(());
            }
            self.pass_on(others);
        }
    }

    /// Others' changes. What they did to the catalogue is not known here, so it counts as much.
    fn pass_on(&mut self, changes: Vec<Change>) {
        let Some(last) = changes.last() else { return };
        self.seen = last.position;
        if changes.iter().any(|change| change.collection == crate::search::SUBJECT) {
            self.desk.generations.note(Touched::Content);
        }
        self.desk.feed.deliver(Arc::new(changes));
    }
}

fn run(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(drop).map_err(fault)
}

/// What is in the log goes into the file, so that the file alone is complete. Where others have it open, as a server has beside a
/// command, nobody is held up: most is carried over without a lock, and the rest only where no reader needs it, because whoever waits
/// for readers keeps writers away.
fn carry_over(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update(None, "wal_checkpoint", "passive")?;
    connection.pragma_update(None, "wal_checkpoint", "truncate")
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

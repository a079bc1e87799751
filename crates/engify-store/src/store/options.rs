//! Where a store is, and what else it needs to know to open.

use std::path::PathBuf;
use std::time::Duration;

use engify_core::{Clock, Secret};

/// Which database.
#[derive(Debug, Clone)]
pub enum Target {
    /// The embedded one: a file `engify.db` in this folder, which is made where it is missing.
    Embedded {
        /// The data folder.
        dir: PathBuf,
    },
    /// A MongoDB server.
    Mongo {
        /// `mongodb://` or `mongodb+srv://`; its path names the database.
        uri: Secret<String>,
    },
}

/// What else a store needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the times in the journal come from.
    pub clock: Clock,
    /// A read or write that takes longer leaves a warning in the log [100 ms, the guide's figure].
    pub slow_query: Duration,
    /// Reading connections of the embedded database [4]; each costs up to 4 MB of cache.
    pub readers: usize,
    /// A read that takes longer is stopped and fails with `database_timeout` [5 s].
    pub read_deadline: Duration,
    /// A database that is filled in one go, and that nobody misses after a crash: commits do not wait for the disk, and the
    /// writer's cache is 32 MiB [false]. Whoever keeps its file closes it first, and syncs it.
    pub scratch: bool,
    /// Opens a database although a restore into it was interrupted: for the one that finishes it [false].
    pub unfinished_restore: bool,
    /// Opens a database that is half a copy of another one: for the migration that goes on with it [false].
    pub unfinished_migration: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            slow_query: Duration::from_millis(100),
            readers: 3,
            read_deadline: Duration::from_secs(5),
            scratch: false,
            unfinished_restore: false,
            unfinished_migration: false,
        }
    }
}

impl Options {
    /// The defaults with this clock.
    pub fn new(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }
}

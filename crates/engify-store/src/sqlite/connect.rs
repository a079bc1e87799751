//! Opening of connections, with the settings that every one of them needs.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Result};

/// How long a connection waits for another process's write to end.
const BUSY: Duration = Duration::from_secs(5);
/// Pages a connection keeps, in kibibytes. The files themselves are in the system's cache anyway.
const CACHE_KIB: i64 = 2048;
/// The same for one that fills a scratch database: its indexes are written all over.
const SCRATCH_CACHE_KIB: i64 = 32 * 1024;
/// The write-ahead log shrinks to this many bytes after a checkpoint.
const WAL_BYTES: i64 = 32 * 1024 * 1024;
/// Pages of the write-ahead log, 16 MiB, after which it is carried over into the file. SQLite's own 1000 carry pages that
/// every commit changes, such as the ends of indexes, four times as often.
const CHECKPOINT_PAGES: i64 = 4_000;
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 128;

/// Where a database lives.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In a file.
    File(PathBuf),
    /// In this process's memory, under a name that its connections share.
    Memory(String),
}

/// A connection that may write. Commits are on disk when they return.
pub(crate) fn writer(place: &Place) -> Result<Connection> {
    let connection = connection(place, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    if matches!(place, Place::File(_)) {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    }
    Ok(connection)
}

/// For a database that nobody misses after a crash: commits do not wait for the disk, and pages that many documents share
/// stay in the cache.
pub(crate) fn unsynced(writer: &Connection) -> Result<()> {
    writer.pragma_update(None, "synchronous", "off")?;
    writer.pragma_update(None, "cache_size", -SCRATCH_CACHE_KIB)
}

/// A connection that only reads.
pub(crate) fn reader(place: &Place) -> Result<Connection> {
    let connection = connection(place, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connection(place: &Place, flags: OpenFlags) -> Result<Connection> {
    // Each connection has one user at a time, so SQLite's own mutexes are not needed.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match place {
        Place::File(path) => Connection::open_with_flags(path, flags)?,
        Place::Memory(name) => Connection::open_with_flags(
            format!("file:/{name}?vfs=memdb"),
            flags | OpenFlags::SQLITE_OPEN_URI,
        )?,
    };
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

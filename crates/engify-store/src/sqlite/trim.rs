//! The journal's other end: old entries go, and where it begins is remembered. And whether the file is sound, and
//! how far it may grow.

use engify_core::{Error, Result, Time};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::fault::fault;

/// Entries that go in one transaction, so that writers do not wait.
const STEP: u32 = 5_000;

/// Removes the oldest entries up to `position` that were made before this moment, a step of them. Says how many went.
pub(super) fn trim(connection: &mut Connection, position: u64, before: Time) -> Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let position = i64::try_from(position).unwrap_or(i64::MAX);
    let sql = "SELECT max(seq) FROM (SELECT seq, at FROM journal WHERE seq <= ?1 ORDER BY seq LIMIT ?2) WHERE at < ?3";
    let last: Option<i64> = transaction
        .query_row(sql, params![position, STEP, before.millis()], |row| row.get(0))
        .map_err(fault)?;
    let Some(last) = last else { return Ok(0) };
    let removed = transaction.execute("DELETE FROM journal WHERE seq <= ?1", [last]).map_err(fault)?;
    note(&transaction, last).map_err(fault)?;
    transaction.commit().map_err(fault)?;
    Ok(removed as u64)
}

/// Remembers where the journal begins.
pub(super) fn note(connection: &Connection, last: i64) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO meta(key, value) VALUES ('journal_trimmed', ?1) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
            [last.to_string()],
        )
        .map(drop)
}

/// The last position that was removed; 0 where the journal is complete.
pub(super) fn trimmed(connection: &Connection) -> Result<u64> {
    let found: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE key = 'journal_trimmed'", [], |row| row.get(0))
        .optional()
        .map_err(fault)?;
    Ok(found.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// SQLite's own check of every page, index and table.
pub(super) fn check(connection: &Connection) -> Result<()> {
    let said: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(fault)?;
    if said == "ok" {
        return Ok(());
    }
    Err(Error::unavailable(
        "database_damaged",
        "The database file is damaged. Keep a copy of it and restore the last backup with `engify db restore`.",
    )
    .because(said))
}

/// Lets the file grow by so many bytes more, or as far as the disk lets it.
pub(super) fn set_room(connection: &Connection, bytes: Option<u64>) -> Result<()> {
    let number = |name: &str| -> Result<i64> {
        connection.pragma_query_value(None, name, |row| row.get(0)).map_err(fault)
    };
    let most = match bytes {
        None => i64::from(u32::MAX - 1),
        Some(bytes) => {
            let more = i64::try_from(bytes).unwrap_or(i64::MAX) / number("page_size")?.max(1);
            number("page_count")?.saturating_add(more)
        }
    };
    connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(())).map_err(fault)
}

//! Notes about the database, in its table `meta`.

use engify_core::Result;
use rusqlite::{Connection, OptionalExtension};

use super::fault::fault;

/// The note of this name.
pub(super) fn read(connection: &Connection, name: &str) -> Result<Option<String>> {
    connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(fault)
}

/// Writes it.
pub(super) fn write(connection: &Connection, name: &str, text: &str) -> Result<()> {
    let sql =
        "INSERT INTO meta(key, value) VALUES (?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value";
    connection.execute(sql, [name, text]).map(drop).map_err(fault)
}

/// The note of this name, made where there is none yet.
pub(super) fn make(connection: &Connection, name: &str, text: String) -> Result<String> {
    let sql = "INSERT INTO meta(key, value) VALUES (?1, ?2) ON CONFLICT(key) DO NOTHING";
    connection.execute(sql, [name, &text]).map_err(fault)?;
    Ok(read(connection, name)?.unwrap_or(text))
}

/// Removes it.
pub(super) fn remove(connection: &Connection, name: &str) -> Result<()> {
    connection.execute("DELETE FROM meta WHERE key = ?1", [name]).map(drop).map_err(fault)
}

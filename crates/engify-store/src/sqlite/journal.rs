//! Reading of the journal.

use engify_core::{Error, Result, Time};
use rusqlite::{Connection, params};

use super::fault::fault;
use crate::held::Held;
use crate::journal::{Change, PAGE_BYTES};

/// At most `limit` changes behind a position, in order, up to [`PAGE_BYTES`] of documents and one more.
pub(crate) fn after<D: Held>(connection: &Connection, position: u64, limit: u32) -> Result<Vec<Change<D>>> {
    // Entries of an older version are in SQLite's binary form.
    let sql = "SELECT seq, at, collection, id, iif(typeof(doc) = 'blob', json(doc), doc) FROM journal \
               WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let from = i64::try_from(position).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![from, limit]).map_err(fault)?;
    let (mut changes, mut bytes) = (Vec::new(), 0);
    while bytes <= PAGE_BYTES
        && let Some(row) = rows.next().map_err(fault)?
    {
        let text = row.get_ref(4).map_err(fault)?.as_str_or_null().map_err(Error::internal)?;
        let document = text.map(D::of_text).transpose()?;
        bytes += document.as_ref().zip(text).map_or(0, |(document, text)| document.takes(text.len()));
        changes.push(Change {
            position: row.get::<_, i64>(0).map_err(fault)?.unsigned_abs(),
            at: Time::from_millis(row.get(1).map_err(fault)?),
            collection: row.get(2).map_err(fault)?,
            id: row.get(3).map_err(fault)?,
            document,
        });
    }
    Ok(changes)
}

/// The last position that was given out; 0 where there was none. A restored journal begins behind the one it continues.
pub(crate) fn position(connection: &Connection) -> Result<u64> {
    let sql = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'journal'), 0)";
    let last: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(fault)?;
    Ok(last.unsigned_abs())
}

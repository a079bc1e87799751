//! Making this database equal to another file in one transaction: the end of a restore.
//!
//! Only what differs is written, and journaled, so that the journal goes on without a gap, every process that has the
//! file open sees the change in the feed, and a restore can itself be undone by time. What differs is found before the
//! write lock is taken; what others commit meanwhile is looked at once more under it.

use std::path::Path;

use engify_core::{Error, Result, Time};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::apply::document;
use super::fault::fault;
use super::journal;
use crate::collection::{Collection, Entity, IndexKind};
use crate::search::catalogue;
use crate::store::Replaced;

/// Prompts that differ, after which building the search catalogue anew is quicker.
const MANY: i64 = 5_000;

/// Makes these collections equal to those of the file `side`.
pub(super) fn replace(
    connection: &mut Connection,
    at: Time,
    side: &Path,
    collections: &[Collection],
) -> Result<Replaced> {
    // The list of what differs may be as long as the database: in memory it would have no bound.
    connection.pragma_update(None, "temp_store", "file").map_err(fault)?;
    let side = side.to_str().ok_or_else(|| Error::internal("the path of the side database is not text"))?;
    connection.execute("ATTACH DATABASE ?1 AS side", [side]).map_err(fault)?;
    let replaced = attached(connection, at, collections);
    let detached = connection
        .execute_batch("DROP TABLE IF EXISTS temp.differing; DETACH DATABASE side;")
        .and_then(|()| connection.pragma_update(None, "temp_store", "memory"));
    let replaced = replaced?;
    detached.map_err(fault)?;
    Ok(replaced)
}

fn attached(connection: &mut Connection, at: Time, collections: &[Collection]) -> Result<Replaced> {
    connection
        .execute_batch(
            "CREATE TEMP TABLE differing(collection TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY(collection, id)) \
             WITHOUT ROWID",
        )
        .map_err(fault)?;
    let seen = {
        let view = connection.transaction().map_err(fault)?;
        let seen = journal::position(&view)?;
        for collection in collections {
            compare(&view, collection).map_err(fault)?;
        }
        view.commit().map_err(fault)?;
        seen
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let at = not_before_the_last(&transaction, at).map_err(fault)?;
    let mut replaced = Replaced::default();
    for collection in collections {
        look_again(&transaction, collection, seen).map_err(fault)?;
        count(&transaction, collection, &mut replaced).map_err(fault)?;
        write(&transaction, collection, at)?;
    }
    replaced.position = journal::position(&transaction)?;
    transaction.commit().map_err(fault)?;
    Ok(replaced)
}

fn compare(view: &Transaction<'_>, collection: &Collection) -> rusqlite::Result<()> {
    let name = collection.name;
    view.execute_batch(&format!(
        "INSERT INTO temp.differing SELECT '{name}', m.id FROM main.\"{name}\" m \
           WHERE NOT EXISTS (SELECT 1 FROM side.\"{name}\" s WHERE s.id = m.id);
         INSERT INTO temp.differing SELECT '{name}', s.id FROM side.\"{name}\" s \
           LEFT JOIN main.\"{name}\" m ON m.id = s.id WHERE m.doc IS NOT s.doc;"
    ))
}

/// The journal's times never go back because of us, whatever the clock does.
fn not_before_the_last(transaction: &Transaction<'_>, at: Time) -> rusqlite::Result<i64> {
    let last: Option<i64> = transaction
        .query_row("SELECT at FROM main.journal ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    Ok(at.millis().max(last.unwrap_or(i64::MIN)))
}

/// Adds what was committed since the comparison, and takes out what is equal by now.
fn look_again(transaction: &Transaction<'_>, collection: &Collection, seen: u64) -> rusqlite::Result<()> {
    let name = collection.name;
    transaction.execute(
        "INSERT OR IGNORE INTO temp.differing SELECT collection, id FROM main.journal WHERE seq > ?1 AND collection = ?2",
        params![i64::try_from(seen).unwrap_or(i64::MAX), name],
    )?;
    transaction.execute_batch(&format!(
        "DELETE FROM temp.differing WHERE collection = '{name}' AND \
         (SELECT doc FROM main.\"{name}\" m WHERE m.id = differing.id) IS \
         (SELECT doc FROM side.\"{name}\" s WHERE s.id = differing.id)"
    ))
}

fn count(
    transaction: &Transaction<'_>,
    collection: &Collection,
    replaced: &mut Replaced,
) -> rusqlite::Result<()> {
    let name = collection.name;
    let sql = format!(
        "SELECT coalesce(sum(m.id IS NULL), 0), coalesce(sum(s.id IS NULL), 0), count(*) FROM temp.differing d \
         LEFT JOIN main.\"{name}\" m ON m.id = d.id LEFT JOIN side.\"{name}\" s ON s.id = d.id WHERE d.collection = '{name}'"
    );
    let (inserted, removed, all): (i64, i64, i64) =
        transaction.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    replaced.inserted += inserted.unsigned_abs();
    replaced.removed += removed.unsigned_abs();
    replaced.replaced += (all - inserted - removed).unsigned_abs();
    Ok(())
}

/// All removals first: two documents may have exchanged a value that must be unique. The journal says so too where a
/// unique index could mind, because it is done again in its order.
fn write(transaction: &Transaction<'_>, collection: &Collection, at: i64) -> Result<()> {
    let name = collection.name;
    let unique = collection.indexes.iter().any(|index| index.kind == IndexKind::Unique);
    if collection.journaled {
        let gone = if unique { "" } else { "AND s.id IS NULL" };
        let sql = format!(
            "INSERT INTO main.journal(at, collection, id, doc) SELECT ?1, '{name}', d.id, NULL FROM temp.differing d \
             JOIN main.\"{name}\" m ON m.id = d.id LEFT JOIN side.\"{name}\" s ON s.id = d.id \
             WHERE d.collection = '{name}' {gone} ORDER BY d.id"
        );
        transaction.execute(&sql, [at]).map_err(fault)?;
        let sql = format!(
            "INSERT INTO main.journal(at, collection, id, doc) SELECT ?1, '{name}', d.id, json(s.doc) FROM temp.differing d \
             JOIN side.\"{name}\" s ON s.id = d.id WHERE d.collection = '{name}' ORDER BY d.id"
        );
        transaction.execute(&sql, [at]).map_err(fault)?;
    }
    transaction
        .execute_batch(&format!(
            "DELETE FROM main.\"{name}\" WHERE id IN (SELECT id FROM temp.differing WHERE collection = '{name}');
             INSERT INTO main.\"{name}\"(id, doc) SELECT d.id, s.doc FROM temp.differing d \
               JOIN side.\"{name}\" s ON s.id = d.id WHERE d.collection = '{name}' ORDER BY d.id;"
        ))
        .map_err(fault)?;
    if *collection == engify_core::prompt::Prompt::COLLECTION {
        search_follows(transaction, collection)
    } else {
        Ok(())
    }
}

fn search_follows(transaction: &Transaction<'_>, collection: &Collection) -> Result<()> {
    let name = collection.name;
    let sql = format!("SELECT count(*) FROM temp.differing WHERE collection = '{name}'");
    let differing: i64 = transaction.query_row(&sql, [], |row| row.get(0)).map_err(fault)?;
    if differing > MANY {
        return catalogue::rebuild(transaction).map_err(fault);
    }
    let sql = format!(
        "SELECT d.id, json(m.doc) FROM temp.differing d LEFT JOIN main.\"{name}\" m ON m.id = d.id \
         WHERE d.collection = '{name}'"
    );
    let mut statement = transaction.prepare(&sql).map_err(fault)?;
    let mut rows = statement.query([]).map_err(fault)?;
    while let Some(row) = rows.next().map_err(fault)? {
        let id: String = row.get(0).map_err(fault)?;
        let text: Option<String> = row.get(1).map_err(fault)?;
        match text {
            Some(text) => catalogue::put(transaction, &document(&text)?),
            None => catalogue::remove(transaction, &id),
        }
        .map_err(fault)?;
    }
    Ok(())
}

//! Whole documents into the database as they are, without journal entries: restoring and moving.

use engify_core::Result;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::apply::{delete, put, text};
use super::fault::fault;
use crate::Doc;
use crate::collection::{Collection, Entity};
use crate::journal::Change;
use crate::search::catalogue;
use crate::snapshot::{collection_of, id_of};

/// Inserts or replaces documents of one collection, all or none.
pub(super) fn load(connection: &mut Connection, collection: &Collection, docs: &[Doc]) -> Result<()> {
    let transaction = begin(connection)?;
    for doc in docs {
        store(&transaction, collection, &id_of(collection.name, doc)?, Some(doc))?;
    }
    transaction.commit().map_err(fault)
}

/// Does what the changes say, all or none.
pub(super) fn apply(connection: &mut Connection, changes: &[Change]) -> Result<()> {
    let transaction = begin(connection)?;
    for change in changes {
        store(&transaction, collection_of(&change.collection)?, &change.id, change.document.as_ref())?;
    }
    transaction.commit().map_err(fault)
}

/// Makes the journal go on behind `position`; never moves it back. What is before it counts as trimmed: it is not here.
pub(super) fn continue_behind(connection: &mut Connection, position: u64) -> Result<()> {
    let position = i64::try_from(position).unwrap_or(i64::MAX);
    let transaction = begin(connection)?;
    if position.unsigned_abs() <= super::journal::position(&transaction)? {
        return Ok(());
    }
    super::trim::note(&transaction, position).map_err(fault)?;
    let raised = transaction
        .execute("UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'journal'", [position])
        .map_err(fault)?;
    if raised == 0 {
        transaction
            .execute("INSERT INTO sqlite_sequence(name, seq) VALUES ('journal', ?1)", [position])
            .map_err(fault)?;
    }
    transaction.commit().map_err(fault)
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)
}

fn store(connection: &Connection, collection: &Collection, id: &str, doc: Option<&Doc>) -> Result<()> {
    let searched = *collection == engify_core::prompt::Prompt::COLLECTION;
    match doc {
        Some(doc) => {
            put(connection, collection, id, &text(doc)).map_err(fault)?;
            if searched {
                catalogue::put(connection, doc).map_err(fault)?;
            }
        }
        None => {
            delete(connection, collection, id).map_err(fault)?;
            if searched {
                catalogue::remove(connection, id).map_err(fault)?;
            }
        }
    }
    Ok(())
}
